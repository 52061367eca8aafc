"""Costs of programs in paired runs: wall, and user + system CPU of a process and all it waited for (wait4(2))."""

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


class LeftOutError(Exception):
    """Something cannot be measured on this machine; the message says what is missing, and how to have it."""


class RefusedError(RuntimeError):
    """Figures would not say what they claim to say: a peer did other work than ours, or a run failed."""


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


@dataclass(frozen=True)
class Table:
    """Figures that are no ratio of two costs: headings, and rows of as many cells."""

    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


Item = Row | Table | str
"""What a group of figures yields; text says what was measured, or what was left out and why."""


def program(*argv: str) -> list[str]:
    """The command line of driftscan by this interpreter, from this source tree."""
    return [sys.executable, "-m", "driftscan", *argv]


def spend(
    argv: Sequence[str], stdin: bytes = b"", ok: Sequence[int] = (0,), settings: Mapping[str, str] | None = None
) -> Cost:
    """Run a program without looking at its output; `settings` are added to its environment. RefusedError if it ends
    with another status than those in `ok`."""
    command = [sys.executable, "-I", "-S", str(ROOT / "benchmarks/launch.py"), *argv]
    environment = {**os.environ, "LC_ALL": "C.UTF-8", **(settings or {})}
    done = subprocess.run(command, input=stdin, stdout=subprocess.PIPE, env=environment, cwd=ROOT, check=True)
    told = json.loads(done.stdout)
    if told["status"] not in ok:
        raise RefusedError(f"{' '.join(argv)[:200]!r} ended with status {told['status']}")
    return Cost(**told["cost"])


def paired(
    sides: Mapping[str, Callable[[], Cost]], runs: int, before: Callable[[], None] = lambda: None, *, warm: bool = True
) -> dict[str, list[Cost]]:
    """Each side in turn, `runs` times, so that a busy moment hits all alike. `before` precedes each, and costs none of
    them anything; `warm`: after one run of each that does not count."""
    found: dict[str, list[Cost]] = {name: [] for name in sides}
    for number in range(-1 if warm else 0, runs):
        for name, side in sides.items():
            before()
            cost = side()
            if number >= 0:
                found[name].append(cost)
    return found


def row(
    costs: Mapping[str, Sequence[Cost]], work: str, peer: str, goal: str = "", *, cpu: float = 0, wall: float = 0
) -> Row:
    """The comparison of two sides. `cpu`, `wall`: ratios that are to be reached; `goal`: one in words."""
    ours, theirs = costs[work], costs[peer]
    pairs = list(zip(ours, theirs, strict=True))
    cpu_ratio = statistics.median(mine.cpu / max(its.cpu, 1e-6) for mine, its in pairs)
    wall_ratio = statistics.median(mine.wall / max(its.wall, 1e-6) for mine, its in pairs)
    limits = [("CPU", cpu_ratio, cpu), ("wall", wall_ratio, wall)]
    goals = [f"{name} {judged(ratio, limit)}" for name, ratio, limit in limits if limit]
    return Row(work, peer, _median(ours), _median(theirs), cpu_ratio, wall_ratio, ", ".join(goals) or goal)


def judged(found: float, limit: float, unit: str = "") -> str:
    """A goal, and whether it was reached."""
    return f"<= {limit:,g}{unit}: {'reached' if found <= limit else '**missed**'}"


def spread(values: Sequence[float]) -> str:
    """Median, least and largest, in the unit of the values."""
    return f"{statistics.median(values):.3g} ({min(values):.3g} to {max(values):.3g})"


def _median(costs: Sequence[Cost]) -> Cost:
    return Cost(
        statistics.median(cost.wall for cost in costs),
        statistics.median(cost.cpu for cost in costs),
        statistics.median(cost.peak for cost in costs),
    )
