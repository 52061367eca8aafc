"""The present, as a time and as reports and manifests write it."""

from datetime import UTC, datetime

from driftscan.model.times import text_of


def clock() -> datetime:
    """The time now."""
    return datetime.now(UTC)


def now() -> str:
    """UTC, RFC 3339, seconds."""
    return text_of(clock())
