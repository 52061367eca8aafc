"""How drift moved, as the page draws it: steps in units of a view box, which is stretched."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any

from driftscan.model.trend import HAND, SPANS, Line, Overview, Ranking, Stay
from driftscan.reports._page.timeline import moment

HEIGHT = 40
"""Of a drawing; its width is the number of its steps."""
TICKS = 5
"""Times written beneath the large one."""
TITLES = {
    "cause": "What they come from",
    "actor": "Who makes them, as logs tell",
    "host": "Where: hosts",
    "group": "Where: labels",
    "image": "Where: images",
}
"""The ways to divide findings, in the order of the page."""


def values(given: Overview | None) -> dict[str, Any]:
    """What the template needs."""
    shown = Trends(given) if given is not None and _can_be_drawn(given) else None
    return {"trends": shown, "height": HEIGHT, "hand": HAND, "steps": steps, "told": told}


class Trends:
    """What the template asks for."""

    def __init__(self, given: Overview) -> None:
        self.given = given
        self.total = given.total

    @property
    def before(self) -> int:
        """How many were there when the time began."""
        return self.total.open + self.total.resolved - self.total.opened

    @property
    def most(self) -> int:
        """The most that were there at the end of a span."""
        return max(self.total.series)

    @property
    def times(self) -> list[str]:
        """Evenly from the beginning to the end; days alone where they tell them apart."""
        since, until = (datetime.fromisoformat(each) for each in (self.given.since, self.given.until))
        forms = ((timedelta(days=TICKS), "%Y-%m-%d"), (timedelta(hours=1), "%m-%d %H:%M"))
        form = next((form for least, form in forms if until - since >= least), "%H:%M:%S")
        return [(since + (until - since) * tick / (TICKS - 1)).strftime(form) for tick in range(TICKS)]

    @property
    def peak(self) -> str:
        """When there were most, at first."""
        since, until = (datetime.fromisoformat(each) for each in (self.given.since, self.given.until))
        return (since + (until - since) * (self.total.series.index(self.most) + 1) / SPANS).strftime("%Y-%m-%d %H:%M")

    @property
    def rankings(self) -> list[tuple[str, Ranking]]:
        """(title, ranking) of those that tell something that the others do not."""
        found = {each.by: each for each in self.given.rankings}
        return [(title, found[by]) for by, title in TITLES.items() if by in found and _tells(found[by])]

    @property
    def stays(self) -> list[tuple[str, Stay]]:
        """(how long, in words, findings)."""
        told = []
        least = 0
        for stay in self.given.stays:
            told.append((_between(least, stay.under), stay))
            least = stay.under or 0
        return told

    @property
    def longest(self) -> int:
        """The largest number of `stays`."""
        return max((max(stay.resolved, stay.open) for stay in self.given.stays), default=0)


def steps(series: Sequence[int]) -> str:
    """An area as SVG's path data: a step for each number, of equal ones one; the highest for the most there
    was."""
    most = max(series, default=0) or 1
    path, begin = f"M0 {HEIGHT}", 0
    for value, alike in groupby(series):
        begin += len(list(alike))
        path += f"V{round(HEIGHT - value * HEIGHT / most, 1):g}H{begin}"
    return f"{path}V{HEIGHT}Z"


def told(line: Line) -> str:
    """A drawing in words."""
    return f"from {line.series[0]:,} to {line.series[-1]:,}, at most {max(line.series):,}"


def _can_be_drawn(given: Overview) -> bool:
    """Whether there was anything, in a time that can be: a report may be by anyone."""
    since, until, total = moment(given.since), moment(given.until), given.total
    something = bool(total.open or total.opened or total.resolved)
    return something and since is not None and until is not None and since < until


def _tells(ranking: Ranking) -> bool:
    if ranking.by == "actor":
        return any(line.name != HAND for line in ranking.lines)
    return bool(ranking.lines) if ranking.by in {"cause", "group"} else len(ranking.lines) > 1


def _between(least: int, under: int | None) -> str:
    if under is None:
        return f"{_long(least)} and more"
    return f"{_long(least)} to {_long(under)}" if least else f"less than {_long(under)}"


def _long(seconds: int) -> str:
    return {3600: "1 hour", 86400: "1 day"}.get(seconds) or f"{seconds // 86400} days"
