"""Who did what: a colleague works on a host over ssh; what its logs tell of it, and what is left without them."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from tests.fleet.bed.host import Host
from tests.fleet.bed.shell import attempt
from tests.fleet.bed.testbed import Testbed
from tests.fleet.driver import Driftscan, Json, Outcome, assert_accounted, open_mutations

NAME = "worked-on"
ACTS = {
    "configuration-changed": "sudo sed -i 's/^#*MaxAuthTries.*/MaxAuthTries 20/' /etc/ssh/sshd_config",
    "account-added": "sudo useradd --create-home --shell /bin/bash mallory",
    "service-changed": "sudo systemctl mask --now cron.service",
    "name-resolution-changed": "sudo sh -c 'echo 192.0.2.66 updates.example >> /etc/hosts'",
    "binary-added": "sudo cp /usr/bin/env /usr/local/bin/helper && sudo sh -c 'echo tail >> /usr/local/bin/helper'",
    "scheduled-job-changed": "echo '5 * * * * root /usr/local/bin/helper' | sudo tee /etc/cron.d/helper >/dev/null",
    "access-granted": "echo 'mallory ALL=(ALL) NOPASSWD: ALL' | sudo tee /etc/sudoers.d/mallory >/dev/null",
    "privilege-bits": "sudo chmod 4755 /usr/bin/find",
    "file-added": "sudo mkdir -p /srv/notes && sudo cp /etc/hostname /srv/notes/todo.txt",
    "file-changed": "sudo truncate -s 0 /usr/share/common-licenses/GPL-1",
}


def ssh(bed: Testbed, command: str) -> None:
    done = attempt("ssh", "-F", str(bed.settings.ssh_config), f"alice@{NAME}", command)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def host(bed: Testbed) -> Iterator[Host]:
    """A host whose image has a colleague who may use sudo."""
    found = bed.up([NAME])[0]
    found.shell("useradd -m -s /bin/bash alice && install -d -m 700 -o alice -g alice /home/alice/.ssh")
    found.shell("install -m 600 -o alice -g alice /root/.ssh/authorized_keys /home/alice/.ssh/")
    found.shell("echo 'alice ALL=(ALL) NOPASSWD: ALL' > /etc/sudoers.d/alice; chmod 440 /etc/sudoers.d/alice")
    yield found
    bed.remove([NAME])


@pytest.fixture(scope="module")
def options(driftscan: Driftscan, host: Host) -> tuple[str, ...]:
    inventory = driftscan.inventory("worked-on.yaml", [host])
    manifest = driftscan.home / "worked-on.manifest"
    baked = driftscan.run("bake", NAME, "-i", str(inventory), "-o", str(manifest))
    assert baked.code == 0, baked.stderr
    return ("-i", str(inventory), "-m", str(manifest))


@pytest.fixture(scope="module")
def outcome(bed: Testbed, driftscan: Driftscan, host: Host, options: tuple[str, ...]) -> Outcome:
    assert driftscan.scan(*options).verdicts() == {NAME: "clean"}
    for command in ACTS.values():
        ssh(bed, command)
    return driftscan.scan(*options)


def of(outcome: Outcome, cause: str) -> Json:
    found = [m for m in open_mutations(outcome.host(NAME)) if m["cause"]["type"] == cause]
    assert len(found) == 1, outcome.explain()
    return found[0]


def test_an_act_is_a_mutation(outcome: Outcome) -> None:
    causes = sorted(m["cause"]["type"] for m in open_mutations(outcome.host(NAME)))
    assert causes == sorted(ACTS), outcome.explain()
    assert_accounted(outcome.host(NAME))


@pytest.mark.parametrize("cause", ACTS)
def test_each_names_who_did_it_and_how(outcome: Outcome, cause: str) -> None:
    given = of(outcome, cause)["attribution"]
    assert given["grade"] in {"recorded", "consistent"}, given
    assert given["actor"] == "alice", given
    program = ACTS[cause].rpartition("sudo ")[2].split()[0]
    assert program in (given["command"] or ""), given
    assert any("ssh session of alice from" in line and "with key SHA256:" in line for line in given["evidence"]), given


def test_what_a_log_names_at_the_time_of_the_change_is_recorded(outcome: Outcome) -> None:
    grades = {cause: of(outcome, cause)["attribution"]["grade"] for cause in ACTS}
    assert list(grades.values()).count("recorded") >= len(ACTS) - 2, grades


def about(outcome: Outcome, subject: str) -> Json:
    given: Json = next(m for m in open_mutations(outcome.host(NAME)) if m["cause"]["subject"] == subject)["attribution"]
    return given


def test_the_scanners_own_login_is_nobodys_act(
    bed: Testbed, driftscan: Driftscan, host: Host, outcome: Outcome, options: tuple[str, ...]
) -> None:
    """A file changes while the scanner alone is there; later another while root is, with the very same key."""
    host.shell("(sleep 3; echo one >> /etc/motd) >/dev/null 2>&1 &")
    driftscan.scan(*options, "--full", "--max-read", "60M")
    given = about(driftscan.scan(*options), "/etc/motd")
    assert given["grade"] == "none", given
    time.sleep(8)  # beyond the scanner's own visits
    done = attempt("ssh", "-F", str(bed.settings.ssh_config), NAME, "echo two >> /etc/issue; sleep 6")
    assert done.returncode == 0, done.stderr
    given = about(driftscan.scan(*options), "/etc/issue")
    assert (given["grade"], given["actor"]) == ("guessed", "root"), given


def test_without_logs_grades_fall_and_that_is_a_finding(
    driftscan: Driftscan, host: Host, outcome: Outcome, options: tuple[str, ...]
) -> None:
    host.shell(
        "rm -f /var/log/auth.log /var/log/syslog; journalctl --rotate; journalctl --vacuum-time=1s; >/var/log/wtmp"
    )
    after = driftscan.scan(*options)
    before = {m["id"] for m in open_mutations(outcome.host(NAME))}
    grades = {m["attribution"]["grade"] for m in open_mutations(after.host(NAME)) if m["id"] in before}
    assert grades == {"none"}, after.explain()
    lost = {m["cause"]["subject"] for m in open_mutations(after.host(NAME)) if m["cause"]["type"] == "log-missing"}
    # Where the host booted less than a minute ago, its journal may begin now.
    assert lost - {"journal"} == {"/var/log/wtmp"}, after.explain()
    assert any(m["cause"]["subject"] == "/var/log/auth.log" for m in open_mutations(after.host(NAME))), after.explain()
