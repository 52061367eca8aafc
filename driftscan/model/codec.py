"""Canonical JSON: the one way in which resources and envelopes become bytes and digests.

Keys sorted, no spaces, ASCII only (so that no terminal or editor is misled by what a host named), integers
and no floats. Two equal values have equal bytes.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from driftscan.model.resource import Resource, Value

_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


def canonical(value: Any) -> bytes:
    """The canonical bytes of a JSON value; tuples are arrays."""
    return _ENCODER.encode(value).encode()


def digest(data: bytes) -> str:
    """`sha256:` and 64 hexadecimal digits."""
    return "sha256:" + hashlib.sha256(data).hexdigest()


def encode_resource(resource: Resource) -> bytes:
    """The compared part of a resource as one canonical line without newline."""
    return canonical({"kind": resource.kind, "key": resource.key, "attributes": dict(resource.attributes)})


def decode_resource(line: bytes, observed: bytes = b"") -> Resource:
    """A resource from its line. ValueError if the line is not one."""
    raw = json.loads(line)
    if not isinstance(raw, dict) or not isinstance(raw.get("kind"), str) or not isinstance(raw.get("key"), str):
        raise ValueError("not a resource")  # noqa: TRY004 - one error for every malformed line
    attributes = raw.get("attributes", {})
    seen = json.loads(observed) if observed else raw.get("observed", {})
    if not isinstance(attributes, dict) or not isinstance(seen, dict):
        raise ValueError("not a resource")  # noqa: TRY004 - one error for every malformed line
    return Resource(raw["kind"], raw["key"], thaw(attributes), thaw(seen))


def thaw(mapping: Mapping[str, Any]) -> dict[str, Value]:
    """JSON arrays become tuples, so that values compare and hash as the parsers made them."""
    return {name: _value(item) for name, item in mapping.items()}


def _value(item: Any) -> Value:
    if isinstance(item, list):
        return tuple(_value(part) for part in item)
    if isinstance(item, dict):
        return thaw(item)
    if item is None or isinstance(item, bool | int | str):
        return item
    raise ValueError(f"not a value: {type(item).__name__}")
