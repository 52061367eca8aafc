"""Package operations by hand and by unattended-upgrades: one mutation each, as apt logged it; and what hides in one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.fleet.bed.host import Host
from tests.fleet.bed.shell import attempt
from tests.fleet.bed.testbed import Testbed
from tests.fleet.driver import Driftscan, Json, Outcome, assert_accounted, open_mutations
from tests.fleet.repository import PLACE, Package, publish

NAME = "operated"
WINDOW = 'policy: ours/windows\nversion: 1\ntitle: W\npatch_window: {from: "00:00", to: "24:00"}\n'
TROJAN = "/usr/lib/tool-parts/part-7"
LIBRARY = "/usr/lib/tool-parts/tool-parts.so"
HOLDER = "holder.service"
"""A service that has a library of the image, before it is upgraded."""


def by_hand(bed: Testbed, command: str) -> None:
    done = attempt("ssh", "-F", str(bed.settings.ssh_config), f"deploy@{NAME}", f"sudo -n {command}")
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def host(bed: Testbed) -> Iterator[Host]:
    """A host whose image has packages of a repository, which unattended-upgrades may take upgrades from."""
    found = bed.up([NAME])[0]
    for package in (
        Package("tool", "1.0", depends=("tool-parts",)),
        Package("tool-parts", "1.0", files=300, library=True),
        Package("agent", "1.0", files=40),
        Package("leftover", "1.0"),
    ):
        package.build(found)
    found.shell(f"echo 'deb [trusted=yes] file:{PLACE} ./' > /etc/apt/sources.list.d/suite.list")
    found.shell("echo 'Unattended-Upgrade::Origins-Pattern { \"origin=Suite\"; };' > /etc/apt/apt.conf.d/52suite")
    publish(found)
    found.must("apt-get", "install", "-qy", "tool", "agent", "leftover", timeout=900)
    found.must("systemd-run", f"--unit={HOLDER}", f"--setenv=LD_PRELOAD={LIBRARY}", "sleep", "infinity")
    yield found
    bed.remove([NAME])


@pytest.fixture(scope="module")
def options(driftscan: Driftscan, host: Host) -> tuple[str, ...]:
    inventory = driftscan.inventory("operated.yaml", [host])
    manifest = driftscan.home / "operated.manifest"
    baked = driftscan.run("bake", NAME, "-i", str(inventory), "-o", str(manifest))
    assert baked.code == 0, baked.stderr
    return ("-i", str(inventory), "-m", str(manifest))


@pytest.fixture(scope="module")
def outcome(bed: Testbed, driftscan: Driftscan, host: Host, options: tuple[str, ...]) -> Outcome:
    assert driftscan.scan(*options).verdicts() == {NAME: "clean"}
    Package("tool", "2.0", depends=("tool-parts",)).build(host)
    Package("tool-parts", "2.0", files=310, library=True).build(host)
    publish(host)
    by_hand(bed, "apt-get upgrade -qy")
    host.shell(f"echo trojan >> {TROJAN}")
    by_hand(bed, "apt-get install -qy nginx jq")
    by_hand(bed, "apt-get remove -qy leftover")
    Package("agent", "1.1", files=41).build(host)
    publish(host)
    host.must("unattended-upgrade", timeout=900)
    policy = driftscan.home / "windows.yaml"
    policy.write_text(WINDOW)
    return driftscan.scan(*options, "-p", "immutable-core", "-p", "patching", "-p", str(policy))


@pytest.fixture(scope="module")
def mutations(outcome: Outcome) -> list[Json]:
    return open_mutations(outcome.host(NAME))


def test_one_mutation_for_each_operation(outcome: Outcome, mutations: list[Json]) -> None:
    assert sorted(m["cause"]["type"] for m in mutations) == [
        "binary-changed", "package-installed", "package-removed", "package-upgraded", "package-upgraded",
    ], outcome.explain()  # fmt: skip


def test_nothing_is_unexplained_and_nothing_is_lost(outcome: Outcome) -> None:
    host = outcome.host(NAME)
    assert_accounted(host)
    assert host["accounting"]["unexplained"] == 0
    assert host["accounting"]["folded"] > 400


@pytest.mark.parametrize(
    ("subjects", "actor", "command"),
    [
        ({"tool/all", "tool-parts/all"}, "deploy", "apt-get upgrade -qy"),
        ({"jq/amd64", "nginx/amd64"}, "deploy", "apt-get install -qy nginx jq"),
        ({"leftover/all"}, "deploy", "apt-get remove -qy leftover"),
        ({"agent/all"}, "unattended-upgrades", "/usr/bin/unattended-upgrade"),
    ],
)
def test_each_names_who_asked_for_it(
    outcome: Outcome, mutations: list[Json], subjects: set[str], actor: str, command: str
) -> None:
    found = [m for m in mutations if set(m["cause"]["subject"].split(", ")) == subjects]
    assert len(found) == 1, outcome.explain()
    given = found[0]["attribution"]
    assert (given["grade"], given["actor"], given["command"]) == ("recorded", actor, command), given
    assert found[0]["action"] == ("rotate" if actor == "unattended-upgrades" else "replace")


def test_an_upgrade_says_who_still_runs_the_old_library(outcome: Outcome, mutations: list[Json]) -> None:
    """It is in the same mutation, and a rule fails; what runs is what the image has."""
    (found,) = (m for m in mutations if "tool/all" in m["cause"]["subject"])
    assert found["title"].endswith(f"; {HOLDER} still runs the old code until it restarts"), outcome.explain()
    (row,) = (d for d in found["differences"] if d["kind"] == "library")
    (file,) = (d for d in found["differences"] if (d["kind"], d["key"]) == ("file", LIBRARY))
    told = {name: both["actual"] for name, both in row["attributes"].items()}
    assert (row["key"], told["state"], told["units"]) == (LIBRARY, "replaced", [HOLDER])
    assert told["sha256"] == [file["attributes"]["sha256"]["expected"]]
    (rule,) = (c for c in outcome.host(NAME)["controls"] if c["id"] == "libraries-replaced")
    assert rule["result"] == "fail"
    assert HOLDER in rule["evidence"][0]


def test_what_hides_in_an_operation_is_promoted(mutations: list[Json]) -> None:
    (found,) = (m for m in mutations if m["cause"]["type"] == "binary-changed")
    assert found["cause"]["subject"] == TROJAN
    assert found["severity"] == "critical"
    assert "tool-parts/all" in found["cause"]["detail"]


def test_without_a_patch_window_nothing_is_rotated(
    driftscan: Driftscan, outcome: Outcome, options: tuple[str, ...]
) -> None:
    after = driftscan.scan(*options)
    asked = {m["action"] for m in open_mutations(after.host(NAME)) if m["cause"]["type"].startswith("package-")}
    assert asked == {"replace"}, after.explain()


def test_what_dpkg_did_alone_and_what_a_rotated_log_tells(
    bed: Testbed, driftscan: Driftscan, host: Host, outcome: Outcome
) -> None:
    """No apt names the one, and apt's log of the others is compressed by now."""
    Package("local", "1.0").build(host)
    by_hand(bed, f"dpkg -i {PLACE}/local_1.0_all.deb")
    host.shell("gzip -c /var/log/apt/history.log > /var/log/apt/history.log.1.gz; : > /var/log/apt/history.log")
    inventory, manifest = driftscan.home / "operated.yaml", driftscan.home / "operated.manifest"
    later = driftscan.scan("-i", str(inventory), "-m", str(manifest))
    told = {m["cause"]["subject"]: m["attribution"] for m in open_mutations(later.host(NAME))}
    local = told["local/all"]
    assert (local["grade"], local["actor"]) == ("recorded", "deploy"), later.explain()
    assert local["command"].endswith(f"dpkg -i {PLACE}/local_1.0_all.deb")
    assert local["evidence"][0].startswith("dpkg.log: begun ")
    before = {m["cause"]["subject"]: m["attribution"] for m in open_mutations(outcome.host(NAME))}
    assert {subject: told[subject] for subject in before} == before
