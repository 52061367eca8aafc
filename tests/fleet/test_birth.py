"""Hosts whose image has never run: what user data made of them is accepted at birth, and nothing beside it."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.fleet.bed.host import Host
from tests.fleet.bed.testbed import Testbed
from tests.fleet.driver import Driftscan, Json, Outcome, assert_clean, matching, open_mutations

NAMES = ("born-1", "born-2", "born-3")
LATER = "born-4"
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8g mallory"


@pytest.fixture(scope="module")
def hosts(bed: Testbed) -> Iterator[dict[str, Host]]:
    raised = bed.up([*NAMES, LATER])
    yield {host.name: host for host in raised}
    bed.remove([host.name for host in raised])


@pytest.fixture(scope="module")
def options(driftscan: Driftscan, bed: Testbed, hosts: dict[str, Host]) -> tuple[str, ...]:
    """The image is the base as it lies on disk: no host has run from it when it is baked."""
    path = driftscan.home / "unborn.manifest"
    baked = driftscan.run("bake", f"rootfs:{bed.base()}", "-o", str(path), "--image-id", "web")
    assert baked.code == 0, baked.stderr
    inventory = driftscan.inventory("born.yaml", hosts.values())
    return ("-i", str(inventory), "-m", str(path), "--store", str(driftscan.home / "births"))


def births(driftscan: Driftscan, *arguments: str, code: int = 0) -> dict[str, Json]:
    done = driftscan.run("birth", "--json", *arguments)
    assert done.code == code, f"{done.stdout}\n{done.stderr}"
    found: list[Json] = json.loads(done.stdout)
    return {each["host"]: each for each in found}


def grounds(birth: Json, ground: str) -> set[str]:
    return {f"{each['kind']} {each['key']}" for each in birth["records"] if each["ground"] == ground}


def test_without_a_birth_what_user_data_made_is_a_finding(driftscan: Driftscan, options: tuple[str, ...]) -> None:
    outcome = driftscan.scan("born-1", *options, "--store", str(driftscan.home / "elsewhere"))
    assert outcome.code == 1
    assert matching(outcome.host("born-1"), "user", "deploy", "added"), outcome.explain()


def test_a_host_in_its_first_boot_is_settling(
    driftscan: Driftscan, options: tuple[str, ...], hosts: dict[str, Host]
) -> None:
    hosts["born-1"].must("mv", "/run/cloud-init/result.json", "/run/cloud-init/kept")
    try:
        found = births(driftscan, "born-1", *options, code=3)["born-1"]
        assert found["outcome"] == "settling"
        assert driftscan.scan("born-1", *options).verdicts() == {"born-1": "settling"}
    finally:
        hosts["born-1"].must("mv", "/run/cloud-init/kept", "/run/cloud-init/result.json")


def test_exactly_what_user_data_declare_is_accepted(driftscan: Driftscan, options: tuple[str, ...]) -> None:
    found = births(driftscan, *NAMES, *options)
    for birth in found.values():
        assert birth["outcome"] == "recorded"
        assert birth["undeclared"] == []
        assert birth["doubts"] == []
        declared = grounds(birth, "declared")
        assert {
            "user deploy",
            "group deploy",
            "group sudo",
            "password deploy",
            "sudo_rule /etc/sudoers.d/90-cloud-init-users:deploy",
            "file /etc/app/app.conf",
            "file /usr/local/bin/app-health",
            "file /home/deploy/.ssh/authorized_keys",
        } <= declared
        assert grounds(birth, "first-boot") == {"file /srv/app"}
        assert "listen tcp/0.0.0.0:22" in grounds(birth, "running")
    assert len({birth["user_data_sha256"] for birth in found.values()}) == 1


def test_a_born_host_is_clean_also_after_a_reboot_and_reads_little(
    driftscan: Driftscan, options: tuple[str, ...], hosts: dict[str, Host]
) -> None:
    assert_clean(driftscan.scan(*NAMES, *options), NAMES)
    hosts["born-2"].reboot()
    outcome = driftscan.scan(*NAMES, *options)
    assert_clean(outcome, NAMES)
    assert outcome.report["scan"]["mode"] == "quick"


def test_a_second_birth_pardons_nothing(driftscan: Driftscan, options: tuple[str, ...]) -> None:
    assert births(driftscan, "born-1", *options)["born-1"]["outcome"] == "known"


def test_a_host_launched_alike_needs_no_birth_of_its_own(driftscan: Driftscan, options: tuple[str, ...]) -> None:
    outcome = driftscan.scan(LATER, *options)
    assert_clean(outcome, [LATER])
    assert "the same user data" in outcome.host(LATER)["notes"][0]


def test_what_its_siblings_lack_is_in_doubt_at_birth(
    driftscan: Driftscan, options: tuple[str, ...], hosts: dict[str, Host]
) -> None:
    host = hosts[LATER]
    host.shell("systemd-run --unit=beacon python3 -m http.server 8099; cp /bin/true /usr/local/bin/implant")
    found = births(driftscan, LATER, *options, code=1)[LATER]
    titles = " ".join(each["title"] for each in found["undeclared"])
    assert "/usr/local/bin/implant" in titles
    assert "differs from 3 siblings" in found["doubts"][0]
    assert "tcp/0.0.0.0:8099" in found["doubts"][0]
    outcome = driftscan.scan(LATER, *options)
    assert matching(outcome.host(LATER), "file", "/usr/local/bin/implant", "added"), outcome.explain()
    assert matching(outcome.host(LATER), "listen", "tcp/*:8099", "added"), outcome.explain()
    assert "in doubt" in outcome.host(LATER)["notes"][0]
    chosen = [each["id"] for each in found["undeclared"] if "implant" in each["title"]]
    accepted = births(driftscan, LATER, *options, "--accept", chosen[0], "--reason", "CHG-12: agent", code=1)[LATER]
    assert "file /usr/local/bin/implant" in grounds(accepted, "hand")
    assert not matching(driftscan.scan(LATER, *options).host(LATER), "file", "/usr/local/bin/implant")


CHANGES = {
    f"echo '{KEY}' >> /home/deploy/.ssh/authorized_keys": ("authorized_key", "deploy/*", "added"),
    "echo 'games ALL=(ALL) NOPASSWD: ALL' >> /etc/sudoers.d/90-cloud-init-users": (
        *("sudo_rule", "/etc/sudoers.d/90-cloud-init-users:games", "added"),
    ),
    "usermod -aG shadow deploy": ("user", "deploy", "modified"),
    "echo workers = 9 >> /etc/app/app.conf": ("file", "/etc/app/app.conf", "modified"),
    "rmdir /srv/app": ("file", "/srv/app", "removed"),
    "chmod 0700 /etc/sudoers.d": ("file", "/etc/sudoers.d", "modified"),
    "echo 'hash -r' >> /home/deploy/.bashrc": ("file", "/home/deploy/.bashrc", "modified"),
    "systemd-run --unit=beacon python3 -m http.server 8099": ("listen", "tcp/*:8099", "added"),
    "systemctl disable --now cron": ("service", "cron.service", "modified"),
}


@pytest.fixture(scope="module")
def changed(driftscan: Driftscan, options: tuple[str, ...], hosts: dict[str, Host]) -> Outcome:
    births(driftscan, *NAMES, *options)
    hosts["born-3"].shell("\n".join(CHANGES))
    return driftscan.scan("born-3", *options)


@pytest.mark.parametrize("command", CHANGES)
def test_what_comes_after_birth_is_a_finding(changed: Outcome, command: str) -> None:
    assert changed.code == 1
    assert matching(changed.host("born-3"), *CHANGES[command]), changed.explain()


def test_a_machine_in_the_place_of_the_one_that_was_born_has_no_birth(
    driftscan: Driftscan, bed: Testbed, options: tuple[str, ...]
) -> None:
    bed.reset("born-1")
    outcome = driftscan.scan("born-1", *options)
    assert_clean(outcome, ["born-1"])  # launched alike
    notes = outcome.host("born-1")["notes"]
    assert any("of the machine that had this name before" in note for note in notes), notes
    assert births(driftscan, "born-1", *options)["born-1"]["outcome"] == "recorded"
    assert open_mutations(driftscan.scan("born-1", *options).host("born-1")) == []
