"""Somebody works on the host while it is scanned: the snapshot is torn, never clean, and never baked."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.fleet.bed.host import Host
from tests.fleet.driver import Driftscan, Outcome

BUSY = "/usr/local/bin/busy"
# As apt holds it: a record lock, by another process than the probe's.
HOLD = """
import fcntl, time
handle = open("/var/lib/dpkg/lock-frontend", "w")
fcntl.lockf(handle, fcntl.LOCK_EX)
time.sleep(600)
"""
# Nothing differs from the manifest but the time: what counts is that it is written.
WRITE = """
import os, sys, time
handle = os.open(sys.argv[1], os.O_RDWR)
first = os.pread(handle, 1, 0)
while True:
    os.pwrite(handle, first, 0)
    time.sleep(0.001)
"""
# dpkg writes the whole of its database anew: each time with one line more.
RENAME = """
import os, time
path = "/var/lib/dpkg/status"
whole = open(path).read()
for number in range(10000):
    with open(path + "-new", "w") as file:
        file.write(whole + "\\n" * number)
    os.replace(path + "-new", path)
    time.sleep(0.05)
"""


@pytest.fixture(scope="module")
def options(driftscan: Driftscan, spare: Host) -> Iterator[tuple[str, ...]]:
    """With a manifest of the host at rest."""
    spare.shell(f"head -c 30000000 /dev/urandom > {BUSY}; cp -p /var/lib/dpkg/status /root/status")
    inventory = driftscan.inventory("torn.yaml", [spare])
    manifest = driftscan.home / "torn.manifest"
    baked = driftscan.run("bake", spare.name, "-i", str(inventory), "-o", str(manifest))
    assert baked.code == 0, baked.stderr
    yield ("-i", str(inventory), "-m", str(manifest))
    spare.shell(f"rm {BUSY}; mv /root/status /var/lib/dpkg/status; rm -f /var/lib/dpkg/status-new")


@contextmanager
def at_work(host: Host, *command: str) -> Iterator[None]:
    """A program that runs on the host meanwhile."""
    host.must("systemd-run", "--quiet", "--unit=at-work", "/usr/bin/python3", "-c", *command)
    try:
        yield
    finally:
        host.must("systemctl", "stop", "at-work.service")


CASES = {
    "lock": ((HOLD,), "/var/lib/dpkg/lock-frontend was held"),
    "database": ((RENAME,), "/var/lib/dpkg/status changed while the tree was read"),
    "file": ((WRITE, BUSY), f"{BUSY} changed while being read"),
}


@pytest.mark.parametrize("how", CASES)
def test_torn(driftscan: Driftscan, spare: Host, options: tuple[str, ...], tmp_path: Path, how: str) -> None:
    command, reason = CASES[how]
    made = tmp_path / "torn.manifest"
    with at_work(spare, *command), ThreadPoolExecutor() as pool:
        baking = pool.submit(driftscan.run, "bake", spare.name, *options[:2], "-o", str(made))
        outcome = driftscan.scan(*options, "--full")
        baked = baking.result()
    assert_torn(outcome, spare, reason)
    assert baked.code == 3, baked.stderr
    assert reason in " ".join(baked.stderr.split())
    assert list(tmp_path.iterdir()) == []


def assert_torn(outcome: Outcome, host: Host, reason: str) -> None:
    found = outcome.host(host.name)
    assert found["coverage"]["torn"] is True
    assert any(reason in why for why in found["coverage"]["torn_because"]), found["coverage"]["torn_because"]
    assert found["verdict"] in {"incomplete", "findings"}
    assert outcome.code in {1, 3}
