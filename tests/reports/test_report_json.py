"""The JSON contract: fields, types, order, and that any reader can take it."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from driftscan import schema_check
from driftscan.errors import UsageError
from driftscan.model.drift import Change, Delta, Difference
from driftscan.model.finding import Verdict
from driftscan.reports import json as json_report
from driftscan.reports import jsonl
from driftscan.reports._base import Style
from driftscan.reports._build import difference, plain, report
from driftscan.reports._read import read_report, schema
from tests.reports import golden, samples

STYLE = Style()


def _text() -> str:
    return "".join(json_report.report.render(samples.fleet(), STYLE))


CONTRACT = {
    "": "schema tool scan summary hosts",
    "tool": "name version",
    "scan": "id started_at finished_at mode",
    "summary": "hosts findings recommendations",
    "hosts/0": "host target image verdict recommendation accounting mutations controls coverage not_baselined errors"
    " timings",
    "hosts/0/image": "id version manifest_digest match",
    "hosts/0/recommendation": "action sentence because counterfactual cure",
    "hosts/0/recommendation/cure": "replacement_cures cause",
    "hosts/0/accounting": "raw folded allowed unexplained",
    "hosts/0/mutations/0": "id title severity rule state cause attribution explains differences",
    "hosts/0/mutations/0/rule": "id file line",
    "hosts/0/mutations/0/cause": "type subject detail",
    "hosts/0/mutations/0/attribution": "grade actor command at evidence",
    "hosts/0/mutations/0/differences/0": "kind key change attributes zone",
    "hosts/0/mutations/0/differences/0/attributes/size": "expected actual",
    "hosts/0/controls/0": "id title severity result state evidence rule refs",
    "hosts/0/controls/0/rule": "file line",
    "hosts/0/coverage": "collectors files torn",
    "hosts/0/coverage/collectors/files": "status resources gaps",
    "hosts/0/coverage/files": "seen hashed stat_only unreadable excluded raced",
}
"""The fields that other people's programs rely on. More may be there; none may be missing or renamed."""


@pytest.mark.parametrize("place", CONTRACT)
def test_fields_are_the_contract(place: str) -> None:
    part: Any = report(samples.fleet())
    for step in filter(None, place.split("/")):
        part = part[int(step) if step.isdigit() else step]
    assert set(CONTRACT[place].split()) <= part.keys()


def test_it_fits_its_own_schema_and_reads_back(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    path.write_text(_text(), "ascii")
    assert read_report(str(path)) == report(samples.fleet())


def test_golden(update_expected: bool) -> None:
    golden.compare("fleet.json", _text(), update_expected)


def test_ascii_alone_and_no_control_character() -> None:
    text = _text()
    assert text.isascii()
    assert all(char == "\n" or char >= " " for char in text)


def test_a_lone_surrogate_is_written_so_that_strict_readers_take_it() -> None:
    assert "\\ud" not in _text()
    assert plain("a\udcffb") == "a\\xffb"
    assert plain(("\ud800", {"k\udc80": 1})) == ["\\ud800", {"k\\x80": 1}]


def test_every_hostile_name_is_told_apart() -> None:
    host = report(samples.fleet())["hosts"][1]
    keys = [item["key"] for item in host["mutations"][0]["differences"] if item["kind"] == "file"]
    assert len(set(keys)) == len(samples.HOSTILE)


def test_hosts_keep_the_inventorys_order() -> None:
    assert [host["host"] for host in json.loads(_text())["hosts"]] == ["web-1", "web-2\x1b[31m", "web-3", "web-4"]


def test_absent_is_null_on_its_side() -> None:
    built = difference(Difference(kind="user", key="eve", change=Change.REMOVED, attributes={"uid": Delta(1000, None)}))
    assert built["attributes"] == {"uid": {"expected": 1000, "actual": None}}


def test_summary_counts_open_findings_and_every_verdict() -> None:
    summary = report(samples.fleet())["summary"]
    assert summary["hosts"] == {
        "clean": 1, "findings": 2, "incomplete": 0, "settling": 0, "unreachable": 1, "gone": 0
    }  # fmt: skip
    assert summary["findings"] == {"info": 0, "low": 0, "medium": 2, "high": 1, "critical": 1}
    assert summary["recommendations"]["quarantine"] == 1
    assert set(summary["hosts"]) == {verdict.value for verdict in Verdict}


def test_torn_is_a_boolean_with_its_reasons_beside_it() -> None:
    coverage = report(samples.fleet())["hosts"][1]["coverage"]
    assert coverage["torn"] is True
    assert coverage["torn_because"] == ["dpkg ran during the scan"]


def test_jsonl_is_the_same_line_by_line() -> None:
    first, *hosts = [json.loads(line) for line in "".join(jsonl.report.render(samples.fleet(), STYLE)).splitlines()]
    assert {**first, "hosts": hosts} == report(samples.fleet())


def test_no_hosts() -> None:
    empty = "".join(json_report.report.render(samples.result(), STYLE))
    assert json.loads(empty)["hosts"] == []
    assert not schema_check.problems(json.loads(empty), schema())


@pytest.mark.parametrize(
    ("path", "value", "where"),
    [
        (("scan", "mode"), "slow", "scan/mode"),
        (("hosts", 0, "verdict"), "fine", "hosts/0/verdict"),
        (("hosts", 0, "mutations", 0, "severity"), "dire", "hosts/0/mutations/0/severity"),
        (("hosts", 0, "mutations", 0, "differences", 0, "change"), 7, "hosts/0/mutations/0/differences/0/change"),
        (("hosts", 0, "mutations", 1, "differences", 3, "zone"), ["free"], "hosts/0/mutations/1/differences/3/zone"),
        (("hosts", 0, "mutations", 1, "differences", 3, "key"), None, "hosts/0/mutations/1/differences/3/key"),
        (("hosts", 0, "mutations", 1, "differences", 3, "text"), 1, "hosts/0/mutations/1/differences/3/text"),
        (("hosts", 0, "mutations", 1, "differences", 3, "attributes"), {"a": {}}, "differences/3/attributes/a"),
        (("hosts", 0, "mutations", 1, "differences"), {}, "hosts/0/mutations/1/differences"),
        (("hosts", 0, "mutations"), 1, "hosts/0/mutations"),
        (("hosts", 0), None, "hosts/0"),
        (("hosts",), None, "hosts"),
        (("hosts", 0, "accounting", "raw"), -1, "hosts/0/accounting/raw"),
        (("hosts", 0, "coverage", "torn"), "no", "hosts/0/coverage/torn"),
        (("hosts", 0, "image", "match"), "\x1b[31m", "hosts/0/image/match"),
    ],
)
def test_a_damaged_report_is_refused_with_the_place(
    path: tuple[str | int, ...], value: object, where: str, tmp_path: Path
) -> None:
    data = copy.deepcopy(report(samples.fleet()))
    parent: Any = data
    for part in path[:-1]:
        parent = parent[part]
    parent[path[-1]] = value
    file = tmp_path / "damaged.json"
    file.write_text(json.dumps(data))
    with pytest.raises(UsageError) as caught:
        read_report(str(file))
    assert where in caught.value.message
    assert "\x1b" not in caught.value.message


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "not JSON"),
        (b'{"schema": "driftscan.report/1"', "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"[]", "its schema is"),
        (b'{"schema": "driftscan.report/9"}', "'driftscan.report/9'"),
        (b'{"schema": "driftscan.report/1"}', "lacks the key"),
        (b'{"schema": ["\\u001b[31m"]}', "its schema is"),
    ],
)
def test_what_is_no_report_is_said(content: bytes, says: str, tmp_path: Path) -> None:
    file = tmp_path / "other.json"
    file.write_bytes(content)
    with pytest.raises(UsageError) as caught:
        read_report(str(file))
    assert says in caught.value.message
    assert "\x1b" not in caught.value.message


def test_no_such_file(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No such file"):
        read_report(str(tmp_path / "absent.json"))
