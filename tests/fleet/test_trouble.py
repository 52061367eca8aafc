"""What can't be scanned is said, never called clean, and never hides the other hosts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fleet.bed.host import Host
from tests.fleet.bed.shell import run
from tests.fleet.conftest import CLEAN
from tests.fleet.driver import Driftscan, Json, Outcome, assert_clean, open_mutations

Options = tuple[str, ...]
STOPPED = CLEAN[-1]
LEFT = CLEAN[:-1]


@pytest.fixture
def stopped(fleet: dict[str, Host]) -> Iterator[Host]:
    host = fleet[STOPPED]
    host.stop()
    yield host
    host.start()
    host.settle()


@pytest.mark.usefixtures("stopped")
def test_stopped_host(driftscan: Driftscan, fleet: dict[str, Host], scan_options: Options) -> None:
    outcome = driftscan.scan(*CLEAN, *scan_options)
    assert outcome.verdicts() == {**dict.fromkeys(LEFT, "clean"), STOPPED: "unreachable"}, outcome.explain()
    assert outcome.code == 3
    assert outcome.host(STOPPED)["errors"]
    _changed(driftscan, fleet[CLEAN[1]], scan_options)


def _changed(driftscan: Driftscan, host: Host, scan_options: Options) -> None:
    """A finding elsewhere weighs more than a host that wasn't scanned."""
    host.shell("install -m 755 /bin/true /usr/local/bin/foreign")
    try:
        outcome = driftscan.scan(CLEAN[0], host.name, STOPPED, *scan_options)
    finally:
        host.shell("rm /usr/local/bin/foreign")
    assert outcome.code == 1
    assert outcome.verdicts() == {CLEAN[0]: "clean", host.name: "findings", STOPPED: "unreachable"}


def _scan(
    driftscan: Driftscan, manifest: Path, hosts: list[Host], name: str, *options: str, **settings: object
) -> Outcome:
    inventory = driftscan.inventory(f"{name}.yaml", hosts, **settings)
    return driftscan.scan("-i", str(inventory), "-m", str(manifest), *options)


@pytest.fixture(scope="module")
def other_key(tmp_path_factory: pytest.TempPathFactory) -> Path:
    key = tmp_path_factory.mktemp("keys") / "stranger"
    run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "stranger", "-f", str(key))
    return key


def test_wrong_key(driftscan: Driftscan, manifest: Path, clean_hosts: list[Host], other_key: Path) -> None:
    outcome = _scan(driftscan, manifest, clean_hosts[:1], "wrong-key", identity=str(other_key))
    assert outcome.code == 3
    host = outcome.host(CLEAN[0])
    assert host["verdict"] == "unreachable"
    said = str(host["errors"]).lower()
    assert "key" in said or "authenti" in said, host["errors"]


def _logins(host: Host) -> int:
    """Connections on which a client got as far as asking to log in."""
    journal = host.must("journalctl", "-u", "ssh", "--no-pager", "-o", "cat")
    return sum("Accepted" in line or "Failed" in line or "authenticating user" in line for line in journal.splitlines())


def test_changed_host_key(
    driftscan: Driftscan, manifest: Path, clean_hosts: list[Host], other_key: Path, tmp_path: Path
) -> None:
    target, other = clean_hosts[:2]
    words = other_key.with_suffix(".pub").read_text().split()
    known = tmp_path / "known_hosts"
    real = [row for row in other.host_keys() if "ed25519" in row]
    known.write_text(f"{target.address} {words[0]} {words[1]}\n{real[0]}\n")
    before = _logins(target)
    outcome = _scan(driftscan, manifest, [target, other], "changed-key", known_hosts=str(known))
    assert outcome.code == 1, outcome.explain()
    changed = outcome.host(target.name)
    assert [m["severity"] for m in open_mutations(changed)] == ["critical"], outcome.explain()
    assert "host key" in open_mutations(changed)[0]["title"].lower()
    assert _logins(target) == before
    assert outcome.host(other.name)["verdict"] == "clean", outcome.explain()


def test_unknown_host_key(driftscan: Driftscan, manifest: Path, clean_hosts: list[Host], tmp_path: Path) -> None:
    empty = tmp_path / "known_hosts"
    empty.write_text("")
    before = _logins(clean_hosts[0])
    refused = _scan(driftscan, manifest, clean_hosts[:1], "unknown-key", known_hosts=str(empty))
    assert refused.code == 3
    assert refused.verdicts() == {CLEAN[0]: "unreachable"}
    assert "--accept-new-host-keys" in str(refused.host(CLEAN[0])["errors"]) + refused.stderr
    assert _logins(clean_hosts[0]) == before
    accepted = _scan(
        driftscan, manifest, clean_hosts[:1], "unknown-key", "--accept-new-host-keys", known_hosts=str(empty)
    )
    assert_clean(accepted, CLEAN[:1])
    assert empty.read_text() == "", "a user's known_hosts is not ours to write"
    remembered = _scan(driftscan, manifest, clean_hosts[:1], "unknown-key", known_hosts=str(empty))
    assert_clean(remembered, CLEAN[:1])


def test_user_without_root(driftscan: Driftscan, manifest: Path, clean_hosts: list[Host]) -> None:
    outcome = _scan(driftscan, manifest, clean_hosts[:1], "no-root", user="deploy", sudo="never")
    host = outcome.host(CLEAN[0])
    assert (outcome.code, host["verdict"]) == (3, "incomplete"), outcome.explain()
    assert open_mutations(host) == [], outcome.explain()
    assert host["coverage"]["files"]["unreadable"] > 0
    assert any("shadow" in gap or "password" in name for name, gap in _gaps(host)), _gaps(host)


def _gaps(host: Json) -> list[tuple[str, str]]:
    collectors = host["coverage"]["collectors"].items()
    return [(name, str(gap)) for name, state in collectors for gap in state["gaps"]]


@pytest.fixture(scope="module")
def crooked(fleet: dict[str, Host], driftscan: Driftscan) -> Host:
    """A host with two more users: one without any sudo rule, one whose sudo wants a password."""
    host = fleet["crooked"]
    public = driftscan.bed.settings.key.with_suffix(".pub").read_text().strip()
    for user in ("plain", "careful"):
        host.shell(
            f"useradd --create-home {user}; install -d -m 700 -o {user} -g {user} /home/{user}/.ssh;"
            f" echo '{public}' > /home/{user}/.ssh/authorized_keys"
        )
    host.shell("echo careful:open-sesame | chpasswd; echo 'careful ALL=(ALL) ALL' > /etc/sudoers.d/careful")
    return host


def test_no_sudo_rights(driftscan: Driftscan, manifest: Path, crooked: Host) -> None:
    outcome = _scan(driftscan, manifest, [crooked], "no-sudo", user="plain", sudo="always")
    host = outcome.host(crooked.name)
    assert outcome.code == 3, outcome.explain()
    assert host["verdict"] in {"unreachable", "incomplete"}
    assert "sudo" in str(host["errors"])


def test_sudo_with_password(driftscan: Driftscan, manifest: Path, crooked: Host) -> None:
    inventory = driftscan.inventory("sudo-password.yaml", [crooked], user="careful", sudo="always")
    options = ("-i", str(inventory), "-m", str(manifest))
    secret = {"DRIFTSCAN_SUDO_PASSWORD": "open-sesame"}
    outcome = driftscan.scan(*options, environment=secret)
    host = outcome.host(crooked.name)
    # The two users are findings; what counts here is that root saw everything.
    assert (outcome.code, host["verdict"]) == (1, "findings"), outcome.explain()
    assert host["coverage"]["files"]["unreadable"] == 0
    assert "open-sesame" not in outcome.stdout + outcome.stderr
    journal = crooked.must("journalctl", "--no-pager", "-o", "cat")
    assert "open-sesame" not in journal
    wrong = driftscan.scan(*options, environment={"DRIFTSCAN_SUDO_PASSWORD": "wrong"})
    assert wrong.code == 3, wrong.explain()
    assert "sudo" in str(wrong.host(crooked.name)["errors"])


def test_bad_input_is_found_before_any_connection(
    driftscan: Driftscan, inventory: Path, manifest: Path, clean_hosts: list[Host]
) -> None:
    before = _logins(clean_hosts[0])
    broken = driftscan.home / "broken.yaml"
    broken.write_text("hosts:\n  web-1: {adress: 10.0.0.1}\n")
    unknown_key = driftscan.run("scan", "-i", str(broken), "-m", str(manifest))
    assert unknown_key.code == 2
    assert "broken.yaml:2:" in unknown_key.stderr
    unknown_target = driftscan.run("scan", "no-such-host", CLEAN[0], "-i", str(inventory), "-m", str(manifest))
    assert unknown_target.code == 2
    assert "no-such-host" in unknown_target.stderr
    no_manifest = driftscan.run("scan", CLEAN[0], "-i", str(inventory), "-m", "/nonexistent/image.manifest")
    assert no_manifest.code == 2
    assert _logins(clean_hosts[0]) == before
