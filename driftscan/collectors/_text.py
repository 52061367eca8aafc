"""Text and numbers from captured bytes, made safe to keep: what every parser of a target's text needs."""

import re
from collections.abc import Iterator

from driftscan.model.names import encode_name, encode_text
from driftscan.model.source import Capture, Captures, Line, Source, Status

_DIGITS = re.compile(r"[0-9]{1,18}", re.ASCII)
_PLAIN = re.compile(r"[A-Za-z0-9_.:@/+-]+", re.ASCII)


def key(text: str) -> str:
    """Text as (a part of) a resource's key: one to one, always valid UTF-8."""
    if text.isascii() and "\\" not in text:
        return text
    return encode_name(text.encode("utf-8", "surrogateescape"))


def value(text: str) -> str:
    """Text as an attribute's value: one to one, always valid UTF-8."""
    return encode_text(text)


def path_text(path: bytes) -> str:
    """A path of a capture as text for values."""
    return encode_text(path.decode("utf-8", "surrogateescape"))


def number(text: str) -> int | None:
    """A decimal number of at most 18 digits without sign, None if the text is no such number."""
    return int(text) if _DIGITS.fullmatch(text) else None


def hidden(kind: str, text: str, before: str = "", after: str = "") -> str:
    """What a gap hides: keys with `text` between two globs; the whole kind if the text could be read as a glob."""
    return f"{kind}:{before}{text}{after}" if _PLAIN.fullmatch(text) else kind


def unique(text: str, seen: dict[str, int]) -> str:
    """The text, or with `#2`, `#3`, ... appended if it was given before. `seen` counts, and belongs to one parse."""
    count = seen.get(text, 0) + 1
    found = text if count == 1 else f"{text}#{count}"
    while count > 1 and found in seen:
        count += 1
        found = f"{text}#{count}"
    seen[text] = count
    seen.setdefault(found, 1)
    return found


def lines(source: Source, data: bytes) -> Iterator[Line]:
    """The lines of a member's data, as `Captures.lines` gives those of a file."""
    return Captures([Capture(source, Status.OK, data)]).lines(source)
