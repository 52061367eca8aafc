"""What policy says of each mutation and each control of a host."""

import hashlib
from collections import defaultdict
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import replace
from functools import lru_cache, partial

from driftscan.model.drift import CauseType, Change, Mutation
from driftscan.model.finding import (
    Action,
    CureCause,
    JudgedControl,
    JudgedMutation,
    Result,
    RuleRef,
    Severity,
    State,
)
from driftscan.model.resource import ResourceId
from driftscan.model.snapshot import Snapshot
from driftscan.model.times import nanoseconds
from driftscan.policy.applies import applies
from driftscan.policy.facts import Facts
from driftscan.policy.matching import allows, matches
from driftscan.policy.model import Context, Control, DriftRule, Policy
from driftscan.policy.origin import CURED
from driftscan.policy.outcome import MAX_EVIDENCE, Outcome, outcome
from driftscan.policy.together import Image, Together
from driftscan.policy.truth import Truth

DEFAULT = RuleRef("default", why="No rule speaks of it, and the server is to equal its image.")
"""What judges a mutation that no rule matches: medium, replace."""
HIDDEN = RuleRef("hidden", why="The image has it, and the server could not be asked whether it has it, too.")
"""What judges a mutation of which nothing is known but that a gap hides it: info, investigate."""


UNASKED = RuleRef("not-asked", why="No policy asks for it.")
"""What accepts a login that no rule speaks of: on most servers it is no matter."""


def asks(policies: Iterable[Policy], cause: CauseType) -> bool:
    """Whether a rule names a cause, so that what tells of it is to be looked at."""
    return any(cause in rule.match.cause for policy in policies for rule in policy.drift if not rule.allow)


def judge_mutations(
    policies: Sequence[Policy], mutations: Sequence[Mutation], context: Context
) -> tuple[JudgedMutation, ...]:
    """Every mutation once, in the given order, judged by the most severe rule that matches it (then the stronger
    action, then the earlier rule); an `allow` rule that covers it wholly makes it `allowed`."""
    windows = (window for policy in policies if applies(policy.applies, context) for window in policy.windows)
    context = replace(context, windows=tuple(windows))
    index: defaultdict[CauseType, list[DriftRule]] = defaultdict(list)
    for policy in policies:
        for rule in policy.drift:
            if applies(rule.applies, context):
                for cause in rule.match.cause or CauseType:
                    index[cause].append(rule)
    return tuple(_judged(mutation, index[mutation.cause.type], context) for mutation in mutations)


def _judged(mutation: Mutation, rules: Iterable[DriftRule], context: Context) -> JudgedMutation:
    if mutation.differences and all(each.change is Change.UNKNOWN for each in mutation.differences):
        return JudgedMutation(mutation=mutation, severity=Severity.INFO, action=Action.INVESTIGATE, rule=HIDDEN)
    rules = list(rules)
    fitting = [rule for rule in rules if not rule.allow and matches(rule.match, mutation, context)]
    worst = max(fitting, key=lambda rule: (rule.severity, rule.action), default=None)
    severity = worst.severity if worst else Severity.MEDIUM
    action = worst.action if worst else Action.REPLACE
    for rule in rules:
        if rule.allow and allows(rule.match, mutation, context, exactly=action is Action.QUARANTINE):
            return JudgedMutation(
                mutation=mutation, severity=severity, action=Action.NONE, rule=rule.ref, state=State.ALLOWED
            )
    if worst is None and mutation.cause.type is CauseType.INTERACTIVE_LOGIN:
        return JudgedMutation(
            mutation=mutation, severity=Severity.INFO, action=Action.NONE, rule=UNASKED, state=State.ALLOWED
        )
    return JudgedMutation(mutation=mutation, severity=severity, action=action, rule=worst.ref if worst else DEFAULT)


def judge_controls(
    policies: Sequence[Policy], snapshot: Snapshot, context: Context, together: Together | None = None
) -> tuple[JudgedControl, ...]:
    """Every control of the policies over the facts of a snapshot, in the policies' order. `together`: what is kept of
    the hosts that are judged besides; the answers are the same without, and take longer for each but the first."""
    if not any(policy.controls for policy in policies):
        return ()
    now = nanoseconds(snapshot.taken_at)
    baked, image = context.manifest, None
    alike: Hashable = snapshot.image
    if baked is not None and not baked.provenance.stand_in:  # a stand-in is the host's own word and shows nothing
        alike = baked.digest
        image = together.image(baked, alike) if together else Image(baked, partial(Facts.of, baked))
    facts = together.facts(snapshot, alike, now) if together else Facts.of(snapshot, now)
    return tuple(_control(control, facts, image, context) for policy in policies for control in policy.controls)


def _control(control: Control, facts: Facts, image: Image | None, context: Context) -> JudgedControl:
    fits = applies(control.applies, context)
    if fits is not True:
        return _as_found(control, _unfit(fits), None)
    return facts.remembered(control, image, lambda: _asked(control, facts, image))


def _asked(control: Control, facts: Facts, image: Image | None) -> JudgedControl:
    found = outcome(control, facts)
    return _as_found(
        control, found, image.outcome(control, facts.now) if image and found.result is Result.FAIL else None
    )


def _as_found(control: Control, found: Outcome, baked: Outcome | None) -> JudgedControl:
    """`baked`: what it comes to for the image, if it fails and there is one."""
    cause = _cause(found, baked)
    return JudgedControl(
        id=control.id,
        finding=fingerprint(control),
        title=control.title,
        severity=control.severity,
        action=action_for(control.severity, control.action, cause) if found.result is Result.FAIL else Action.NONE,
        result=found.result,
        rule=control.ref,
        evidence=found.evidence,
        about=_about(control, found),
        refs=control.refs,
        fix=control.fix,
        cause=cause,
    )


def _about(control: Control, found: Outcome) -> tuple[ResourceId, ...]:
    """The resources that fail it, else those that it names."""
    if found.result not in (Result.FAIL, Result.UNKNOWN):
        return ()
    keys = sorted(dict.fromkeys(found.keys)) or control.selection.named
    return tuple((control.selection.kind, key) for key in keys[:MAX_EVIDENCE])


def control_outcome(control: Control, facts: Facts, context: Context) -> Outcome:
    """What a control comes to on a host, if it is for it at all."""
    fits = applies(control.applies, context)
    return outcome(control, facts) if fits else _unfit(fits)


def _unfit(fits: Truth) -> Outcome:
    """What a control comes to on a host that it is not for, or of which that is not known."""
    if fits is None:
        return Outcome(Result.UNKNOWN, ("os_version: which system this is could not be told",))
    return Outcome(Result.NOT_APPLICABLE)


def fingerprint(control: Control) -> str:
    """The stable id of a control's finding: the same on every host and in every scan."""
    return _fingerprint(control.policy, control.id)


@lru_cache(maxsize=4096)
def _fingerprint(policy: str, rule: str) -> str:
    return "C-" + hashlib.sha256(f"{policy}\n{rule}".encode()).hexdigest()[:12]


def _cause(found: Outcome, baked: Outcome | None) -> CureCause:
    if baked is None or baked.result in (Result.UNKNOWN, Result.NOT_APPLICABLE):
        return CureCause.UNKNOWN
    return CureCause.IMAGE if baked.result is Result.FAIL and found.failing <= baked.failing else CureCause.HOST


def action_for(severity: Severity, written: Action, cause: CureCause) -> Action:
    """A failed control's action once its cause is known: what the image has too, no replacement cures; what the
    image does not have, a replacement does."""
    if written is Action.REBAKE and cause is CureCause.HOST:
        return Action.REPLACE if severity >= Severity.HIGH else Action.ROTATE
    return CURED.get((written, cause), written)
