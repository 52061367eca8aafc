"""The likeliest mistakes in a policy file, each with all that is said of it: `mistakes.txt` is written for reading."""

from pathlib import Path

import pytest

from driftscan import content
from driftscan.errors import UsageError
from driftscan.policy.compile import compile_policy
from driftscan.policy.load import shipped
from driftscan.policy.schema import schema, shape
from driftscan.policy.scope import HINT
from driftscan.schema_check import problems
from driftscan.yaml_strict import check, load, parse
from tests.policy.support import KINDS

SECTIONS = (Path(__file__).parent / "mistakes.txt").read_text().split("=== ")[1:]


@pytest.mark.parametrize("section", SECTIONS, ids=[section.partition("\n")[0] for section in SECTIONS])
def test_message(section: str) -> None:
    text, _, says = section.partition("\n")[2].partition("--- says\n")
    with pytest.raises(UsageError) as caught:
        _lint(text)
    assert caught.value.message == says.strip()
    assert "NO ERROR" not in says


def _lint(text: str) -> None:
    document = parse(text, "ours.yaml")
    check(document, shape(), HINT)
    compile_policy(document, KINDS, {})


def test_there_are_thirty() -> None:
    assert len(SECTIONS) >= 30


def test_editors_schema_knows_columns_and_operators() -> None:
    """What `policy schema` prints refuses the mistakes that concern kinds, which the shape leaves to the compiler."""
    names = {
        "an unknown kind",
        "an unknown column",
        "an unknown operator",
        "an operator that does not fit the column",
        "an empty list of choices",
        "nothing asked",
    }
    whole = schema(KINDS)
    for section in SECTIONS:
        name, _, rest = section.partition("\n")
        if name in names:
            names.discard(name)
            assert problems(parse(rest.partition("--- says\n")[0], "ours.yaml").data, whole), name
    assert not names


def test_editors_schema_accepts_the_shipped_packs() -> None:
    whole = schema(KINDS)
    for pack in shipped():
        for path in sorted((content.folder() / pack).glob("*.yaml")):
            assert problems(load(path).data, whole) == (), path
