"""A host that somebody worked on: a handful of mutations, and the advice to replace it."""

from __future__ import annotations

import pytest

from tests.fleet.bed.host import Host
from tests.fleet.conftest import CLEAN
from tests.fleet.driver import (
    RECOMMENDATIONS,
    Driftscan,
    Json,
    Outcome,
    assert_accounted,
    matching,
    open_mutations,
)


@pytest.fixture(scope="module")
def outcome(driftscan: Driftscan, scan_options: tuple[str, ...], fleet: dict[str, Host]) -> Outcome:
    host = fleet["drifted"]
    host.must("apt-get", "install", "-qy", "nginx", timeout=900)
    host.shell(
        """
        sed -i 's/^#*MaxAuthTries.*/MaxAuthTries 20/' /etc/ssh/sshd_config
        grep -q '^MaxAuthTries 20$' /etc/ssh/sshd_config
        useradd --create-home --shell /bin/bash mallory
        cp /usr/bin/nc /usr/local/bin/helper 2>/dev/null || cp /usr/bin/env /usr/local/bin/helper
        echo tail >> /usr/local/bin/helper
        """
    )
    return driftscan.scan("drifted", *scan_options)


@pytest.fixture(scope="module")
def drifted(outcome: Outcome) -> Json:
    return outcome.host("drifted")


def test_exit_status_and_verdict(outcome: Outcome, drifted: Json) -> None:
    assert outcome.code == 1, outcome.explain()
    assert drifted["verdict"] == "findings"


def test_a_handful_of_mutations(outcome: Outcome, drifted: Json) -> None:
    assert 3 <= len(open_mutations(drifted)) <= 12, outcome.explain()
    assert_accounted(drifted)


def test_replace_or_stronger(drifted: Json) -> None:
    advice = drifted["recommendation"]
    assert RECOMMENDATIONS.index(advice["action"]) >= RECOMMENDATIONS.index("replace"), advice
    assert advice["sentence"].strip()
    known = {m["id"] for m in drifted["mutations"]} | {c["finding"] for c in drifted["controls"]}
    assert advice["because"]
    assert set(advice["because"]) <= known


@pytest.mark.parametrize(
    ("kind", "key", "change"),
    [
        ("package", "nginx/amd64", "added"),
        ("service", "nginx.service", "added"),
        ("listen", "tcp/0.0.0.0:80", "added"),
        ("sshd_setting", "maxauthtries", "*"),
        ("user", "mallory", "added"),
        ("file", "/usr/local/bin/helper", "added"),
    ],
)
def test_each_act_is_found(outcome: Outcome, drifted: Json, kind: str, key: str, change: str) -> None:
    assert matching(drifted, kind, key, change), outcome.explain()


def test_package_files_are_folded(drifted: Json) -> None:
    """The files of a package belong to its mutation, not to a list of their own."""
    owners = {
        m["id"] for m in drifted["mutations"] for d in m["differences"] if d["key"].startswith("/usr/share/nginx")
    }
    package = {m["id"] for m in drifted["mutations"] for d in m["differences"] if d["kind"] == "package"}
    assert owners
    assert owners <= package


def test_changed_setting_shows_old_and_new(drifted: Json) -> None:
    found = matching(drifted, "sshd_setting", "maxauthtries")
    assert any("20" in str(d["attributes"]) for d in found), found


def test_every_finding_can_be_explained(driftscan: Driftscan, drifted: Json) -> None:
    for mutation in open_mutations(drifted):
        explained = driftscan.run("explain", mutation["id"])
        assert explained.code == 0, explained.stderr
        assert mutation["id"] in explained.stdout


def test_ids_are_stable(driftscan: Driftscan, scan_options: tuple[str, ...], drifted: Json) -> None:
    again = driftscan.scan("drifted", *scan_options, "--full").host("drifted")
    assert {m["id"] for m in open_mutations(again)} == {m["id"] for m in open_mutations(drifted)}


def test_other_hosts_are_not_touched_by_it(
    driftscan: Driftscan, scan_options: tuple[str, ...], outcome: Outcome
) -> None:
    both = driftscan.scan("drifted", CLEAN[0], *scan_options)
    assert both.code == 1
    assert both.verdicts() == {"drifted": "findings", CLEAN[0]: "clean"}, both.explain()
