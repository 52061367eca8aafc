"""`driftscan history`, `history prune`, `trend`."""

import io
import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from driftscan.cli import trend as trend_command
from driftscan.model.finding import Verdict
from driftscan.model.result import ScanResult
from driftscan.store import Store
from tests.cli.runner import run
from tests.store.scans import host

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _now(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("history", "trend"):
        monkeypatch.setattr(f"driftscan.cli.{module}.clock", lambda: NOW)


@pytest.fixture
def store(home: Path) -> Store:
    """Three scans of two hosts: what web-1 has goes and comes back, what web-2 has stays."""
    store = Store(home / ".local/state/driftscan")
    for day, one, two in ((20, "F-1", "F-2"), (22, "", "F-2"), (24, "F-1", "F-2")):
        at = f"2026-11-{day}T10:00:00Z"
        first = replace(host("web-1", *([one] if one else [])), labels={"role": "web"})
        hosts = (first, host("web-2", two), host("db-1", verdict=Verdict.UNREACHABLE))
        store.save(ScanResult(id=f"s{day}", started_at=at, finished_at=at, mode="full", hosts=hosts), b"{}")
    return store


def opened(store: Store) -> None:
    """As if nothing were waived."""
    with store._database.write() as connection:
        connection.exec_driver_sql("UPDATE finding SET state = 'open', cause = 'file-added', actor = 'alice'")


@pytest.mark.usefixtures("home")
def test_nothing_was_ever_scanned(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "history").out == "no scan is kept\n"
    assert "nothing is known of that time" in run(capsys, "trend").out
    said = run(capsys, "history", "web-1")
    assert said.code == 2
    assert "no scan of such a host" in said.err


@pytest.mark.usefixtures("store")
def test_scans(capsys: pytest.CaptureFixture[str]) -> None:
    said = run(capsys, "history")
    days = [line.split()[0] for line in said.out.splitlines()[1:4]]
    assert days == ["2026-11-24", "2026-11-22", "2026-11-20"]
    assert said.out.splitlines()[0].split() == ["STARTED", "MODE", "FINDINGS", "UNREACHABLE", "SCAN"]
    assert said.out.splitlines()[1].split()[3:5] == ["2", "1"]
    told = json.loads(run(capsys, "history", "--since", "3d", "-o", "json").out)
    assert [each["id"] for each in told["scans"]] == ["s24"]
    assert told["scans"][0]["hosts"] == {"findings": 2, "unreachable": 1}


@pytest.mark.usefixtures("store")
def test_a_host(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    said = run(capsys, "history", "web-1")
    assert "returned 2026-11-24 10:00" in said.out
    told = json.loads(run(capsys, "history", "web-*", "-o", "json").out)
    assert [each["host"] for each in told["hosts"]] == ["web-1", "web-2"]
    (finding,) = told["hosts"][0]["findings"]
    assert (finding["id"], finding["first_seen"], finding["returned"]) == ("F-1", "2026-11-20T10:00:00Z", 1)
    assert [each["verdict"] for each in told["hosts"][1]["scans"]] == ["findings"] * 3


@pytest.mark.usefixtures("store")
def test_a_host_that_was_never_reached_is_not_hidden(capsys: pytest.CaptureFixture[str]) -> None:
    lines = run(capsys, "history", "db-1").out.splitlines()
    assert lines[2].split() == ["2026-11-20", "10:00", "2026-11-24", "10:00", "3", "unreachable", "replace", "1"]
    assert lines[3] == "no finding is known"


def test_what_stays_as_it_is_is_one_line_and_the_worst_host_is_first(
    store: Store, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    opened(store)
    with store._database.write() as connection:
        connection.exec_driver_sql("UPDATE finding SET severity = 'critical' WHERE host = 'web-2'")
    out = run(capsys, "history", "*").out
    lines = out.splitlines()
    assert [line for line in lines if line in {"web-1", "web-2", "db-1"}] == ["web-2", "web-1", "db-1"]
    assert [line.split()[4] for line in lines if "findings" in line] == ["3", "3"]
    assert lines[-1] == "Next: driftscan explain F-2"
    assert max(map(len, lines)) <= 80


def test_a_finding_that_a_gap_hides_says_when_it_was_seen(
    store: Store, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    hidden = replace(host("web-2", verdict=Verdict.SETTLING), labels={})
    at = "2026-11-25T10:00:00Z"
    store.save(ScanResult(id="s25", started_at=at, finished_at=at, mode="full", hosts=(hidden,)), b"{}")
    assert "last seen 2026-11-24 10:00" in run(capsys, "history", "web-2").out


@pytest.mark.parametrize("words", [("--since", "soon"), ("--since", "0d"), ("--since", "2026-13-01")])
def test_a_time_that_is_none(words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    said = run(capsys, "history", *words)
    assert said.code == 2
    assert "is neither an age such as 12h, 30d, 4w nor a day" in said.err


def test_prune(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "history", "prune").code == 2
    said = run(capsys, "history", "prune", "--keep-days", "3")
    assert said.out == "removed 2 scans, 0 findings that ended, 0 reports (0 bytes)\n"
    assert [row.id for row in store.scans()] == ["s24"]
    assert run(capsys, "history", "prune", "--keep-scans", "0").code == 2


def test_trend(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    opened(store)
    out = run(capsys, "trend", "--by", "host", "--since", "10d").out
    assert [line.split()[0] for line in out.splitlines()[2:5]] == ["all", "web-1", "web-2"]
    assert "those that went had stayed 2 days (median)" in out
    assert "the oldest that is there has been for 6 days" in out
    assert "what they came from: file-added 3" in out
    assert "who made them, as logs tell: alice 3" in out
    assert out.splitlines()[-1].startswith("Next: driftscan history web-")
    assert run(capsys, "trend").out.endswith("\nNext: driftscan trend --by host\n")
    told = json.loads(run(capsys, "trend", "--by", "group", "-o", "json").out)
    assert [line["name"] for line in told["lines"]] == ["role=web"]
    assert told["since"] == "2026-11-20T10:00:00Z"  # the first scan; what it found did not come since
    assert (told["total"]["open"], told["total"]["opened"], told["total"]["resolved"]) == (2, 1, 1)
    assert len(told["total"]["series"]) == 30


def test_trend_as_a_page(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    opened(store)
    page = run(capsys, "trend", "-o", "html").out
    assert page.startswith("<!doctype html>")
    for said in ("2 then, 2 now; 1 came and 1 went", "alice", "file-added", "role=web", "web-2", "2 days (median)"):
        assert said in page
    assert "Nothing is known of the time" in run(capsys, "trend", "-o", "html", "--since", "1h", "--store", "none").out


def test_what_is_waived_is_no_drift(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    assert store.scans()
    assert "nothing is known of that time" in run(capsys, "trend").out


@pytest.mark.usefixtures("store")
def test_a_time_to_come_is_none(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "trend", "--since", "2030-01-01").code == 2


def test_plots_fit_the_terminal(
    store: Store, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    opened(store)
    assert trend_command.plot((0, 1, 4, 8), "▁▂▃▄▅▆▇█") == "▁▂▅█"
    assert trend_command.plot((0, 0), "▁█") == "▁▁"
    assert "█" in run(capsys, "trend").out
    plain = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr("sys.stdout", plain)
    run(capsys, "trend")
    plain.seek(0)
    assert "#" in plain.read()
