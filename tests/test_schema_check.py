"""What is surely right is let through without jsonschema; everything else is explained by it, in the same words."""

import copy
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from driftscan import content, schema_check, schema_fast
from driftscan.manifests import _envelope
from driftscan.policy.load import shipped
from driftscan.policy.schema import shape
from driftscan.schema_check import problems
from driftscan.yaml_strict import load

HEADS: dict[str, Any] = {
    "manifest": {
        "counts": {
            "coverage": 1, "packages": 1, "references": 1, "sources": 1, "texts": 1, "zones": 1,
            "resources": {"file": 1},
        },
        "format": "driftscan.manifest/1",
        "image": {"id": "", "version": "1"},
        "live": True,
        "provenance": {"baked_at": "", "tool": "", "build_id": "", "source_commit": "", "stand_in": False},
        "signatures": [],
        "coverage": [{
            "gaps": [{"collector": "a", "hides": ["x"], "reason": "", "status": "forbidden"}], "kinds": ["file"],
            "name": "a", "resources": 0, "status": "complete", "version": 1,
        }],
        "packages": [{"key": "a", "files": ["/a"]}],
        "references": [{"host": "h", "identities": {"file:/etc/machine-id": "0"}, "taken_at": ""}],
        "sources": [{"name": "a", "digest": "b"}],
        "texts": [{"path": "/a", "text": ""}],
        "zones": [{
            "pattern": "/a", "zone": "free", "reason": "", "provenance": "pack", "attributes": ["mode"],
            "may_appear": True, "may_vanish": False, "executables": False, "origin": "",
        }],
    },
    "snapshot": {
        "boot_id": "",
        "counts": {"coverage": 0, "packages": 0, "resources": {}, "sources": 0, "texts": 0},
        "files": {"excluded": 0, "hashed": 1, "raced": 2, "seen": 3, "stat_only": 4, "unreadable": 5},
        "format": "driftscan.snapshot/1",
        "host": "h", "image": {"id": "", "version": ""}, "live": True, "privileged": False, "probe_digest": "",
        "settled": True, "taken_at": "", "target": "", "torn": ["x"],
        "coverage": [], "packages": [], "sources": [], "texts": [],
    },
}  # fmt: skip
ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-2, 3)
    | st.sampled_from([0.0, 1.0, 1.5, -1.0])
    | st.sampled_from(["", "x", "free"]),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["key", "files", "id", "z"]), inner, max_size=2)
    ),
    max_leaves=4,
)


def places(value: Any) -> list[tuple[Any, Any]]:
    """Each (container, key or index) of a value."""
    found: list[tuple[Any, Any]] = []
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in pairs:
        found += [(value, key), *places(inner)]
    return found


@pytest.mark.parametrize("name", HEADS)
def test_what_is_right_needs_no_library(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jsonschema.Draft202012Validator", None)
    assert problems(HEADS[name], _envelope.schema(name)) == ()


@given(st.data(), st.sampled_from(sorted(HEADS)))
def test_what_is_wrong_is_refused_in_the_words_of_the_library(data: st.DataObject, name: str) -> None:
    head = copy.deepcopy(HEADS[name])
    for _ in range(data.draw(st.integers(1, 3))):
        container, key = data.draw(st.sampled_from(places(head)))
        match data.draw(st.integers(0, 2)):
            case 0 if isinstance(container, dict):
                container.pop(key, None)
            case 1 if isinstance(container, dict):
                container[data.draw(st.sampled_from(["z", "key", "files"]))] = data.draw(ANYTHING)
            case _:
                container[key] = data.draw(ANYTHING)
    schema = _envelope.schema(name)
    errors = list(Draft202012Validator(schema).iter_errors(head))
    expected = dict.fromkeys(problem for error in errors for problem in schema_check._explain(error))
    assert problems(head, schema) == tuple(expected)
    assert decided(head, schema) in (None, not errors)


SCHEMAS: list[dict[str, Any]] = [
    {"type": "integer"}, {"type": ["string", "null"]}, {"enum": [1, "x", None, True]}, {"const": 1}, {"const": "x"},
    {"minimum": 1}, {"minLength": 1}, {"items": {"type": "integer"}}, {"required": ["key"]}, {"pattern": "x"},
    {"properties": {"key": {"type": "integer"}}, "additionalProperties": {"type": "string"}}, {"not": {}},
    {"patternProperties": {"k": {}}, "additionalProperties": False}, {"properties": {"key": False}}, {"maxItems": 1},
    {"$ref": "#/$defs/a", "$defs": {"a": {"type": "string"}}}, {"anyOf": [{"type": "string"}]},
    {"prefixItems": [{"type": "null"}]}, {"additionalProperties": False}, {"maximum": 1}, {"minItems": 2},
    {"if": {"type": "object"}, "then": {"required": ["key"]}, "else": {"type": ["integer", "array"]}},
    {"if": {"required": ["key"]}, "then": {"minProperties": 2}}, {"uniqueItems": True}, {"maxLength": 0},
    {"oneOf": [{"type": "object"}, {"required": ["key"]}]}, {"allOf": [{"minimum": 1}, {"maximum": 1}]},
    {"propertyNames": {"pattern": "^.$"}}, {"dependentRequired": {"key": ["id"]}}, {"not": {"type": "null"}},
    {"anyOf": [{"const": True}, {"enum": ["x", 0]}]}, {"type": "number"}, {"items": False},
]  # fmt: skip


@given(ANYTHING, st.sampled_from(SCHEMAS))
def test_what_is_decided_is_what_the_library_says(value: Any, schema: dict[str, Any]) -> None:
    assert decided(value, schema) in (None, Draft202012Validator(schema).is_valid(value))


POLICIES = sorted(path for name in shipped() for path in (content.folder() / name).glob("*.yaml"))


@pytest.mark.parametrize("path", POLICIES, ids=lambda path: path.name)
def test_shipped_policies_need_no_library(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jsonschema.Draft202012Validator", None)
    assert problems(load(path).data, shape()) == ()


@given(st.data(), st.sampled_from(POLICIES))
def test_a_policy_that_is_wrong_is_never_let_through(data: st.DataObject, path: Path) -> None:
    document = load(path).data
    container, key = data.draw(st.sampled_from(places(document)))
    container[key] = data.draw(ANYTHING)
    assert decided(document, shape()) in (None, Draft202012Validator(shape()).is_valid(document))


def decided(value: Any, schema: Mapping[str, Any]) -> bool | None:
    """What is said without the library; None: nothing."""
    try:
        return schema_fast.conforms(value, schema)
    except schema_fast.UndecidedError:
        return None


def test_every_keyword_of_the_envelopes_is_known() -> None:
    folder = Path(_envelope.__file__).with_name("schema")
    for file in folder.iterdir():
        text = json.loads(file.read_text())
        assert keywords(text) <= schema_fast._SAYS_NOTHING | set(schema_fast._RULES)


def keywords(schema: Any) -> set[str]:
    found = set(schema)
    for name in ("properties", "$defs"):
        for inner in schema.get(name, {}).values():
            found |= keywords(inner)
    for name in ("items", "additionalProperties"):
        found |= keywords(schema[name]) if isinstance(schema.get(name), dict) else set()
    return found
