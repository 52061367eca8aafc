"""Colour with meaning, tables, and wrapping, for text that people read on a terminal."""

import re
import textwrap

from driftscan.model.finding import Action, Severity, Verdict
from driftscan.model.names import show
from driftscan.reports._base import Style

_CODES = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "magenta": "35", "cyan": "36"}
_SEVERITIES = {
    Severity.CRITICAL: "bold red",
    Severity.HIGH: "red",
    Severity.MEDIUM: "yellow",
    Severity.LOW: "cyan",
    Severity.INFO: "dim",
}
_VERDICTS = {
    Verdict.CLEAN: "green",
    Verdict.FINDINGS: "red",
    Verdict.INCOMPLETE: "magenta",
    Verdict.UNREACHABLE: "magenta",
    Verdict.SETTLING: "dim",
    Verdict.GONE: "dim",
}
_ACTIONS = {
    Action.NONE: "green",
    Action.OBSERVE: "cyan",
    Action.INVESTIGATE: "magenta",
    Action.ROTATE: "yellow",
    Action.REPLACE: "red",
    Action.REBAKE: "red",
    Action.QUARANTINE: "bold red",
}


_PAINTED = re.compile(r"(\x1b\[(?:0|[12]|3[1-6]|1;31)m)")
"""The codes that `Painter` writes."""


def shown(line: str) -> str:
    """A line with nothing in it that steers a terminal but colours: where a value was written as it came, too."""
    if line.isprintable():
        return line
    return "".join(part if _PAINTED.fullmatch(part) else show(part) for part in _PAINTED.split(line))


class Painter:
    """Writes text in colours, or as it is where colours are off."""

    def __init__(self, style: Style) -> None:
        """For one style."""
        self.style = style

    def paint(self, text: str, look: str) -> str:
        """`look` is words such as `bold red`."""
        if not self.style.color or not text:
            return text
        return f"\x1b[{';'.join(_CODES[word] for word in look.split())}m{text}\x1b[0m"

    def severity(self, given: Severity, text: str = "") -> str:
        """The severity's word, or another text, in its colour."""
        return self.paint(text or given.word, _SEVERITIES[given])

    def verdict(self, given: Verdict) -> str:
        """The verdict's word in its colour."""
        return self.paint(given.value, _VERDICTS[given])

    def action(self, given: Action, text: str = "") -> str:
        """The action's word, or another text, in its colour."""
        return self.paint(text or given.word, _ACTIONS[given])

    def wrap(self, text: str, indent: str = "", hanging: str | None = None) -> list[str]:
        """Lines of at most the terminal's width. Words are never broken, so that a path can be copied whole."""
        width = max(self.style.width, 40)
        if not text.isascii():
            return _wrapped(text, width, indent, indent if hanging is None else hanging)
        return textwrap.wrap(
            text,
            width,
            initial_indent=indent,
            subsequent_indent=indent if hanging is None else hanging,
            break_long_words=False,
            break_on_hyphens=False,
        ) or [indent.rstrip()]


def columns(text: str) -> int:
    """How many columns of a terminal a text takes: two for a character of East Asia, none for one that combines."""
    if text.isascii():
        return len(text)
    from wcwidth import wcswidth  # noqa: PLC0415 - needed for such text alone

    counted = wcswidth(text)
    return counted if counted >= 0 else len(text)


def _wrapped(text: str, width: int, first: str, rest: str) -> list[str]:
    """As `textwrap.wrap` does it, by columns rather than by characters."""
    lines: list[str] = []
    line, used, empty = first, len(first), True
    for gap, word in re.findall(r"( *)([^ ]+)", text):
        if not empty and used + len(gap) + columns(word) > width:
            lines.append(line)
            line, used, empty = rest, len(rest), True
        if not empty:
            line, used = line + gap, used + len(gap)
        line, used, empty = line + word, used + columns(word), False
    return [*lines, line] if not empty else [first.rstrip()]


def table(rows: list[list[str]], headers: list[str], widths: list[int | None]) -> str:
    """Columns aligned by tabulate (which asks wcwidth how wide text is), cells wrapped at `widths`; numbers stay the
    text that they are."""
    from tabulate import tabulate  # noqa: PLC0415 - 40 ms that only a report for people needs

    return tabulate(rows, headers=headers, tablefmt="plain", disable_numparse=True, maxcolwidths=list(widths))
