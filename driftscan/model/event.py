"""Events: what changed between scans, each told once."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from driftscan.model.finding import Action, Severity


class EventKind(StrEnum):
    """The published list (docs/alerts.md)."""

    ADOPTED = "adopted"
    """The first scan of a store: one event instead of one for each finding."""
    NEW = "new"
    RETURNED = "returned"
    """It had been resolved."""
    WORSENED = "worsened"
    """Its severity or recommendation rose, or it is accepted no more."""
    RESOLVED = "resolved"
    WAIVER_EXPIRING = "waiver-expiring"
    WAIVER_EXPIRED = "waiver-expired"
    COVERAGE_LOST = "coverage-lost"
    """A host is not, or not wholly, scanned any more."""
    COVERAGE_RESTORED = "coverage-restored"
    SILENT = "silent"
    """A host did not answer, or was missing, in several scans in a row."""
    ANSWERS = "answers"
    """A host that was silent was reached."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One change. `at` is when the scan began that saw it; UTC, RFC 3339. `host` is empty for what is of no host (a
    waiver, a whole store), `subject` is a finding's id, or what a waiver accepts, or empty. `detail`: why, in words."""

    kind: EventKind
    at: str
    host: str = ""
    subject: str = ""
    title: str = ""
    severity: Severity = Severity.MEDIUM
    action: Action = Action.NONE
    detail: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
