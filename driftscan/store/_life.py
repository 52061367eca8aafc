"""What becomes of one finding of one host from scan to scan."""

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Life:
    """Times are those at which scans began; UTC, RFC 3339. The current episode begins at `opened_at` and ends at
    `resolved_at`: the first scan that would have seen the finding and did not. `returned`: how often it came back."""

    first_seen: str
    last_seen: str
    opened_at: str
    resolved_at: str | None = None
    resolved_why: str = ""
    """`gone`: the host no longer has it; `image`: it is judged against another image; `host-gone`: there is no such
    host any more."""
    returned: int = 0
    returned_at: str | None = None


@dataclass(frozen=True, slots=True)
class Newer:
    """The scan that was stored before one that began earlier: when it began, and whether it saw all of the host."""

    started_at: str
    whole: bool


def seen(before: Life | None, at: str, newer: Newer | None = None) -> Life:
    """After a scan that saw it. `newer`: the scan is late; what it saw is the past, and ends nothing and begins
    nothing anew."""
    if before is None:
        ended = newer.started_at if newer is not None and newer.whole else None
        return Life(at, at, at, ended, "gone" if ended else "")
    if newer is not None:
        opened = min(before.opened_at, at) if not before.returned else before.opened_at
        first, last = min(before.first_seen, at), max(before.last_seen, at)
        ended = before.resolved_at
        if ended is not None and ended < last:  # it was there after all; the newer scan no longer saw it
            ended = newer.started_at
        return replace(before, first_seen=first, last_seen=last, opened_at=opened, resolved_at=ended)
    first = min(before.first_seen, at)
    if before.resolved_at is None:
        return replace(before, first_seen=first, last_seen=at, opened_at=min(before.opened_at, at))
    return Life(first, at, at, returned=before.returned + 1, returned_at=at)


def unseen(before: Life, at: str, why: str) -> Life:
    """After a scan that would have seen it, and did not."""
    if before.resolved_at is not None:
        return before
    return replace(before, resolved_at=max(at, before.last_seen), resolved_why=why)
