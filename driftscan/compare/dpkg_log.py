"""/var/log/dpkg.log: what dpkg was told to do, whoever called it (dpkg(1), LOG FILE: `--log`).

    2026-11-26 07:30:34 startup archives install
    2026-11-26 07:30:34 install one:all <none> 1.0
    2026-11-26 07:30:35 upgrade one:all 1.0 2.0
    2026-11-26 07:30:38 remove one:all 1.0 <none>

Times are in the host's zone. It names no command and nobody: `dpkg -i` is in no other log, save sudo's.
"""

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, tzinfo

from driftscan.compare.transaction import Item, Transaction
from driftscan.model.times import SECOND, nanoseconds

MAX_LINES = 50_000
LOG = "dpkg.log"
_LINE = re.compile(
    r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) (?:(startup) (?:archives|packages (?:remove|purge)).*"
    r"|(install|upgrade|remove|purge) ([a-z0-9][a-z0-9+.-]{0,200}):([a-z0-9-]{1,40}) (\S{1,400}) (\S{1,400}))"
)
_NEAR = 2 * SECOND


def parse(text: str, zone: tzinfo = UTC) -> tuple[Transaction, ...]:
    """A transaction for each start of dpkg that changed something, in the log's order. What is not in the format is
    passed over. `zone`: the host's."""
    runs: list[list[re.Match[str]]] = [[]]
    for row in text.split("\n")[-MAX_LINES:]:
        match = _LINE.fullmatch(row[:1500])
        if match is not None and match[2]:
            runs.append([])
        elif match is not None:
            runs[-1].append(match)
    return tuple(_transaction(run, zone) for run in runs if run)


def besides(runs: Iterable[Transaction], others: Iterable[Transaction]) -> Iterator[Transaction]:
    """The runs of dpkg that no transaction of a package manager's log began: apt calls dpkg, several times."""
    spans = _spans(others)
    for run in runs:
        at = nanoseconds(run.start)
        index = bisect_right(spans, at + _NEAR, key=lambda span: span[0]) - 1
        if index < 0 or at > spans[index][1] + _NEAR:
            yield run


def _spans(transactions: Iterable[Transaction]) -> list[tuple[int, int]]:
    """The times at which one was under way, in order and apart."""
    found: list[tuple[int, int]] = []
    for start, end in sorted((nanoseconds(each.start), nanoseconds(each.end)) for each in transactions if each.end):
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], end))
        else:
            found.append((start, end))
    return found


def _transaction(run: list[re.Match[str]], zone: tzinfo) -> Transaction:
    found: dict[str, list[Item]] = {}
    for match in run:
        old, new = ("" if version == "<none>" else version for version in (match[6], match[7]))
        what = "reinstall" if old == new else "remove" if match[3] == "purge" else match[3]
        found.setdefault(what, []).append(Item(match[4], match[5], old, new))
    return Transaction(
        log=LOG,
        start=_time(run[0][1], zone),
        end=_time(run[-1][1], zone),
        install=tuple(found.get("install", ())),
        upgrade=tuple(found.get("upgrade", ())),
        reinstall=tuple(found.get("reinstall", ())),
        remove=tuple(found.get("remove", ())),
    )


def _time(value: str, zone: tzinfo) -> str:
    try:
        local = datetime.strptime(value, "%Y-%m-%d %H:%M:%S").replace(tzinfo=zone)
        return local.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (ValueError, OverflowError):
        return ""
