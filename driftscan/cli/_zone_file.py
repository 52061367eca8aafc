"""Learned zones as a zone file (docs/formats/zones.md) that a person reviews and keeps under version control."""

from collections.abc import Iterator, Sequence

from driftscan.model.names import show
from driftscan.model.zone import Zone

HEAD = """\
# Zones that driftscan learned from the boots of one image. They are already in the manifest:
#   {manifest}
# Read them. To change one, edit this file and bake again with --zones THIS_FILE.
"""


def zone_file(zones: Sequence[Zone], questions: Sequence[str], manifest: str) -> str:
    """The file's text. Questions stand at its top as comments."""
    return "\n".join(_lines(zones, questions, manifest)) + "\n"


def zone_lines(zones: Sequence[Zone]) -> Iterator[str]:
    """One line per zone for the screen."""
    for zone in zones:
        yield f"{zone.zone.value:<13} {show(zone.pattern)}  ({show(zone.reason)})"


def quote(text: str) -> str:
    """A double-quoted YAML scalar (YAML 1.2, 5.7) on one line; what a reader's eye could miss is an escape."""
    return '"' + "".join(_char(char) for char in text) + '"'


def _char(char: str) -> str:
    if char in '"\\':
        return f"\\{char}"
    code = ord(char)
    if show(char) == char and char != "\xa0" and (not char.isspace() or char == " "):
        return char
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _lines(zones: Sequence[Zone], questions: Sequence[str], manifest: str) -> Iterator[str]:
    yield HEAD.format(manifest=show(manifest)).rstrip("\n")
    for question in questions:
        yield f"# QUESTION: {show(question)}"
    yield "zones: []" if not zones else "zones:"
    for zone in zones:
        yield f"  - pattern: {quote(zone.pattern)}"
        yield f"    zone: {zone.zone.value}"
        yield f"    reason: {quote(zone.reason)}"
        if zone.attributes:
            yield f"    attributes: [{', '.join(quote(name) for name in zone.attributes)}]"
        for name in ("may_appear", "may_vanish"):
            value = getattr(zone, name)
            if value is not None:
                yield f"    {name}: {'true' if value else 'false'}"
        if zone.executables:
            yield "    executables: true"
