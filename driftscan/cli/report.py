"""`driftscan report`."""

import json
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from driftscan.cli import _options as opt
from driftscan.cli._command import Argument, Call, Command
from driftscan.cli._outputs import (
    BOM,
    append_summary,
    check_writable,
    outputs,
    screen_format,
    write,
    write_all,
)
from driftscan.cli._targets import place
from driftscan.errors import DriftscanError, UsageError
from driftscan.model.names import show
from driftscan.model.result import ScanResult
from driftscan.schema_check import quoted

if TYPE_CHECKING:
    from driftscan.reports._bom import Subject
    from driftscan.store import ScanRow, Store

UNWRITTEN = 3
LAST = "last"
MOST = 100_000
"""Scans among which one is looked for by its id."""


def _run(call: Call) -> int:
    words: list[str] = list(call.settings.format) or ["text"]
    given: str = getattr(call.settings, "from")
    of_file = given.startswith(("manifest:", "snapshot:"))
    if of_file or any(word.partition(":")[0] == BOM for word in words):
        return _bom(call, words, given)
    on_screen = [word for word in words if ":" not in word]
    if len(on_screen) > 1:
        raise UsageError(
            f"{quoted(on_screen[1])}: only one format goes to the screen",
            f"Give the others a file: {on_screen[1]}:FILE.",
        )
    screen = screen_format(on_screen[0]) if on_screen else None
    files = outputs(word for word in words if ":" in word)
    result = _from_file(given) if given else _from_store(call, call.settings.scan)
    failed = write_all(files, result)
    for error in failed:
        call.console.error(error)
    if screen is not None:
        call.console.writelines(screen.render(result, call.console.style))
        append_summary(screen, result, call.environ)
    return UNWRITTEN if failed else 0


def _from_file(path: str) -> ScanResult:
    from driftscan.reports._back import scan_result
    from driftscan.reports._read import read_report

    try:
        return scan_result(read_report(path))
    except ValueError as error:  # a date that there is none
        raise UsageError(
            f"{path}: {show(str(error))}", "The file was edited or damaged: write the report again."
        ) from None


def _from_store(call: Call, wanted: str) -> ScanResult:
    from driftscan.reports._back import scan_result
    from driftscan.store import Store

    store = Store(place(call))
    row = store.last_scan() if wanted == LAST else _named(store, wanted)
    if row is None:
        raise UsageError(
            f"no scan is kept in {show(str(store.place))}", "Scan something, or give a JSON report with --from."
        )
    return scan_result(json.loads(store.report(row)))


def _named(store: "Store", wanted: str) -> "ScanRow":
    found = [row for row in store.scans(MOST) if row.id.startswith(wanted)]
    exact = [row for row in found if row.id == wanted] or found
    if not exact:
        raise UsageError(
            f"no scan {quoted(wanted)} in {show(str(store.place))}", "Its id stands in its JSON report: scan.id."
        )
    if len(exact) > 1:
        raise UsageError(f"{quoted(wanted)} means {len(exact)} scans", "Give more of the id.")
    return exact[0]


def _bom(call: Call, words: Sequence[str], given: str) -> int:
    """A bill of materials: the only format of a manifest or snapshot, which no scan's result holds."""
    others = [word for word in words if word.partition(":")[0] != BOM]
    if others:
        raise UsageError(
            f"{quoted(others[0])}: a manifest or snapshot can be reported as {BOM} alone", f"Give {BOM}:FILE."
        )
    if not given.startswith(("manifest:", "snapshot:")):
        raise UsageError(
            f"{BOM}: a bill of materials is of a manifest or a snapshot",
            f"For example: driftscan report {BOM}:web.cdx.json --from manifest:web.manifest",
        )
    paths = [word.partition(":")[2] for word in words]
    for path in paths:
        if path:
            check_writable(path, f"{BOM}:{path}")
    subject = _subject(given)
    failed = [error for path in paths for error in _write_bom(call, path, subject)]
    for error in failed:
        call.console.error(error)
    return UNWRITTEN if failed else 0


def _subject(given: str) -> "Subject":
    from driftscan.manifests import files
    from driftscan.reports._bom import Subject

    kind, _, path = given.partition(":")
    digest = dict(files.verify(path))["digest"]
    if kind == "manifest":
        manifest = files.read_manifest(path)
        return Subject(
            name=manifest.image.id,
            version=manifest.image.version,
            at=manifest.provenance.baked_at,
            digest=digest,
            resources=manifest.resources,
            package_files=manifest.package_files,
            coverage=manifest.coverage,
        )
    snapshot = files.read_snapshot(path)
    return Subject(
        name=snapshot.host,
        version=snapshot.image.version,
        at=snapshot.taken_at,
        digest=digest,
        resources=snapshot.resources,
        package_files=snapshot.package_files,
        coverage=snapshot.coverage,
    )


def _write_bom(call: Call, path: str, subject: "Subject") -> Iterable[DriftscanError]:
    from driftscan.reports._bom import bom

    if not path:
        call.console.writelines(bom(subject))
        return
    try:
        write(path, bom(subject))
    except DriftscanError as error:
        yield error


COMMAND = Command(
    name="report",
    summary="render a past scan in any format, or a manifest as a bill of materials",
    examples=(
        ("driftscan report", "the last scan, as text"),
        ("driftscan report markdown junit:drift.xml --scan 3fa9c1", "an earlier one, on the screen and in a file"),
        ("driftscan report sarif:drift.sarif --from drift.json", "from a JSON report instead of the store"),
        ("driftscan report cyclonedx:web.cdx.json --from manifest:web.manifest", "what an image consists of"),
    ),
    arguments=(
        Argument(name="FORMAT", many=True, help="a format for the screen, or FORMAT:PATH for a file; none: text"),
    ),
    options=(opt.SCAN, opt.FROM, opt.STORE, opt.STORE_REPORTS),
    notes=(
        "A report that is read back gives the same bytes in every format as the scan itself did.",
        "Exit codes: 0, whatever the scan found; 2 wrong input, no such scan; 3 damaged store, unwritten report.",
    ),
    run=_run,
)
commands = (COMMAND,)
