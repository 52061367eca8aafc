"""Where the fault lies, and what that makes of an action; the published tables of it."""

from pathlib import Path

import pytest

from driftscan.model.cohort import Cohort, CohortClass, Relation, Separator
from driftscan.model.finding import Action, Cure, CureCause, JudgedMutation, RuleRef, Severity, State, Verdict
from driftscan.policy.origin import CURED, origin, placed
from driftscan.policy.recommend import recommend
from tests.policy.support import mutation

BY = (Separator("az", Relation.IS, "b"),)
KINDS = {
    CohortClass.ONE: Cohort(kind=CohortClass.ONE, hosts=1, of=40),
    CohortClass.SOME: Cohort(kind=CohortClass.SOME, hosts=7, of=40),
    CohortClass.ALL: Cohort(kind=CohortClass.ALL, hosts=40, of=40),
    CohortClass.ALL_AT_FIRST: Cohort(kind=CohortClass.ALL_AT_FIRST, hosts=40, of=40),
    CohortClass.ALL_LATER: Cohort(kind=CohortClass.ALL_LATER, hosts=40, of=40, later=40),
}
SPLIT = Cohort(kind=CohortClass.SOME, hosts=7, of=40, by=BY)
VARIED = Cohort(kind=CohortClass.ONE, hosts=1, of=40, otherwise=39)


def judged(
    action: Action = Action.REPLACE,
    cohort: Cohort | None = None,
    *,
    returned: bool = False,
    cause: str = "file-changed",
    name: str = "F-1",
    state: State = State.OPEN,
    severity: Severity = Severity.HIGH,
) -> JudgedMutation:
    found = JudgedMutation(
        mutation=mutation(cause, name=name, subject=name),
        severity=severity,
        action=action,
        rule=RuleRef("r"),
        state=state,
    )
    return placed(found, cohort, returned=returned)


@pytest.mark.parametrize(
    ("cohort", "returned", "expected"),
    [
        (None, False, "host"),
        (KINDS[CohortClass.ONE], False, "host"),
        (KINDS[CohortClass.SOME], False, "host"),
        (SPLIT, False, "unknown"),
        (VARIED, False, "unknown"),
        (KINDS[CohortClass.ALL], False, "unknown"),
        (KINDS[CohortClass.ALL_AT_FIRST], False, "image"),
        (KINDS[CohortClass.ALL_LATER], False, "unknown"),
        (None, True, "pipeline"),
        (KINDS[CohortClass.ONE], True, "pipeline"),
        (KINDS[CohortClass.ALL_AT_FIRST], True, "pipeline"),
        (KINDS[CohortClass.ALL_LATER], True, "pipeline"),
    ],
)
def test_origin(cohort: Cohort | None, returned: bool, expected: str) -> None:
    assert origin(judged(cohort=cohort, returned=returned)) == expected


def test_what_is_no_drift_has_its_own_origin() -> None:
    assert origin(judged(cause="identity-shared", returned=True)) is CureCause.IDENTITY
    assert origin(judged(cause="image-unknown")) is CureCause.UNKNOWN


@pytest.mark.parametrize("action", list(Action))
@pytest.mark.parametrize("returned", [False, True])
@pytest.mark.parametrize("cohort", [None, *KINDS.values(), SPLIT, VARIED])
def test_actions_are_only_strengthened(action: Action, returned: bool, cohort: Cohort | None) -> None:
    found = judged(action, cohort, returned=returned)
    assert found.action in {action, Action.REBAKE}
    assert found.action >= action
    assert (found.action is action) or action in {Action.ROTATE, Action.REPLACE}


@pytest.mark.parametrize("returned", [False, True])
def test_an_incident_is_never_baked(returned: bool) -> None:
    assert judged(Action.REPLACE, KINDS[CohortClass.ALL_LATER], returned=returned).action is Action.REPLACE


def test_what_a_rule_allows_stays_allowed_and_asks_for_nothing() -> None:
    found = judged(Action.NONE, KINDS[CohortClass.ALL_AT_FIRST], state=State.ALLOWED)
    assert (found.action, found.state) == (Action.NONE, State.ALLOWED)


@pytest.mark.parametrize(
    ("found", "action", "cure", "ending"),
    [
        (judged(), "replace", Cure(True, CureCause.HOST), "F-1: replace it now."),
        (
            judged(cohort=KINDS[CohortClass.ONE]),
            "replace",
            Cure(True, CureCause.HOST),
            "F-1 (on this host alone of 40 scanned hosts of this image): replace it now.",
        ),
        (
            judged(cohort=KINDS[CohortClass.ALL_AT_FIRST]),
            "rebake",
            Cure(False, CureCause.IMAGE),
            "hosts of this image, and so at the first scan of each): mend the image or its pipeline and bake again.",
        ),
        (
            judged(cohort=KINDS[CohortClass.ALL_LATER]),
            "replace",
            Cure(None, CureCause.UNKNOWN),
            "replace it now, but find first what changed all hosts of this image: it may do so again.",
        ),
        (
            judged(returned=True),
            "rebake",
            Cure(False, CureCause.PIPELINE),
            "(back after this host was replaced): mend the image or its pipeline and bake again.",
        ),
        (
            judged(Action.QUARANTINE, KINDS[CohortClass.ALL_AT_FIRST]),
            "quarantine",
            Cure(False, CureCause.IMAGE),
            "then replace it, and mend what brings it back: a replacement alone does not end it.",
        ),
    ],
)
def test_recommendation(found: JudgedMutation, action: str, cure: Cure, ending: str) -> None:
    told = recommend([found], [], Verdict.FINDINGS, host="h")
    assert (told.action.word, told.cure) == (action, cure)
    assert told.sentence.endswith(ending)
    assert told.because == ("F-1",)


def test_of_what_is_equally_bad_the_rarer_and_the_incident_come_first() -> None:
    ordered = [CohortClass.ALL_LATER, CohortClass.ONE, CohortClass.SOME, CohortClass.ALL]
    found = [judged(cohort=KINDS[kind], name=f"F-{9 - number}") for number, kind in enumerate(ordered)]
    told = recommend(found[::-1], [], Verdict.FINDINGS, host="h")
    assert told.because == tuple(each.mutation.id for each in found)


def test_what_a_host_alone_has_is_named_however_much_befell_all_hosts() -> None:
    fleet = [judged(cohort=KINDS[CohortClass.ALL_LATER], name=f"F-{number}") for number in range(1, 6)]
    own = judged(cohort=KINDS[CohortClass.ONE], name="F-9")
    told = recommend([*fleet, own], [], Verdict.FINDINGS, host="h").sentence
    assert told.count("on this host alone") == 1
    assert "and 3 more findings" in told


def test_severity_and_action_come_before_prevalence() -> None:
    common = judged(Action.QUARANTINE, KINDS[CohortClass.ALL], name="F-9")
    rare = judged(Action.REPLACE, KINDS[CohortClass.ONE], name="F-1")
    assert recommend([rare, common], [], Verdict.FINDINGS, host="h").because == ("F-9",)
    worse = judged(Action.REPLACE, KINDS[CohortClass.ALL], name="F-9", severity=Severity.CRITICAL)
    assert recommend([rare, worse], [], Verdict.FINDINGS, host="h").because == ("F-9", "F-1")


def test_labels_cannot_write_into_the_sentence() -> None:
    bad = Cohort(kind=CohortClass.SOME, hosts=2, of=9, by=(Separator("az", Relation.IS, "\x1b[2J\n"),))
    told = recommend([judged(cohort=bad)], [], Verdict.FINDINGS, host="h")
    assert told.sentence.isprintable()


def test_the_published_classes_are_the_code() -> None:
    """docs/reference/recommendations.md: class | ... | cause | rotate and replace become."""
    page = (Path(__file__).parents[2] / "docs" / "reference" / "recommendations.md").read_text()
    rows = [
        [cell.strip().replace("`", "") for cell in line.strip("|").split("|")]
        for line in page.splitlines()
        if line.startswith("| `")
    ]
    told = {row[0]: tuple(row[2:]) for row in rows if len(row) == 4 and row[0] in {*CohortClass, "returned"}}
    assert set(told) == {*(kind.value for kind in CohortClass), "returned"}

    def said(found: JudgedMutation) -> tuple[str, str]:
        return origin(found).value, found.action.word if found.action is not Action.REPLACE else "as written"

    assert {kind.value: said(judged(cohort=cohort)) for kind, cohort in KINDS.items()} == {
        name: (cause.partition(" ")[0].rstrip(","), action)
        for name, (cause, action) in told.items()
        if name != "returned"
    }
    assert said(judged(returned=True)) == told["returned"]
    assert {(written, cause) for written, cause in CURED} == {
        (written, cause)
        for written in (Action.ROTATE, Action.REPLACE)
        for cause in (CureCause.IMAGE, CureCause.PIPELINE)
    }
