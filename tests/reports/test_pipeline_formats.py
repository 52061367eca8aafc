"""The formats of other people's pipelines: to the letter, valid by their own schemas, and within the limits of who
reads them."""

import csv as csv_reader
import io
import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree
from prometheus_client.parser import text_string_to_metric_families

from driftscan import content, schema_check
from driftscan.model.drift import Cause, CauseType
from driftscan.model.finding import Action, RuleRef, Severity, Verdict
from driftscan.model.result import HostResult, Resolved, ScanResult, Since
from driftscan.plugins import discover
from driftscan.reports import _findings as finding
from driftscan.reports import csv, github, gitlab, prometheus, sarif
from driftscan.reports._base import Report, Style
from tests.reports import golden, samples, sieges

FORMATS = discover("driftscan.reports", "report", Report)
SCHEMAS = Path(__file__).parent / "schemas"
FILES = {
    "junit": "fleet.junit.xml",
    "sarif": "fleet.sarif",
    "github": "fleet.github.txt",
    "gitlab": "fleet.gitlab.json",
    "csv": "fleet.csv",
    "prometheus": "fleet.prom",
}
RESULTS = {"fleet": samples.fleet(), "siege": sieges.siege(), "none": samples.result()}


def _render(name: str, result: ScanResult) -> str:
    return "".join(FORMATS[name].render(result, Style()))


def _run(result: ScanResult) -> dict[str, Any]:
    run: dict[str, Any] = json.loads(_render("sarif", result))["runs"][0]
    return run


def _drifting(name: str, rules: int, severity: Severity = Severity.MEDIUM, of: str = "rule") -> HostResult:
    """A host with a finding of each of so many rules."""
    host = replace(samples.clean(name), verdict=Verdict.FINDINGS)
    found = samples.mutation(7, "t", Cause(CauseType.FILE_ADDED, "/x"), (samples.added("file", "/x"),))
    judged = samples.judged(found, severity, Action.ROTATE)
    return replace(
        host,
        mutations=tuple(
            replace(judged, mutation=replace(found, id=f"F-{index:08}"), rule=RuleRef(f"{of}-{index:05}", "p.yaml", 3))
            for index in range(rules)
        ),
    )


@pytest.mark.parametrize("name", FILES)
def test_golden(name: str, update_expected: bool) -> None:
    text = _render(name, samples.fleet())
    golden.compare(FILES[name], text.replace("\r\n", "\n"), update_expected)


@pytest.mark.parametrize("result", RESULTS.values(), ids=RESULTS)
def test_junit_fits_the_schema_of_jenkins(result: ScanResult) -> None:
    schema = etree.XMLSchema(file=str(SCHEMAS / "junit-10.xsd"))
    schema.assertValid(etree.fromstring(_render("junit", result).encode()))


def test_junit_says_error_where_nobody_looked_and_counts_right() -> None:
    suites = etree.fromstring(_render("junit", samples.fleet()).encode())
    errors = {suite.get("name"): suite.find("testcase[1]/error") is not None for suite in suites}
    assert errors == {"web-1": True, "web-2\\x1b[31m": True, "web-3": False, "web-4": True}
    for suite in suites:
        assert int(suite.get("tests")) == len(suite.findall("testcase"))
        for tag, count in (("failure", "failures"), ("error", "errors"), ("skipped", "skipped")):
            assert int(suite.get(count)) == len(suite.findall(f"testcase/{tag}"))
    skipped = [element.get("message") for element in suites.iter("skipped")]
    assert skipped == ["not applicable", "waived: the greeting is the tenant's own (bob, until 2027-01-31, OPS-12)"]


@pytest.mark.parametrize("result", RESULTS.values(), ids=RESULTS)
def test_sarif_fits_the_schema_of_oasis(result: ScanResult) -> None:
    schema = json.loads((SCHEMAS / "sarif-schema-2.1.0.json").read_text("utf-8"))
    assert not schema_check.problems(json.loads(_render("sarif", result)), schema)


def test_sarif_is_one_run_that_says_what_was_not_scanned_and_what_is_waived() -> None:
    log = json.loads(_render("sarif", samples.fleet()))
    assert len(log["runs"]) == 1
    run = log["runs"][0]
    (invocation,) = run["invocations"]
    assert invocation["executionSuccessful"] is False
    assert len(invocation["toolExecutionNotifications"]) == 3
    justified = [one["suppressions"][0]["justification"] for one in run["results"] if one["suppressions"]]
    assert justified == ["the greeting is the tenant's own (bob, until 2027-01-31, OPS-12)"]
    assert _run(samples.result(samples.clean()))["invocations"][0]["executionSuccessful"] is True
    for one in run["results"]:
        assert run["tool"]["driver"]["rules"][one["ruleIndex"]]["id"] == one["ruleId"]


def test_sarif_and_gitlab_name_a_file_of_the_reader() -> None:
    """The rule where it is theirs, else the inventory's entry, else the shipped rule; no path of this machine."""
    own, entry = RuleRef("r", "policies/mine.yaml", 5), "inventory.yaml:7"
    shipped = RuleRef("r", f"{content.folder()}/immutable-core/software.yaml", 9)
    installed = RuleRef("r", "/opt/venv/lib/python3.13/site-packages/driftscan/_policies/immutable-core/a.yaml", 9)
    host = samples.clean()
    judged = samples.drifted().mutations[0]
    found = next(iter(finding.findings(replace(host, mutations=(judged,)))))

    def place(rule: RuleRef, origin: str) -> finding.Place:
        return finding.place(replace(found, rule=rule), replace(host, origin=origin))

    assert place(own, entry) == finding.Place("policies/mine.yaml", 5)
    assert place(shipped, entry) == finding.Place("inventory.yaml", 7)
    assert place(shipped, "") == finding.Place("immutable-core/software.yaml", 9, shipped=True)
    assert place(installed, "ec2:eu-west-1") == finding.Place("immutable-core/a.yaml", 9, shipped=True)
    assert place(RuleRef("default"), "/etc/inventory.yaml:7") == finding.Place("/etc/inventory.yaml", 7)
    assert place(RuleRef("default"), "") == finding.Place(finding.FALLBACK)


def test_sarif_keeps_githubs_limits_and_says_what_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sarif, "MOST_RESULTS", 4)
    hosts = (_drifting("a", 3, Severity.LOW), _drifting("b", 2, Severity.CRITICAL))
    run = _run(samples.result(*hosts))
    assert [one["level"] for one in run["results"]] == ["error", "error", "note", "note"]
    (notification,) = run["invocations"][0]["toolExecutionNotifications"]
    assert notification["message"]["text"].startswith("1 result left out, the least severe")
    monkeypatch.setattr(sarif, "MOST_PACKED", 0)
    assert (
        "left out" in _run(samples.result(*hosts))["invocations"][0]["toolExecutionNotifications"][0]["message"]["text"]
    )


def test_sarif_says_what_is_new_beside_earlier_scans_at_all_results_or_at_none() -> None:
    known, first = _drifting("a", 3), _drifting("b", 1)
    assert not any("baselineState" in one for one in _run(samples.result(known, first))["results"])
    gone = Resolved(id="F-9", title="x\x1b[31m", severity=Severity.LOW, why="gone")
    since = Since(new=("F-00000000",), updated=("F-00000001",), resolved=(gone,))
    run = _run(samples.result(replace(known, since=since), first))
    states = {(one["properties"]["host"], one["properties"]["finding"]): one["baselineState"] for one in run["results"]}
    assert states == {
        ("a", "F-00000000"): "new",
        ("a", "F-00000001"): "updated",
        ("a", "F-00000002"): "unchanged",
        ("b", "F-00000000"): "new",
    }
    (resolved,) = run["properties"]["resolved"]
    assert (resolved["host"], resolved["finding"], resolved["title"]) == ("a", "F-9", "x\\x1b[31m")
    quiet = replace(samples.clean("a"), since=Since(resolved=(gone,)))
    assert _run(samples.result(quiet))["properties"]["resolved"][0]["why"] == "gone"


def test_sarif_has_at_most_twenty_tags_per_rule() -> None:
    control = replace(samples.drifted().controls[1], refs={"cis": tuple(str(number) for number in range(40))})
    run = _run(samples.result(replace(samples.drifted(), mutations=(), controls=(control,))))
    assert len(run["tool"]["driver"]["rules"][0]["properties"]["tags"]) == 20


def test_github_shows_ten_of_a_level_and_says_how_many_more() -> None:
    result = samples.result(_drifting("a", 25), _drifting("b", 25), _drifting("c", 3, Severity.LOW, "other"))
    lines = _render("github", result).splitlines()
    assert Counter(line.split()[0] for line in lines) == {"::warning": 10, "::notice": 4}
    assert any("16 more rules with findings" in line for line in lines)
    assert "on 2 hosts" in lines[0]


@given(st.text(st.sampled_from("a:,%\r\n\u2028\x1b[=")))
def test_a_command_cannot_be_left(text: str) -> None:
    line = github.command("error", {"title": text, "file": text}, text)
    assert line.count("\n") == 1
    head, said = line[2:-1].split("::", 1)
    assert not {":", "\r"} & set(head)
    assert head.count(",") == 1
    decoded = said.replace("%0D", "\r").replace("%0A", "\n").replace("%25", "%")
    assert decoded == text


@pytest.mark.parametrize("result", RESULTS.values(), ids=RESULTS)
def test_gitlab_fits_the_schema_by_which_gitlab_reads_it(result: ScanResult) -> None:
    schema = json.loads((SCHEMAS / "codeclimate.json").read_text("utf-8"))
    for issue in json.loads(_render("gitlab", result)):
        assert not schema_check.problems(issue, schema)
        assert issue["severity"] in gitlab.SEVERITIES.values()
        assert not issue["location"]["path"].startswith(("/", "./"))


def test_csv_has_a_row_for_each_finding_and_for_each_host_that_was_not_scanned() -> None:
    text = _render("csv", samples.fleet())
    assert text.count("\r\n") == text.count("\n")
    rows = list(csv_reader.DictReader(io.StringIO(text, newline="")))
    assert Counter(row["host"] for row in rows) == {"web-1": 8, "web-2\\x1b[31m": 2, "web-3": 1, "web-4": 1}
    assert [row["kind"] for row in rows if row["host"] in {"web-3", "web-4"}] == ["", "not-scanned"]
    assert "connection refused" in rows[-1]["why"]


@pytest.mark.parametrize(
    "text",
    [
        "=1",
        "+1",
        "-1",
        "@x",
        "\t=1",
        "\r=1",
        " =1",
        "\uff1d1",
        "\uff0b1",
        "\uff0d1",
        "\uff201",
        "'=1",
        "'x",
        "|x",
        "%x",
    ],
)
def test_a_formula_is_marked(text: str) -> None:
    assert csv.cell(text)[0] in "'\\"


@given(st.text(max_size=20), st.text(max_size=20))
def test_two_texts_never_share_a_cell(one: str, other: str) -> None:
    shown = [csv.cell(text.replace("\\", "/")) for text in (one, other)]
    assert (shown[0] == shown[1]) == (one.replace("\\", "/") == other.replace("\\", "/"))


def test_prometheus_reads_its_metrics() -> None:
    families = {
        family.name: family for family in text_string_to_metric_families(_render("prometheus", samples.fleet()))
    }
    value = {
        (sample.labels["host"], sample.labels["severity"]): sample.value
        for sample in families["driftscan_host_findings"].samples
    }
    assert value[("web-1", "medium")] == 2
    assert all(family.documentation and family.type == "gauge" for family in families.values())
    whole = {sample.labels["host"]: sample.value for sample in families["driftscan_host_whole"].samples}
    assert whole == {"web-1": 0, "web-2\\x1b[31m": 0, "web-3": 1, "web-4": 0}


def test_prometheus_has_no_series_twice() -> None:
    twins = samples.result(replace(samples.clean("a"), target="x"), replace(samples.clean("a"), target="y"))
    lines = [line.rsplit(" ", 1)[0] for line in _render("prometheus", twins).splitlines() if not line.startswith("#")]
    assert len(lines) == len(set(lines))


@given(st.text(max_size=30))
def test_a_label_reads_back(text: str) -> None:
    line = f'# TYPE m gauge\nm{{host="{prometheus.escape(text)}"}} 1\n'
    (family,) = text_string_to_metric_families(line)
    assert family.samples[0].labels["host"] == text
