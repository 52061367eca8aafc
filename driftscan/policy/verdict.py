"""What is known of a host, as one word. The contract: gone, unreachable, settling, else findings (any open finding,
whatever --fail-on), else incomplete, else clean."""

from collections.abc import Iterable, Sequence

from driftscan.model.drift import Change, Difference
from driftscan.model.finding import JudgedControl, JudgedMutation, Result, State, Verdict


def verdict(
    *,
    mutations: Sequence[JudgedMutation] = (),
    controls: Sequence[JudgedControl] = (),
    unknown: Iterable[Difference] = (),
    torn: Sequence[str] = (),
    gone: bool = False,
    reached: bool = True,
    settling: bool = False,
) -> Verdict:
    """The verdict. `unknown`: differences that a gap hides, beside those among the mutations; `settling`: first boot
    has not finished and its time is not up."""
    if gone:
        return Verdict.GONE
    if not reached:
        return Verdict.UNREACHABLE
    if settling:
        return Verdict.SETTLING
    if any(map(is_finding, mutations)) or any(map(is_failure, controls)):
        return Verdict.FINDINGS
    if torn or hidden(mutations, controls, unknown):
        return Verdict.INCOMPLETE
    return Verdict.CLEAN


def is_finding(judged: JudgedMutation) -> bool:
    """An open mutation of which something is known."""
    return judged.state is State.OPEN and any(each.change is not Change.UNKNOWN for each in judged.mutation.differences)


def is_failure(judged: JudgedControl) -> bool:
    """A failed control that is not waived."""
    return judged.result is Result.FAIL and judged.state is State.OPEN


def hidden(
    mutations: Sequence[JudgedMutation], controls: Sequence[JudgedControl], unknown: Iterable[Difference] = ()
) -> bool:
    """Whether something that the manifest or a rule has could not be seen."""
    return (
        any(each.change is Change.UNKNOWN for each in unknown)
        or any(each.change is Change.UNKNOWN for judged in mutations for each in judged.mutation.differences)
        or any(judged.result is Result.UNKNOWN for judged in controls)
    )
