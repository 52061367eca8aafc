"""What starting driftscan costs beside an interpreter that does nothing."""

import sys
from collections.abc import Iterator

from measure import Row, paired, program, row, spend

_BARE = "python -c pass"


def measure(runs: int) -> Iterator[Row]:
    """`--help`, which lists the commands, and `--version`."""
    sides = {
        "driftscan --help": lambda: spend(program("--help")),
        "driftscan --version": lambda: spend(program("--version")),
        _BARE: lambda: spend([sys.executable, "-c", "pass"]),
    }
    costs = paired(sides, runs)
    for name in sides:
        if name != _BARE:
            yield row(costs, name, _BARE, cpu=4)
