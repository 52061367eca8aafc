"""A scan that is not kept yet beside what is known: which of its findings are new, and which are no longer there."""

from collections import defaultdict

from sqlalchemy import Connection

from driftscan.model.finding import Result, Severity
from driftscan.model.result import HostResult, Resolved, ScanResult, Since
from driftscan.store._findings import Move, changes_of, known_hosts
from driftscan.store._write import storable

_SAID = ("severity", "action", "state", "title")
"""Columns by which a finding that stayed is another one."""


def since_known(connection: Connection, result: ScanResult) -> dict[str, Since]:
    """By name, what is to be said of hosts that an earlier scan reached."""
    moves: dict[str, list[Move]] = defaultdict(list)
    for move in changes_of(connection, result).moves:
        moves[move.host.host].append(move)
    known = known_hosts(connection, [storable(each.host) for each in result.hosts])
    return {each.host: _since(each, moves[each.host]) for each in result.hosts if storable(each.host) in known}


def _since(host: HostResult, moves: list[Move]) -> Since:
    there = {each.mutation.id for each in host.mutations}
    there |= {each.finding for each in host.controls if each.result is Result.FAIL}
    new, updated, resolved = [], [], []
    for move in moves:
        before, now = move.before, move.now
        name = now["fingerprint"]
        if before is None or before.resolved_at is not None:
            new.append(name)
        elif now["resolved_at"] is not None and name not in there:
            severity = Severity.parse(before.severity)
            resolved.append(Resolved(id=name, title=before.title, severity=severity, why=now["resolved_why"]))
        elif any(getattr(before, column) != now[column] for column in _SAID):
            updated.append(name)
    resolved.sort(key=lambda each: (-each.severity, each.id))
    return Since(new=tuple(sorted(new)), updated=tuple(sorted(updated)), resolved=tuple(resolved))
