"""What a report format is."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeAlias

from driftscan.model.result import ScanResult


@dataclass(frozen=True, slots=True, kw_only=True)
class Style:
    """How to render for people; formats for machines ignore it."""

    width: int = 100
    """Columns of the terminal."""
    color: bool = False
    verbose: int = 0
    """0: what matters; 1: every difference and what was waived, allowed or timed."""


Render: TypeAlias = Callable[[ScanResult, Style], Iterable[str]]
"""The pieces of the whole report in order, made as they are consumed: a report of ten thousand hosts needs the memory
of one. Raises nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A format: its name as options write it, one line of help, and its renderer."""

    name: str
    doc: str
    render: Render
    screen: bool = True
    """Whether `-o` offers it; the others are for files alone (`--report FORMAT:PATH`)."""
    shared: bool = False
    """Whether it is for a program of another account: all may read its file, whatever the umask (systemd's unit has
    0077) would leave. Who gets there is for its directory to say."""
    summary: str = ""
    """The format of the page that goes to `$GITHUB_STEP_SUMMARY` when this one is printed; empty: none."""
