"""The help of one command: examples first. Made here and not by argparse, whose words change between Pythons."""

import textwrap
from collections.abc import Iterable, Sequence

from driftscan.cli._command import Argument, Command, Option
from driftscan.cli._options import COMMON, CONNECT

COLUMN = 30


def command_help(command: Command, width: int) -> str:
    """What `driftscan COMMAND --help` prints, in `width` columns."""
    width = max(60, min(width, 100))
    head = textwrap.fill(f"driftscan {command.name}: {command.summary}", width)
    parts = [head, _examples(command, width), f"Usage: {usage(command)}"]
    own = [option for option in command.options if option not in CONNECT and option not in COMMON]
    if command.arguments:
        parts.append(_rows(((_label(item), item.help) for item in command.arguments), width))
    groups = {
        "Options": own,
        "Hosts and connections": [option for option in command.options if option in CONNECT],
        "Everywhere": list(COMMON),
    }
    parts += [
        f"{title}:\n{_rows(((_flags(option), _help(option)) for option in options), width)}"
        for title, options in groups.items()
        if options
    ]
    parts += [textwrap.fill(note, width) for note in command.notes]
    return "\n\n".join(parts) + "\n"


def group_help(name: str, commands: dict[str, str]) -> str:
    """What `driftscan policy --help` prints: the commands below it."""
    width = max(map(len, commands))
    lines = "\n".join(f"  driftscan {word:<{width}}  {summary}" for word, summary in commands.items())
    return f"driftscan {name}: one of\n\n{lines}\n"


def usage(command: Command) -> str:
    """One line."""
    words = [_label(argument) for argument in command.arguments]
    return " ".join(["driftscan", command.name, *words, "[OPTION...]"])


def _examples(command: Command, width: int) -> str:
    lines: list[str] = []
    for typed, meaning in command.examples:
        lines.append(f"  {typed}")
        lines += textwrap.wrap(meaning, width, initial_indent=" " * 6, subsequent_indent=" " * 6)
    return "\n".join(lines)


def _label(argument: Argument) -> str:
    if not argument.many:
        return argument.name
    return f"{argument.name}..." if argument.least else f"[{argument.name}...]"


def _flags(option: Option) -> str:
    long = f"--{option.name}" + (f" {option.metavar}" if option.metavar else "")
    return f"{option.short}, {long}" if option.short else f"    {long}"


def _help(option: Option) -> str:
    choices = f" ({', '.join(option.choices)})" if option.choices else ""
    default = f" [{option.default_text}]" if option.default_text else ""
    return f"{option.help}{choices}{default}"


def _rows(rows: Iterable[tuple[str, str]], width: int) -> str:
    lines: list[str] = []
    for label, text in rows:
        lines += _row(label, textwrap.wrap(text, width - COLUMN))
    return "\n".join(lines)


def _row(label: str, texts: Sequence[str]) -> list[str]:
    head = f"  {label}"
    if len(head) + 2 > COLUMN:
        return [head, *(" " * COLUMN + text for text in texts)]
    first = texts[0] if texts else ""
    return [f"{head:<{COLUMN}}{first}", *(" " * COLUMN + text for text in texts[1:])]
