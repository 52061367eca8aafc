"""A fresh host, a hardened one, and one that was then broken in thirty ways get the answers of a careful auditor."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pytest

from tests.fleet.audited import BREAKAGES, Breakage, harden, undo
from tests.fleet.bed.testbed import Testbed
from tests.fleet.driver import Driftscan, Json

FRESH, HARDENED, BROKEN = "fresh", "hardened", "broken"
Controls = Mapping[str, Json]

# Of a host whose kernel, disks and boot loader are the machine's, and which the suite must reach as root.
LEFT = {
    "apparmor-loaded": "the machine's kernel has no AppArmor",
    "audit-active": "auditd cannot run in a container",
    "failed-services": "so it has failed",
    "audit-from-the-start": "the kernel's arguments are the machine's",
    "audit-backlog": "the kernel's arguments are the machine's",
    "ptrace-scope": "the machine's kernel has no Yama",
    "kernel-pointers-hidden": "a setting of the machine",
    "links-protected": "a setting of the machine",
    "fifos-and-files-protected": "a setting of the machine",
    "data-separate": "the disk is one directory",
    "apt-security-updates": "the bed reaches one archive, without its security updates",
    "ssh-root-login-by-key": "the bed logs in so",
    "access-root-keys": "the bed logs in so",
    "access-ssh-root": "the bed logs in so",
    "access-keys": "nobody is named in the shipped policy",
    "access-login-shells": "nobody is named in the shipped policy",
    "access-sudo-users": "nobody is named in the shipped policy",
    "access-sudo-all": "Debian's rule for the group sudo",
    "access-root-groups": "deploy is in the group sudo",
    "sudo-without-password": "one command of deploy",
    "access-sudo-without-password": "one command of deploy",
}
# What the image of the bed does not do, though it could. Each was looked up on the host.
FRESH_FAILS = frozenset(
    [
        "access-ssh-passwords",
        "accept-redirects",
        "apparmor-installed",
        "audit-installed",
        "core-dump-limit",
        "cron-allowed-users",
        "cron-directories",
        "cron-table-private",
        "firewall-default-deny",
        "home-directories-closed",
        "journal-persistent",
        "log-files-closed",
        "login-texts-tell-nothing",
        "login-umask",
        "martians-logged",
        "new-accounts-inactive",
        "new-passwords-expire",
        "new-passwords-stay",
        "one-firewall",
        "pam-empty-passwords",
        "pam-faillock",
        "pam-history",
        "pam-quality",
        "pam-quality-installed",
        "reverse-path-filter",
        "router-advertisements",
        "rsyslog-forwards",
        "secure-redirects",
        "send-redirects",
        "shell-timeout",
        "shm-noexec",
        "source-routing",
        "ssh-access-list",
        "ssh-banner",
        "ssh-client-alive",
        "ssh-configuration-closed",
        "ssh-forwarding",
        "ssh-login-grace-time",
        "ssh-max-auth-tries",
        "ssh-max-startups",
        "ssh-password-login",
        "ssh-weak-macs",
        "ssh-x11-forwarding",
        "su-restricted",
        "sudo-everything-without-password",
        "sudo-log-file",
        "time-synchronization",
        "tmp-noexec",
        "umask-in-sessions",
    ]
)
# Not asked there: it has no AppArmor, and no auditd.
ASKED_WHEN_HARDENED = {"apparmor-loaded", "audit-active", "failed-services", "audit-from-the-start", "audit-backlog"}


@pytest.fixture(scope="module")
def audits(bed: Testbed, driftscan: Driftscan) -> Iterator[Mapping[str, Controls]]:
    hosts = {host.name: host for host in bed.up([FRESH, HARDENED, BROKEN])}
    bed.each([hosts[HARDENED], hosts[BROKEN]], harden)
    undo(hosts[BROKEN])
    inventory = driftscan.inventory("audited.yaml", hosts.values())
    policies = ("-p", "server-hardening", "-p", "access", "-p", "exposure")
    outcome = driftscan.scan(*hosts, "-i", str(inventory), *policies)
    yield {name: {each["id"]: each for each in outcome.host(name)["controls"]} for name in hosts}
    bed.remove([*hosts])


def failed(controls: Controls) -> set[str]:
    return {name for name, each in controls.items() if each["result"] == "fail"}


def test_a_fresh_host(audits: Mapping[str, Controls]) -> None:
    assert failed(audits[FRESH]) == FRESH_FAILS | (LEFT.keys() - ASKED_WHEN_HARDENED)


def test_a_hardened_host(audits: Mapping[str, Controls]) -> None:
    assert failed(audits[HARDENED]) == LEFT.keys()


@pytest.mark.parametrize("breakage", BREAKAGES, ids=lambda each: each.name.replace(" ", "-"))
def test_what_was_broken_fails(audits: Mapping[str, Controls], breakage: Breakage) -> None:
    for rule in breakage.fails:
        assert audits[HARDENED][rule]["result"] == "pass", rule
        assert audits[BROKEN][rule]["result"] == "fail", rule


def test_nothing_else_fails(audits: Mapping[str, Controls]) -> None:
    assert len(BREAKAGES) == 30
    assert all(each.fails for each in BREAKAGES)
    turned = failed(audits[BROKEN]) - failed(audits[HARDENED])
    assert turned == {rule for each in BREAKAGES for rule in each.fails}


def test_all_is_known(audits: Mapping[str, Controls]) -> None:
    unknown = {(name, each["id"]) for name, found in audits.items() for each in found.values()
               if each["result"] == "unknown"}  # fmt: skip
    assert not unknown
