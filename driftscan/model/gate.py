"""What the gate found out about a candidate: its changes, what explains them, and the hand fixes of the fleet."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from driftscan.model.declared import Entry
from driftscan.model.drift import Cause, Difference, Uncompared
from driftscan.model.finding import JudgedControl, JudgedMutation
from driftscan.model.resource import Value
from driftscan.model.result import HostImage
from driftscan.model.source import Gap


class Ground(StrEnum):
    """Why a difference is taken to be explained."""

    NAMED = "named"
    """An entry names it."""
    CONTENT = "content"
    """An entry names it and gives its content, which it has."""
    ARCHIVE = "archive"
    """It is of a declared package, and a package archive has it so: content, mode and owner."""
    DATABASE = "database"
    """It is of a declared package, whose database has the MD5 of its content."""
    LISTED = "listed"
    """It came or went with a declared package, which has no digest of such things: links, directories, rows, what is
    gone."""
    GENERATED = "generated"
    """The operation on a declared package wrote it: indexes, caches, the package system's own state."""
    FOLLOWS = "follows"
    """A row of a declared file, or a directory that was made for one."""


@dataclass(frozen=True, slots=True)
class Explained:
    """A difference that a declared entry explains; `origin` is the entry's."""

    difference: Difference
    origin: str
    ground: Ground


UNDECLARED = "not declared"
"""Why a difference is not explained, where no entry has to do with it."""


@dataclass(frozen=True, slots=True)
class Open:
    """A difference that is not explained, and why not."""

    difference: Difference
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageChange:
    """One mutation from image to image, divided: each of its differences that no zone accepts stands in one of the
    three. `unproved`: of a declared package, and nobody could be asked whether its content is the package's."""

    judged: JudgedMutation
    explained: tuple[Explained, ...] = ()
    residual: tuple[Open, ...] = ()
    unproved: tuple[Open, ...] = ()

    @property
    def reasons(self) -> tuple[str, ...]:
        """The entries that explain parts of it, each once, in order."""
        return tuple(dict.fromkeys(each.origin for each in self.explained))


class Fate(StrEnum):
    """What becomes of a hand fix when the candidate replaces the host."""

    CONTAINED = "contained"
    PARTLY = "partly"
    LOST = "lost"
    OTHER = "other"
    """The candidate has neither what the approved image has nor what the host has."""
    UNSEEN = "unseen"
    """The candidate cannot tell: it does not run, or a gap hides it."""


@dataclass(frozen=True, slots=True)
class PartFate:
    """One difference of a hand fix, and what the candidate has of its attributes (none: it lacks the resource)."""

    difference: Difference
    fate: Fate
    found: Mapping[str, Value] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class HandFix:
    """One thing that was done to hosts since they were made from the approved image, with the same content on each."""

    id: str
    title: str
    cause: Cause
    action: str
    """What policy asked for, by its word."""
    actors: tuple[str, ...]
    hosts: tuple[str, ...]
    fate: Fate
    parts: tuple[PartFate, ...]
    build: tuple[str, ...] = ()
    """Lines for the image's build that would carry it over, where such can be given."""


@dataclass(frozen=True, slots=True)
class ScannedHost:
    """A host of the fleet, when it was last scanned (UTC, RFC 3339), and the verdict of that scan."""

    host: str
    scanned_at: str
    verdict: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    """The hosts that the candidate would replace, and what was done to them. `suspicious`: what policy wants
    quarantined, which is nothing to carry over. `by_image`: what all hosts had from their first scan on, so that nobody
    did it by hand."""

    hosts: tuple[ScannedHost, ...] = ()
    never_scanned: tuple[str, ...] = ()
    fixes: tuple[HandFix, ...] = ()
    suspicious: tuple[HandFix, ...] = ()
    by_image: tuple[HandFix, ...] = ()

    def of(self, *fates: Fate) -> tuple[HandFix, ...]:
        """The hand fixes with one of these fates."""
        return tuple(fix for fix in self.fixes if fix.fate in fates)


class GateVerdict(StrEnum):
    """Of the gate."""

    PASSED = "passed"
    FAILED = "failed"
    INCOMPLETE = "incomplete"
    """Nothing speaks against the candidate but that it was not wholly seen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GateResult:
    """All of one run. Differences: raw = zoned + declared + residual + unproved."""

    candidate: str
    image: HostImage
    """Of the approved manifest."""
    approved: str
    """As it was named."""
    started_at: str
    verdict: GateVerdict
    reasons: tuple[str, ...]
    """Why it failed or is incomplete, as sentences."""
    raw: int
    zoned: int
    changes: tuple[ImageChange, ...]
    """Those with a residual first, the worst first."""
    identities: tuple[JudgedMutation, ...]
    controls: tuple[JudgedControl, ...]
    entries: tuple[Entry, ...]
    """All that was declared."""
    unused: tuple[Entry, ...]
    """Of those, what explained nothing."""
    unknown: tuple[Difference, ...]
    uncompared: tuple[Uncompared, ...]
    gaps: tuple[Gap, ...]
    torn: tuple[str, ...]
    notes: tuple[str, ...]
    fleet: Fleet = Fleet()
    sources: Mapping[str, str] = field(default_factory=dict)
    """Key of a package that differs -> the source package that it was built from, where that is known."""

    @property
    def declared(self) -> int:
        """Differences that are explained."""
        return sum(len(change.explained) for change in self.changes)

    @property
    def residual(self) -> int:
        """Differences that are not."""
        return sum(len(change.residual) for change in self.changes)

    @property
    def unproved(self) -> int:
        """Differences of declared packages that could not be checked."""
        return sum(len(change.unproved) for change in self.changes)
