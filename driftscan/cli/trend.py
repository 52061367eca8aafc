"""`driftscan trend`."""

import json
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from datetime import timedelta
from typing import TYPE_CHECKING

from driftscan.cli import _options as opt
from driftscan.cli._command import Call, Command
from driftscan.cli._targets import place
from driftscan.cli._trends import beginning
from driftscan.errors import UsageError
from driftscan.model.amount import words_of
from driftscan.model.names import show
from driftscan.model.times import text_of
from driftscan.model.trend import DAYS, SPANS, Line, Trend, overview, trend
from driftscan.scan.clock import clock

if TYPE_CHECKING:
    from driftscan.reports._terminal import Painter

FORMAT = replace(opt.FORMAT, choices=("text", "json", "html"), help="on the screen")
SCHEMA = "driftscan.trend/1"
MOST = 15
"""Lines of a table; JSON has all."""
_BLOCKS = "▁▂▃▄▅▆▇█"
_PLAIN = "_.-:=+*#"


def _run(call: Call) -> int:
    from driftscan.store import Store

    now = clock()
    store = Store(place(call))
    asked = opt.moment(call.settings.since, now) if call.settings.since else beginning(store, now)
    since = asked or now - timedelta(days=DAYS)
    if since >= now:
        raise UsageError(f"--since {call.settings.since}: is not before now", "Give an age such as 30d, or a past day.")
    spells = store.spells(text_of(since))
    if call.settings.format == "html":
        from driftscan.reports._trend_page import page

        call.console.writelines(page(overview(spells, since, now)))
        return 0
    found = trend(spells, since, now, call.settings.by, SPANS)
    if call.settings.format == "json":
        call.console.write(json.dumps({"schema": SCHEMA, "by": call.settings.by, **asdict(found)}, indent=2) + "\n")
        return 0
    from driftscan.reports._terminal import Painter

    painter = Painter(call.console.style)
    blocks = _BLOCKS if "utf" in (call.console.out.encoding or "").lower() else _PLAIN
    call.console.writelines(f"{line}\n" for line in _lines(found, call.settings.by, painter, blocks))
    return 0


def _lines(found: Trend, by: str, painter: "Painter", blocks: str) -> Iterator[str]:
    from driftscan.reports._terminal import table

    yield f"{painter.paint('open findings', 'bold')} from {found.since} until {found.until}"
    total = found.total
    if not (total.open or total.opened or total.resolved):
        yield "nothing is known of that time: no scan was kept, or none found anything"
        return
    rows = [_cells(total, blocks), *(_cells(line, blocks) for line in found.lines[:MOST])]
    yield table(rows, [by.upper(), "", "OPEN NOW", "CAME", "WENT"], [40, None, None, None, None])
    if len(found.lines) > MOST:
        yield f"and {len(found.lines) - MOST:,} more: -o json has all"
    yield ""
    yield from _stay(found)
    if found.causes:
        yield f"what they came from: {_ranking(found.causes)}"
    if found.actors:
        yield f"who made them, as logs tell: {_ranking(found.actors)}"
    yield from ("", f"Next: {_next(found, by)}")


def _next(found: Trend, by: str) -> str:
    """What tells more: which hosts drift, or what became of the findings of the one that does most."""
    if by == "host" and found.lines:
        return f"driftscan history {show(shlex.quote(found.lines[0].name))}"
    return "driftscan trend --by host"


def _cells(line: Line, blocks: str) -> list[str]:
    return [show(line.name), plot(line.series, blocks), f"{line.open:,}", f"{line.opened:,}", f"{line.resolved:,}"]


def plot(series: Sequence[int], blocks: str) -> str:
    """One character for each number: the lowest for none, the highest for the most there was."""
    most = max(series, default=0)
    top = len(blocks) - 1
    return "".join(blocks[-(-value * top // most) if most else 0] for value in series)


def _stay(found: Trend) -> Iterator[str]:
    if found.median is not None and found.p90 is not None:
        yield f"those that went had stayed {words_of(found.median)} (median), 9 of 10 at most {words_of(found.p90)}"
    if found.oldest is not None:
        yield f"the oldest that is there has been for {words_of(found.oldest)}"


def _ranking(counts: Sequence[tuple[str, int]]) -> str:
    told = [f"{show(name)} {count:,}" for name, count in counts[:5]]
    return ", ".join(told) + (f" and {len(counts) - 5:,} more" if len(counts) > 5 else "")


COMMAND = Command(
    name="trend",
    summary="show how drift moves: how much, where, how long it stays, what it comes from, who makes it",
    examples=(
        ("driftscan trend", "the last 30 days, or since the first scan, by cause"),
        ("driftscan trend --by host --since 7d", "which hosts drift most"),
        ("driftscan trend --by group", "by the labels of hosts: role=web, env=prod"),
        ("driftscan trend --by actor -o json", "who changes servers by hand, for machines"),
        ("driftscan trend --since 90d -o html", "all of it as a page for people: `> trend.html`"),
    ),
    arguments=(),
    options=(opt.BY, opt.SINCE, FORMAT, opt.STORE),
    notes=("Exit codes: 0; 2 wrong input; 3 the store cannot be read.",),
    run=_run,
)
commands = (COMMAND,)
