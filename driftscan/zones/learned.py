"""Zones learned from several boots of one image: the strictest class that explains all of them, never "ignore".

What is executed, loaded, or decides who gets in is never relaxed: where boots differ in that, the image's owner is
asked a question.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from driftscan.model.drift import Change, Difference
from driftscan.model.manifest import Manifest, Provenance
from driftscan.model.matching import Matcher, covered
from driftscan.model.patterns import is_literal
from driftscan.model.records import Records, Row
from driftscan.model.resource import Resource, ResourceId
from driftscan.model.snapshot import Resources, Snapshot
from driftscan.model.zone import Provenance as Source
from driftscan.model.zone import Zone, ZoneClass
from driftscan.stored import pack_rows
from driftscan.zones.protected import protected
from driftscan.zones.shapes import shape

Compare = Callable[[Manifest, Snapshot, Sequence[Zone]], Iterable[Difference]]
OWN_KEYS = ("address", "dns", "route")
"""Kinds whose keys carry values of the host itself: there is one for each of another boot's."""


@dataclass(frozen=True, slots=True)
class Question:
    """Something that differs among boots and is not relaxed by itself: who owns the image must say what it is."""

    kind: str
    key: str
    differs: tuple[str, ...]
    """Attributes that differ; empty: not all boots have it."""
    boots: tuple[str, ...]
    """The hosts that have it."""
    why: str

    @property
    def zone(self) -> Zone | None:
        """What would accept it; None where its key can't stand as a pattern."""
        if "*" in self.key or "?" in self.key:
            return None
        pattern = self.key if self.kind == "file" else f"{self.kind}:{self.key}"
        return Zone(pattern=pattern, zone=ZoneClass.FREE, reason=self.text, attributes=self.differs)

    @property
    def text(self) -> str:
        """For a person, with what they can do."""
        what = f"differs in {', '.join(self.differs)}" if self.differs else f"is only on {', '.join(self.boots)}"
        return (
            f"{self.kind} {self.key} {what}; {self.why}. Make it equal in the image, or give it a zone with a reason."
        )


@dataclass(frozen=True, slots=True)
class Learned:
    """Zones that explain the boots, what is left to ask, and `sealed` zones for what first boot was said to write and
    boots agree in."""

    zones: tuple[Zone, ...] = ()
    questions: tuple[Question, ...] = ()
    agreed: tuple[Zone, ...] = ()


@dataclass(frozen=True, slots=True)
class _Case:
    """One resource that boots do not share."""

    rid: ResourceId
    variants: tuple[Resource | None, ...]
    differs: tuple[str, ...] = field(default=())

    @property
    def seen(self) -> tuple[Resource, ...]:
        return tuple(variant for variant in self.variants if variant is not None)


class Boots:
    """Boots of one image, compared with each other under zones; each pair once. `compare` gives the differences of a
    snapshot from a manifest under zones (`compare.diff`)."""

    def __init__(self, snapshots: Sequence[Snapshot], zones: Sequence[Zone], compare: Compare) -> None:
        """Nothing is compared yet."""
        self.snapshots = tuple(snapshots)
        self._zones = tuple(zones)
        self._compare = compare
        self._matcher = Matcher(zones)
        self._sealed = Matcher(each for each in zones if _is_sealed_by_hand(each))
        self._found: dict[tuple[int, int], tuple[Difference, ...]] = {}

    def learn(self, chosen: Sequence[int] | None = None) -> Learned:
        """Zones for what differs among the boots (or some, by number) and no zone accepts already: each is asked both
        ways round against the first. One boot teaches nothing, and what a person has sealed is not asked about."""
        numbers = range(len(self.snapshots)) if chosen is None else chosen
        snapshots = [self.snapshots[number] for number in numbers]
        refused = (rid for rid in sorted(self._refused(numbers)) if self._sealed.zone_of(*rid) is None)
        cases = [_case(rid, snapshots) for rid in refused]
        questions = [question for case in cases if (question := _question(case, snapshots))]
        asked = {(question.kind, question.key) for question in questions}
        open_cases = [case for case in cases if case.rid not in asked]
        shaped, rest = _shaped(open_cases, snapshots)
        found = [*shaped, *(_zone(case, snapshots) for case in rest)]
        agreed = tuple(self._agreed(snapshots)) if len(snapshots) > 1 else ()
        return Learned(tuple(sorted(found, key=lambda zone: zone.pattern)), tuple(questions), agreed)

    def unexplained(self, left: int) -> tuple[ResourceId, ...]:
        """How one boot differs from the image that all others would have made, in what zones that they would have
        taught do not accept."""
        rest = [number for number in range(len(self.snapshots)) if number != left]
        taught = self.learn(rest)
        if not self._may_differ(taught, rest, left):
            return ()
        merged = merge([self.snapshots[number] for number in rest])
        image = _as_manifest(replace(self.snapshots[rest[0]], resources=merged))
        found = self._compare(image, self.snapshots[left], (*self._zones, *taught.zones, *taught.agreed))
        return tuple(item.id for item in found if _is_open(item))

    def _may_differ(self, taught: Learned, rest: Sequence[int], left: int) -> bool:
        """Whether there is anything to look at. Most boots differ in nothing that is not accepted already."""
        if self._refused(rest) or any(self._counts(item, rest) for item in self._open(rest[0], left)):
            return True
        first, other = (self.snapshots[number].resources.files for number in (rest[0], left))
        return not all(_alike(first, other, zone.glob) for zone in taught.agreed)

    def _agreed(self, snapshots: Sequence[Snapshot]) -> Iterator[Zone]:
        """What decides what runs or who gets in is not left open because first boot might write it, where boots show
        that it does not."""
        first, *others = [snapshot.resources.files for snapshot in snapshots]
        for zone in self._matcher.zones:
            if zone.zone is not ZoneClass.BOOT_ONCE or zone.kind != "file" or zone.provenance is Source.HAND:
                continue
            for key in covered(first, zone.glob):
                why = protected("file", key, (), ()) if is_literal(key) else ""
                if not why or self._matcher.zone_of("file", key) is not zone:
                    continue
                if all(_alike(first, other, key) for other in others):
                    yield _kept(key, f"{why}, and first boot does not write it", _origin(snapshots))

    def _counts(self, item: Difference, rest: Sequence[int]) -> bool:
        """A file can be missed only where all others have it."""
        gone = item.kind == "file" and item.change is Change.REMOVED
        return not gone or all(item.key in self.snapshots[number].resources.files for number in rest)

    def _refused(self, numbers: Sequence[int]) -> set[ResourceId]:
        """What zones do not accept yet. A file that some boots lack will not be in the manifest (`merge`), so that none
        can miss it: only that it may come must be accepted, which the other way round tells."""
        first, *others = numbers
        return {
            item.id
            for other in others
            for item in (*self._open(first, other), *self._open(other, first))
            if item.kind != "file" or item.change is not Change.REMOVED
        }

    def _open(self, old: int, new: int) -> tuple[Difference, ...]:
        if (old, new) not in self._found:
            found = self._compare(_as_manifest(self.snapshots[old]), self.snapshots[new], self._zones)
            self._found[old, new] = tuple(item for item in found if not item.allowed)
        return self._found[old, new]


def _is_sealed_by_hand(zone: Zone) -> bool:
    return zone.provenance is Source.HAND and zone.zone is ZoneClass.SEALED


def _is_open(item: Difference) -> bool:
    return not item.allowed and item.change is not Change.UNKNOWN


def merge(snapshots: Sequence[Snapshot]) -> Resources:
    """What all boots have. Where their values differ, the first boot's stand: a zone covers them or a question is
    open. Of kinds whose key is a host's own value the first boot's stand, if all boots have as many of them."""
    first, *others = [snapshot.resources for snapshot in snapshots]
    own = {kind for kind in OWN_KEYS if len({sum(1 for _ in each.of(kind)) for each in (first, *others)}) == 1}
    small = {
        rid: item for rid, item in first.small.items() if rid[0] in own or all(rid in other.small for other in others)
    }
    if not others:
        return first
    shared = _shared(first.files, [other.files for other in others])
    return Resources(small, pack_rows(shared, first.files, "the files that all boots have"))


def _shared(first: Records, others: Sequence[Records]) -> Iterator[Row]:
    """The rows of a table whose keys all others have, too. All are walked through at once."""
    rest = [other.rows() for other in others]
    heads = [next(rows, None) for rows in rest]
    for row in first.rows():
        for index, rows in enumerate(rest):
            head = heads[index]
            while head is not None and head[0] < row[0]:
                head = next(rows, None)
            heads[index] = head
        if all(head is not None and head[0] == row[0] for head in heads):
            yield row


def _as_manifest(snapshot: Snapshot) -> Manifest:
    return Manifest(
        image=snapshot.image,
        provenance=Provenance(baked_at=snapshot.taken_at, tool="learn"),
        resources=snapshot.resources,
        coverage=snapshot.coverage,
        live=snapshot.live,
    )


def _case(rid: ResourceId, snapshots: Sequence[Snapshot]) -> _Case:
    variants = tuple(snapshot.resources.get(*rid) for snapshot in snapshots)
    if None in variants:
        return _Case(rid, variants)
    seen = [variant.attributes for variant in variants if variant is not None]
    names = sorted({name for attributes in seen for name in attributes})
    differs = tuple(name for name in names if any(other.get(name) != seen[0].get(name) for other in seen[1:]))
    return _Case(rid, variants, differs)


def _question(case: _Case, snapshots: Sequence[Snapshot]) -> Question | None:
    why = protected(*case.rid, case.seen, case.differs)
    if not why and case.rid[0] != "file" and not case.differs:
        why = "what comes and goes is not relaxed unasked"
    if not why and "type" in case.differs:
        why = "it is of different types"
    return Question(*case.rid, case.differs, _boots(case, snapshots), why) if why else None


def _boots(case: _Case, snapshots: Sequence[Snapshot]) -> tuple[str, ...]:
    return tuple(s.host for s, variant in zip(snapshots, case.variants, strict=True) if variant is not None)


def _shaped(cases: Sequence[_Case], snapshots: Sequence[Snapshot]) -> tuple[list[Zone], list[_Case]]:
    """Names that only some boots have, generalised where every boot has one of the same shape; the rest as it was."""
    groups: dict[str, list[_Case]] = {}
    for case in cases:
        if not case.differs:
            names = {s.host for s, v in zip(snapshots, case.variants, strict=True) if v is not None}
            pattern = shape(case.rid[1], next(iter(sorted(names)), ""))
            if pattern is not None:
                groups.setdefault(pattern, []).append(case)
    whole = {
        pattern: group
        for pattern, group in groups.items()
        if all(any(case.variants[index] is not None for case in group) for index in range(len(snapshots)))
    }
    covered = {case.rid for group in whole.values() for case in group}
    origin = _origin(snapshots)
    zones = [
        _come_and_go(pattern, f"each boot has one under a name of its own ({origin})", origin)
        for pattern in _widest(whole)
    ]
    matcher = Matcher(zones)
    left = [c for c in cases if c.rid not in covered and (c.differs or matcher.zone_of(*c.rid) is None)]
    return zones, left


def _widest(patterns: Iterable[str]) -> Iterator[str]:
    """A generalised directory takes what lies beneath it along."""
    kept: set[str] = set()
    for pattern in sorted(patterns, key=lambda each: (each.count("/"), each)):
        place = pattern
        while (place := place.rpartition("/")[0]) and place not in kept:
            pass
        if not place:
            kept.add(pattern)
    every = set(patterns)
    for pattern in sorted(kept):
        yield pattern
        if any(other.startswith(pattern + "/") for other in every):
            yield pattern + "/**"


def _come_and_go(pattern: str, reason: str, origin: str) -> Zone:
    return Zone(pattern=pattern, zone=ZoneClass.FREE, reason=reason, provenance=Source.LEARNED, origin=origin)


def _zone(case: _Case, snapshots: Sequence[Snapshot]) -> Zone:
    kind, key = case.rid
    origin = _origin(snapshots)
    pattern = key if kind == "file" else f"{kind}:{key}"
    if not case.differs:
        where = f"{len(case.seen)} of {len(snapshots)} boots have it"
        return _come_and_go(pattern, where, origin)
    own = _each_its_own(case)
    return Zone(
        pattern=pattern,
        zone=ZoneClass.IDENTITY if own else ZoneClass.FREE,
        attributes=() if own else case.differs,
        reason=f"each of {len(snapshots)} boots has its own" if own else f"boots differ in {', '.join(case.differs)}",
        may_appear=False,
        may_vanish=False,
        provenance=Source.LEARNED,
        origin=origin,
    )


def _alike(one: Records, other: Records, key: str) -> bool:
    """Whether both tables have a file, and it is the same."""
    first, second = one.resource(key), other.resource(key)
    return first is not None and second is not None and first.attributes == second.attributes


def _kept(key: str, reason: str, origin: str) -> Zone:
    return Zone(pattern=key, zone=ZoneClass.SEALED, reason=reason, provenance=Source.LEARNED, origin=origin)


def _each_its_own(case: _Case) -> bool:
    """A setting under /etc of the same size and another content in each of at least three boots: an identity."""
    if not case.rid[1].startswith("/etc/") or not set(case.differs) <= {"sha256", "md5"} or len(case.seen) < 3:
        return False
    digests = [variant.attributes.get("sha256") for variant in case.seen]
    return len(set(digests)) == len(digests) and None not in digests


def _origin(snapshots: Sequence[Snapshot]) -> str:
    return "learned from " + ", ".join(snapshot.host for snapshot in snapshots)
