"""Costs of programs in paired runs: wall, and user + system CPU of a process and all it waited for (wait4(2))."""

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Cost:
    """Seconds of wall and CPU time, and the largest resident set of one process in MiB (0: not measured)."""

    wall: float
    cpu: float
    peak: float = 0.0


@dataclass(frozen=True)
class Row:
    """One comparison: the work, its peer, medians of both, and medians of the paired ratios."""

    work: str
    peer: str
    ours: Cost
    theirs: Cost
    cpu_ratio: float
    wall_ratio: float
    goal: str = ""


def program(*argv: str) -> list[str]:
    """The command line of driftscan by this interpreter, from this source tree."""
    return [sys.executable, "-m", "driftscan", *argv]


def spend(argv: Sequence[str], stdin: bytes = b"", ok: Sequence[int] = (0,)) -> Cost:
    """Run a program without looking at its output. RuntimeError if it ends with another status than those in `ok`."""
    read, write = os.pipe()
    os.write(write, stdin)  # all our requests fit a pipe
    os.close(write)
    environment = os.environ | {"PYTHONPATH": str(ROOT), "LC_ALL": "C"}
    started = time.monotonic()
    child = subprocess.Popen(
        argv, stdin=read, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment, cwd=ROOT
    )
    _, status, used = os.wait4(child.pid, 0)
    wall = time.monotonic() - started
    child.returncode = os.waitstatus_to_exitcode(status)
    os.close(read)
    if child.returncode not in ok:
        raise RuntimeError(f"{argv[0]} ended with status {child.returncode}")
    return Cost(wall, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)


def paired(sides: Mapping[str, Callable[[], Cost]], runs: int) -> dict[str, list[Cost]]:
    """Each side in turn, `runs` times after one that warms up, so that a busy moment hits all alike."""
    found: dict[str, list[Cost]] = {name: [] for name in sides}
    for number in range(runs + 1):
        for name, side in sides.items():
            cost = side()
            if number:
                found[name].append(cost)
    return found


def row(costs: Mapping[str, Sequence[Cost]], work: str, peer: str, goal: str = "") -> Row:
    """The comparison of two sides."""
    ours, theirs = costs[work], costs[peer]
    pairs = list(zip(ours, theirs, strict=True))
    return Row(
        work,
        peer,
        _median(ours),
        _median(theirs),
        statistics.median(mine.cpu / max(its.cpu, 1e-6) for mine, its in pairs),
        statistics.median(mine.wall / max(its.wall, 1e-6) for mine, its in pairs),
        goal,
    )


def _median(costs: Sequence[Cost]) -> Cost:
    return Cost(
        statistics.median(cost.wall for cost in costs),
        statistics.median(cost.cpu for cost in costs),
        statistics.median(cost.peak for cost in costs),
    )
