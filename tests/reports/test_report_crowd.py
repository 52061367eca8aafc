"""Text and Markdown of more hosts than a person reads one by one: what to do with all, who comes first, what several
have, and how many are left."""

import re
from dataclasses import replace
from functools import cache

import pytest

from driftscan.model.finding import Verdict
from driftscan.model.result import ScanResult
from driftscan.plugins import discover
from driftscan.reports import _crowd as crowds
from driftscan.reports import _words as words
from driftscan.reports._base import Report, Style
from driftscan.reports._crowd import crowd
from tests.reports import fleets, samples

FORMATS = discover("driftscan.reports", "report", Report)
HOSTS = 300
PEOPLE = ["text", "markdown"]


@cache
def _fleet() -> ScanResult:
    return fleets.fleet(HOSTS, share=0.4)


def _render(name: str, result: ScanResult, verbose: int = 0) -> str:
    return "".join(FORMATS[name].render(result, Style(width=100, verbose=verbose)))


def _named(shown: str) -> set[str]:
    return set(re.findall(r"(?:web|db|batch)-\d{5}", shown))


def _ids(given: ScanResult) -> set[str]:
    return {host.host for host in given.hosts}


@pytest.mark.parametrize("name", PEOPLE)
def test_so_few_that_each_is_told(name: str) -> None:
    few = fleets.fleet(crowds.MANY)
    assert crowd(words.by_urgency(few.hosts)) is None
    assert _named(_render(name, few)) == _ids(few)


@pytest.mark.parametrize("name", PEOPLE)
def test_of_many_the_most_urgent_are_told_and_the_others_counted(name: str) -> None:
    given = _fleet()
    hosts = words.by_urgency(given.hosts)
    told = [one for one in hosts if one.verdict is not Verdict.CLEAN]
    shown = _render(name, given)
    assert len(shown.splitlines()) < 300
    assert {one.host for one in told[: crowds.LISTED]} <= _named(shown)
    heads = [line for line in shown.splitlines() if re.match(r"(## `)?(web|db|batch)-\d{5}(  |`:)", line)]
    wanted = [one.host for one in told[: crowds.FULL]]
    assert [each for each in (next(iter(_named(line))) for line in heads) if each in wanted][-len(wanted) :] == wanted
    assert f"and {words.by_verdict(hosts[crowds.LISTED :])}" in shown
    assert f"{len(told) - crowds.FULL} more hosts with something to tell" in shown
    assert f"{words.to_do(given.hosts)}." in shown
    assert shown.rstrip("`\n").endswith(words.following(hosts))


@pytest.mark.parametrize("name", PEOPLE)
def test_what_several_have_is_told_once(name: str) -> None:
    given = _fleet()
    shown = _render(name, given)
    upgraded = sum(any(each.mutation.id == "F-0a1b2c3d4e5f" for each in one.mutations) for one in given.hosts)
    assert f"on {upgraded} hosts: " in shown
    assert "openssl/amd64" not in shown
    assert "openssl 3.0.15-1~deb12u1 upgraded" in shown.replace("\\", "")
    every = crowd(words.by_urgency(given.hosts))
    assert every
    assert [(-each.severity, -len(each.hosts)) for each in every.shared] == sorted(
        (-each.severity, -len(each.hosts)) for each in every.shared
    )
    assert all(len(each.hosts) == len(set(each.hosts)) > 1 for each in every.shared)


def test_verbose_text_tells_each() -> None:
    assert _named(_render("text", _fleet(), verbose=1)) == _ids(_fleet())


@pytest.mark.parametrize("name", PEOPLE)
def test_hosts_that_were_not_scanned_are_never_left_out_of_the_count(name: str) -> None:
    dead = tuple(replace(samples.unreachable(), host=f"db-9000{number}") for number in range(5))
    given = replace(_fleet(), hosts=(*_fleet().hosts, *dead))
    missed = [one for one in words.by_urgency(given.hosts) if one.verdict in words.UNSCANNED]
    assert f"Not, or not wholly, scanned: {len(missed)} hosts: " in _render(name, given)


@pytest.mark.parametrize("name", PEOPLE)
def test_many_that_are_clean_are_few_lines(name: str) -> None:
    clean = samples.result(*(samples.clean(f"web-{number:05}") for number in range(HOSTS)))
    shown = _render(name, replace(clean, waivers=()))
    assert "Nothing to do." in shown
    assert len(shown.splitlines()) < 12


def test_a_comparison_of_two_targets_is_no_crowd(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crowds, "MANY", 0)
    for name in PEOPLE:
        assert "On several hosts" not in _render(name, replace(_fleet(), id=""))
