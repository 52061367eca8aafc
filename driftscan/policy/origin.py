"""Where the fault of a finding lies, and what that makes of the action that policy asks for."""

from collections.abc import Mapping
from dataclasses import replace

from driftscan.model.cohort import Cohort, CohortClass
from driftscan.model.drift import CauseType
from driftscan.model.finding import Action, CureCause, JudgedMutation

CURED: Mapping[tuple[Action, CureCause], Action] = {
    (Action.ROTATE, CureCause.IMAGE): Action.REBAKE,
    (Action.REPLACE, CureCause.IMAGE): Action.REBAKE,
    (Action.ROTATE, CureCause.PIPELINE): Action.REBAKE,
    (Action.REPLACE, CureCause.PIPELINE): Action.REBAKE,
}
"""What a replacement brings back is no matter of replacing."""


def origin(judged: JudgedMutation) -> CureCause:
    """Where the fault of a mutation lies: the host changed, unless it, other hosts or earlier scans say otherwise."""
    if judged.mutation.cause.type is CauseType.IDENTITY_SHARED:
        return CureCause.IDENTITY
    if judged.mutation.cause.type is CauseType.IMAGE_UNKNOWN:
        return CureCause.UNKNOWN
    if judged.returned:
        return CureCause.PIPELINE
    if judged.cohort is None:
        return CureCause.HOST
    if judged.cohort.kind is CohortClass.ALL_AT_FIRST:
        return CureCause.IMAGE
    return CureCause.UNKNOWN if judged.cohort.everywhere or judged.cohort.by else CureCause.HOST


def placed(judged: JudgedMutation, cohort: Cohort | None, *, returned: bool = False) -> JudgedMutation:
    """A judged mutation with what other hosts and earlier scans say of it. They can only strengthen what policy asks
    for. What came to all hosts later is an incident, which no baking ends."""
    judged = replace(judged, cohort=cohort, returned=returned)
    if is_incident(judged):
        return judged
    return replace(judged, action=CURED.get((judged.action, origin(judged)), judged.action))


def is_incident(judged: JudgedMutation) -> bool:
    """Whether all hosts of the image have it, and not from their beginning."""
    return judged.cohort is not None and judged.cohort.kind is CohortClass.ALL_LATER
