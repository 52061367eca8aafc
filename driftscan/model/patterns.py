"""Patterns over resources, `kind:glob`: the one reading of what zones, gaps and rules write.

In keys of files `*` and `?` stay within a path component, and a component `**` matches any number of components:
also none in the middle, at least one at the end (`/run/**` is all beneath `/run`, not `/run` itself). In keys of
other kinds `*` and `?` match any character. Nothing else is special: `listen:tcp/[::]:80` stands as it is.

The expressions never try again what a `*` has taken (for a glob the leftmost match is always enough), so that no
name that a host invents can make matching slow. They need Python 3.11; what the walk matches on a target is written
by `model.glob`, and says the same for these patterns.
"""

import re
from functools import lru_cache

_WILD = re.compile(r"[*?]")
_STARS = re.compile(r"\*{2,}")


def split_pattern(pattern: str) -> tuple[str, str]:
    """(kind, glob): a pattern that begins with `/` is about files; a kind alone is about all its keys."""
    if pattern.startswith("/"):
        return "file", pattern
    kind, colon, glob = pattern.partition(":")
    if colon:
        return kind, glob
    return kind, "/**" if kind == "file" else "*"


def literal_prefix(glob: str) -> str:
    """The text before the first wildcard; the whole glob if it has none."""
    found = _WILD.search(glob)
    return glob[: found.start()] if found else glob


def is_literal(glob: str) -> bool:
    """Whether the glob is one key."""
    return _WILD.search(glob) is None


def matches(pattern: str, kind: str, key: str) -> bool:
    """Whether a pattern covers a resource. The root directory is covered by `file` and `/` alone."""
    wanted, glob = split_pattern(pattern)
    if wanted != kind:
        return False
    return pattern == "file" or compile_key_glob(kind, glob).fullmatch(key) is not None


@lru_cache(maxsize=8192)
def compile_key_glob(kind: str, glob: str) -> re.Pattern[str]:
    """The expression for keys of a kind, to be used with `fullmatch`."""
    return re.compile(_path(glob) if kind == "file" else _text(glob, "."), re.DOTALL)


def _text(glob: str, char: str) -> str:
    first, *rest = _STARS.sub("*", glob).split("*")
    out = [_literal(first, char)]
    for index, piece in enumerate(rest):
        if index == len(rest) - 1:
            out.append(f"{char}*{_literal(piece, char)}")
        elif piece:
            out.append(f"(?>{char}*?{_literal(piece, char)})")
    return "".join(out)


def _literal(text: str, char: str) -> str:
    return "".join(char if letter == "?" else re.escape(letter) for letter in text)


def _component(glob: str) -> str:
    return "/[^/]+" if glob == "*" else "/" + _text(glob, "[^/]")


def _path(glob: str) -> str:
    """Components between two `**` match leftmost; those after the last `**` match at the end."""
    groups: list[list[str]] = [[]]
    for component in glob.removeprefix("/").split("/"):
        if component == "**":
            groups.append([])
        else:
            groups[-1].append(_component(component))
    first, *rest = ["".join(group) for group in groups]
    out = [first]
    for index, fixed in enumerate(rest):
        if index == len(rest) - 1:
            out.append(f"(?:/[^/]+)*{fixed}" if fixed else "(?:/[^/]+)+")
        elif fixed:
            out.append(f"(?>(?:/[^/]+)*?{fixed}(?=/|\\Z))")
    return "".join(out)
