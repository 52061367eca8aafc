"""The JSON Schema of a file of channels (docs/alerts.md)."""

from typing import Any

from driftscan.model.event import EventKind
from driftscan.model.finding import Severity

_TEXT: dict[str, Any] = {"type": "string", "minLength": 1}
_TEXTS = {
    "x-expected": "a text or a list of texts",
    "anyOf": [_TEXT, {"type": "array", "minItems": 1, "items": _TEXT}],
}
_KINDS = [kind.value for kind in EventKind]
_CHANNEL: dict[str, Any] = {
    "title": "channel",
    "type": "object",
    "additionalProperties": False,
    "required": ["name"],
    "properties": {
        "name": {
            "type": "string",
            "pattern": "^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$",
            "x-expected": "a name of letters, digits, '.', '_' and '-'",
        },
        "to": {
            "type": "string",
            "pattern": "^(env:[A-Za-z_][A-Za-z0-9_]*|file:.+)$",
            "x-expected": "env:NAME or file:PATH, where Apprise's URL is: it is a secret, and does not stand here",
        },
        "command": {
            "x-expected": "a list: the program and its arguments",
            "type": "array",
            "minItems": 1,
            "items": {"type": "string"},
        },
        "on": {
            "x-expected": f"one of {', '.join(_KINDS)}, or a list of them",
            "anyOf": [{"enum": _KINDS}, {"type": "array", "minItems": 1, "items": {"enum": _KINDS}}],
        },
        "minimum": {"enum": [severity.word for severity in Severity]},
        "hosts": _TEXTS,
        "labels": {"type": "object", "minProperties": 1, "additionalProperties": _TEXTS},
        "template": _TEXT,
    },
}
SCHEMA: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "file of channels",
    "type": "object",
    "additionalProperties": False,
    "required": ["alerts"],
    "properties": {
        "alerts": {"type": "array", "minItems": 1, "items": _CHANNEL},
        "silent_after": {
            "type": "integer",
            "minimum": 1,
            "maximum": 1000,
            "x-expected": "a number of scans from 1 to 1000",
        },
    },
}
