"""The `driftscan` command: finds the command's module and leaves the rest to it.

Imports nothing that `driftscan --help` does not need: not even typing or argparse (test_startup.py measures it).
"""

import sys

from driftscan import __version__
from driftscan.cli._commands import COMMANDS

TOP = """\
driftscan: is this server still the image we baked? If not: what happened, and should it be replaced?

  driftscan scan local                                        look at this machine now
  driftscan bake ssh://root@ref-1 ssh://root@ref-2 -o web.manifest
                                                              bake a manifest from boots of one image
  driftscan scan -i inventory.yaml -m web.manifest            compare a fleet with it
  driftscan explain FINDING                                   see all that is known about a finding

Commands:
{commands}

`driftscan COMMAND --help` begins with examples. Every option can also be set as DRIFTSCAN_<OPTION> in the
environment or in driftscan.yaml (docs/cli.md).
"""
_GLOBAL = {"-q", "--quiet", "-v", "-vv", "--verbose", "--debug"}


def entry_point() -> None:
    """The console script."""
    from driftscan.cli._process import run_process

    run_process(main)


def main(argv: list[str]) -> int:
    """Run one command line; returns its exit code."""
    before, rest = _split(argv)
    if not rest or rest[0] in {"-h", "--help", "help"}:
        return _help(rest[1:]) if rest else _help([])
    if rest[0] in {"-V", "--version"}:
        sys.stdout.write(f"driftscan {__version__}\n")
        return 0
    from driftscan.cli._run import run

    return run(rest, before)


def _help(words: list[str]) -> int:
    if words:
        return main([*words, "--help"])
    width = max(map(len, COMMANDS))
    lines = "\n".join(f"  {name:<{width}}  {summary}" for name, summary in COMMANDS.items())
    sys.stdout.write(TOP.format(commands=lines))
    return 0


def _split(argv: list[str]) -> tuple[list[str], list[str]]:
    """The options that may stand before the command, and the command with what follows it."""
    index = 0
    while index < len(argv):
        if argv[index] in {"--color", "--config"}:
            index += 2
        elif argv[index] in _GLOBAL or argv[index].startswith(("--color=", "--config=")):
            index += 1
        else:
            break
    return argv[:index], argv[index:]
