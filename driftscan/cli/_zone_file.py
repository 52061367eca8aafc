"""Learned zones as a zone file (docs/formats/zones.md) that a person reviews and keeps under version control."""

from collections.abc import Iterator, Sequence
from textwrap import wrap

from driftscan.model.names import show
from driftscan.model.zone import Zone
from driftscan.zones import Question

HEAD = """\
# What differs among the boots of one image, and nothing in the image declares. Written by bake, for
#   {manifest}
# Who owns the image answers each question once: `answer: accept` (it may differ as said), `seal` (it must not), or
# `exclude` (it is not compared), with a `reason`. Then bake again with --zones THIS_FILE: answers become zones, and
# are not asked again. Each says whether it is accepted or refused until then.
"""
_WIDTH = 118


def zone_file(
    answered: Sequence[Zone], learned: Sequence[Zone], questions: Sequence[Question], manifest: str, sure: str
) -> str:
    """The file's text: zones by hand, questions about learned ones, and about what is never relaxed unasked. `sure`
    says how sure one can be of further boots."""
    lines = [HEAD.format(manifest=show(manifest)).rstrip("\n")]
    lines += [f"# {line}" for line in wrap(sure, _WIDTH)]
    lines.append("zones: []" if not answered else "zones:")
    for zone in answered:
        lines += [*_zone(zone), f"    reason: {quote(zone.reason)}"]
    asked = [(zone, f"accepted until answered: {zone.reason}") for zone in learned]
    for question in questions:
        if question.zone is not None:
            asked.append((question.zone, f"refused until answered: {question.text}"))
        else:
            lines.append(f"# QUESTION: {show(question.text)}")
    lines += ["questions:"] if asked else []
    for zone, why in asked:
        lines += [f"  # {show(why)}", *_zone(zone), "    answer: null  # accept, seal, exclude", "    reason: null"]
    return "\n".join(lines) + "\n"


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


def _zone(zone: Zone) -> Iterator[str]:
    yield f"  - pattern: {quote(zone.pattern)}"
    yield f"    zone: {zone.zone.value}"
    if zone.attributes:
        yield f"    attributes: [{', '.join(quote(name) for name in zone.attributes)}]"
    for name in ("may_appear", "may_vanish"):
        value = getattr(zone, name)
        if value is not None:
            yield f"    {name}: {'true' if value else 'false'}"
    if zone.executables:
        yield "    executables: true"
