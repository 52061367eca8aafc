"""The JSON Schema of a zone file (docs/formats/zones.md)."""

from typing import Any

from driftscan.model.zone import ZoneClass

_TEXTS = {
    "x-expected": "a text or a list of texts",
    "anyOf": [
        {"type": "string", "minLength": 1},
        {"type": "array", "minItems": 1, "items": {"type": "string", "minLength": 1}},
    ],
}
_WHEN: dict[str, Any] = {
    "title": "condition",
    "type": "object",
    "additionalProperties": False,
    "minProperties": 1,
    "properties": {"package": _TEXTS, "os": _TEXTS, "path": _TEXTS},
}
_ENTRY: dict[str, Any] = {
    "title": "zone",
    "type": "object",
    "additionalProperties": False,
    "required": ["zone", "reason"],
    "oneOf": [{"required": ["pattern"]}, {"required": ["patterns"]}],
    "x-expected": "either pattern or patterns",
    "properties": {
        "pattern": {"type": "string", "minLength": 1},
        "patterns": {"type": "array", "minItems": 1, "items": {"type": "string", "minLength": 1}},
        "zone": {"enum": [item.value for item in ZoneClass]},
        "reason": {"type": "string", "minLength": 1, "pattern": r"\S", "x-expected": "a reason"},
        "attributes": {"type": "array", "minItems": 1, "items": {"type": "string", "minLength": 1}},
        "may_appear": {"type": "boolean"},
        "may_vanish": {"type": "boolean"},
        "executables": {"type": "boolean"},
        "when": _WHEN,
    },
}
_NOTHING_YET = {"type": "null"}
_QUESTION: dict[str, Any] = {
    "title": "question",
    "type": "object",
    "additionalProperties": False,
    "required": ["pattern", "zone", "answer", "reason"],
    "properties": {
        "pattern": {"type": "string", "minLength": 1},
        "zone": {"enum": [item.value for item in ZoneClass]},
        "attributes": _ENTRY["properties"]["attributes"],
        "may_appear": {"type": "boolean"},
        "may_vanish": {"type": "boolean"},
        "answer": {
            "x-expected": "null for not yet, accept, seal or exclude",
            "anyOf": [_NOTHING_YET, {"enum": ["accept", "seal", "exclude"]}],
        },
        "reason": {"x-expected": "null for not yet, or a reason", "anyOf": [_NOTHING_YET, {"type": "string"}]},
    },
}
SCHEMA: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "zone file",
    "type": "object",
    "additionalProperties": False,
    "required": ["zones"],
    "properties": {
        "title": {"type": "string", "minLength": 1},
        "when": _WHEN,
        "zones": {"type": "array", "items": _ENTRY},
        "questions": {"type": "array", "items": _QUESTION},
    },
}
