"""Bytes between scanner and host: by part of the dialogue as the transport sees them, and on the host's link."""

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import counted
import trees
from fleet import Fleet
from measure import ROOT, Item, RefusedError, Table, judged

from tests.fleet.bed.host import Host

FILES = 140_000
FILE_PLANE = ("Tree", "Step")
"""Kinds of sources whose rounds carry the file plane."""
_CONTENT = 200_000_000
"""Bytes in the files of the large host: what is counted depends on their number alone."""


@dataclass(frozen=True)
class Traffic:
    """What one command carried. `link`: bytes to and from the host with ssh, TCP, IP and Ethernet around them."""

    counts: counted.Counts
    link: tuple[int, int]

    def file_plane(self) -> tuple[int, int]:
        """Bytes to and from the host that are about files."""
        rounds = [found for found in self.counts.rounds if any(kind in found.kinds for kind in FILE_PLANE)]
        return sum(found.sent for found in rounds), sum(found.received for found in rounds)


def measure(fleet: Fleet, host: Host) -> Iterator[Item]:
    """A first scan of a host, and another that the first has left its state for."""
    login = _on_link(host, fleet.ssh(host), fleet)
    scans = [traffic(fleet, host, store="wire-state") for _ in range(2)]
    yield "Bytes of one scan of one clean host, as the transport sees them, and on its link."
    yield Table(
        ("part", "first scan: sent", "received", "again: sent", "received", "ssh host true: sent, received"),
        (
            ("program", *(word for scan in scans for word in (f"{scan.counts.program:,}", "")), ""),
            *_rounds(scans),
            ("on the link", *(f"{size:,}" for scan in scans for size in scan.link), f"{login[0]:,}, {login[1]:,}"),
        ),
    )


def _rounds(scans: Sequence[Traffic]) -> Iterator[tuple[str, ...]]:
    """One line for each combination of kinds of sources that was asked, in however many rounds."""
    for kinds in dict.fromkeys(found.kinds for scan in scans for found in scan.counts.rounds):
        those = [[found for found in scan.counts.rounds if found.kinds == kinds] for scan in scans]
        sizes = [sum(sizes) for found in those for sizes in _columns(found)]
        number = " and ".join(str(len(found)) for found in those)
        yield (f"{kinds}: {number} rounds", *_cells(sizes), "")


def _columns(rounds: Sequence[counted.Round]) -> tuple[list[int], list[int]]:
    return [found.sent for found in rounds], [found.received for found in rounds]


def measure_large(fleet: Fleet, host: Host) -> Iterator[Item]:
    """The file plane of a host of 140,000 files: nothing changed, then one."""
    present = int(host.shell("find / -xdev -type f | wc -l"))
    trees.make(host.root / "srv/tree", trees.Shape(FILES - present, _CONTENT))
    fleet.cost("bake", host.name, "-o", str(fleet.manifest))
    first = traffic(fleet, host).file_plane()
    clean = traffic(fleet, host).file_plane()
    host.shell("echo changed >>/srv/tree/odd/set-id")
    changed = traffic(fleet, host).file_plane()
    more = sum(changed) - sum(clean)
    yield f"The file plane of one host of {FILES:,} files, in bytes."
    yield Table(
        ("file plane", "sent", "received", "goal"),
        (
            ("first scan, which takes home what the next needs", *_cells(first), "none"),
            ("nothing changed since", *_cells(clean), f"sent {_kilo(clean[0], 16)}, received {_kilo(clean[1], 1)}"),
            ("one file changed", *_cells(changed), f"{more:,} more, {_kilo(more, 12)}"),
        ),
    )


def _cells(sizes: Sequence[int]) -> list[str]:
    return [f"{size:,}" for size in sizes]


def _kilo(size: int, limit: int) -> str:
    return judged(size / 1024, limit, " KB")


def traffic(fleet: Fleet, host: Host, store: str = "state") -> Traffic:
    """One scan of one host. RefusedError if it fails."""
    target = fleet.folder / "counts.json"
    command = [
        sys.executable,
        str(Path(counted.__file__)),
        str(target),
        *fleet.arguments("scan", host.name, store=store),
    ]
    link = _on_link(host, command, fleet)
    told = json.loads(target.read_text())
    rounds = [counted.Round(**found) for found in told["rounds"]]
    return Traffic(counted.Counts(told["program"], rounds), link)


def _on_link(host: Host, command: Sequence[str], fleet: Fleet) -> tuple[int, int]:
    """Bytes to and from a host while a command runs."""
    before = _link(host)
    environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT), **fleet.environment}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=ROOT, check=False)
    if done.returncode not in {0, 1}:
        raise RefusedError(f"{command[0]} ended with status {done.returncode}: {done.stderr.strip()[-300:]}")
    after = _link(host)
    return after[0] - before[0], after[1] - before[1]


def _link(host: Host) -> tuple[int, int]:
    """The counters of the host's own interface: what it has received and sent."""
    lines = host.must("cat", "/proc/net/dev").splitlines()
    words = next(line for line in lines if line.strip().startswith("eth0:")).partition(":")[2].split()
    return int(words[0]), int(words[8])
