"""From captures to resources: run collectors' parsers, and turn what fails into gaps."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from driftscan.collectors._base import Collector
from driftscan.errors import ParseError, UnavailableError
from driftscan.model.names import encode_name
from driftscan.model.resource import Kind, Plane, Resource, ResourceId
from driftscan.model.snapshot import CollectorCoverage, CollectorStatus
from driftscan.model.source import Captures, Gap, Glob, Status
from driftscan.plugins import discover


@cache
def collectors() -> Mapping[str, Collector]:
    """All collectors by name."""
    return discover("driftscan.collectors", "collector", Collector)


@cache
def kinds() -> Mapping[str, Kind]:
    """All kinds by name."""
    return {kind.name: kind for collector in collectors().values() for kind in collector.kinds}


@dataclass(frozen=True, slots=True)
class Parsed:
    """What collectors made of answers. `same`: kinds that are wholly as in the manifest."""

    resources: Mapping[ResourceId, Resource]
    coverage: tuple[CollectorCoverage, ...]
    same: frozenset[str] = frozenset()


def parse(these: Iterable[Collector], captures: Captures, *, live: bool) -> Parsed:
    """Run the parsers of collectors. Of two resources with one id the first stands, and the other is a gap."""
    found: dict[ResourceId, Resource] = {}
    coverage = []
    for collector in these:
        if not live and collector.plane is Plane.RUNTIME:
            coverage.append(_covers(collector, CollectorStatus.NOT_APPLICABLE))
            continue
        resources, gaps, failed = _run(collector, captures)
        added = 0
        for resource in resources:
            if resource.id in found:
                gaps.append(_twice(collector, resource))
            else:
                found[resource.id] = resource
                added += 1
        coverage.append(_covers(collector, _status(failed=failed, gaps=gaps), added, tuple(gaps)))
    return Parsed(found, tuple(coverage))


def _run(collector: Collector, captures: Captures) -> tuple[list[Resource], list[Gap], bool]:
    resources: list[Resource] = []
    hides = tuple(kind.name for kind in collector.kinds)
    gaps = list(_denied(collector, captures, hides))
    try:
        for item in collector.parse(captures):
            if isinstance(item, Gap):
                gaps.append(item)
            else:
                resources.append(item)
    except UnavailableError as error:
        reason = f"{error.source} could not be read ({error.status}) {error.detail}".strip()
        return resources, [*gaps, Gap(collector.name, Status(error.status), reason, hides)], not resources
    except ParseError as error:
        reason = f"{error.source} {f'line {error.line} ' if error.line else ''}is malformed: {error.why}"
        return resources, [*gaps, Gap(collector.name, Status.FAILED, reason, hides)], not resources
    except (ValueError, TypeError, LookupError, ArithmeticError, RecursionError) as error:
        # A fault of the parser that a host's bytes have found: its facts are not known, and all others stand.
        reason = f"its parser failed: {type(error).__name__}; please report it"
        return resources, [*gaps, Gap(collector.name, Status.FAILED, reason, hides)], not resources
    return resources, gaps, False


def _denied(collector: Collector, captures: Captures, hides: tuple[str, ...]) -> Iterator[Gap]:
    """A directory that could not be entered may hold anything that the collector speaks of: its parser never sees
    what a glob would have found there."""
    for source in collector.sources:
        for member in captures[source].members if isinstance(source, Glob) else ():
            if member.status is Status.FORBIDDEN and not member.mode:
                path = encode_name(member.path)
                yield Gap(collector.name, Status.FORBIDDEN, f"{path} could not be entered", hides)


def _twice(collector: Collector, resource: Resource) -> Gap:
    reason = f"two things answer to {resource.kind} {resource.key}; the second was left out"
    return Gap(collector.name, Status.FAILED, reason, (f"{resource.kind}:{resource.key}",))


def _status(*, failed: bool, gaps: Sequence[Gap]) -> CollectorStatus:
    if failed:
        return CollectorStatus.FAILED
    return CollectorStatus.PARTIAL if gaps else CollectorStatus.COMPLETE


def _covers(
    collector: Collector, status: CollectorStatus, resources: int = 0, gaps: Iterable[Gap] = ()
) -> CollectorCoverage:
    names = tuple(kind.name for kind in collector.kinds)
    since = tuple(sorted(collector.since.items()))
    return CollectorCoverage(collector.name, collector.version, names, status, resources, tuple(gaps), since)
