"""Stanzas of `Field: value` lines, as dpkg's databases hold them (deb822(5)) and mail-like headers elsewhere."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from driftscan.model.source import Line


@dataclass(slots=True)
class Stanza:
    """One block: its first line's number, its fields by lower-case name (names are case-insensitive), and the
    number of the first line that is not of the format (0: none)."""

    line: int
    fields: dict[str, str] = field(default_factory=dict)
    bad_line: int = 0

    def get(self, name: str) -> str:
        """A field's value, empty if there is none."""
        return self.fields.get(name, "")


def stanzas(lines: Iterable[Line], only: frozenset[str] = frozenset()) -> Iterator[Stanza]:
    """Blocks separated by blank lines. With `only` (lower-case names), other fields are checked but not kept.

    A continuation line begins with a space or tab and belongs to the field above. Of a repeated field the first
    holds. A line that is neither is noted in `bad_line`; the stanza is still yielded.
    """
    stanza: Stanza | None = None
    name = ""
    for line in lines:
        text = line.text
        if not text.strip(" \t"):
            if stanza is not None:
                yield stanza
            stanza, name = None, ""
            continue
        if stanza is None:
            stanza = Stanza(line.number)
        if text[0] in " \t":
            _continue(stanza, name, line)
            continue
        name, colon, rest = text.partition(":")
        name = name.lower()
        if not colon or not name or name != name.strip() or " " in name:
            stanza.bad_line = stanza.bad_line or line.number
            name = ""
        elif not only or name in only:
            stanza.fields.setdefault(name, rest.strip(" \t"))
    if stanza is not None:
        yield stanza


def _continue(stanza: Stanza, name: str, line: Line) -> None:
    if not name:
        stanza.bad_line = stanza.bad_line or line.number
    elif name in stanza.fields and len(stanza.fields[name]) < 1 << 16:
        stanza.fields[name] += "\n" + line.text.strip(" \t")
