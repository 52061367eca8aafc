"""Hosts that nobody touched are clean, whatever a server's ordinary life has done to them."""

from __future__ import annotations

import json
from pathlib import Path

from tests.fleet.bed.host import Host
from tests.fleet.bed.shell import run
from tests.fleet.bed.testbed import Testbed
from tests.fleet.conftest import CLEAN
from tests.fleet.driver import Driftscan, assert_accounted, assert_clean

Options = tuple[str, ...]


def test_first_boot(driftscan: Driftscan, scan_options: Options) -> None:
    outcome = driftscan.scan(*CLEAN, *scan_options)
    assert_clean(outcome, CLEAN)
    for host in outcome.report["hosts"]:
        assert_accounted(host)
        assert host["recommendation"]["action"] == "none"
        assert host["coverage"]["torn"] is False


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


def test_timers_and_log_rotation(
    driftscan: Driftscan, scan_options: Options, bed: Testbed, clean_hosts: list[Host]
) -> None:
    def age(host: Host) -> None:
        timers = json.loads(host.must("systemctl", "list-timers", "--all", "--output=json"))
        services = {timer["activates"] for timer in timers}
        assert {"apt-daily.service", "apt-daily-upgrade.service", "logrotate.service"} <= services
        for service in sorted(services):
            host.must("systemctl", "start", "--wait", service, timeout=300)
        host.must("logrotate", "--force", "/etc/logrotate.conf")

    bed.each(clean_hosts, age)
    assert_clean(driftscan.scan(*CLEAN, *scan_options, "--full"), CLEAN)
