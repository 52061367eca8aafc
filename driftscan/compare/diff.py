"""Manifest against snapshot: what differs, with zones applied, and what cannot be judged."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from driftscan.compare import texts
from driftscan.compare.folds._parts import counted
from driftscan.compare.pairing import replaced_identities
from driftscan.compare.sight import Sight
from driftscan.compare.zoning import Judge, Pair, freed, unmissed
from driftscan.model.differing import differing
from driftscan.model.drift import Change, Delta, Difference, Uncompared
from driftscan.model.manifest import Manifest
from driftscan.model.matching import Matcher
from driftscan.model.resource import Resource
from driftscan.model.snapshot import Resources, Snapshot
from driftscan.model.zone import Zone, ZoneClass

_MOST_REASONS = 3


@dataclass(frozen=True, slots=True)
class Diff:
    """All differences by kind and key, allowed ones and unknowns among them; what was not compared because one side
    never spoke of it; and how many differ (unknowns are not counted)."""

    differences: tuple[Difference, ...]
    uncompared: tuple[Uncompared, ...]
    raw: int
    hidden: int = 0
    """How many paths of the manifest lie beneath mounts that cover them."""

    @property
    def not_baselined(self) -> tuple[str, ...]:
        """What was not compared, each once."""
        return tuple(sorted({item.what for item in self.uncompared}))

    @property
    def unknown(self) -> tuple[Difference, ...]:
        """What a gap hides and no zone excuses: a host that has any is not wholly scanned."""
        return tuple(item for item in self.differences if item.change is Change.UNKNOWN and not item.allowed)


def reasons(unknown: Sequence[Difference]) -> str:
    """Why unknowns are that, for people: what most of them share first, and how many more reasons there are."""
    found = [why for why, _ in Counter(item.why or "a gap hides it" for item in unknown).most_common()]
    left = len(found) - _MOST_REASONS
    more = [counted(left, "more reason")] if left > 0 else []
    return "; ".join([*found[:_MOST_REASONS], *more])


def diff(
    manifest: Manifest,
    snapshot: Snapshot,
    zones: Sequence[Zone] | Matcher | None = None,
    *,
    born: bool = False,
    same: frozenset[str] = frozenset(),
    own: frozenset[str] = frozenset(),
) -> Diff:
    """Compare a snapshot with a manifest. `zones`: those of the manifest unless given. `born`: the manifest is the
    birth of this very host, after which nothing is `boot-once` any more. `same`: kinds that are known to be equal;
    `own`: those of which it is known what this host's own are, so that no others are as good (`dns`)."""
    comparison = _Comparison(manifest, snapshot, Matcher.of(manifest.zones if zones is None else zones), born, same)
    found = list(comparison.run())
    found = replaced_identities(found, comparison.zones, own)
    found.extend(comparison.unseen(found))
    found.sort(key=lambda item: item.id)
    raw = sum(item.change is not Change.UNKNOWN for item in found)
    return Diff(tuple(found), comparison.uncompared(), raw, comparison.sight.covered_paths())


class _Comparison:
    """One comparison: its two sides, and what it learns on the way of things that cannot be compared."""

    def __init__(
        self, manifest: Manifest, snapshot: Snapshot, zones: Matcher, born: bool, same: frozenset[str]
    ) -> None:
        self.manifest = manifest
        self.snapshot = snapshot
        self.zones = zones
        self.same = same
        self.sight = Sight(manifest, snapshot)
        self.judge = Judge(manifest.resources.files, snapshot.resources.files, born, zones)
        self._uncompared: dict[tuple[str, bool], tuple[int, str]] = {}

    def uncompared(self) -> tuple[Uncompared, ...]:
        """What was met that one side never spoke of."""
        return tuple(
            Uncompared(what, count, example, baked)
            for (what, baked), (count, example) in sorted(self._uncompared.items())
        )

    def _miss(self, what: str, resource: Resource, *, baked: bool) -> None:
        count, example = self._uncompared.get((what, baked), (0, resource.key))
        self._uncompared[what, baked] = count + 1, example

    def run(self) -> Iterator[Difference]:
        for expected, actual in _unequal(self.manifest.resources, self.snapshot.resources, self.same):
            resource = expected or actual
            assert resource is not None
            zone = self.zones.zone_of(*resource.id)
            if zone is not None and zone.zone is ZoneClass.EXTERNAL:
                continue
            if expected is None:
                found = self._came(zone, resource)
            elif actual is None:
                found = self._went(zone, expected)
            else:
                found = self._changed(zone, expected, actual)
            if found is not None:
                yield found

    def _came(self, zone: Zone | None, actual: Resource) -> Difference | None:
        if not self.sight.baselined(actual.kind):
            self._miss(actual.kind, actual, baked=False)
            return None
        if pattern := self.sight.unknown_to_manifest(*actual.id):
            self._miss(pattern, actual, baked=False)
            return None
        deltas = {name: Delta(None, value) for name, value in sorted(actual.attributes.items())}
        return self._judged(zone, Pair(None, actual, deltas))

    def unseen(self, found: Sequence[Difference]) -> Iterator[Difference]:
        """An unknown for each kind that a gap hides wholly and of which nothing else tells that: the image may have
        none of its resources, and that the target has none either was not seen."""
        told = {item.kind for item in found if item.change is Change.UNKNOWN}
        for kind in sorted(self.sight.unseen - told):
            yield Difference(kind=kind, key="*", change=Change.UNKNOWN, why=self.sight.hidden(kind, "*"))

    def _went(self, zone: Zone | None, expected: Resource) -> Difference | None:
        if expected.kind in self.sight.not_a_live_target:
            self._miss(expected.kind, expected, baked=True)
            return None
        pair = Pair(expected, None, {name: Delta(value, None) for name, value in sorted(expected.attributes.items())})
        if reason := self.sight.hidden(*expected.id):
            allowed = self.judge.rule(zone, pair).allowed
            return replace(_difference(zone, pair), change=Change.UNKNOWN, allowed=allowed, why=reason)
        return self._judged(zone, pair)

    def _changed(self, zone: Zone | None, expected: Resource, actual: Resource) -> Difference | None:
        deltas, missing = _deltas(expected, actual)
        pair = Pair(expected, actual, deltas)
        if deltas:
            self._note(zone, pair, missing)
            return self._judged(zone, pair)
        lost = missing & set(expected.attributes)
        if lost and (reason := self.sight.hidden(*expected.id)):
            unseen = Pair(expected, actual, {name: Delta(expected.attributes[name], None) for name in sorted(lost)})
            allowed = zone is not None and lost <= freed(zone, unseen)
            return replace(_difference(zone, unseen), change=Change.UNKNOWN, allowed=allowed, why=reason)
        self._note(zone, pair, missing)
        return None

    def _note(self, zone: Zone | None, pair: Pair, missing: set[str]) -> None:
        """Attributes that one side does not know are not compared; where a zone frees them nobody wants to know."""
        if missing and zone is not None:
            missing = missing - unmissed(zone, pair, born=self.judge.born)
        known = pair.expected.attributes if pair.expected else {}
        for name in sorted(missing):
            self._miss(f"{pair.resource.kind}.{name}", pair.resource, baked=name in known)

    def _judged(self, zone: Zone | None, pair: Pair) -> Difference:
        ruling = self.judge.rule(zone, pair)
        found = _difference(zone, pair)
        if ruling.allowed:
            return replace(found, allowed=True)
        told = {name: delta for name, delta in pair.deltas.items() if name in ruling.refused}
        found = replace(found, attributes=told or pair.deltas, why=ruling.why, text=self._text(pair))
        if zone is not None and zone.attributes and not ruling.why:  # what the zone does not name is sealed
            return replace(found, zone=ZoneClass.SEALED, zone_reason="")
        return found

    def _text(self, pair: Pair) -> str:
        if pair.change is not Change.MODIFIED:
            return ""
        if pair.resource.kind == "file":
            old, new = (side.texts.get(pair.resource.key) for side in (self.manifest, self.snapshot))
            if old is not None and new is not None and old != new:
                return texts.unified(old, new)
        return texts.nested(pair.deltas)


def _unequal(old: Resources, new: Resources, same: frozenset[str]) -> Iterator[tuple[Resource | None, Resource | None]]:
    """Resources that are not equal on both sides; of the kinds in `same` all are."""
    baked = (rid for kind, found in old.by_kind.items() if kind not in same for rid in found)
    for rid in sorted({*baked, *(rid for rid in new.small if rid[0] not in same)}):
        expected, actual = old.small.get(rid), new.small.get(rid)
        if expected is None or actual is None or expected.attributes != actual.attributes:
            yield expected, actual
    for key, before, after in differing(old.files, new.files):
        yield (
            None if before is None else old.files.decode(before),
            None if after is None else new.files.decode(after, new.files.observed_of(key)),
        )


def _deltas(expected: Resource, actual: Resource) -> tuple[dict[str, Delta], set[str]]:
    """Attributes that differ, and those that one side does not know. What is of another type has other attributes:
    there, a missing one is a fact."""
    old, new = expected.attributes, actual.attributes
    missing = set(old) ^ set(new)
    if old.get("type") != new.get("type") and expected.kind == "file":
        missing = set()
    names = sorted({*old, *new} - missing)
    deltas = {name: Delta(old.get(name), new.get(name)) for name in names if old.get(name) != new.get(name)}
    return deltas, missing


def _difference(zone: Zone | None, pair: Pair) -> Difference:
    return Difference(
        kind=pair.resource.kind,
        key=pair.resource.key,
        change=pair.change,
        attributes=pair.deltas,
        zone=zone.zone if zone else ZoneClass.SEALED,
        zone_reason=zone.reason if zone else "",
        observed=pair.actual.observed if pair.actual else {},
    )
