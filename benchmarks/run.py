"""Costs beside named peers, measured in the same run: prints a Markdown table. `make benchmark`, or

    python benchmarks/run.py [--runs N] [--tree DIR]... [--large] [--hosts N] [--only NAME]

Nothing is judged here: the goals are printed beside what was measured. RESULTS.md holds the last table.
"""

import argparse
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterable

from measure import ROOT, Row

sys.path.insert(0, str(ROOT))
GROUPS = ("startup", "walk", "compare", "hosts")


def main() -> None:
    """Measure what was asked for."""
    options = _options()
    wanted = options.only or GROUPS
    print(_machine(), "\n")
    print("| work | peer | CPU | peer's CPU | CPU ratio | wall ratio | peak | goal |")
    print("|---|---|--:|--:|--:|--:|--:|---|")
    if "startup" in wanted:
        import startup  # noqa: PLC0415 - what one group needs, others must not pay for

        _show(startup.measure(max(options.runs, 15)))
    if "walk" in wanted:
        import walks  # noqa: PLC0415

        _show(walks.measure(options.tree, options.runs))
        print(f"\nTree: {' '.join(options.tree)}: {walks.describe(options.tree)}\n")
    if "compare" in wanted:
        import comparison  # noqa: PLC0415

        for count in (100_000, 1_000_000) if options.large else (100_000,):
            _show(comparison.measure(count, options.runs))
    if "hosts" in wanted and options.hosts:
        import hosts  # noqa: PLC0415

        _show(hosts.measure(options.hosts, options.bed, options.runs))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5, help="paired runs after one that warms up (default 5)")
    parser.add_argument("--tree", action="append", help="directory to walk (default /usr/share)")
    parser.add_argument("--large", action="store_true", help="also compare 1,000,000 records (3 GB of memory)")
    parser.add_argument("--hosts", type=int, default=0, metavar="N", help="raise N hosts of the test bed (root)")
    parser.add_argument("--bed", type=int, default=77, metavar="N", help="number of the test bed")
    parser.add_argument("--only", action="append", choices=GROUPS, help="one group of figures; repeatable")
    options = parser.parse_args()
    options.tree = options.tree or ["/usr/share"]
    return options


def _machine() -> str:
    def first(*argv: str) -> str:
        if not shutil.which(argv[0]):
            return f"no {argv[0]}"
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
        return (done.stdout + done.stderr).strip().partition("\n")[0]

    with open("/proc/cpuinfo", encoding="utf-8") as information:
        model = next((line.partition(": ")[2].strip() for line in information if line.startswith("model name")), "?")
    tools = "; ".join([first("aide", "--version"), first("find", "--version"), first("comm", "--version")])
    load = " ".join(f"{value:.1f}" for value in os.getloadavg())
    return (
        f"{model}, {os.cpu_count()} CPUs, Linux {platform.release()}, Python {platform.python_version()}; "
        f"{tools}; load {load}"
    )


def _show(rows: Iterable[Row]) -> None:
    for row in rows:
        peak = f"{row.ours.peak:.0f} MiB" if row.ours.peak else ""
        print(
            f"| {row.work} | {row.peer} | {row.ours.cpu * 1000:,.0f} ms | {row.theirs.cpu * 1000:,.0f} ms "
            f"| {row.cpu_ratio:.3g} | {row.wall_ratio:.3g} | {peak} | {row.goal} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
