"""When mutations happened, as a drawing: causes below each other, time to the right. Times are what hosts' logs say, so
what has none, or one that cannot be, stands apart."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from driftscan.model.finding import Severity, State
from driftscan.reports._page.items import Happening, Row

SPANS = (
    (timedelta(hours=1), timedelta(minutes=10), "%H:%M"),
    (timedelta(hours=6), timedelta(hours=1), "%H:%M"),
    (timedelta(days=1), timedelta(hours=4), "%H:%M"),
    (timedelta(days=7), timedelta(days=1), "%d %b"),
    (timedelta(days=30), timedelta(days=5), "%d %b"),
    (timedelta(days=90), timedelta(days=15), "%d %b"),
    (timedelta(days=365), timedelta(days=61), "%d %b"),
    (timedelta(days=365 * 5), timedelta(days=365), "%Y"),
)
"""How long a time is drawn, the distance of its ticks, and how they are written."""
ENOUGH = 0.85
"""The share of events that the drawn time must hold; older ones stand before it."""
LEFT, WIDTH, LANE, TOP, FOOT = 200, 700, 34, 30, 26
EARLIER, UNKNOWN = 60, 120
"""Widths of the columns for what is older, and for what has no time."""
STEPS = 28
"""Places along the time: of one cause, what falls on one is drawn as one dot."""


@dataclass(frozen=True, slots=True)
class Dot:
    """What befell hosts at about one time, of one cause."""

    happenings: tuple[Happening, ...]
    """The worst first."""
    x: float
    y: float
    radius: float
    rows: tuple[Row, ...]
    at: str
    """The first of their times; empty if there is none that can be."""

    @property
    def severity(self) -> Severity:
        """The worst, as policy has it."""
        return self.happenings[0].severity

    @property
    def number(self) -> str:
        """How many hosts, as it fits into the dot; empty for one."""
        hosts = len(self.rows)
        return "" if hosts == 1 else str(hosts) if hosts < 1000 else f"{hosts / 1000:.2g}k" if hosts < 99_500 else "≥"


@dataclass(frozen=True, slots=True)
class Lane:
    """A cause."""

    cause: str
    y: float
    dots: tuple[Dot, ...]


@dataclass(frozen=True, slots=True)
class Timeline:
    """The drawing, in units of its view box."""

    lanes: tuple[Lane, ...]
    ticks: tuple[tuple[float, str], ...]
    begins: str
    ends: str
    earlier: int
    """How many events are older than what is drawn."""
    unknown: int
    """How many have no time."""
    height: float
    width: float = LEFT + EARLIER + WIDTH + UNKNOWN + 30
    left: float = LEFT
    begin: float = LEFT + EARLIER
    end: float = LEFT + EARLIER + WIDTH
    top: float = TOP

    @property
    def bottom(self) -> float:
        """Where the lanes end."""
        return self.height - FOOT

    @property
    def events(self) -> list[tuple[Dot, Lane]]:
        """The dots in the order of their times; those without one last."""
        found = [(dot, lane) for lane in self.lanes for dot in lane.dots]
        return sorted(found, key=lambda pair: (not pair[0].at, pair[0].at, pair[0].happenings[0].number))


@dataclass(frozen=True, slots=True)
class _Event:
    happening: Happening
    row: Row
    at: datetime | None
    written: str


def draw(happenings: Iterable[Happening], finished_at: str) -> Timeline | None:
    """Of the open mutations; None where there is none."""
    end = moment(finished_at) or datetime(2100, 1, 1, tzinfo=UTC)
    events = [
        _event(happening, row, judged.mutation.attribution.at, end)
        for happening in happenings
        for row, judged in happening.sightings
        if judged.state is State.OPEN
    ]
    if not events:
        return None
    span, step, form = _span(events, end)
    lanes = []
    causes: dict[str, list[_Event]] = {}
    for event in events:
        causes.setdefault(event.happening.mutation.cause.type.value, []).append(event)
    ordered = sorted(
        causes.items(), key=lambda each: (-max(e.happening.severity for e in each[1]), -len(each[1]), each[0])
    )
    for index, (cause, found) in enumerate(ordered):
        y = TOP + LANE * index + LANE / 2
        lanes.append(Lane(cause, y, tuple(_dots(found, y, end, span))))
    return Timeline(
        lanes=tuple(lanes),
        ticks=tuple(_ticks(end, span, step, form)),
        begins=_minutes(end - span),
        ends=_minutes(end),
        earlier=sum(event.at is not None and event.at < end - span for event in events),
        unknown=sum(event.at is None for event in events),
        height=TOP + LANE * len(lanes) + FOOT,
    )


def moment(text: str | None) -> datetime | None:
    """An RFC 3339 time in UTC with seconds; None for anything else."""
    if not text or len(text) > 40 or not text.endswith("Z"):
        return None
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _event(happening: Happening, row: Row, at: str | None, end: datetime) -> _Event:
    when = moment(at)
    possible = when is not None and datetime(1990, 1, 1, tzinfo=UTC) < when <= end + timedelta(minutes=10)
    return _Event(happening, row, when if possible else None, at or "")


def _span(events: list[_Event], end: datetime) -> tuple[timedelta, timedelta, str]:
    ages = sorted(end - event.at for event in events if event.at is not None)
    if not ages:
        return SPANS[2]
    wanted = ages[max(0, min(len(ages) - 1, round(len(ages) * ENOUGH + 0.5) - 1))]
    return next((each for each in SPANS if each[0] >= wanted), SPANS[-1])


def _dots(events: list[_Event], y: float, end: datetime, span: timedelta) -> Iterable[Dot]:
    places: dict[int, list[_Event]] = {}
    for event in events:
        places.setdefault(_step(event.at, end, span), []).append(event)
    for step, found in sorted(places.items()):
        written = min((event.written for event in found if event.at is not None), default="")
        happenings = {event.happening.number: event.happening for event in found}
        worst = sorted(happenings.values(), key=lambda each: (-each.severity, each.number))
        rows = tuple({event.row.number: event.row for event in found}.values())
        yield Dot(tuple(worst), _x(step), y, min(5 + len(rows) ** 0.5 * 1.1, 12), rows, written)


def _step(at: datetime | None, end: datetime, span: timedelta) -> int:
    """-1: older than what is drawn; STEPS + 1: not known."""
    if at is None:
        return STEPS + 1
    return max(-1, min(STEPS, int((at - (end - span)) / span * STEPS) if at >= end - span else -1))


def _x(step: int) -> float:
    if step < 0:
        return LEFT + EARLIER / 2
    if step > STEPS:
        return LEFT + EARLIER + WIDTH + 40
    return LEFT + EARLIER + WIDTH * min(step + 0.5, STEPS) / STEPS


def _ticks(end: datetime, span: timedelta, step: timedelta, form: str) -> Iterable[tuple[float, str]]:
    begin = end - span
    zero = datetime(begin.year, 1, 1, tzinfo=UTC)
    tick = zero + step * -(-(begin - zero) // step)
    while tick <= end:
        yield LEFT + EARLIER + WIDTH * ((tick - begin) / span), tick.strftime(form)
        tick += step


def _minutes(time: datetime) -> str:
    return time.strftime("%Y-%m-%d %H:%M")
