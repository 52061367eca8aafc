"""What is news: from what was known and what a scan says now to kinds of events. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum

from driftscan.model.event import EventKind
from driftscan.model.finding import Action, Severity

SILENT_AFTER = 3
"""Scans in a row that a host did not answer in."""


@dataclass(frozen=True, slots=True)
class Standing:
    """A finding of a host as far as news goes. `there`: not resolved; `open`: neither waived nor allowed."""

    there: bool
    open: bool
    severity: Severity
    action: Action


def finding_news(before: Standing | None, now: Standing) -> EventKind | None:
    """What to tell of a finding; of one that is accepted, nothing."""
    if not now.open:
        return None
    if before is None or not before.there:
        if not now.there:
            return None
        return EventKind.NEW if before is None else EventKind.RETURNED
    if not now.there:
        return EventKind.RESOLVED
    worse = now.severity > before.severity or now.action > before.action
    return EventKind.WORSENED if worse or not before.open else None


class Look(StrEnum):
    """What a scan saw of a host."""

    WHOLE = "whole"
    PART = "part"
    NOTHING = "nothing"
    """It did not answer."""
    ABSENT = "absent"
    """The same scan had it before; now it is not among the targets."""


@dataclass(frozen=True, slots=True)
class Watch:
    """What was told of a host's coverage: whether it was reached, and wholly scanned. `missed`: scans in a row without
    an answer."""

    whole: bool = True
    reached: bool = True
    missed: int = 0
    silent: bool = False

    @property
    def level(self) -> int:
        """How much is known of it."""
        return self.whole + self.reached


def host_news(before: Watch, look: Look, silent_after: int = SILENT_AFTER) -> tuple[Watch, tuple[EventKind, ...]]:
    """What to tell of a host, and what is known of it then. A host that was never seen begins as `Watch()`: that it was
    not scanned is told at once."""
    if look in {Look.NOTHING, Look.ABSENT}:
        asked = look is Look.NOTHING
        missed = before.missed + 1
        now = Watch(
            whole=before.whole and not asked,
            reached=before.reached and not asked,
            missed=missed,
            silent=before.silent or missed >= silent_after,
        )
    else:
        now = Watch(whole=look is Look.WHOLE)
    return now, tuple(_differing(before, now))


def known(look: Look) -> Watch:
    """A host that was known before anything was told of it: as it is now, without news."""
    now, _ = host_news(Watch(), look)
    return replace(now, silent=False)


def _differing(before: Watch, now: Watch) -> Iterator[EventKind]:
    if now.level < before.level:
        yield EventKind.COVERAGE_LOST
    if now.silent and not before.silent:
        yield EventKind.SILENT
    if before.silent and not now.silent:
        yield EventKind.ANSWERS
    if now.level > before.level:
        yield EventKind.COVERAGE_RESTORED
