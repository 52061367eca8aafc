"""Real hosts over ssh: whole scans of one beside ansible's facts, what one more clean host costs beside paramiko's
connect and exec of `true`, and bytes on the wire. Raises a bed of its own and removes it; needs root."""

import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import wire
from fleet import Fleet, raised, settled
from measure import ROOT, Cost, Item, RefusedError, paired, row, spend, spread

from tests.fleet.bed.host import Host

FIRST, AGAIN, SNAPSHOT = "first scan of one host", "scan of it again", "snapshot of it"
ANSIBLE, PIPELINED = "ansible: setup, package_facts, service_facts", "the same, pipelining on"
LOGIN = "ssh host true"
OURS, THEIRS = "one more clean host scanned", "paramiko: one more connect and exec of true"
PLAIN = "the same, each client reading key and known_hosts"
WORKERS = 16
"""Hosts at once, on both sides."""
VISITS = 200
"""At least so many connections the peer makes in a run, however few the hosts are."""
_PLAYBOOK = """\
- hosts: all
  gather_facts: false
  tasks:
    - setup:
    - package_facts:
    - service_facts:
"""


def measure_one(number: int, runs: int, *, large: bool) -> Iterator[Item]:
    """A fresh host of bed `number`, baked from itself and two others; `large`: with 140,000 files, too."""
    with raised(3, number) as fleet:
        host = _clean(fleet, 1)[-1]
        yield f"One of three fresh hosts of the same image; {settled()}."
        yield from _one(fleet, host, runs)
        _clean(fleet, 3)
        yield from wire.measure(fleet, host)
        yield f"One scan of one host: {_sessions(fleet, host)} exec requests in its sshd's log."
        if large:
            yield from wire.measure_large(fleet, host)


def measure_many(count: int, number: int, runs: int) -> Iterator[Item]:
    """`count` hosts of bed `number`."""
    with raised(count, number) as fleet:
        clean = _clean(fleet, 5)
        yield f"{len(clean)} of {count} hosts are clean by a manifest of the first three; {settled()}."
        yield from _marginal(fleet, clean, runs)


def _clean(fleet: Fleet, least: int) -> list[Host]:
    """The hosts that are clean. RefusedError if they are too few."""
    verdicts = fleet.verdicts()
    clean = [host for host in fleet.hosts if verdicts[host.name] == "clean"]
    if len(clean) < least:
        raise RefusedError(f"too few hosts are clean to measure what a clean one costs: {verdicts}")
    return clean


def _one(fleet: Fleet, host: Host, runs: int) -> Iterator[Item]:
    """One host, the scanner's CPU alone."""
    sides = {
        FIRST: lambda: _first_scan(fleet, host),
        AGAIN: lambda: fleet.cost("scan", host.name),
        SNAPSHOT: lambda: fleet.cost("snapshot", host.name, "-o", str(fleet.folder / "one.snapshot")),
        LOGIN: lambda: spend(fleet.ssh(host)),
    }
    if shutil.which("ansible-playbook"):
        sides[ANSIBLE] = lambda: _ansible(fleet, host, pipelining=False)
        sides[PIPELINED] = lambda: _ansible(fleet, host, pipelining=True)
    else:
        yield "Left out: ansible, which is not installed (Debian: ansible)."
    costs = paired(sides, runs)
    for peer in (ANSIBLE, PIPELINED) if ANSIBLE in costs else ():
        yield row(costs, FIRST, peer, cpu=0.2, wall=0.2)
        yield row(costs, AGAIN, peer, cpu=0.2, wall=0.2)
    if ANSIBLE in costs:
        yield row(costs, SNAPSHOT, ANSIBLE, "none")
    yield row(costs, AGAIN, LOGIN, "none")


def _first_scan(fleet: Fleet, host: Host) -> Cost:
    """A scan by a scanner that has never seen the host."""
    shutil.rmtree(fleet.folder / "first", ignore_errors=True)
    return fleet.cost("scan", host.name, store="first")


def _ansible(fleet: Fleet, host: Host, *, pipelining: bool) -> Cost:
    """One play, which begins with a connection as ours does: it may keep the connection for its own tasks."""
    playbook = fleet.folder / "play.yaml"
    playbook.write_text(_PLAYBOOK)
    with tempfile.TemporaryDirectory(prefix="dsa", dir="/tmp") as folder:  # a socket's path may be 107 bytes long
        options = (
            f"-o UserKnownHostsFile={fleet.settings.known_hosts} -o StrictHostKeyChecking=yes -o IdentitiesOnly=yes"
        )
        settings = {
            **fleet.environment,
            "ANSIBLE_HOME": str(fleet.folder / "ansible"),
            "ANSIBLE_SSH_CONTROL_PATH_DIR": folder,
            "ANSIBLE_SSH_COMMON_ARGS": options,
            "ANSIBLE_PIPELINING": str(pipelining),
        }
        key = ["--private-key", str(fleet.settings.key), "--user", "root"]
        try:
            return spend(["ansible-playbook", "-i", f"{host.address},", *key, str(playbook)], settings=settings)
        finally:
            _end_masters(Path(folder))
            host.shell("rm -rf /root/.ansible")  # what it leaves there would be a finding of the next scan


def _end_masters(folder: Path) -> None:
    """ssh that ansible has left in the background for the next play. Its CPU, in ansible's favour, is not counted."""
    for path in folder.iterdir():
        subprocess.run(["ssh", "-O", "exit", "-o", f"ControlPath={path}", "host"], capture_output=True, check=False)


def _marginal(fleet: Fleet, hosts: Sequence[Host], runs: int) -> Iterator[Item]:
    """The slope between few and all hosts, each a process of its own: start-up and imports cancel out."""
    few = max(2, len(hosts) // 5)
    paramiko = [sys.executable, str(ROOT / "benchmarks/peer_paramiko.py")]
    login = [str(fleet.settings.key), str(fleet.settings.known_hosts), str(WORKERS)]
    peaks: list[float] = []

    def scan(some: Sequence[Host]) -> Cost:
        cost = fleet.cost("scan", *(host.name for host in some), "--workers", str(WORKERS))
        peaks.append(cost.peak)
        return cost

    # A visit costs the peer so little that a few hosts' worth of it is noise; it may see the same host again.
    again = -(-VISITS // len(hosts))

    def visits(how: str) -> Callable[[Sequence[Host]], Cost]:
        def visit(some: Sequence[Host]) -> Cost:
            # In turns, since sshd refuses the eleventh of those that are about to log in (MaxStartups).
            cost = spend([*paramiko, how, *login, *(host.address for _ in range(again) for host in some)])
            return Cost(cost.wall / again, cost.cpu / again)

        return visit

    sides = {
        OURS: lambda: _slope(scan, hosts, few),
        THEIRS: lambda: _slope(visits("shared"), hosts, few),
        PLAIN: lambda: _slope(visits("plain"), hosts, few),
    }
    costs = paired(sides, runs)
    yield row(costs, OURS, THEIRS, cpu=3)
    yield row(costs, OURS, PLAIN, "none")
    slopes = [f"{name} {spread([cost.cpu * 1000 for cost in costs[name]])} ms" for name in sides]
    yield (
        f"The slope between {few} and {len(hosts)} hosts, {WORKERS} at once, in CPU, median (least to most) of {runs}"
        f" runs: {'; '.join(slopes)} (each host {again} times a run). Largest resident set of our scanner:"
        f" {max(peaks):.0f} MiB."
    )


def _slope(visit: Callable[[Sequence[Host]], Cost], hosts: Sequence[Host], few: int) -> Cost:
    """What each host beyond the first few adds."""
    small, whole = visit(hosts[:few]), visit(hosts)
    more = len(hosts) - few
    return Cost((whole.wall - small.wall) / more, (whole.cpu - small.cpu) / more)


def _sessions(fleet: Fleet, host: Host) -> int:
    """How many exec requests sshd of a host logs while it is scanned."""
    host.shell("echo 'LogLevel VERBOSE' >/etc/ssh/sshd_config.d/verbose.conf; systemctl reload ssh")
    time.sleep(1)
    before = _logged(host)
    fleet.cost("scan", host.name)
    time.sleep(1)  # for the journal
    return _logged(host) - before


def _logged(host: Host) -> int:
    return host.must("journalctl", "--no-pager", "--output=cat").count("Starting session:")
