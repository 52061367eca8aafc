"""What a scan costs its target: memory of all that it runs there, and what is written there, beside `ssh host true`.

Needs root; raises one host alone, whose programs share no page with those of other hosts."""

import os
import statistics
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path

from fleet import Fleet, raised
from measure import Item, RefusedError, Table, judged, spend

from tests.fleet.bed import cgroups
from tests.fleet.bed.host import Host
from tests.fleet.bed.shell import wait_for

INTERVAL = 0.02
"""Seconds between two looks at the processes."""
MOST_MEMORY = 60
"""MB of proportional set size, of all processes together."""
_SCAN, _LOGIN, _NOTHING = "driftscan scan", "ssh host true", "nobody logs in"
_SERVER = "sshd"
"""How names of the ssh server's processes begin; newer ones have one of its own for each session."""
_VOLATILE = ("run", "tmp", "dev/shm")
"""Where a host has a tmpfs: not on its disk, but written all the same."""

Command = Callable[[], object]


def measure(number: int, runs: int) -> Iterator[Item]:
    """Memory and writes of scans of the one host of bed `number`."""
    with raised(1, number) as fleet:
        (host,) = fleet.hosts
        commands: dict[str, Command] = {
            _SCAN: lambda: fleet.cost("scan", host.name),
            _LOGIN: lambda: spend(fleet.ssh(host)),
        }
        yield from _memory(host, commands, runs)
        yield from _writes(fleet, host, {**commands, _NOTHING: lambda: time.sleep(1)}, runs)


# Memory


@dataclass(frozen=True)
class Memory:
    """What a session's processes hold at one moment, in MB (10^6 bytes): `pss` counts a page of n processes as its
    nth part, `private` the pages of one process alone, `rss` every page in each."""

    pss: float = 0
    private: float = 0
    rss: float = 0
    processes: int = 0


class Sampler(threading.Thread):
    """Looks at what is run by logins that come after it; `peak` is the moment of most memory."""

    def __init__(self, host: Host) -> None:
        """Does not look before it is started."""
        super().__init__(daemon=True)
        self._group = host.group
        self._before = cgroups.members(host.group)
        self._stopped = threading.Event()
        self.samples = 0
        self.peak = Memory()

    def run(self) -> None:
        """Sample until `stop`."""
        while not self._stopped.wait(INTERVAL):
            found = _held(_run_by_logins(cgroups.members(self._group) - self._before))
            self.samples += bool(found.processes)
            self.peak = max(self.peak, found, key=lambda memory: memory.pss)

    def stop(self) -> None:
        """Return when no more samples are taken."""
        self._stopped.set()
        self.join()


def _run_by_logins(pids: set[int]) -> Iterator[int]:
    """Those below a session's sshd, which is the login itself; not what the host does meanwhile, nor a user manager."""
    known = {pid: found for pid in pids if (found := cgroups.process(pid))}
    for pid, (name, parent, _) in known.items():
        above = parent
        while above in known and not known[above][0].startswith(_SERVER):
            above = known[above][1]
        if above in known and not name.startswith(_SERVER):
            yield pid


def _held(pids: Iterator[int]) -> Memory:
    """The sum of what smaps_rollup says (proc_pid_smaps(5)); a process that ends meanwhile holds nothing."""
    total = Memory()
    for pid in pids:
        try:
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
        except OSError:
            continue
        held = {line.partition(":")[0]: int(line.split()[1]) * 1024 / 1e6 for line in lines}
        private = held["Private_Clean"] + held["Private_Dirty"]
        total = Memory(total.pss + held["Pss"], total.private + private, total.rss + held["Rss"], total.processes + 1)
    return total


def _memory(host: Host, commands: Mapping[str, Command], runs: int) -> Iterator[Item]:
    """Peaks of each command."""
    yield f"Memory on the target of all that the session runs, sampled every {INTERVAL * 1000:.0f} ms, {runs} runs."
    rows = []
    for name, command in commands.items():
        samplers = [_sampled(host, command) for _ in range(runs)]
        peaks = [sampler.peak for sampler in samplers]
        columns = (f"{statistics.median(column):.3g}" for column in zip(*map(astuple, peaks), strict=True))
        most = max(peak.pss for peak in peaks)
        samples = min(sampler.samples for sampler in samplers)
        goal = f"PSS {judged(most, MOST_MEMORY, ' MB')}" if name == _SCAN else "none"
        rows.append((name, *columns, f"{most:.3g}", f"{samples}", goal))
    headings = ("session", "PSS, MB", "private, MB", "RSS, MB", "processes", "most PSS of all runs", "samples a run")
    yield Table((*headings, "goal"), tuple(rows))


def _sampled(host: Host, command: Command) -> Sampler:
    sampler = Sampler(host)
    sampler.start()
    try:
        command()
    finally:
        sampler.stop()
    return sampler


# Writes


Listing = Mapping[str, tuple[int, ...]]


@dataclass(frozen=True)
class Written:
    """Paths that were made, changed or removed, and by how many bytes files grew."""

    paths: frozenset[str] = frozenset()
    grown: int = 0

    @classmethod
    def between(cls, before: Listing, after: Listing) -> "Written":
        """From two listings."""
        paths = frozenset(path for path in before.keys() | after.keys() if before.get(path) != after.get(path))
        grown = sum(max(0, after[path][0] - before.get(path, (0,))[0]) for path in paths & after.keys())
        return cls(paths, grown)


def _writes(fleet: Fleet, host: Host, commands: Mapping[str, Command], runs: int) -> Iterator[Item]:
    """Paths that each command leaves changed, of all runs together."""
    yield (
        "What is written on the target: every path whose inode, mode, size, mtime or ctime is another afterwards, in"
        f" the overlay's upper directory and on its tmpfs ({', '.join(_VOLATILE)}), all sessions ended; {runs} runs."
    )
    commands[_LOGIN]()  # the first login makes what later ones only touch
    found: dict[str, list[Written]] = {name: [] for name in commands}
    for _ in range(runs):
        for name, command in commands.items():
            before = _rested(host)
            command()
            found[name].append(Written.between(before, _rested(host)))
    by_login = frozenset[str]().union(*(written.paths for name in (_LOGIN, _NOTHING) for written in found[name]))
    rows = []
    for name, those in found.items():
        paths = frozenset[str]().union(*(written.paths for written in those))
        beyond = sorted(paths - by_login)
        grown = statistics.median(written.grown for written in those)
        rows.append((name, f"{len(paths)}", f"{grown:,.0f}", f"{len(beyond)}", _verdict(name, beyond)))
    yield Table(("session", "paths", "bytes grown", "beyond the login", "goal"), tuple(rows))


def _verdict(name: str, beyond: Sequence[str]) -> str:
    if name != _SCAN:
        return "none"
    named = f"**missed**: {', '.join(beyond[:8])}"
    return f"nothing beyond what the login writes: {named if beyond else 'reached'}"


def _rested(host: Host) -> Listing:
    """All that was ever written, when nobody is logged in and systemd has ended what sessions leave for a while."""
    host.shell("loginctl list-users --no-legend | while read -r id _; do loginctl terminate-user $id; done")
    wait_for("sessions have ended", lambda: not host.shell("ls /run/user").strip(), 60)
    time.sleep(1)
    leader = host.leader()
    if leader is None:
        raise RefusedError("the host does not run any more")
    found: dict[str, tuple[int, ...]] = {}
    for top, name in [(host.place / "upper", ""), *((Path(f"/proc/{leader}/root/{part}"), part) for part in _VOLATILE)]:
        found.update(_listing(str(top), name))
    return found


def _listing(top: str, name: str) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Size, times, inode and mode of all below a directory that the host calls `name`, and of itself."""
    for folder, below, names in os.walk(top):
        for entry in (".", *names, *below):
            path = os.path.join(folder, entry)
            try:
                status = os.lstat(path)
            except FileNotFoundError:
                continue
            where = os.path.normpath(os.path.join("/", name, os.path.relpath(path, top)))
            yield where, (status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino, status.st_mode)
