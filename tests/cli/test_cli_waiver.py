"""`driftscan waiver` and `scan --waivers`, from a fleet that has drifted to one in which what is new stands out."""

import fcntl
import json
import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.cli.runner import Ran, run

SAID = ("--reason", "as found, OPS-40", "--owner", "ops@example.net")
OVER = "  - {finding: F-000000000001, hosts: a, reason: r, owner: o, expires: 2026-01-02}\n"
OTHERS = "  - {finding: F-000000000002, hosts: a, reason: r, owner: o, expires: 2999-01-02}\n"
Run = Callable[..., Ran]


@pytest.fixture
def image(tmp_path: Path) -> Path:
    root = tmp_path / "host"
    for path, text in {
        "etc/os-release": 'ID=debian\nVERSION_ID="12"\n',
        "etc/passwd": "root:x:0:0:root:/root:/bin/bash\n",
        "etc/group": "root:x:0:\n",
        "etc/motd": "hello\n",
        "usr/bin/tool": "x\n",
        "var/lib/dpkg/status": "",
    }.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    return root


@pytest.fixture
def driftscan(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, image: Path) -> Run:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DRIFTSCAN_STATE_DIR", str(tmp_path / "state"))
    assert run(capsys, "bake", f"rootfs:{image}", "-o", "m").code == 0
    return lambda *words: run(capsys, *words)


def scan(driftscan: Run, image: Path, *more: str) -> tuple[int, Any]:
    done = driftscan("scan", f"rootfs:{image}", "-m", "m", "-o", "json", *more)
    (host,) = json.loads(done.out)["hosts"]
    return done.code, host


def test_a_drifted_fleet_is_adopted_and_what_is_new_stands_out(driftscan: Run, image: Path, tmp_path: Path) -> None:
    (image / "etc/motd").write_text("changed\n")
    code, host = scan(driftscan, image)
    assert (code, host["verdict"]) == (1, "findings")
    assert driftscan("waiver", "adopt", *SAID, "--days", "60").code == 0
    assert driftscan("waiver", "lint", "waivers.yaml").code == 0
    assert (
        f"  # medium: /etc/motd changed\n  - finding: {host['mutations'][0]['id']}\n"
        in Path("waivers.yaml").read_text()
    )
    code, host = scan(driftscan, image, "--waivers", "waivers.yaml")
    assert (code, host["verdict"], host["recommendation"]["action"]) == (0, "clean", "none")
    (found,) = host["mutations"]
    assert (found["state"], found["waiver"]["owner"]) == ("waived", "ops@example.net")
    assert "is as baked but for 1 waived finding" in host["recommendation"]["sentence"]

    told = driftscan("explain", found["id"]).out
    assert "by ops@example.net: as found, OPS-40 (" in told

    (image / "etc/motd").write_text("changed again\n")
    code, host = scan(driftscan, image, "--waivers", "waivers.yaml")
    assert (code, host["mutations"][0]["state"]) == (1, "open")
    assert "content is another" in host["mutations"][0]["waivers_considered"][0]
    assert "not waived" in driftscan("explain", found["id"]).out
    told = json.loads(driftscan("waiver", "list", "waivers.yaml", "--json").out)
    assert [each["state"] for each in told] == ["unused"]
    assert driftscan("waiver", "prune", "waivers.yaml").code == 0
    assert "F-" in (tmp_path / "waivers.yaml").read_text()
    assert driftscan("waiver", "prune", "waivers.yaml", "--unused").code == 0
    assert "F-" not in (tmp_path / "waivers.yaml").read_text()


def test_states_are_those_of_what_the_last_scan_found_whatever_it_knew(
    driftscan: Run, image: Path, tmp_path: Path
) -> None:
    """Neither the scan before a waiver was added, nor the line that it stood in, makes it unused."""
    (image / "etc/motd").write_text("changed\n")
    scan(driftscan, image)
    file = tmp_path / "waivers.yaml"
    file.write_text("waivers:\n" + OVER)
    assert driftscan("waiver", "adopt", *SAID, "--days", "60").code == 0
    states = [each["state"] for each in json.loads(driftscan("waiver", "list", "waivers.yaml", "--json").out)]
    assert states == ["expired", "active"]
    scan(driftscan, image, "--waivers", "waivers.yaml")
    for _ in range(2):  # the first takes a line away above
        assert driftscan("waiver", "prune", "waivers.yaml", "--unused").code == 0
        assert "/etc/motd changed" in file.read_text()


def test_what_is_to_be_quarantined_is_not_adopted_but_can_be_added(driftscan: Run, image: Path) -> None:
    (image / "usr/bin/implant").write_text("#!/bin/sh\n")
    (image / "usr/bin/implant").chmod(0o755)
    _, host = scan(driftscan, image)
    (found,) = host["mutations"]
    assert found["action"] == "quarantine"
    done = driftscan("waiver", "adopt", *SAID, "--days", "20")
    assert done.code == 0
    assert "not adopted" in done.err
    assert not Path("waivers.yaml").exists()
    assert driftscan("waiver", "add", found["id"][:8], *SAID, "--days", "31").code == 2
    assert driftscan("waiver", "add", found["id"][:8], *SAID, "--days", "30", "--ticket", "OPS-1").code == 0
    assert scan(driftscan, image, "--waivers", "waivers.yaml")[0] == 0


@pytest.mark.parametrize("words", [("add", "F-", *SAID, "--days", "9"), ("prune", "waivers.yaml")], ids=" ".join)
def test_what_another_writes_meanwhile_stays(
    driftscan: Run, image: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    """Two people at once: whoever comes second waits, and reads what the first has written."""
    (image / "etc/motd").write_text("changed\n")
    scan(driftscan, image)
    Path("waivers.yaml").write_text("waivers:\n" + OVER)
    flock = fcntl.flock

    def after_another(descriptor: int, operation: int) -> None:
        flock(descriptor, operation)
        assert os.path.samestat(os.fstat(descriptor), os.stat("."))
        Path("waivers.yaml").write_text("waivers:\n" + OVER + OTHERS)

    monkeypatch.setattr(fcntl, "flock", after_another)
    assert driftscan("waiver", *words).code == 0
    text = Path("waivers.yaml").read_text()
    assert OTHERS in text
    assert (OVER in text) == (words[0] == "add")


def test_an_expired_waiver_is_told_and_accepts_nothing(driftscan: Run, image: Path) -> None:
    (image / "etc/motd").write_text("changed\n")
    scan(driftscan, image)
    assert driftscan("waiver", "adopt", *SAID, "--days", "1").code == 0
    yesterday = (datetime.now(UTC) - timedelta(days=1)).date().isoformat()
    text = Path("waivers.yaml").read_text()
    lines = [line for line in text.splitlines() if "added:" not in line]
    Path("waivers.yaml").write_text(
        "\n".join(f"    expires: {yesterday}" if "expires:" in line else line for line in lines) + "\n"
    )
    done = driftscan("scan", f"rootfs:{image}", "-m", "m", "--waivers", "waivers.yaml")
    assert done.code == 1
    assert f"expired on {yesterday} (ops@example.net)" in done.err
    assert driftscan("waiver", "prune", "waivers.yaml").code == 0
    assert Path("waivers.yaml").read_text().endswith("waivers: []\n")
    assert driftscan("waiver", "lint", "waivers.yaml").code == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("add", "F-000000000000", *SAID, "--days", "9"), "no host's last scan has it open"),
        (("adopt", *SAID), "one of --expires DAY and --days N says how long"),
        (("adopt", *SAID, "--expires", "soon"), "soon is no day"),
        (("adopt", *SAID, "--expires", "2020-01-01"), "2020-01-01 is over"),
        (("adopt", "--days", "9"), "a waiver needs --reason and --owner"),
        (("lint", "nowhere.yaml"), "nowhere.yaml"),
        (("list", "nowhere.yaml"), "nowhere.yaml"),
    ],
)
def test_wrong_input(driftscan: Run, image: Path, words: tuple[str, ...], message: str) -> None:
    (image / "etc/motd").write_text("changed\n")
    scan(driftscan, image)
    done = driftscan("waiver", *words)
    assert done.code == 2
    assert message in done.err


def test_a_bad_file_of_waivers_is_told_before_anything_is_looked_at(driftscan: Run, image: Path) -> None:
    Path("waivers.yaml").write_text("waivers:\n  - {finding: F-1}\n")
    done = driftscan("scan", f"rootfs:{image}", "-m", "m", "--waivers", "waivers.yaml")
    assert done.code == 2
    assert "waivers.yaml:2:" in done.err
    assert done.out == ""


OURS = """policy: ours
version: 1
title: How long we accept what
waivers: {max_days: {critical: 7, high: 20, medium: 20, low: 20, info: 20}}
"""


def test_policy_says_for_how_long(driftscan: Run, image: Path, tmp_path: Path) -> None:
    (tmp_path / "ours.yaml").write_text(OURS)
    (image / "etc/motd").write_text("changed\n")
    _, host = scan(driftscan, image)
    (found,) = host["mutations"]
    refused = driftscan("waiver", "add", found["id"], *SAID, "--days", "30", "-p", "ours.yaml")
    assert (refused.code, "longer than the 20 days" in refused.err) == (2, True)
    assert driftscan("waiver", "add", found["id"], *SAID, "--days", "30").code == 0
    _, host = scan(driftscan, image, "--waivers", "waivers.yaml", "-p", "immutable-core", "-p", "ours.yaml")
    assert host["mutations"][0]["state"] == "open"
    assert "longer than the 20 days" in host["mutations"][0]["waivers_considered"][0]
    assert driftscan("waiver", "lint", "waivers.yaml").code == 0
    told = driftscan("waiver", "lint", "waivers.yaml", "-p", "ours.yaml")
    assert (told.code, "waivers.yaml:3: it lasts longer than the 7 days" in told.err) == (2, False)
    assert "it lasts longer than" in told.err


def test_lint_knows_the_rules_of_policies(driftscan: Run, tmp_path: Path) -> None:
    until = (datetime.now(UTC) + timedelta(days=20)).date()
    entry = "  - {{rule: {}, hosts: a, reason: r, owner: o, expires: {}}}\n"
    names = ("ssh-root-login", "server-hardening/ssh/*", "ssh-rot-login")
    (tmp_path / "w.yaml").write_text("waivers:\n" + "".join(entry.format(name, until) for name in names))
    told = driftscan("waiver", "lint", "w.yaml", "-p", "server-hardening")
    assert told.code == 2
    assert "w.yaml:4: no rule of these policies is 'ssh-rot-login'; did you mean 'ssh-root-login'?" in told.err
    assert "w.yaml:2" not in told.err
    assert "w.yaml:3" not in told.err
    (tmp_path / "w.yaml").write_text("waivers:\n" + entry.format('"ssh-*"', until))
    assert "names no policy: write POLICY/RULE" in driftscan("waiver", "lint", "w.yaml").err


OPEN_TO_ALL = """\
policy: ours/open
version: 1
title: Nothing is open to all
rules:
  - id: no-open-file
    title: No file can be written by all
    over: file
    key: /srv/**
    forbid: {mode: {mode_has: "0002"}}
    severity: medium
    recommendation: rebake
    why: Whoever gets in changes it.
"""


def test_what_a_control_finds_is_accepted_and_more_of_it_is_not(driftscan: Run, image: Path, tmp_path: Path) -> None:
    def found(*more: str) -> Any:
        done = driftscan("scan", f"rootfs:{image}", "-p", "ours.yaml", "-o", "json", *more)
        (host,) = json.loads(done.out)["hosts"]
        return host["controls"][0]

    (tmp_path / "ours.yaml").write_text(OPEN_TO_ALL)
    (image / "srv").mkdir()
    for name in ("a", "b*"):
        (image / "srv" / name).touch()
        (image / "srv" / name).chmod(0o666)
    assert found()["state"] == "open"
    assert driftscan("waiver", "adopt", *SAID, "--days", "60").code == 0
    text = (tmp_path / "waivers.yaml").read_text()
    assert '  # medium: fails "No file can be written by all"\n  - finding: C-' in text
    assert '    resources: ["/srv/a", "/srv/b?"]\n' in text
    assert found("--waivers", "waivers.yaml")["state"] == "waived"
    (image / "srv/a").chmod(0o644)
    assert found("--waivers", "waivers.yaml")["state"] == "waived"
    (image / "srv/more").touch()
    (image / "srv/more").chmod(0o666)
    again = found("--waivers", "waivers.yaml")
    assert again["state"] == "open"
    assert again["waivers_considered"][0].endswith("it does not name all that is at fault: file /srv/more")


def test_a_file_that_is_no_file_of_waivers_is_told_and_a_link_to_one_stays(
    driftscan: Run, image: Path, tmp_path: Path
) -> None:
    (image / "etc/motd").write_text("changed\n")
    scan(driftscan, image)
    adopt = ("waiver", "adopt", *SAID, "--days", "60", "-o")
    (tmp_path / "latin.yaml").write_bytes(b"waivers: []  # caf\xe9\n")
    wrong = (("latin.yaml", "not UTF-8"), ("host", "is a directory"), ("none/w.yaml", "cannot be written"))
    for name, said in wrong:
        done = driftscan(*adopt, name)
        assert (done.code, said in done.err) == (2, True)
    (tmp_path / "real.yaml").write_bytes(b"# ours\r\nwaivers: []\r\n")
    (tmp_path / "w.yaml").symlink_to("real.yaml")
    assert driftscan(*adopt, "w.yaml").code == 0
    text = (tmp_path / "real.yaml").read_bytes()
    assert text.startswith(b"# ours\r\nwaivers:\r\n  # ")
    assert text.count(b"\n") == text.count(b"\r\n")
    assert (tmp_path / "w.yaml").is_symlink()
