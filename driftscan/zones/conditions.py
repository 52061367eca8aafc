"""When an entry of a pack holds: what of a target's resources it asks for."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from driftscan.model.resource import Value
from driftscan.model.snapshot import Resources
from driftscan.model.zone import Zone, ZoneClass
from driftscan.zones.pack import Pack, When


@dataclass(frozen=True)
class _Target:
    resources: Resources
    walked: bool = True
    packages: frozenset[str] = field(init=False)
    systems: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        names = frozenset(key.partition("/")[0] for kind, key in self.resources.small if kind == "package")
        object.__setattr__(self, "packages", names)
        system = self.resources.get("os_version", "-")
        object.__setattr__(self, "systems", frozenset(_systems(system.attributes if system else {})))

    def satisfies(self, when: When, zone: Zone) -> bool:
        unseen = not self.walked and zone.zone is ZoneClass.SECRET
        return (
            (not when.package or any(name in self.packages for name in when.package))
            and (not when.os or any(name in self.systems for name in when.os))
            and (not when.path or unseen or any(path in self.resources.files for path in when.path))
        )


def in_force(packs: Iterable[Pack], resources: Resources) -> tuple[Zone, ...]:
    """The zones of all entries whose conditions hold for a target. A condition about what the target does not have,
    or what could not be looked at, does not hold: the stricter default stays."""
    return _zones(packs, _Target(resources))


def before_walk(packs: Iterable[Pack], resources: Resources) -> tuple[Zone, ...]:
    """As `in_force`, while nothing is known of the target's files. What a zone calls secret is not to be read for want
    of that knowledge: there, a condition about a path holds."""
    return _zones(packs, _Target(resources, walked=False))


def _zones(packs: Iterable[Pack], target: _Target) -> tuple[Zone, ...]:
    return tuple(
        entry.zone
        for pack in packs
        for entry in pack.entries
        if target.satisfies(pack.when, entry.zone) and target.satisfies(entry.when, entry.zone)
    )


def _systems(attributes: Mapping[str, Value]) -> Iterable[str]:
    for name in ("platform", "platform_like", "id", "id_like"):
        value = attributes.get(name)
        words = value.split() if isinstance(value, str) else value if isinstance(value, tuple) else ()
        yield from (word for word in words if isinstance(word, str))
