"""Drift rules: which one decides, what `allow` may accept, and what nobody thought of."""

from dataclasses import replace
from pathlib import Path

import pytest

from driftscan import policy
from driftscan.model.drift import CauseType, Mutation
from driftscan.model.finding import Action, JudgedMutation, Severity, State
from driftscan.model.proof import Proof, Rank
from tests.policy.support import KINDS, difference, loaded, manifest, mutation


def _rule(name: str, match: str, severity: str = "low", action: str = "observe", more: str = "") -> str:
    judged = more or f"severity: {severity}\n    recommendation: {action}\n    why: w"
    return f"  - id: {name}\n    title: T\n    on: mutation\n    match: {match}\n    {judged}\n"


def _judge(directory: Path, rules: list[str], found: Mutation, context: policy.Context | None = None) -> JudgedMutation:
    policies = loaded(directory, "rules:\n" + "".join(rules))
    return policy.judge_mutations(policies, [found], context or policy.Context())[0]


BINARY = mutation("binary-added", difference("file", "/usr/bin/x", mode="4755", uid=0), subject="/usr/bin/x")


def test_without_a_rule_the_default_judges(tmp_path: Path) -> None:
    found = _judge(tmp_path, [_rule("a", "{cause: file-added}")], BINARY)
    assert (found.rule.id, found.severity, found.action) == ("default", Severity.MEDIUM, Action.REPLACE)
    assert policy.judge_mutations((), [BINARY], policy.Context())[0].rule.id == "default"


def test_the_most_severe_rule_decides_whatever_the_order(tmp_path: Path) -> None:
    rules = [
        _rule("a", "{cause: binary-added}", "high", "replace"),
        _rule("b", "{kind: file}", "critical", "replace"),
        _rule("c", "{cause: binary-added}", "critical", "quarantine"),
        _rule("d", "{cause: binary-added}", "critical", "quarantine"),
    ]
    for order in (rules, rules[::-1]):
        found = _judge(tmp_path, order, BINARY)
        assert (found.severity, found.action) == (Severity.CRITICAL, Action.QUARANTINE)
        assert found.rule.id == ("c" if order is rules else "d")


@pytest.mark.parametrize(
    ("match", "expected"),
    [
        ("{cause: [file-added, binary-added]}", True),
        ("{cause: file-added}", False),
        ("{subject: /usr/bin/*}", True),
        ("{subject: /opt/*}", False),
        ("{grade: recorded}", False),
        ("{key: /usr/bin/*}", True),
        ("{key: /usr/*}", False),
        ("{key: /usr/**}", True),
        ("{kind: user}", False),
        ("{kind: [user, file], change: added}", True),
        ("{kind: file, change: removed}", False),
        ("{kind: file, attribute: [sha256, mode]}", True),
        ("{kind: file, attribute: sha256}", False),
        ("{zone: sealed}", True),
        ("{zone: free}", False),
        ('{kind: file, actual: {mode: {mode_has: "6000"}}}', True),
        ('{kind: file, actual: {mode: "4755", uid: 1}}', False),
        ("{kind: file, actual: {gid: {not: 5}}}", False),
        ("{kind: file, expected: {mode: {absent: true}}}", True),
        ("{cause: binary-added, unless: {subject: /usr/bin/x}}", False),
        ("{cause: binary-added, unless: {subject: /usr/bin/y}}", True),
        ("{baseline: image}", True),
        ("{baseline: stand-in}", False),
    ],
)
def test_match(tmp_path: Path, match: str, expected: bool) -> None:
    assert (_judge(tmp_path, [_rule("a", match)], BINARY).rule.id == "a") is expected


def test_attribution(tmp_path: Path) -> None:
    upgrade = mutation("package-upgraded", actor="alice")
    assert _judge(tmp_path, [_rule("a", "{grade: recorded, actor: al*}")], upgrade).rule.id == "a"
    assert _judge(tmp_path, [_rule("a", "{actor: bob}")], upgrade).rule.id == "default"
    assert _judge(tmp_path, [_rule("a", '{actor: "*?"}')], BINARY).rule.id == "default"


def test_proof(tmp_path: Path) -> None:
    by_host = replace(mutation("package-upgraded"), proof=Proof({Rank.DATABASE: 1}))
    weak = _rule("a", "{cause: package-upgraded, proof: [database, lists]}")
    assert _judge(tmp_path, [weak], by_host).rule.id == "a"
    assert _judge(tmp_path, [weak], replace(by_host, proof=Proof({Rank.ARCHIVE: 1}))).rule.id == "default"
    assert _judge(tmp_path, [_rule("a", "{proof: none}")], BINARY).rule.id == "default"


def test_all_that_is_said_of_differences_holds_of_one_of_them(tmp_path: Path) -> None:
    two = mutation("file-added", difference("file", "/a", mode="4755"), difference("file", "/b", mode="0644"))
    one_of = _rule("a", '{key: "/b", actual: {mode: {mode_has: "6000"}}}')
    assert _judge(tmp_path, [one_of], two).rule.id == "default"


def test_stand_in_baseline(tmp_path: Path) -> None:
    context = policy.Context(manifest=manifest({}, stand_in=True))
    assert _judge(tmp_path, [_rule("a", "{baseline: stand-in}")], BINARY, context).rule.id == "a"


def test_rules_for_other_hosts_do_not_judge(tmp_path: Path) -> None:
    text = _rule("a", "{cause: binary-added}").rstrip() + "\n    applies_to: {role: db}\n"
    assert _judge(tmp_path, [text], BINARY, policy.Context(labels={"role": "web"})).rule.id == "default"
    assert _judge(tmp_path, [text], BINARY, policy.Context(labels={"role": "db"})).rule.id == "a"


ALLOW = "allow: our deploy tool puts it there"
SEVERE = _rule("severe", "{cause: [binary-added, file-added]}", "high", "replace")
WORST = _rule("worst", "{cause: [binary-added, file-added]}", "critical", "quarantine")


def test_allow_accepts_and_still_tells_the_severity(tmp_path: Path) -> None:
    found = _judge(tmp_path, [SEVERE, _rule("ok", "{key: /usr/bin/*}", more=ALLOW)], BINARY)
    assert (found.state, found.rule.id) == (State.ALLOWED, "ok")
    assert (found.severity, found.action) == (Severity.HIGH, Action.NONE)


def test_allow_covers_a_mutation_wholly_or_not_at_all(tmp_path: Path) -> None:
    two = mutation("file-added", difference("file", "/srv/a"), difference("file", "/etc/b"))
    allow = _rule("ok", "{key: /srv/*}", more=ALLOW)
    assert _judge(tmp_path, [SEVERE, allow], two).state is State.OPEN
    both = _rule("ok", "{key: [/srv/*, /etc/*]}", more=ALLOW)
    assert _judge(tmp_path, [SEVERE, both], two).state is State.ALLOWED


@pytest.mark.parametrize(
    ("match", "state"),
    [
        ("{cause: binary-added}", State.OPEN),
        ("{key: /usr/bin/*}", State.OPEN),
        ("{key: /usr/bin/x}", State.ALLOWED),
        ("{subject: /usr/bin/x}", State.ALLOWED),
        ("{subject: /usr/bin/?}", State.OPEN),
    ],
)
def test_quarantine_is_never_allowed_by_wildcard(tmp_path: Path, match: str, state: State) -> None:
    assert _judge(tmp_path, [WORST, _rule("ok", match, more=ALLOW)], BINARY).state is state


def test_what_a_gap_hides_is_no_finding_of_any_severity(tmp_path: Path) -> None:
    unseen = mutation("file-removed", difference("file", "/usr/bin/x", "unknown"))
    found = _judge(tmp_path, [_rule("a", "{cause: file-removed}", "critical", "quarantine")], unseen)
    assert (found.severity, found.action, found.rule.id) == (Severity.INFO, Action.INVESTIGATE, "hidden")


def test_every_mutation_is_judged_once_in_order(tmp_path: Path) -> None:
    many = [mutation("file-added", name=f"F-{index}") for index in range(5)]
    judged = policy.judge_mutations(loaded(tmp_path, "rules:\n" + SEVERE), many, policy.Context())
    assert [each.mutation.id for each in judged] == [each.id for each in many]


LOGIN = mutation("interactive-login", difference("login", "alice/SHA256:a"), subject="alice/SHA256:a", actor="alice")
OF_ROOT = _rule("a", "{cause: interactive-login, actor: root}")
ALLOWED = _rule("b", "{cause: interactive-login, subject: alice/*}", more="allow: it is her server")


def test_a_login_is_a_finding_only_where_a_rule_says_so(tmp_path: Path) -> None:
    for rules in ([_rule("a", "{cause: file-added}")], [OF_ROOT]):
        found = _judge(tmp_path, rules, LOGIN)
        assert (found.state, found.action, found.rule.id) == (State.ALLOWED, Action.NONE, "not-asked")
    found = _judge(tmp_path, [_rule("a", "{cause: interactive-login}", "medium", "rotate")], LOGIN)
    assert (found.state, found.severity, found.action) == (State.OPEN, Severity.MEDIUM, Action.ROTATE)
    found = _judge(tmp_path, [_rule("a", "{cause: interactive-login}", "medium", "rotate"), ALLOWED], LOGIN)
    assert (found.state, found.rule.id) == (State.ALLOWED, "b")


def test_which_causes_are_asked_for(tmp_path: Path) -> None:
    """An allow rule alone is no reason to look, nor is a rule for whatever there is."""
    for rules, expected in (([OF_ROOT], True), ([ALLOWED], False), ([_rule("a", "{kind: file}")], False)):
        policies = loaded(tmp_path, "rules:\n" + "".join(rules))
        assert policy.asks(policies, CauseType.INTERACTIVE_LOGIN) is expected
    for name, expected in (("immutable-core", False), ("server-hardening", False), ("no-logins", True)):
        assert policy.asks(policy.load([name], KINDS), CauseType.INTERACTIVE_LOGIN) is expected
