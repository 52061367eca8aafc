"""Hosts' facts and rules for the benchmark of policies, made from one real snapshot: plain data, for both engines.

Hosts of one image are alike but for one resource in a hundred. Standard library alone: the peer's interpreter runs it.
"""

import json
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

Facts = dict[str, dict[str, dict[str, Any]]]
"""kind -> key -> columns."""
OTHER_IN = 100


def read(path: str) -> tuple[Facts, list[dict[str, Any]]]:
    """The facts of the first host, and the rules."""
    data = json.loads(Path(path).read_text("utf-8"))
    return data["facts"], data["rules"]


def host(facts: Facts, number: int) -> Facts:
    """The facts of a host: those of the first, one resource in a hundred with another text or number."""
    return {
        kind: {key: _other(columns) if _differs(kind, key, number) else columns for key, columns in rows.items()}
        for kind, rows in facts.items()
    }


def _differs(kind: str, key: str, number: int) -> bool:
    return number > 0 and zlib.crc32(f"{kind} {key} {number}".encode()) % OTHER_IN == 0


def _other(columns: dict[str, Any]) -> dict[str, Any]:
    return {
        name: value + 1 if type(value) is int else f"{value}x" if isinstance(value, str) else value
        for name, value in columns.items()
    }


def rules(facts: Facts, count: int) -> list[dict[str, Any]]:
    """Rules that forbid something of one column, with arguments that stand in the facts, of all kinds in turn. Each has
    `kind`, `column`, `operator` and `argument`."""
    made = {kind: list(_of_kind(kind, rows)) for kind, rows in sorted(facts.items())}
    found: list[dict[str, Any]] = []
    place = 0
    while len(found) < count and any(place < len(each) for each in made.values()):
        found += [each[place] for each in made.values() if place < len(each)]
        place += 1
    return found[:count]


def _of_kind(kind: str, rows: dict[str, dict[str, Any]]) -> Iterator[dict[str, Any]]:
    columns = sorted({name for row in rows.values() for name in row})
    for name in columns:
        values = [row[name] for row in rows.values() if name in row]
        if len(values) < len(rows):
            continue  # not known of some, which the peer cannot tell from absent
        for operator, argument in _asked(values):
            yield {"kind": kind, "column": name, "operator": operator, "argument": argument}


def _asked(values: list[Any]) -> Iterator[tuple[str, Any]]:
    texts = sorted({value for value in values if isinstance(value, str) and value.isascii() and 1 < len(value) < 40})
    plain = [text for text in texts if text.replace("-", "").replace(".", "").replace("/", "").isalnum()]
    if plain and all(isinstance(value, str) for value in values):
        some = plain[:: max(1, len(plain) // 3)][:3]
        yield "eq", some[0]
        yield "in", some
        yield "not-in", some
        yield "glob", some[-1][:2] + "*"
        yield "regex", some[-1][:2] + "[a-z0-9/.-]*"
    if values and all(type(value) is int for value in values):
        middle = sorted(values)[len(values) // 2]
        yield "gt", middle
        yield "le", middle
        yield "eq", middle
    items = sorted({item for value in values if isinstance(value, list) for item in value if isinstance(item, str)})
    if items and all(isinstance(value, list) for value in values):
        yield "contains", items[0]
    if values and all(isinstance(value, str | list) or value is None for value in values):
        yield "absent", True
        yield "present", True
