"""The JSON Schema of a file of waivers (docs/formats/waivers.md)."""

from typing import Any

_TEXT: dict[str, Any] = {"type": "string", "minLength": 1, "pattern": r"\S", "x-expected": "a text"}
_TEXTS = {
    "x-expected": "a text or a list of texts",
    "anyOf": [_TEXT, {"type": "array", "minItems": 1, "items": _TEXT}],
}
_DATE = {"type": "string", "pattern": r"^\d{4}-\d{2}-\d{2}$", "x-expected": "a day such as 2027-01-31"}
_WAIVER: dict[str, Any] = {
    "title": "waiver",
    "type": "object",
    "additionalProperties": False,
    "required": ["reason", "owner", "expires"],
    "properties": {
        "finding": {
            "type": "string",
            "pattern": "^[FC]-[0-9a-f]{12}$",
            "x-expected": "the whole id of a finding, such as F-3fa9c1d2e4b5",
        },
        "rule": _TEXT,
        "content": {
            "type": "string",
            "pattern": "^[0-9a-f]{20}$",
            "x-expected": "20 hexadecimal digits, from a report",
        },
        "resources": _TEXTS,
        "hosts": _TEXTS,
        "labels": {"type": "object", "minProperties": 1, "additionalProperties": _TEXTS},
        "image": _TEXTS,
        "reason": _TEXT,
        "owner": _TEXT,
        "expires": _DATE,
        "added": _DATE,
        "ticket": _TEXT,
    },
}
SCHEMA: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "file of waivers",
    "type": "object",
    "additionalProperties": False,
    "required": ["waivers"],
    "properties": {"waivers": {"type": "array", "items": _WAIVER}},
}
