"""How drift moves: how much was there when, how long it stays, what it comes from, who makes it."""

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import accumulate
from statistics import median

from driftscan.model.times import text_of

HAND = "by nobody known"
"""The actor of what no log tells."""
SPANS = 30
"""Parts of the time that is looked at, each a number of a series."""
DAYS = 30
"""How far back is looked unless somebody says otherwise."""
MOST = 8
"""Lines of each ranking of an overview."""
STAYS = (3600, 86400, 7 * 86400, 30 * 86400)
"""Seconds that tell findings apart by how long they stayed."""


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
    """One host, group, image, cause or actor. `hosts`: how many had one of its findings meanwhile; `series`: how many
    findings were there at the end of each span."""

    name: str
    hosts: int
    opened: int
    resolved: int
    open: int
    series: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stay:
    """Findings that were there for less than `under` seconds, and not for less than the one before says; None: for
    longer. `resolved`: those that went meanwhile; `open`: those that are there, as long as they have been."""

    under: int | None
    resolved: int
    open: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Trend:
    """What happened after `since` until `until`. `median` and `p90`: seconds for which those findings were there that
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
    stays: tuple[Stay, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranking:
    """The first lines of one way to divide findings (a name of `BY`); `more`: how many there are besides."""

    by: str
    lines: tuple[Line, ...]
    more: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """The same as `Trend` in every way to divide it, as far as a page shows it."""

    since: str
    until: str
    total: Line
    rankings: tuple[Ranking, ...]
    median: int | None
    p90: int | None
    oldest: int | None
    stays: tuple[Stay, ...]


BY: dict[str, Callable[[Spell], tuple[str, ...]]] = {
    "host": lambda spell: (spell.host,),
    "group": lambda spell: spell.groups,
    "image": lambda spell: (spell.image or "unknown",),
    "cause": lambda spell: (spell.cause or "unknown",),
    "actor": lambda spell: (spell.actor or HAND,),
}


def trend(spells: Iterable[Spell], since: datetime, until: datetime, by: str, spans: int) -> Trend:
    """From the findings that were there at any time from `since` until `until`, which must be later."""
    counted = _Count(_Clock(since, until, spans), (by,))
    for spell in spells:
        counted.add(spell)
    return Trend(
        since=text_of(since),
        until=text_of(until),
        total=counted.total.line("all"),
        lines=tuple(counted.lines(by)),
        causes=_ranked(counted.causes),
        actors=_ranked(counted.actors),
        median=counted.median,
        p90=_percentile(counted.durations, 90),
        oldest=max(counted.ages, default=None),
        stays=counted.stays,
    )


def overview(spells: Iterable[Spell], since: datetime, until: datetime) -> Overview:
    """As `trend`, in every way to divide it. Actors are ranked by what they began, all else by what is there."""
    counted = _Count(_Clock(since, until, SPANS), tuple(BY))
    for spell in spells:
        counted.add(spell)
    return Overview(
        since=text_of(since),
        until=text_of(until),
        total=counted.total.line("all"),
        rankings=tuple(_ranking(by, counted.lines(by)) for by in sorted(BY)),
        median=counted.median,
        p90=_percentile(counted.durations, 90),
        oldest=max(counted.ages, default=None),
        stays=counted.stays,
    )


def _ranking(by: str, lines: list[Line]) -> Ranking:
    if by == "actor":
        lines.sort(key=lambda line: (-line.opened, -line.open, line.name))
    return Ranking(by=by, lines=tuple(lines[:MOST]), more=max(0, len(lines) - MOST))


class _Count:
    """What spells add up to."""

    def __init__(self, clock: "_Clock", ways: Sequence[str]) -> None:
        self.total = _Tally(clock)
        self.causes: Counter[str] = Counter()
        self.actors: Counter[str] = Counter()
        self.durations: list[int] = []
        self.ages: list[int] = []
        self._clock = clock
        self._tallies: dict[str, dict[str, _Tally]] = {by: defaultdict(lambda: _Tally(clock)) for by in ways}

    def add(self, spell: Spell) -> None:
        """Count one."""
        turn = self._clock.turn(spell)
        self.total.add(spell.host, turn)
        for by, tallies in self._tallies.items():
            for name in BY[by](spell):
                tallies[name].add(spell.host, turn)
        if turn.opened:
            self.causes[spell.cause] += 1
            self.actors.update([spell.actor] if spell.actor else [])
        if turn.open:
            self.ages.append(turn.seconds)
        elif turn.resolved:
            self.durations.append(turn.seconds)

    def lines(self, by: str) -> list[Line]:
        """What is there most first."""
        return sorted((tally.line(name) for name, tally in self._tallies[by].items()), key=_most_first)

    @property
    def median(self) -> int | None:
        """Of those that went."""
        return int(median(self.durations)) if self.durations else None

    @property
    def stays(self) -> tuple[Stay, ...]:
        """By how long; none if nothing was there."""
        went = Counter(bisect_right(STAYS, each) for each in self.durations)
        there = Counter(bisect_right(STAYS, each) for each in self.ages)
        if not went and not there:
            return ()
        return tuple(
            Stay(under=under, resolved=went[place], open=there[place]) for place, under in enumerate((*STAYS, None))
        )


@dataclass(frozen=True, slots=True)
class _Turn:
    """A spell as a clock has it: the spans at whose ends it had begun and ended, what of it fell into the time, and how
    long it was."""

    first: int
    last: int
    opened: bool
    resolved: bool
    open: bool
    seconds: int


class _Clock:
    def __init__(self, since: datetime, until: datetime, spans: int) -> None:
        self.since = since
        self.until = until
        self.spans = spans
        self._span = (until - since) / spans

    def turn(self, spell: Spell) -> _Turn:
        """What was there when the time began did not come in it."""
        began = datetime.fromisoformat(spell.opened_at)
        ended = datetime.fromisoformat(spell.resolved_at) if spell.resolved_at else None
        first = min(self.span(began), self.spans)
        last = self.spans if ended is None else min(self.span(ended), self.spans)
        return _Turn(
            first=first,
            last=max(first, last),
            opened=began > self.since,
            resolved=ended is not None and ended > self.since,
            open=ended is None,
            seconds=max(0, int(((ended or self.until) - began).total_seconds())),
        )

    def span(self, time: datetime) -> int:
        """The first span at whose end a time has passed."""
        if time <= self.since:
            return 0
        whole, rest = divmod(time - self.since, self._span)
        return whole if rest > timedelta(0) else whole - 1


class _Tally:
    def __init__(self, clock: _Clock) -> None:
        self._steps = [0] * (clock.spans + 1)
        self._hosts: set[str] = set()
        self._opened = self._resolved = self._open = 0

    def add(self, host: str, turn: _Turn) -> None:
        self._hosts.add(host)
        self._opened += turn.opened
        self._resolved += turn.resolved
        self._open += turn.open
        self._steps[turn.first] += 1
        self._steps[turn.last] -= 1

    def line(self, name: str) -> Line:
        return Line(
            name=name,
            hosts=len(self._hosts),
            opened=self._opened,
            resolved=self._resolved,
            open=self._open,
            series=tuple(accumulate(self._steps[:-1])),
        )


def _most_first(line: Line) -> tuple[int, int, str]:
    return -line.open, -line.opened, line.name


def _ranked(counts: Counter[str]) -> tuple[tuple[str, int], ...]:
    return tuple(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def _percentile(values: Sequence[int], percent: int) -> int | None:
    """The least value that so many percent do not exceed (nearest rank)."""
    if not values:
        return None
    return sorted(values)[-(-len(values) * percent // 100) - 1]
