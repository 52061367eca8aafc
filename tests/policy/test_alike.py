"""What is remembered of one host for another changes no answer: judged together, each is judged as by itself."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from driftscan import policy
from driftscan.model.finding import CureCause, Result
from driftscan.model.resource import Resource, Value
from driftscan.model.snapshot import Snapshot
from driftscan.policy.alike import Alike
from driftscan.policy.compile_conditions import compile_predicate
from driftscan.policy.conditions import Row
from driftscan.policy.model import Policy
from driftscan.policy.scope import Scope
from driftscan.yaml_strict import parse
from tests.policy.support import KINDS, Facts, loaded, manifest, snapshot

Columns = dict[str, Value]
Changes = dict[str, dict[str, Columns | None]]
Host = tuple[Changes, list[str], bool, str]
USERS: dict[str, Columns] = {f"u{index}": {"uid": index, "shell": "/bin/sh", "gid": 0} for index in range(6)}
CERTIFICATES: dict[str, Columns] = {f"c{index}": {"not_valid_after": "2026-12-31T00:00:00Z"} for index in range(3)}
SYSCTL: dict[str, Columns] = {name: {"current_value": "1"} for name in ("net.a", "net.b", "vm.c", "vm.d")}
BASE: dict[str, dict[str, Columns]] = {"user": USERS, "ca_certificate": CERTIFICATES, "sysctl": SYSCTL, "group": {}}
RULES = {
    "every": "over: user, where: {uid: {ge: 2}}, require: {shell: /bin/sh}, missing: fail",
    "any": "over: user, require: {any: {shell: /bin/bash}}, missing: fail",
    "none": "over: user, where: {shell: /bin/sh}, require: {none: {uid: 1}}, missing: not-applicable",
    "forbid": "over: user, forbid: {uid: {in: [1, 3]}, gid: 0}",
    "literal": "over: user, require: {gid: 0}, missing: pass, message: '{key} has {gid} and {shell}'",
    "either": "over: user, forbid: {any_of: [{uid: 5}, {not: {shell: {present: true}}}]}",
    "count": "over: user, where: {uid: 0}, require: {count: 1}",
    "named": "over: user, key: [u1, u9], require: {shell: /bin/sh}, missing: fail",
    "globs": "over: sysctl, key: ['net.*', vm.d], missing: fail, require: {current_value: '1'}",
    "default": "over: sysctl, key: vm.z, default: {current_value: '1'}, require: {current_value: '0'}",
    "premise": "over: sysctl, only_if: [{over: user, require: {any: {uid: 1}}}], forbid: {current_value: '2'}",
    "timed": "over: ca_certificate, forbid: {not_valid_after: {due_within: 30 days}}",
    "timed where": "over: ca_certificate, where: {not_valid_after: {due_within: 9 days}}, require: {count: 0}",
    "derived": "over: account_id, require: {names: {count: {le: 1}}}, missing: pass",
    "alive": "over: sysctl, require: present",
    "system": "over: user, applies_to: {os: [debian]}, forbid: {uid: 4}",
}
_NUMBERS = st.sampled_from([0, 1, True, 3])
_USER = st.fixed_dictionaries(
    {}, optional={"uid": _NUMBERS, "gid": _NUMBERS, "shell": st.sampled_from(["/bin/bash", ""])}
)
_VALUE = st.fixed_dictionaries({"current_value": st.sampled_from(["1", "2", ""])})
_TIMES = st.sampled_from(["2026-12-31T00:00:00Z", "2020-01-01T00:00:00Z", "soon"])
_TIME = st.fixed_dictionaries({"not_valid_after": _TIMES})
_CHANGES = st.fixed_dictionaries(
    {},
    optional={
        "user": st.dictionaries(st.sampled_from([*USERS, "u9"]), _USER | st.none(), max_size=3),
        "sysctl": st.dictionaries(st.sampled_from([*SYSCTL, "vm.z"]), _VALUE | st.none(), max_size=2),
        "ca_certificate": st.dictionaries(st.sampled_from([*CERTIFICATES]), _TIME | st.none(), max_size=1),
    },
)
_GAPS = st.lists(st.sampled_from(["user", "user:u1", "user:x*", "sysctl:net.**", "ca_certificate:c9"]), max_size=2)
_HOST = st.tuples(_CHANGES, _GAPS, st.booleans(), st.sampled_from(["11", "12"]))
_HOSTS = st.lists(st.tuples(_HOST, st.sampled_from([0, 1])), min_size=1, max_size=5)
PLAIN: Host = ({}, [], True, "11")


@pytest.fixture(scope="module")
def rules(tmp_path_factory: pytest.TempPathFactory) -> tuple[Policy, ...]:
    words = "severity: low, recommendation: observe, why: w"
    text = "".join(f"  - {{id: {name.replace(' ', '-')}, title: T, {body}, {words}}}\n" for name, body in RULES.items())
    return loaded(tmp_path_factory.mktemp("rules"), f"rules:\n{text}")


def facts(changes: Changes) -> Facts:
    mixed = {kind: {**rows, **changes.get(kind, {})} for kind, rows in BASE.items()}
    return {kind: {key: row for key, row in rows.items() if row is not None} for kind, rows in mixed.items()}


def host(changes: Changes, gaps: list[str], live: bool, month: str) -> Snapshot:
    return replace(snapshot(facts(changes), gaps=gaps, live=live), taken_at=f"2026-{month}-26T12:00:00Z")


@settings(max_examples=60, deadline=None)
@given(_HOSTS, st.tuples(st.none() | _CHANGES, _CHANGES), st.sampled_from([None, "debian", "alpine"]))
def test_the_answers_are_those_of_each_by_itself(
    rules: tuple[Policy, ...],
    hosts: list[tuple[Host, int]],
    images: tuple[Changes | None, Changes],
    system: str | None,
) -> None:
    together = policy.Together()
    baked = [None if each is None else manifest(facts(each)) for each in images]
    for each, image in [(PLAIN, 0), (PLAIN, 1), *hosts, (PLAIN, 0)]:
        taken = host(*each)
        context = policy.Context(manifest=baked[image], os={"platform": system} if system else None)
        alone = policy.judge_controls(rules, taken, context)
        assert policy.judge_controls(rules, taken, context, together) == alone


def test_the_image_is_asked_at_the_time_of_the_host(rules: tuple[Policy, ...]) -> None:
    together, context = policy.Together(), policy.Context(manifest=manifest(facts({})))
    for month, cause in [("12", CureCause.IMAGE), ("11", CureCause.UNKNOWN), ("12", CureCause.IMAGE)]:
        judged = policy.judge_controls(rules, host({}, [], True, month), context, together)
        assert {one.cause for one in judged if one.id == "timed"} == {cause}


def test_a_host_of_which_nothing_differs_is_not_asked_again(rules: tuple[Policy, ...]) -> None:
    together = policy.Together()
    first, second = (
        policy.judge_controls(rules, host({}, [], True, month), policy.Context(), together) for month in ("11", "12")
    )
    kept = {one.id for one, other in zip(first, second, strict=True) if one is other}
    assert {one.id for one in first} - kept == {"timed", "timed-where", "system"}
    assert {one.result for one in first if one.id == "timed"} == {Result.PASS}
    assert {one.result for one in second if one.id == "timed"} == {Result.FAIL}


def test_what_is_equal_and_not_the_same_is_a_row_of_its_own() -> None:
    def resource(key: str, number: Value) -> Resource:
        return Resource("user", key, {"uid": number, "groups": (number,)})

    alike = Alike()
    alike.rows("user", [resource("a", 1), resource("b", 1), resource("c", 2)])
    found = alike.rows("user", [resource("a", 1), resource("b", True), resource("c", 2)])
    assert [row.place for row in found.rows] == [0, -1, 2]
    assert found.other == {"b"}


def test_hosts_of_another_image_stand_for_themselves() -> None:
    alike = Alike()
    ours = [Resource("sysctl", f"a{index}", {"current_value": "1"}) for index in range(4)]
    theirs = [Resource("sysctl", f"a{index}", {"current_value": "2"}) for index in range(4)]
    first, other = alike.rows("sysctl", ours).standing, alike.rows("sysctl", theirs).standing
    assert first is not other
    assert alike.rows("sysctl", theirs).standing is other


_ROWS = st.lists(
    st.builds(
        Row,
        st.sampled_from(["a", "b"]),
        st.fixed_dictionaries({}, optional={"uid": _NUMBERS, "shell": st.sampled_from(["", "/bin/sh"])}),
        st.sampled_from([frozenset(), frozenset({"uid"})]),
    )
)
_ASKED = (
    "{uid: 1}",
    "{uid: {not: 1}}",
    "{key: a}",
    "{shell: {absent: true}}",
    "{uid: {known: true}}",
    "{uid: 1, shell: ''}",
    "{not: {uid: 1}}",
    "{any_of: [{uid: 0}, {shell: /bin/sh}], all_of: [{uid: {ge: 0}}, {key: {in: [a, c]}}]}",
)


@pytest.mark.parametrize("text", _ASKED)
@settings(max_examples=25, deadline=None)
@given(rows=_ROWS)
def test_rows_are_judged_as_one_by_one(text: str, rows: list[Row]) -> None:
    document = parse(text, "p.yaml")
    scope = Scope(document, KINDS)
    predicate = compile_predicate(scope, KINDS["user"], document.data, ())
    scope.finish()
    assert predicate.truths(rows) == [predicate.holds(row) for row in rows]
