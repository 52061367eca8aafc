"""`driftscan gate`."""

import threading
from collections.abc import Collection
from dataclasses import replace
from typing import TYPE_CHECKING

from driftscan.cli import _options as opt
from driftscan.cli._command import Argument, Call, Command
from driftscan.cli._outputs import FILE_STYLE, plan, write
from driftscan.cli._prompt import prompter
from driftscan.cli._targets import chosen, place, scan_options, state_directory
from driftscan.errors import DriftscanError, UsageError
from driftscan.model.gate import Fate, Fleet, GateResult, GateVerdict
from driftscan.model.names import show
from driftscan.scan.clock import now

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from driftscan.reports._base import Style
    from driftscan.scan.gate import Approved, Seen
    from driftscan.scan.targets import Target

FORMATS = ("text", "json", "markdown")
FORMAT = replace(opt.FORMAT, choices=FORMATS)
CODES = {GateVerdict.PASSED: 0, GateVerdict.FAILED: 1, GateVerdict.INCOMPLETE: 3}


def _run(call: Call) -> int:
    from driftscan.scan.gate import Approved, judge, look

    settings = call.settings
    if not settings.against:
        raise UsageError("driftscan gate: --against is missing", "Give the manifest of the approved image.")
    files = plan(settings.report, FORMATS)
    approved = Approved(
        settings.against,
        settings.declared,
        settings.policy,
        settings.fail_on,
        advisories=settings.advisories,
        packages=settings.packages,
        state_dir=state_directory(call),
    )
    candidate = _candidate(call, settings.candidate)
    started = now()
    seen = look(
        candidate, approved, scan_options(call, prompter(call.console, threading.Event())), waiting=_waiting(call)
    )
    result = judge(candidate, seen, approved, _fleet(call, candidate, approved, seen), started)
    _say(call, result)
    written = _write_all(call, files, result)
    return CODES[result.verdict] or (0 if written else 3)


def _waiting(call: Call) -> "Callable[[], None]":
    return lambda: call.console.note("driftscan: first boot of the candidate has not finished: waiting for it")


def _write_all(call: Call, files: "Iterable[tuple[str, str]]", result: GateResult) -> bool:
    """Whether all report files were written; what hinders one is said, and does not stop the others."""
    whole = True
    for name, path in files:
        try:
            write(path, _rendered(name, result, FILE_STYLE))
        except DriftscanError as error:
            call.console.warn(error.message)
            whole = False
    return whole


def _candidate(call: Call, word: str) -> "Target":
    targets = chosen(call, [word])
    if len(targets) != 1:
        raise UsageError(f"{word}: {len(targets)} hosts match, and one image is gated", "Name one of them.")
    return targets[0]


def _fleet(call: Call, candidate: "Target", approved: "Approved", seen: "Seen") -> Fleet:
    """A store that cannot be read is said, and no reason to stop a build."""
    from driftscan.scan.fixes import fleet
    from driftscan.store import Store

    try:
        return fleet(Store(place(call)), approved.manifest, _names(call), candidate.name, seen.taken)
    except DriftscanError as error:
        call.console.warn(f"the hand fixes of the fleet are not known: {error.message}")
        return Fleet()


def _names(call: Call) -> Collection[str] | None:
    """The hosts of the inventory that the candidate is to replace; None without an inventory."""
    from driftscan.inventory import load_all, select

    settings = call.settings
    if not settings.inventory:
        return None
    hosts = load_all(settings.inventory)
    return {host.name for host in (select(hosts, (), settings.limit) if settings.limit else hosts)}


def _rendered(name: str, result: GateResult, style: "Style") -> "Iterable[str]":
    if name == "json":
        from driftscan.reports._gate import render

        return (render(result),)
    if name == "markdown":
        from driftscan.reports._gate_markdown import render as markdown

        return markdown(result)
    from driftscan.reports._gate_text import render as text

    return text(result, style)


def _say(call: Call, result: GateResult) -> None:
    console = call.console
    console.writelines(_rendered(call.settings.format, result, console.style))
    for entry in result.unused:
        console.warn(f"declared, and not in the candidate: {show(entry.title)} ({show(entry.origin)})")
    lost = result.fleet.of(Fate.LOST, Fate.OTHER, Fate.PARTLY)
    if lost:
        count = f"{len(lost)} hand fix{'es' if len(lost) > 1 else ''}"
        console.warn(f"{count} of the fleet would not survive a replacement with this image")
    for reason in result.reasons:
        console.note(f"driftscan: {show(reason)}")


COMMAND = Command(
    name="gate",
    summary="decide whether a new image may replace the approved one: every change must be declared",
    examples=(
        (
            "driftscan gate rootfs:/mnt/new --against web-11.manifest --declared changes.yaml",
            "an unpacked image: what is not declared fails it, and is named",
        ),
        (
            "driftscan gate oci:build/image.tar --against web-11.manifest -p image-hygiene",
            "an image of docker buildx, buildah or skopeo, which must also hold no keys, ids and leftovers",
        ),
        (
            "driftscan gate ssh://root@builder --against web-11.manifest -p server-hardening",
            "a booted candidate, which must also meet a policy",
        ),
        (
            "driftscan gate rootfs:/mnt/new --against web-11.manifest -i inventory.yaml -o json",
            "for machines; of the hand fixes those of the inventory's hosts",
        ),
    ),
    arguments=(Argument(name="CANDIDATE", help="the new image: any target"),),
    options=(
        opt.AGAINST,
        opt.DECLARED,
        opt.PACKAGES,
        opt.POLICY,
        opt.ADVISORIES,
        opt.FAIL_ON,
        FORMAT,
        opt.REPORT,
        opt.STORE,
        opt.STORE_REPORTS,
        *opt.CONNECT,
    ),
    notes=(
        (
            "What the fleet's hosts were changed in by hand, as their last scans in the store know it, is listed with"
            " what becomes of it. It fails nothing: read it before anything is replaced."
        ),
        (
            "Exit codes: 0 passed; 1 failed: something is not declared, an identity is the approved image's, or a"
            " control of -p failed; 2 wrong input; 3 the candidate was not wholly seen; 130 interrupted; 70 a bug in"
            " driftscan."
        ),
    ),
    run=_run,
)
commands = (COMMAND,)
