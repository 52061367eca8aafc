"""Options from the command line, the environment, and driftscan.yaml, in this order; then the default."""

import argparse
import os
import shlex
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from driftscan.cli._command import Command, Option, Settings
from driftscan.cli._config import Config
from driftscan.errors import UsageError
from driftscan.model.names import show
from driftscan.schema_check import quoted

TRUE, FALSE = {"1", "true", "yes", "on"}, {"0", "false", "no", "off"}


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """As every error of the user's input: exit code 2, and the help to read."""
        raise UsageError(f"{self.prog}: {show(message)}", f"See `{self.prog} --help`.")


def parse(command: Command, argv: Sequence[str]) -> argparse.Namespace:
    """What was typed: None, or an empty list, for each option that was not. UsageError for a bad command line."""
    parser = _Parser(prog=f"driftscan {command.name}", add_help=False, allow_abbrev=False)
    parser.add_argument("-h", "--help", action="store_true")
    for option in command.options:
        _add(parser, option)
    for argument in command.arguments:
        parser.add_argument(argument.dest, nargs="*" if argument.many else "?", metavar=argument.name)
    typed, unknown = parser.parse_known_intermixed_args(list(argv))
    if unknown:
        raise UsageError(*_unknown(command, unknown[0]))
    return typed


def resolve(command: Command, typed: argparse.Namespace, environ: Mapping[str, str], config: Config) -> Settings:
    """All options and arguments of the command, parsed. UsageError names the value and where it stands."""
    settings = Settings()
    for option in command.options:
        setattr(settings, option.dest, _resolve(option, getattr(typed, option.dest), environ, config))
    for argument in command.arguments:
        given = getattr(typed, argument.dest)
        count = len(given) if argument.many else int(given is not None)
        if count < (argument.least if argument.many else 1):
            raise UsageError(
                f"driftscan {command.name}: {argument.name} is missing", f"See `driftscan {command.name} --help`."
            )
        setattr(settings, argument.dest, tuple(given) if argument.many else given)
    return settings


def switched(name: str, typed: argparse.Namespace, environ: Mapping[str, str]) -> bool:
    """A switch that must be known before the config file is read (--debug)."""
    return bool(getattr(typed, name, None)) or environ.get(f"DRIFTSCAN_{name.upper()}", "").lower() in TRUE


def _add(parser: argparse.ArgumentParser, option: Option) -> None:
    names = [f"--{option.name}", *([option.short] if option.short else [])]
    if option.counts:
        parser.add_argument(*names, dest=option.dest, action="count")
    elif not option.metavar:
        parser.add_argument(*names, dest=option.dest, action="store_true", default=None)
    elif option.many:
        parser.add_argument(*names, dest=option.dest, action="append", metavar=option.metavar)
    else:
        parser.add_argument(*names, dest=option.dest, metavar=option.metavar)


def _resolve(option: Option, typed: Any, environ: Mapping[str, str], config: Config) -> Any:
    if typed is not None:
        return _convert(option, typed, f"--{option.name}")
    text = environ.get(option.variable, "")
    if text:
        return _convert(option, _from_environment(option, text), option.variable)
    if option.name in config.data:
        return _convert(option, config.value(option), config.where(option))
    return () if option.many else (bool(option.default) if _switch(option) else option.default or _nothing(option))


def _nothing(option: Option) -> Any:
    return 0 if option.counts else option.default


def _switch(option: Option) -> bool:
    return not option.metavar and not option.counts


def _from_environment(option: Option, text: str) -> Any:
    if option.many:
        try:
            return shlex.split(text)
        except ValueError as error:
            raise UsageError(f"{option.variable}: {error}", "Quote it as in a shell.") from None
    if option.metavar or (option.counts and text.isdigit()):
        return text
    if text.lower() in TRUE | FALSE:
        return text.lower() in TRUE
    raise UsageError(f"{option.variable}: {quoted(text)} is neither true nor false", "Write 1 or 0.")


def _convert(option: Option, given: Any, where: str) -> Any:
    if option.counts:
        return min(int(given), 9)
    if not option.metavar:
        return bool(given)
    if option.many:
        return tuple(_one(option, item, where) for item in given)
    return _one(option, given, where)


def _one(option: Option, text: str, where: str) -> Any:
    if option.choices and text not in option.choices:
        raise UsageError(f"{where}: {quoted(text)} is not one of {', '.join(option.choices)}", _SEE)
    try:
        return option.parse(os.path.expanduser(text) if option.path else text)
    except ValueError as error:
        raise UsageError(f"{where}: {show(str(error))}", _SEE) from None


_SEE = "See `--help` of the command."


def _unknown(command: Command, word: str) -> tuple[str, str]:
    from difflib import get_close_matches

    flag = word.partition("=")[0]
    known = [f"--{option.name}" for option in command.options]
    close = get_close_matches(flag, known, 1)
    see = f"See `driftscan {command.name} --help`."
    return f"driftscan {command.name}: unexpected {quoted(word)}", f"Did you mean {close[0]}? {see}" if close else see
