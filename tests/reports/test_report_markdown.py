"""The Markdown report: to the letter, and inert in tickets whatever a host said."""

import re

from hypothesis import given
from hypothesis import strategies as st

from driftscan.reports import markdown
from driftscan.reports._base import Style
from tests.reports import golden, samples

HOSTILE_TEXT = st.text(alphabet=st.sampled_from("ab @#1<>&`|*_[]()!\\\n\x1b:/~-+.=\u202e\x85"), max_size=30)


def _render() -> str:
    return "".join(markdown.report.render(samples.fleet(), Style()))


def test_golden(update_expected: bool) -> None:
    golden.compare("fleet.md", _render(), update_expected)


def test_nothing_of_a_host_is_html_or_a_control() -> None:
    shown = _render()
    assert "<" not in shown
    assert not {char for char in shown if char != "\n" and (ord(char) < 32 or 127 <= ord(char) < 160)}
    assert "\u202e" not in shown


def test_tables_keep_their_columns() -> None:
    rows = [line for line in _render().splitlines() if line.startswith("|")]
    assert {row.count("|") for row in rows} == {5}


def test_outside_of_code_nothing_mentions_or_links() -> None:
    prose = re.sub(r"`[^`]*`", "", re.sub(r"```diff.*?```", "", _render(), flags=re.DOTALL))
    assert "@" not in prose
    assert "://" not in prose
    assert not re.search(r"(?<!\\)\]\(", prose)


@given(HOSTILE_TEXT)
def test_a_code_span_cannot_be_left(text: str) -> None:
    span = markdown.code(text)
    assert re.fullmatch(r"`[^`\n<|]+`", span)


@given(HOSTILE_TEXT)
def test_prose_is_inert(text: str) -> None:
    shown = markdown.prose(text)
    assert "\n" not in shown
    assert "<" not in shown
    assert "@" not in shown
    assert "://" not in shown
    assert not re.search(r"#\w", shown)
    assert not re.search(r"(?<!\\)(?:\\\\)*[*_`\[\]|~]", re.sub(r"\\[*_`\[\]|~#>\\]", "", shown))
    assert not re.match(r"\s*([-+]|\d+[.)])(\s|$)", shown)


@given(HOSTILE_TEXT, HOSTILE_TEXT)
def test_two_keys_never_look_the_same(one: str, other: str) -> None:
    encoded = [text.replace("\\", "\\\\") for text in (one, other)]
    assert (markdown.key(encoded[0]) == markdown.key(encoded[1])) == (one == other)


def test_a_diff_block_cannot_be_left() -> None:
    block = _render().partition("```diff\n")[2].partition("\n  ```")[0]
    assert all(line.startswith("  ") and "`" not in line for line in block.splitlines())
