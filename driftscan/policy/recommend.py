"""What to do with a host: the strongest of a fixed table (docs/reference/recommendations.md), never a score."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from driftscan.model.cohort import UNPLACED, CohortClass
from driftscan.model.finding import (
    Action,
    Cure,
    CureCause,
    JudgedControl,
    JudgedMutation,
    Recommendation,
    Result,
    Severity,
    State,
    Verdict,
)
from driftscan.model.names import show
from driftscan.model.snapshot import ImageRef
from driftscan.policy.origin import is_incident, origin
from driftscan.policy.replacement import command
from driftscan.policy.verdict import is_failure, is_finding

BY_VERDICT: Mapping[Verdict, Action | None] = {
    Verdict.GONE: Action.NONE,
    Verdict.UNREACHABLE: Action.INVESTIGATE,
    Verdict.SETTLING: Action.NONE,
    Verdict.FINDINGS: None,
    Verdict.INCOMPLETE: Action.INVESTIGATE,
    Verdict.CLEAN: Action.NONE,
}
"""The action of a verdict; None: the strongest action among the findings."""
MAX_NAMED = 3
"""Facts that the sentence names; the rest it counts."""
MAX_FACT = 120
"""Characters of a fact in the sentence."""
_REPLACING = frozenset({Action.ROTATE, Action.REPLACE, Action.QUARANTINE})
_ADVICE = {
    Action.NONE: "nothing to do",
    Action.OBSERVE: "keep an eye on it",
    Action.INVESTIGATE: "look into it by hand",
    Action.ROTATE: "replace it in the next window",
    Action.REPLACE: "replace it now",
    Action.REBAKE: "mend the image or its pipeline and bake again",
    Action.QUARANTINE: "isolate it, keep the evidence, then replace it",
}
AS_BAKED = "is as baked"
AS_PACKAGED = "is as its own packages say"
AS_ASKED = "was compared with no image, and fails nothing that it was asked"
"""What can be said of a clean host that was compared with its image, with its own package database, with nothing."""
_SEEN = {
    Verdict.GONE: "no longer exists, says its inventory",
    Verdict.UNREACHABLE: "could not be scanned",
    Verdict.SETTLING: "is still in its first boot",
    Verdict.INCOMPLETE: "could not be scanned wholly",
    Verdict.CLEAN: AS_BAKED,
}


@dataclass(frozen=True, slots=True)
class _Ground:
    """A finding as a ground for an action."""

    id: str
    action: Action
    severity: Severity
    fact: str
    cause: CureCause
    urgency: int = UNPLACED
    alone: bool = False
    """Whether this host is the only one of its image that has it."""
    where: str = ""
    """How common it is, and whether it came back."""
    incident: bool = False
    detail: str = ""
    """What is said beside the fact where both are short."""

    def told(self) -> str:
        whole = f"{self.fact} ({self.detail})" if self.detail else self.fact
        place = f" ({show(self.where)})" if self.where else ""
        return _short(whole if len(show(whole)) <= MAX_FACT else self.fact) + place


def recommend(
    mutations: Sequence[JudgedMutation],
    controls: Sequence[JudgedControl],
    verdict: Verdict,
    *,
    host: str,
    labels: Mapping[str, str] | None = None,
    image: ImageRef | None = None,
    reason: str = "",
    otherwise: Verdict = Verdict.CLEAN,
    clean: str = AS_BAKED,
) -> Recommendation:
    """The recommendation for a judged host. `reason`: why it could not be scanned, or not wholly; `otherwise`: what the
    verdict would be without any finding; `clean`: what is said of a host that has none."""
    fixed = BY_VERDICT[verdict]
    if fixed is not None:
        reason = reason or (_undecided(controls) if verdict is Verdict.INCOMPLETE else "")
        why = f" ({show(reason)})" if reason else ""
        seen = clean if verdict is Verdict.CLEAN else _SEEN[verdict]
        sentence = f"{show(host)}: {seen}{_aside(verdict, mutations, controls)}{why}; {_ADVICE[fixed]}."
        return Recommendation(action=fixed, sentence=sentence)
    grounds = sorted(_grounds(mutations, controls), key=_order)
    least = BY_VERDICT[otherwise] or Action.NONE
    action = max(grounds[0].action, least) if grounds else least
    because = [ground for ground in grounds if ground.action is action]
    unseen = f"; it {_SEEN[otherwise]}" + (f" ({show(reason)})" if reason else "") if not because else ""
    return Recommendation(
        action=action,
        sentence=_sentence(host, action, grounds, because, image, unseen=unseen),
        because=tuple(ground.id for ground in because),
        counterfactual=_counterfactual(grounds, because, least),
        cure=cure(because),
        command=command(labels or {}, keep=action is Action.QUARANTINE) if action in _REPLACING else "",
    )


def _aside(verdict: Verdict, mutations: Sequence[JudgedMutation], controls: Sequence[JudgedControl]) -> str:
    """What a clean host has all the same, because somebody accepts it."""
    states = [judged.state for judged in mutations] + [judged.state for judged in controls]
    waived = states.count(State.WAIVED)
    return f" but for {waived} waived finding{'s' if waived > 1 else ''}" if waived and verdict is Verdict.CLEAN else ""


def _order(ground: _Ground) -> tuple[int, int, int, str]:
    return -ground.action, -ground.severity, ground.urgency, ground.id


def _undecided(controls: Sequence[JudgedControl]) -> str:
    """The controls that could not be decided, with the reason of the first."""
    unknown = [judged for judged in controls if judged.result is Result.UNKNOWN]
    if not unknown:
        return ""
    names = ", ".join(judged.id for judged in unknown[:MAX_NAMED])
    more = f" and {len(unknown) - MAX_NAMED} more" if len(unknown) > MAX_NAMED else ""
    why = f": {_short(unknown[0].evidence[0])}" if unknown[0].evidence else ""
    return f"not decided: {names}{more}{why}"


def _grounds(mutations: Sequence[JudgedMutation], controls: Sequence[JudgedControl]) -> list[_Ground]:
    found = [
        _Ground(
            judged.mutation.id,
            judged.action,
            judged.severity,
            judged.mutation.title,
            origin(judged),
            judged.urgency,
            judged.cohort is not None and judged.cohort.kind is CohortClass.ONE,
            _where(judged),
            is_incident(judged),
        )
        for judged in mutations
        if is_finding(judged)
    ]
    found += [
        _Ground(
            judged.finding,
            judged.action,
            judged.severity,
            f'fails "{judged.title}"',
            judged.cause,
            detail=judged.evidence[0] if judged.evidence else "",
        )
        for judged in controls
        if is_failure(judged)
    ]
    return found


def _where(judged: JudgedMutation) -> str:
    told = [judged.cohort.where] if judged.cohort else []
    return ", ".join([*told, "back after this host was replaced"] if judged.returned else told)


def cure(because: Sequence[_Ground]) -> Cure:
    """Whether a replacement ends what led to the action. One cause that a replacement brings back is enough for no;
    a cause that is not known leaves it open."""
    causes = {ground.cause for ground in because}
    for cause in (CureCause.IMAGE, CureCause.PIPELINE, CureCause.IDENTITY):
        if cause in causes:
            return Cure(False, cause)
    return Cure(True, CureCause.HOST) if causes == {CureCause.HOST} else Cure()


def _sentence(
    host: str,
    action: Action,
    grounds: Sequence[_Ground],
    because: Sequence[_Ground],
    image: ImageRef | None,
    *,
    unseen: str = "",
) -> str:
    strongest = _told_first(because or grounds)
    named = [ground.told() for ground in strongest]
    rest = len(grounds) - len(named)
    more = f"; and {rest} more finding{'s' if rest > 1 else ''}" if rest else ""
    version = " ".join(part for part in (image.id, image.version) if part) if image else ""
    against = f" differs from image {show(version)}" if version else ""
    return f"{show(host)}{against}: {'; '.join(named)}{more}{unseen}: {_ADVICE[action]}{_caveat(action, because)}."


def _told_first(grounds: Sequence[_Ground]) -> Sequence[_Ground]:
    """The strongest; one of what this host alone has among them, however much befell all hosts."""
    first, rest = grounds[:MAX_NAMED], grounds[MAX_NAMED:]
    own = next((ground for ground in rest if ground.alone), None)
    return [*first[:-1], own] if own is not None and not any(ground.alone for ground in first) else first


def _caveat(action: Action, because: Sequence[_Ground]) -> str:
    """What must be known before the advice is followed."""
    if any(ground.incident for ground in because):
        return ", but find first what changed all hosts of this image: it may do so again"
    if action in _REPLACING and cure(because).replacement_cures is False:
        return ", and mend what brings it back: a replacement alone does not end it"
    return ""


def _short(fact: str) -> str:
    text = show(fact).rstrip(".")
    if len(text) <= MAX_FACT:
        return text
    words, _, _ = text[: MAX_FACT + 1].rpartition(" ")
    return (words if len(words) > MAX_FACT // 2 else text[:MAX_FACT]) + " …"


def _counterfactual(grounds: Sequence[_Ground], because: Sequence[_Ground], without_any: Action) -> str:
    """What the action would be without what led to it: the strongest of the others, or what a host without any finding
    gets, if that is stronger."""
    if grounds and not because:
        return f"would be {grounds[0].action.word} if the host had been scanned wholly"
    weaker = max([without_any, *(ground.action for ground in grounds[len(because) :])])
    names = [ground.id for ground in because[:MAX_NAMED]]
    more = f" and {len(because) - len(names)} more" if len(because) > len(names) else ""
    return f"would be {weaker.word} without {', '.join(names)}{more}" if names else ""
