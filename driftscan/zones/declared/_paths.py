"""Paths and globs of configuration files as patterns of zones, which must name no path that those do not name."""

import re
from collections.abc import Iterator
from itertools import product

from driftscan.model.names import encode_name

MOST = 64
"""Patterns that one glob may become. What would become more is left out."""
_MOVED = (("/var/run/", "/run/"), ("/var/lock/", "/run/lock/"))
"""Links of every Linux (hier(7)); a file is known by the path that has none."""
_PIECE = re.compile(r"\\(.)|\[(!?\]?[^\]/]*)\]|\{([^{}/]*)\}|(.)", re.DOTALL)


def path(text: str) -> str | None:
    """The pattern of one path; None for what is no absolute path, or has what a pattern would read as a wildcard."""
    return None if "*" in text or "?" in text else _normal(text)


def globs(text: str) -> tuple[str, ...]:
    """The patterns that together name what a glob(7) names (but that `*` and `?` of zones match a leading dot):
    alternatives in braces and small sets in brackets are written out. Empty for what can't be expressed so."""
    choices: list[tuple[str, ...]] = []
    for piece in _PIECE.finditer(text):
        escaped, letters, words, plain = piece.groups()
        if escaped is not None and escaped in "*?[{\\":
            return ()
        options = (escaped or plain,) if letters is words is None else _options(letters, words)
        if not options:
            return ()
        choices.append(options)
    count = 1
    for options in choices:
        count *= len(options)
    if not choices or count > MOST:
        return ()
    found = [_normal("".join(chosen)) for chosen in product(*choices)]
    return tuple(dict.fromkeys(pattern for pattern in found if pattern)) if all(found) else ()


def _options(letters: str | None, words: str | None) -> tuple[str, ...]:
    if words is not None:
        return tuple(words.split(",")) if "," in words else ()
    assert letters is not None
    return tuple(_letters(letters)) if re.fullmatch(r"[A-Za-z0-9_.-]+", letters, re.ASCII) else ()


def _letters(text: str) -> Iterator[str]:
    """`a-c_` as a, b, c, _; ranges of another order than ASCII's have no letters."""
    index = 0
    while index < len(text):
        if text[index + 1 : index + 2] == "-" and index + 2 < len(text):
            yield from (chr(code) for code in range(ord(text[index]), ord(text[index + 2]) + 1))
            index += 3
        else:
            yield text[index]
            index += 1


def _normal(text: str) -> str | None:
    """As keys are written; None for what is not absolute, steps upwards, or has `**`."""
    if not text.startswith("/") or "\0" in text:
        return None
    parts = [part for part in text.split("/") if part]
    if not parts or any(part in {".", ".."} or "**" in part for part in parts):
        return None
    whole = "/" + "/".join(parts)
    for old, new in _MOVED:
        if whole.startswith(old):
            whole = new + whole.removeprefix(old)
    return encode_name(whole.encode("utf-8", "surrogateescape"))
