"""The result of a scan, as reports, the store and exit codes read it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from driftscan.model.advisory import AdvisoryUse, ImagePatching
from driftscan.model.drift import Accounting, Change, Difference
from driftscan.model.finding import JudgedControl, JudgedMutation, Recommendation, Result, Severity, State, Verdict
from driftscan.model.snapshot import CollectorCoverage, FileCoverage
from driftscan.model.trend import Overview
from driftscan.model.waiver import Waiver, WaiverState


class ImageMatch(StrEnum):
    """How the manifest of a host was found."""

    GIVEN = "given"
    INVENTORY = "inventory"
    CLOUD = "cloud"
    OS_RELEASE = "os-release"
    UNKNOWN = "unknown"
    STAND_IN = "stand-in"


NOT_COMPARED = (
    "no manifest was given, and this target has no package database that could stand in for one: nothing was compared; "
    "only controls were checked. Bake a manifest from the image."
)
"""The note of a host that was compared with nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HostImage:
    """The image that a host was judged against."""

    id: str = ""
    version: str = ""
    manifest_digest: str = ""
    match: ImageMatch = ImageMatch.UNKNOWN


class Mode(StrEnum):
    """How much of the files' content a scan reads."""

    FULL = "full"
    QUICK = "quick"
    MIXED = "mixed"
    """Of a whole scan: some hosts so, some so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """How much of a host's files was read. `probability`: that of a file whose metadata was forged to be read in this
    scan; `within`: how many scans read every file (1: this one has). `since`: when every file was read for the last
    time; UTC, RFC 3339; empty if it never was."""

    mode: Mode = Mode.FULL
    probability: float = 1.0
    within: int = 1
    since: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class HostErrorRecord:
    """Why a host, or a part of it, was not scanned."""

    kind: str
    message: str
    hint: str = ""


@dataclass(frozen=True, slots=True)
class PolicyUse:
    """A policy that judged: its id, version, file, and a digest of what it says with its parameters set."""

    name: str
    version: int
    digest: str
    file: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolved:
    """A finding that earlier scans of a host knew and this one would have seen. `why`: `gone`, `image` (it is judged
    against another image), `host-gone`."""

    id: str
    title: str
    severity: Severity
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Since:
    """This scan of a host beside those that the store knew before it: ids of findings that are new (or came back) and
    of those of which severity, action, state or title are others; and what is no longer there."""

    new: tuple[str, ...] = ()
    updated: tuple[str, ...] = ()
    resolved: tuple[Resolved, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class HostResult:
    """All we know of one host after one scan."""

    host: str
    target: str
    verdict: Verdict
    recommendation: Recommendation
    image: HostImage = HostImage()
    labels: Mapping[str, str] = field(default_factory=dict)
    origin: str = ""
    """Where the inventory has it, `file:line`; empty: the command line named it."""
    accounting: Accounting = Accounting()
    mutations: tuple[JudgedMutation, ...] = ()
    controls: tuple[JudgedControl, ...] = ()
    allowed: tuple[Difference, ...] = ()
    """What zones accept: counted in `accounting`, listed on demand."""
    coverage: tuple[CollectorCoverage, ...] = ()
    files: FileCoverage = FileCoverage()
    reading: Reading = Reading()
    torn: tuple[str, ...] = ()
    not_baselined: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    """What a person should know about the scan itself (weak baseline, no root)."""
    errors: tuple[HostErrorRecord, ...] = ()
    timings: Mapping[str, int] = field(default_factory=dict)
    """Phase -> milliseconds."""
    since: Since | None = None
    """None: no store knew the host before, or it was not asked."""

    @property
    def whole(self) -> bool:
        """Whether the host was scanned, and wholly so; settling and gone hosts do not count as missed. A host with
        findings can be not whole, too, which its verdict does not say: then a torn snapshot, an error, or something
        that a gap hides tells."""
        if self.verdict in {Verdict.UNREACHABLE, Verdict.INCOMPLETE}:
            return False
        if self.verdict is not Verdict.FINDINGS:
            return True
        hidden = any(item.change is Change.UNKNOWN for judged in self.mutations for item in judged.mutation.differences)
        undecided = any(judged.result is Result.UNKNOWN for judged in self.controls)
        return not (self.errors or self.torn or hidden or undecided)

    @property
    def counts(self) -> bool:
        """Whether its findings count: those of settling and gone hosts are listed alone."""
        return self.verdict not in {Verdict.SETTLING, Verdict.GONE}

    def open_severities(self) -> tuple[Severity, ...]:
        """The severities of all open findings."""
        return tuple(
            [judged.severity for judged in self.mutations if judged.state is State.OPEN]
            + [judged.severity for judged in self.controls if judged.result == "fail" and judged.state is State.OPEN]
        )


@dataclass(frozen=True, slots=True, kw_only=True, weakref_slot=True)
class ScanResult:
    """One scan of a fleet; hosts in the inventory's order."""

    id: str
    started_at: str
    finished_at: str
    mode: str
    hosts: tuple[HostResult, ...]
    waivers: tuple[tuple[Waiver, WaiverState], ...] = ()
    """Those that were given, with their state."""
    patching: tuple[ImagePatching, ...] = ()
    """What hosts lack, by image; empty where no advisories were given, or none affects them."""
    interrupted: bool = False
    by: str = ""
    """Who ran the scan: `user@machine`, of sudo `user as root@machine`."""
    policies: tuple[PolicyUse, ...] = ()
    """Those that were loaded, by name."""
    advisories: tuple[AdvisoryUse, ...] = ()
    """Those that were given, in that order."""
    probe_digest: str = ""
    """`sha256:` of the program that asks hosts."""
    trends: Overview | None = None
    """How drift moved until this scan, as its store knew then; None: it was kept in none, or is the first there."""
