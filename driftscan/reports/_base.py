"""What a report format is."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TextIO, TypeAlias

from driftscan.model.result import ScanResult


@dataclass(frozen=True, slots=True, kw_only=True)
class Style:
    """How to render for people; formats for machines ignore it."""

    width: int = 100
    """Columns of the terminal."""
    color: bool = False
    verbose: int = 0
    """0: what matters; 1: every difference and what was waived, allowed or timed."""


Render: TypeAlias = Callable[[ScanResult, TextIO, Style], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A format: its name as options write it, one line of help, and its renderer, which writes the whole report
    and raises nothing but what the stream raises."""

    name: str
    doc: str
    render: Render
    screen: bool = True
    """Whether `-o` offers it; the others are for files alone (`--report FORMAT:PATH`)."""
