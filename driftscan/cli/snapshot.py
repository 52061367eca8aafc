"""`driftscan snapshot`."""

import threading
from collections.abc import Iterator
from pathlib import Path

from driftscan.cli import _options as opt
from driftscan.cli._command import Argument, Call, Command
from driftscan.cli._outputs import check_writable
from driftscan.cli._progress import ConsoleProgress
from driftscan.cli._prompt import prompter
from driftscan.cli._targets import chosen, scan_options
from driftscan.errors import UsageError
from driftscan.model.names import show
from driftscan.model.snapshot import CollectorStatus, Snapshot

MOST = 10


def _run(call: Call) -> int:
    from driftscan.manifests import files
    from driftscan.scan import host

    settings = call.settings
    if not settings.output:
        raise UsageError("driftscan snapshot: -o FILE is missing", "Say where the snapshot goes.")
    check_writable(settings.output, "-o")
    if settings.captures:
        check_writable(settings.captures, "--captures")
    targets = chosen(call, [settings.target])
    if len(targets) != 1:
        raise UsageError(
            f"{settings.target}: {len(targets)} hosts match, and a snapshot is of one", "Name one of them."
        )
    options = scan_options(call, prompter(call.console, threading.Event()))
    captures = Path(settings.captures) if settings.captures else None
    progress = ConsoleProgress(call.console, 1)
    snapshot = host.snapshot(targets[0], options, captures, progress)
    progress.close()
    digest = files.write_snapshot(snapshot, settings.output)
    call.console.writelines(line + "\n" for line in _summary(snapshot, settings.output, digest, settings.verbose))
    return 3 if _incomplete(snapshot) else 0


def _incomplete(snapshot: Snapshot) -> bool:
    return bool(snapshot.torn) or any(one.status is CollectorStatus.FAILED for one in snapshot.coverage)


def _summary(snapshot: Snapshot, path: str, digest: str, verbose: int) -> Iterator[str]:
    resources = sum(one.resources for one in snapshot.coverage)
    yield f"{show(path)}: {resources:,} resources of {show(snapshot.host)} at {snapshot.taken_at}, {digest}"
    yield from (f"torn: {show(reason)}" for reason in snapshot.torn)
    shown = snapshot.gaps if verbose else snapshot.gaps[:MOST]
    yield from (f"not looked at: {gap.collector}: {gap.status.value}: {show(gap.reason)}" for gap in shown)
    if len(snapshot.gaps) > len(shown):
        yield f"... and {len(snapshot.gaps) - len(shown):,} more that could not be looked at; -v lists them"


COMMAND = Command(
    name="snapshot",
    summary="record the state of one target in a file",
    examples=(
        ("driftscan snapshot ssh://root@web-1 -o web-1.snapshot", "the state of a host now"),
        (
            "driftscan snapshot local -o here.snapshot --captures here.capture",
            "and what it was parsed from, for replay",
        ),
        ("driftscan diff snapshot:monday.snapshot snapshot:friday.snapshot", "what happened in between"),
    ),
    arguments=(
        Argument(
            name="TARGET",
            help="local, ssh://[user@]host[:port], a host of the inventory, rootfs:DIR, oci:DIR[:TAG],"
            " docker-archive:FILE[:NAME]",
        ),
    ),
    options=(opt.OUTPUT, opt.CAPTURES, *opt.CONNECT),
    notes=(
        "Exit codes: 0; 2 wrong input; 3 unreachable, torn, or a collector failed (the file says what is missing).",
    ),
    run=_run,
)
commands = (COMMAND,)
