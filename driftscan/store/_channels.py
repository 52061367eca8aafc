"""Who is to be told of events, and up to which event each was."""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, select, update

from driftscan.model.event import Event
from driftscan.store._outbox import as_event
from driftscan.store._schema import channel, event

EXPIRES = timedelta(hours=72)
TRIES = 3
"""An event that could not be delivered for so long, and so often, is dropped, and that is said. Scans may be seldom,
and clocks wrong: neither alone drops anything."""
CLAIMED = timedelta(minutes=10)
"""Who began to deliver so long ago has died meanwhile."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """What a channel is to be told now. Nobody else tells it meanwhile. `attempts`: how often that failed in a row,
    `error`: how last; `expired`: how many events were too old."""

    channel: str
    events: tuple[Event, ...]
    expired: int
    attempts: int
    error: str
    last: int
    claim: str


def claim(connection: Connection, name: str, now: str) -> Pending | None:
    """What a channel is to be told; None: nothing, or somebody else is at it. `now`: UTC, RFC 3339."""
    row = connection.execute(select(channel).where(channel.c.name == name)).one_or_none()
    if row is None or (row.claim and _is_fresh(row.claimed_at, now)):
        return None
    rows = connection.execute(select(event).where(event.c.number > row.told).order_by(event.c.number)).all()
    if not rows:
        return None
    token = secrets.token_hex(8)
    connection.execute(update(channel).where(channel.c.name == name).values(claim=token, claimed_at=now))
    oldest = datetime.fromisoformat(now) - EXPIRES
    tired = row.attempts >= TRIES
    events = tuple(as_event(each) for each in rows if not tired or datetime.fromisoformat(each.at) >= oldest)
    return Pending(
        channel=name,
        events=events,
        expired=len(rows) - len(events),
        attempts=row.attempts,
        error=row.error,
        last=rows[-1].number,
        claim=token,
    )


def settle(connection: Connection, pending: Pending, error: str = "") -> None:
    """It was told, or could not be: then the next run tries again."""
    mine = (channel.c.name == pending.channel, channel.c.claim == pending.claim)
    if error:
        values = {"attempts": pending.attempts + 1, "error": error}
    else:
        values = {"attempts": 0, "error": "", "told": pending.last}
    connection.execute(update(channel).where(*mine).values(claim="", claimed_at="", **values))


def _is_fresh(claimed_at: str, now: str) -> bool:
    """A claim of the future was made before the clock was set back."""
    age = datetime.fromisoformat(now) - datetime.fromisoformat(claimed_at)
    return timedelta(0) <= age <= CLAIMED
