"""docs/reference/cis-debian-12.md and the shipped packs say the same of the CIS Debian 12 Benchmark."""

import re
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import pytest

from driftscan import policy
from tests.policy.support import KINDS

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "cis-debian-12.md").read_text()
VERDICTS = ("decided", "needs a person", "not applicable", "not yet")
_NUMBER = re.compile(r"[1-7](\.[0-9]+){2,4}")
_SIZES = {"1": 66, "2": 43, "3": 18, "4": 29, "5": 71, "6": 62, "7": 23}
"""How many recommendations each section has."""


class Row(NamedTuple):
    number: str
    asks: str
    level: str
    verdict: str
    rules: frozenset[str]
    why: str


def _rows() -> list[Row]:
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in PAGE.splitlines()]
    return [
        Row(number, asks, level, verdict, frozenset(rules.split(", ")) - {""}, why)
        for number, asks, level, verdict, rules, why in (found for found in cells if _NUMBER.fullmatch(found[0]))
    ]


ROWS = _rows()


@pytest.fixture(scope="module")
def referred() -> dict[str, set[str]]:
    """Number -> ids of the controls that refer to it."""
    found: dict[str, set[str]] = {}
    for name in policy.shipped():
        for each in policy.load([name], KINDS):
            for control in each.controls:
                for number in control.refs.get("cis_debian_12", ()):
                    found.setdefault(number, set()).add(control.id)
    return found


def test_each_row_names_the_rules_that_refer_to_it(referred: dict[str, set[str]]) -> None:
    told = {row.number: set(row.rules) for row in ROWS}
    assert {number: rules for number, rules in told.items() if rules} == referred


def test_no_number_is_missing_or_stands_twice() -> None:
    numbers = [tuple(map(int, row.number.split("."))) for row in ROWS]
    assert Counter(str(number[0]) for number in numbers) == _SIZES
    assert numbers == sorted(set(numbers))
    listed = set(numbers)
    parents = {number[:-1] for number in numbers}
    gaps = [n for n in numbers if n[-1] > 1 and not {(*n[:-1], n[-1] - 1)} & (listed | parents)]
    assert gaps == []


def test_verdicts_are_founded() -> None:
    assert {row.verdict for row in ROWS} <= set(VERDICTS)
    assert {row.level for row in ROWS} == {"1", "2"}
    assert [row.number for row in ROWS if row.verdict == "decided" and not row.rules] == []
    assert [row.number for row in ROWS if row.verdict == "not applicable" and row.rules] == []
    assert [row.number for row in ROWS if not row.asks or (row.verdict != "decided" and not row.why)] == []


def test_counts_are_true() -> None:
    head = re.findall(r"^\| (?:([1-7]) .*?|all) \| (\d+) \| (\d+) \| (\d+) \| (\d+) \| (\d+) \|$", PAGE, re.MULTILINE)
    told = {section or "all": tuple(map(int, counts)) for section, *counts in head}
    assert told == {name: _counts(name) for name in (*_SIZES, "all")}


def _counts(section: str) -> tuple[int, ...]:
    found = Counter(row.verdict for row in ROWS if section in {"all", row.number[0]})
    return (found.total(), *(found[verdict] for verdict in VERDICTS))
