"""A patch window: days and times of day at which the servers that a policy is for may be changed in place."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from driftscan.policy.scope import Scope
from driftscan.schema_check import Path, did_you_mean, quoted

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
CLOCK = r"^([01][0-9]|2[0-3]):[0-5][0-9]$|^24:00$"
_DAY = 24 * 60


@dataclass(frozen=True, slots=True)
class Window:
    """`days`: those on which it begins (0: Monday); `begin`, `end`: minutes of the day, the end not within; an end that
    is not after the beginning is on the next day. Clocks of `zone`: where they are set back, the hour that comes twice
    is within both times."""

    days: frozenset[int]
    begin: int
    end: int
    zone: ZoneInfo

    def holds(self, at: str) -> bool:
        """Whether a time (RFC 3339) lies within; one that cannot be read does not."""
        try:
            local = datetime.fromisoformat(at).astimezone(self.zone)
        except (ValueError, OverflowError):
            return False
        today, minute = local.weekday(), local.hour * 60 + local.minute
        if self.begin < self.end:
            return today in self.days and self.begin <= minute < self.end
        yesterday = (today - 1) % 7
        return (today in self.days and minute >= self.begin) or (yesterday in self.days and minute < self.end)

    def __str__(self) -> str:
        """`tue, thu 22:00 to 02:00 Europe/Berlin`."""
        days = "every day" if len(self.days) == len(DAYS) else ", ".join(DAYS[day] for day in sorted(self.days))
        return f"{days} {_shown(self.begin)} to {_shown(self.end)} {self.zone.key}"


def _shown(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"


def compile_windows(scope: Scope, raw: Any, path: Path) -> tuple[Window, ...]:
    """The windows of a policy file: one, or a list of them."""
    several = isinstance(raw, list)
    return tuple(
        window
        for index, each in enumerate(raw if several else [raw])
        for window in _window(scope, each, (*path, index) if several else path)
    )


def _window(scope: Scope, raw: Mapping[str, Any], path: Path) -> Iterator[Window]:
    begin, end = _minutes(raw["from"]), _minutes(raw["to"])
    if begin in {end, _DAY}:
        scope.problem((*path, "to"), 'this window has no length; the whole day is from "00:00" to "24:00"')
    zone = _zone(scope, raw.get("timezone", "UTC"), (*path, "timezone"))
    if zone is not None:
        yield Window(frozenset(DAYS.index(day) for day in raw.get("days", DAYS)), begin, end, zone)


def _minutes(text: str) -> int:
    hours, _, minutes = text.partition(":")
    return int(hours) * 60 + int(minutes)


def _zone(scope: Scope, name: str, path: Path) -> ZoneInfo | None:
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        known = available_timezones()
        scope.problem(path, f"unknown time zone {quoted(name)}{did_you_mean(name, known, all_known=False)}")
        if not known:
            scope.problem(path, "this machine has no list of time zones: `pip install tzdata` brings one")
        return None
