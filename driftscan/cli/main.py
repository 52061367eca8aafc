"""The `driftscan` command: finds the command's module and leaves the rest to it.

Imports nothing that `driftscan --help` does not need: not even typing or argparse (test_startup.py measures it).
"""

import sys

from driftscan import __version__

COMMANDS = {
    "scan": "compare hosts with their image, judge what differs, recommend what to do",
    "bake": "make a manifest from a reference host, from several boots of it, or from a root file system",
    "birth": "record what hosts are when their first boot has settled, as launch inputs declare it",
    "explain": "show everything known about one finding",
    "report": "render a past scan in any format, or a manifest as a bill of materials",
    "history": "list past scans, or what became of the findings of hosts",
    "history prune": "remove old scans from the store, and reports that nothing refers to",
    "trend": "show how drift moves: how much, where, how long it stays, what it comes from, who makes it",
    "gate": "decide whether a new image may replace the approved one: every change must be declared",
    "diff": "show what differs between any two targets",
    "snapshot": "record the state of one target in a file",
    "verify": "check that a manifest or snapshot is whole and untampered",
    "doctor": "try to reach targets and say what a scan would be able to see",
    "inventory list": "list the hosts that an inventory yields, with their options",
    "policy lint": "check policy files",
    "policy test": "run the cases that rules carry",
    "policy list": "list the policies that are shipped",
    "policy show": "show the rules of a policy",
    "policy schema": "print the JSON Schema of policy files, for editors",
    "waiver add": "accept a finding for a time",
    "waiver list": "list waivers with their state",
    "waiver lint": "check files of waivers",
    "waiver prune": "take waivers out that accept nothing any more",
    "waiver adopt": "accept all that the last scans found, for a time: to begin with a fleet that has drifted",
    "schedule cron": "print a crontab that scans regularly",
    "schedule systemd": "print a service and a timer that scan regularly",
    "probe": "print the program that runs on hosts, write it for images, or print a sudo rule for it",
}
"""Command -> what it does, in the order of the help. Each command's module repeats its line; a test compares them."""

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
