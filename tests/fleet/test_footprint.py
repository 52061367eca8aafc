"""A scan leaves nothing behind: on the target, on the terminal, or half-written in a report."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fleet.bed.host import Host
from tests.fleet.bed.shell import run, wait_for
from tests.fleet.bed.testbed import Testbed
from tests.fleet.conftest import CLEAN
from tests.fleet.driver import Driftscan, assert_clean, matching, open_mutations

Options = tuple[str, ...]
# Change times show every write, also one that was undone or whose time was set back.
_LISTING = "find / /run /tmp /dev /dev/shm -xdev -printf '%p %C@ %T@ %s %i\\n' | sort -u"


def _listing(host: Host) -> dict[str, str]:
    rows = (line.partition(" ") for line in host.shell(_LISTING).splitlines())
    return {path: rest for path, _, rest in rows}


def _rested_listing(host: Host) -> dict[str, str]:
    """The listing when nobody is logged in and systemd has ended what sessions leave for a while."""
    host.shell("loginctl list-users --no-legend | while read -r id _; do loginctl terminate-user $id; done")
    wait_for("sessions have ended", lambda: not host.shell("ls /run/user").strip(), 60)
    time.sleep(1)
    return _listing(host)


def _changed(before: dict[str, str], after: dict[str, str]) -> set[str]:
    return {path for path in before.keys() | after.keys() if before.get(path) != after.get(path)}


@pytest.mark.parametrize("login", [("root", "true"), ("deploy", "sudo true")], ids=["root", "sudo"])
def test_nothing_is_written(
    driftscan: Driftscan, bed: Testbed, manifest: Path, clean_hosts: list[Host], login: tuple[str, str]
) -> None:
    host = clean_hosts[0]
    user, same_login = login
    inventory = driftscan.inventory(f"footprint-{user}.yaml", [host], user=user)
    ssh = ("ssh", "-F", str(bed.settings.ssh_config), f"{user}@{host.name}", same_login)
    # The first login makes what later ones only touch.
    run(*ssh)
    written: set[str] | None = None
    for _ in range(3):  # a timer may work while a scan does, but hardly each time
        start = _rested_listing(host)
        run(*ssh)
        before = _rested_listing(host)
        scanned = driftscan.scan("-i", str(inventory), "-m", str(manifest), "--full")
        # A scan that saw little would have written little.
        assert_clean(scanned, [host.name])
        by_scan = _changed(before, _rested_listing(host)) - _changed(start, before)
        written = by_scan if written is None else written & by_scan
        if not written:
            break
    assert written == set()


def test_no_process_is_left(driftscan: Driftscan, scan_options: Options, clean_hosts: list[Host]) -> None:
    def left() -> list[str]:
        listed = clean_hosts[0].must("ps", "-eo", "args")
        return [line for line in listed.splitlines() if "driftscan" in line or "python3 -c" in line]

    assert driftscan.scan(CLEAN[0], *scan_options).host(CLEAN[0])["coverage"]["files"]["seen"] > 0
    wait_for("the probe has ended", lambda: not left(), 60)


@pytest.fixture
def silent() -> Iterator[int]:
    """A port that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def _wait_for_a_host(scan: subprocess.Popen[bytes]) -> None:
    """Until the first of the hosts is done; the silent one never is."""
    assert scan.stderr is not None
    said = b""
    while b"clean-" not in said:
        assert select.select([scan.stderr], [], [], 120)[0], said
        part = os.read(scan.stderr.fileno(), 1 << 16)
        assert part, "the scan ended before it could be interrupted"
        said += part


def test_interrupt(driftscan: Driftscan, manifest: Path, clean_hosts: list[Host], silent: int, tmp_path: Path) -> None:
    inventory = driftscan.inventory("interrupted.yaml", clean_hosts)
    content = json.loads(inventory.read_text())
    content["hosts"]["silent"] = {"address": "127.0.0.1", "port": silent, "timeout": 300}
    inventory.write_text(json.dumps(content))
    report = tmp_path / "report.json"
    markdown = tmp_path / "report.md"
    scan = subprocess.Popen(
        driftscan.command(
            "scan", "-i", str(inventory), "-m", str(manifest), "-o", "json",
            f"--report=json:{report}", f"--report=markdown:{markdown}",
        ),
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        bufsize=0, cwd=driftscan.home, env=driftscan.environment(),
    )  # fmt: skip
    with scan:
        _wait_for_a_host(scan)
        scan.send_signal(signal.SIGINT)
        stdout, stderr = scan.communicate(timeout=200)  # the silent host would be waited for longer
    assert scan.returncode == 130, stderr.decode()
    assert b"Traceback" not in stderr
    shown = json.loads(stdout)
    assert json.loads(report.read_text()) == shown
    assert markdown.read_text().strip()
    verdicts = {host["host"]: host["verdict"] for host in shown["hosts"]}
    assert set(verdicts) == {*CLEAN, "silent"}
    assert "clean" in verdicts.values()
    assert verdicts["silent"] != "clean"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["report.json", "report.md"]


COVERED = "/usr/share/doc"


def test_mount_over_baked_files(driftscan: Driftscan, scan_options: Options, fleet: dict[str, Host]) -> None:
    host = fleet["crooked"]
    host.must("mount", "-t", "tmpfs", "cover", COVERED)
    try:
        outcome = driftscan.scan(host.name, *scan_options)
    finally:
        host.must("umount", COVERED)
    result = outcome.host(host.name)
    assert outcome.code == 1
    assert matching(result, "mount", COVERED, "added"), outcome.explain()
    assert matching(result, "file", f"{COVERED}/*", "removed") == []
    assert open_mutations(result)
    told = [text for text in _texts(result) if COVERED in text]
    assert any(word in text for text in told for word in ("unseen", "hidden", "beneath", "not seen")), told


def _texts(value: object) -> Iterator[str]:
    """Every text anywhere in a report."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)
