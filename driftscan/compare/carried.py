"""Hand fixes of a fleet, and whether an image that is to replace it has them: regression by replacement."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cmp_to_key

from driftscan.compare.build_lines import build_lines
from driftscan.compare.folds._parts import ACCOUNT_FILES
from driftscan.compare.lineage import comparable, view_of
from driftscan.compare.mutation import content_of
from driftscan.model.drift import CauseType, Change, Delta, Difference, Mutation
from driftscan.model.gate import Fate, HandFix, PartFate
from driftscan.model.matching import PatternSet
from driftscan.model.resource import Resource, Value
from driftscan.model.snapshot import Snapshot
from driftscan.model.versions import compare_dpkg, compare_rpm

_OPERATIONS = frozenset(
    {
        CauseType.PACKAGE_INSTALLED,
        CauseType.PACKAGE_REMOVED,
        CauseType.PACKAGE_UPGRADED,
        CauseType.PACKAGE_DOWNGRADED,
        CauseType.PACKAGE_STATE,
    }
)
_ASIDE: Mapping[str, frozenset[str]] = {
    "file": frozenset({"size", "nlink", "md5", "selinux"}),
    "service": frozenset({"active_state"}),
}
"""Attributes that follow from others, or from what happens to run."""
_NOT_THERE = frozenset({"config-files", "not-installed"})
"""States of a package that removing leaves."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """One open mutation of one host, as its last scan reported it. `everywhere_at_first`: all hosts of the image had
    it from their first scan on, so that the image or its first boot makes it."""

    host: str
    mutation: Mutation
    action: str
    everywhere_at_first: bool = False


@dataclass(slots=True)
class Candidate:
    """What can be asked of the image that is to come."""

    snapshot: Snapshot
    rpm: bool = False
    """Whether its versions are in the order of rpm."""
    _kinds: frozenset[str] = field(init=False)
    _hidden: PatternSet = field(init=False)

    def __post_init__(self) -> None:
        """Index what it could see."""
        view = view_of(self.snapshot, whole=True)
        self._kinds, self._hidden = view.kinds, PatternSet(view.hidden)

    def tells(self, kind: str, key: str) -> bool:
        """Whether the missing of a resource would mean that it is not there."""
        return kind in self._kinds and self._hidden.covering(kind, key) is None

    def packages(self, key: str) -> list[Resource]:
        """The installed versions of a package (`name/arch`, also `name/arch@version`)."""
        name = key.partition("@")[0]
        found = self.snapshot.resources.by_kind.get("package", {})
        return [
            row
            for (_, each), row in sorted(found.items())
            if each.partition("@")[0] == name and row.attributes.get("status") not in _NOT_THERE
        ]

    def newer(self, one: str, other: str) -> int:
        """-1, 0, 1: the order of two versions."""
        return compare_rpm(one, other) if self.rpm else compare_dpkg(one, other)


def hand_fixes(sightings: Iterable[Sighting], candidate: Candidate, *, wanted: bool = True) -> tuple[HandFix, ...]:
    """One for each thing that was done, with the hosts on which its content is the same: first what would be lost,
    then what most hosts have. What is no change of a host (a shared identity, a missing log) is left out. `wanted`:
    whether lines for a build are given."""
    groups: dict[tuple[str, str], list[Sighting]] = {}
    for sighting in sightings:
        if comparable([sighting.mutation]):
            groups.setdefault((sighting.mutation.id, _content(sighting.mutation)), []).append(sighting)
    found = [_fix(group, candidate, wanted) for group in groups.values()]
    order = (Fate.LOST, Fate.OTHER, Fate.PARTLY, Fate.UNSEEN, Fate.CONTAINED)
    return tuple(sorted(found, key=lambda fix: (order.index(fix.fate), -len(fix.hosts), fix.id, fix.hosts)))


def fate_of(mutation: Mutation, candidate: Candidate) -> tuple[Fate, tuple[PartFate, ...]]:
    """Whether the candidate has what a host has, at the heart of a mutation; and of each part of it."""
    parts = tuple(_part(item, candidate) for item in heart(mutation))
    return _together([part.fate for part in parts]), parts


def heart(mutation: Mutation) -> tuple[Difference, ...]:
    """Of an operation on packages, the packages: their files come with them. Else all but what zones accept, facts
    first; the files that hold all accounts say nothing of one that is told as a fact."""
    known = (item for item in mutation.differences if not item.allowed and item.change is not Change.UNKNOWN)
    told = tuple(sorted(known, key=lambda item: (item.kind == "file", item.id)))
    if mutation.cause.type in _OPERATIONS:
        return tuple(item for item in told if item.kind == "package")
    if any(item.kind != "file" for item in told):
        return tuple(item for item in told if item.key not in ACCOUNT_FILES)
    return told


def _content(mutation: Mutation) -> str:
    return content_of(heart(mutation), ())


def _fix(group: Sequence[Sighting], candidate: Candidate, wanted: bool) -> HandFix:
    mutation = group[0].mutation
    fate, parts = fate_of(mutation, candidate)
    missing = [part.difference for part in parts if part.fate not in {Fate.CONTAINED, Fate.UNSEEN}]
    return HandFix(
        id=mutation.id,
        title=mutation.title,
        cause=mutation.cause,
        action=group[0].action,
        actors=tuple(sorted({actor for one in group if (actor := one.mutation.attribution.actor)})),
        hosts=tuple(sorted({one.host for one in group})),
        fate=fate,
        parts=parts,
        build=build_lines(missing, rpm=candidate.rpm) if wanted else (),
    )


def _together(fates: Collection[Fate]) -> Fate:
    """What is seen decides; of nothing seen nothing is said."""
    seen = {fate for fate in fates if fate is not Fate.UNSEEN}
    if not seen:
        return Fate.UNSEEN
    return seen.pop() if len(seen) == 1 else Fate.PARTLY


def _part(item: Difference, candidate: Candidate) -> PartFate:
    if not candidate.tells(item.kind, item.key):
        return PartFate(item, Fate.UNSEEN)
    if item.kind == "package" and "version" in item.attributes:
        return _package(item, candidate)
    found = candidate.snapshot.resources.get(item.kind, item.key)
    return PartFate(item, _fate(item, found), _asked(item, found))


def _fate(item: Difference, found: Resource | None) -> Fate:
    if found is None:
        return {Change.REMOVED: Fate.CONTAINED, Change.ADDED: Fate.LOST}.get(item.change, Fate.OTHER)
    known = {
        name: delta
        for name, delta in item.attributes.items()
        if name in found.attributes and name not in _ASIDE.get(item.kind, ())
    }
    if item.change is Change.REMOVED:
        return (
            Fate.LOST if all(found.attributes[name] == delta.expected for name, delta in known.items()) else Fate.OTHER
        )
    if item.kind == "file" and _is_something_else(item, found):
        return Fate.OTHER
    if not known:
        return Fate.UNSEEN if item.attributes else Fate.CONTAINED
    each = {_value(found.attributes[name], delta, item.change) for name, delta in known.items()}
    if item.change is Change.ADDED:
        return Fate.CONTAINED if each == {Fate.CONTAINED} else Fate.OTHER
    return Fate.OTHER if Fate.OTHER in each else _together(each)


def _is_something_else(item: Difference, found: Resource) -> bool:
    """Whether a file has no content, or a link no target, to be compared, since it is of another type."""
    wanted = {"sha256": "regular", "target": "symlink"}
    return any(name in item.attributes and found.attributes.get("type") != kind for name, kind in wanted.items())


def _value(found: Value, delta: Delta, change: Change) -> Fate:
    if found == delta.actual:
        return Fate.CONTAINED
    return Fate.LOST if change is Change.MODIFIED and found == delta.expected else Fate.OTHER


def _package(item: Difference, candidate: Candidate) -> PartFate:
    """A newer version than that of a hand upgrade contains it; a newer one than that of a hand downgrade does not."""
    versions = [str(row.attributes.get("version") or "") for row in candidate.packages(item.key)]
    found: Mapping[str, Value] = {"version": ", ".join(versions)} if versions else {}
    delta = item.attributes["version"]
    before, after = str(delta.expected or ""), str(delta.actual or "")
    if item.change is Change.REMOVED:
        return PartFate(item, Fate.LOST if versions else Fate.CONTAINED, found)
    if not versions:
        return PartFate(item, Fate.LOST if item.change is Change.ADDED else Fate.OTHER, found)
    newest = max(versions, key=cmp_to_key(candidate.newer))
    if after in versions:
        return PartFate(item, Fate.CONTAINED, found)
    if before in versions:
        return PartFate(item, Fate.LOST, found)
    raised = not before or candidate.newer(after, before) > 0
    contained = raised and candidate.newer(newest, after) > 0
    return PartFate(item, Fate.CONTAINED if contained else Fate.OTHER, found)


def _asked(item: Difference, found: Resource | None) -> Mapping[str, Value]:
    if found is None:
        return {}
    return {name: found.attributes[name] for name in sorted(item.attributes) if name in found.attributes}
