"""Controls over facts: selection, quantifiers, what is missing, and what could not be seen."""

from collections.abc import Iterator
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from driftscan import policy
from driftscan.model.finding import Action, CureCause, JudgedControl, Result
from driftscan.model.resource import Plane, Value
from driftscan.model.snapshot import ImageRef
from driftscan.policy.compile import compile_policy
from driftscan.policy.compile_conditions import compile_predicate
from driftscan.policy.facts import Facts as FactsView
from driftscan.policy.model import Control, Selection
from driftscan.policy.outcome import MAX_EVIDENCE, outcome
from driftscan.policy.scope import Scope
from driftscan.yaml_strict import parse
from tests.policy.support import HEAD, KINDS, Facts, loaded, manifest, snapshot

Columns = dict[str, Value]
RULE = """rules:
  - id: r
    title: T
    severity: high
    recommendation: rebake
    why: w
    {}
"""
ROOT: Facts = {"user": {"root": {"uid": 0, "gid": 0, "shell": "/bin/bash"}}}


def _judge(
    directory: Path,
    body: str,
    facts: Facts,
    *,
    gaps: tuple[str, ...] = (),
    covered: tuple[str, ...] = (),
    context: policy.Context | None = None,
    live: bool = True,
) -> JudgedControl:
    policies = loaded(directory, RULE.format(body.replace("; ", "\n    ")))
    seen = snapshot(facts, gaps=gaps, covered=covered, live=live)
    return policy.judge_controls(policies, seen, context or policy.Context())[0]


def _users(**rows: Columns) -> Facts:
    return {"user": rows}


ANY = "over: user; where: {uid: {ge: 1000}}; require: {any: {shell: /bin/sh}}; missing: fail"
EVERY = "over: user; where: {uid: {ge: 1000}}; require: {shell: /bin/sh}; missing: fail"
NONE = "over: user; where: {uid: {ge: 1000}}; require: {none: {shell: /bin/sh}}; missing: pass"
FORBID = "over: user; where: {uid: {ge: 1000}}; forbid: {shell: /bin/sh}"
COUNT = "over: user; where: {uid: {ge: 1000}}; require: {count: {ge: 1, le: 2}}"
SH: Columns = {"uid": 1000, "shell": "/bin/sh"}
BASH: Columns = {"uid": 1000, "shell": "/bin/bash"}
UNREAD: Columns = {"uid": 1000}
UNPLACED: Columns = {"shell": "/bin/sh"}


@pytest.mark.parametrize(
    ("body", "rows", "expected"),
    [
        (ANY, {}, "fail"),
        (ANY, {"a": BASH}, "fail"),
        (ANY, {"a": BASH, "b": SH}, "pass"),
        (ANY, {"a": BASH, "b": UNREAD}, "unknown"),
        (ANY, {"a": SH, "b": UNREAD}, "pass"),
        (ANY, {"a": UNPLACED}, "unknown"),
        (EVERY, {}, "fail"),
        (EVERY, {"a": SH}, "pass"),
        (EVERY, {"a": SH, "b": BASH}, "fail"),
        (EVERY, {"a": SH, "b": UNREAD}, "unknown"),
        (EVERY, {"a": BASH, "b": UNREAD}, "fail"),
        (EVERY, {"a": UNPLACED}, "unknown"),
        (EVERY, {"a": SH, "b": UNPLACED}, "pass"),
        (EVERY, {"a": SH, "b": {"shell": "/bin/bash"}}, "unknown"),
        (NONE, {}, "pass"),
        (NONE, {"a": SH}, "fail"),
        (NONE, {"a": BASH}, "pass"),
        (FORBID, {}, "pass"),
        (FORBID, {"a": SH, "b": BASH}, "fail"),
        (FORBID, {"a": BASH, "b": UNREAD}, "unknown"),
        (FORBID, {"a": UNPLACED}, "unknown"),
        (FORBID, {"a": {"shell": "/bin/bash"}}, "pass"),
        (COUNT, {}, "fail"),
        (COUNT, {"a": SH}, "pass"),
        (COUNT, {"a": SH, "b": SH, "c": SH}, "fail"),
        (COUNT, {"a": SH, "b": UNPLACED}, "pass"),
        (COUNT, {"a": SH, "b": SH, "c": UNPLACED}, "unknown"),
        (COUNT, {"a": UNPLACED}, "unknown"),
    ],
)
def test_quantifiers(tmp_path: Path, body: str, rows: dict[str, Columns], expected: str) -> None:
    assert _judge(tmp_path, body, _users(**rows)).result == expected


@pytest.mark.parametrize(
    ("body", "facts", "gaps", "expected"),
    [
        (EVERY, {"a": SH}, ("user:b*",), "unknown"),
        (EVERY, {"a": BASH}, ("user:b*",), "fail"),
        (ANY, {"a": SH}, ("user:b*",), "pass"),
        (ANY, {}, ("user:b*",), "unknown"),
        (FORBID, {}, ("user:b*",), "unknown"),
        (FORBID, {"a": SH}, ("user:b*",), "fail"),
        (COUNT, {"a": SH}, ("user:b*",), "unknown"),
        (COUNT, {"a": SH, "b": SH, "c": SH}, ("user:d*",), "fail"),
        ("over: user; where: {uid: 1000}; require: present", {"a": SH}, ("user:b*",), "pass"),
        ("over: user; key: root; require: {uid: 0}; missing: fail", {"root": {"uid": 0}}, ("user:*",), "pass"),
        ("over: user; key: root; require: {uid: 0}; missing: fail", {}, ("user:*",), "unknown"),
        ("over: user; key: root; require: {uid: 0}; missing: fail", {}, ("user:other",), "fail"),
        ('over: user; key: "r*"; require: {uid: 0}; missing: pass', {}, ("user:x*",), "pass"),
        ('over: user; key: "r*"; require: {uid: 0}; missing: pass', {}, ("user:ro*",), "unknown"),
        ('over: user; key: "r*"; require: {uid: 0}; missing: pass', {"root": {"uid": 0}}, ("user:root",), "pass"),
        ('over: user; key: "r*"; require: {uid: 0}; missing: pass', {}, ("user:root",), "unknown"),
    ],
)
def test_gaps_are_never_passed(
    tmp_path: Path, body: str, facts: dict[str, Columns], gaps: tuple[str, ...], expected: str
) -> None:
    found = _judge(tmp_path, body, {"user": facts}, gaps=gaps)
    assert found.result == expected
    if expected == "unknown":
        assert any("permission denied" in line for line in found.evidence)


def test_a_kind_that_nothing_collected_is_unknown(tmp_path: Path) -> None:
    found = _judge(tmp_path, FORBID, {"group": {}})
    assert (found.result, found.evidence) == (Result.UNKNOWN, ("user: not collected",))


def test_a_kind_of_running_systems_does_not_apply_to_one_at_rest(tmp_path: Path) -> None:
    body = "over: listen; forbid: present"
    assert _judge(tmp_path, body, {}, live=False).result == "not-applicable"
    assert _judge(tmp_path, body, {}, live=True).result == "unknown"


@pytest.mark.parametrize(
    ("missing", "rows", "expected"),
    [
        ("fail", {}, "fail"),
        ("pass", {}, "pass"),
        ("not-applicable", {}, "not-applicable"),
        ("fail", {"a": SH}, "fail"),
        ("pass", {"a": SH}, "pass"),
        ("not-applicable", {"a": SH}, "pass"),
        ("not-applicable", {"a": BASH}, "fail"),
        ("pass", {"a": SH, "b": BASH}, "fail"),
    ],
)
def test_each_named_resource_that_is_missing_counts(
    tmp_path: Path, missing: str, rows: dict[str, Columns], expected: str
) -> None:
    body = f"over: user; key: [a, b]; require: {{shell: /bin/sh}}; missing: {missing}"
    assert _judge(tmp_path, body, _users(**rows)).result == expected


def test_default_stands_for_what_is_missing(tmp_path: Path) -> None:
    body = "over: user; key: a; default: {shell: /bin/bash}; require: {shell: /bin/sh}"
    assert _judge(tmp_path, body, _users(a=SH)).result == "pass"
    found = _judge(tmp_path, body, _users(b=SH))
    assert found.result == "fail"
    assert found.evidence == ("user a: shell is /bin/bash, expected /bin/sh (the built-in default)",)


@pytest.mark.parametrize(
    ("facts", "gaps", "expected"),
    [
        ({"package": {"ssh/all": {"status": "installed"}}, **ROOT}, (), "pass"),
        ({"package": {"ssh/all": {"status": "config-files"}}, **ROOT}, (), "not-applicable"),
        ({"package": {}, **ROOT}, (), "not-applicable"),
        ({"package": {}, **ROOT}, ("package:s*",), "unknown"),
        (ROOT, (), "unknown"),
    ],
)
def test_only_if(tmp_path: Path, facts: Facts, gaps: tuple[str, ...], expected: str) -> None:
    body = (
        "over: user; key: root; require: {uid: 0}; missing: fail; "
        'only_if: [{over: package, key: "ssh/*", where: {status: installed}, require: present}]'
    )
    assert _judge(tmp_path, body, facts, gaps=gaps).result == expected


@pytest.mark.parametrize(
    ("applies", "context", "expected"),
    [
        ("{os: debian}", policy.Context(os={"platform": "debian"}), "pass"),
        ("{os: debian}", policy.Context(os={"platform": "ubuntu", "platform_like": "debian"}), "pass"),
        ("{os: debian/12}", policy.Context(os={"platform": "debian", "version_id": "12"}), "pass"),
        ('{os: "debian/1[12]"}', policy.Context(os={"platform": "debian", "version_id": "12"}), "not-applicable"),
        ("{os: debian/13}", policy.Context(os={"platform": "debian", "version_id": "12"}), "not-applicable"),
        ("{os: [alpine, debian]}", policy.Context(os={"platform": "debian"}), "pass"),
        ("{os: debian}", policy.Context(), "unknown"),
        ("{os: debian, role: db}", policy.Context(labels={"role": "web"}), "not-applicable"),
        ("{role: web}", policy.Context(labels={"role": "web"}), "pass"),
        ("{label: {env: prod*}}", policy.Context(labels={"env": "production"}), "pass"),
        ("{label: {env: prod}}", policy.Context(), "not-applicable"),
        ("{image: ami-1}", policy.Context(), "not-applicable"),
    ],
)
def test_applies_to(tmp_path: Path, applies: str, context: policy.Context, expected: str) -> None:
    body = f"over: user; key: root; require: {{uid: 0}}; missing: fail; applies_to: {applies}"
    assert _judge(tmp_path, body, ROOT, context=context).result == expected


def test_image_patterns(tmp_path: Path) -> None:
    body = "over: user; key: root; require: {uid: 0}; missing: fail; applies_to: {image: [web-*]}"
    context = policy.Context(image=ImageRef("web-1"))
    assert _judge(tmp_path, body, ROOT, context=context).result == "pass"


def test_files_are_looked_up_and_searched(tmp_path: Path) -> None:
    file: dict[str, Columns] = {
        "/etc/cron.d/a": {"type": "regular", "mode": "0666", "uid": 0},
        "/etc/cron.d/b": {"type": "regular", "mode": "0644", "uid": 0},
        "/etc/cron.d/link": {"type": "symlink", "uid": 0, "target": "b"},
        "/etc/cron.daily/c": {"type": "regular", "mode": "0666", "uid": 0},
        "/etc/cron.d/sub/d": {"type": "regular", "mode": "0666", "uid": 0},
        "/etc/cron.d/unread": {"type": "regular", "uid": 0},
    }
    found = _judge(tmp_path, 'over: file; key: "/etc/cron.d/*"; forbid: {mode: {mode_has: "0022"}}', {"file": file})
    assert (found.result, found.evidence) == (Result.FAIL, ("file /etc/cron.d/a: mode is 0666",))
    found = _judge(tmp_path, 'over: file; key: "/etc/cron.d/*"; where: {mode: "0644"}; forbid: present', {"file": file})
    assert found.evidence == ("file: 1 like /etc/cron.d/* with mode 0644, expected 0", "file /etc/cron.d/b")
    whole = 'over: file; where: {type: regular, mode: {mode_has: "0002"}}; forbid: {uid: 0}'
    assert [line.split()[1] for line in _judge(tmp_path, whole, {"file": file}).evidence] == [
        "/etc/cron.d/a:",
        "/etc/cron.d/sub/d:",
        "/etc/cron.daily/c:",
    ]


def test_a_survey_of_the_tree_does_not_pass_over_what_was_not_read(tmp_path: Path) -> None:
    """The sieve lets records through that lack the column: without it on one file the answer is not known."""
    body = "over: file; where: {type: regular, capabilities: {present: true}}; forbid: present"
    clean: dict[str, Value] = {"type": "regular", "mode": "0755", "capabilities": ""}
    assert _judge(tmp_path, body, {"file": {"/a": clean}}).result == "pass"
    assert _judge(tmp_path, body, {"file": {"/a": {**clean, "capabilities": "cap_net_raw=ep"}}}).result == "fail"
    assert (
        _judge(tmp_path, body, {"file": {"/a": clean, "/b": {"type": "regular", "mode": "0755"}}}).result == "unknown"
    )
    assert _judge(tmp_path, body, {"file": {"/a": clean, "/b": {"type": "symlink"}}}).result == "pass"


def test_message_shows_facts_and_nothing_of_them_is_a_template(tmp_path: Path) -> None:
    body = 'over: user; require: {uid: 0}; missing: fail; message: "{key} is {uid} with {shell}"'
    facts = _users(a={"uid": 5, "shell": "{uid}\x1b[2J"})
    assert _judge(tmp_path, body, facts).evidence == ("a is 5 with {uid}\\x1b[2J",)


def test_evidence_is_bounded(tmp_path: Path) -> None:
    facts = _users(**{f"u{index:04}": SH for index in range(MAX_EVIDENCE + 5)})
    found = _judge(tmp_path, FORBID, facts)
    assert len(found.evidence) == MAX_EVIDENCE + 1
    assert found.evidence[-1] == "and 5 more"


@pytest.mark.parametrize(
    ("baked", "given", "found"),
    [
        ({"a": SH}, ("rebake", "high"), (CureCause.IMAGE, Action.REBAKE)),
        ({"a": SH}, ("rotate", "high"), (CureCause.IMAGE, Action.REBAKE)),
        ({"a": SH}, ("replace", "high"), (CureCause.IMAGE, Action.REBAKE)),
        ({"a": SH}, ("observe", "high"), (CureCause.IMAGE, Action.OBSERVE)),
        ({"a": SH}, ("quarantine", "critical"), (CureCause.IMAGE, Action.QUARANTINE)),
        ({"a": BASH}, ("rebake", "high"), (CureCause.HOST, Action.REPLACE)),
        ({"a": BASH}, ("rebake", "medium"), (CureCause.HOST, Action.ROTATE)),
        ({"a": BASH}, ("replace", "high"), (CureCause.HOST, Action.REPLACE)),
        ({"b": SH}, ("rebake", "high"), (CureCause.HOST, Action.REPLACE)),
        ({"a": UNREAD}, ("rebake", "high"), (CureCause.UNKNOWN, Action.REBAKE)),
    ],
)
def test_action_follows_where_the_fault_lies(
    tmp_path: Path, baked: dict[str, Columns], given: tuple[str, str], found: tuple[CureCause, Action]
) -> None:
    text = RULE.format(FORBID.replace("; ", "\n    ")).replace("rebake", given[0]).replace("high", given[1])
    context = policy.Context(manifest=manifest({"user": baked}))
    judged = policy.judge_controls(loaded(tmp_path, text), snapshot({"user": {"a": SH}}), context)[0]
    assert (judged.cause, judged.action) == found


def test_a_stand_in_or_a_kind_that_the_image_lacks_tells_nothing(tmp_path: Path) -> None:
    for image in (manifest({"user": {"a": SH}}, stand_in=True), manifest({"group": {}})):
        found = _judge(tmp_path, FORBID, _users(a=SH), context=policy.Context(manifest=image))
        assert (found.cause, found.action) == (CureCause.UNKNOWN, Action.REBAKE)


def test_finding_is_stable_and_action_is_none_unless_it_failed(tmp_path: Path) -> None:
    failed, passed = _judge(tmp_path, FORBID, _users(a=SH)), _judge(tmp_path, FORBID, _users(a=BASH))
    assert failed.finding == passed.finding == "C-da6b6b4bed46"
    assert passed.action is Action.NONE
    assert (failed.rule.id, failed.rule.line) == ("r", 5)


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.fixed_dictionaries(
            {"type": st.sampled_from(["regular", "directory", "symlink"])},
            optional={
                "mode": st.sampled_from(["0644", "0666", "1777", "4755"]),
                "uid": st.sampled_from([0, 1000]),
                "capabilities": st.sampled_from(["", "cap_net_raw=ep", 'a",b}\\']),
            },
        ),
        max_size=12,
    ),
    st.sampled_from(
        [
            {"type": "regular", "mode": {"mode_has": "6002"}},
            {"uid": {"not": 0}},
            {"capabilities": {"present": True}, "uid": 0},
            {"mode": {"known": True}},
            {"capabilities": {"contains": '"'}},
            {"key": {"not": {"glob": ["*/f0?", "/f11"]}}},
            {"uid": 0, "key": "/f02"},
        ]
    ),
)
def test_survey_of_the_tree_finds_what_looking_at_each_file_finds(rows: list[Columns], asked: dict[str, Any]) -> None:
    """The shortcut through the encoded records never loses a file of which the predicate holds or may hold."""
    keyed = {f"/f{index:02}": columns for index, columns in enumerate(rows)}
    predicate = compile_predicate(Scope(parse("{}", ""), KINDS), KINDS["file"], asked, ())
    facts = FactsView.of(snapshot({"file": keyed}))
    selected = facts.select(Selection(kind="file", plane=Plane.IMAGE, where=predicate))
    everything = facts.select(Selection(kind="file", plane=Plane.IMAGE))
    truths = {row.key: predicate.holds(row) for row in everything.rows}
    assert [row.key for row in selected.rows] == [key for key, truth in truths.items() if truth is True]
    assert [row.key for row in selected.doubtful] == [key for key, truth in truths.items() if truth is None]


NAMED = "over: user; key: [b, a]; missing: fail; require: {uid: 0}"


@pytest.mark.parametrize(
    ("body", "facts", "expected"),
    [
        (NAMED, _users(a={"uid": 0}, b={"uid": 1}), ["b"]),
        (NAMED, _users(a={"uid": 0}), ["b"]),
        (NAMED, _users(a={"uid": 0}, b={"uid": 0}), []),
        (NAMED, _users(a={"uid": 0}, b={}), ["b", "a"]),
        (FORBID, _users(a=SH, b=SH, c=BASH), ["a", "b"]),
        (ANY, _users(), []),
    ],
)
def test_what_it_is_about(tmp_path: Path, body: str, facts: Facts, expected: list[str]) -> None:
    """The resources that fail it; where that is not known, those that it names."""
    found = _judge(tmp_path, body, facts, covered=("user",))
    assert found.about == tuple(("user", key) for key in expected)
    assert found.rule.why


@pytest.mark.parametrize(
    ("body", "facts"),
    [
        ("over: user; key: [a, b]; require: {uid: 0}; missing: pass", {"a": {"uid": 1}}),
        ("over: user; key: [a, b, 'c*']; require: {uid: 0}; missing: not-applicable", {"a": {"uid": 1}}),
        ("over: user; key: [a, b]; forbid: present", {"a": {"uid": 1}}),
    ],
)
def test_what_may_be_missing_is_not_told_as_a_fault(tmp_path: Path, body: str, facts: dict[str, Columns]) -> None:
    judged = _judge(tmp_path, body, {"user": facts})
    assert judged.result is Result.FAIL
    assert not any("not there" in line for line in judged.evidence)


def test_what_may_be_missing_does_not_set_a_host_apart_from_its_image(tmp_path: Path) -> None:
    """The image has both files wrong, the host lost one of them: what is wrong still comes from the image."""
    baked = manifest({"user": {"a": {"uid": 1}, "b": {"uid": 1}}})
    body = "over: user; key: [a, b]; require: {uid: 0}; missing: pass"
    judged = _judge(tmp_path, body, {"user": {"a": {"uid": 1}}}, context=policy.Context(manifest=baked))
    assert judged.cause is CureCause.IMAGE


SHELLS = ("/bin/sh", "/bin/bash")


def _completed(rows: list[Columns], hidden: bool) -> Iterator[Facts]:
    """Every way in which what is not known of the rows may be, and what may lie behind the gap."""
    seen = [
        [
            {"uid": uid, "shell": shell}
            for uid in _either(row, "uid", (0, 1000))
            for shell in _either(row, "shell", SHELLS)
        ]
        for row in rows
    ]
    unseen: list[list[Columns]] = [[]]
    if hidden:
        unseen += [[{"uid": 1000, "shell": shell}] * number for shell in SHELLS for number in (1, 3)]
    for known in product(*seen):
        for more in unseen:
            yield _users(**{f"u{index}": columns for index, columns in enumerate((*known, *more))})


def _either(row: Columns, column: str, values: tuple[Value, ...]) -> tuple[Value, ...]:
    return (row[column],) if column in row else values


@pytest.mark.parametrize("missing", ["pass", "fail", "not-applicable"])
@pytest.mark.parametrize("body", [ANY, EVERY, NONE, FORBID, COUNT])
@settings(max_examples=25)
@given(
    rows=st.lists(
        st.fixed_dictionaries({}, optional={"uid": st.sampled_from([0, 1000]), "shell": st.sampled_from(SHELLS)}),
        max_size=3,
    ),
    hidden=st.booleans(),
)
def test_a_result_is_what_all_that_may_be_true_agree_on(
    body: str, missing: str, rows: list[Columns], hidden: bool
) -> None:
    """The published table: a control passes or fails only if it would whatever the unknown facts are; where it is known
    what is selected, it also does so always then."""
    control = _compiled(body, missing)
    seen = snapshot(
        _users(**{f"u{index}": row for index, row in enumerate(rows)}), covered=["user"], gaps=["user:x*"] * hidden
    )
    found = outcome(control, FactsView.of(seen)).result
    possible = {outcome(control, FactsView.of(snapshot(facts))).result for facts in _completed(rows, hidden)}
    if found is Result.UNKNOWN:
        assert len(possible) > 1 or any("uid" not in row for row in rows)
    else:
        assert possible == {found}


@cache
def _compiled(body: str, missing: str) -> Control:
    head, _, _ = body.partition("; missing:")
    text = RULE.format((head if "count" in body else f"{head}; missing: {missing}").replace("; ", "\n    "))
    ((control,),) = (each.controls for each in [compile_policy(parse(HEAD + text, "ours.yaml"), KINDS, {})])
    return control


def test_a_service_that_is_named_without_its_type_is_told_of_it(tmp_path: Path) -> None:
    facts: Facts = {"service": {"ssh.service": {"unit_file_state": "enabled"}}}
    judged = _judge(tmp_path, "over: service; key: ssh; require: {unit_file_state: enabled}; missing: fail", facts)
    assert judged.evidence == ("service ssh: not there (names of units end in their type: ssh.service)",)
