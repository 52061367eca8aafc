"""The regular expressions of policies say what Python's say, within the subset, and never take long."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from driftscan.policy.regex import MAX_TEXT, Pattern, RegexError

ATOMS = st.sampled_from(["a", "b", "c", ".", "[ab]", "[^a]", r"\.", r"\d", r"\w", "-", "[a-c]", "[]a]"])


def _groups(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    repeat = st.sampled_from(["", "*", "+", "?", "{2}", "{0,2}", "{1,}"])
    repeated = st.tuples(inner, repeat).map(lambda pair: f"(?:{pair[0]}){pair[1]}")
    either = st.lists(inner, min_size=2, max_size=3).map(lambda parts: "(" + "|".join(parts) + ")")
    return st.one_of(repeated, either, st.tuples(inner, inner).map("".join))


@settings(max_examples=300, deadline=None)
@given(st.recursive(ATOMS, _groups, max_leaves=6), st.text("abc.-1", max_size=8))
def test_same_as_python(expression: str, text: str) -> None:
    assert Pattern(expression).matches(text) == bool(re.fullmatch(expression, text, re.DOTALL))


@pytest.mark.parametrize(
    ("expression", "why"),
    [
        ("(a", "lacks a ')'"),
        ("a)", "without its '('"),
        ("*a", "nothing before it"),
        ("a**", "after a repeat"),
        ("a{2}{3}", "after a repeat"),
        ("^a", "anchor"),
        ("a$", "anchor"),
        (r"(a)\1", "not supported"),
        ("(?=a)", "only plain groups"),
        ("(?P<n>a)", "only plain groups"),
        ("[a", "lacks a ']'"),
        ("a{5,2}", "bounds"),
        ("a{0}", "bounds"),
        ("a{1,101}", "bounds"),
        ("((a{99}){99})", "repeats too much"),
        ("[z-a]", "bad character range"),
        ("[a--b]", "doubled sign"),
        (r"\x41", "not supported"),
        ("\\", "not supported"),
        ("a" * 257, "longer than"),
    ],
)
def test_refused(expression: str, why: str) -> None:
    with pytest.raises(RegexError, match=re.escape(why)):
        Pattern(expression)


def test_ambiguous_expressions_stay_linear() -> None:
    """Python's own engine would need longer than the age of the universe for each of these."""
    for expression in ("(a|a)*b", "(a*)*b", "(a?){50}a{50}b", "(.*a){20}b"):
        assert Pattern(expression).matches("a" * 5000) is False


def test_too_long_a_text_is_not_known() -> None:
    assert Pattern("a*").matches("a" * (MAX_TEXT + 1)) is None
