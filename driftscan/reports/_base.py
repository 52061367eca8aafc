"""What a report format is."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from driftscan.model.result import ScanResult


@dataclass(frozen=True, slots=True, kw_only=True)
class Style:
    """How to render for people; formats for machines ignore it."""

    width: int = 100
    """Columns of the terminal."""
    color: bool = False
    verbose: int = 0
    """0: what matters; 1: every difference and what was waived, allowed or timed."""


class Out(Protocol):
    """Where a report goes: a text file, or the screen."""

    def write(self, text: str, /) -> object:
        """One piece of text."""

    def writelines(self, lines: Iterable[str], /) -> object:
        """Several; a generator is consumed as it is written."""


Render: TypeAlias = Callable[[ScanResult, Out, Style], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A format: its name as options write it, one line of help, and its renderer, which writes the whole report
    and raises nothing but what the stream raises."""

    name: str
    doc: str
    render: Render
    screen: bool = True
    """Whether `-o` offers it; the others are for files alone (`--report FORMAT:PATH`)."""
