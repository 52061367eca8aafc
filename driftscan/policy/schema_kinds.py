"""The part of the schema of policy files that is made from the collectors' kinds and the operator table.

Which columns may stand somewhere depends on the kind that is named beside them (`over`, `kind`). That is written as one
`if`/`then` per kind and never as a choice of shapes, so that a misspelt column is told as that key.
"""

from collections.abc import Mapping
from typing import Any

from driftscan.model.resource import Kind
from driftscan.policy.operators import MODE, NESTED, OPERATORS, SUBTYPES
from driftscan.policy.scope import column_type

Schema = dict[str, Any]
_QUANTIFIERS = ("any", "every", "none")
_TYPES = ("text", "number", "truth", "list", "mapping", *SUBTYPES, "mode")
_PARAMETER = "[$][a-z][a-z0-9_]*"
_LITERALS: Mapping[str, Schema] = {
    "text": {"type": ["string", "integer"]},
    "number": {"type": ["integer", "string"], "pattern": f"^{_PARAMETER}$", "x-expected": "a whole number"},
    "truth": {"type": ["boolean", "string"], "pattern": f"^{_PARAMETER}$", "x-expected": "true or false"},
    "list": {"type": ["array", "string"], "pattern": f"^{_PARAMETER}$", "x-expected": "a list"},
    "mapping": {"type": "string"},
    "mode": MODE,
}
"""The literal form of a condition; it can always be a `$parameter`."""
_FACTS: Mapping[str, Schema] = {
    "text": {"type": ["string", "null"]},
    "number": {"type": ["integer", "null"]},
    "truth": {"type": ["boolean", "null"]},
    "list": {"type": ["array", "null"]},
    "mapping": {"type": ["object", "null"]},
    "mode": {"type": ["string", "null"], "pattern": "^[0-7]{4}$", "x-expected": MODE["x-expected"]},
}
"""What a case may say that a host has."""


def titled(title: str, properties: Schema, required: tuple[str, ...] = (), **more: Any) -> Schema:
    """A mapping that has nothing but these keys, and at least one."""
    found = {"type": "object", "title": title, "additionalProperties": False, "minProperties": 1}
    return found | {"properties": properties, "required": list(required)} | more


def words_of(known: list[str]) -> Schema:
    """One of the words, or a list of them. Of no words nothing: ajv takes no schema that has an empty enum."""
    word: Schema = {"enum": known} if known else {"not": {}}
    return {"if": {"type": "array"}, "then": {"type": "array", "minItems": 1, "items": word}, "else": word}


def per_kind(kinds: Mapping[str, Kind]) -> list[Schema]:
    """One branch per kind, chosen by `over`; the kind itself comes first."""
    if not kinds:
        return []
    branches: list[Schema] = [{"properties": {"over": {"enum": sorted(kinds)}}}]
    for name in sorted(kinds):
        columns = {"$ref": f"#/$defs/columns-{name}"}
        asked = {"if": {"type": "string"}, "then": {"const": "present"}, "else": {"$ref": f"#/$defs/demand-{name}"}}
        own = {"where": columns, "require": asked, "forbid": asked, "default": {"$ref": f"#/$defs/default-{name}"}}
        branches.append(_if_kind("over", name, own))
    return branches


def differing(kinds: Mapping[str, Kind], what: str) -> list[Schema]:
    """One branch per kind, chosen by `kind`, for what differs: `asked` of it in a match, or `facts` of a case. Without
    a `kind` a match is about files; of several kinds each has its own columns, and only the compiler can tell."""
    branches: list[Schema] = []
    for name in sorted(kinds):
        own = {side: {"$ref": f"#/$defs/{what}-{name}"} for side in ("expected", "actual")}
        if what == "asked":
            own["attribute"] = {"$ref": f"#/$defs/attribute-{name}"}
        branches.append(_if_kind("kind", name, own))
        if name == "file" and what == "asked":
            branches.append({"if": {"not": {"required": ["kind"]}}, "then": {"properties": own}})
    return branches


def _if_kind(key: str, name: str, properties: Schema) -> Schema:
    chosen = {"required": [key], "properties": {key: {"const": name}}}
    return {"if": chosen, "then": {"properties": properties}}


def facts(kinds: Mapping[str, Kind]) -> Schema:
    """The facts of a case: kind, key, columns."""
    if not kinds:
        return {"type": "object", "additionalProperties": {"type": "object"}}
    each = {
        name: {"type": "object", "description": kind.doc, "additionalProperties": {"$ref": f"#/$defs/facts-{name}"}}
        for name, kind in sorted(kinds.items())
    }
    return {"type": "object", "title": "facts", "additionalProperties": False, "properties": each}


def column_definitions(kinds: Mapping[str, Kind]) -> Schema:
    """The `$defs` of all kinds, and of the conditions on each type of column."""
    found: Schema = {f"condition-{name}": _condition(name) for name in _TYPES}
    for name, kind in sorted(kinds.items()):
        title = f"columns of {name}"
        asked: Schema = {
            column: {"$ref": f"#/$defs/condition-{_type(kind, column)}", "description": attribute.doc}
            for column, attribute in kind.attributes.items()
        }
        found[f"asked-{name}"] = titled(title, asked)
        found[f"attribute-{name}"] = words_of(list(kind.attributes))
        found[f"facts-{name}"] = _described(title, kind, _FACTS) | {"minProperties": 0}
        found[f"default-{name}"] = _described(title, kind, _LITERALS)
        own = {"$ref": f"#/$defs/columns-{name}"}
        several = {"type": "array", "minItems": 2, "items": own}
        columns = asked | {"key": {"$ref": "#/$defs/condition-text", "description": kind.key}}
        columns |= {"all_of": several, "any_of": several, "not": own}
        found[f"columns-{name}"] = titled(title, columns)
        quantified: Schema = dict.fromkeys(_QUANTIFIERS, own) | {"count": {"$ref": "#/$defs/condition-number"}}
        found[f"demand-{name}"] = titled(title, columns | quantified)
    return found


def _type(kind: Kind, column: str) -> str:
    found = column_type(kind.attributes[column])
    return "mode" if column == "mode" and found == "text" else found


def _plain(kind: Kind, column: str) -> str:
    found = _type(kind, column)
    return SUBTYPES.get(found, found)


def _described(title: str, kind: Kind, types: Mapping[str, Schema]) -> Schema:
    columns = {
        column: {**types[_plain(kind, column)], "description": attribute.doc}
        for column, attribute in kind.attributes.items()
    }
    return titled(title, columns)


def _condition(kind: str) -> Schema:
    fitting = "text" if kind == "mode" else kind
    operators: Schema = {
        name: {**rows[fitting].argument, "description": rows[fitting].doc}
        for name, rows in OPERATORS.items()
        if fitting in rows
    }
    operators |= {name: {"description": doc} for name, (types, doc) in NESTED.items() if fitting in types}
    return {
        "if": {"type": "object"},
        "then": titled(f"condition on {fitting}", operators),
        "else": _LITERALS[SUBTYPES.get(kind, kind)],
    }
