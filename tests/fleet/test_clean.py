"""Hosts that nobody touched are clean, whatever a server's ordinary life has done to them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.fleet.bed.host import Host
from tests.fleet.bed.shell import run
from tests.fleet.bed.testbed import Testbed
from tests.fleet.conftest import CLEAN
from tests.fleet.driver import Driftscan, assert_accounted, assert_clean, matching

Options = tuple[str, ...]


def test_first_boot(driftscan: Driftscan, scan_options: Options) -> None:
    outcome = driftscan.scan(*CLEAN, *scan_options)
    assert_clean(outcome, CLEAN)
    for host in outcome.report["hosts"]:
        assert_accounted(host)
        assert host["recommendation"]["action"] == "none"
        assert host["coverage"]["torn"] is False


def test_timers_and_log_rotation(
    driftscan: Driftscan, scan_options: Options, bed: Testbed, clean_hosts: list[Host]
) -> None:
    def age(host: Host) -> None:
        timers = json.loads(host.must("systemctl", "list-timers", "--all", "--output=json"))
        services = {timer["activates"] for timer in timers}
        assert {"apt-daily.service", "apt-daily-upgrade.service", "logrotate.service"} <= services
        for service in sorted(services):
            host.must("systemctl", "start", "--wait", service, timeout=900)
        host.must("logrotate", "--force", "/etc/logrotate.conf")

    bed.each(clean_hosts, age)
    assert_clean(driftscan.scan(*CLEAN, *scan_options, "--full"), CLEAN)


def _traffic(host: Host) -> int:
    """Bytes that went over the host's link, either way."""
    counts = host.shell("cat /sys/class/net/eth0/statistics/[rt]x_bytes").split()
    return sum(map(int, counts))


def test_next_scan_is_quick(driftscan: Driftscan, scan_options: Options, clean_hosts: list[Host]) -> None:
    spent: dict[str, list[int]] = {host.name: [] for host in clean_hosts}
    outcome = None
    for _ in range(4):
        before = {host.name: _traffic(host) for host in clean_hosts}
        outcome = driftscan.scan(*CLEAN, *scan_options)
        for host in clean_hosts:
            spent[host.name].append(_traffic(host) - before[host.name])
        if all(min(each) < 500_000 for each in spent.values()):
            break
    assert outcome is not None
    assert_clean(outcome, CLEAN)
    assert outcome.report["scan"]["mode"] == "quick"
    for found in outcome.report["hosts"]:
        files = found["coverage"]["files"]
        assert found["coverage"]["reading"]["mode"] == "quick"
        assert 0 < files["hashed"] < files["stat_only"] / 4, files
    # The program, a login and the answers; a listing of all files has several megabytes, each time. So have apt's
    # lists, which its timers fetch once a day, and have by now.
    assert all(min(each) < 500_000 for each in spent.values()), spent


def test_next_scan_finds_content_whose_time_was_set_back(
    driftscan: Driftscan, scan_options: Options, clean_hosts: list[Host]
) -> None:
    host, path = clean_hosts[0], "/usr/local/bin/app-health"
    # In place: neither its inode nor its size is another. `exit 0` ends the file.
    write = f"touch -r {path} /root/.was; printf '%s\\n' {{}} | dd of={path} bs=1 seek=15 conv=notrunc status=none;"
    write += f" touch -r /root/.was {path}; rm /root/.was"
    before = host.must("stat", "-c", "%i %s %y", path)
    host.shell(write.format(1))
    try:
        assert host.must("tail", "-1", path) == "exit 1\n"
        assert host.must("stat", "-c", "%i %s %y", path) == before
        outcome = driftscan.scan(host.name, *scan_options, "--quick")
    finally:
        host.shell(write.format(0))
    assert outcome.report["scan"]["mode"] == "quick"
    (found,) = matching(outcome.host(host.name), "file", "*")
    assert (found["key"], found["change"], list(found["attributes"])) == (path, "modified", ["sha256"])
    assert_clean(driftscan.scan(host.name, *scan_options, "--quick"), [host.name])


# What neither a login nor the programs that a scan runs read.
SEEN = ("/etc/app", "/etc/app/app.conf", "/usr/local/bin/app-health", "/home/deploy/.ssh", "/etc/sudoers.d", "/srv/app")
LONG_AGO = "2001-02-03"


@pytest.mark.parametrize("mode", ["--full", "--quick"])
def test_access_times_stay(driftscan: Driftscan, scan_options: Options, clean_hosts: list[Host], mode: str) -> None:
    host = clean_hosts[0]

    def accessed() -> list[str]:
        return host.must("stat", "-c", "%n %x", *SEEN).splitlines()

    host.must("touch", "-a", "-d", LONG_AGO, *SEEN)
    assert_clean(driftscan.scan(host.name, *scan_options, mode), [host.name])
    assert [row for row in accessed() if LONG_AGO not in row] == []
    # Who reads without care is seen.
    host.shell(f"cat {SEEN[1]} && ls {SEEN[0]}")
    assert len([row for row in accessed() if LONG_AGO not in row]) == 2


def test_manifest_verifies(driftscan: Driftscan, manifest: Path) -> None:
    verified = driftscan.run("verify", str(manifest))
    assert verified.code == 0, verified.stderr


def test_truncated_manifest_is_refused(driftscan: Driftscan, manifest: Path, inventory: Path) -> None:
    broken = manifest.with_name("broken.manifest")
    content = manifest.read_bytes()
    broken.write_bytes(content[: len(content) * 2 // 3])
    assert driftscan.run("verify", str(broken)).code == 2
    scanned = driftscan.run("scan", CLEAN[0], "-i", str(inventory), "-m", str(broken))
    assert scanned.code == 2
    assert "broken.manifest" in scanned.stderr


def test_scan_by_sudo(driftscan: Driftscan, clean_hosts: list[Host], manifest: Path) -> None:
    inventory = driftscan.inventory("by-sudo.yaml", clean_hosts, user="deploy", sudo="always")
    outcome = driftscan.scan("-i", str(inventory), "-m", str(manifest), "--full")
    assert_clean(outcome, CLEAN)


def test_reboot(driftscan: Driftscan, scan_options: Options, bed: Testbed, clean_hosts: list[Host]) -> None:
    bed.each(clean_hosts, Host.reboot)
    assert_clean(driftscan.scan(*CLEAN, *scan_options, "--full"), CLEAN)


def test_ten_logins(driftscan: Driftscan, scan_options: Options, bed: Testbed, clean_hosts: list[Host]) -> None:
    def log_in(host: Host) -> None:
        ssh = ("ssh", "-F", str(bed.settings.ssh_config))
        for _ in range(4):
            run(*ssh, f"root@{host.name}", "true")
            run(*ssh, f"deploy@{host.name}", "sudo true")
        run(*ssh, "-tt", f"root@{host.name}", "true")
        run(*ssh, "-tt", f"deploy@{host.name}", "true")

    bed.each(clean_hosts, log_in)
    assert_clean(driftscan.scan(*CLEAN, *scan_options, "--full"), CLEAN)
