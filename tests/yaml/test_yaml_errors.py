"""Every way in which a YAML file can be wrong: where the message points, and what it says."""

from pathlib import Path
from typing import Any

import pytest

from driftscan import yaml_strict
from driftscan.errors import UsageError

RULES: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["rules"],
    "properties": {
        "rules": {
            "type": "array",
            "minItems": 1,
            "items": {
                "title": "rule",
                "type": "object",
                "additionalProperties": False,
                "required": ["id"],
                "properties": {
                    "id": {"type": "string", "pattern": "^[a-z-]+$", "x-expected": "small letters and hyphens"},
                    "match": {"type": "object", "propertyNames": {"pattern": "^[a-z]+$", "x-expected": "a kind"}},
                    "severity": {"enum": ["low", "medium", "high"]},
                    "port": {"type": "integer", "minimum": 1, "maximum": 65535},
                    "enabled": {"type": "boolean"},
                    "version": {"type": "string"},
                    "tags": {"type": "array", "items": {"type": "string"}, "uniqueItems": True},
                    "when": {
                        "anyOf": [
                            {"type": "string"},
                            {
                                "type": "object",
                                "additionalProperties": False,
                                "properties": {"label": {"type": "string"}},
                            },
                        ]
                    },
                },
                "dependentRequired": {"port": ["id", "match"]},
            },
        }
    },
}


def problems(text: str) -> list[str]:
    with pytest.raises(UsageError) as caught:
        yaml_strict.check(yaml_strict.parse(text, "p.yaml"), RULES)
    return caught.value.message.split("\n")


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("{id: a, mtach: {}}", "p.yaml:1:18: unknown key 'mtach' in rule; did you mean 'match'?"),
        ("{id: a, Severity: low}", "p.yaml:1:18: unknown key 'Severity' in rule; did you mean 'severity'?"),
        ("{id: a, severity: hihg}", "p.yaml:1:28: 'hihg' is not known here; did you mean 'high'?"),
        ("{id: a, severity: zzz}", "p.yaml:1:28: 'zzz' is not known here; one of: high, low, medium"),
        ("{id: a, severity: 3}", "p.yaml:1:28: expected one of low, medium, high, found a number"),
        ("{severity: low}", "p.yaml:1:10: rule lacks the key 'id'"),
        ("{id: 12}", "p.yaml:1:15: expected small letters and hyphens, found a number: put it in quotes"),
        ("{id: A!}", "p.yaml:1:15: 'A!': expected small letters and hyphens"),
        ("{id: }", "p.yaml:1:15: expected small letters and hyphens, found nothing: the value is missing"),
        ("{id: a, version: 1.10}", "p.yaml:1:27: expected text, found a number: put it in quotes"),
        ("{id: a, enabled: yes}", "p.yaml:1:27: expected true or false, found the text 'yes': write true"),
        ("{id: a, tags: web}", "p.yaml:1:24: expected a list, found the text 'web': write [web]"),
        ("{id: a, tags: [web, db, web]}", "p.yaml:1:34: 'web' stands twice in this list"),
        ("{id: a, match: {}, port: 70000}", "p.yaml:1:35: 70000 is out of range: expected at most 65535"),
        ("{id: a, port: 7}", "p.yaml:1:18: 'port' needs the key 'match' beside it"),
        ("{id: a, match: {File: 1}}", "p.yaml:1:26: 'File' cannot be a key here: expected a kind"),
        ("{id: a, when: 3}", "p.yaml:1:24: expected text or a mapping (key: value), found a number"),
        ("{id: a, when: {lable: x}}", "p.yaml:1:25: unknown key 'lable' in 'when'; did you mean 'label'?"),
        ("{id: a, when: {label: 3}}", "p.yaml:1:32: expected text, found a number: put it in quotes"),
        ("[]", "p.yaml:1:10: expected a mapping (key: value), found a list"),
    ],
)
def test_schema_messages(rule: str, expected: str) -> None:
    assert problems(f"rules: [ {rule}]") == [expected]


def test_all_problems_are_listed_in_the_order_of_the_file() -> None:
    text = "rules:\n  - id: B\n    sevrity: high\n  - match: {}\nextra: 1\n"
    assert problems(text) == [
        "p.yaml:2:9: 'B': expected small letters and hyphens",
        "p.yaml:3:5: unknown key 'sevrity' in rule; did you mean 'severity'?",
        "p.yaml:4:5: rule lacks the key 'id'",
        "p.yaml:5:1: unknown key 'extra' in this file; one of: rules",
    ]


def test_empty_list_and_empty_file() -> None:
    assert problems("rules: []") == ["p.yaml:1:8: must not be empty"]
    assert problems("# nothing") == ["p.yaml:1:1: the file is empty"]


def test_only_so_many_problems_are_listed() -> None:
    lines = problems("rules:\n" + "  - {id: A}\n" * 60)
    assert len(lines) == 51
    assert lines[-1] == "and 10 more problems"


def test_a_long_or_unsafe_value_is_shortened_and_made_safe() -> None:
    (line,) = problems(f'rules: [{{id: "{"A" * 100}"}}]')
    assert line.endswith(f"'{'A' * 60}...': expected small letters and hyphens")
    (line,) = problems('rules: [{id: "\\e[31m"}]')
    assert line == "p.yaml:1:14: '\\x1b[31m': expected small letters and hyphens"


def test_a_valid_document_passes() -> None:
    yaml_strict.check(yaml_strict.parse("rules: [{id: a, severity: low}]", "p.yaml"), RULES)


@pytest.mark.parametrize(
    ("text", "where", "what"),
    [
        ("a:\n\tb: 1\n", "2:1", "a tab: YAML is indented with spaces only"),
        ("a:\n  b: 1\n\tc: 2\n", "3:1", "a tab: YAML is indented with spaces only"),
        ("a: 1\na: 2\n", "2:1", "the key 'a' stands twice; first at p.yaml:1:1"),
        ("a: [1, 2\nb: 3\n", "2:2", "a ',' or ']' is missing (begun at 1:4)"),
        ("a: {b: 1\nc: 3\n", "2:2", "a ',' or '}' is missing (begun at 1:4)"),
        ("a: 'x\nb: 3\n", "3:1", "the file ends inside a quoted text: close the quote (begun at 1:4)"),
        ("a: b: c\n", "1:5", "a ':' cannot stand here"),
        ("a: @x\n", "1:4", "text cannot begin with this character"),
        ("a: 1\nno colon here\nb: 2\n", "3:1", "a ':' is missing after the key (begun at 2:1)"),
        ("a: *b\n", "1:4", "the alias '*b' names no finished anchor before it"),
        ("a: &a [*a]\n", "1:8", "the alias '*a' names no finished anchor before it"),
        ("a: !env HOME\n", "1:4", "the tag '!env' is not supported"),
        ("a: !!python/name:os.system x\n", "1:4", "the tag 'tag:yaml.org,2002:python/name:os.system' is not"),
        ("a: !!set {b}\n", "1:4", "the tag 'tag:yaml.org,2002:set' is not supported"),
        ("a: !!int x\n", "1:4", "'x' is not what its tag says"),
        ("a: 1\n---\nb: 1\n", "2:1", "a second document begins here"),
        ("<<: {a: 1}\n", "1:1", "merge keys (<<) are not YAML 1.2"),
        ("? [a]\n: 1\n", "1:3", "a key must be plain text"),
        ("a: 9999999999999999999\n", "1:4", "a number of more than 18 digits"),
        ("a: 1.0e999\n", "1:4", "the number 1.0e999 is too large"),
        ("ok: 1\na: x\x00y\n", "2:5", "control character '\\x00'"),
        ("a: \x1b[31m\n", "1:4", "control character '\\x1b'"),
        ('a: "\\q"\n', "1:5", "unknown escape in double quotes"),
        ("a:\n  - b\n - c\n", "3:2", "this does not fit what stands above it"),
        ("a: [,]\n", "1:5", "a value is missing here"),
    ],
)
def test_syntax_errors_point_at_the_place(text: str, where: str, what: str) -> None:
    with pytest.raises(UsageError) as caught:
        yaml_strict.parse(text, "p.yaml")
    assert caught.value.message.startswith(f"p.yaml:{where}: {what}")


def test_no_such_file(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"x\.yaml: no such file"):
        yaml_strict.load(tmp_path / "x.yaml")


def test_a_directory(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is a directory, not a YAML file"):
        yaml_strict.load(tmp_path)


def test_a_path_that_cannot_be_opened(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("a: 1")
    with pytest.raises(UsageError, match="cannot be read: Not a directory"):
        yaml_strict.load(tmp_path / "file" / "x.yaml")
    with pytest.raises(UsageError, match="cannot be read: embedded null byte"):
        yaml_strict.load("a\x00b")


def test_not_utf8(tmp_path: Path) -> None:
    path = tmp_path / "latin.yaml"
    path.write_bytes(b"a: 1\nname: caf\xe9\n")
    with pytest.raises(UsageError, match=r"latin\.yaml:2:10: not UTF-8 \(byte 0xe9\)"):
        yaml_strict.load(path)


def test_too_large(tmp_path: Path) -> None:
    path = tmp_path / "large.yaml"
    path.write_bytes(b"#" * ((8 << 20) + 1))
    with pytest.raises(UsageError, match="larger than 8 MiB"):
        yaml_strict.load(path)


def test_error_for_what_no_schema_can_say() -> None:
    document = yaml_strict.parse("a: {b: 1}", "p.yaml")
    error = document.error(("a", "b"), "too odd", "Make it even.")
    assert (error.message, error.hint, error.exit_code) == ("p.yaml:1:8: too odd", "Make it even.", 2)
