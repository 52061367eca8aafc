"""What zones mean for the walk of the tree: what is not entered, not read, or read in part."""

from collections.abc import Callable, Iterable, Iterator

from driftscan.model.manifest import Manifest
from driftscan.model.matching import Matcher, covered, most_specific_first
from driftscan.model.source import WalkRule
from driftscan.model.zone import UNREAD, Tolerance, Zone, ZoneClass

NEVER_READ = ("/etc/shadow", "/etc/shadow-", "/etc/gshadow", "/etc/gshadow-")
"""A digest of these would let a guessed password be checked off line; their rows are facts of their own."""


Tolerate = Callable[[Zone], Tolerance | None]


def walk_rules(
    zones: Iterable[Zone], manifest: Manifest | None = None, tolerate: Tolerate = lambda zone: None
) -> tuple[WalkRule, ...]:
    """Rules for the walk, most specific first: the walker takes the first that matches and hashes what none does.
    Append-only files are also hashed up to the size that the manifest knows; without a manifest they are hashed.
    `tolerate` is for a walk that compares: what it accepts where."""
    ordered = most_specific_first(zone for zone in zones if zone.kind == "file")
    matcher = Matcher(ordered)
    rules = []
    for path in NEVER_READ:
        covering = matcher.zone_of("file", path)
        rules.append(WalkRule(path, "stat", tolerance=tolerate(covering) if covering else None))
    for zone in ordered:
        if zone.zone is ZoneClass.EXTERNAL:
            rules.append(WalkRule(_written(zone.glob), "prune"))
        elif zone.zone is ZoneClass.APPEND_ONLY:
            rules.extend(_prefixes(zone, manifest, tolerate(zone)))
        else:
            action = "stat" if zone.zone in UNREAD else "hash"
            rules.append(WalkRule(_written(zone.glob), action, tolerance=tolerate(zone)))
    return _without_idle(rules)


def _prefixes(zone: Zone, manifest: Manifest | None, tolerance: Tolerance | None) -> Iterator[WalkRule]:
    """A rule for each file of the manifest in an append-only zone, then one for those that it does not know."""
    if manifest is not None:
        for key in covered(manifest.resources.files, zone.glob):
            resource = manifest.resources.get("file", key)
            size = resource.attributes.get("size") if resource else None
            if isinstance(size, int) and not isinstance(size, bool) and size > 0:
                yield WalkRule(_written(key, literal=True), "prefix", size, tolerance)
    yield WalkRule(_written(zone.glob), "hash", tolerance=tolerance)


def _written(glob: str, *, literal: bool = False) -> str:
    """As the walk reads globs: it knows character classes too."""
    glob = glob.replace("[", "[[]")
    return glob.replace("*", "[*]").replace("?", "[?]") if literal else glob


def _without_idle(rules: list[WalkRule]) -> tuple[WalkRule, ...]:
    """Trailing `hash` rules of what is sealed say what holds anyway."""
    while rules and rules[-1].action == "hash" and rules[-1].tolerance is None:
        rules.pop()
    return tuple(rules)
