"""What a command is: its options as data, from which parser, help, environment and config file are all made."""

import argparse
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from driftscan.cli._console import Console


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One option. `name` is the long one without dashes and means the same in every command: it is also the key in
    driftscan.yaml and, as DRIFTSCAN_NAME, in the environment."""

    name: str
    help: str
    short: str = ""
    metavar: str = ""
    """Empty: a switch."""
    many: bool = False
    choices: tuple[str, ...] = ()
    parse: Callable[[str], Any] = str
    """Raises ValueError with what is wrong."""
    default: Any = None
    default_text: str = ""
    """How the help writes the default; empty: not at all."""
    path: bool = False
    """A file name: in driftscan.yaml it is relative to that file."""
    counts: bool = False
    """A switch that may be repeated (-vv)."""

    @property
    def dest(self) -> str:
        """As an attribute."""
        return self.name.replace("-", "_")

    @property
    def variable(self) -> str:
        """In the environment."""
        return f"DRIFTSCAN_{self.dest.upper()}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Argument:
    """A positional argument: exactly one word, or with `many` at least `least` words."""

    name: str
    help: str
    many: bool = False
    least: int = 0

    @property
    def dest(self) -> str:
        """As an attribute."""
        return self.name.lower()


Settings: TypeAlias = argparse.Namespace
"""Every option and argument of the command, by `dest`, resolved and parsed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call of a command."""

    settings: Settings
    console: "Console"
    environ: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A command: `run` returns the exit code; it writes data by `call.console.write` and raises DriftscanError."""

    name: str
    """As it is typed: `scan`, `policy lint`."""
    summary: str
    examples: tuple[tuple[str, str], ...]
    """(what to type, what it does)"""
    run: Callable[[Call], int]
    arguments: tuple[Argument, ...] = ()
    options: tuple[Option, ...] = ()
    notes: tuple[str, ...] = ()
    """Paragraphs at the end of the help."""
