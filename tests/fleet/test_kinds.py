"""Each kind of change is found under the kind and key that the contract gives it."""

from __future__ import annotations

import fnmatch

import pytest

from tests.fleet.alterations import ALTERATIONS, FROM_OUTSIDE, Alteration, apply_all
from tests.fleet.bed.host import Host
from tests.fleet.driver import Driftscan, Outcome, assert_accounted, matching


@pytest.fixture(scope="module")
def outcome(driftscan: Driftscan, scan_options: tuple[str, ...], fleet: dict[str, Host]) -> Outcome:
    apply_all(fleet["altered"])
    return driftscan.scan("altered", *scan_options)


@pytest.mark.parametrize("alteration", [*ALTERATIONS, *FROM_OUTSIDE], ids=lambda a: a.name.replace(" ", "-"))
def test_found_by_kind_and_key(outcome: Outcome, alteration: Alteration) -> None:
    host = outcome.host("altered")
    found = matching(host, alteration.kind, alteration.key, alteration.change)
    near = [d for d in matching(host, "*", "*") if d["kind"] == alteration.kind]
    assert found, f"{alteration}\nof this kind: {[(d['change'], d['key']) for d in near][:20]}"
    named = [name for d in found for name in d["attributes"]]
    assert alteration.attribute == "*" or any(fnmatch.fnmatchcase(n, alteration.attribute) for n in named), found


def test_verdict(outcome: Outcome) -> None:
    host = outcome.host("altered")
    assert (outcome.code, host["verdict"]) == (1, "findings")
    assert_accounted(host)


def test_no_password_leaves_the_host(outcome: Outcome) -> None:
    assert "correct-horse" not in outcome.stdout
    assert "$y$j9T" not in outcome.stdout
