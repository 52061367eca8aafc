"""YAML as people mean it, and where each value stands. The one home of PyYAML.

Values follow YAML 1.2's core schema (https://yaml.org/spec/1.2.2/#103-core-schema), made narrower where it
surprises: `true`/`false`, `null` and `~`, decimal whole numbers without leading zeros, and numbers with a
decimal point are what they look like; all else (`no`, `0644`, `0x1f`, `1e5`, `12:30:45`, `2026-11-20`) is
text. Keys are always text and never stand twice. Size, depth and what aliases expand to are bounded.
"""

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from driftscan.errors import UsageError
from driftscan.model.names import show
from driftscan.schema_check import problems, quoted

Path: TypeAlias = tuple[str | int, ...]

MAX_BYTES = 8 << 20
MAX_DEPTH = 64
MAX_NODES = 500_000
"""Values in a document, those that aliases repeat included."""
MAX_DIGITS = 18
MAX_PROBLEMS = 50
"""Problems that one error lists."""

_WORDS: dict[str, bool | None] = {
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys(("null", "Null", "NULL", "~", ""), None),
}
_BRACES = "Text that begins with {, [ or * must stand in quotes."
_INT = re.compile(r"[-+]?(?:0|[1-9][0-9]*)")
_FLOAT = re.compile(r"[-+]?(?:0|[1-9][0-9]*)\.[0-9]+(?:[eE][-+]?[0-9]+)?")
_TAGS: dict[str, tuple[type, ...]] = {
    "tag:yaml.org,2002:str": (str,),
    "tag:yaml.org,2002:int": (int,),
    "tag:yaml.org,2002:float": (float, int),
    "tag:yaml.org,2002:bool": (bool,),
    "tag:yaml.org,2002:null": (type(None),),
}
_COLLECTION_TAGS = {None, "!", "tag:yaml.org,2002:map", "tag:yaml.org,2002:seq"}
# What YAML 1.2 does not count as printable (c-printable); a NUL would end a C string.
_UNPRINTABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
# How libyaml's and PyYAML's own words for a problem begin, and what to say instead.
_IN_WORDS = (
    (
        ("mapping values are not allowed",),
        "a ':' cannot stand here: quote text that has ': ' in it, or mend the indent",
    ),
    (("could not find expected ':'",), "a ':' is missing after the key"),
    (
        ("did not find expected key", "did not find expected '-'", "expected <block end>"),
        "this does not fit what stands above it: is the indentation right, and each quote closed?",
    ),
    (("did not find expected ',' or ']'", "expected ',' or ']'"), "a ',' or ']' is missing"),
    (("did not find expected ',' or '}'", "expected ',' or '}'"), "a ',' or '}' is missing"),
    (("did not find expected node content", "expected the node content"), "a value is missing here"),
    (("found unexpected end of stream",), "the file ends inside a quoted text: close the quote"),
    (("found unexpected document",), "'---' or '...' inside a quoted text: close the quote"),
    (("found unknown escape",), "unknown escape in double quotes: double the backslash, or use single quotes"),
    (("did not find expected alphabetic",), "text that begins with '*' or '&' must stand in quotes"),
    (("found character",), "text cannot begin with this character: put it in quotes"),
    (("found incompatible YAML",), "not YAML 1.2"),
)


@dataclass(frozen=True, slots=True)
class Position:
    """A place in a file; line and column count from 1."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        """`file:line:column`, as editors and compilers write it."""
        return f"{show(self.file)}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True)
class _Node:
    position: Position
    keys: Mapping[str, Position] = field(default_factory=dict)
    children: Mapping[str | int, "_Node"] = field(default_factory=dict)
    weight: int = 1
    height: int = 1


@dataclass(frozen=True, slots=True)
class Document:
    """One YAML document: plain data (dict, list, str, int, float, bool, None) that must not be changed, since
    aliases share it, and the position of each part."""

    file: str
    data: Any
    root: _Node = field(repr=False)

    def position(self, path: Path, key: bool = False) -> Position:
        """Where the value at a path of keys and indices stands; with `key`, where its key does. For a path that
        is not there: the nearest part around it that is."""
        node, place = self.root, self.root.position
        for part in path:
            child = node.children.get(part)
            if child is None:
                return place
            place = node.keys[part] if key and isinstance(part, str) else child.position
            node = child
        return place

    def error(self, path: Path, what: str, hint: str = "", *, key: bool = False) -> UsageError:
        """The error to raise for something that no schema can say."""
        return UsageError(f"{self.position(path, key)}: {what}", hint)


def load(path: str | os.PathLike[str]) -> Document:
    """Read a YAML file. UsageError if it cannot be read, is not UTF-8, too large, or not such YAML."""
    file = os.fspath(path)
    try:
        with open(file, "rb") as stream:
            raw = stream.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise UsageError(f"{show(file)}: no such file", "Check the path; it is relative to where you are.") from None
    except IsADirectoryError:
        raise UsageError(f"{show(file)}: is a directory, not a YAML file", "Name a file in it.") from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise UsageError(f"{show(file)}: cannot be read: {reason}", "Check its owner and mode.") from error
    if len(raw) > MAX_BYTES:
        raise UsageError(f"{show(file)}: larger than {MAX_BYTES >> 20} MiB", "Split it, or check that it is the one.")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        column = error.start - raw.rfind(b"\n", 0, error.start)
        raise UsageError(
            f"{Position(file, line, column)}: not UTF-8 (byte 0x{raw[error.start]:02x})", "Save the file as UTF-8."
        ) from None
    return parse(text, file)


def parse(text: str, file: str) -> Document:
    """One document from text; `file` is what positions say. UsageError if it is not such YAML."""
    import yaml  # noqa: PLC0415 - 25 ms, paid only by who reads YAML

    if bad := _UNPRINTABLE.search(text):
        line = text.count("\n", 0, bad.start()) + 1
        place = Position(file, line, bad.start() - text.rfind("\n", 0, bad.start()))
        raise UsageError(f"{place}: control character {quoted(bad[0])}", "Remove it, or write it as an escape.")
    loader = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
    try:
        return _Builder(file, yaml.parse(text, Loader=loader)).document()
    except yaml.MarkedYAMLError as error:
        raise _syntax_error(error, text, file) from None


def listed(value: str | list[str] | None) -> tuple[str, ...]:
    """What may be written as one text or as a list of texts; nothing, where it is not written at all."""
    if value is None:
        return ()
    return (value,) if isinstance(value, str) else tuple(value)


def check(document: Document, schema: Mapping[str, Any], hint: str = "") -> None:
    """UsageError with every problem on a line of its own, `file:line:column: what`, in the file's order, unless the
    document is as the JSON Schema says. Schemas give names through `title` and `x-expected`: see `schema_check`."""
    if document.data is None:
        raise UsageError(f"{document.position(())}: the file is empty", hint)
    lines = sorted(
        {
            (place.line, place.column, f"{place}: {problem.what}")
            for problem in problems(document.data, schema)
            for place in [document.position(problem.path, problem.key)]
        }
    )
    if not lines:
        return
    shown = [line for _, _, line in lines[:MAX_PROBLEMS]]
    if len(lines) > MAX_PROBLEMS:
        shown.append(f"and {len(lines) - MAX_PROBLEMS} more problems")
    raise UsageError("\n".join(shown), hint)


def _syntax_error(error: Any, text: str, file: str) -> UsageError:
    mark = error.problem_mark or error.context_mark
    place = Position(file, mark.line + 1, mark.column + 1) if mark else Position(file, 1, 1)
    lines = text.split("\n")
    line = lines[place.line - 1] if place.line <= len(lines) else ""
    if "\t" in line[: len(line) - len(line.lstrip())]:
        where = Position(file, place.line, line.index("\t") + 1)
        return UsageError(f"{where}: a tab: YAML is indented with spaces only", "Replace the tab by spaces.")
    problem = str(error.problem or error.context or "not YAML")
    words = next((words for begins, words in _IN_WORDS if problem.startswith(begins)), problem)
    context = error.context_mark
    since = f" (begun at {context.line + 1}:{context.column + 1})" if context and context.line != mark.line else ""
    return UsageError(f"{place}: {words}{since}")


class _Builder:
    """Plain data and positions from a stream of events; nothing is built that the limits refuse."""

    def __init__(self, file: str, events: Iterator[Any]) -> None:
        self._file = file
        self._events = events
        self._anchors: dict[str, tuple[Any, _Node]] = {}
        self._nodes = 0

    def document(self) -> Document:
        next(self._events)  # stream start
        start = next(self._events)
        if type(start).__name__ == "StreamEndEvent":
            return Document(self._file, None, _Node(Position(self._file, 1, 1)))
        data, root = self._value(next(self._events), 1)
        next(self._events)  # document end
        more = next(self._events)
        if type(more).__name__ != "StreamEndEvent":
            raise UsageError(f"{self._at(more)}: a second document begins here", "Keep one document in a file.")
        return Document(self._file, data, root)

    def _at(self, event: Any) -> Position:
        return Position(self._file, event.start_mark.line + 1, event.start_mark.column + 1)

    def _value(self, event: Any, depth: int) -> tuple[Any, _Node]:
        name = type(event).__name__
        if name == "AliasEvent":
            data, node = self._alias(event)
        elif name == "ScalarEvent":
            data, node = self._scalar(event), _Node(self._at(event))
        elif event.tag not in _COLLECTION_TAGS:
            raise self._bad_tag(event)
        elif depth > MAX_DEPTH:
            raise UsageError(f"{self._at(event)}: nested deeper than {MAX_DEPTH} levels")
        else:
            data, node = self._mapping(event, depth) if name == "MappingStartEvent" else self._sequence(event, depth)
        if depth + node.height - 1 > MAX_DEPTH + 1:
            raise UsageError(f"{self._at(event)}: nested deeper than {MAX_DEPTH} levels")
        self._nodes += node.weight if name in {"AliasEvent", "ScalarEvent"} else 1
        if self._nodes > MAX_NODES:
            raise UsageError(f"{self._at(event)}: more than {MAX_NODES} values (aliases count as what they repeat)")
        if name != "AliasEvent" and event.anchor is not None:
            self._anchors[event.anchor] = (data, node)
        return data, node

    def _alias(self, event: Any) -> tuple[Any, _Node]:
        if event.anchor not in self._anchors:
            raise UsageError(
                f"{self._at(event)}: the alias '*{event.anchor}' names no finished anchor before it",
                "Put it in quotes if it is text.",
            )
        return self._anchors[event.anchor]

    def _scalar(self, event: Any) -> Any:
        text: str = event.value
        if event.tag is None:
            return self._resolve(event) if event.implicit[0] else text
        types = (str,) if event.tag == "!" else _TAGS.get(event.tag)
        if types is None:
            raise self._bad_tag(event)
        value = text if types == (str,) else self._resolve(event)
        if type(value) not in types:
            raise UsageError(f"{self._at(event)}: {quoted(text)} is not what its tag says")
        return value

    def _resolve(self, event: Any) -> Any:
        text: str = event.value
        if text in _WORDS:
            return _WORDS[text]
        number = int if _INT.fullmatch(text) else float if _FLOAT.fullmatch(text) else None
        if number is None:
            return text
        if len(text.lstrip("+-")) > MAX_DIGITS:
            raise UsageError(f"{self._at(event)}: a number of more than {MAX_DIGITS} digits", "Quote it if it is text.")
        value = number(text)
        if value in {float("inf"), float("-inf")}:
            raise UsageError(f"{self._at(event)}: the number {text} is too large", "Quote it if it is text.")
        return value

    def _bad_tag(self, event: Any) -> UsageError:
        return UsageError(
            f"{self._at(event)}: the tag {quoted(event.tag)} is not supported", "Remove it, or put it in quotes."
        )

    def _sequence(self, event: Any, depth: int) -> tuple[Any, _Node]:
        items: list[Any] = []
        children: dict[str | int, _Node] = {}
        for inner in self._until("SequenceEndEvent"):
            data, children[len(items)] = self._value(inner, depth + 1)
            items.append(data)
        return items, self._collection(event, {}, children)

    def _mapping(self, event: Any, depth: int) -> tuple[Any, _Node]:
        items: dict[str, Any] = {}
        keys: dict[str, Position] = {}
        children: dict[str | int, _Node] = {}
        for inner in self._until("MappingEndEvent"):
            key = self._key(inner)
            if key in keys:
                first = keys[key]
                raise UsageError(
                    f"{self._at(inner)}: the key {quoted(key)} stands twice; first at {first}", "Keep one of them."
                )
            keys[key] = self._at(inner)
            items[key], children[key] = self._value(next(self._events), depth + 1)
        return items, self._collection(event, keys, children)

    def _key(self, event: Any) -> str:
        if type(event).__name__ != "ScalarEvent":
            raise UsageError(f"{self._at(event)}: a key must be plain text, not a list, mapping or alias", _BRACES)
        if event.tag is not None and event.tag != "tag:yaml.org,2002:str":
            raise self._bad_tag(event)
        if event.implicit[0] and event.value in {"", "<<"}:
            what = "a key is missing before the ':'" if not event.value else "merge keys (<<) are not YAML 1.2"
            raise UsageError(f"{self._at(event)}: {what}", "Write the keys out.")
        return str(event.value)

    def _collection(self, event: Any, keys: Mapping[str, Position], children: Mapping[str | int, _Node]) -> _Node:
        weight = 1 + sum(node.weight for node in children.values())
        height = 1 + max((node.height for node in children.values()), default=0)
        return _Node(self._at(event), keys, children, weight, height)

    def _until(self, end: str) -> Iterator[Any]:
        while type(event := next(self._events)).__name__ != end:
            yield event
