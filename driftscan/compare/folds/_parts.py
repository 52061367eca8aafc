"""What several folds say and look for in the same way."""

from collections.abc import Iterable, Iterator

from driftscan.compare.pool import Pool
from driftscan.model.drift import Change, Difference
from driftscan.model.resource import Value

ACCOUNT_FILES = tuple(
    f"/etc/{name}{suffix}"
    for name in ("passwd", "group", "shadow", "gshadow", "subuid", "subgid")
    for suffix in ("", "-")
)
_MAX_VALUE = 60
_NOTHING = "nothing"
_DIGESTS = frozenset({"sha256", "md5", "digest"})


def said(value: Value) -> str:
    """A value in a title."""
    if value is None or value in ("", ()):
        return _NOTHING
    if isinstance(value, tuple):
        value = ", ".join(str(part) for part in value)
    text = str(value)
    return text if len(text) <= _MAX_VALUE else text[: _MAX_VALUE - 3] + "..."


def moved(item: Difference, only: Iterable[str] = ()) -> str:
    """`attribute old -> new` for each attribute of a resource, without digests, and without those of an added one that
    say nothing."""
    differ = item.telling
    shown = [
        (name, said(differ[name].expected), said(differ[name].actual))
        for name in tuple(only) or sorted(differ)
        if name in differ and name not in _DIGESTS
    ]
    return ", ".join(f"{name} {old} -> {new}" for name, old, new in shown if (old, new) != (_NOTHING, _NOTHING))


def word(change: Change) -> str:
    """Of a change, in a title."""
    return {Change.ADDED: "added", Change.REMOVED: "removed"}.get(change, "changed")


def counted(count: int, noun: str) -> str:
    """`1 file`, `2 files`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def and_more(names: list[str], limit: int = 3) -> str:
    """`a, b, c and 4 more`."""
    if len(names) <= limit:
        return ", ".join(names)
    return ", ".join(names[:limit]) + f" and {len(names) - limit} more"


def files(pool: Pool, *paths: str) -> Iterator[Difference | None]:
    """The differences of these files, also those that a zone accepts."""
    for path in paths:
        yield pool.file(path)
