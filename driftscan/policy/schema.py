"""The JSON Schema of policy files: the shape for `policy lint`, and with the kinds' columns for editors.

`shape()` says what keys there are; `schema(kinds)` also knows each kind's columns and the operators that fit them.
What no schema can say (parameters, duplicate ids, vacuous conditions) is checked when a policy is compiled.
"""

from collections.abc import Mapping
from typing import Any

from driftscan.model.drift import CauseType, Change, Grade
from driftscan.model.finding import Action, Result, Severity
from driftscan.model.proof import Rank
from driftscan.model.resource import Kind
from driftscan.model.zone import ZoneClass
from driftscan.policy.operators import NESTED, ONLY_TRUE, OPERATORS, TEXT, TEXTS
from driftscan.policy.scope import column_type
from driftscan.policy.window import CLOCK, DAYS

Schema = dict[str, Any]
ID = {
    "type": "string",
    "pattern": "^[a-z0-9]+([-._/][a-z0-9]+)*$",
    "maxLength": 100,
    "x-expected": "lower-case words joined by '-', such as no-root-login",
}
INSTANT = "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$"
SEVERITIES = [severity.word for severity in Severity]
ACTIONS = [action.word for action in Action if action is not Action.NONE]
PARAMETER_TYPES = ["text", "number", "truth", "list"]
QUANTIFIERS = ["any", "every", "none", "count"]
_KEYS: Schema = {"$ref": "#/$defs/texts"}
_LITERALS = {
    "text": ["string", "integer"],
    "number": ["integer", "string"],
    "truth": ["boolean", "string"],
    "list": ["array", "string"],
    "mapping": ["string"],
}
"""JSON types of the literal form; a text can always be a `$parameter`."""


def shape() -> Schema:
    """The schema that knows no kinds: columns and operators are free."""
    return _whole({})


def schema(kinds: Mapping[str, Kind]) -> Schema:
    """The whole schema, as `driftscan policy schema` prints it."""
    return _whole(kinds)


def _whole(kinds: Mapping[str, Kind]) -> Schema:
    definitions: Schema = {
        "text": TEXT,
        "texts": TEXTS,
        "applies": _object("applies_to", dict.fromkeys(("os", "role", "image"), _KEYS) | {"label": _labels()}),
        "case": _case(),
        "control": _control(kinds),
        "drift": _drift(),
        "premise": _premise(kinds),
        "windows": _windows(),
    }
    if kinds:
        definitions |= _column_definitions(kinds)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "policy",
        "type": "object",
        "additionalProperties": False,
        "required": ["policy", "version", "title"],
        "properties": {
            "policy": ID,
            "version": {"type": "integer", "minimum": 1},
            "title": TEXT,
            "extends": {"type": "array", "minItems": 1, "items": _extension()},
            "parameters": {"type": "object", "minProperties": 1, "additionalProperties": _parameter()},
            "applies_to": {"$ref": "#/$defs/applies"},
            "patch_window": {"$ref": "#/$defs/windows"},
            "rules": {
                "type": "array",
                "minItems": 1,
                "items": {
                    "type": "object",
                    "title": "rule",
                    "required": ["id", "title"],
                    "if": {"required": ["on"]},
                    "then": {"$ref": "#/$defs/drift"},
                    "else": {"$ref": "#/$defs/control"},
                },
            },
        },
        "$defs": definitions,
    }


def _object(title: str, properties: Schema, required: tuple[str, ...] = (), **more: Any) -> Schema:
    found = {"type": "object", "title": title, "additionalProperties": False, "minProperties": 1}
    return found | {"properties": properties, "required": list(required)} | more


def _labels() -> Schema:
    return {"type": "object", "minProperties": 1, "additionalProperties": _KEYS}


def _common() -> Schema:
    return {
        "id": ID,
        "title": TEXT,
        "severity": {"enum": SEVERITIES},
        "recommendation": {"enum": ACTIONS},
        "why": TEXT,
        "applies_to": {"$ref": "#/$defs/applies"},
        "tests": {"type": "array", "minItems": 1, "items": {"$ref": "#/$defs/case"}},
    }


def _control(kinds: Mapping[str, Kind]) -> Schema:
    own: Schema = {
        "over": TEXT,
        "key": _KEYS,
        "where": {"type": "object"},
        "default": {"type": "object"},
        "require": {"anyOf": [{"type": "object"}, {"const": "present"}], "x-expected": "columns, or 'present'"},
        "forbid": {"anyOf": [{"type": "object"}, {"const": "present"}], "x-expected": "columns, or 'present'"},
        "missing": {"enum": [Result.PASS.value, Result.FAIL.value, Result.NOT_APPLICABLE.value]},
        "only_if": {"type": "array", "minItems": 1, "items": {"$ref": "#/$defs/premise"}},
        "message": TEXT,
        "fix": TEXT,
        "refs": {
            "type": "object",
            "minProperties": 1,
            "additionalProperties": {"type": "array", "minItems": 1, "items": TEXT, "uniqueItems": True},
        },
    }
    required = ("id", "title", "over", "severity", "recommendation", "why")
    return _object("control", _common() | own, required, allOf=_per_kind(kinds))


def _premise(kinds: Mapping[str, Kind]) -> Schema:
    own = {name: _free() for name in ("where", "require", "forbid")} | {"over": TEXT, "key": _KEYS}
    return _object("condition of only_if", own, ("over",), allOf=_per_kind(kinds))


def _free() -> Schema:
    return {"anyOf": [{"type": "object"}, {"const": "present"}], "x-expected": "columns, or 'present'"}


def _drift() -> Schema:
    words = {
        "cause": [cause.value for cause in CauseType],
        "grade": [grade.value for grade in Grade],
        "proof": [rank.value for rank in Rank],
        "change": [change.value for change in Change],
        "zone": [zone.value for zone in ZoneClass],
    }
    match: Schema = {name: _word_or_words(known) for name, known in words.items()}
    match |= dict.fromkeys(("subject", "detail", "actor", "command", "kind", "key", "attribute"), _KEYS)
    match |= {name: {"type": "object", "minProperties": 1} for name in ("expected", "actual")}
    match["within"] = {"enum": ["patch-window"]}
    match["baseline"] = {"enum": ["image", "stand-in"]}
    match["unless"] = _object("unless", dict(match))
    own = {"on": {"enum": ["mutation"]}, "match": _object("match", match), "allow": TEXT}
    return _object("drift rule", _common() | own, ("id", "title", "on", "match"))


def _windows() -> Schema:
    clock = {"type": "string", "pattern": CLOCK, "x-expected": 'a time of day in quotes, such as "02:00"'}
    days = {"type": "array", "minItems": 1, "uniqueItems": True, "items": {"enum": list(DAYS)}}
    window = _object("patch window", {"days": days, "from": clock, "to": clock, "timezone": TEXT}, ("from", "to"))
    return {"if": {"type": "array"}, "then": {"type": "array", "minItems": 1, "items": window}, "else": window}


def _word_or_words(known: list[str]) -> Schema:
    word = {"enum": known}
    return {"if": {"type": "array"}, "then": {"type": "array", "minItems": 1, "items": word}, "else": word}


def _case() -> Schema:
    difference = _object(
        "difference",
        {
            "kind": TEXT,
            "key": {"type": "string"},
            "change": {"enum": [change.value for change in Change]},
            "zone": {"enum": [zone.value for zone in ZoneClass]},
            "expected": {"type": "object"},
            "actual": {"type": "object"},
        },
        ("kind", "key", "change"),
    )
    mutation = _object(
        "mutation",
        {
            "cause": {"enum": [cause.value for cause in CauseType]},
            "subject": {"type": "string"},
            "detail": {"type": "string"},
            "actor": TEXT,
            "command": TEXT,
            "grade": {"enum": [grade.value for grade in Grade]},
            "proof": {"enum": [rank.value for rank in Rank]},
            "at": {"type": "string", "pattern": INSTANT, "x-expected": "a time such as 2026-11-24T02:30:00Z"},
            "differences": {"type": "array", "minItems": 1, "items": difference},
        },
        ("cause",),
    )
    return _object(
        "test",
        {
            "expect": {"enum": ["pass", "fail", "unknown", "not-applicable", "match", "no-match"]},
            "name": TEXT,
            "facts": {"type": "object", "additionalProperties": {"type": "object"}},
            "at_fault": {
                "anyOf": [{"const": "all"}, {"type": "array", "minItems": 1, "items": TEXT, "uniqueItems": True}],
                "x-expected": "'all', or a list of keys",
            },
            "gaps": {"type": "array", "minItems": 1, "items": TEXT},
            "live": {"type": "boolean"},
            "labels": {"type": "object", "additionalProperties": {"type": "string"}},
            "mutation": mutation,
            "each": ONLY_TRUE,
            "baseline": {"enum": ["image", "stand-in"]},
            "patch_window": {"$ref": "#/$defs/windows"},
        },
        ("expect",),
    )


def _extension() -> Schema:
    override = _object(
        "override",
        {
            "rule": ID,
            "reason": TEXT,
            "severity": {"enum": SEVERITIES},
            "recommendation": {"enum": ACTIONS},
            "disabled": ONLY_TRUE,
        },
        ("rule", "reason"),
    )
    whole = _object(
        "extension",
        {
            "policy": TEXT,
            "set": {"type": "object", "minProperties": 1},
            "overrides": {"type": "array", "minItems": 1, "items": override},
        },
        ("policy",),
    )
    return {"if": {"type": "string"}, "then": TEXT, "else": whole}


def _parameter() -> Schema:
    scalar = {"type": ["string", "integer", "boolean"]}
    properties = {
        "type": {"enum": PARAMETER_TYPES},
        "default": {"type": ["string", "integer", "boolean", "array"]},
        "doc": TEXT,
        "minimum": {"type": "integer"},
        "maximum": {"type": "integer"},
        "choices": {"type": "array", "minItems": 2, "items": scalar, "uniqueItems": True},
    }
    return _object("parameter", properties, ("type", "default", "doc"))


def _per_kind(kinds: Mapping[str, Kind]) -> list[Schema]:
    """One branch per kind, chosen by `over`, so that a mistake is reported in its own words."""
    if not kinds:
        return []
    branches: list[Schema] = [{"properties": {"over": {"enum": sorted(kinds)}}}]
    for name in sorted(kinds):
        columns = {"$ref": f"#/$defs/columns-{name}"}
        asked = {"anyOf": [{"const": "present"}, {"$ref": f"#/$defs/demand-{name}"}]}
        own = {"where": columns, "require": asked, "forbid": asked}
        chosen = {"required": ["over"], "properties": {"over": {"const": name}}}
        branches.append({"if": chosen, "then": {"properties": own}})
    return branches


def _column_definitions(kinds: Mapping[str, Kind]) -> Schema:
    found: Schema = {f"condition-{name}": _condition(name) for name in (*PARAMETER_TYPES, "mapping")}
    for name, kind in kinds.items():
        own = {"$ref": f"#/$defs/columns-{name}"}
        columns: Schema = {
            column: {"$ref": f"#/$defs/condition-{column_type(attribute.type)}", "description": attribute.doc}
            for column, attribute in kind.attributes.items()
        }
        columns["key"] = {"$ref": "#/$defs/condition-text", "description": kind.key}
        several = {"type": "array", "minItems": 2, "items": own}
        columns |= {"all_of": several, "any_of": several, "not": own}
        found[f"columns-{name}"] = _object(f"columns of {name}", columns)
        quantified: Schema = {word: {"$ref": f"#/$defs/columns-{name}"} for word in QUANTIFIERS[:3]}
        quantified["count"] = {"$ref": "#/$defs/condition-number"}
        found[f"demand-{name}"] = _object(f"columns of {name}", columns | quantified)
    return found


def _condition(kind: str) -> Schema:
    operators: Schema = {
        operator.name: {**operator.argument, "description": operator.doc}
        for operator in OPERATORS.values()
        if kind in operator.types
    }
    operators |= {name: {"description": doc} for name, (types, doc) in NESTED.items() if kind in types}
    return {
        "if": {"type": "object"},
        "then": _object(f"condition on {kind}", operators),
        "else": {"type": _LITERALS[kind]},
    }
