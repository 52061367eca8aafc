"""`scan --alerts`: told after the scan is kept, once each, tried again when it failed; `doctor --alerts`."""

import json
import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from driftscan.model.finding import Verdict
from driftscan.model.result import HostResult, ScanResult
from driftscan.scan import fleet
from driftscan.scan.clock import now
from driftscan.scan.options import ScanOptions
from driftscan.scan.progress import Progress
from driftscan.scan.targets import Target
from tests.cli.runner import Ran, run
from tests.reports import samples

HOOK = "#!/bin/sh\nif [ -e down ]; then echo 'the pager is down' >&2; exit 1; fi\ncat >>told\n"


@pytest.fixture
def channels(home: Path) -> Path:
    """A file of one channel, whose program writes to `told`."""
    (home / "hook").write_text(HOOK)
    (home / "hook").chmod(0o755)
    (home / "alerts.yaml").write_text(f"alerts:\n  - {{name: ops, command: ['{home}/hook']}}\n")
    return home / "alerts.yaml"


class Scans:
    """Scans whose results are given."""

    def __init__(self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
        self._capsys, self._patch, self._number = capsys, monkeypatch, 0

    def run(self, *words: str, hosts: Sequence[HostResult]) -> Ran:
        self._number += 1
        made = replace(samples.fleet(), id=f"s{self._number}", hosts=tuple(hosts), waivers=())
        result = replace(made, started_at=now(), finished_at=now())

        def scan(_targets: Sequence[Target], _o: ScanOptions, _p: Progress, _s: threading.Event) -> ScanResult:
            return result

        self._patch.setattr(fleet, "scan", scan)
        return run(self._capsys, "scan", "local", *words)


@pytest.fixture
def scans(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Scans:
    return Scans(capsys, monkeypatch)


def told(home: Path) -> list[list[tuple[str, str]]]:
    """Kinds and hosts of each message."""
    if not (home / "told").exists():
        return []
    lines = (home / "told").read_text().splitlines()
    return [[(each["kind"], each["host"]) for each in json.loads(line)["events"]] for line in lines]


def test_news_are_told_once_and_again_only_when_that_failed(scans: Scans, channels: Path, home: Path) -> None:
    clean, lost = samples.clean(), replace(samples.clean(), verdict=Verdict.INCOMPLETE)
    words = ("--alerts", str(channels))
    scans.run(*words, hosts=[clean])
    scans.run(*words, hosts=[clean])
    assert told(home) == [[("adopted", "")]]
    (home / "down").touch()
    failed = scans.run(*words, hosts=[lost])
    assert failed.code == 3
    assert "alerts: channel ops: not delivered: " in failed.err
    assert "the pager is down (attempt 1; the next scan with this file tries again)" in failed.err
    assert "attempt 2" in scans.run(*words, hosts=[lost]).err
    scans.run(hosts=[clean])  # without --alerts: what it saw is told by the next
    (home / "down").unlink()
    assert "alerts" not in scans.run(*words, hosts=[clean]).err
    scans.run(*words, hosts=[clean])
    assert told(home)[1:] == [[("coverage-lost", "web-3"), ("coverage-restored", "web-3")]]


def test_a_wrong_file_is_said_before_the_scan(scans: Scans, home: Path) -> None:
    (home / "alerts.yaml").write_text("alerts:\n  - {name: ops, comand: [sh]}\n")
    said = scans.run("--alerts", "alerts.yaml", hosts=[])
    assert said.code == 2
    assert "alerts.yaml:2:17: " in said.err
    assert "command" in said.err


def test_quiet_begins_with_what_changed(scans: Scans) -> None:
    clean = samples.clean()
    scans.run(hosts=[clean])
    said = scans.run("-q", hosts=[replace(clean, verdict=Verdict.INCOMPLETE)])
    assert said.out.splitlines()[:2] == [
        "driftscan: 1 coverage-lost on web-3 (worst: medium)",
        "[medium] coverage-lost: not wholly scanned on web-3",
    ]


def test_quiet_says_at_once_and_once_who_was_not_scanned(scans: Scans) -> None:
    """Not scanned is never clean: not in a new store either, nor of a host that was seen in part until then."""
    lost, clean = samples.unreachable(), samples.clean(samples.unreachable().host)
    partly = replace(clean, verdict=Verdict.INCOMPLETE)
    told = [scans.run("-q", hosts=[each]) for each in (lost, lost, clean, partly, partly, lost, lost)]
    assert [said.code for said in told] == [3, 3, 0, 3, 3, 3, 3]
    assert [said.out.partition("\n")[0] for said in told] == [
        "driftscan: 1 coverage-lost on web-4 (worst: medium)",
        "",
        "driftscan: 1 adopted, 1 coverage-restored on web-4",
        "driftscan: 1 coverage-lost on web-4 (worst: medium)",
        "",
        "driftscan: 1 coverage-lost on web-4 (worst: medium)",
        "",
    ]
    assert "Next: driftscan doctor ssh://web-4:22" in told[0].out


def test_doctor_tests_channels_when_it_is_told_to(
    capsys: pytest.CaptureFixture[str], channels: Path, home: Path
) -> None:
    said = run(capsys, "doctor", "--alerts", str(channels))
    assert said.out.startswith("channel ops: ok\n")
    assert told(home) == []
    said = run(capsys, "doctor", "--alerts", str(channels), "--send-test")
    assert said.out.startswith("channel ops: ok    took a test message\n")
    assert len(told(home)) == 1
    assert json.loads((home / "told").read_text())["title"] == "driftscan: a test, nothing happened"
    (home / "down").touch()
    said = run(capsys, "doctor", "--alerts", str(channels), "--send-test")
    assert said.code == 3
    assert "channel ops: FAIL  " in said.out
    assert run(capsys, "doctor", "--send-test").code == 2
