"""The JSON Schema of a file of declared changes (docs/formats/declared.md)."""

from typing import Any

from driftscan.model.declared import EVERY_CHANGE, PackageChange

_TEXT: dict[str, Any] = {"type": "string", "minLength": 1}
_TEXTS = {
    "x-expected": "a text or a list of texts",
    "anyOf": [_TEXT, {"type": "array", "minItems": 1, "items": _TEXT}],
}
_REASON = {"type": "string", "minLength": 1, "pattern": r"\S", "x-expected": "a reason"}


def _changes(words: list[str]) -> dict[str, Any]:
    return {
        "x-expected": f"one of {', '.join(words)}, or a list of them",
        "anyOf": [{"enum": words}, {"type": "array", "minItems": 1, "items": {"enum": words}}],
    }


_RESOURCE_CHANGES = _changes(sorted(change.value for change in EVERY_CHANGE))
_PACKAGE: dict[str, Any] = {
    "title": "package entry",
    "type": "object",
    "additionalProperties": False,
    "required": ["name", "reason"],
    "properties": {
        "name": _TEXTS,
        "from": _TEXT,
        "to": _TEXT,
        "change": _changes([change.value for change in PackageChange]),
        "reason": _REASON,
    },
}
_FILE: dict[str, Any] = {
    "title": "file entry",
    "type": "object",
    "additionalProperties": False,
    "required": ["path", "reason"],
    "properties": {
        "path": _TEXTS,
        "sha256": {"type": "string", "pattern": "^[0-9a-f]{64}$", "x-expected": "64 hexadecimal digits, in lower case"},
        "tree": _TEXT,
        "change": _RESOURCE_CHANGES,
        "privileged": {"type": "boolean"},
        "reason": _REASON,
    },
}
_FACT: dict[str, Any] = {
    "title": "resource entry",
    "type": "object",
    "additionalProperties": False,
    "required": ["pattern", "reason"],
    "properties": {
        "pattern": _TEXTS,
        "change": _RESOURCE_CHANGES,
        "attributes": {"type": "array", "minItems": 1, "items": _TEXT},
        "reason": _REASON,
    },
}
SCHEMA: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "file of declared changes",
    "type": "object",
    "additionalProperties": False,
    "minProperties": 1,
    "properties": {
        "title": _TEXT,
        "packages": {"type": "array", "items": _PACKAGE},
        "files": {"type": "array", "items": _FILE},
        "resources": {"type": "array", "items": _FACT},
    },
}
