"""The bed from the command line: python -m tests.fleet.testbed --help"""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Callable, Sequence

from tests.fleet.bed import machine
from tests.fleet.bed.settings import Settings, state_directory
from tests.fleet.bed.shell import BedError
from tests.fleet.bed.testbed import Testbed


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="testbed", description=__doc__)
    parser.add_argument("--bed", type=int, default=0, metavar="N",
                        help="which bed: beds with different numbers stand side by side")  # fmt: skip
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("base", help="build the base if needed, and print its directory")
    up = commands.add_parser("up", help="raise hosts: a number (h1..hN) or names")
    up.add_argument("hosts", nargs="+")
    commands.add_parser("busybox", help="raise a busybox host").add_argument("host")
    down = commands.add_parser("down", help="remove the named hosts, or the whole bed")
    down.add_argument("hosts", nargs="*")
    commands.add_parser("list", help="name, address and state of every host")
    for name, text in (
        ("stop", "shut a host down, keep its disk"),
        ("start", "start a stopped host"),
        ("reboot", "reboot a host from within"),
        ("reset", "make the host a new instance with a fresh disk"),
    ):
        commands.add_parser(name, help=text).add_argument("host")
    for name, text in (("ssh", "log in, as root"), ("exec", "run a command without ssh")):
        inside = commands.add_parser(name, help=text)
        inside.add_argument("host")
        inside.add_argument("rest", nargs=argparse.REMAINDER, metavar="command")
    return parser


def _names(given: Sequence[str]) -> list[str]:
    if len(given) == 1 and given[0].isdigit():
        return [f"h{n}" for n in range(1, int(given[0]) + 1)]
    return list(given)


def _list(bed: Testbed) -> None:
    for name in bed.names():
        host = bed.host(name)
        print(name, host.address, "off" if host.leader() is None else "on")


def _up(bed: Testbed, options: argparse.Namespace) -> None:
    for host in bed.up(_names(options.hosts)):
        print(host.name, host.address)


def _down(bed: Testbed, options: argparse.Namespace) -> None:
    if options.hosts:
        bed.remove(options.hosts)
    else:
        bed.down()


def _start(bed: Testbed, options: argparse.Namespace) -> None:
    bed.up([bed.host(options.host).name])


def _ssh(bed: Testbed, options: argparse.Namespace) -> None:
    name = bed.host(options.host).name
    os.execvp("ssh", ["ssh", "-F", str(bed.settings.ssh_config), name, *options.rest])


def _exec(bed: Testbed, options: argparse.Namespace) -> int:
    done = bed.host(options.host).execute(*options.rest)
    sys.stdout.write(done.stdout)
    sys.stderr.write(done.stderr)
    return done.returncode


_COMMANDS: dict[str, Callable[[Testbed, argparse.Namespace], int | None]] = {
    "base": lambda bed, _: print(bed.base()),
    "up": _up,
    "busybox": lambda bed, options: print(options.host, bed.up_busybox(options.host).address),
    "down": _down,
    "list": lambda bed, _: _list(bed),
    "stop": lambda bed, options: bed.host(options.host).stop(),
    "start": _start,
    "reboot": lambda bed, options: bed.host(options.host).reboot(),
    "reset": lambda bed, options: print(bed.reset(options.host).address),
    "ssh": _ssh,
    "exec": _exec,
}


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    # What a shell starts in the background ignores Ctrl-C, and so does what that starts: hosts would outlive it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        machine.require()
        bed = Testbed(Settings(state_directory(), options.bed))
        return _COMMANDS[options.command](bed, options) or 0
    except (BedError, ValueError) as problem:
        print(f"testbed: {problem}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
