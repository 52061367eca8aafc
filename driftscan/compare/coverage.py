"""Coverage that fell: what was once seen of a host, and is no more. Who blinds a scanner hides what comes next."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from driftscan.compare.mutation import make
from driftscan.model.drift import CauseType, Change, Delta, Difference, Mutation
from driftscan.model.snapshot import CollectorCoverage, CollectorStatus, FileCoverage

_RANK = {
    CollectorStatus.NOT_APPLICABLE: 2,
    CollectorStatus.COMPLETE: 2,
    CollectorStatus.PARTIAL: 1,
    CollectorStatus.FAILED: 0,
}
_LOST = ("unreadable", "over_limit", "hidden")
"""Counts of files that were not seen though they are there."""


@dataclass(frozen=True, slots=True)
class Sights:
    """The most that was ever seen of a host: of each collector (status, gaps), and of its files."""

    collectors: Mapping[str, tuple[CollectorStatus, int]]
    files: FileCoverage | None
    """None: they could not be walked, and nothing was counted."""


def sights(coverage: Iterable[CollectorCoverage], files: FileCoverage) -> Sights:
    """What one snapshot saw."""
    every = tuple(coverage)
    failed = any("file" in each.kinds and each.status is CollectorStatus.FAILED for each in every)
    return Sights({each.name: (each.status, len(each.gaps)) for each in every}, None if failed else files)


def best(one: Sights, other: Sights) -> Sights:
    """The better of two, collector by collector and count by count."""
    names = {*one.collectors, *other.collectors}
    collectors = {
        name: min((each.collectors[name] for each in (one, other) if name in each.collectors), key=_poverty)
        for name in names
    }
    if one.files is None or other.files is None:
        return Sights(collectors, one.files or other.files)
    lost = {name: min(getattr(one.files, name), getattr(other.files, name)) for name in _LOST}
    return Sights(collectors, FileCoverage(seen=max(one.files.seen, other.files.seen), **lost))


def fell(before: Sights, now: Sights) -> Mutation | None:
    """The mutation that less is seen than before, or None."""
    found = list(_collectors(before, now))
    if lost := _unread(before.files, now.files):
        found.append(_difference("files read", lost))
    if not found:
        return None
    names = ", ".join(item.key for item in found)
    title = f"less is seen than in earlier scans: {names}"
    return make(CauseType.COVERAGE_FELL, "coverage", title, found, detail="what is hidden now was seen before")


def _unread(before: FileCoverage | None, now: FileCoverage | None) -> dict[str, Delta]:
    if before is None or now is None:
        return {}
    pairs = {name: Delta(getattr(before, name), getattr(now, name)) for name in _LOST}
    return {name: delta for name, delta in pairs.items() if getattr(now, name) > getattr(before, name)}


def _collectors(before: Sights, now: Sights) -> Iterable[Difference]:
    for name, (status, gaps) in sorted(now.collectors.items()):
        old = before.collectors.get(name)
        if old is not None and _poverty(old) < _poverty((status, gaps)):
            deltas: dict[str, Delta] = {"status": Delta(old[0].value, status.value), "gaps": Delta(old[1], gaps)}
            yield _difference(name, {key: delta for key, delta in deltas.items() if delta.expected != delta.actual})


def _difference(key: str, deltas: Mapping[str, Delta]) -> Difference:
    return Difference(kind="coverage", key=key, change=Change.MODIFIED, attributes=dict(deltas))


def _poverty(sight: tuple[CollectorStatus, int]) -> tuple[int, int]:
    """What orders sights, the best first."""
    return -_RANK[sight[0]], sight[1]
