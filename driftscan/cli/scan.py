"""`driftscan scan`."""

from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from driftscan import content
from driftscan.cli import _options as opt
from driftscan.cli._command import Argument, Call, Command
from driftscan.cli._exit import exit_code, sentences
from driftscan.cli._interrupt import graceful
from driftscan.cli._outputs import Output, append_summary, once, outputs, screen_format, write_all
from driftscan.cli._progress import ConsoleProgress
from driftscan.cli._prompt import prompter
from driftscan.cli._targets import chosen, place, scan_options
from driftscan.cli._turn import turn
from driftscan.errors import DriftscanError
from driftscan.model.event import Event
from driftscan.model.finding import Result
from driftscan.model.names import show
from driftscan.model.result import ScanResult
from driftscan.model.waiver import Waiver, WaiverState
from driftscan.reports._base import Report

if TYPE_CHECKING:
    from driftscan.alerts import Alerts


def _run(call: Call) -> int:
    from driftscan.cli._alerts import alerts
    from driftscan.scan import fleet

    screen, files = screen_format(call.settings.format), outputs(call.settings.report)
    told = alerts(call)
    targets = chosen(call, call.settings.target)
    with turn(call), graceful(call.console) as stop:
        progress = ConsoleProgress(call.console, len(targets))
        result = fleet.scan(targets, scan_options(call, prompter(call.console, stop)), progress, stop)
        progress.close()
        kept = not any(target.past for target in targets)
        result = _beside_earlier(call, result) if kept else result
        unwritten = _report(call, result, screen, files, told if kept else None)
    for waiver, state in result.waivers:
        if state not in {WaiverState.ACTIVE, WaiverState.UNUSED}:
            call.console.note(
                f"driftscan: {show(waiver.origin)}: waiver of {show(waiver.what)}: {_told(waiver, state)}"
            )
    for name in _idle(result):
        call.console.note(
            f"driftscan: {show(name)} asks nothing of any of these hosts: its applies_to, or only_if, fits none"
        )
    for sentence in sentences(result, call.settings.fail_on):
        call.console.note(f"driftscan: {sentence}")
    return exit_code(result, call.settings.fail_on, unwritten)


def _beside_earlier(call: Call, result: ScanResult) -> ScanResult:
    from driftscan.cli._since import beside_earlier
    from driftscan.cli._trends import until_scan
    from driftscan.store import Store  # 0.2 s, for those who keep something

    store = Store(place(call))
    return replace(beside_earlier(store, result), trends=until_scan(store, result))


def _idle(result: ScanResult) -> Iterator[str]:
    """Policies of one's own of whose controls none is for any of the hosts: a label that nobody has looks like all's
    well. Of the shipped ones that is nothing to tell: they ask about much that few servers have."""
    asked: dict[str, bool] = {}
    shipped = content.folder()
    ours = cache(lambda file: not Path(file).is_relative_to(shipped))
    for host in result.hosts:
        for control in host.controls:
            if ours(control.rule.file):
                applies = control.result is not Result.NOT_APPLICABLE
                asked[control.rule.policy] = asked.get(control.rule.policy, False) or applies
    yield from (name for name, any_host in asked.items() if not any_host)


def _told(waiver: Waiver, state: WaiverState) -> str:
    if state is WaiverState.VOID:
        return "void: none of its hosts runs the image that it is for"
    return f"expire{'d' if state is WaiverState.EXPIRED else 's'} on {waiver.expires} ({show(waiver.owner)})"


def _report(call: Call, result: ScanResult, screen: Report, files: tuple[Output, ...], told: "Alerts | None") -> bool:
    """Files first, since the screen may be a pager that waits; whether anything could not be written. `told`: None
    where recordings bear the names of hosts; kept, they would pass for what those are now."""
    from driftscan.reports.json import report

    page = report if told is None else once(report)  # what is kept is held as a whole
    files = tuple(replace(each, report=page) if each.report is report else each for each in files)
    screen = page if screen is report else screen
    failed = write_all(files, result)
    if files:
        call.console.detail(f"driftscan: {len(files) - len(failed)} of {len(files)} reports written")
    for error in failed:
        call.console.error(error)
    news = _keep(call, result, page, told) if told is not None else None
    mailed = call.console.quiet and screen.name == "text"
    if mailed and news == ():
        return bool(failed)
    try:
        if mailed and news:
            from driftscan.alerts import changes

            call.console.write(changes(news))
        call.console.writelines(screen.render(result, call.console.style))
        append_summary(screen, result, call.environ)
    except DriftscanError as error:
        call.console.error(error)
        return True
    return bool(failed)


def _keep(call: Call, result: ScanResult, page: Report, told: "Alerts") -> tuple[Event, ...] | None:
    """In the store, for `explain`; then channels are told. What changed since earlier scans, None where that is not
    known. A store that cannot be written is no reason to call a scan incomplete."""
    from driftscan.cli._alerts import tell, watching
    from driftscan.store import Store

    store = Store(place(call))
    for path in store.open_to_all():
        call.console.warn(
            f"{show(str(path))}: everybody may write to the store, and so forge what scans find: chmod o-w"
        )
    try:
        rendered = "".join(page.render(result, call.console.style)).encode()
        news = store.save(result, rendered, watching(call, told))
    except DriftscanError as error:
        silent = ", and channels are not told now" if told.channels else ""
        hint = f". {error.hint}" if error.hint else ""
        call.console.warn(
            f"the scan is not kept, so `driftscan explain` will not know it{silent}: {error.message}{hint}"
        )
        return None
    tell(store, told, call.console)
    return news


COMMAND = Command(
    name="scan",
    summary="compare hosts with their image, judge what differs, recommend what to do",
    examples=(
        ("driftscan scan local", "look at this machine; its own package database stands in for a manifest"),
        ("driftscan scan -i inventory.yaml -m web.manifest", "compare every host of an inventory with a manifest"),
        (
            "driftscan scan -i inventory.yaml -l 'web-*' -m manifests/ --report json:drift.json",
            "some hosts, each with the manifest of its image, and a report for machines",
        ),
        ("driftscan scan ssh://admin@10.0.0.11 -m web.manifest --fail-on replace -q", "in a pipeline"),
        ("driftscan scan -i inventory.yaml -q", "in cron: nothing is printed when nothing changed since the last scan"),
        ("driftscan scan -i inventory.yaml -q --alerts alerts.yaml", "the same, and tell mail, chat or a program"),
    ),
    arguments=(
        Argument(
            name="TARGET",
            many=True,
            help="local, ssh://[user@]host[:port], a host or pattern of the inventory, rootfs:DIR,"
            " oci:DIR[:TAG], docker-archive:FILE[:NAME], manifest:FILE, snapshot:FILE, capture:FILE (the last two:"
            " also a folder or a glob); none: all hosts of the inventory",
        ),
    ),
    options=(
        opt.MANIFEST,
        opt.POLICY,
        opt.WAIVERS,
        opt.ZONES,
        opt.PACKAGES,
        opt.ADVISORIES,
        opt.FAIL_ON,
        opt.FULL,
        opt.QUICK,
        opt.CYCLE,
        opt.FORMAT,
        opt.REPORT,
        opt.ALERTS,
        opt.EXCLUSIVE,
        opt.WAIT,
        opt.WORKERS,
        opt.STORE,
        opt.STORE_REPORTS,
        *opt.CONNECT,
    ),
    notes=(
        (
            "Exit codes: 0 no open finding at or above --fail-on and everything was scanned; 1 findings; 2 wrong input,"
            " found before any connection; 3 some host was not, or not wholly, scanned, or a report was not written;"
            " 130 interrupted; 70 a bug in driftscan."
        ),
        (
            "With -q the text report is printed only when something changed since earlier scans of the same store;"
            " other formats are always printed."
        ),
    ),
    run=_run,
)
commands = (COMMAND,)
