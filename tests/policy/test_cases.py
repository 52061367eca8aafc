"""Inline cases: what makes one fail, by what a case says and by what other rules of the file say."""

from pathlib import Path

import pytest

from driftscan.policy.cases import CaseResult, run, untested
from tests.policy.support import loaded

CONTROL = """
  - id: {id}
    title: T
    severity: high
    recommendation: rebake
    why: w
    over: user
    {body}
"""
DRIFT = """
  - id: {id}
    title: T
    on: mutation
    severity: {severity}
    recommendation: observe
    why: w
    match: {match}
"""


def _control(name: str, body: str, *cases: str) -> str:
    return CONTROL.format(id=name, body=body.replace("; ", "\n    ")) + _cases(cases)


def _drift(name: str, match: str, *cases: str, severity: str = "low") -> str:
    return DRIFT.format(id=name, match=match, severity=severity) + _cases(cases)


def _cases(cases: tuple[str, ...]) -> str:
    return "".join(["    tests:\n", *(f"      - {case}\n" for case in cases)]) if cases else ""


def _run(directory: Path, *rules: str) -> list[CaseResult]:
    return list(run(loaded(directory, "rules:" + "".join(rules))))


UID = "require: {uid: 0}; missing: pass"


@pytest.mark.parametrize(
    ("listed", "lacking", "unexpected"),
    [
        ("[a, b]", (), ()),
        ("all", ("c",), ()),
        ("[a]", (), ("b",)),
        ("[a, b, d]", ("d",), ()),
        ("[a, d]", ("d",), ("b",)),
    ],
)
def test_what_is_at_fault_can_be_named(
    tmp_path: Path, listed: str, lacking: tuple[str, ...], unexpected: tuple[str, ...]
) -> None:
    case = f"{{expect: fail, at_fault: {listed}, facts: {{user: {{a: {{uid: 1}}, b: {{uid: 2}}, c: {{uid: 0}}}}}}}}"
    (result,) = _run(tmp_path, _control("r", UID, case))
    assert (result.lacking, result.unexpected) == (lacking, unexpected)
    assert result.passed is not bool(lacking or unexpected)


def test_a_result_that_differs_has_its_place_and_evidence(tmp_path: Path) -> None:
    (result,) = _run(tmp_path, _control("r", UID, "{expect: pass, facts: {user: {a: {uid: 1}}}}"))
    assert not result.passed
    assert result.said.result == "fail"
    assert result.said.evidence == ("user a: uid is 1, expected 0",)
    assert result.where.endswith("ours.yaml:14")


def test_another_control_that_finds_fault_with_a_good_example_is_unexpected(tmp_path: Path) -> None:
    facts = "{expect: pass, facts: {user: {a: {uid: 0, shell: /bin/sh}}}}"
    good, other = _control("r", UID, facts), _control("no-shell", "forbid: {shell: /bin/sh}")
    (result,) = _run(tmp_path, good, other)
    assert result.holds
    assert not result.passed
    assert [(rule.id, lines) for rule, lines in result.others] == [("no-shell", ("user a: shell is /bin/sh",))]


@pytest.mark.parametrize(
    "body",
    [
        "key: b; require: {uid: 0}; missing: fail",
        "require: {any: {uid: 5}}; missing: fail",
        "require: {count: {ge: 2}}",
        "forbid: {gid: 5}",
        "forbid: {uid: 0}; applies_to: {role: db}",
    ],
)
def test_what_the_few_facts_of_a_case_lack_is_not_held_against_it(tmp_path: Path, body: str) -> None:
    """Another key, another item, more of them, a column that the case leaves out; a rule for other hosts."""
    (result,) = _run(
        tmp_path, _control("r", UID, "{expect: pass, facts: {user: {a: {uid: 0}}}}"), _control("other", body)
    )
    assert result.passed


def test_a_failing_case_is_no_example_of_a_good_host(tmp_path: Path) -> None:
    (result,) = _run(
        tmp_path, _control("r", UID, "{expect: fail, facts: {user: {a: {uid: 1}}}}"), _control("s", "forbid: {uid: 1}")
    )
    assert result.passed


MATCH = "{expect: match, mutation: {cause: binary-added, subject: /usr/bin/x}}"


@pytest.mark.parametrize(("severity", "passes"), [("info", True), ("critical", False)])
def test_a_more_severe_rule_that_judges_the_mutation_is_unexpected(tmp_path: Path, severity: str, passes: bool) -> None:
    (result,) = _run(
        tmp_path,
        _drift("r", "{cause: binary-added}", MATCH),
        _drift("other", "{subject: /usr/**}", severity=severity),
    )
    assert result.holds
    assert result.passed is passes


def test_an_allow_rule_matches_what_it_covers_wholly(tmp_path: Path) -> None:
    rule = """
  - id: content
    title: T
    on: mutation
    match: {key: /srv/**}
    allow: deployed
    tests:
      - expect: match
        mutation: {cause: file-added, differences: [{kind: file, key: /srv/a, change: added}]}
      - expect: no-match
        mutation:
          cause: file-added
          differences: [{kind: file, key: /srv/a, change: added}, {kind: file, key: /etc/b, change: added}]
"""
    assert all(result.passed for result in _run(tmp_path, rule))


def test_what_a_rule_has_no_case_for(tmp_path: Path) -> None:
    (one,) = loaded(tmp_path, "rules:" + _control("r", UID, "{expect: pass, facts: {}}") + _drift("s", "{grade: none}"))
    assert [untested(rule) for rule in one.rules] == [("fail",), ("match", "no-match")]
