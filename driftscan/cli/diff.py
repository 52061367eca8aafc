"""`driftscan diff`."""

import threading
from typing import TYPE_CHECKING

from driftscan.cli import _options as opt
from driftscan.cli._command import Argument, Call, Command
from driftscan.cli._outputs import outputs, screen_format, write_all
from driftscan.cli._prompt import prompter
from driftscan.cli._targets import chosen, scan_options
from driftscan.errors import UsageError
from driftscan.model.finding import Action, JudgedMutation, Recommendation, RuleRef, Severity, Verdict
from driftscan.model.result import HostImage, HostResult, ImageMatch, ScanResult
from driftscan.model.snapshot import CollectorCoverage, CollectorStatus
from driftscan.model.source import Gap
from driftscan.scan.clock import now

if TYPE_CHECKING:
    from driftscan.scan.difference import Comparison
    from driftscan.scan.targets import Target

SAME, DIFFERENT, INCOMPLETE = 0, 1, 3


def _run(call: Call) -> int:
    from driftscan.scan.difference import diff

    settings = call.settings
    screen, files = screen_format(settings.format), outputs(settings.report)
    old, new = _one(call, settings.old), _one(call, settings.new)
    started = now()
    found = diff(old, new, scan_options(call, prompter(call.console, threading.Event())))
    result = _as_scan(found, new, started)
    failed = write_all(files, result)
    for error in failed:
        call.console.error(error)
    call.console.writelines(screen.render(result, call.console.style))
    if found.mutations:
        return DIFFERENT
    return INCOMPLETE if failed or found.unknown else SAME


def _one(call: Call, word: str) -> "Target":
    targets = chosen(call, [word])
    if len(targets) != 1:
        raise UsageError(f"{word}: {len(targets)} hosts match, and diff compares two targets", "Name one of them.")
    return targets[0]


def _as_scan(found: "Comparison", new: "Target", started: str) -> ScanResult:
    """A comparison in the shape of a scan of one host, so that every report format can tell it. No policy has judged:
    severities are `info` and nothing is recommended."""
    host = HostResult(
        host=found.new,
        target=new.spec,
        verdict=_verdict(found),
        recommendation=Recommendation(action=Action.NONE, sentence=f"Compared with {found.old}, without policy."),
        image=HostImage(match=ImageMatch.GIVEN),
        accounting=found.accounting,
        mutations=tuple(
            JudgedMutation(mutation=mutation, severity=Severity.INFO, action=Action.NONE, rule=RuleRef(""))
            for mutation in found.mutations
        ),
        allowed=found.allowed,
        coverage=_coverage(found.gaps),
        not_baselined=found.not_baselined,
        notes=tuple(f"a gap hides {item.kind} {item.key}" for item in found.unknown),
    )
    return ScanResult(id="", started_at=started, finished_at=now(), mode="full", hosts=(host,))


def _verdict(found: "Comparison") -> Verdict:
    if found.mutations:
        return Verdict.FINDINGS
    return Verdict.INCOMPLETE if found.unknown else Verdict.CLEAN


def _coverage(gaps: tuple[Gap, ...]) -> tuple[CollectorCoverage, ...]:
    return tuple(
        CollectorCoverage(
            name, 0, (), CollectorStatus.PARTIAL, 0, tuple(dict.fromkeys(gap for gap in gaps if gap.collector == name))
        )
        for name in sorted({gap.collector for gap in gaps})
    )


COMMAND = Command(
    name="diff",
    summary="show what differs between any two targets",
    examples=(
        ("driftscan diff manifest:web-11.manifest manifest:web-12.manifest", "what a new image brings"),
        ("driftscan diff snapshot:monday.snapshot ssh://root@web-1", "what happened since Monday"),
        ("driftscan diff rootfs:/mnt/old rootfs:/mnt/new -o json", "two unpacked images, for machines"),
    ),
    arguments=(
        Argument(name="OLD", help="what is compared with: any target"),
        Argument(name="NEW", help="what may differ: any target"),
    ),
    options=(opt.ZONES, opt.FORMAT, opt.REPORT, *opt.CONNECT),
    notes=("Exit codes: 0 the same outside zones; 1 different; 2 wrong input; 3 a target could not be seen wholly.",),
    run=_run,
)
commands = (COMMAND,)
