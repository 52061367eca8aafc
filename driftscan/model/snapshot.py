"""A snapshot: all resources of one target at one time, with coverage and gaps. A manifest's body is the same."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property

from driftscan.model.records import Records
from driftscan.model.resource import Resource, ResourceId
from driftscan.model.source import Gap
from driftscan.model.zone import Zone


class CollectorStatus(StrEnum):
    """How far a collector got."""

    COMPLETE = "complete"
    PARTIAL = "partial"
    FAILED = "failed"
    NOT_APPLICABLE = "not_applicable"


@dataclass(frozen=True, slots=True)
class CollectorCoverage:
    """What one collector saw: its parser's version, the kinds it speaks of, how many resources, which gaps. `since`:
    patterns of what it tells only from a version on, with that version."""

    name: str
    version: int
    kinds: tuple[str, ...]
    status: CollectorStatus
    resources: int = 0
    gaps: tuple[Gap, ...] = ()
    since: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True)
class FileCoverage:
    """Counts of the walk: entries seen, files hashed, files of which metadata alone was read, unreadable, excluded by
    rule, changed while read, over a limit (a hole of 64 GiB), and hidden beneath a mount (paths of the manifest,
    counted by the comparer)."""

    seen: int = 0
    hashed: int = 0
    stat_only: int = 0
    unreadable: int = 0
    excluded: int = 0
    raced: int = 0
    over_limit: int = 0
    hidden: int = 0


@dataclass(frozen=True, slots=True)
class ImageRef:
    """Which image: id and version as a cloud or os-release names them. Empty: not known."""

    id: str = ""
    version: str = ""


@dataclass(frozen=True)
class Resources:
    """Everything found: small kinds as values, files as records."""

    small: Mapping[ResourceId, Resource] = field(default_factory=dict)
    files: Records = field(default_factory=Records)

    @cached_property
    def by_kind(self) -> Mapping[str, Mapping[ResourceId, Resource]]:
        """The small ones by their kind."""
        found: dict[str, dict[ResourceId, Resource]] = {}
        for rid, resource in self.small.items():
            found.setdefault(rid[0], {})[rid] = resource
        return found

    def of(self, kind: str) -> Iterator[Resource]:
        """The resources of a kind, by key."""
        if kind == "file":
            for _, line, observed in self.files.rows():
                yield self.files.decode(line, observed)
        else:
            of_kind = self.by_kind.get(kind, {})
            yield from (of_kind[rid] for rid in sorted(of_kind))

    def get(self, kind: str, key: str) -> Resource | None:
        """One resource, or None where the target has none (whether that is known, coverage says)."""
        return self.files.resource(key) if kind == "file" else self.small.get((kind, key))

    def kinds(self) -> frozenset[str]:
        """The kinds of which there is at least one."""
        return frozenset(rid[0] for rid in self.small) | ({"file"} if len(self.files) else frozenset())


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """One target at one time."""

    host: str
    target: str
    taken_at: str
    """UTC, RFC 3339, seconds."""
    resources: Resources
    coverage: tuple[CollectorCoverage, ...]
    files: FileCoverage = FileCoverage()
    image: ImageRef = ImageRef()
    live: bool = True
    """False: from an unpacked root file system, which has no runtime plane."""
    privileged: bool = True
    settled: bool = True
    """False: first boot has not finished."""
    torn: tuple[str, ...] = ()
    """Why the snapshot mixes two states (a package manager ran, files changed while read); empty: it does not."""
    probe_digest: str = ""
    boot_id: str = ""
    source_digests: Mapping[str, str] = field(default_factory=dict)
    """Source (as text) -> digest of the answer: equal ones need no second look."""
    texts: Mapping[str, str] = field(default_factory=dict)
    """Path -> text of small non-secret files under /etc, secrets redacted on the target."""
    package_files: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Package key -> paths that its package database lists: whose file it was, also when the package is gone."""
    declared: tuple[Zone, ...] = ()
    """What the target itself says may change (tmpfiles.d, unit files, ...): statements, which `bake` judges."""

    @property
    def gaps(self) -> tuple[Gap, ...]:
        """All gaps of all collectors."""
        return tuple(gap for coverage in self.coverage for gap in coverage.gaps)

    @property
    def covered_kinds(self) -> frozenset[str]:
        """Kinds that a collector which ran speaks of."""
        return frozenset(
            kind
            for coverage in self.coverage
            if coverage.status is not CollectorStatus.FAILED
            for kind in coverage.kinds
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """One boot that a manifest was baked from: the values by which that very machine can be told (machine-id,
    host keys), as `kind:key` -> digest, so that a host that carries them is either it or an impostor."""

    host: str
    taken_at: str
    identities: Mapping[str, str] = field(default_factory=dict)
