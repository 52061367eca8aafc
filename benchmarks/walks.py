"""The probe's walk, run as on a target, beside AIDE and GNU find on the same tree, warm."""

import os
import shutil
import stat
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from measure import Cost, Row, paired, row, spend

from driftscan.capture.probe import render
from driftscan.model.source import Tree

_AIDE = """\
database_in=file:{folder}/aide.db
database_out=file:{folder}/aide.db
gzip_dbout=no
report_url=file:{folder}/report
All = p+u+g+s+n+i+m+c+ftype+l+acl+xattrs+selinux+caps+e2fsattrs+sha256
!/.*/aide.db$
{selections}
"""
_FIND = "%y %m %U %G %s %n %T@ %C@ %i %D\\0%p\\0%l\\0"


def describe(tops: Sequence[str]) -> str:
    """How many entries, regular files and bytes there are."""
    entries = regular = size = 0
    for top in tops:
        for folder, below, names in os.walk(top):
            entries += len(below) + len(names)
            for name in names:
                status = os.lstat(os.path.join(folder, name))
                if stat.S_ISREG(status.st_mode):
                    regular += 1
                    size += status.st_size
    return f"{entries:,} entries, {regular:,} regular files, {size / 1e6:,.0f} MB"


def walk(tops: Sequence[str], digest: str) -> Cost:
    """One walk by the probe's whole program: shell prologue, Python of the target, nice and ionice, workers."""
    stdin = render.start("0" * 32, "/", 600) + render.requests([Tree(tuple(tops), (), digest)])
    return spend(["sh", "-c", render.script(), "driftscan"], stdin)


def measure(tops: Sequence[str], runs: int) -> Iterator[Row]:
    """Walk and SHA-256, walk alone; what AIDE cannot do where it is not installed is left out."""
    sides = {
        "walk + sha256": lambda: walk(tops, "sha256"),
        "walk, metadata alone": lambda: walk(tops, ""),
        "find -printf": lambda: spend(["find", *tops, "-printf", _FIND]),
    }
    with tempfile.TemporaryDirectory() as folder:
        if shutil.which("aide"):
            configuration = Path(folder) / "aide.conf"
            selections = "\n".join(f"{top} All" for top in tops)
            configuration.write_text(_AIDE.format(folder=folder, selections=selections))
            aide = ["aide", f"--config={configuration}"]
            sides["aide --init"] = lambda: spend([*aide, "--init"])
            sides["aide --check, nothing changed"] = lambda: spend([*aide, "--check"], ok=range(8))
        costs = paired(sides, runs)
    if "aide --init" in sides:
        yield row(costs, "walk + sha256", "aide --init", "CPU and wall <= 0.25")
        yield row(costs, "walk, metadata alone", "aide --check, nothing changed", "CPU <= 0.05")
    yield row(costs, "walk, metadata alone", "find -printf", "CPU <= 2.5")
