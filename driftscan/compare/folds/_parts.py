"""What several folds say and look for in the same way."""

import re
from collections.abc import Iterable, Iterator

from driftscan.compare.attributes import mode_of
from driftscan.compare.pool import Pool
from driftscan.model.drift import Change, Difference
from driftscan.model.resource import Value

ACCOUNT_FILES = tuple(
    f"/etc/{name}{suffix}"
    for name in ("passwd", "group", "shadow", "gshadow", "subuid", "subgid")
    for suffix in ("", "-")
)
_MAX_VALUE = 60
_MOST_ENDS = 20
_ASIDE = re.compile(r"[._~-]")
"""With what that begins which is put at the end of a name."""
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


def account_files(pool: Pool, paths: Iterable[str] = ACCOUNT_FILES) -> Iterator[Difference]:
    """The files that hold accounts, also those that a zone accepts since their rows are judged. One that others may
    read or write now is another matter, save the copy of it that account tools make (`/etc/shadow-`)."""
    for path in paths:
        item = pool.file(path)
        if item is not None and (not _opened(item) or (path.endswith("-") and _opened(pool.file(path[:-1])))):
            yield item


def _opened(item: Difference | None) -> bool:
    if item is None or item.change is not Change.MODIFIED:
        return False
    mode = item.attributes.get("mode")
    more = mode is not None and mode_of({"mode": mode.actual}) & ~mode_of({"mode": mode.expected})
    return bool(more) or not {"acl", "uid", "gid"}.isdisjoint(item.attributes)


def files(pool: Pool, *paths: str) -> Iterator[Difference | None]:
    """The differences of these files, also those that a zone accepts."""
    for path in paths:
        yield pool.file(path)


def shorter(path: str) -> Iterator[str]:
    """What a name may have been before something was put at its end, the longest first."""
    directory = path.rpartition("/")[0] + "/"
    ends = [found.start() for found in _ASIDE.finditer(path, len(directory) + 1)]
    yield from (path[:end] for end in reversed(ends[:_MOST_ENDS]))
