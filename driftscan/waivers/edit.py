"""Adds waivers to the text of a file, and takes some out, without touching comments and what else stands there."""

from collections.abc import Collection, Iterable, Iterator, Mapping

from driftscan import yaml_strict
from driftscan.model.waiver import Waiver

HEAD = "# Findings that are accepted for a time: docs/formats/waivers.md\nwaivers:\n"
MOST_NOTE = 200
"""Characters of what a finding is."""


def added(text: str, waivers: Iterable[Waiver], notes: Mapping[str, str] | None = None) -> str:
    """The text of a file with more waivers at its end; of an empty file, a new one. `notes`: what a finding is, for
    who reviews the file: a comment above its waiver."""
    more = "".join(line for waiver in waivers for line in (*_note(waiver, notes or {}), *_entry(waiver)))
    if not text.strip():
        return HEAD + more
    if not yaml_strict.parse(text, "waivers").data.get("waivers"):
        text = text.replace("waivers: []", "waivers:")
    return text + ("" if text.endswith("\n") else "\n") + more


def pruned(text: str, file: str, lines: Collection[int]) -> str:
    """The text of a file without the waivers that begin at these lines, and without the comments above each."""
    document = yaml_strict.parse(text, file)
    starts = [document.position(("waivers", index)).line for index in range(len(document.data["waivers"]))]
    rows = text.splitlines(keepends=True)
    kept, gone = rows[: _first(rows, starts[0])] if starts else rows, 0
    for index, start in enumerate(starts):
        first = _first(rows, start)
        behind = _first(rows, starts[index + 1]) if index + 1 < len(starts) else len(rows)
        if start in lines:
            gone += 1
        else:
            kept += rows[first:behind]
    if starts and gone == len(starts):
        return "".join(kept).replace("waivers:", "waivers: []", 1)
    return "".join(kept)


def _first(rows: list[str], line: int) -> int:
    """Where an entry begins that stands at a line: with the comments right above it."""
    index = line - 1
    while index > 0 and rows[index - 1].lstrip().startswith("#") and rows[index - 1].startswith((" ", "\t")):
        index -= 1
    return index


def _note(waiver: Waiver, notes: Mapping[str, str]) -> Iterator[str]:
    """A title is as the host gave it, and must not end the comment: what is not printable is escaped."""
    if note := notes.get(waiver.finding, "")[:MOST_NOTE]:
        yield f"  # {''.join(char if char.isprintable() else _escaped(char) for char in note)}\n"


def _entry(waiver: Waiver) -> Iterator[str]:
    """One waiver as YAML; texts in quotes where they need it."""
    what = ("finding", waiver.finding) if waiver.finding else ("rule", waiver.rule)
    yield f"  - {what[0]}: {_text(what[1])}\n"
    if waiver.content:
        yield f"    content: {_text(waiver.content)}\n"
    if waiver.hosts:
        yield f"    hosts: [{', '.join(map(_text, waiver.hosts))}]\n"
    if waiver.labels:
        rows = (f"{_text(name)}: [{', '.join(map(_text, globs))}]" for name, globs in sorted(waiver.labels.items()))
        yield f"    labels: {{{', '.join(rows)}}}\n"
    if waiver.image:
        yield f"    image: [{', '.join(map(_text, waiver.image))}]\n"
    yield f"    reason: {_text(waiver.reason)}\n"
    yield f"    owner: {_text(waiver.owner)}\n"
    yield f"    expires: {waiver.expires.isoformat()}\n"
    if waiver.added is not None:
        yield f"    added: {waiver.added.isoformat()}\n"
    if waiver.ticket:
        yield f"    ticket: {_text(waiver.ticket)}\n"


def _text(text: str) -> str:
    """Quoted where it is not plain, with the escapes of YAML 1.2 (5.7): a host's name can be anything."""
    plain = text.isascii() and text[:1].isalpha() and all(char.isalnum() or char in "-_./" for char in text)
    return text if plain and text.lower() not in _WORDS else f'"{"".join(map(_escaped, text))}"'


def _escaped(char: str) -> str:
    if char in {'"', "\\"}:
        return f"\\{char}"
    return char if " " <= char <= "~" else f"\\U{ord(char):08x}"


_WORDS = frozenset({"true", "false", "null", "yes", "no", "on", "off", "y", "n"})
