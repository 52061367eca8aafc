"""`driftscan history`, `history prune`."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from driftscan.cli import _options as opt
from driftscan.cli._command import Argument, Call, Command
from driftscan.cli._targets import place
from driftscan.errors import UsageError
from driftscan.model.finding import Severity, State, Verdict
from driftscan.model.names import show
from driftscan.model.times import text_of
from driftscan.reports._words import plural
from driftscan.scan.clock import clock
from driftscan.schema_check import quoted

if TYPE_CHECKING:
    from driftscan.reports._terminal import Painter
    from driftscan.store import FindingRow, HostRow, ScanSummary, Store

FORMAT = replace(opt.FORMAT, choices=("text", "json"))
SCHEMA = "driftscan.history/1"
MOST = 20
"""Scans that are listed without --since."""
LOOKED_AT = 1000
"""Scans of a host that are looked at without --since: in most of them nothing changed."""
EVERY = 1_000_000
SHOWN = 7
"""Letters of a scan's id: a beginning is enough for `report`."""
BESIDE, NOW_WIDTH, LEAST = 48, 23, 24
"""Columns of a finding's line beside the last two; those that the last but one needs where there is little room, and
that the title needs."""
_UNSEEN = frozenset({Verdict.UNREACHABLE.value, Verdict.GONE.value})
_ENDS = {"gone": "gone since", "image": "ended by an image", "host-gone": "host gone since"}
_COUNTED = ("findings", "clean", "incomplete", "unreachable", "settling", "gone")


def _run(call: Call) -> int:
    from driftscan.store import Store

    store = Store(place(call))
    since = opt.moment(call.settings.since, clock()) if call.settings.since else None
    words: Sequence[str] = call.settings.host
    if words:
        return _of_hosts(call, store, _matching(store, words), since)
    scans = store.summaries(text_of(since) if since else "", EVERY if since else MOST)
    if call.settings.format == "json":
        _write_json(call, {"scans": [asdict(each) for each in scans]})
        return 0
    call.console.writelines(f"{line}\n" for line in _scan_lines(scans))
    return 0


def _matching(store: "Store", words: Sequence[str]) -> list[str]:
    """The hosts that words mean: names, or patterns as in inventories. UsageError for a word that means none."""
    known = store.host_names()
    for word in words:
        if not any(fnmatchcase(name, word) for name in known):
            hint = "`driftscan inventory list` lists the hosts there are; the store knows those that were scanned."
            raise UsageError(f"{quoted(word)}: no scan of such a host in {show(str(store.place))}", hint)
    return [name for name in known if any(fnmatchcase(name, word) for word in words)]


def _scan_lines(scans: "Sequence[ScanSummary]") -> Iterator[str]:
    from driftscan.reports._terminal import table

    if not scans:
        yield "no scan is kept"
        return
    verdicts = [name for name in _COUNTED if any(name in each.hosts for each in scans)]
    rows = [
        [
            _minute(each.started_at),
            each.mode + (", interrupted" if each.interrupted else ""),
            *(f"{each.hosts[name]:,}" if name in each.hosts else "-" for name in verdicts),
            show(each.id[:SHOWN]),
        ]
        for each in scans
    ]
    headers = ["STARTED", "MODE", *map(str.upper, verdicts), "SCAN"]
    yield table([headers, *rows], [], [None] * len(headers))  # as a row: tabulate leaves more room beside headers
    yield ""
    yield "Hosts are counted by their verdict."
    yield "`driftscan history HOST` tells what became of a host's findings, `driftscan trend` of the fleet's."


def _of_hosts(call: Call, store: "Store", names: Sequence[str], since: datetime | None) -> int:
    from driftscan.reports._terminal import Painter

    start = text_of(since) if since else ""
    machine = call.settings.format == "json"
    limit = MOST if machine else LOOKED_AT
    told = [
        (name, store.scans_of(name, start, EVERY if since else limit), _findings(store, name, start)) for name in names
    ]
    if machine:
        hosts = [
            {"host": name, "scans": list(map(_scan_json, scans)), "findings": list(map(_finding_json, found))}
            for name, scans, found in told
        ]
        _write_json(call, {"hosts": hosts})
        return 0
    painter = Painter(call.console.style)
    told.sort(key=lambda each: _urgency(each[2]))
    for number, (name, scans, found) in enumerate(told):
        call.console.writelines(f"{line}\n" for line in _host_lines(painter, name, scans, found, first=not number))
    worst = next((row for _, _, found in told for row in found if _is_open(row)), None)
    if worst is not None:
        call.console.write(f"\nNext: driftscan explain {show(worst.fingerprint)}\n")
    return 0


def _is_open(row: "FindingRow") -> bool:
    return row.resolved_at is None and row.state == State.OPEN.value


def _urgency(found: "Sequence[FindingRow]") -> tuple[int, int]:
    """The worst host first, then the one with most; the others by name, as they come."""
    there = [Severity.parse(row.severity) for row in found if _is_open(row)]
    return -max(there, default=-1), -len(there)


def _findings(store: "Store", name: str, since: str) -> "list[FindingRow]":
    """Those that are there, and those that ended since then."""
    return [row for row in store.findings_of(name) if row.resolved_at is None or row.resolved_at >= since]


def _host_lines(
    painter: "Painter", name: str, scans: "Sequence[HostRow]", found: "Sequence[FindingRow]", *, first: bool
) -> Iterator[str]:
    from driftscan.reports._terminal import table

    if not first:
        yield ""
    yield painter.paint(show(name), "bold")
    runs = _runs(scans)
    rows = [
        [_minute(run[-1].started_at), _minute(run[0].started_at), f"{len(run):>5,}", *_standing(painter, run[0])]
        for run in runs[:MOST]
    ]
    yield table(rows, ["FROM", "TO", "SCANS", "VERDICT", "ADVICE", "IMAGE"], [None] * 6)
    if len(runs) > MOST:
        yield f"and {plural(len(runs) - MOST, 'change')} before: --since asks further back, -o json has each scan"
    if not found:
        yield "no finding is known"
        return
    yield ""
    reached = next((each.started_at for each in scans if each.verdict not in _UNSEEN), "")
    cells = [_finding_cells(painter, row, reached) for row in found]
    now = max(len(each[3]) for each in cells)
    if painter.style.width - BESIDE - now < LEAST:
        now = min(NOW_WIDTH, now)
    yield table(
        cells,
        ["FINDING", "SEVERITY", "FIRST SEEN", "NOW", "WHAT"],
        [None, None, None, now, max(LEAST, painter.style.width - BESIDE - now)],
    )


def _runs(scans: "Sequence[HostRow]") -> "list[list[HostRow]]":
    """Scans that say the same of a host, one after the other, together; newest first."""
    runs: list[list[HostRow]] = []
    for each in scans:
        if runs and _said(runs[-1][-1]) == _said(each):
            runs[-1].append(each)
        else:
            runs.append([each])
    return runs


def _said(row: "HostRow") -> tuple[str, ...]:
    return row.verdict, row.action, row.image_id, row.image_version


def _standing(painter: "Painter", row: "HostRow") -> tuple[str, str, str]:
    return painter.verdict(Verdict(row.verdict)), row.action, show(row.image_version or row.image_id)


def _finding_cells(painter: "Painter", row: "FindingRow", reached: str) -> list[str]:
    """`reached`: when the host was last reached; what was not seen then may be hidden."""
    now = row.state
    if row.resolved_at:
        now = f"{_ENDS[row.resolved_why]} {_minute(row.resolved_at)}"
    else:
        if row.returned and row.returned_at:
            now += f", returned {_minute(row.returned_at)}" + (f" ({row.returned} times)" if row.returned > 1 else "")
        if row.last_seen < reached:
            now += f", last seen {_minute(row.last_seen)}"
    severity = row.severity if row.resolved_at else painter.severity(Severity.parse(row.severity))
    return [show(row.fingerprint), severity, _minute(row.first_seen), now, show(row.title)]


def _minute(time: str) -> str:
    """For a column: UTC, as everywhere, without seconds."""
    return time[:16].replace("T", " ")


def _scan_json(row: "HostRow") -> dict[str, Any]:
    return {name: value for name, value in asdict(row).items() if name != "host"}


def _finding_json(row: "FindingRow") -> dict[str, Any]:
    told = asdict(row)
    told["id"] = told.pop("fingerprint")
    return {name: value for name, value in told.items() if name != "host"}


def _write_json(call: Call, told: dict[str, Any]) -> None:
    call.console.write(json.dumps({"schema": SCHEMA, **told}, indent=2) + "\n")


def _prune(call: Call) -> int:
    from driftscan.store import Retention, Store

    days, scans = call.settings.keep_days, call.settings.keep_scans
    if not days and not scans:
        raise UsageError("history prune: what is to be kept?", "Give --keep-days N, --keep-scans N, or both.")
    now = clock().astimezone(UTC)
    since = text_of(now - timedelta(days=days)) if days else None
    gone = Store(place(call)).prune(Retention(since=since, scans=scans or None), now.timestamp())
    call.console.write(
        f"removed {plural(gone.scans, 'scan')}, {plural(gone.findings, 'finding')} that ended,"
        f" {plural(gone.reports, 'report')} ({gone.size:,} bytes)\n"
    )
    return 0


HISTORY = Command(
    name="history",
    summary="list past scans, or what became of the findings of hosts",
    examples=(
        ("driftscan history", "the last scans, with how many hosts had which verdict"),
        ("driftscan history web-1", "a host's scans, and its findings: first and last seen, resolved, returned"),
        ("driftscan history 'web-*' --since 30d -o json", "of several hosts, for machines"),
        ("driftscan history prune --keep-days 90", "see `driftscan history prune --help`"),
    ),
    arguments=(Argument(name="HOST", many=True, help="a host's name or a pattern of names; none: list scans"),),
    options=(opt.SINCE, FORMAT, opt.STORE),
    notes=("Exit codes: 0; 2 no scan of such a host is kept; 3 the store cannot be read.",),
    run=_run,
)
PRUNE = Command(
    name="history prune",
    summary="remove old scans from the store, and reports that nothing refers to",
    examples=(
        ("driftscan history prune --keep-days 90", "what is older than 90 days"),
        ("driftscan history prune --keep-days 30 --keep-scans 100", "the last 100 scans stay, however old they are"),
    ),
    arguments=(),
    options=(opt.KEEP_DAYS, opt.KEEP_SCANS, opt.STORE, opt.STORE_REPORTS),
    notes=(
        (
            "Kept in any case: the newest scan that reached each host, the scan that last saw a finding that is still"
            " there, and when that was first seen."
        ),
        "Exit codes: 0; 2 nothing says what to keep; 3 the store cannot be written.",
    ),
    run=_prune,
)
commands = (HISTORY, PRUNE)
