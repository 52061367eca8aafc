"""What the store answers with."""

from dataclasses import dataclass, fields
from typing import Any, TypeVar

from sqlalchemy import Row

AnyOf = TypeVar("AnyOf", bound="ScanRow | HostRow | FindingRow")


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanRow:
    """One stored scan. Times are UTC, RFC 3339; `report` is the digest of its JSON report."""

    id: str
    started_at: str
    finished_at: str
    mode: str
    interrupted: bool
    report: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HostRow:
    """One host in one scan."""

    scan: str
    started_at: str
    host: str
    target: str
    verdict: str
    action: str
    image_id: str
    image_version: str
    manifest_digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LastRow(HostRow):
    """One host in the newest scan that reached it; `report` is the digest of the scan's JSON report."""

    report: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingRow:
    """One finding of one host in one scan. `first_seen` and `last_seen` span all scans of that host in which the
    finding occurred; `report` is the digest of the scan's JSON report."""

    fingerprint: str
    scan: str
    started_at: str
    host: str
    type: str
    """`mutation` or `control`."""
    severity: str
    action: str
    state: str
    title: str
    first_seen: str
    last_seen: str
    report: str


def as_row(kind: type[AnyOf], row: Row[Any]) -> AnyOf:
    """The columns that a kind of answer has."""
    known = row._mapping  # noqa: SLF001 - SQLAlchemy's documented name for a row by column
    return kind(**{field.name: known[field.name] for field in fields(kind)})
