"""Adds waivers to the text of a file, and takes some out, without touching comments and what else stands there."""

import re
import textwrap
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from driftscan import yaml_strict
from driftscan.model.waiver import Waiver

HEAD = "# Findings that are accepted for a time: docs/formats/waivers.md\nwaivers:\n"
MOST_NOTE = 200
"""Characters of what a finding is."""
_WIDTH = 100
"""Characters after which a list goes on in the next line."""


def added(text: str, waivers: Iterable[Waiver], notes: Mapping[str, str] | None = None) -> str:
    """The text of a file with more waivers at its end, indented and with ends of lines as those that stand there; of an
    empty file, a new one. `notes`: what a finding is, for who reviews the file: a comment above its waiver. UsageError
    if the waivers in it do not stand one below the other."""
    more = "".join(line for waiver in waivers for line in (*_note(waiver, notes or {}), *_entry(waiver)))
    if not text.strip():
        return HEAD + more
    document = yaml_strict.parse(text, "waivers")
    place = document.position(("waivers",))
    rows = text.splitlines(keepends=True)
    if not document.data.get("waivers"):
        rows[place.line - 1] = re.sub(r" ?\[ *\]", "", rows[place.line - 1], count=1)
    elif not (row := rows[place.line - 1]).lstrip().startswith("- "):
        raise document.error(("waivers",), "the waivers do not stand one below the other", "Add it by hand.")
    else:
        more = textwrap.indent(textwrap.dedent(more), " " * _indent(row))
    text = "".join(rows)
    end = "\r\n" if "\r\n" in text else "\n"
    if rows[-1].lstrip().startswith("#"):
        more = "\n" + more  # else the comment would pass for one of the waiver's
    return text + ("" if text.endswith("\n") else end) + more.replace("\n", end)


def pruned(text: str, file: str, lines: Collection[int]) -> str:
    """The text of a file without the waivers that begin at these lines, and without the comments right above each, and
    in it. Other comments stay, also those that stand behind the last one."""
    document = yaml_strict.parse(text, file)
    starts = [document.position(("waivers", index)).line for index in range(len(document.data["waivers"]))]
    if not starts:
        return text
    rows = text.splitlines(keepends=True)
    firsts = [*(_first(rows, start) for start in starts), len(rows)]
    kept = rows[: firsts[0]]
    for start, first, behind in zip(starts, firsts, firsts[1:], strict=False):
        kept += rows[_end(rows, start, behind) : behind] if start in lines else rows[first:behind]
    if set(starts) <= set(lines):
        line = document.position(("waivers",), key=True).line
        kept[line - 1] = kept[line - 1].replace("waivers:", "waivers: []", 1)
    return "".join(kept)


def _first(rows: list[str], line: int) -> int:
    """Where an entry begins that stands at a line: with the comments right above it, indented at least as it is."""
    index, indent = line - 1, _indent(rows[line - 1])
    while index > 0 and rows[index - 1].lstrip().startswith("#") and _indent(rows[index - 1]) >= indent:
        index -= 1
    return index


def _end(rows: list[str], line: int, behind: int) -> int:
    """Where an entry ends, blank lines below it within: before the comments that are not indented as what is in it."""
    index, indent = behind, _indent(rows[line - 1])
    while index > line and _stands_apart(rows[index - 1], indent):
        index -= 1
    while index < behind and not rows[index].strip():
        index += 1
    return index


def _stands_apart(row: str, indent: int) -> bool:
    return not row.strip() or (row.lstrip().startswith("#") and _indent(row) <= indent)


def _indent(row: str) -> int:
    return len(row) - len(row.lstrip())


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
    if waiver.resources:
        yield from _list("resources", waiver.resources)
    if waiver.hosts:
        yield from _list("hosts", waiver.hosts)
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


def _list(name: str, texts: Sequence[str]) -> Iterator[str]:
    """A list in brackets, on as many lines as it takes."""
    line = f"    {name}: ["
    for index, text in enumerate(map(_text, texts)):
        if index and len(line) + len(text) > _WIDTH:
            yield f"{line.rstrip()}\n"
            line = " " * 6
        line += text + (", " if index < len(texts) - 1 else "]\n")
    yield line


def _text(text: str) -> str:
    """Quoted where it is not plain, with the escapes of YAML 1.2 (5.7): a host's name can be anything."""
    plain = text.isascii() and text[:1].isalpha() and all(char.isalnum() or char in "-_./" for char in text)
    return text if plain and text.lower() not in _WORDS else f'"{"".join(map(_escaped, text))}"'


def _escaped(char: str) -> str:
    if char in {'"', "\\"}:
        return f"\\{char}"
    return char if " " <= char <= "~" else f"\\U{ord(char):08x}"


_WORDS = frozenset({"true", "false", "null", "yes", "no", "on", "off", "y", "n"})
