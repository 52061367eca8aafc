"""Conditions and predicates from the data of a policy file; every mistake is recorded with its place."""

import re
from collections.abc import Mapping
from typing import Any

from driftscan.model.resource import Kind, Value
from driftscan.policy import familiar
from driftscan.policy.arguments import ArgumentError
from driftscan.policy.conditions import NOWHERE, Condition, Predicate, Test
from driftscan.policy.operators import KNOWN, NESTED, OPERATORS, SYSTEM, equals, plainest
from driftscan.policy.scope import UNRESOLVED, Column, Scope
from driftscan.policy.truth import every, opposite, some
from driftscan.policy.versions import misfit
from driftscan.schema_check import Path, did_you_mean, quoted

COMBINERS = ("all_of", "any_of", "not")
ITEM = Column("item", "text")
COUNT = Column("count", "number")
NOTHING = Condition("", lambda value, row: None)
"""Stands where a problem was recorded; the policy is refused before it could be asked."""
MAX_NEAR = 100
"""Items of the longest list that is made up to try a `count`."""
_COMPARED = re.compile(r"\s*([<>]=?)\s*(\d{1,18})\s*")
_ORDERS = {"<": "lt", "<=": "le", ">": "gt", ">=": "ge"}
_MODE = re.compile("[0-7]{4}")
_TYPES: Mapping[str, type] = {
    "text": str,
    "version": str,
    "time": str,
    "number": int,
    "size": int,
    "truth": bool,
    "list": list,
}
_WORDS = {
    "text": "text",
    "version": "a version",
    "time": "a time",
    "number": "a number",
    "size": "a number of bytes",
    "truth": "true or false",
    "list": "a list",
    "mapping": "a mapping",
}
_TIMES = ": write older_than, newer_than or due_within"


def compile_predicate(scope: Scope, kind: Kind, data: Any, path: Path) -> Predicate:
    """A predicate from a mapping of columns to conditions and of `all_of`, `any_of`, `not`."""
    if not isinstance(data, Mapping):
        scope.problem(path, f"expected columns of {kind.name} with what is asked of them, found {quoted(data)}")
        return Predicate()
    if not data:
        scope.problem(path, "asks for nothing: name a column")
    columns: list[tuple[str, Condition]] = []
    for name, asked in data.items():
        if name in COMBINERS:
            continue
        column = scope.column(kind, name, (*path, name))
        if column is not None:
            columns.append((name, compile_condition(scope, column, asked, (*path, name))))
    return Predicate(
        columns=tuple(columns),
        all_of=_several(scope, kind, data, path, "all_of"),
        any_of=_several(scope, kind, data, path, "any_of"),
        negated=compile_predicate(scope, kind, data["not"], (*path, "not")) if "not" in data else None,
    )


def _several(scope: Scope, kind: Kind, data: Mapping[str, Any], path: Path, name: str) -> tuple[Predicate, ...]:
    if name not in data:
        return ()
    parts = data[name]
    if not isinstance(parts, list) or len(parts) < 2:
        scope.problem((*path, name), f"'{name}' needs a list of at least two")
        return ()
    return tuple(compile_predicate(scope, kind, part, (*path, name, index)) for index, part in enumerate(parts))


def compile_condition(scope: Scope, column: Column, data: Any, path: Path) -> Condition:
    """A condition from a literal or an operator table."""
    data = scope.value(data, path)
    if data is UNRESOLVED:
        return NOTHING
    if isinstance(data, Mapping):
        return _table(scope, column, data, path)
    return _literal(scope, column, data, path)


def _literal(scope: Scope, column: Column, data: Any, path: Path) -> Condition:
    literal = read_value(scope, column, data, path)
    if literal is None:
        return NOTHING
    if column.type == "time":
        scope.problem(path, f"'{column.name}' is a time, to the second{_TIMES}")
        return NOTHING
    return Condition(_shown(literal), equals(literal), near=(literal,))


def read_value(scope: Scope, column: Column, data: Any, path: Path) -> Value:
    """A literal that fits the column's type; None once a problem is recorded."""
    if data is None:
        scope.problem(path, f"nothing is asked of '{column.name}': write a value, or {{absent: true}}")
        return None
    if isinstance(data, list) and column.type == "list":
        return tuple(data)
    if column.type in ("text", "version") and type(data) is int and column.name != "mode":
        return str(data)
    if column.name == "mode" and column.type == "text" and not _MODE.fullmatch(str(data)):
        scope.problem(path, f"a mode is four octal digits, such as 0644; {quoted(data)} is not")
        return None
    wanted = _TYPES.get(column.type)
    if wanted is None or type(data) is not wanted:
        found = "a list" if isinstance(data, list) else quoted(_shown(data))
        scope.problem(path, f"'{column.name}' is {_WORDS[column.type]}, {found} is not{_type_hint(column, data)}")
        return None
    assert isinstance(data, bool | int | str)
    if not _can_be(scope, column, data, path):
        return None
    return data


def _can_be(scope: Scope, column: Column, data: Any, path: Path) -> bool:
    """Whether a column can have a text; else the problem is recorded. Nothing is a text of every column."""
    if not column.words or data in {*column.words, ""}:
        return True
    what = f"{quoted(data)} is never the {column.name} of a {column.kind}{did_you_mean(str(data), column.words)}"
    scope.problem(path, what)
    return False


def _type_hint(column: Column, data: Any) -> str:
    if isinstance(data, list):
        return f": write {{in: [{', '.join(map(str, data))}]}}"
    if _TYPES.get(column.type) is str:
        return ': write "yes", "no" or what it is in quotes' if isinstance(data, bool) else ": put it in quotes"
    if compared := _COMPARED.fullmatch(str(data)):
        return f": write {{{_ORDERS[compared[1]]}: {compared[2]}}}"
    if column.type == "list":
        return f": write [{data}], or {{contains: {data}}}"
    return ""


def _table(scope: Scope, column: Column, data: Mapping[str, Any], path: Path) -> Condition:
    if not data:
        scope.problem(path, f"nothing is asked of '{column.name}'")
        return NOTHING
    parts = [_operation(scope, column, name, argument, (*path, name)) for name, argument in data.items()]
    if len(parts) == 1:
        return parts[0]
    if KNOWN in data:
        scope.problem((*path, KNOWN), f"'{KNOWN}' stands alone: what is asked of the value goes elsewhere", key=True)
    tests = [part.test for part in parts]
    near = tuple(value for part in parts for value in part.near)
    words = " and ".join(part.words for part in parts)
    needs = frozenset().union(*(part.needs for part in parts))
    return Condition(words, lambda value, row: every(test(value, row) for test in tests), near=near, needs=needs)


def _operation(scope: Scope, column: Column, name: str, argument: Any, path: Path) -> Condition:
    types = OPERATORS[name] if name in OPERATORS else NESTED[name][0] if name in NESTED else None
    if types is None:
        known = [*OPERATORS, *NESTED]
        scope.unknown(path, "operator", name, known, key=True, instead=familiar.OPERATORS.get(name))
        return NOTHING
    if column.type not in types:
        fitting = ", ".join(sorted(_WORDS[each] for each in plainest(types)))
        what = f"'{name}' is for {fitting}; '{column.name}' is {_WORDS[column.type]}"
        scope.problem(path, what + (_TIMES if column.type == "time" else ""), key=True)
        return NOTHING
    if name in NESTED:
        return _nested(scope, column, name, argument, path)
    argument = _resolved(scope, argument, path)
    if argument is UNRESOLVED or (isinstance(argument, list) and UNRESOLVED in argument):
        return NOTHING
    items = argument if name in {"in", "not_in"} and isinstance(argument, list) else ()
    if False in [_can_be(scope, column, item, (*path, index)) for index, item in enumerate(items)]:
        return NOTHING
    operator, given = OPERATORS[name][column.type], _as_column(column, argument)
    try:
        test = operator.build(given)
    except ArgumentError as error:
        scope.problem(path, f"the argument of '{name}' {error}")
        return NOTHING
    if operator.needs == SYSTEM and misfit(column.kind, str(given)):
        scope.problem(path, f"{quoted(_shown(given))} is no version that a {column.kind} can have")
        return NOTHING
    needs = frozenset({operator.needs} - {""})
    return Condition(operator.words.format(_shown(argument)), test, name == KNOWN, tuple(operator.near(given)), needs)


def _resolved(scope: Scope, argument: Any, path: Path) -> Any:
    if isinstance(argument, list):
        return [scope.value(item, (*path, index)) for index, item in enumerate(argument)]
    return scope.value(argument, path)


def _as_column(column: Column, argument: Any) -> Any:
    """Numbers that are compared with texts become texts: `{in: [1, 2]}` of a column that holds "1"."""
    if column.type == "text" and isinstance(argument, list):
        return [str(item) if type(item) is int else item for item in argument]
    return argument


def _nested(scope: Scope, column: Column, name: str, argument: Any, path: Path) -> Condition:
    if name == "count":
        inner = compile_condition(scope, COUNT, argument, path)
        if inner is not NOTHING and not any(inner.test(count, NOWHERE) is False for count in range(1000)):
            scope.problem(path, "any number fits: 'count' asks for nothing")
        lengths = [each for each in inner.near if type(each) is int and 0 <= each <= MAX_NEAR]
        near = tuple(tuple(f"item {number}" for number in range(length)) for length in lengths)
        return Condition(f"{inner.words} items", lambda value, row: inner.test(len(_items(value)), NOWHERE), near=near)
    inner = compile_condition(scope, column if name == "not" else ITEM, argument, path)
    if name == "not":
        return Condition(
            f"not {inner.words}",
            lambda value, row: opposite(inner.test(value, row)),
            near=inner.near,
            needs=inner.needs,
        )
    tests: dict[str, Test] = {
        "any": lambda value, row: some(inner.test(item, row) for item in _items(value)),
        "every": lambda value, row: every(inner.test(item, row) for item in _items(value)),
        "none": lambda value, row: opposite(some(inner.test(item, row) for item in _items(value))),
    }
    words = {"any": "an item that is {}", "every": "only items that are {}", "none": "no item that is {}"}
    return Condition(words[name].format(inner.words), tests[name], near=tuple((each,) for each in inner.near))


def _items(value: Value) -> tuple[Value, ...]:
    return value if isinstance(value, tuple) else ()


def _shown(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(_shown(item) for item in value)
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if value != "" else "empty"
