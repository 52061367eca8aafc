"""Who logged in to a server on which nothing differs: a finding where a policy asks, and never the scanner itself."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.fleet.bed.host import Host
from tests.fleet.bed.shell import attempt
from tests.fleet.bed.testbed import Testbed
from tests.fleet.driver import Driftscan, Json, Outcome, open_mutations

NAME = "visited"
POLICIES = ("-p", "immutable-core", "-p", "no-logins")
ALLOWED = """policy: ours/logins
version: 1
title: Who may log in
rules:
  - id: deployment-logs-in
    title: The deployment logs in
    on: mutation
    match: {cause: interactive-login, subject: "deploy/SHA256:*", detail: without a terminal}
    allow: it copies the configuration that is decided at launch
"""


def ssh(bed: Testbed, user: str, *options: str) -> None:
    done = attempt("ssh", "-F", str(bed.settings.ssh_config), *options, f"{user}@{NAME}", "true")
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def host(bed: Testbed) -> Iterator[Host]:
    """A host whose image has a colleague."""
    found = bed.up([NAME])[0]
    found.shell("useradd -m -s /bin/bash alice && install -d -m 700 -o alice -g alice /home/alice/.ssh")
    found.shell("install -m 600 -o alice -g alice /root/.ssh/authorized_keys /home/alice/.ssh/")
    yield found
    bed.remove([NAME])


@pytest.fixture(scope="module")
def options(bed: Testbed, driftscan: Driftscan, host: Host) -> tuple[str, ...]:
    ssh(bed, "alice")  # into the image: before it was baked
    inventory = driftscan.inventory("visited.yaml", [host])
    manifest = driftscan.home / "visited.manifest"
    baked = driftscan.run("bake", NAME, "-i", str(inventory), "-o", str(manifest))
    assert baked.code == 0, baked.stderr
    return ("-i", str(inventory), "-m", str(manifest))


@pytest.fixture(scope="module")
def alone(driftscan: Driftscan, options: tuple[str, ...]) -> list[Outcome]:
    """Scans of a host that nobody else was on, the last of them with the policy."""
    return [driftscan.scan(*options), driftscan.scan(*options, *POLICIES), driftscan.scan(*options, *POLICIES)]


@pytest.fixture(scope="module")
def visited(bed: Testbed, driftscan: Driftscan, options: tuple[str, ...], alone: list[Outcome]) -> Outcome:
    ssh(bed, "alice", "-tt")
    ssh(bed, "deploy")
    ssh(bed, "deploy")
    return driftscan.scan(*options, *POLICIES)


def logins(outcome: Outcome) -> dict[str, Json]:
    return {
        m["attribution"]["actor"]: m
        for m in outcome.host(NAME)["mutations"]
        if m["cause"]["type"] == "interactive-login"
    }


def test_the_scanners_own_logins_are_no_finding(alone: list[Outcome]) -> None:
    assert [each.verdicts() for each in alone] == [{NAME: "clean"}] * 3, [each.explain() for each in alone]
    assert [logins(each) for each in alone] == [{}] * 3
    assert [each.code for each in alone] == [0] * 3


def test_a_login_by_hand_is_one(visited: Outcome) -> None:
    found = logins(visited)
    assert set(found) == {"alice", "deploy"}, visited.explain()
    by_hand, tool = found["alice"], found["deploy"]
    assert (by_hand["rule"]["id"], by_hand["severity"], by_hand["action"]) == (
        "login-with-terminal",
        "medium",
        "rotate",
    )
    assert (tool["rule"]["id"], tool["severity"], tool["action"]) == ("login-without-terminal", "low", "observe")
    assert "logged in 2 times from" in tool["title"]
    assert len(tool["attribution"]["evidence"]) == 2
    host = visited.host(NAME)
    assert (host["verdict"], host["recommendation"]["action"]) == ("findings", "rotate")
    assert host["recommendation"]["counterfactual"] == f"would be observe without {by_hand['id']}"
    assert visited.code == 1


def test_it_stays_one_until_the_host_is_replaced(
    driftscan: Driftscan, options: tuple[str, ...], visited: Outcome
) -> None:
    after = driftscan.scan(*options, *POLICIES)
    assert {name: m["id"] for name, m in logins(after).items()} == {n: m["id"] for n, m in logins(visited).items()}


def test_without_the_policy_a_login_is_no_matter(
    driftscan: Driftscan, options: tuple[str, ...], visited: Outcome
) -> None:
    after = driftscan.scan(*options)
    assert (after.verdicts(), after.code) == ({NAME: "clean"}, 0), after.explain()


def test_who_may_log_in_is_accepted_by_a_rule(driftscan: Driftscan, options: tuple[str, ...], visited: Outcome) -> None:
    policy = driftscan.home / "logins.yaml"
    policy.write_text(ALLOWED)
    after = driftscan.scan(*options, *POLICIES, "-p", str(policy))
    assert {name: m["state"] for name, m in logins(after).items()} == {"alice": "open", "deploy": "allowed"}
    assert [m["attribution"]["actor"] for m in open_mutations(after.host(NAME))] == ["alice"]


def test_logs_that_do_not_tell_of_logins_are_a_finding(
    driftscan: Driftscan, host: Host, options: tuple[str, ...], visited: Outcome
) -> None:
    host.shell("echo LogLevel QUIET > /etc/ssh/sshd_config.d/quiet.conf; systemctl reload ssh.service")
    after = driftscan.scan(*options, *POLICIES)
    missing = [m for m in open_mutations(after.host(NAME)) if m["cause"]["type"] == "log-missing"]
    assert [(m["cause"]["subject"], m["action"]) for m in missing] == [("logins", "investigate")], after.explain()
