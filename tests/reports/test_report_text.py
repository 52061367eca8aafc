"""The text report: to the letter, and harmless whatever a host said."""

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftscan.model.drift import Change, Delta, Difference
from driftscan.model.finding import Action, Severity
from driftscan.model.names import encode_name
from driftscan.model.resource import Value
from driftscan.model.result import NOT_COMPARED, HostImage, HostResult, ImageMatch, ScanResult
from driftscan.reports import _words as words
from driftscan.reports import text
from driftscan.reports._base import Style
from driftscan.reports._terminal import Painter, columns
from tests.reports import golden, samples

COLOR = re.compile(r"\x1b\[[0-9;]*m")


def _render(result: ScanResult, width: int = 100, *, color: bool = False, verbose: int = 0) -> str:
    return "".join(text.report.render(result, Style(width=width, color=color, verbose=verbose)))


@pytest.mark.parametrize("width", [60, 80, 140])
def test_golden(width: int, update_expected: bool) -> None:
    golden.compare(f"fleet-{width}.txt", _render(samples.fleet(), width=width), update_expected)


def test_golden_verbose(update_expected: bool) -> None:
    golden.compare("fleet-verbose.txt", _render(samples.fleet(), width=100, verbose=1), update_expected)


def test_golden_in_colour(update_expected: bool) -> None:
    golden.compare("fleet-color.txt", _render(samples.fleet(), width=80, color=True), update_expected)


def test_colour_changes_nothing_but_colour() -> None:
    plain = _render(samples.fleet(), width=80)
    assert COLOR.sub("", _render(samples.fleet(), width=80, color=True)) == plain
    assert "\x1b" not in plain


def test_no_control_character_of_a_host_comes_through() -> None:
    for verbose in (0, 1):
        shown = COLOR.sub("", _render(samples.fleet(), color=True, verbose=verbose))
        bad = {char for char in shown if char != "\n" and (ord(char) < 32 or 127 <= ord(char) < 160)}
        assert not bad
        assert not {"\u202e", "\u200b", "\u2028"} & set(shown)


def test_every_hostile_name_is_shown_and_told_apart() -> None:
    shown = [line.strip() for line in _render(samples.fleet(), verbose=1).splitlines()]
    names = {line for line in shown if line.startswith(("+ file /tmp/", '+ file "/tmp/'))}
    assert len(names) == len(samples.HOSTILE)


def test_a_name_is_never_broken_over_lines() -> None:
    long = "/opt/" + "very long name with spaces " * 12
    changed = samples.mutation(1, "t", samples.hostile().cause, (samples.added("file", long),))
    host = samples.drifted()
    result = samples.result(
        HostResult(
            host=host.host,
            target=host.target,
            verdict=host.verdict,
            recommendation=host.recommendation,
            mutations=(samples.judged(changed, Severity.LOW, Action.OBSERVE),),
        )
    )
    assert any(words.name(long) in line for line in _render(result, width=60).splitlines())


def test_the_worst_host_comes_first() -> None:
    hosts = [host.host for host in words.by_urgency(samples.fleet().hosts)]
    assert hosts == ["web-2\x1b[31m", "web-1", "web-4", "web-3"]


@pytest.mark.parametrize("width", [40, 60, 100])
@pytest.mark.parametrize("name", ["a", "web-" + "long" * 30, "rootfs:/a b/\x1b"])
def test_a_table_of_any_names_and_width(width: int, name: str) -> None:
    for host in (samples.clean(name), replace(samples.drifted(), host=name)):
        assert _render(samples.result(host), width=width).startswith("1 host scanned")


def test_an_interrupted_scan_says_so() -> None:
    assert "(interrupted)" in _render(samples.result(samples.clean(), interrupted=True))


def test_a_clean_fleet_is_a_table_and_no_next_command() -> None:
    shown = _render(samples.result(samples.clean("a"), samples.clean("b")))
    assert "Next:" not in shown
    assert len(shown.splitlines()) == 5


@pytest.mark.parametrize(
    ("given_value", "shown"),
    [
        (None, "absent"),
        ("", "''"),
        (True, "yes"),
        (False, "no"),
        (0, "0"),
        ("sha256:" + "ab" * 32, "abababababab…"),
        ("ab" * 32, "abababababab…"),
        ("x" * 100, "x" * 59 + "…"),
        (("a", ("b", None)), "[a, [b, absent]]"),
        ({"b": 1, "a": "\x1b"}, "{a: \\x1b, b: 1}"),
    ],
)
def test_values(given_value: Value, shown: str) -> None:
    assert words.value(given_value) == shown


def test_only_what_is_modified_has_a_summary() -> None:
    item = Difference(kind="file", key="/x", change=Change.ADDED, attributes={"mode": Delta(None, "0644")})
    assert words.summary_of(item) == ""


BLANKS = ["a b", "a\u00a0b", "a\u3000b", '"a b"', "a\\x20b", "a  b", "a   b", "a ", " a", "a\tb", "\x85", ""]


@given(st.binary(max_size=12), st.binary(max_size=12))
def test_two_names_never_look_the_same(one: bytes, other: bytes) -> None:
    shown = [words.name(encode_name(raw)) for raw in (one, other)]
    assert (shown[0] == shown[1]) == (one == other)


@given(
    st.sampled_from(
        ["a b", "a\u00a0b", "a\u3000b", '"a b"', "a\\x20b", "a  b", "a   b", "a ", " a", "a\tb", "\x85", ""]
    )
)
def test_white_space_is_told_apart(other: str) -> None:
    mine = words.name(encode_name(b"a b"))
    assert (words.name(encode_name(other.encode())) == mine) == (other == "a b")


@given(st.text(max_size=40))
def test_a_name_stays_on_its_line_and_harmless(key: str) -> None:
    shown = words.name(key)
    assert shown.isprintable()


WIDE, COMBINING = "\u6f22\u5b57" * 12, "cafe\u0301" * 12


@pytest.mark.parametrize("width", [80, 100, 200])
@pytest.mark.parametrize("name", [WIDE, COMBINING, "web-1"])
def test_no_line_is_wider_than_the_terminal(name: str, width: int) -> None:
    """But those with a word, a name or a command that alone is."""
    said = " ".join([name] * 20)
    host = replace(
        samples.drifted(),
        host=name,
        recommendation=samples.recommendation(Action.REPLACE, said, counterfactual=said),
        notes=(said,),
    )
    shown = _render(samples.result(host, samples.clean()), width=width)
    assert {line for line in shown.splitlines() if columns(line) > width} == set()
    table = shown.split("\n\n")[1].splitlines()
    at = {columns(line.split("findings ")[0]) for line in table if "findings " in line}
    at |= {columns(line.split("VERDICT")[0]) for line in table if "VERDICT" in line}
    assert len(at) == 1


@given(st.text(st.sampled_from("ab \u6f22e\u0301"), max_size=60), st.integers(40, 60))
def test_wrapping_loses_nothing(text: str, width: int) -> None:
    lines = Painter(Style(width=width)).wrap(text, "  ", "    ")
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")
    assert all(columns(line) <= width for line in lines if len(line.split()) > 1)


def test_where_nothing_was_found_the_next_command_is_for_who_was_not_reached() -> None:
    direct, listed = samples.unreachable(), replace(samples.unreachable(), target="web 4", origin="hosts.yaml:3")
    assert _render(samples.result(samples.clean(), direct)).endswith("\nNext: driftscan doctor ssh://web-4:22\n")
    assert _render(samples.result(listed)).endswith("\nNext: driftscan doctor 'web 4' -i hosts.yaml\n")
    assert "Next: driftscan explain" in _render(samples.fleet())


def test_what_no_store_keeps_is_not_to_be_explained() -> None:
    for target in ("snapshot:a/web-1.snapshot", "capture:web-1"):
        assert "Next:" not in _render(samples.result(replace(samples.drifted(), target=target)))


def test_what_was_compared_with_nothing_does_not_claim_a_database() -> None:
    host = replace(samples.clean(), image=HostImage(match=ImageMatch.STAND_IN), notes=(NOT_COMPARED,))
    shown = _render(samples.result(host))
    assert "Compared with nothing" in shown
    assert "its own package database" not in shown
