"""What the store answers with."""

from collections.abc import Mapping
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
class ScanSummary:
    """One stored scan, and how many hosts had which verdict in it."""

    id: str
    started_at: str
    finished_at: str
    mode: str
    interrupted: bool
    hosts: Mapping[str, int]


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
    """One finding of one host over all scans, and what the last of them said that saw it: its `scan`, when that began,
    and the digest of its JSON report. Both are empty once that scan was pruned."""

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
    cause: str
    """The type of a mutation's cause; `control`."""
    actor: str
    """Who did it, as far as logs tell; else empty."""
    manifest: str
    """The digest of the manifest that the host was judged against."""
    first_seen: str
    last_seen: str
    opened_at: str
    """When what is there now, or was there last, began: `first_seen`, unless it returned."""
    resolved_at: str | None
    """When a scan that would have seen it no longer did; None: it is there, or nobody could see."""
    resolved_why: str
    """`gone`, `image` (judged against another image), `host-gone`."""
    returned: int
    """How often it came back after it had been resolved."""
    returned_at: str | None
    report: str


def as_row(kind: type[AnyOf], row: Row[Any]) -> AnyOf:
    """The columns that a kind of answer has."""
    known = row._mapping  # noqa: SLF001 - SQLAlchemy's documented name for a row by column
    values: dict[str, Any] = {field.name: known[field.name] for field in fields(kind)}
    if kind is FindingRow:  # its scan may be pruned
        values |= {name: values[name] or "" for name in ("started_at", "report")}
    return kind(**values)
