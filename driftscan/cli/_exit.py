"""The exit code of a scan, and the sentences that say why."""

from driftscan.model.finding import Action, Result, Severity, State
from driftscan.model.result import HostResult, ScanResult

CLEAN, FINDINGS, INCOMPLETE, INTERRUPTED = 0, 1, 3, 130


def exit_code(result: ScanResult, fail_on: Severity | Action, unwritten: bool) -> int:
    """The contract's: interrupted wins, then findings, then what is not whole."""
    if result.interrupted:
        return INTERRUPTED
    if any(fails(host, fail_on) for host in result.hosts):
        return FINDINGS
    return INCOMPLETE if unwritten or not all(host.whole for host in result.hosts) else CLEAN


def fails(host: HostResult, fail_on: Severity | Action) -> bool:
    """Whether the host has an open finding at or above the level. Settling and gone hosts do not count."""
    if not host.counts or not host.open_severities():
        return False
    if isinstance(fail_on, Severity):
        return max(host.open_severities()) >= fail_on
    actions = [judged.action for judged in host.mutations if judged.state is State.OPEN]
    actions += [
        judged.action for judged in host.controls if judged.result is Result.FAIL and judged.state is State.OPEN
    ]
    return max(*actions, host.recommendation.action) >= fail_on


def sentences(result: ScanResult, fail_on: Severity | Action) -> list[str]:
    """Why the exit code is what it is; both reasons where both hold."""
    total = len(result.hosts)
    failing = sum(fails(host, fail_on) for host in result.hosts)
    partial = sum(not host.whole for host in result.hosts)
    told = []
    if result.interrupted:
        told.append("interrupted: the hosts that were not finished are listed as such")
    if failing:
        told.append(f"{failing} of {total} hosts with findings at or above {fail_on.word}")
    if partial:
        told.append(f"{partial} of {total} hosts not, or not wholly, scanned")
    return told
