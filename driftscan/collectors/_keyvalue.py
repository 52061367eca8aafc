"""`NAME=value` files in the subset of shell that os-release(5) allows, which /etc/default files share."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from driftscan.model.source import Line

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}", re.ASCII)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Assignments:
    """Values by name (the last assignment of a name holds, as in a shell) and the numbers of lines that are none."""

    values: dict[str, str]
    bad_lines: tuple[int, ...]


def assignments(lines: Iterable[Line]) -> Assignments:
    """Blank lines and comments (`#` first) are skipped; quotes and the backslashes of escapes are removed."""
    values: dict[str, str] = {}
    bad: list[int] = []
    for line in lines:
        text = line.text.strip(" \t\r")
        if not text or text[0] == "#":
            continue
        name, equals, raw = text.partition("=")
        parsed = unquote(raw) if equals and _NAME.fullmatch(name) else None
        if parsed is None:
            bad.append(line.number)
        else:
            values[name] = parsed
    return Assignments(values, tuple(bad))


def unquote(raw: str) -> str | None:
    """The value of one shell word, None if its quotes are not closed or followed by more."""
    if raw[:1] == "'":
        return raw[1:-1] if len(raw) > 1 and raw.endswith("'") and "'" not in raw[1:-1] else None
    if raw[:1] == '"':
        inner = raw[1:-1]
        closed = len(raw) > 1 and raw.endswith('"') and '"' not in _ESCAPED.sub("", inner) and not _ends_escaped(inner)
        return re.sub(r'\\([$"\\`])', r"\1", inner) if closed else None
    return None if "'" in raw or '"' in raw else _ESCAPED.sub(r"\1", raw)


def _ends_escaped(text: str) -> bool:
    return (len(text) - len(text.rstrip("\\"))) % 2 == 1
