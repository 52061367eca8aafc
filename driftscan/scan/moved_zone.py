"""A host whose time zone was changed: programs write the time of the new one from then on, and what they wrote before
stays as it is."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo

_AHEAD = timedelta(minutes=5)
"""By so much what a log tells may be ahead of the time at which the clock was asked."""


@dataclass(frozen=True, slots=True)
class MovedZone(tzinfo):
    """`old` until `at`, `new` from then on; `now` is the host's present (both UTC). Where a clock that was put back
    shows the same hours twice, the later time is meant."""

    old: tzinfo
    new: tzinfo
    at: datetime
    now: datetime

    def utcoffset(self, dt: datetime | None) -> timedelta | None:
        """Of the zone in which a time of the host's clock was written."""
        if dt is None:
            return None
        plain = dt.replace(tzinfo=None)
        later = plain.replace(tzinfo=self.new).astimezone(UTC)
        earlier = plain.replace(tzinfo=self.old).astimezone(UTC)
        meant = self.old if earlier < self.at and not self.at <= later <= self.now + _AHEAD else self.new
        return plain.replace(tzinfo=meant).utcoffset()

    def dst(self, dt: datetime | None) -> timedelta | None:
        """Not known."""
        return None

    def tzname(self, dt: datetime | None) -> str | None:
        """Both."""
        return f"{self.old}, then {self.new}"
