"""From captures to a snapshot: run every collector's parser, and turn what fails into gaps."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache

from driftscan.capture.base import Session, TargetFacts
from driftscan.collectors import files, packages_apk, packages_dpkg
from driftscan.collectors._base import Collector
from driftscan.errors import ParseError, UnavailableError
from driftscan.model.names import encode_name
from driftscan.model.records import Records
from driftscan.model.resource import Kind, Plane, Resource, ResourceId
from driftscan.model.snapshot import (
    CollectorCoverage,
    CollectorStatus,
    FileCoverage,
    ImageRef,
    Resources,
    Snapshot,
)
from driftscan.model.source import Captures, File, Gap, Glob, Source, Status, Tree
from driftscan.plugins import discover
from driftscan.scan.targets import Target

# Asked again after the walk (the size makes it another source): a package manager that ran meanwhile shows there.
DATABASES = tuple(
    (before, File(before.path, before.max_bytes + 1))
    for before in (packages_dpkg.STATUS, packages_apk.LIB, packages_apk.USR_LIB)
)


@cache
def collectors() -> Mapping[str, Collector]:
    """All collectors by name."""
    return discover("driftscan.collectors", "collector", Collector)


@cache
def kinds() -> Mapping[str, Kind]:
    """All kinds by name."""
    return {kind.name: kind for collector in collectors().values() for kind in collector.kinds}


def small_sources(*, live: bool) -> tuple[Source, ...]:
    """The sources of all collectors but the walk, for a running target or a root file system."""
    return tuple(
        dict.fromkeys(
            source
            for collector in collectors().values()
            if live or collector.plane is Plane.IMAGE
            for source in collector.sources
        )
    )


@dataclass(frozen=True, slots=True)
class Parsed:
    """What the collectors made of captures."""

    resources: Mapping[ResourceId, Resource]
    coverage: tuple[CollectorCoverage, ...]


@dataclass(frozen=True, slots=True)
class Walked:
    """What the walk found."""

    records: Records
    coverage: CollectorCoverage
    files: FileCoverage
    torn: tuple[str, ...]


def parse_small(captures: Captures, *, live: bool) -> Parsed:
    """Run all parsers but the walk's."""
    found: dict[ResourceId, Resource] = {}
    coverage = []
    for collector in collectors().values():
        if collector.name == files.NAME:
            continue
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


def walk(session: Session, before: Captures, source: Tree) -> Walked:
    """Walk the tree, and see whether a package manager ran since `before` was captured."""
    captures = session.ask((source, *(after for _, after in DATABASES)))
    source = next(asked for asked in captures if isinstance(asked, Tree))
    torn = tuple(
        f"{after.path} changed while the tree was read"
        for first, after in DATABASES
        if before[first].data != captures[after].data and captures[after].status in (Status.OK, Status.ABSENT)
    )
    collector = collectors()[files.NAME]
    try:
        found = files.table(captures.need(source))
    except (UnavailableError, ParseError) as error:
        gap = Gap(files.NAME, Status.FAILED, f"the tree could not be walked: {error}", ("file",))
        return Walked(Records(), _covers(collector, CollectorStatus.FAILED, 0, (gap,)), FileCoverage(), torn)
    status = _status(failed=False, gaps=found.gaps)
    coverage = _covers(collector, status, len(found.records), found.gaps)
    return Walked(found.records, coverage, found.coverage, torn)


def assemble(target: Target, facts: TargetFacts, parsed: Parsed, walked: Walked, *, settled: bool = True) -> Snapshot:
    """The snapshot."""
    version = parsed.resources.get(("os_version", "-"))
    attributes = version.attributes if version else {}
    return Snapshot(
        host=target.name,
        target=target.spec,
        taken_at=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        resources=Resources(parsed.resources, walked.records),
        coverage=tuple(sorted((*parsed.coverage, walked.coverage), key=lambda coverage: coverage.name)),
        files=walked.files,
        image=ImageRef(str(attributes.get("image_id") or ""), str(attributes.get("image_version") or "")),
        live=facts.live,
        privileged=facts.privileged,
        settled=settled,
        torn=walked.torn,
        probe_digest=facts.probe_digest,
        boot_id=facts.boot_id,
    )


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
    return CollectorCoverage(collector.name, collector.version, names, status, resources, tuple(gaps))
