"""The bed keeps its own promises: hosts are separate, and nothing of them is left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fleet.bed import cgroups, network
from tests.fleet.bed.host import Host
from tests.fleet.bed.settings import Settings
from tests.fleet.bed.shell import run
from tests.fleet.bed.testbed import Testbed
from tests.fleet.driver import REPOSITORY


@pytest.fixture
def second(bed: Testbed) -> Iterator[Testbed]:
    """A bed beside the suite's own."""
    testbed = Testbed(Settings(bed.settings.state, bed.settings.number + 1))
    testbed.down()
    yield testbed
    testbed.down()


def _left(settings: Settings) -> list[str]:
    mounts = Path("/proc/mounts").read_text().splitlines()
    links = run("ip", "-o", "link").splitlines()
    prefix = f"dsb{settings.number}-"
    return [
        *(m for m in mounts if str(settings.directory) in m),
        *(row for row in links if settings.name in row or prefix in row),
        *network.namespaces(settings),
        *(str(group) for group in cgroups.groups(settings.name) if group.exists()),
        *map(str, settings.directory.glob("*")),
    ]


def _testbed(settings: Settings, *arguments: str) -> subprocess.Popen[str]:
    """The bed's command line as a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "tests.fleet.testbed", "--bed", str(settings.number), *arguments],
        cwd=REPOSITORY,
        env={**os.environ, "DRIFTSCAN_TESTBED_DIR": str(settings.state)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    )


def test_hosts_are_instances_of_their_own(fleet: dict[str, Host]) -> None:
    hosts = list(fleet.values())
    assert len({h.must("cat", "/etc/machine-id") for h in hosts}) == len(hosts)
    assert len({key for h in hosts for key in h.host_keys()}) == 3 * len(hosts)
    assert [h.must("hostname").strip() for h in hosts] == [h.name for h in hosts]
    for host in hosts:
        assert host.must("systemctl", "is-system-running").strip() == "running"
        assert "sudo" in host.must("id", "deploy")


def test_apt_reaches_the_archive_and_nothing_else(fleet: dict[str, Host]) -> None:
    host = fleet["crooked"]
    host.must("apt-get", "-q", "update")
    refused = host.shell(
        "python3 -c 'import urllib.request as u, sys\n"
        f'o = u.build_opener(u.ProxyHandler({{"http": "{network.proxy_url()}"}}))\n'
        'try: o.open("http://example.org/")\n'
        "except Exception as e: print(e)'"
    )
    assert "403" in refused


def test_down_leaves_nothing(second: Testbed) -> None:
    second.up(["one"])
    assert _left(second.settings) != []
    second.down()
    assert _left(second.settings) == []
    second.down()


def test_down_after_a_killed_run(second: Testbed) -> None:
    """Also when nspawn itself was killed, which leaves the host's systemd running."""
    with _testbed(second.settings, "up", "one", "two") as raising:
        _wait_for_systemd(second)
        raising.kill()
    for name in second.names():
        for pid in cgroups.members(second.host(name).group):
            found = cgroups.process(pid)
            if found and found[0] == "systemd-nspawn":
                os.kill(pid, signal.SIGKILL)
    with _testbed(second.settings, "down") as down:
        assert down.wait(600) == 0
    assert _left(second.settings) == []


def test_interrupted_up_takes_its_hosts_down(second: Testbed) -> None:
    with _testbed(second.settings, "up", "one") as raising:
        _wait_for_systemd(second)
        raising.send_signal(signal.SIGINT)
        _, said = raising.communicate(timeout=600)
    assert raising.returncode != 0
    assert second.names() == [], said
    assert network.namespaces(second.settings) == set()


def _wait_for_systemd(bed: Testbed) -> None:
    end = time.monotonic() + 300
    while not any(bed.host(name).leader() for name in bed.names() if _placed(bed, name)):
        assert time.monotonic() < end
        time.sleep(0.1)


def _placed(bed: Testbed, name: str) -> bool:
    return (bed.settings.hosts / name / "last").exists()


def test_unknown_host_is_an_error(second: Testbed) -> None:
    with _testbed(second.settings, "stop", "nobody") as stop:
        _, said = stop.communicate(timeout=600)
    assert stop.returncode == 1
    assert "no host 'nobody' here" in said
