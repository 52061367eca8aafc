"""Times: nanoseconds since 1970, as files and logs have them, and RFC 3339 in UTC, as reports write them."""

from datetime import UTC, datetime

SECOND = 1_000_000_000
"""Nanoseconds."""


def utc(time: int) -> str:
    """Nanoseconds as RFC 3339; empty for a time that no calendar has."""
    try:
        return datetime.fromtimestamp(time // SECOND, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (ValueError, OverflowError, OSError):
        return ""


def nanoseconds(time: str) -> int:
    """The other way; 0 if it is none."""
    try:
        return int(datetime.fromisoformat(time).timestamp()) * SECOND
    except (ValueError, OverflowError):
        return 0


def text_of(time: datetime) -> str:
    """A time as RFC 3339 in UTC."""
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
