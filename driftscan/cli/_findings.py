"""Finds a finding by its id, in the store or in report files."""

import json
import os
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from driftscan.cli._grounds import UNSEEN, Found, Json, Seen
from driftscan.errors import UsageError
from driftscan.model.names import show
from driftscan.reports._read import read_report
from driftscan.schema_check import quoted

if TYPE_CHECKING:
    from driftscan.store import FindingRow, ScanRow, Store

MOST = 20
_TOLD = {"fail", "unknown"}
"""Results of controls that can be explained."""


def report_path(word: str) -> str:
    """The file of `json:FILE`, or of a plain FILE that is there; empty for other formats, which hold too little."""
    name, colon, path = word.partition(":")
    if colon and name == "json":
        return path
    return word if os.path.exists(word) else ""


def in_reports(paths: Sequence[str], wanted: str) -> list[Found]:
    """From report files. UsageError for one that is not a report, and where `wanted` means no finding or several."""
    known: list[Found] = []
    for path in paths:
        report = read_report(path)
        for host in report["hosts"]:
            known += _in_host(report["scan"], host, wanted)
    return _one(wanted, known, ", ".join(paths))


def in_store(store: "Store", wanted: str) -> list[Found]:
    """As the last scan of each host said that saw it. IncompleteError for a damaged store; UsageError as above."""
    newest: dict[tuple[str, str], FindingRow] = {}
    for row in store.find_finding(wanted):
        newest.setdefault((row.host, row.fingerprint), row)
    if not newest and (by_rule := _by_rule(store, wanted)):
        return by_rule
    _check_one(wanted, {row.fingerprint for row in newest.values()}, f"the store {store.place}")

    reports: dict[str, Json] = {}
    found: list[Found] = []
    for row in newest.values():
        loaded = reports.get(row.report) or _report(store, row)
        reports[row.report] = loaded
        for host in loaded["hosts"]:
            if host["host"] == row.host:
                found += _in_host(loaded["scan"], host, row.fingerprint, _seen(row))
    return found


def _by_rule(store: "Store", wanted: str) -> list[Found]:
    """A control's own id: its result on each host of the newest scan."""
    last = store.last_scan()
    loaded = _report(store, last) if last is not None else {"scan": {}, "hosts": []}
    return [
        found
        for host in loaded["hosts"]
        for found in _in_host(loaded["scan"], host, wanted)
        if found.is_control and found.finding["id"] == wanted
    ]


def _report(store: "Store", row: "FindingRow | ScanRow") -> Json:
    loaded: Json = json.loads(store.report(row))
    return loaded


def _seen(row: "FindingRow") -> Seen:
    return Seen(row.first_seen, row.last_seen, row.resolved_at or "", row.returned, row.returned_at or "")


def _in_host(scan: Json, host: Json, wanted: str, seen: Seen = UNSEEN) -> Iterator[Found]:
    for finding in [*host["mutations"], *(one for one in host["controls"] if one["result"] in _TOLD)]:
        found = Found(scan, host, finding, seen)
        if found.id.startswith(wanted) or (found.is_control and finding["id"] == wanted):
            yield found


def _one(wanted: str, known: list[Found], where: str) -> list[Found]:
    exact = [found for found in known if found.id == wanted]
    chosen = exact or known
    _check_one(wanted, {found.id for found in chosen}, where)
    return chosen


def _check_one(wanted: str, ids: set[str], where: str) -> None:
    if not ids:
        raise UsageError(
            f"no finding {quoted(wanted)} in {show(where)}",
            "Ids stand in reports, in brackets. Scans made with another --store are looked up with that --store.",
        )
    if len(ids) > 1:
        some = ", ".join(sorted(ids)[:MOST]) + (" ..." if len(ids) > MOST else "")
        raise UsageError(f"{quoted(wanted)} means {len(ids)} findings: {some}", "Give more of the id.")
