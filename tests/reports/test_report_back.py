"""A JSON report read back is the result that it was made of: every format renders both the same, byte for byte."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftscan.model.drift import Delta
from driftscan.model.proof import Proof, Rank
from driftscan.model.result import HostErrorRecord, Mode, Reading, ScanResult
from driftscan.plugins import discover
from driftscan.reports._back import scan_result
from driftscan.reports._base import Report, Style
from driftscan.reports._build import report
from tests.reports import samples

FORMATS = discover("driftscan.reports", "report", Report)
ANY_TEXT = st.text(st.one_of(st.characters(), st.sampled_from("\ud800\udc80\udcff\\x\n\x1b<%=")), max_size=12)


def _render(name: str, result: ScanResult, verbose: int) -> str:
    return "".join(FORMATS[name].render(result, Style(verbose=verbose)))


def _through_json(result: ScanResult) -> ScanResult:
    return scan_result(json.loads(json.dumps(report(result))))


def _with(text: str, probability: float) -> ScanResult:
    """The fleet with a text at every kind of place that a host can fill, and what else is rarely set."""
    host = samples.attacked()
    judged = host.mutations[0]
    changed = replace(
        judged.mutation.differences[-1],
        key=text.encode("utf-8", "backslashreplace").decode(),
        attributes={"gecos": Delta(text, {text: (text, None, 3)})},
        why=text,
        text=f"-{text}\n+{text}\n",
        observed={"mtime": text},
    )
    mutation = replace(
        judged.mutation,
        title=text,
        cause=replace(judged.mutation.cause, subject=text, detail=text),
        attribution=replace(judged.mutation.attribution, actor=text, command=text, evidence=(text,)),
        differences=(changed,),
        proof=Proof(files={Rank.ARCHIVE: 3, Rank.LISTS: 1}, told=Rank.ARCHIVE, origins=(text,)),
    )
    host = replace(
        host,
        host=text or "h",
        target=text,
        mutations=(replace(judged, mutation=mutation),),
        controls=tuple(
            replace(control, title=text, evidence=(text,), waiver=samples.WAIVER)
            for control in samples.drifted().controls
        ),
        reading=Reading(mode=Mode.QUICK, probability=probability, within=168, since="2026-11-19T10:00:00Z"),
        notes=(text,),
        torn=(text,),
        errors=(HostErrorRecord(kind="torn", message=text, hint=text),),
    )
    return replace(samples.fleet(), hosts=(host, *samples.fleet().hosts))


@pytest.mark.parametrize("verbose", [0, 1])
@pytest.mark.parametrize("name", FORMATS)
def test_the_fleet_reads_back_the_same(name: str, verbose: int) -> None:
    assert _render(name, _through_json(samples.fleet()), verbose) == _render(name, samples.fleet(), verbose)


@given(text=ANY_TEXT, probability=st.floats(0, 1))
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
        for field in ("labels", "origin", "notes"):
            del host[field]
        del host["coverage"]["reading"]
        for control in host["controls"]:
            for field in ("finding", "about", "cause", "fix", "action", "waiver", "waivers_considered"):
                del control[field]
    back = scan_result(data)
    assert (back.by, back.policies, back.waivers) == ("", (), ())
    assert [host.host for host in back.hosts] == [host.host for host in samples.fleet().hosts]
