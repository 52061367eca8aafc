"""Operators, combinations, and Kleene's logic over what is not known."""

from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftscan.errors import UsageError
from driftscan.model.resource import Attribute, Form, Kind, Value
from driftscan.model.times import SECOND
from driftscan.policy.compile_conditions import compile_condition, compile_predicate
from driftscan.policy.conditions import NOWHERE, Predicate, Row
from driftscan.policy.operators import NESTED, OPERATORS
from driftscan.policy.scope import Column, Scope
from driftscan.policy.truth import Truth, every, opposite, some
from driftscan.yaml_strict import parse

KIND = Kind(
    "thing",
    "",
    "name",
    {
        "word": Attribute(str, ""),
        "mode": Attribute(str, ""),
        "number": Attribute(int, ""),
        "flag": Attribute(bool, ""),
        "items": Attribute(tuple, ""),
        "map": Attribute(dict, ""),
        "version": Attribute(str, "", Form.VERSION),
        "since": Attribute(str, "", Form.TIME),
        "bytes": Attribute(int, "", Form.SIZE),
    },
)
TRUTHS: tuple[Truth, ...] = (True, False, None)


def _scope() -> Scope:
    return Scope(parse("{}", "t.yaml"), {"thing": KIND}, {"limit": 4, "names": ("a", "b")})


def _test(column: str, asked: Any, value: Value, row: Row = NOWHERE) -> Truth:
    scope = _scope()
    found = scope.column(KIND, column, ())
    assert found is not None
    condition = compile_condition(scope, found, asked, ())
    assert scope.problems == []
    return condition.test(value, row)


@pytest.mark.parametrize(
    ("column", "asked", "value", "expected"),
    [
        ("word", "yes", "yes", True),
        ("word", "yes", "no", False),
        ("word", "yes", None, False),
        ("word", 4, "4", True),
        ("word", "", "", True),
        ("number", 0, 0, True),
        ("number", 0, False, False),
        ("flag", False, False, True),
        ("flag", False, None, False),
        ("items", ["b", "a"], ("a", "b"), True),
        ("items", [], (), True),
        ("items", ["a"], ("a", "a"), False),
        ("word", {"in": ["a", "b"]}, "b", True),
        ("word", {"in": [1, 2]}, "2", True),
        ("word", {"in": ["a"]}, None, False),
        ("word", {"not_in": ["a"]}, None, True),
        ("word", {"not_in": ["a"]}, "a", False),
        ("word", {"not": "a"}, "b", True),
        ("word", {"not": "a"}, None, True),
        ("word", {"not": {"glob": "a*"}}, "ab", False),
        ("word", {"glob": "a*c"}, "abc", True),
        ("word", {"glob": ["x*", "a?c"]}, "abc", True),
        ("word", {"glob": "a*"}, None, False),
        ("word", {"regex": "a[bc]+"}, "abcb", True),
        ("word", {"regex": "b"}, "abc", False),
        ("word", {"regex": "a"}, "a" * 70_000, None),
        ("word", {"contains": "b"}, "abc", True),
        ("word", {"contains": ["b", "x"]}, "abc", False),
        ("items", {"contains": "a"}, ("a", "b"), True),
        ("items", {"contains": ["a", "x"]}, ("a", "b"), False),
        ("items", {"contains": "a"}, None, False),
        ("items", {"subset": ["a", "b"]}, ("a",), True),
        ("items", {"subset": ["a"]}, ("a", "b"), False),
        ("items", {"subset": ["a"]}, (), True),
        ("number", {"le": 4}, 4, True),
        ("number", {"lt": 4}, 4, False),
        ("number", {"ge": 1, "le": 4}, 0, False),
        ("number", {"gt": 3}, None, False),
        ("word", {"le": 4}, "4", True),
        ("word", {"le": 4}, "-5", True),
        ("word", {"le": 4}, "four", None),
        ("word", {"le": 4}, "9" * 19, None),
        ("word", {"le": "$limit"}, "5", False),
        ("word", {"in": "$names"}, "b", True),
        ("word", "$$limit", "$limit", True),
        ("word", "$6$", "$6$", True),
        ("mode", "0644", "0644", True),
        ("mode", {"mode_within": "0644"}, "0640", True),
        ("mode", {"mode_within": "0644"}, "0660", False),
        ("mode", {"mode_within": "0644"}, "4644", False),
        ("mode", {"mode_within": "0644"}, None, False),
        ("mode", {"mode_within": "0644"}, "rw-r--r--", None),
        ("mode", {"mode_has": "6000"}, "2755", True),
        ("mode", {"mode_has": "6000"}, "0755", False),
        ("word", {"absent": True}, None, True),
        ("word", {"absent": True}, "", True),
        ("word", {"absent": True}, "a", False),
        ("items", {"present": True}, (), False),
        ("number", {"present": True}, 0, True),
        ("flag", {"present": True}, False, True),
        ("map", {"present": True}, {"a": "b"}, True),
        ("items", {"any": {"glob": "a*"}}, ("b", "ab"), True),
        ("items", {"any": "a"}, (), False),
        ("items", {"every": {"glob": "a*"}}, ("a", "ab"), True),
        ("items", {"every": "a"}, (), True),
        ("items", {"none": "a"}, ("b",), True),
        ("items", {"none": "a"}, ("a",), False),
        ("items", {"any": {"le": 4}}, ("x", "5"), None),
        ("items", {"count": 2}, ("a", "b"), True),
        ("items", {"count": {"ge": 1}}, None, False),
        ("bytes", {"le": "10 MiB"}, 10 * 2**20, True),
        ("bytes", {"le": "10 MB"}, 10_000_001, False),
        ("bytes", {"gt": 4096}, 4097, True),
        ("bytes", {"gt": 0}, None, False),
        ("word", {"cidr": "10.0.0.0/8"}, "10.1.2.3", True),
        ("word", {"cidr": ["10.0.0.0/8", "fd00::/8"]}, "fd00::1%eth0", True),
        ("word", {"cidr": "fd00::/8"}, "[fd00::1]", True),
        ("word", {"cidr": "10.0.0.0/8"}, "::ffff:10.0.0.1", True),
        ("word", {"cidr": "10.0.0.0/8"}, "10.4.0.0/16", True),
        ("word", {"cidr": "10.4.0.0/16"}, "10.0.0.0/8", False),
        ("word", {"cidr": "10.4.0.0/16"}, "10.4.0.9/8", False),
        ("word", {"cidr": "10.0.0.0/8"}, "0.0.0.0", False),
        ("word", {"cidr": "10.0.0.0/8"}, "2001:db8::1", False),
        ("word", {"cidr": "::/0"}, "10.0.0.1", False),
        ("word", {"cidr": "10.0.0.0/8"}, "/run/x.sock", False),
        ("word", {"cidr": "10.0.0.0/8"}, "", False),
        ("word", {"cidr": "10.0.0.0/8"}, None, False),
        ("word", {"cidr": "10.0.0.0/8"}, "eth0", None),
        ("number", {"port_in": [22, "8000-8999"]}, 8999, True),
        ("number", {"port_in": ["22", "8000-8999"]}, 9000, False),
        ("number", {"port_in": ["22"]}, None, False),
        ("word", {"port_in": "1-1023"}, "443", True),
        ("word", {"port_in": "1-1023"}, "https", None),
    ],
)
def test_operators(column: str, asked: Any, value: Value, expected: Truth) -> None:
    assert _test(column, asked, value) is expected


NOW = 1_800_000_000 * SECOND
"""2027-01-15T08:00:00Z."""


@pytest.mark.parametrize(
    ("asked", "value", "expected"),
    [
        ({"older_than": "90 days"}, "2026-10-17T07:59:59Z", True),
        ({"older_than": "90 days"}, "2026-10-17T08:00:00Z", False),
        ({"older_than": "90 days"}, "2026-10-17T09:59:59+02:00", True),
        ({"older_than": "0 days"}, "2027-01-15", True),
        ({"older_than": "1 day"}, "2999-01-01", False),
        ({"older_than": "1 day"}, None, False),
        ({"older_than": "1 day"}, "", False),
        ({"older_than": "1 day"}, "soon", None),
        ({"newer_than": "2 weeks"}, "2027-01-01T08:00:01Z", True),
        ({"newer_than": "2 weeks"}, "2027-01-01T08:00:00Z", False),
        ({"newer_than": "2 weeks"}, "2999-01-01", True),
        ({"newer_than": "2 weeks"}, None, False),
        ({"due_within": "12 hours"}, "2027-01-15T19:59:59Z", True),
        ({"due_within": "12 hours"}, "2027-01-15T20:00:00Z", False),
        ({"due_within": "12 hours"}, "1999-01-01", True),
        ({"due_within": "12 hours"}, None, False),
        ({"not": {"due_within": "12 hours"}}, "2999-01-01", True),
        ({"not": {"due_within": "12 hours"}}, "never", None),
    ],
)
def test_ages(asked: Any, value: Value, expected: Truth) -> None:
    assert _test("since", asked, value, Row("", kind="thing", now=NOW)) is expected
    untimed = None if value and expected is not None else expected
    assert _test("since", asked, value, Row("", kind="thing")) is untimed


@pytest.mark.parametrize(
    ("kind", "type_of", "asked", "value", "expected"),
    [
        ("package", "deb", {"ge": "3.0.15-1~deb12u1"}, "3.0.15-1", True),
        ("package", "deb", {"ge": "3.0.15-1~deb12u1"}, "3.0.15-1~deb12u0", False),
        ("package", "deb", {"lt": "2:1"}, "9", True),
        ("package", "rpm", {"ge": "2.0-9.el9", "lt": "3"}, "2.0-10.el9", True),
        ("package", "rpm", {"gt": "1.0"}, "1.0^git1", True),
        ("package", "apk", {"lt": "3.1.4-r10"}, "3.1.4-r9", True),
        ("package", "apk", {"lt": "3.1.4-r10"}, "no version", None),
        ("package", "", {"ge": "1.0"}, "1.0", None),
        ("package", None, {"ge": "1.0"}, "1.0", None),
        ("package", "deb", {"ge": "1.0"}, None, False),
        ("python_package", None, {"lt": "1.0"}, "1.0rc1", True),
        ("python_package", None, {"lt": "1.0"}, "1.0,2.0", None),
        ("npm_package", None, {"ge": "1.0.0"}, "1.0.0-rc.1", False),
        ("npm_package", None, {"ge": "1.0.0"}, "1.0", None),
        ("kernel_info", None, {"ge": "6.1.0-28"}, "6.1.0-9-amd64", False),
        ("kernel_info", None, {"ge": "6.1.0-28"}, "6.1.0-28-amd64", True),
        ("os_version", None, {"ge": 12}, "12.8", True),
        ("os_version", None, {"ge": 12}, "trixie/sid", None),
    ],
)
def test_versions(kind: str, type_of: str | None, asked: Any, value: Value, expected: Truth) -> None:
    """Each system has its own order; where none holds, nothing is known."""
    row = Row("", {} if type_of is None else {"type": type_of}, kind=kind)
    assert _test("version", asked, value, row) is expected


def test_every_operator_has_a_case() -> None:
    """The tables above are this test's own proof: they name each operator."""
    tables = [(test_operators, 1), (test_ages, 0), (test_versions, 2)]
    told = {
        word
        for test, place in tables
        for row in test.pytestmark[0].args[1]
        if isinstance(asked := row[place], dict)
        for word in asked
    }
    assert told == {*OPERATORS, *NESTED} - {"known"}


@pytest.mark.parametrize(
    ("column", "asked"),
    [
        ("word", {"le": "four"}),
        ("word", {"in": []}),
        ("word", {"in": ["a", "a"]}),
        ("word", {"glob": "**"}),
        ("word", {"regex": ".*"}),
        ("word", {"regex": "("}),
        ("word", {"contains": []}),
        ("word", {}),
        ("word", None),
        ("word", True),
        ("word", ["a"]),
        ("word", {"known": True, "glob": "a*"}),
        ("word", {"any": "a"}),
        ("word", {"cidr": "10.0.0.1/8"}),
        ("word", {"cidr": "example.com"}),
        ("word", {"cidr": ["0.0.0.0/0", "::/0"]}),
        ("word", {"cidr": []}),
        ("number", {"cidr": "10.0.0.0/8"}),
        ("number", {"port_in": "0-65535"}),
        ("number", {"port_in": ["1-40000", "40000-65535"]}),
        ("number", {"port_in": "9-1"}),
        ("number", {"port_in": 65536}),
        ("number", {"port_in": "ssh"}),
        ("bytes", {"ge": 0}),
        ("bytes", {"lt": 0}),
        ("bytes", {"le": "10 potatoes"}),
        ("bytes", {"older_than": "1 day"}),
        ("since", {"ge": 1}),
        ("since", {"older_than": "3 months"}),
        ("since", {"older_than": 90}),
        ("word", {"older_than": "1 day"}),
        ("version", {"ge": "no version"}),
        ("version", {"ge": True}),
        ("version", {"mode_has": "0001"}),
        ("word", {"empty": True}),
        ("number", "x"),
        ("number", {"glob": "1*"}),
        ("number", True),
        ("flag", "yes"),
        ("mode", 644),
        ("mode", "644"),
        ("mode", {"mode_has": "06000"}),
        ("items", "a"),
        ("items", {"count": {"ge": 0}}),
        ("map", "a"),
        ("word", "$nowhere"),
        ("word", {"in": ["a", "$nowhere"]}),
    ],
)
def test_nonsense_is_refused(column: str, asked: Any) -> None:
    scope = _scope()
    found = scope.column(KIND, column, ())
    assert found is not None
    compile_condition(scope, found, asked, ())
    assert scope.problems
    with pytest.raises(UsageError, match=r"t\.yaml:1:1"):
        scope.finish()


def _predicate(data: Any) -> Predicate:
    scope = _scope()
    found = compile_predicate(scope, KIND, data, ())
    assert scope.problems == []
    return found


def test_a_column_that_was_not_collected_is_not_known() -> None:
    row = Row("x", {"word": "a"})
    assert _predicate({"number": 4}).holds(row) is None
    assert _predicate({"number": {"absent": True}}).holds(row) is None
    assert _predicate({"number": {"not": 4}}).holds(row) is None
    assert _predicate({"number": 4, "word": "b"}).holds(row) is False
    assert _predicate({"any_of": [{"number": 4}, {"word": "a"}]}).holds(row) is True
    assert _predicate({"not": {"number": 4}}).holds(row) is None
    assert _predicate({"number": {"known": True}}).holds(row) is False
    assert _predicate({"word": {"known": True}}).holds(row) is True


def test_a_column_that_such_a_thing_never_has_is_absent() -> None:
    row = Row("x", {"word": "a"}, frozenset({"number"}))
    assert _predicate({"number": {"absent": True}}).holds(row) is True
    assert _predicate({"number": 4}).holds(row) is False


def test_key_is_a_column() -> None:
    assert _predicate({"key": {"glob": "x*"}}).holds(Row("xy")) is True


def test_combinations() -> None:
    data = {"word": "a", "all_of": [{"number": {"ge": 1}}, {"number": {"le": 3}}], "not": {"flag": True}}
    assert _predicate(data).holds(Row("", {"word": "a", "number": 2, "flag": False})) is True
    assert _predicate(data).holds(Row("", {"word": "a", "number": 4, "flag": False})) is False
    assert _predicate(data).holds(Row("", {"word": "a", "number": 2, "flag": True})) is False
    assert _predicate(data).reads() == ("word", "number", "flag")


def test_truth_tables() -> None:
    """Strong Kleene logic, written out as docs/policy.md publishes it."""
    order = {False: 0, None: 1, True: 2}
    back = {rank: truth for truth, rank in order.items()}
    for one, two in product(TRUTHS, repeat=2):
        assert every([one, two]) is back[min(order[one], order[two])]
        assert some([one, two]) is back[max(order[one], order[two])]
    assert [opposite(truth) for truth in TRUTHS] == [False, True, None]
    assert every([]) is True
    assert some([]) is False


@given(st.lists(st.sampled_from(TRUTHS)))
def test_de_morgan(results: list[Truth]) -> None:
    assert opposite(every(results)) is some(map(opposite, results))


@given(st.lists(st.sampled_from(TRUTHS), min_size=1), st.data())
def test_learning_more_never_takes_an_answer_back(results: list[Truth], data: st.DataObject) -> None:
    """An unknown that becomes known may decide an open question, but changes no decision."""
    learnt = [data.draw(st.booleans()) if result is None else result for result in results]
    for combine in (every, some):
        if combine(results) is not None:
            assert combine(learnt) is combine(results)


def test_columns_have_types_for_all_declared_ones() -> None:
    scope = _scope()
    types = {name: column.type for name in KIND.attributes if (column := scope.column(KIND, name, ()))}
    assert types == {
        "word": "text",
        "mode": "text",
        "number": "number",
        "flag": "truth",
        "items": "list",
        "map": "mapping",
        "version": "version",
        "since": "time",
        "bytes": "size",
    }
    assert scope.column(KIND, "key", ()) == Column("key", "text")
