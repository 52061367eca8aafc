"""Every YAML example in the documentation is read by what reads such files; docs/reference/facts.md is as the code."""

import re
import shlex
import textwrap
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from driftscan import changes, inventory, policy, zones
from driftscan.alerts import schema as alerts_schema
from driftscan.cli import _config, _options
from driftscan.cli._run import _find, _with_common
from driftscan.cli._run import load as command
from driftscan.cli._settings import parse as parse_words
from driftscan.model.resource import Kind
from driftscan.model.snapshot import Resources
from driftscan.policy import derived, outside
from driftscan.policy.schema import schema
from driftscan.policy.scope import column_type
from driftscan.policy.trial import trials
from driftscan.schema_check import problems
from driftscan.waivers.load import load as load_waivers
from driftscan.yaml_strict import check, parse
from tests.policy.support import HEAD, KINDS

REPOSITORY = Path(__file__).parents[1]
PAGES = sorted(
    path
    for path in (*REPOSITORY.glob("*.md"), *REPOSITORY.glob("docs/**/*.md"), *REPOSITORY.glob("tests/fleet/*.md"))
    if path.is_file()
)
_BLOCK = re.compile(r"^(?P<indent> *)```ya?ml *\n(?P<text>.*?)^(?P=indent)```$", re.DOTALL | re.MULTILINE)


def _examples() -> Iterator[Any]:
    for page in PAGES:
        text = page.read_text("utf-8")
        for found in _BLOCK.finditer(text):
            line = text.count("\n", 0, found.start()) + 1
            yield pytest.param(textwrap.dedent(found["text"]), id=f"{page.relative_to(REPOSITORY)}:{line}")


EXAMPLES = list(_examples())


@pytest.mark.parametrize("text", EXAMPLES)
def test_the_example_is_read(text: str, tmp_path: Path) -> None:
    """By its keys: a kind of file that this test does not know is a defect of the test."""
    data = parse(text, "example.yaml").data
    keys = {"-"} | set(data[0]) if isinstance(data, list) else set(data)
    readers = [_policy] if keys >= {"policy", "version"} else [reader for key, reader in READERS.items() if key in keys]
    assert readers, f"what reads a file with {sorted(keys)}?"
    (tmp_path / "rootfs").mkdir()
    path = tmp_path / "example.yaml"
    path.write_text(text)
    readers[0](path)


def _policy(path: Path) -> None:
    assert problems(parse(path.read_text(), "example.yaml").data, schema(KINDS)) == ()
    loaded = policy.load([str(path)], KINDS)
    assert any(each.rules or each.windows or each.waiver_days for each in loaded)
    for trial in trials(loaded):
        assert all(case.passed for case in trial.cases), trial.rule.id


def _rules(path: Path) -> None:
    path.write_text(f"{HEAD}rules:\n{path.read_text()}")
    _policy(path)


def _inventory(path: Path) -> None:
    assert inventory.load(str(path))


def _zones(path: Path) -> None:
    zones.load(path, Resources())


def _changes(path: Path) -> None:
    assert changes.load(path, frozenset(KINDS)).entries


def _waivers(path: Path) -> None:
    assert load_waivers(path)


def _alerts(path: Path) -> None:
    """Without the secrets and programs that it names."""
    check(parse(path.read_text(), "alerts.yaml"), alerts_schema.SCHEMA, "")


def _settings(path: Path) -> None:
    check(parse(path.read_text(), "driftscan.yaml"), _config.schema(_options.ALL), "")


def _pipeline(path: Path) -> None:
    """Steps of a CI system: their driftscan commands are ones that the command line takes."""
    steps = parse(path.read_text(), "example.yaml").data
    typed = [step["run"] for step in steps if step["run"].startswith("driftscan ")]
    for line in typed:
        other, rest = _find(shlex.split(line)[1:])
        parse_words(_with_common(command(other)), rest)
    assert typed


READERS: dict[str, Callable[[Path], None]] = {
    "id": _rules,
    "zones": _zones,
    "waivers": _waivers,
    "hosts": _inventory,
    "packages": _changes,
    "fail-on": _settings,
    "run": _pipeline,
    "alerts": _alerts,
}
"""A key that only such files have, and what reads them."""


def test_examples_were_found() -> None:
    assert len(EXAMPLES) >= 15
    assert {"README.md", "docs/policy.md", "docs/cli.md", "docs/formats/zones.md"} <= {
        str(each.id).rpartition(":")[0] for each in EXAMPLES
    }


FACTS = REPOSITORY / "docs" / "reference" / "facts.md"
FACT_PARTS: Mapping[str, Mapping[str, Kind]] = {
    "Collected kinds": KINDS,
    "Kinds that follow from others, for controls alone": {**derived.KINDS, **outside.KINDS},
}


def test_every_kind_and_column_is_on_the_page_of_facts(update_expected: bool) -> None:
    """As the code says them; `--update-expected` writes the tables."""
    told = FACTS.read_text()
    head, _, _ = told.partition("\n## ")
    whole = head + "".join(f"\n## {title}\n" + "".join(line for name in sorted(kinds) for line in _kind(kinds[name]))
                           for title, kinds in FACT_PARTS.items())  # fmt: skip
    if update_expected:
        FACTS.write_text(whole)
    assert told == whole, "the page is not as the code: pytest tests/test_documentation.py --update-expected"


def _kind(kind: Kind) -> Iterator[str]:
    yield f"\n### {kind.name}\n{_ended(kind.doc)} Key: {_ended(kind.key)} {_where(kind)}\n\n"
    yield "| column | type | |\n|---|---|---|\n" if kind.attributes else "No columns: ask with `present`.\n"
    for name, column in kind.attributes.items():
        yield f"| `{name}` | {column_type(column)} | {column.doc.replace('|', '&#124;')} |\n"


def _ended(text: str) -> str:
    return text if text.endswith(".") else f"{text}."


def _where(kind: Kind) -> str:
    return "Running hosts alone." if kind.plane == "runtime" else "Hosts and images."
