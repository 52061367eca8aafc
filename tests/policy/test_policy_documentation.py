"""docs/policy.md shows everything, and its tables are the code's (tests/test_documentation.py loads the examples)."""

import re
from pathlib import Path

from driftscan.policy.operators import NESTED, OPERATORS, ROWS, SUBTYPES, plainest
from driftscan.policy.schema import shape

PAGE = (Path(__file__).parents[2] / "docs" / "policy.md").read_text()
EXAMPLES = re.findall(r"^```yaml\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
TYPES = ("text", "number", "truth", "list", "mapping", "size", "version", "time")


def test_there_are_examples_of_everything() -> None:
    text = "\n".join(EXAMPLES)
    assert len(EXAMPLES) >= 8
    for word in (
        "extends",
        "overrides",
        "parameters",
        "applies_to",
        "allow",
        "unless",
        "patch_window",
        "any_of",
        "default",
        "tests",
        "at_fault",
        "each",
    ):
        assert f"{word}:" in text, word


def test_operator_table() -> None:
    told = [
        (cells[0].strip(" `"), cells[1].strip(), cells[2].strip())
        for line in PAGE.splitlines()
        if len(cells := line.strip("|").split("|")) == 3 and cells[0].strip(" `") in {*OPERATORS, *NESTED}
    ]
    assert told == [(name, _types(types), doc) for name, types, doc in _rows()]


def _rows() -> list[tuple[str, frozenset[str], str]]:
    return [*((row.name, row.types, row.doc) for row in ROWS), *((name, *row) for name, row in NESTED.items())]


def _types(types: frozenset[str]) -> str:
    told = plainest(types)
    return "any" if len(told) == len(TYPES) - len(SUBTYPES) else ", ".join(name for name in TYPES if name in told)


def test_every_key_of_a_case_is_in_the_table() -> None:
    table = PAGE.partition("| key of a case | |")[2].partition("\n\n")[0]
    told = {name for cell in re.findall(r"^\| (.*?) \|", table, re.MULTILINE) for name in re.findall(r"`(\w+)`", cell)}
    assert told == set(shape()["$defs"]["case"]["properties"])
