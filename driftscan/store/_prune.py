"""What is no longer kept: old scans, findings that ended long ago, reports that nothing refers to."""

from dataclasses import dataclass

from sqlalchemy import Connection, delete, func, select

from driftscan.store._schema import episode, finding, host, scan

GRACE = 86_400
"""Seconds for which a report that nothing refers to is kept: the scan that wrote it may be about to be stored."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """A scan is kept that is not older than `since` (RFC 3339) or among the newest `scans`; neither: all are."""

    since: str | None = None
    scans: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pruned:
    """How many scans and findings are gone, and how many reports of how many bytes."""

    scans: int
    findings: int
    reports: int
    size: int


def prune_rows(connection: Connection, retention: Retention) -> tuple[int, int]:
    """How many scans and findings were removed. The newest scan that reached a host is kept for each, and the one that
    last saw a finding which is still there: they can be explained. What is there keeps when it was first seen."""
    horizon = _horizon(connection, retention)
    if horizon is None:
        return 0, 0
    number, at = horizon
    wanted = select(host.c.scan).union(select(finding.c.scan).where(finding.c.resolved_at.is_(None)))
    old = delete(scan).where(scan.c.id.not_in(wanted))
    if number is not None:
        old = old.where(scan.c.number < number)
    if retention.since is not None:
        old = old.where(scan.c.started_at < retention.since)
    scans = connection.execute(old).rowcount
    ended = connection.execute(delete(finding).where(finding.c.resolved_at < at)).rowcount
    connection.execute(delete(episode).where(episode.c.resolved_at < at))
    return scans, ended


def _horizon(connection: Connection, retention: Retention) -> tuple[int | None, str] | None:
    """The number of the oldest scan that is kept for being among the newest, and the time before which findings that
    ended are forgotten; None: everything is kept."""
    if retention.scans is None:
        return (None, retention.since) if retention.since is not None else None
    newest = select(scan.c.number, scan.c.started_at).order_by(scan.c.number.desc()).limit(max(1, retention.scans))
    kept = newest.subquery()
    number, at = connection.execute(select(func.min(kept.c.number), func.min(kept.c.started_at))).one()
    if number is None:
        return None
    return number, min(at, retention.since) if retention.since is not None else at
