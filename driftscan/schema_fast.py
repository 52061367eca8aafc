"""Whether plain data is what a JSON Schema describes, for the keywords that our schemas use (draft 2020-12): what
jsonschema says too, without the 100 ms that it takes to be imported, and ten times as fast. It says yes or no alone:
what is wrong, `schema_check` has jsonschema say.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeAlias


class UndecidedError(Exception):
    """A keyword, or a use of one, that is not known here."""


Rule: TypeAlias = Callable[[Any, Any, Mapping[str, Any], Mapping[str, Any]], bool]
"""Whether data obeys a keyword: (data, what the keyword says, the schema it stands in, the whole schema)."""

_TYPES: Mapping[str, frozenset[type]] = {
    "string": frozenset({str}),
    "boolean": frozenset({bool}),
    "array": frozenset({list}),
    "object": frozenset({dict}),
    "integer": frozenset({int}),
    "number": frozenset({int, float}),
    "null": frozenset({type(None)}),
}
_SIMPLE = (str, bool, int, type(None))
_SAYS_NOTHING = frozenset(
    {"$schema", "$id", "$defs", "title", "description", "x-expected", "x-instead", "default", "then", "else"}
)


def conforms(data: Any, schema: Mapping[str, Any]) -> bool:
    """Whether it is so. UndecidedError if that cannot be said here."""
    return _conforms(data, schema, schema)


def _conforms(data: Any, schema: Any, root: Mapping[str, Any]) -> bool:
    if isinstance(schema, bool):
        return schema
    for keyword, says in schema.items():
        if keyword in _SAYS_NOTHING:
            continue
        rule = _RULES.get(keyword)
        if rule is None:
            raise UndecidedError(keyword)
        if not rule(data, says, schema, root):
            return False
    return True


def _type(data: Any, says: Any, _: Any, __: Any) -> bool:
    if type(data) is float and data.is_integer():  # 1.0 is an integer there
        raise UndecidedError("type")
    return any(type(data) in _TYPES[name] for name in ([says] if isinstance(says, str) else says))


def _equal(data: Any, other: Any) -> bool:
    if type(data) in (list, dict) and type(other) in _SIMPLE:
        return False
    if type(data) not in _SIMPLE or type(other) not in _SIMPLE:
        raise UndecidedError("const")
    return type(data) is type(other) and bool(data == other)


def _properties(data: Any, says: Any, _: Any, root: Mapping[str, Any]) -> bool:
    return type(data) is not dict or all(
        _conforms(data[name], inner, root) for name, inner in says.items() if name in data
    )


def _others(data: Any, says: Any, schema: Mapping[str, Any], root: Mapping[str, Any]) -> bool:
    if type(data) is not dict:
        return True
    if "patternProperties" in schema:
        raise UndecidedError("patternProperties")
    others = data.keys() - schema.get("properties", {}).keys()
    return all(_conforms(data[name], says, root) for name in others)


def _reference(data: Any, says: str, _: Any, root: Mapping[str, Any]) -> bool:
    name = says.removeprefix("#/$defs/")
    if name == says or name not in root.get("$defs", {}):
        raise UndecidedError("$ref")
    return _conforms(data, root["$defs"][name], root)


def _condition(data: Any, says: Any, schema: Mapping[str, Any], root: Mapping[str, Any]) -> bool:
    return _conforms(data, schema.get("then" if _conforms(data, says, root) else "else", True), root)


def _unique(data: Any, says: Any, _: Any, __: Any) -> bool:
    if type(data) is not list or not says:
        return True
    if any(type(item) is not str for item in data):
        raise UndecidedError("uniqueItems")
    return len(set(data)) == len(data)


def _together(data: Any, says: Mapping[str, Sequence[str]], _: Any, __: Any) -> bool:
    return type(data) is not dict or all(need in data for name, needs in says.items() if name in data for need in needs)


def _each(data: Any, says: Iterable[Any], root: Mapping[str, Any]) -> Iterable[bool]:
    return (_conforms(data, inner, root) for inner in says)


def _sized(kind: type[str] | type[list[Any]] | type[dict[str, Any]], at_least: bool) -> Rule:
    def rule(data: Any, says: int, _: Any, __: Any) -> bool:
        return type(data) is not kind or (len(data) >= says if at_least else len(data) <= says)

    return rule


def _is_number(data: Any) -> bool:
    return type(data) in _TYPES["number"]


_RULES: Mapping[str, Rule] = {
    "type": _type,
    "properties": _properties,
    "additionalProperties": _others,
    "$ref": _reference,
    "if": _condition,
    "uniqueItems": _unique,
    "dependentRequired": _together,
    "required": lambda data, says, _, __: type(data) is not dict or all(name in data for name in says),
    "items": lambda data, says, _, root: type(data) is not list or all(_conforms(item, says, root) for item in data),
    "propertyNames": lambda data, says, _, root: (
        type(data) is not dict or all(_conforms(name, says, root) for name in data)
    ),
    "enum": lambda data, says, _, __: any(_equal(data, item) for item in says),
    "const": lambda data, says, _, __: _equal(data, says),
    "pattern": lambda data, says, _, __: type(data) is not str or re.search(says, data) is not None,
    "minimum": lambda data, says, _, __: not _is_number(data) or data >= says,
    "maximum": lambda data, says, _, __: not _is_number(data) or data <= says,
    "minLength": _sized(str, True),
    "maxLength": _sized(str, False),
    "minItems": _sized(list, True),
    "maxItems": _sized(list, False),
    "minProperties": _sized(dict, True),
    "anyOf": lambda data, says, _, root: any(_each(data, says, root)),
    "oneOf": lambda data, says, _, root: sum(_each(data, says, root)) == 1,
    "allOf": lambda data, says, _, root: all(_each(data, says, root)),
    "not": lambda data, says, _, root: not _conforms(data, says, root),
}
