"""How drift moves: how much was there when, how long it stays, what it comes from, who makes it."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import accumulate
from statistics import median

from driftscan.model.times import text_of

HAND = "by nobody known"
"""The actor of what no log tells."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spell:
    """From when until when a host had an open finding, and what is known of both. Times are RFC 3339; `resolved_at`
    None: it is still there."""

    host: str
    fingerprint: str
    opened_at: str
    resolved_at: str | None
    cause: str
    actor: str
    image: str = ""
    groups: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One host, group, image, cause or actor. `series`: how many findings were there at the end of each span."""

    name: str
    opened: int
    resolved: int
    open: int
    series: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trend:
    """What happened from `since` until `until`. `median` and `p90`: seconds for which those findings were there that
    were resolved in that time; None: none was. `oldest`: seconds since the oldest that is there began."""

    since: str
    until: str
    total: Line
    lines: tuple[Line, ...]
    causes: tuple[tuple[str, int], ...]
    """What began in that time, by cause, the most first."""
    actors: tuple[tuple[str, int], ...]
    """The same by who did it; what no log tells is not among them."""
    median: int | None
    p90: int | None
    oldest: int | None


BY: dict[str, Callable[[Spell], tuple[str, ...]]] = {
    "host": lambda spell: (spell.host,),
    "group": lambda spell: spell.groups,
    "image": lambda spell: (spell.image or "unknown",),
    "cause": lambda spell: (spell.cause or "unknown",),
    "actor": lambda spell: (spell.actor or HAND,),
}


def trend(spells: Iterable[Spell], since: datetime, until: datetime, by: str, spans: int) -> Trend:
    """From the findings that were there at any time from `since` until `until`, which must be later."""
    clock = _Clock(since, until, spans)
    total = _Tally(clock)
    tallies: dict[str, _Tally] = defaultdict(lambda: _Tally(clock))
    causes: Counter[str] = Counter()
    actors: Counter[str] = Counter()
    durations: list[int] = []
    oldest: int | None = None
    for spell in spells:
        began = _time(spell.opened_at)
        ended = _time(spell.resolved_at) if spell.resolved_at else None
        total.add(began, ended)
        for name in BY[by](spell):
            tallies[name].add(began, ended)
        if began >= since:
            causes[spell.cause] += 1
            actors.update([spell.actor] if spell.actor else [])
        if ended is None:
            age = max(0, int((until - began).total_seconds()))
            oldest = age if oldest is None else max(oldest, age)
        elif ended >= since:
            durations.append(max(0, int((ended - began).total_seconds())))
    lines = sorted((tally.line(name) for name, tally in tallies.items()), key=_most_first)
    return Trend(
        since=text_of(since),
        until=text_of(until),
        total=total.line("all"),
        lines=tuple(lines),
        causes=_ranked(causes),
        actors=_ranked(actors),
        median=int(median(durations)) if durations else None,
        p90=_percentile(durations, 90),
        oldest=oldest,
    )


class _Clock:
    def __init__(self, since: datetime, until: datetime, spans: int) -> None:
        self.since = since
        self.spans = spans
        self._span = (until - since) / spans

    def span(self, time: datetime) -> int:
        """The first span at whose end a time has passed."""
        if time <= self.since:
            return 0
        whole, rest = divmod(time - self.since, self._span)
        return whole if rest > timedelta(0) else whole - 1


class _Tally:
    def __init__(self, clock: _Clock) -> None:
        self._clock = clock
        self._steps = [0] * (clock.spans + 1)
        self._opened = self._resolved = self._open = 0

    def add(self, began: datetime, ended: datetime | None) -> None:
        since = self._clock.since
        self._opened += began >= since
        self._resolved += ended is not None and ended >= since
        self._open += ended is None
        first = min(self._clock.span(began), self._clock.spans)
        last = self._clock.spans if ended is None else min(self._clock.span(ended), self._clock.spans)
        self._steps[first] += 1
        self._steps[max(first, last)] -= 1

    def line(self, name: str) -> Line:
        series = tuple(accumulate(self._steps[:-1]))
        return Line(name=name, opened=self._opened, resolved=self._resolved, open=self._open, series=series)


def _most_first(line: Line) -> tuple[int, int, str]:
    return -line.open, -line.opened, line.name


def _ranked(counts: Counter[str]) -> tuple[tuple[str, int], ...]:
    return tuple(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def _percentile(values: Sequence[int], percent: int) -> int | None:
    """The least value that so many percent do not exceed (nearest rank)."""
    if not values:
        return None
    return sorted(values)[-(-len(values) * percent // 100) - 1]


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)
