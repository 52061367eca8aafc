"""However a scan ends, what it started on a host ends too: by the scanner's deadline, Ctrl-C, or its death."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.fleet.bed import cgroups
from tests.fleet.bed.host import Host
from tests.fleet.bed.shell import BedError, wait_for
from tests.fleet.driver import Driftscan, Outcome

# No walk ends within an hour: the Python worker keeps to this rate, and the other reads every byte of a hole.
RATE = "100k"
HOLE = "opt/hole"
LOGIN = {"sshd", "systemd", "(sd-pam)", "dropbear"}


@dataclass(frozen=True)
class Case:
    """Where a walk does not end: a host, its manifest, the program that walks, and options that make it so."""

    host: Host
    manifest: Path
    walks: str
    options: dict[str, object]


@pytest.fixture(scope="module")
def manifests(driftscan: Driftscan, spare: Host, tiny: Host) -> Iterator[dict[str, Path]]:
    """Of two hosts, the second without Python. Then a file of four TiB appears there."""
    paths = {}
    for host in (spare, tiny):
        paths[host.name] = driftscan.home / f"slow-{host.name}.manifest"
        inventory = driftscan.inventory("slow.yaml", [host])
        baked = driftscan.run("bake", host.name, "-i", str(inventory), "-o", str(paths[host.name]))
        assert baked.code == 0, baked.stderr
    hole = tiny.root / HOLE
    hole.parent.mkdir(exist_ok=True)
    hole.touch()
    os.truncate(hole, 4 << 40)
    yield paths
    hole.unlink()


@pytest.fixture
def case(request: pytest.FixtureRequest, spare: Host, tiny: Host, manifests: dict[str, Path]) -> Case:
    if request.param == "no Python":
        return Case(tiny, manifests[tiny.name], "sha256sum", {})
    limits: dict[str, object] = {"max_read": RATE}
    if request.param == "one worker":
        limits["max_cpu"] = 50
    return Case(spare, manifests[spare.name], "python3", limits)


@pytest.fixture
def started(driftscan: Driftscan, case: Case, tmp_path: Path) -> Iterator[Started]:
    found = Started(driftscan, case, tmp_path)
    yield found
    found.end()


class Started:
    """A scan whose walk is under way."""

    def __init__(self, driftscan: Driftscan, case: Case, place: Path) -> None:
        self.driftscan = driftscan
        self.case = case
        self.before = cgroups.members(case.host.group)
        self.place = place
        self.open: set[str] = set()
        self.scan: subprocess.Popen[bytes] | None = None

    def begin(self, seconds: int) -> subprocess.Popen[bytes]:
        """Until files are read. With a store of its own: other tests have seen more of these hosts."""
        inventory = self.driftscan.inventory("slow.yaml", [self.case.host], timeout=seconds, **self.case.options)
        with (self.place / "stdout").open("wb") as out, (self.place / "stderr").open("wb") as errors:
            arguments = ("-o", "json", "-i", str(inventory), "-m", str(self.case.manifest))
            self.scan = subprocess.Popen(
                self.driftscan.command("scan", *arguments, "--store", str(self.place / "store")),
                stdin=subprocess.DEVNULL, stdout=out, stderr=errors,
                cwd=self.driftscan.home, env=self.driftscan.environment(),
            )  # fmt: skip
        wait_for("the walk is under way", self.is_reading, 300)
        return self.scan

    def is_reading(self) -> bool:
        """Whether a file is open that was so when this was asked before: other files take no time."""
        before, self.open = self.open, {file for pid in self.probe() for file in _open_files(pid)}
        return bool(before & self.open)

    def probe(self) -> dict[int, str]:
        """What runs on the host and did not before, but for what a login is made of."""
        found = {pid: process[0] for pid in self.left() if (process := cgroups.process(pid))}
        return {pid: name for pid, name in found.items() if name not in LOGIN}

    def left(self) -> set[int]:
        return cgroups.members(self.case.host.group) - self.before

    def end(self) -> None:
        if self.scan is not None:
            self.scan.kill()
            self.scan.wait()


def _open_files(pid: int) -> Iterator[str]:
    try:
        links = [str(link.readlink()) for link in Path(f"/proc/{pid}/fd").iterdir()]
    except OSError:
        return
    yield from (f"{pid} {link}" for link in links if "/usr/" in link or "/var/lib/" in link or link.endswith(HOLE))


def assert_nothing_left(started: Started) -> None:
    """Soon: long before the time that the scan was given, and that the probe gives itself."""
    try:
        wait_for("what the scan started has ended", lambda: not started.probe(), 100)
    except BedError as late:
        raise AssertionError(f"{late}: {started.probe()}") from late


@pytest.mark.parametrize("case", ["several workers", "no Python"], indirect=True)
def test_the_deadline(started: Started, case: Case) -> None:
    scan = started.begin(40 if case.walks == "sha256sum" else 20)
    assert case.walks in started.probe().values()
    assert scan.wait(300) == 3
    outcome = Outcome(3, (started.place / "stdout").read_text(), (started.place / "stderr").read_text())
    host = outcome.host(case.host.name)
    assert host["verdict"] == "incomplete", outcome.explain()
    files = host["coverage"]["collectors"]["files"]
    assert files["status"] == "failed"
    assert "did not answer in time" in str(files["gaps"])
    assert_nothing_left(started)


@pytest.mark.parametrize("case", ["one worker", "no Python"], indirect=True)
def test_a_scanner_that_dies(started: Started, case: Case) -> None:
    scan = started.begin(600)
    assert case.walks in started.probe().values()
    scan.kill()
    assert_nothing_left(started)


@pytest.mark.parametrize("case", ["several workers"], indirect=True)
def test_an_interrupt(started: Started, case: Case) -> None:
    scan = started.begin(600)
    assert case.walks in started.probe().values()
    scan.send_signal(signal.SIGINT)
    assert scan.wait(300) == 130
    assert_nothing_left(started)
