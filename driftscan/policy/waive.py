"""Which findings waivers accept. A waived finding stays listed and counted; it is open no more."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta

from driftscan.model.finding import Action, JudgedControl, JudgedMutation, Result, RuleRef, Severity, State
from driftscan.model.names import show
from driftscan.model.resource import ResourceId
from driftscan.model.snapshot import ImageRef
from driftscan.model.waiver import Waiver, WaiverState
from driftscan.policy.applies import applies
from driftscan.policy.model import Context, Policy
from driftscan.policy.outcome import MAX_EVIDENCE

LONGEST: Mapping[Severity, int] = {
    Severity.CRITICAL: 30,
    Severity.HIGH: 90,
    Severity.MEDIUM: 180,
    Severity.LOW: 366,
    Severity.INFO: 366,
}
"""Days for which a finding can be waived at once, by severity, where no policy says otherwise."""


def longest(policies: Iterable[Policy], context: Context) -> Mapping[Severity, int]:
    """The same for a host: of several policies that say so the strictest. One of which it is not known whether it is
    for the host counts."""
    said = [policy.waiver_days for policy in policies if applies(policy.applies, context) is not False]
    return {
        severity: min((days[severity] for days in said if severity in days), default=default)
        for severity, default in LONGEST.items()
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A finding, as far as a waiver looks at it. `about`: the resources at fault, or that differ; `whole`: that is all
    of them."""

    finding: str
    rule: RuleRef
    content: str
    severity: Severity
    action: Action
    about: tuple[ResourceId, ...] = ()
    whole: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiving:
    """The waivers of a run, and its day in UTC."""

    waivers: tuple[Waiver, ...] = ()
    today: date = date.min
    longest: Mapping[Severity, int] = field(default_factory=lambda: LONGEST)

    def of_host(
        self, host: str, labels: Mapping[str, str], image: ImageRef, allowed: Mapping[Severity, int] = LONGEST
    ) -> "Waiving":
        """Those that are for a host, of which findings can be waived for as many days as is `allowed`."""
        mine = (
            waiver
            for waiver in self.waivers
            if waiver.is_for(host, labels) and waiver.is_for_image(image.id, image.version)
        )
        return replace(self, waivers=tuple(mine), longest=allowed)

    def mutation(self, judged: JudgedMutation) -> JudgedMutation:
        """The same, waived if a waiver accepts it."""
        if judged.state is not State.OPEN:
            return judged
        mutation = judged.mutation
        subject = Subject(
            finding=mutation.id,
            rule=judged.rule,
            content=mutation.content,
            severity=judged.severity,
            action=judged.action,
            about=tuple(each.id for each in mutation.differences),
        )
        waiver, considered = self._decide(subject)
        state = State.OPEN if waiver is None else State.WAIVED
        return replace(judged, state=state, waiver=waiver, considered=considered)

    def control(self, judged: JudgedControl) -> JudgedControl:
        """The same, waived if it failed and a waiver accepts that."""
        if judged.state is not State.OPEN or judged.result is not Result.FAIL:
            return judged
        subject = Subject(
            finding=judged.finding,
            rule=judged.rule,
            content="",
            severity=judged.severity,
            action=judged.action,
            about=judged.about,
            whole=len(judged.about) < MAX_EVIDENCE,
        )
        waiver, considered = self._decide(subject)
        state = State.OPEN if waiver is None else State.WAIVED
        return replace(judged, state=state, waiver=waiver, considered=considered)

    def _decide(self, subject: Subject) -> tuple[Waiver | None, tuple[str, ...]]:
        """The waiver that accepts a finding, the one that lasts longest; and why others that speak of it do not."""
        judged = [
            (waiver, refusal(waiver, subject, self.today, self.longest))
            for waiver in self.waivers
            if speaks_of(waiver, subject)
        ]
        accepting = [waiver for waiver, why in judged if not why]
        told = tuple(f"{waiver.origin}: {why}" for waiver, why in judged if why)
        return max(accepting, key=lambda waiver: waiver.expires, default=None), told


def speaks_of(waiver: Waiver, subject: Subject) -> bool:
    """Whether a waiver is about a finding, be it that it accepts it or not."""
    if waiver.finding:
        return waiver.finding == subject.finding
    return waiver.is_of_rule(subject.rule.policy, subject.rule.id)


def refusal(waiver: Waiver, subject: Subject, today: date, allowed: Mapping[Severity, int] = LONGEST) -> str:
    """Why a waiver that speaks of a finding does not accept it; empty: it does. `allowed`: see `longest`."""
    if waiver.state(today) is WaiverState.EXPIRED:
        return f"expired on {waiver.expires}"
    if waiver.content and waiver.content != subject.content:
        return "the content is another than the one that was accepted"
    if waiver.resources and (why := _too_much(waiver, subject)):
        return why
    if subject.action is Action.QUARANTINE and not waiver.exact:
        return "what is to be quarantined is waived only by the finding's id, on hosts that are each named"
    return too_long(waiver, subject.severity, today, allowed)


def _too_much(waiver: Waiver, subject: Subject) -> str:
    """What is at fault beside the resources that it names; empty: nothing."""
    beyond = waiver.beyond(subject.about)
    if beyond:
        kind, key = beyond[0]
        more = f" and {len(beyond) - 1} more" if beyond[1:] else ""
        return f"it does not name all that is at fault: {kind} {show(key)}{more}"
    return "" if subject.whole else f"{MAX_EVIDENCE} resources or more are at fault, not all of which can be told"


def too_long(waiver: Waiver, severity: Severity, today: date, allowed: Mapping[Severity, int]) -> str:
    """Why it cannot last as long as it is to, for a finding of a severity; empty: it can."""
    days = allowed[severity]
    if not days:
        return f"policy lets no {severity.word} finding be waived"
    if waiver.expires > (waiver.added or today) + timedelta(days=days):
        return f"it lasts longer than the {days} days for which a {severity.word} finding can be waived"
    return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scanned:
    """A host that was wholly seen, and the waivers that accept something of it, by their origin."""

    host: str
    labels: Mapping[str, str]
    image: ImageRef
    used: frozenset[str] = frozenset()


def state(waiver: Waiver, today: date, scanned: Sequence[Scanned]) -> WaiverState:
    """The state of a waiver. Where none of the hosts that it is for was wholly seen, the calendar alone tells."""
    by_day = waiver.state(today)
    if by_day is WaiverState.EXPIRED or any(waiver.origin in each.used for each in scanned):
        return by_day
    mine = [each.image for each in scanned if waiver.is_for(each.host, each.labels)]
    if not mine:
        return by_day
    fits = any(waiver.is_for_image(image.id, image.version) for image in mine)
    return WaiverState.UNUSED if fits else WaiverState.VOID
