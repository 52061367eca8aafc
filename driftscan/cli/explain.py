"""`driftscan explain`."""

import json
from collections.abc import Sequence
from dataclasses import replace

from driftscan.cli import _options as opt
from driftscan.cli._command import Argument, Call, Command
from driftscan.cli._explanation import by_hand, explain
from driftscan.cli._findings import MOST, in_reports, in_store, report_path
from driftscan.cli._grounds import Found, age, without
from driftscan.cli._next_image import next_image
from driftscan.cli._targets import place
from driftscan.errors import UsageError
from driftscan.model.names import show
from driftscan.schema_check import quoted

REPORT = replace(opt.REPORT, metavar="json:FILE", help="look in this JSON report instead of the store; repeatable")
FORMAT = replace(opt.FORMAT, choices=("text", "json"))
MANIFEST = replace(
    opt.MANIFEST, help="also tell whether this image, or the newest in this registry, has what was changed"
)
SHORTEST = 3


def _run(call: Call) -> int:
    wanted: str = call.settings.finding
    if len(wanted) < SHORTEST:
        raise UsageError(f"{quoted(wanted)} is too short for a finding's id", "Give at least its first characters.")
    found = _find(call, wanted)
    chosen = _of_host(found, call.settings.host)
    chosen = replace(chosen, carried=tuple(next_image(call, chosen.finding, chosen.host)))
    if call.settings.format == "json":
        call.console.write(_json(chosen))
        return 0
    call.console.writelines(line.rstrip() + "\n" for line in explain(chosen, call.console.style))
    others = sorted({str(one.host["host"]) for one in found} - {str(chosen.host["host"])})
    if others:
        call.console.write(f"\nAlso on {show(', '.join(others[:MOST]))}{' and more' if len(others) > MOST else ''}\n")
    return 0


def _find(call: Call, wanted: str) -> list[Found]:
    paths = [path for path in map(report_path, call.settings.report) if path]
    if call.settings.report and not paths:
        raise UsageError(f"--report {show(call.settings.report[0])}: no such JSON report", "Give json:FILE.")
    if paths:
        return in_reports(paths, wanted)
    from driftscan.store import Store

    return in_store(Store(place(call)), wanted)


def _of_host(found: Sequence[Found], host: str | None) -> Found:
    for one in found:
        if host is None or one.host["host"] == host:
            return one
    names = ", ".join(str(one.host["host"]) for one in found)
    raise UsageError(f"host {quoted(host or '')} does not have this finding", f"It is on {show(names)}.")


def _json(found: Found) -> str:
    host = {name: value for name, value in found.host.items() if name not in {"mutations", "controls"}}
    told: dict[str, object] = {"age": age(found), "without_it": without(found), "by_hand": by_hand(found)}
    if found.carried:
        told["next_image"] = "; ".join(text for _, text in found.carried)
    return json.dumps({"scan": found.scan, "host": host, "finding": found.finding, **told}, indent=2) + "\n"


COMMAND = Command(
    name="explain",
    summary="show everything known about one finding",
    examples=(
        ("driftscan explain F-3fa9c1", "by the first characters of its id, from the last scans"),
        ("driftscan explain F-3fa9c1 --host web-2", "as it is on one of several hosts"),
        ("driftscan explain F-3fa9c1 --report json:drift.json", "from a report instead of the store"),
        ("driftscan explain F-3fa9c1 -m web-12.manifest", "would replacing the host with that image lose it?"),
    ),
    arguments=(Argument(name="FINDING", help="a finding's id or its first characters, or a control's id"),),
    options=(REPORT, opt.HOST, MANIFEST, FORMAT, opt.STORE, opt.STORE_REPORTS),
    notes=("Exit codes: 0; 2 there is no such finding, or several.",),
    run=_run,
)
commands = (COMMAND,)
