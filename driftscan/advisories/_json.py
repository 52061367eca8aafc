"""Parts of JSON of the right type, or an error that names the file and the place."""

import json
from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

from driftscan.errors import UsageError
from driftscan.model.names import show

T = TypeVar("T")
MAX_NAME = 512
"""Characters of an id, a name, a version."""
MAX_SUMMARY = 200
_HINT = "It is neither OSV's format nor the Debian security tracker's: fetch the file again."
_SPACE = " \t\r\n"
_DECODER = json.JSONDecoder()
_WORDS: Mapping[type, str] = {dict: "an object", list: "a list", str: "text"}


def wrong(where: str, what: str) -> UsageError:
    """The error of a place."""
    return UsageError(f"{show(where)}: {what}", _HINT)


def part(data: Mapping[str, Any], name: str, kind: type[T], where: str) -> T:
    """A value by its name; the empty one where it is not there, or null."""
    value = data.get(name)
    if value is None:
        return kind()
    if not isinstance(value, kind):
        raise wrong(where, f"'{name}' is not {_WORDS[kind]}")
    return value


def word(data: Mapping[str, Any], name: str, where: str) -> str:
    """A short text: an id, a name, a version."""
    text = part(data, name, str, where)
    if len(text) > MAX_NAME or not text.isprintable():
        raise wrong(where, f"'{name}' is longer than {MAX_NAME} characters, or not one line")
    return text


def words(data: Mapping[str, Any], name: str, where: str) -> tuple[str, ...]:
    """A list of short texts."""
    items = part(data, name, list, where)
    return tuple(word({name: item}, name, where) for item in items)


def items(data: Mapping[str, Any], name: str, where: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """(where, object) of a list of objects."""
    for index, item in enumerate(part(data, name, list, where)):
        place = f"{where}: {name}[{index}]"
        if not isinstance(item, dict):
            raise wrong(place, "not an object")
        yield place, item


def summary(text: str) -> str:
    """The beginning of a text for people, on one line."""
    line = " ".join(text[: 2 * MAX_SUMMARY].split())
    return line if len(line) <= MAX_SUMMARY else line[: MAX_SUMMARY - 1] + "…"


def documents(text: str, where: str) -> Iterator[tuple[str, Any]]:
    """(where, value) of one JSON text, or of several one after the other (JSON lines)."""
    at = _after(text, 0)
    while at < len(text):
        line = text.count("\n", 0, at) + 1 if at else 1
        value, at = _decoded(text, at, where)
        at = _after(text, at)
        yield (f"{where}:{line}" if line > 1 else where), value


def members(text: str, where: str) -> Iterator[tuple[str, Any]]:
    """(name, value) of the one object that a text is, read one by one: a file of 60 MB is ten times that as a whole."""
    at = _expect(text, _after(text, 0), "{", where)
    if text[at : at + 1] == "}":
        return
    while True:
        name, at = _decoded(text, at, where)
        if not isinstance(name, str):
            raise wrong(_place(text, at, where), "expected a name in quotes")
        value, at = _decoded(text, _expect(text, _after(text, at), ":", where), where)
        yield name, value
        at = _after(text, at)
        if text[at : at + 1] != ",":
            if _after(text, _expect(text, at, "}", where)) < len(text):
                raise wrong(_place(text, at, where), "something stands behind the last brace")
            return
        at = _after(text, at + 1)


def first_name(text: str) -> str | None:
    """The first name in the object that a text begins with; None: it begins with no object, or an empty one."""
    at = _after(text, 0)
    if text[at : at + 1] != "{":
        return None
    try:
        name, _ = _DECODER.raw_decode(text, _after(text, at + 1))
    except (ValueError, RecursionError):
        return None
    return name if isinstance(name, str) else None


def _decoded(text: str, at: int, where: str) -> tuple[Any, int]:
    try:
        return _DECODER.raw_decode(text, at)
    except json.JSONDecodeError as error:
        raise wrong(_place(text, error.pos, where), f"no JSON: {error.msg}") from None
    except (ValueError, RecursionError) as error:
        raise wrong(_place(text, at, where), f"no JSON that can be read: {type(error).__name__}") from None


def _expect(text: str, at: int, char: str, where: str) -> int:
    if text[at : at + 1] != char:
        raise wrong(_place(text, at, where), f"expected '{char}'")
    return _after(text, at + 1)


def _after(text: str, at: int) -> int:
    while at < len(text) and text[at] in _SPACE:
        at += 1
    return at


def _place(text: str, at: int, where: str) -> str:
    line = text.count("\n", 0, at) + 1
    return f"{where}:{line}:{at - (text.rfind(chr(10), 0, at) + 1) + 1}"
