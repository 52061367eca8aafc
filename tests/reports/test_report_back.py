"""A JSON report read back is the result that it was made of: every format renders both the same, byte for byte."""

import json
from dataclasses import replace

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from driftscan.model.result import Mode, Reading, ScanResult
from driftscan.plugins import discover
from driftscan.reports._back import scan_result
from driftscan.reports._base import Report, Style
from driftscan.reports._build import report
from tests.reports import samples, sieges

FORMATS = discover("driftscan.reports", "report", Report)
ANY_TEXT = st.text(st.one_of(st.characters(), st.sampled_from("\ud800\udc80\udcff\\x\n\x1b<%=")), max_size=12)


def _render(name: str, result: ScanResult, verbose: int) -> str:
    return "".join(FORMATS[name].render(result, Style(verbose=verbose)))


def _through_json(result: ScanResult) -> ScanResult:
    return scan_result(json.loads(json.dumps(report(result))))


def _with(text: str, probability: float) -> ScanResult:
    """The fleet with a text at every place that a host can fill, and what else is rarely set."""
    reading = Reading(mode=Mode.QUICK, probability=probability, within=168, since="2026-11-19T10:00:00Z")
    return replace(samples.fleet(), hosts=(replace(sieges.besieged(text), reading=reading), *samples.fleet().hosts))


@pytest.mark.parametrize("verbose", [0, 1])
@pytest.mark.parametrize("name", FORMATS)
def test_the_fleet_reads_back_the_same(name: str, verbose: int) -> None:
    assert _render(name, _through_json(samples.fleet()), verbose) == _render(name, samples.fleet(), verbose)


@settings(max_examples=25)
@given(text=ANY_TEXT, probability=st.floats(0, 1))
@example(text="\ud800", probability=0.0)  # hosts in another order
def test_whatever_hosts_say_it_reads_back_the_same(text: str, probability: float) -> None:
    result = _with(text, probability)
    back = _through_json(result)
    for name in FORMATS:
        assert _render(name, back, 1) == _render(name, result, 1), name


def test_what_older_reports_of_version_1_lack_is_empty() -> None:
    data = report(samples.fleet())
    for field in ("by", "policies", "probe_digest"):
        del data["scan"][field]
    del data["waivers"]
    for host in data["hosts"]:
        for field in ("labels", "origin", "notes", "since"):
            del host[field]
        del host["coverage"]["reading"]
        for control in host["controls"]:
            for field in ("finding", "about", "cause", "fix", "action", "waiver", "waivers_considered"):
                del control[field]
    back = scan_result(data)
    assert (back.by, back.policies, back.waivers) == ("", (), ())
    assert [host.host for host in back.hosts] == [host.host for host in samples.fleet().hosts]
