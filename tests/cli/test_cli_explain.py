"""`driftscan explain`: from the store and from reports, on the right host, with commands that are safe to paste."""

import json
import re
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from driftscan.cli import _by_hand
from driftscan.cli._by_hand import MOST, commands, of_logs, quote
from driftscan.cli._grounds import Found, age, without
from driftscan.model.names import encode_name
from driftscan.model.result import ScanResult
from driftscan.model.snapshot import CollectorCoverage, CollectorStatus
from driftscan.reports._base import Style
from driftscan.reports.json import report
from driftscan.store import Store
from tests.cli.runner import run
from tests.reports import golden, samples

JOURNAL = (
    "journalctl --utc --since='2026-11-20 09:11:44 UTC' --until='2026-11-20 09:15:44 UTC'"
    " SYSLOG_FACILITY=4 SYSLOG_FACILITY=10"
)
KINDS = tuple(sorted(_by_hand._OF))


def _written(result: ScanResult) -> str:
    return "".join(report.render(result, Style()))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A report of the sample fleet."""
    path = tmp_path / "fleet.json"
    path.write_text(_written(samples.fleet()))
    return path


@pytest.fixture
def store(home: Path) -> Store:
    """The store where the command line looks for it."""
    return Store(home / ".local/state/driftscan")


def _keep(store: Store, result: ScanResult) -> None:
    store.save(result, _written(result).encode())


@pytest.mark.parametrize("finding", ["F-00000001", "F-00000002", "F-00000003", "C-00000002"])
def test_golden(finding: str, file: Path, capsys: pytest.CaptureFixture[str], update_expected: bool) -> None:
    said = run(capsys, "explain", finding, "--report", f"json:{file}")
    assert (said.code, said.err) == (0, "")
    golden.compare(f"explain-{finding}.txt", said.out, update_expected)


def test_nothing_of_a_host_reaches_the_terminal_raw(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = run(capsys, "explain", "F-00000003", "--report", str(file)).out
    assert not {char for char in out if char != "\n" and (ord(char) < 32 or 127 <= ord(char) < 160)}
    assert "\u202e" not in out


def test_a_prefix_a_control_and_a_rule(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for wanted in ("F-00000002", "C-0000000", "ssh-02"):
        assert run(capsys, "explain", wanted, "--report", str(file)).code == (2 if wanted == "C-0000000" else 0)


def test_from_the_store(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    _keep(store, samples.fleet())
    said = run(capsys, "explain", "F-00000002")
    assert said.code == 0
    assert "first seen" in said.out
    assert "-PermitRootLogin no" in said.out


def test_a_rules_id_is_found_in_the_last_scan(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    _keep(store, samples.fleet())
    assert "root may not log in with a password" in run(capsys, "explain", "ssh-02").out


def test_what_a_later_scan_no_longer_found_says_so(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    _keep(store, samples.fleet())
    clean = replace(samples.clean(), host="web-1")
    _keep(store, replace(samples.result(clean), id="S-2", started_at="2026-11-21T10:00:00Z"))
    assert "no longer found it" not in run(capsys, "explain", "F-00000002").out  # it did not look at settings of sshd
    looked = CollectorCoverage("sshd", 1, ("sshd_setting", "file"), CollectorStatus.COMPLETE)
    later = samples.result(replace(clean, coverage=(looked,)))
    _keep(store, replace(later, id="S-3", started_at="2026-11-21T11:00:00Z"))
    assert "scan of 2026-11-21T11:00:00Z no longer found it" in run(capsys, "explain", "F-00000002").out
    _keep(store, replace(samples.fleet(), id="S-4", started_at="2026-11-22T10:00:00Z"))
    assert "came back" in run(capsys, "explain", "F-00000002").out


def test_the_newest_sighting_is_told(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    _keep(store, samples.fleet())
    _keep(store, replace(samples.fleet(), id="S-2", started_at="2026-11-22T10:00:00Z"))
    said = json.loads(run(capsys, "explain", "F-00000002", "-o", "json").out)
    assert said["scan"]["id"] == "S-2"
    assert said["finding"]["id"] == "F-00000002"
    assert "mutations" not in said["host"]


def test_json_has_the_argument_too(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    _keep(store, samples.fleet())
    said = json.loads(run(capsys, "explain", "F-00000002", "-o", "json").out)
    assert said["age"] == {
        "first_seen": "2026-11-20T10:00:00Z",
        "last_seen": "2026-11-20T10:00:00Z",
        "resolved_at": None,
        "returned_at": None,
        "changed_first": "2026-11-20T09:20:01Z",
        "changed_last": "2026-11-20T09:20:01Z",
        "content_of": "2026-11-19T09:03:20Z",
        "logged": None,
    }
    assert said["without_it"] == "would be rotate without F-00000002"
    assert said["by_hand"][0] == "sshd -T | grep -i -- '^permitrootlogin'"
    assert said["finding"]["rule"]["why"]
    assert said["host"]["coverage"]["files"]["seen"] == 33012
    control = json.loads(run(capsys, "explain", "C-00000002", "-o", "json").out)
    assert control["by_hand"] == ["sshd -T | grep -i -- '^permitrootlogin'"]


def _found(*, because: list[str], state: str = "open", name: str = "F-1", **more: object) -> Found:
    advice = {"action": "replace", "because": because, "counterfactual": f"would be observe without {because}"}
    return Found({}, {"recommendation": advice, "verdict": "settling"}, {"id": name, "state": state, **more})


@pytest.mark.parametrize(
    ("found", "says"),
    [
        (_found(because=["F-1"]), "would be observe without ['F-1']"),
        (_found(because=["F-1", "F-2"]), "still replace: F-2 asks for it, too"),
        (_found(because=["F-1", "F-2", "F-3"]), "still replace: F-2, F-3 ask for it, too"),
        (_found(because=["F-2"]), "still replace: F-2 asks for it"),
        (_found(because=[f"F-{n}" for n in range(2, 9)]), "still replace: F-2, F-3, F-4 and 4 more ask for it"),
        (_found(because=["F-2"], state="allowed"), "still replace: what is allowed is no ground for it"),
        (_found(because=["F-2"], result="unknown"), "still replace: what is unknown is no ground for it"),
        (_found(because=[]), "still replace: it is what settling hosts get"),
    ],
)
def test_what_would_be_advised_without_it(found: Found, says: str) -> None:
    assert without(found) == says


def test_times_of_a_directory_count_only_where_there_is_nothing_else() -> None:
    def item(second: int, kind: str) -> dict[str, object]:
        observed = {"ctime": second * 10**9, "mtime": "2026"}
        return {"observed": observed, "attributes": {"type": {"expected": None, "actual": kind}}}

    directory, early, late = item(5000, "directory"), item(1000, "regular"), item(2000, "regular")
    nothing: dict[str, object] = {"attributes": {}}
    for items, first, last in (
        ([directory, late, early, nothing], "1970-01-01T00:16:40Z", "1970-01-01T00:33:20Z"),
        ([directory], "1970-01-01T01:23:20Z", "1970-01-01T01:23:20Z"),
        ([nothing], None, None),
        ([item(10**30, "regular"), item(-1, "regular")], None, None),
    ):
        known = age(_found(because=[], differences=items, attribution={"at": None}))
        assert (known["changed_first"], known["changed_last"], known["content_of"]) == (first, last, None)


@pytest.mark.parametrize(
    ("at", "evidence", "expected"),
    [
        (None, [], []),
        ("$(reboot)", [], []),
        ("9999-12-31T23:59:59Z", [], []),
        ("2026-11-20T09:12:44Z", ["auth.log: x"], [JOURNAL]),
        ("2026-11-20T09:12:44Z", ["apt history.log: Start-Date x"], ["less /var/log/apt/history.log", JOURNAL]),
    ],
)
def test_what_the_logs_have_by_hand(at: str | None, evidence: list[str], expected: list[str]) -> None:
    assert of_logs({"at": at, "evidence": evidence}) == expected


def test_on_several_hosts(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    _keep(store, samples.result(samples.drifted(), replace(samples.drifted(), host="web-9")))
    assert "Also on web-9" in run(capsys, "explain", "F-00000002").out
    assert "host            web-9 (" in run(capsys, "explain", "F-00000002", "--host", "web-9").out
    said = run(capsys, "explain", "F-00000002", "--host", "web-7")
    assert said.code == 2
    assert "It is on web-1, web-9." in said.err


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["F-0"], "means 4 findings: F-00000001, F-00000002"),
        (["F-9"], "no finding 'F-9'"),
        (["F-"], "too short"),
        (["F-\x1b[31m"], "no finding 'F-\\x1b[31m'"),
        (["F-1", "--report", "no.json"], "no such JSON report"),
        (["F-1", "--report", "markdown:x.md"], "no such JSON report"),
        (["F-1", "-o", "xml"], "--format: 'xml' is not one of text, json"),
    ],
)
def test_wrong_ids_and_reports(words: list[str], says: str, file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = [] if "--report" in words else ["--report", f"json:{file}"]
    said = run(capsys, "explain", *words, *given)
    assert (said.code, said.out) == (2, "")
    assert says in said.err


def test_an_empty_store(capsys: pytest.CaptureFixture[str]) -> None:
    said = run(capsys, "explain", "F-00000002")
    assert said.code == 2
    assert "no finding 'F-00000002' in the store" in said.err


@pytest.mark.parametrize(
    "raw", [*(name for name in samples.HOSTILE if b"\0" not in name), b"-rf", b"'", b"a'b\x07", b"\xff"]
)
def test_a_shell_reads_back_the_very_bytes(raw: bytes) -> None:
    printed = subprocess.run(
        ["bash", "-c", f"printf %s {quote(encode_name(raw))}"], capture_output=True, check=True
    ).stdout
    assert printed == raw
    assert quote(encode_name(raw)).isprintable()


EVIL = ["-", "a/b/c", "tcp/[::]:80", "x;reboot", "$(reboot)", "`reboot`\n", "-rf", "--system", "a@b", "reboot/x", ""]


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_in_a_name_is_run_or_taken_for_an_option(kind: str, tmp_path: Path) -> None:
    """The commands are run by a shell in which every program only notes its arguments, one a line."""
    noted = tmp_path / "noted"
    programs = tmp_path / "bin"
    programs.mkdir()
    for command in (command for key in EVIL for command in commands([(kind, key)])):
        assert command.isprintable()
        for name in {*re.findall(r"[a-z][a-z0-9-]+", command), "reboot"}:
            (programs / name).write_text(f'#!/bin/sh\nprintf "%s\\037" "{name}" "$@" >> {noted}\necho >> {noted}\n')
            (programs / name).chmod(0o755)
        subprocess.run(["/bin/bash", "-c", command], env={"PATH": str(programs)}, check=False, capture_output=True)
    for program, *arguments in _runs(noted):
        assert program != "reboot"
        for index, argument in enumerate(arguments):
            safe = "--" in arguments[:index] or arguments[index - 1 : index] in (["dev"], ["--target"])
            assert safe or argument not in {"-rf", "--system"}


def _runs(noted: Path) -> list[list[str]]:
    lines = noted.read_text().split("\x1f\n") if noted.exists() else []
    return [line.split("\x1f") for line in lines if line]


def test_every_kind_can_be_seen_by_hand() -> None:
    assert [kind for kind in KINDS if not commands([(kind, "docker/b")])] == []


def test_not_more_commands_than_a_person_types() -> None:
    assert len(commands([("file", f"/{index}") for index in range(100)])) == MOST
    assert commands([("file", "/a"), ("file", "/a")]) == commands([("file", "/a")])
    assert commands([("no_such_kind", "x")]) == []
