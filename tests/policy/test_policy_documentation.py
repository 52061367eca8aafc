"""docs/policy.md: every example is loaded and its cases run; the operator table is the code's."""

import re
from pathlib import Path

import pytest

from driftscan import policy
from driftscan.policy.cases import run
from driftscan.policy.operators import NESTED, OPERATORS
from tests.policy.support import HEAD, KINDS, written

PAGE = (Path(__file__).parents[2] / "docs" / "policy.md").read_text()
EXAMPLES = re.findall(r"^```yaml\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
TYPES = ("text", "number", "truth", "list", "mapping")


@pytest.mark.parametrize("example", EXAMPLES)
def test_example(tmp_path: Path, example: str) -> None:
    whole = example if example.startswith("policy:") else HEAD + "rules:\n" + example
    policies = policy.load([written(tmp_path, whole)], KINDS)
    assert any(each.rules or each.windows for each in policies)
    assert [result for result in run(policies) if not result.passed] == []


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
    ):
        assert f"{word}:" in text, word


def test_operator_table() -> None:
    told = {
        cells[0].strip(" `"): (cells[1].strip(), cells[2].strip())
        for line in PAGE.splitlines()
        if len(cells := line.strip("|").split("|")) == 3 and cells[0].strip(" `") in {*OPERATORS, *NESTED}
    }
    assert told == {name: (_types(types), doc) for name, (types, doc) in _rows()}


def _rows() -> list[tuple[str, tuple[frozenset[str], str]]]:
    return [*((each.name, (each.types, each.doc)) for each in OPERATORS.values()), *NESTED.items()]


def _types(types: frozenset[str]) -> str:
    return ", ".join(name for name in TYPES if name in types) if types < set(TYPES) else "any"
