"""Runs every case of every collector, and fails for a collector without the cases that each must have."""

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

import pytest

from driftscan.collectors._base import Collector
from driftscan.errors import ParseError, UnavailableError
from driftscan.model.codec import canonical
from driftscan.model.resource import Resource, Value
from driftscan.model.source import Command, File, Gap, Glob, Source, Tree
from driftscan.plugins import discover
from tests.collectors.casefiles import CASES, Case, all_cases

COLLECTORS = discover("driftscan.collectors", "collector", Collector)


def sources(collector: Collector) -> tuple[Source, ...]:
    """What the collector asks; the walk's rules come from zones, so that the files collector declares none itself."""
    return collector.sources or (Tree(),)


def outcome(collector: Collector, case: Case) -> dict[str, Any]:
    """What the collector makes of the case, as expected.json holds it: resources, gaps, and the error raised."""
    resources: list[Resource] = []
    gaps: list[Gap] = []
    error: dict[str, Any] | None = None
    try:
        for item in collector.parse(case.captures(sources(collector))):
            (gaps if isinstance(item, Gap) else resources).append(item)  # type: ignore[arg-type]
    except ParseError as raised:
        error = {"type": "ParseError", "source": _name(raised.source), "line": raised.line, "why": raised.why}
    except UnavailableError as raised:
        error = {"type": "UnavailableError", "source": _name(raised.source), "status": raised.status}
    check_declared(collector, resources, gaps)
    found: dict[str, Any] = {"resources": [_row(item) for item in sorted(resources, key=lambda item: item.id)]}
    found["gaps"] = [
        {"status": item.status, "reason": item.reason, "hides": list(item.hides)}
        for item in sorted(gaps, key=lambda item: (item.hides, item.reason))
    ]
    if error:
        found["error"] = error
    return found


def check_declared(collector: Collector, resources: Iterable[Resource], gaps: Iterable[Gap]) -> None:
    """One resource per key, only declared kinds and columns, only declared types, only text that UTF-8 can hold."""
    kinds = {kind.name: kind for kind in collector.kinds}
    seen: set[tuple[str, str]] = set()
    for item in resources:
        assert item.id not in seen, f"{item.id} twice"
        seen.add(item.id)
        assert item.kind in kinds, f"{item.kind} is not declared"
        item.key.encode()
        shape = kinds[item.kind].shape
        assert not shape or re.fullmatch(shape, item.key, re.DOTALL), f"{item.id} is of another shape than {shape}"
        for name, value in item.attributes.items():
            assert name in kinds[item.kind].attributes, f"column {name} of {item.kind} is not declared"
            wanted = kinds[item.kind].attributes[name].type
            assert value is None or type(value) is wanted, f"{item.id} {name}: {value!r} is no {wanted.__name__}"
            words = kinds[item.kind].attributes[name].words
            assert not words or value is None or value in words, f"{item.id} {name}: {value!r} is none of {words}"
            _check_value(value)
        for value in item.observed.values():
            _check_value(value)
    for gap in gaps:
        assert gap.collector == collector.name
        assert all(hidden.partition(":")[0] in kinds for hidden in gap.hides), f"{gap} hides an undeclared kind"


def _check_value(value: Value) -> None:
    if isinstance(value, str):
        value.encode()
    elif isinstance(value, tuple):
        for part in value:
            _check_value(part)
    elif isinstance(value, Mapping):
        for key, part in value.items():
            key.encode()
            _check_value(part)
    else:
        assert value is None or isinstance(value, int)


def _name(source: Source) -> str:
    match source:
        case File():
            return source.path
        case Glob():
            return source.patterns[0]
        case Command():
            return " ".join(source.argv)[:20]
        case _:
            return type(source).__name__


def _row(item: Resource) -> dict[str, Any]:
    row: dict[str, Any] = {"kind": item.kind, "key": item.key, "attributes": dict(item.attributes)}
    return row | ({"observed": dict(item.observed)} if item.observed else {})


def _id(case: Case) -> str:
    return f"{case.collector}/{case.folder.name}"


@pytest.mark.parametrize("case", list(all_cases()), ids=_id)
def test_case(case: Case, update_expected: bool) -> None:
    found = json.loads(canonical(outcome(COLLECTORS[case.collector], case)))
    text = json.dumps(found, indent=1, sort_keys=True, ensure_ascii=True) + "\n"
    if update_expected:
        case.expected.write_text(text, encoding="utf-8")
    assert case.expected.exists(), "no expected.json: review what `pytest --update-expected` writes"
    assert found == json.loads(case.expected.read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", sorted(COLLECTORS))
def test_every_collector_has_its_cases(name: str) -> None:
    roles = {case.about["role"] for case in all_cases() if case.collector == name}
    assert roles >= {"ordinary", "absent", "broken"}, f"{name} has only {sorted(roles)}"


@pytest.mark.parametrize("name", sorted(COLLECTORS))
def test_broken_input_shows(name: str) -> None:
    """A broken case that yields no gap and no error would pass for a clean host."""
    for case in all_cases():
        if case.collector == name and case.about["role"] == "broken":
            found = outcome(COLLECTORS[name], case)
            assert found["gaps"] or "error" in found, f"{_id(case)}: broken input went unnoticed"


def test_every_case_folder_is_a_case() -> None:
    folders = {file for file in CASES.glob("*/*") if file.is_dir()}
    assert folders == {case.folder for case in all_cases()}
    assert {case.collector for case in all_cases()} <= set(COLLECTORS)


@pytest.mark.parametrize("name", sorted(COLLECTORS))
def test_collector_is_declared_whole(name: str) -> None:
    collector = COLLECTORS[name]
    assert collector.doc
    assert len(set(collector.sources)) == len(collector.sources)
    for kind in collector.kinds:
        assert kind.doc
        assert kind.key
        assert all(column.doc for column in kind.attributes.values())
        assert all(column.type in {str, int, bool, tuple, dict} for column in kind.attributes.values())
