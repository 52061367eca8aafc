"""A changed setting as a person reads it: a unified diff of two texts, the leaves of nested values that differ."""

import difflib
from collections.abc import Iterator, Mapping

from driftscan.model.drift import Delta
from driftscan.model.names import show
from driftscan.model.resource import Value

MAX_LINES = 600
"""Lines that differ between the common beginning and the common end; more are not aligned (time grows steeply)."""
MAX_SHOWN = 200
CONTEXT = 3


def unified(old: str, new: str) -> str:
    """A unified diff without file names, at most MAX_SHOWN lines; empty if the lines are equal."""
    before, after = old.split("\n"), new.split("\n")
    start = _common(before, after)
    stop = _common(before[start:][::-1], after[start:][::-1])
    inner = max(len(before), len(after)) - start - stop
    if inner > MAX_LINES:
        return f"{inner} lines differ from line {start + 1} on: too many to show"
    first, last = max(start - CONTEXT, 0), max(stop - CONTEXT, 0)
    left, right = before[first : len(before) - last], after[first : len(after) - last]
    lines = [show(line) for line in difflib.unified_diff(left, right, n=CONTEXT, lineterm="")][2:]
    if len(lines) > MAX_SHOWN:
        lines = [*lines[:MAX_SHOWN], f"... and {len(lines) - MAX_SHOWN} more lines"]
    return "\n".join(line for line in _numbered(lines, first))


def nested(deltas: Mapping[str, Delta]) -> str:
    """The leaves that differ of attributes that hold mappings: `xattrs['user.x']: '61' -> '62'`."""
    lines: list[str] = []
    for name, delta in sorted(deltas.items()):
        if isinstance(delta.expected, Mapping) and isinstance(delta.actual, Mapping):
            lines.extend(_leaves(name, delta.expected, delta.actual))
    return "\n".join(lines[:MAX_SHOWN])


def _leaves(name: str, old: Mapping[str, Value], new: Mapping[str, Value]) -> Iterator[str]:
    from deepdiff import DeepDiff  # noqa: PLC0415 - 160 ms, paid only where nested values differ

    found = DeepDiff(old, new, verbose_level=2, view="tree")
    for group in sorted(found):
        for leaf in sorted(found[group], key=lambda level: str(level.path())):
            path = show(str(leaf.path(root=name)))
            yield f"{path}: {show(repr(leaf.t1))} -> {show(repr(leaf.t2))}"


def _common(left: list[str], right: list[str]) -> int:
    count = 0
    for one, other in zip(left, right, strict=False):
        if one != other:
            break
        count += 1
    return count


def _numbered(lines: list[str], offset: int) -> Iterator[str]:
    """Hunk headers count from the whole text's first line."""
    for line in lines:
        yield _moved(line, offset) if offset and line.startswith("@@ -") else line


def _moved(header: str, offset: int) -> str:
    _, old, new, _ = header.split(" ", 3)
    return f"@@ -{_shift(old[1:], offset)} +{_shift(new[1:], offset)} @@"


def _shift(span: str, offset: int) -> str:
    start, comma, length = span.partition(",")
    return f"{int(start) + offset}{comma}{length}"
