"""Costs beside named peers, measured in the same run: prints Markdown tables. `make benchmark`, or

    python benchmarks/run.py [--only GROUP]... [--runs N] [--tree DIR]... [--large] [--hosts N]

    startup    the command line beside an empty Python
    walk       the probe's walk beside a walker in C, AIDE and find: cc, libcrypto and aide, where there are any
    compare    two manifests beside comm(1)
    policies   500 rules beside Cloud Custodian's filters, on facts of a real host: --snapshot FILE; pip for the peer
    history    a month of hourly scans in the store: its size, and what questions cost
    host       one fresh host over ssh beside ansible's facts, and bytes on the wire
    hosts      what one more clean host costs beside paramiko
    footprint  what a scan holds and writes on its target
    acts       no cost: what driftscan and AIDE tell of some thirty acts of a person on one host (docs/accuracy.md)
    auditors   no cost: what driftscan, OpenSCAP and Lynis say of three hosts (docs/reference/other-auditors.md)

The last five raise hosts of the project's test bed: root on Debian, and they install by apt what the bed needs. What
this machine lacks is left out, and said so. The status is 1 if anything was refused: a peer that did other work, a
command that failed. RESULTS.md holds the last tables.
"""

import argparse
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence

from measure import ROOT, Item, LeftOutError, Row, Table

sys.path.insert(0, str(ROOT))
HEADINGS = ("work", "peer", "CPU", "peer's CPU", "CPU ratio", "wall ratio", "peak", "goal")


def main() -> int:
    """Measure what was asked for."""
    options = _options()
    print(_machine(), flush=True)
    refused = False
    for name in options.only or GROUPS:
        print(f"\n## {name} (load {os.getloadavg()[0]:.1f})", flush=True)
        try:
            _show(GROUPS[name](options))
        except LeftOutError as missing:
            print(f"\nLeft out: {missing}.")
        except RuntimeError as reason:
            refused = True
            print(f"\n**Refused**: {reason}.", flush=True)
    return int(refused)


# What one group needs, others must not pay for: each imports its own.


def _startup(options: argparse.Namespace) -> Iterator[Item]:
    import startup  # noqa: PLC0415

    yield from startup.measure(max(options.runs, 15))


def _walk(options: argparse.Namespace) -> Iterator[Item]:
    import trees  # noqa: PLC0415
    import walks  # noqa: PLC0415

    if options.tree:
        yield from walks.measure(options.tree, options.runs)
        return
    for shape in (trees.STANDARD, trees.LARGE) if options.large else (trees.STANDARD,):
        with trees.temporary(shape) as tree:
            yield from walks.measure([tree], options.runs)


def _compare(options: argparse.Namespace) -> Iterator[Item]:
    import comparison  # noqa: PLC0415

    for count in (100_000, 1_000_000) if options.large else (100_000,):
        yield from comparison.measure(count, options.runs)


def _policies(options: argparse.Namespace) -> Iterator[Item]:
    import policies  # noqa: PLC0415

    yield from policies.measure(options.snapshot, options.runs)


def _history(options: argparse.Namespace) -> Iterator[Item]:
    import history  # noqa: PLC0415

    yield from history.measure(10_000, 24) if options.large else history.measure(200, history.HOURS)


def _host(options: argparse.Namespace) -> Iterator[Item]:
    import hosts  # noqa: PLC0415

    yield from hosts.measure_one(options.bed, options.runs, large=options.large)


def _hosts(options: argparse.Namespace) -> Iterator[Item]:
    import hosts  # noqa: PLC0415

    yield from hosts.measure_many(options.hosts, options.bed, options.runs)


def _footprint(options: argparse.Namespace) -> Iterator[Item]:
    import footprint  # noqa: PLC0415

    yield from footprint.measure(options.bed, options.runs)


def _acts(options: argparse.Namespace) -> Iterator[Item]:
    import accuracy  # noqa: PLC0415

    yield from accuracy.measure(options.bed)


def _auditors(options: argparse.Namespace) -> Iterator[Item]:
    import auditors  # noqa: PLC0415

    yield from auditors.measure(options.bed)


GROUPS: dict[str, Callable[[argparse.Namespace], Iterator[Item]]] = {
    "startup": _startup,
    "walk": _walk,
    "compare": _compare,
    "policies": _policies,
    "history": _history,
    "host": _host,
    "hosts": _hosts,
    "footprint": _footprint,
    "acts": _acts,
    "auditors": _auditors,
}


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", choices=GROUPS, help="one group of figures; repeatable")
    parser.add_argument("--runs", type=int, default=5, help="paired runs (default 5)")
    parser.add_argument(
        "--tree", action="append", metavar="DIR", help="walk this instead of a tree that is made below TMPDIR (1 GB)"
    )
    parser.add_argument("--snapshot", default="", metavar="FILE", help="of a real host, whose facts rules are asked of")
    parser.add_argument("--large", action="store_true", help="also 1,000,000 records, and 140,000 files (6 GB of disk)")
    parser.add_argument(
        "--hosts", type=int, default=10, metavar="N", help="hosts to raise, at least 5 (default 10; the goal is of 50)"
    )
    parser.add_argument("--bed", type=int, default=77, metavar="N", help="number of the test bed (default 77)")
    options = parser.parse_args()
    if options.hosts < 5 or options.runs < 1:
        parser.error("at least 5 hosts and 1 run")
    return options


def _machine() -> str:
    def first(*argv: str) -> str:
        if not shutil.which(argv[0]):
            return f"no {argv[0]}"
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
        return (done.stdout + done.stderr).strip().partition("\n")[0]

    with open("/proc/cpuinfo", encoding="utf-8") as information:
        model = next((line.partition(": ")[2].strip() for line in information if line.startswith("model name")), "?")
    commit = first("git", "-C", str(ROOT), "describe", "--always", "--dirty", "--abbrev=7")
    tools = [first(name, "--version") for name in ("aide", "find", "comm", "ansible", "cc")]
    tools.append(first("openssl", "version"))
    load = " ".join(f"{value:.1f}" for value in os.getloadavg())
    return (
        f"Commit {commit}; {model}, {len(os.sched_getaffinity(0))} CPUs, Linux {platform.release()},"
        f" Python {platform.python_version()}; {'; '.join(tools)}; load {load}"
    )


def _show(items: Iterator[Item]) -> None:
    """Print as it comes: a group may take many minutes. Rows that follow each other are one table."""
    in_table = False
    for item in items:
        if isinstance(item, Row):
            if not in_table:
                _print_head(HEADINGS, 2, 5)
            _print_row(_cells(item))
        elif isinstance(item, Table):
            _print_head(item.headings, 1, len(item.headings) - 2)
            for cells in item.rows:
                _print_row(cells)
        else:
            print(f"\n{item}", flush=True)
        in_table = isinstance(item, Row)


def _cells(row: Row) -> Sequence[str]:
    peak = f"{row.ours.peak:.0f} MiB" if row.ours.peak else ""
    costs = (f"{cost.cpu * 1000:,.0f} ms" for cost in (row.ours, row.theirs))
    return (row.work, row.peer, *costs, f"{row.cpu_ratio:.3g}", f"{row.wall_ratio:.3g}", peak, row.goal)


def _print_head(headings: Sequence[str], left: int, right: int) -> None:
    """Headings, of which the first `left` are words, then `right` numbers, then words."""
    rules = ["---"] * left + ["--:"] * right + ["---"] * (len(headings) - left - right)
    print(f"\n| {' | '.join(headings)} |\n|{'|'.join(rules)}|", flush=True)


def _print_row(cells: Sequence[str]) -> None:
    print(f"| {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    sys.exit(main())
