"""The JSON Schema of policy files: the shape for `policy lint`, and with the kinds' columns for editors.

`shape()` says what keys there are; `schema(kinds)` also knows each kind's columns and the operators that fit them.
What no schema can say (parameters, duplicate ids, vacuous conditions) is checked when a policy is compiled.
"""

from collections.abc import Mapping

from driftscan.model.drift import CauseType, Change, Grade
from driftscan.model.finding import Action, Result, Severity
from driftscan.model.proof import Rank
from driftscan.model.resource import Kind
from driftscan.model.zone import ZoneClass
from driftscan.policy import derived, familiar, outside
from driftscan.policy.operators import ONLY_TRUE, TEXT, TEXTS
from driftscan.policy.schema_kinds import Schema, column_definitions, differing, facts, per_kind, titled, words_of
from driftscan.policy.window import CLOCK, DAYS

ID = {
    "type": "string",
    "pattern": "^[a-z0-9]+([-._/][a-z0-9]+)*$",
    "maxLength": 100,
    "x-expected": "lower-case words joined by '-', such as no-root-login",
}
INSTANT = "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$"
_INSTANT: Schema = {"type": "string", "pattern": INSTANT, "x-expected": "a time such as 2026-11-24T02:30:00Z"}
SEVERITIES = [severity.word for severity in Severity]
ACTIONS = [action.word for action in Action if action is not Action.NONE]
PARAMETER_TYPES = ["text", "number", "truth", "list"]
MAX_WAIVED = 366
_WAIVED: Schema = {"type": "integer", "minimum": 0, "maximum": MAX_WAIVED}
_KEYS: Schema = {"$ref": "#/$defs/texts"}
_JUDGED = ("severity", "recommendation", "why")
_QUARANTINE: Schema = {
    "if": {"required": ["recommendation"], "properties": {"recommendation": {"const": "quarantine"}}},
    "then": {"properties": {"severity": {"const": "critical", "x-expected": "'critical', for 'quarantine'"}}},
}
_ONE_DEMAND: Schema = {
    "if": {"required": ["forbid"]},
    "then": {"properties": {"require": False}},
    "else": {"title": "control", "required": ["require"]},
}


def shape() -> Schema:
    """The schema that knows no kinds: columns and operators are free."""
    return _whole({})


def schema(kinds: Mapping[str, Kind]) -> Schema:
    """The whole schema, as `driftscan policy schema` prints it."""
    return _whole({**derived.KINDS, **outside.KINDS, **kinds})


def _whole(kinds: Mapping[str, Kind]) -> Schema:
    definitions: Schema = {
        "texts": TEXTS,
        "applies": titled("applies_to", dict.fromkeys(("os", "role", "image"), _KEYS) | {"label": _labels()})
        | {"x-expected": "os, role, image or label, such as {role: web}"},
        "case": _case(kinds),
        "control": _control(kinds),
        "drift": _drift(kinds),
        "premise": _premise(kinds),
        "windows": _windows(),
    }
    if kinds:
        definitions |= column_definitions(kinds)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "policy",
        "type": "object",
        "additionalProperties": False,
        "x-instead": dict(familiar.POLICY_KEYS),
        "required": ["policy", "version", "title"],
        "properties": {
            "policy": ID,
            "version": {"type": "integer", "minimum": 1},
            "title": TEXT,
            "extends": {"type": "array", "minItems": 1, "items": _extension()},
            "parameters": {"type": "object", "minProperties": 1, "additionalProperties": _parameter()},
            "applies_to": {"$ref": "#/$defs/applies"},
            "patch_window": {"$ref": "#/$defs/windows"},
            "waivers": titled("waivers", {"max_days": titled("max_days", dict.fromkeys(SEVERITIES, _WAIVED))}),
            "rules": {
                "type": "array",
                "minItems": 1,
                "items": {
                    "type": "object",
                    "title": "rule",
                    "if": {"required": ["on"]},
                    "then": {"$ref": "#/$defs/drift"},
                    "else": {"$ref": "#/$defs/control"},
                },
            },
        },
        "$defs": definitions,
    }


def _labels() -> Schema:
    return {
        "type": "object",
        "minProperties": 1,
        "additionalProperties": _KEYS,
        "x-expected": "labels with their values, such as {env: prod}",
    }


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
        "require": _free() | {"x-instead": {"absent": "write forbid: present", "exists": "write require: present"}},
        "forbid": _free(),
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
    together = [_ONE_DEMAND, _QUARANTINE, _expecting(*(each.value for each in Result))] if kinds else []
    instead: Schema = {"x-instead": dict(familiar.CONTROL_KEYS)}
    return titled("control", _common() | own, required, allOf=per_kind(kinds) + together) | instead


def _premise(kinds: Mapping[str, Kind]) -> Schema:
    own = {name: _free() for name in ("where", "require", "forbid")} | {"over": TEXT, "key": _KEYS}
    return titled("condition of only_if", own, ("over",), allOf=per_kind(kinds))


def _free() -> Schema:
    return {
        "anyOf": [{"type": "object"}, {"const": "present"}],
        "x-expected": "columns, such as {uid: 0}, or 'present'",
    }


def _drift(kinds: Mapping[str, Kind]) -> Schema:
    words = {
        "cause": [cause.value for cause in CauseType],
        "grade": [grade.value for grade in Grade],
        "proof": [rank.value for rank in Rank],
        "change": [change.value for change in Change],
        "zone": [zone.value for zone in ZoneClass],
    }
    match: Schema = {name: words_of(known) for name, known in words.items()}
    match |= dict.fromkeys(("subject", "detail", "actor", "command", "kind", "key", "attribute"), _KEYS)
    match |= {name: {"type": "object", "minProperties": 1} for name in ("expected", "actual")}
    match["within"] = {"enum": ["patch-window"]}
    match["baseline"] = {"enum": ["image", "stand-in"]}
    if kinds:
        match["kind"] = words_of(sorted(kinds))
    chosen = differing(kinds, "asked")
    said: Schema = {
        "x-expected": "what it is about, such as {cause: file-changed, key: /etc/app/**}",
        "x-instead": dict(familiar.MATCH_KEYS),
    }
    match["unless"] = titled("unless", dict(match), allOf=chosen) | said
    own = {"on": {"enum": ["mutation"]}, "match": titled("match", match, allOf=chosen) | said, "allow": TEXT}
    judged = {"if": {"not": {"required": ["allow"]}}, "then": _lacks("drift rule", "severity", "recommendation", "why")}
    accepted = {"if": {"required": ["allow"]}, "then": {"properties": dict.fromkeys(_JUDGED, False)}}
    together = [judged, accepted, _QUARANTINE, _expecting("match", "no-match")] if kinds else []
    instead: Schema = {"x-instead": dict(familiar.DRIFT_KEYS)}
    return titled("drift rule", _common() | own, ("id", "title", "on", "match"), allOf=together) | instead


def _windows() -> Schema:
    clock = {"type": "string", "pattern": CLOCK, "x-expected": 'a time of day in quotes, such as "02:00"'}
    days = {"type": "array", "minItems": 1, "uniqueItems": True, "items": {"enum": list(DAYS)}}
    window = titled("patch window", {"days": days, "from": clock, "to": clock, "timezone": TEXT}, ("from", "to"))
    window["x-expected"] = 'from and to, such as {from: "02:00", to: "04:00"}'
    return {"if": {"type": "array"}, "then": {"type": "array", "minItems": 1, "items": window}, "else": window}


def _lacks(title: str, *keys: str) -> Schema:
    return {"title": title, "required": list(keys)}


def _expecting(*results: str) -> Schema:
    return {"properties": {"tests": {"items": {"properties": {"expect": {"enum": list(results)}}}}}}


def _case(kinds: Mapping[str, Kind]) -> Schema:
    difference = titled(
        "difference",
        {
            "kind": {"enum": sorted(kinds)} if kinds else TEXT,
            "key": {"type": "string"},
            "change": {"enum": [change.value for change in Change]},
            "zone": {"enum": [zone.value for zone in ZoneClass]},
            "expected": {"type": "object"},
            "actual": {"type": "object"},
        },
        ("kind", "key", "change"),
        allOf=differing(kinds, "facts"),
    )
    mutation = titled(
        "mutation",
        {
            "cause": {"enum": [cause.value for cause in CauseType]},
            "subject": {"type": "string"},
            "detail": {"type": "string"},
            "actor": TEXT,
            "command": TEXT,
            "grade": {"enum": [grade.value for grade in Grade]},
            "proof": {"enum": [rank.value for rank in Rank]},
            "at": _INSTANT,
            "differences": {"type": "array", "minItems": 1, "items": difference},
        },
        ("cause",),
    )
    return titled(
        "test",
        {
            "expect": {"enum": ["pass", "fail", "unknown", "not-applicable", "match", "no-match"]},
            "name": TEXT,
            "facts": facts(kinds),
            "at_fault": {
                "anyOf": [{"const": "all"}, {"type": "array", "minItems": 1, "items": TEXT, "uniqueItems": True}],
                "x-expected": "'all', or a list of keys",
            },
            "gaps": {"type": "array", "minItems": 1, "items": TEXT},
            "at": _INSTANT,
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
    override = titled(
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
    whole = titled(
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
    return titled("parameter", properties, ("type", "default", "doc"))
