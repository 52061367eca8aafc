"""What YAML means here: values, keys, positions, limits. Both of PyYAML's parsers are held to it."""

import itertools
import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from driftscan import yaml_strict
from driftscan.errors import UsageError


@pytest.fixture(params=["libyaml", "pure"], autouse=True)
def parser(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Each test runs with libyaml and with PyYAML's own parser."""
    if request.param == "pure":
        monkeypatch.delattr(yaml, "CBaseLoader", raising=False)
    elif not hasattr(yaml, "CBaseLoader"):
        pytest.skip("this PyYAML was built without libyaml")
    return str(request.param)


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("true", True),
        ("FALSE", False),
        ("no", "no"),
        ("on", "on"),
        ("y", "y"),
        ("null", None),
        ("~", None),
        ("", None),
        ("0", 0),
        ("-12", -12),
        ("+7", 7),
        ("0644", "0644"),
        ("0o17", "0o17"),
        ("0x1f", "0x1f"),
        ("1_000", "1_000"),
        ("1.5", 1.5),
        ("-1.5e3", -1500.0),
        ("1e5", "1e5"),
        (".inf", ".inf"),
        (".nan", ".nan"),
        ("12:30:45", "12:30:45"),
        ("2026-11-20", "2026-11-20"),
        ("2026.11.20", "2026.11.20"),
        ("'true'", "true"),
        ('"12"', "12"),
        ("!!str 12", "12"),
        ("!!int 12", 12),
        ("! 12", "12"),
        ("=", "="),
        ("|\n    line\n", "line\n"),
    ],
)
def test_scalars(written: str, value: object) -> None:
    data = yaml_strict.parse(f"key: {written}\n", "f.yaml").data
    assert data == {"key": value}
    assert type(data["key"]) is type(value)


def test_keys_are_text() -> None:
    assert yaml_strict.parse("{1: a, true: b, 0644: c, ~: d}", "f.yaml").data == {
        "1": "a",
        "true": "b",
        "0644": "c",
        "~": "d",
    }


def test_positions() -> None:
    document = yaml_strict.parse("# top\na:\n  bé: [1, {c: x}]\n  d: *z\n".replace("*z", "y"), "dir/f.yaml")
    assert str(document.position(())) == "dir/f.yaml:2:1"
    assert str(document.position(("a", "bé"))) == "dir/f.yaml:3:7"
    assert str(document.position(("a", "bé"), key=True)) == "dir/f.yaml:3:3"
    assert str(document.position(("a", "bé", 1, "c"))) == "dir/f.yaml:3:15"
    assert str(document.position(("a", "bé", 1, "c"), key=True)) == "dir/f.yaml:3:12"
    assert str(document.position(("a", "nothing", "there"), key=True)) == "dir/f.yaml:2:1"
    assert str(document.position(("a", "bé", 7))) == "dir/f.yaml:3:7"


def test_alias_repeats_value_and_position() -> None:
    document = yaml_strict.parse("a: &x [1, 2]\nb: *x\n", "f.yaml")
    assert document.data == {"a": [1, 2], "b": [1, 2]}
    assert str(document.position(("b", 1))) == "f.yaml:1:11"


def test_empty_document() -> None:
    assert yaml_strict.parse("# nothing\n", "f.yaml").data is None


def test_alias_bomb_is_refused_before_it_expands() -> None:
    names = "abcdefghijkl"
    text = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"{name}: &{name} [{', '.join(['*' + before] * 9)}]\n" for before, name in itertools.pairwise(names)
    )
    with pytest.raises(UsageError, match=r"f\.yaml:\d+:\d+: more than 500000 values"):
        yaml_strict.parse(text, "f.yaml")


def test_depth_through_aliases_is_bounded() -> None:
    lines = ["l0: &l0 [x]"] + [f"l{n}: &l{n} [*l{n - 1}]" for n in range(1, 100)]
    with pytest.raises(UsageError, match=r"f\.yaml:6\d:\d+: nested deeper than 64 levels"):
        yaml_strict.parse("\n".join(lines), "f.yaml")


def test_depth_limit_admits_64_levels() -> None:
    data = yaml_strict.parse("[" * 64 + "]" * 64, "f.yaml").data
    for _ in range(63):
        (data,) = data
    assert data == []
    with pytest.raises(UsageError, match="1:65: nested deeper"):
        yaml_strict.parse("[" * 65 + "]" * 65, "f.yaml")


def test_many_values_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(yaml_strict, "MAX_NODES", 50)
    assert len(yaml_strict.parse("- x\n" * 49, "f.yaml").data) == 49
    with pytest.raises(UsageError, match=r"f\.yaml:51:3: more than 50 values"):
        yaml_strict.parse("- x\n" * 51, "f.yaml")


_text = st.text(st.characters(max_codepoint=0xFFFF, codec="utf-8"), max_size=12)
_scalars = st.none() | st.booleans() | st.integers(-(10**17), 10**17) | _text
_values = st.recursive(
    _scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_text, inner, max_size=4),
    max_leaves=20,
)


@given(_values)
def test_what_json_says_yaml_says_too(value: Any) -> None:
    """JSON is a subset of YAML 1.2 (but for what is not printable, which JSON's writer escapes)."""
    assert yaml_strict.parse(json.dumps(value), "f.yaml").data == value


@given(st.text(st.characters(codec="utf-8"), max_size=60))
def test_any_text_is_read_or_refused_with_a_position(text: str) -> None:
    try:
        document = yaml_strict.parse(text, "f.yaml")
    except UsageError as error:
        refusal = error.message
    else:
        refusal = f"{document.position(())}: none"
    assert re.match(r"f\.yaml:[0-9]+:[0-9]+: .", refusal)


def test_load_reads_utf8_with_byte_order_mark(tmp_path: Path) -> None:
    path = tmp_path / "f.yaml"
    path.write_bytes(b"\xef\xbb\xbfname: caf\xc3\xa9\r\n")
    document = yaml_strict.load(path)
    assert document.data == {"name": "café"}
    assert str(document.position(("name",), key=True)) == f"{path}:1:1"
