"""One call of one command: from words to an exit code, with every error a person can act on."""

import importlib
import logging
import os
import sys
from collections.abc import Mapping

from driftscan.cli import _config
from driftscan.cli._command import Call, Command
from driftscan.cli._commands import COMMANDS
from driftscan.cli._console import Console
from driftscan.cli._help import command_help, group_help
from driftscan.cli._options import ALL, COMMON
from driftscan.cli._settings import parse, resolve, switched
from driftscan.errors import DriftscanError, UsageError
from driftscan.model.names import show
from driftscan.schema_check import quoted

BUG = 70
OTHER_VARIABLES = {
    "DRIFTSCAN_STATE_DIR",
    "DRIFTSCAN_KEY_PASSPHRASE",
    "DRIFTSCAN_SSH_PASSWORD",
    "DRIFTSCAN_SUDO_PASSWORD",
}
"""Variables that are no options: secrets never stand on a command line."""
ISSUES = "Please report it, with the output of the same command and --debug."


def run(words: list[str], before: list[str]) -> int:
    """Run `words` (a command and what follows); `before` are options that stood in front of it."""
    environ = os.environ
    console = Console(environ)
    debug = "--debug" in [*words, *before]
    try:
        name, rest = _find(words)
        if not rest and name not in COMMANDS:
            console.write(_group(name))
            return 0
        command = load(name)
        typed = parse(_with_common(command), [*before, *rest])
        debug = switched("debug", typed, environ)
        if typed.help:
            console.write(command_help(command, console.width))
            return 0
        config = _config.read(ALL, typed.config or environ.get("DRIFTSCAN_CONFIG"), environ, os.getcwd())
        settings = resolve(_with_common(command), typed, environ, config)
        console = Console(environ, color=settings.color, quiet=settings.quiet, verbose=settings.verbose)
        _log(debug, settings.verbose)
        _warn_of_variables(console, environ)
        return command.run(Call(settings=settings, console=console, environ=environ))
    except DriftscanError as error:
        _trace(debug)
        console.error(error)
        return error.exit_code
    except Exception as error:
        _trace(debug)
        return _bug(console, error, debug)
    finally:
        console.status("")


def load(name: str) -> Command:
    """The command of this name; its module is the first word's, and exports `commands`."""
    module = importlib.import_module(f"driftscan.cli.{name.partition(' ')[0]}")
    commands: tuple[Command, ...] = module.commands
    return next(command for command in commands if command.name == name)


def _find(words: list[str]) -> tuple[str, list[str]]:
    """The command's name and the words after it; a group's name alone asks for the list of its commands."""
    for count in (2, 1):
        name = " ".join(words[:count])
        if name in COMMANDS:
            return name, words[count:]
    if any(name.startswith(f"{words[0]} ") for name in COMMANDS):
        if len(words) == 1 or words[1] in {"-h", "--help"}:
            return words[0], []
        raise _unknown(" ".join(words[:2]))
    raise _unknown(words[0])


def _unknown(name: str) -> UsageError:
    from difflib import get_close_matches

    close = get_close_matches(name, COMMANDS, 1)
    hint = f"Did you mean `driftscan {close[0]}`? " if close else ""
    return UsageError(f"no command {quoted(name)}", f"{hint}`driftscan --help` lists all.")


def _group(name: str) -> str:
    return group_help(name, {word: text for word, text in COMMANDS.items() if word.startswith(f"{name} ")})


def _with_common(command: Command) -> Command:
    from dataclasses import replace

    return replace(command, options=(*command.options, *COMMON))


def _log(debug: bool, verbose: int) -> None:
    """Our own warnings are for everybody; what libraries log, only for those who asked."""
    asked = debug or verbose > 1
    form = "%(asctime)s %(name)s %(message)s" if asked else "driftscan: warning: %(message)s"
    logging.basicConfig(level=logging.CRITICAL + 1, stream=sys.stderr, format=form, force=True)
    if asked:
        logging.getLogger().setLevel(logging.DEBUG if debug else logging.INFO)
    else:
        logging.getLogger("driftscan").setLevel(logging.WARNING)


def _warn_of_variables(console: Console, environ: Mapping[str, str]) -> None:
    known = {option.variable for option in ALL} | OTHER_VARIABLES
    for variable in sorted(environ):
        if variable.startswith("DRIFTSCAN_") and variable not in known:
            from difflib import get_close_matches

            close = get_close_matches(variable, known, 1)
            console.warn(f"{show(variable)} is no option" + (f"; did you mean {close[0]}?" if close else ""))


def _trace(debug: bool) -> None:
    if debug:
        import traceback

        traceback.print_exc()


def _bug(console: Console, error: Exception, debug: bool) -> int:
    what = f"{type(error).__name__}: {error}".split("\n", 1)[0]
    hint = ISSUES if not debug else "Please report it with the lines above."
    console.error(DriftscanError(f"a bug in driftscan: {what[:300]}", hint))
    return BUG
