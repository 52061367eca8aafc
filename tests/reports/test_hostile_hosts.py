"""Whatever a host says, at every place that it can fill, in every format: nothing of it runs or breaks out."""

import csv
import io
import json
import re
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from xml.etree import ElementTree as ET

import pytest
from prometheus_client.parser import text_string_to_metric_families

from driftscan.plugins import discover
from driftscan.reports import _crowd
from driftscan.reports import _words as words
from driftscan.reports._back import scan_result
from driftscan.reports._base import Report, Style
from tests.reports import samples, sieges

FORMATS: Mapping[str, Report] = discover("driftscan.reports", "report", Report)
FORMULA = re.compile(r"\s*[=+\-@|%\uff1d\uff0b\uff0d\uff20\t\r]")


@cache
def _rendered(name: str, _many: int = 40) -> str:
    return "".join(FORMATS[name].render(sieges.siege(), Style()))


@cache
def _everywhere(name: str) -> str:
    return "".join(FORMATS[name].render(scan_result(sieges.everywhere(sieges.PAYLOAD)), Style(verbose=1)))


@pytest.mark.parametrize(("name", "many"), [*((name, 40) for name in FORMATS), ("text", 10), ("markdown", 10)])
def test_it_is_text_that_any_reader_takes(name: str, many: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """UTF-8, without control characters, marks of direction, or lone surrogates; also where hosts are many."""
    monkeypatch.setattr(_crowd, "MANY", many)
    shown = _rendered(name, many)
    shown.encode("utf-8")
    assert not re.search("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u200b\u2028\u202a-\u202e\u2066-\u2069\ufeff]", shown)
    assert "\r" not in shown.replace("\r\n", "")


def test_a_report_by_anyone_says_it_in_most_of_its_fields() -> None:
    assert json.dumps(sieges.everywhere(sieges.PAYLOAD)).count("<script>pwned=1") > 400


def test_the_next_command_is_one_whatever_a_finding_is_called() -> None:
    host = samples.drifted()
    judged = replace(host.mutations[0], mutation=replace(host.mutations[0].mutation, id="F-1; reboot\n#"))
    assert words.following([replace(host, mutations=(judged,), controls=())]) == "driftscan explain 'F-1; reboot\\x0a#'"


@pytest.mark.parametrize("name", FORMATS)
def test_so_it_is_whatever_field_of_a_report_says_it(name: str) -> None:
    shown = _everywhere(name)
    shown.encode("utf-8")
    assert not re.search("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u200b\u2028\u202a-\u202e\u2066-\u2069\ufeff]", shown)


@pytest.mark.parametrize("name", ["html", "audit", "markdown"])
def test_no_field_of_a_report_is_markup(name: str) -> None:
    shown = _everywhere(name)
    assert len(shown) > 10_000
    assert not re.search(r"<(img|iframe|svg onload|script>p|style>m|!--)", shown)


def test_json_and_jsonl_have_every_text_whole() -> None:
    hosts = json.loads(_rendered("json"))["hosts"]
    assert len({host["host"] for host in hosts}) == len(sieges.TEXTS)
    assert [json.loads(line)["host"] for line in _rendered("jsonl").splitlines()[1:]] == [one["host"] for one in hosts]


def test_junit_keeps_its_shape() -> None:
    root = ET.fromstring(_rendered("junit"))
    assert [suite.tag for suite in root] == ["testsuite"] * len(sieges.TEXTS)
    assert {child.tag for suite in root for child in suite} == {"properties", "testcase"}
    assert {child.tag for case in root.iter("testcase") for child in case} <= {"failure", "error", "skipped"}


def test_sarif_and_gitlab_keep_their_shape_and_size() -> None:
    run = json.loads(_rendered("sarif"))["runs"][0]
    assert len({result["partialFingerprints"]["driftscan/v1"] for result in run["results"]}) == len(run["results"])
    assert max(len(result["message"]["text"]) for result in run["results"]) <= 1001
    notes = run["invocations"][0]["toolExecutionNotifications"]
    assert not [said for said in (*run["results"], *notes) if "](" in said["message"]["text"]]
    assert not [rule for rule in run["tool"]["driver"]["rules"] if "](" in json.dumps(rule)]
    issues = json.loads(_rendered("gitlab"))
    assert len({issue["fingerprint"] for issue in issues}) == len(issues)
    assert max(len(issue["description"]) for issue in issues) <= 1000


def test_every_line_for_github_is_a_command_of_ours() -> None:
    lines = _rendered("github").splitlines()
    assert all(re.match(r"::(error|warning|notice) [^:]*::", line) for line in lines)


def test_no_cell_is_a_formula() -> None:
    rows = list(csv.reader(io.StringIO(_rendered("csv"), newline="")))
    assert {len(row) for row in rows} == {len(rows[0])}
    assert not [cell for row in rows for cell in row if FORMULA.match(cell)]
    assert max(len(cell) for row in rows for cell in row) < 32_767


def test_no_label_is_a_metric() -> None:
    families = list(text_string_to_metric_families(_rendered("prometheus")))
    assert all(family.name.startswith("driftscan_") for family in families)
    hosts = {sample.value for family in families for sample in family.samples if family.name == "driftscan_hosts"}
    assert hosts == {0.0, float(len(sieges.TEXTS))}
    named = next(family for family in families if family.name == "driftscan_host_verdict")
    assert len({sample.labels["host"] for sample in named.samples}) == len(sieges.TEXTS)


@pytest.mark.parametrize("name", [name for name in FORMATS if name not in {"json", "jsonl"}])
def test_a_megabyte_is_no_flood(name: str) -> None:
    """JSON has all of it. Every other format cuts it and says so."""
    shown = "".join(FORMATS[name].render(sieges.flood(), Style()))
    assert len(shown) < 1 << 20
    assert "characters)" in shown or name == "prometheus"


@pytest.mark.parametrize("name", ["text", "markdown"])
def test_no_line_for_people_is_a_command_of_a_pipeline(name: str) -> None:
    """As GitHub's runner takes them: `::` after any blanks, with another `::` behind; `##[` anywhere."""
    lines = _rendered(name).splitlines()
    assert not [line for line in lines if re.match(r"\s*::.*::", line) or "##[" in line]
    assert any("\\x3a:" in line for line in lines)


@pytest.mark.parametrize(
    "line", ["  ::1 is there, and ::", "::ffff:10.0.0.1", "tcp/:::80", "std::vector::x", "# ## [x]"]
)
def test_what_is_no_command_stays_as_it_is(line: str) -> None:
    assert words.inert(line) == line


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("  ::add-mask::x", "  \\x3a:add-mask::x"),
        ("\u00a0::set-output name=x::y", "\u00a0\\x3a:set-output name=x::y"),
        ("said ##[error]x and ##vso[task.x]", "said \\x23#[error]x and \\x23#vso[task.x]"),
    ],
)
def test_a_command_is_broken(line: str, shown: str) -> None:
    assert words.inert(line) == shown
