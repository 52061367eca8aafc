"""`driftscan scan`: exit codes, reports, the screen, Ctrl-C. Scans themselves are given; they are tested elsewhere."""

import json
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from driftscan import content
from driftscan.cli import _outputs
from driftscan.cli._exit import exit_code, fails, sentences
from driftscan.cli._targets import who
from driftscan.errors import IncompleteError
from driftscan.manifests import files
from driftscan.model.drift import Cause, CauseType, Change, Difference
from driftscan.model.finding import Action, JudgedMutation, Result, RuleRef, Severity, State, Verdict
from driftscan.model.result import HostErrorRecord, HostResult, ScanResult
from driftscan.model.snapshot import Resources, Snapshot
from driftscan.reports import github, markdown
from driftscan.reports import json as json_report
from driftscan.reports._base import Style
from driftscan.reports._read import read_report
from driftscan.scan import fleet
from driftscan.scan.options import ScanOptions
from driftscan.scan.progress import Progress
from driftscan.scan.targets import Target
from driftscan.store import Store
from tests.cli.runner import run
from tests.reports import samples

Scan = Callable[[Sequence[Target], ScanOptions, Progress, threading.Event], ScanResult]


@pytest.fixture
def scans(monkeypatch: pytest.MonkeyPatch) -> Callable[[ScanResult], None]:
    """Makes every scan end with this result, each host reported to the progress."""

    def give(result: ScanResult) -> None:
        def scan(
            _targets: Sequence[Target], _options: ScanOptions, progress: Progress, _stop: threading.Event
        ) -> ScanResult:
            for host in result.hosts:
                progress.started(host.host)
                progress.phase(host.host, "collect")
                progress.finished(host.host, host)
            return result

        monkeypatch.setattr(fleet, "scan", scan)

    return give


def _host(verdict: Verdict, severity: Severity | None = None, **changes: object) -> HostResult:
    mutations: tuple[JudgedMutation, ...] = ()
    if severity is not None:
        given = samples.mutation(5, "t", Cause(CauseType.FILE_ADDED, "/x"), (samples.added("file", "/x"),))
        mutations = (samples.judged(given, severity, Action.ROTATE),)
    host = replace(samples.clean(), verdict=verdict, mutations=mutations)
    return replace(host, **changes)  # type: ignore[arg-type]


UNKNOWN = samples.mutation(
    6, "u", Cause(CauseType.UNEXPLAINED, "/y"), (Difference(kind="file", key="/y", change=Change.UNKNOWN),)
)


@pytest.mark.parametrize(
    ("hosts", "fail_on", "code"),
    [
        ([_host(Verdict.CLEAN)], Severity.MEDIUM, 0),
        ([_host(Verdict.FINDINGS, Severity.LOW)], Severity.MEDIUM, 0),
        ([_host(Verdict.FINDINGS, Severity.MEDIUM)], Severity.MEDIUM, 1),
        ([_host(Verdict.FINDINGS, Severity.LOW)], Severity.INFO, 1),
        ([_host(Verdict.FINDINGS, Severity.LOW)], Action.ROTATE, 1),
        ([_host(Verdict.FINDINGS, Severity.CRITICAL)], Action.REPLACE, 0),
        ([_host(Verdict.UNREACHABLE)], Severity.MEDIUM, 3),
        ([_host(Verdict.UNREACHABLE, Severity.CRITICAL)], Severity.MEDIUM, 1),
        ([_host(Verdict.INCOMPLETE)], Severity.MEDIUM, 3),
        ([_host(Verdict.SETTLING)], Severity.MEDIUM, 0),
        ([_host(Verdict.SETTLING, Severity.CRITICAL)], Severity.MEDIUM, 0),
        ([_host(Verdict.GONE)], Severity.MEDIUM, 0),
        ([_host(Verdict.UNREACHABLE), _host(Verdict.FINDINGS, Severity.HIGH)], Severity.MEDIUM, 1),
        ([_host(Verdict.FINDINGS, Severity.LOW, torn=("dpkg",))], Severity.HIGH, 3),
        ([_host(Verdict.FINDINGS, Severity.LOW, errors=(HostErrorRecord(kind="k", message="m"),))], Severity.HIGH, 3),
        ([_host(Verdict.FINDINGS, Severity.LOW, controls=(samples.control(1, Result.UNKNOWN, Severity.LOW),))],
         Severity.HIGH, 3),
        ([_host(Verdict.FINDINGS, mutations=(samples.judged(UNKNOWN, Severity.LOW, Action.INVESTIGATE),))],
         Severity.HIGH, 3),
        ([_host(Verdict.CLEAN, torn=("dpkg",))], Severity.HIGH, 0),
    ],
)  # fmt: skip
def test_exit_codes(hosts: list[HostResult], fail_on: Severity | Action, code: int) -> None:
    result = samples.result(*hosts)
    assert exit_code(result, fail_on, unwritten=False) == code
    assert exit_code(result, fail_on, unwritten=True) == (code or 3)
    assert exit_code(replace(result, interrupted=True), fail_on, unwritten=False) == 130


def test_waived_findings_and_passed_controls_do_not_fail() -> None:
    host = _host(Verdict.FINDINGS, Severity.CRITICAL)
    waived = replace(host, mutations=(replace(host.mutations[0], state=State.WAIVED),))
    assert not fails(waived, Severity.INFO)
    controls = (
        samples.control(1, Result.PASS, Severity.HIGH),
        samples.control(2, Result.NOT_APPLICABLE, Severity.HIGH),
    )
    assert not fails(replace(waived, controls=controls), Severity.INFO)
    failed = replace(waived, controls=(samples.control(1, Result.FAIL, Severity.HIGH),))
    assert fails(failed, Severity.HIGH)
    assert fails(failed, Action.OBSERVE)


def test_both_reasons_are_told() -> None:
    told = " ".join(sentences(samples.fleet(), Severity.MEDIUM))
    assert "2 of 4 hosts with findings at or above medium" in told
    assert "hosts not, or not wholly, scanned" in told
    assert not samples.unreachable().whole


def test_a_clean_fleet(scans: Callable[[ScanResult], None], capsys: pytest.CaptureFixture[str]) -> None:
    scans(samples.result(samples.clean()))
    said = run(capsys, "scan", "local")
    assert said.code == 0
    assert "web-3   clean" in said.out
    assert said.err == "web-3: clean: Equals image web 2026.11.20.\n"


def test_quiet_says_nothing_but_the_data(
    scans: Callable[[ScanResult], None], capsys: pytest.CaptureFixture[str]
) -> None:
    scans(samples.fleet())
    said = run(capsys, "scan", "local", "-q")
    assert said.code == 1
    assert said.err == ""
    assert said.out


def test_logs_have_a_line_per_host_and_no_control(
    scans: Callable[[ScanResult], None], capsys: pytest.CaptureFixture[str]
) -> None:
    scans(samples.fleet())
    said = run(capsys, "scan", "local", "-o", "json")
    assert json.loads(said.out)["summary"]["hosts"]["findings"] == 2
    lines = said.err.splitlines()
    assert lines[0].startswith("web-1: findings, replace: deploy installed")
    assert lines[3].startswith("web-4: unreachable, investigate: web-4 (10.0.0.14) port 22: connection refused")
    assert "\x1b" not in said.err


@pytest.mark.parametrize("name", ["text", "json", "jsonl", "markdown"])
def test_every_format_on_the_screen_and_in_a_file(
    name: str, scans: Callable[[ScanResult], None], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    scans(samples.fleet())
    path = tmp_path / "report"
    said = run(capsys, "scan", "local", "-o", name, "--report", f"{name}:{path}")
    assert said.code == 1
    assert path.read_text("utf-8") == said.out


@pytest.mark.parametrize(
    ("file", "results", "told"),
    [
        ("ours.yaml", (Result.NOT_APPLICABLE, Result.NOT_APPLICABLE), True),
        ("ours.yaml", (Result.NOT_APPLICABLE, Result.PASS), False),
        (str(content.folder() / "exposure" / "network.yaml"), (Result.NOT_APPLICABLE, Result.NOT_APPLICABLE), False),
    ],
)
def test_a_policy_of_ones_own_that_is_for_nobody_is_named(
    file: str,
    results: tuple[Result, ...],
    told: bool,
    scans: Callable[[ScanResult], None],
    capsys: pytest.CaptureFixture[str],
) -> None:
    rule = RuleRef("r", file, 5, "why", "ours/web")
    hosts = [
        replace(samples.clean(f"web-{number}"), controls=(replace(samples.control(1, each, Severity.LOW), rule=rule),))
        for number, each in enumerate(results)
    ]
    scans(samples.result(*hosts))
    said = run(capsys, "scan", "local")
    assert ("ours/web asks nothing of any of these hosts" in said.err) is told


def test_a_report_that_cannot_be_written_does_not_stop_the_others(
    scans: Callable[[ScanResult], None], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    good = tmp_path / "good.json"
    words = ["scan", "local", "--report=json:/dev/full", f"--report=json:{good}"]
    scans(samples.result(samples.clean()))
    said = run(capsys, *words)
    assert said.code == 3
    assert "/dev/full: cannot be written: No space left on device" in said.err
    assert read_report(str(good))["hosts"][0]["host"] == "web-3"
    scans(samples.fleet())
    assert run(capsys, *words).code == 1


def test_another_account_may_read_metrics_whatever_the_umask(
    scans: Callable[[ScanResult], None], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """systemd's unit has UMask=0077, node_exporter another account."""
    scans(samples.result(samples.clean()))
    before = os.umask(0o077)
    try:
        run(capsys, "scan", "local", f"--report=prometheus:{tmp_path}/a.prom", f"--report=json:{tmp_path}/a.json")
        (tmp_path / "a.prom").chmod(0o640)
        run(capsys, "scan", "local", f"--report=prometheus:{tmp_path}/a.prom", f"--report=prometheus:{tmp_path}/b.prom")
    finally:
        os.umask(before)
    modes = {path.name: f"{path.stat().st_mode & 0o777:o}" for path in tmp_path.iterdir()}
    assert {name: modes[name] for name in ("a.prom", "b.prom", "a.json")} == {
        "a.prom": "640", "b.prom": "644", "a.json": "600"
    }  # fmt: skip


def test_a_directory_that_vanishes_during_the_scan(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "gone"
    folder.mkdir()

    def scan(*_given: object) -> ScanResult:
        folder.rmdir()
        return samples.result(samples.clean())

    monkeypatch.setattr(fleet, "scan", scan)
    said = run(capsys, "scan", "local", f"--report=json:{folder}/r.json", f"--report=jsonl:{tmp_path}/r.jsonl")
    assert said.code == 3
    assert "gone/r.json" in said.err
    assert (tmp_path / "r.jsonl").is_file()


def test_nothing_half_written_is_left(
    scans: Callable[[ScanResult], None], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    scans(samples.fleet())
    run(capsys, "scan", "local", f"--report=json:{tmp_path}/r.json")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["home", "r.json"]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["-o", "xml"], "-o xml: no such format"),
        (["--report", "json"], "not FORMAT:PATH"),
        (["--report", "xml:r.xml"], "FORMAT is one of audit, csv"),
        (["--report", "json:"], "not FORMAT:PATH"),
        (["--report", "json:/no/such/dir/r.json"], "there is no directory /no/such/dir"),
        (["--report", "json:/"], "is a directory"),
        (["--report", "json:r", "--report", "text:./r"], "another report goes to the same file"),
        (["-p", "no-such-policy"], "no-such-policy"),
        (["-m", "no.manifest"], "no.manifest"),
        (["--zones", "no.yaml"], "no.yaml"),
        (["-i", "no-inventory.yaml"], "no-inventory.yaml"),
    ],
)
def test_wrong_input_is_found_before_any_connection(
    words: list[str], says: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_given: object) -> None:
        pytest.fail("a connection was made")

    monkeypatch.setattr("driftscan.scan.look.open_session", never)
    said = run(capsys, "scan", "local", *words)
    assert (said.code, said.out) == (2, "")
    assert says in said.err


def test_no_target(capsys: pytest.CaptureFixture[str]) -> None:
    said = run(capsys, "scan")
    assert said.code == 2
    assert "no target" in said.err


def _kept(home: Path) -> list[str]:
    return [row.id for row in Store(home / ".local/state/driftscan").scans()]


def test_the_result_is_kept_for_explain(
    scans: Callable[[ScanResult], None], capsys: pytest.CaptureFixture[str], home: Path
) -> None:
    scans(samples.fleet())
    run(capsys, "scan", "local")
    assert _kept(home) == [samples.fleet().id]
    said = run(capsys, "explain", "F-00000002")
    assert said.code == 0
    assert "F-00000002  high: /etc/ssh/sshd_config was changed" in said.out


def test_quiet_prints_when_something_changed(
    scans: Callable[[ScanResult], None], capsys: pytest.CaptureFixture[str]
) -> None:
    """For cron, which mails what is printed. Exit codes stay; formats for programs are printed all the same."""
    bad, clean = _host(Verdict.FINDINGS, Severity.HIGH), samples.clean()
    for number, (host, words, printed) in enumerate(
        (
            (bad, ["-q"], True),
            (bad, ["-q"], False),
            (bad, ["-q", "-o", "json"], True),
            (bad, [], True),
            (clean, ["-q"], True),
            (clean, ["-q"], False),
        )
    ):
        scans(replace(samples.result(host), id=f"s{number}"))
        said = run(capsys, "scan", "local", *words)
        assert (said.code, bool(said.out)) == (int(host is bad), printed), number


def test_reports_have_the_trends_until_the_scan_and_read_back_the_same(
    scans: Callable[[ScanResult], None], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    bad, clean = _host(Verdict.FINDINGS, Severity.HIGH), samples.clean()
    for day, host in ((1, clean), (3, bad), (5, clean)):
        at = f"2026-11-{day:02}T10:00:00Z"
        scans(replace(samples.result(host), id=f"s{day}", started_at=at, finished_at=at))
        words = [f"--report={name}:{tmp_path}/{day}.{name}" for name in ("json", "html", "audit")]
        run(capsys, "scan", "local", *words)
    first, second, third = (json.loads((tmp_path / f"{day}.json").read_bytes())["trends"] for day in (1, 3, 5))
    assert first is None  # of one scan there is no trend
    assert (second["total"]["open"], second["total"]["opened"], second["total"]["resolved"]) == (1, 1, 0)
    assert (third["total"]["open"], third["total"]["opened"], third["total"]["resolved"]) == (0, 1, 1)
    assert (third["since"], third["until"]) == ("2026-11-01T10:00:00Z", "2026-11-05T10:00:00Z")
    assert [line["name"] for line in third["by"]["cause"]["lines"]] == ["file-added"]
    for day in (1, 3, 5):  # later scans do not change what an earlier one says
        for name in ("json", "html", "audit"):
            again = run(capsys, "report", f"{name}:{tmp_path}/again", "--scan", f"s{day}")
            assert again.code == 0
            assert (tmp_path / "again").read_bytes() == (tmp_path / f"{day}.{name}").read_bytes(), (day, name)
    assert 'id="trends"' not in (tmp_path / "1.html").read_text()
    assert 'id="trends"' in (tmp_path / "5.html").read_text()


def test_a_store_that_cannot_be_written_is_a_warning(
    scans: Callable[[ScanResult], None], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_given: object) -> None:
        raise IncompleteError("the disk is full", "Make room.")

    monkeypatch.setattr(Store, "save", full)
    scans(samples.result(samples.clean()))
    said = run(capsys, "scan", "local")
    assert said.code == 0
    assert "warning: the scan is not kept" in said.err
    assert "the disk is full. Make room." in said.err
    assert "channels" not in said.err


def test_a_store_that_everybody_may_write_to_is_said(
    scans: Callable[[ScanResult], None], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)
    scans(samples.result(samples.clean()))
    said = run(capsys, "scan", "-q", "local", "--store", str(tmp_path / "open"))
    assert f"warning: {tmp_path}/open: everybody may write to the store" in said.err
    (tmp_path / "open").chmod(0o700)
    scans(replace(samples.result(samples.clean()), id="again"))
    assert run(capsys, "scan", "-q", "local", "--store", str(tmp_path / "open")).err == ""


def _interrupting(count: int) -> Scan:
    def scan(
        _targets: Sequence[Target], _options: ScanOptions, _progress: Progress, stop: threading.Event
    ) -> ScanResult:
        for _ in range(count):
            os.kill(os.getpid(), signal.SIGINT)
        assert stop.is_set()
        return samples.result(samples.clean(), samples.unreachable(), interrupted=True)

    return scan


def test_ctrl_c_reports_what_is_finished(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(fleet, "scan", _interrupting(1))
    before = signal.getsignal(signal.SIGINT)
    said = run(capsys, "scan", "local", "-o", "json", f"--report=json:{tmp_path}/r.json")
    assert said.code == 130
    assert json.loads(said.out)["scan"]["interrupted"] is True
    assert read_report(f"{tmp_path}/r.json") == json.loads(said.out)
    assert "stopping" in said.err
    assert "interrupted" in said.err
    assert signal.getsignal(signal.SIGINT) is before


def test_the_second_ctrl_c_ends_at_once(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fleet, "scan", _interrupting(2))
    with pytest.raises(KeyboardInterrupt):
        run(capsys, "scan", "local")


def test_what_was_asked_for_reaches_the_scan(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, home: Path
) -> None:
    seen: list[tuple[Sequence[Target], ScanOptions]] = []

    def scan(targets: Sequence[Target], options: ScanOptions, *_rest: object) -> ScanResult:
        seen.append((targets, options))
        return samples.result(samples.clean())

    monkeypatch.setattr(fleet, "scan", scan)
    words = (
        "scan ssh://admin@h:2222 -m m -p a -p b --zones z --workers 7 --store st --identity key --sudo never --jump j"
    )
    run(capsys, *words.split(), "--timeout", "9", "--known-hosts", "kh", "--ssh-config", "sc", "--accept-new-host-keys")
    ((target,), options) = seen[0]
    assert (options.manifest, options.policies, options.zones, options.workers) == ("m", ("a", "b"), "z", 7)
    assert options.state_dir == Path("st")
    assert options.prompt is None
    assert target.host is not None
    connect = target.host.options
    assert (connect.user, connect.port, connect.sudo, connect.jump, connect.timeout) == ("admin", 2222, "never", "j", 9)
    assert connect.identity == (str(home / "key"),)
    assert connect.known_hosts == (str(home / "kh"),)
    assert connect.ssh_config == str(home / "sc")
    assert connect.accept_new_host_keys is True


def test_the_report_says_who_scanned_with_which_policies_and_program(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    snapshot = tmp_path / "a.snapshot"
    files.write_snapshot(
        Snapshot(host="a", target="a", taken_at="2026-11-20T10:00:00Z", resources=Resources(), coverage=()), snapshot
    )
    out = tmp_path / "r.json"
    run(capsys, "scan", f"snapshot:{snapshot}", "--report", f"json:{out}", "--store", str(tmp_path / "s"))
    scan = read_report(str(out))["scan"]
    assert "@" in scan["by"]
    assert "immutable-core/software" in {policy["name"] for policy in scan["policies"]}
    assert all(policy["digest"].startswith("sha256:") for policy in scan["policies"])
    assert scan["probe_digest"].startswith("sha256:")


def test_the_store_does_not_take_the_past_of_hosts_for_what_they_are(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "day").mkdir()
    files.write_snapshot(
        Snapshot(host="a", target="a", taken_at="2026-11-20T10:00:00Z", resources=Resources(), coverage=()),
        tmp_path / "day/x.snapshot",
    )
    ran = run(capsys, "scan", f"snapshot:{tmp_path}/day", "-o", "json")
    assert [each["host"] for each in json.loads(ran.out)["hosts"]] == ["a"]
    store = Store(content.state_directory())
    assert store.last_of_each() == []
    run(capsys, "scan", f"snapshot:{tmp_path}/day/x.snapshot")
    assert [each.host for each in store.last_of_each()] == [f"snapshot:{tmp_path}/day/x.snapshot"]


def test_who_became_root_by_sudo_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert who({"SUDO_USER": "alice"}).startswith("alice as root@")
    assert who({}).startswith("root@")
    monkeypatch.setattr(os, "geteuid", lambda: 54321)
    assert who({"SUDO_USER": "alice"}).startswith("uid 54321@")


def test_github_gets_the_whole_table_in_the_steps_summary(
    scans: Callable[[ScanResult], None],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    scans(samples.fleet())
    summary = tmp_path / "summary.md"
    summary.write_text("before\n")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    ran = run(capsys, "scan", "local", "-o", "github", "--store", str(tmp_path / "s"))
    assert ran.out.startswith("::error ")
    assert summary.read_text().startswith("before\n# driftscan\n")
    run(capsys, "scan", "local", "-o", "text", "--store", str(tmp_path / "s"))
    assert summary.read_text().count("# driftscan\n") == 1


def test_a_summary_that_github_would_refuse_is_cut_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    summary = tmp_path / "summary.md"
    whole = "".join(markdown.report.render(samples.fleet(), Style())).encode()
    for room in range(0, len(whole), 97):
        summary.write_bytes(b"")
        monkeypatch.setattr(_outputs, "MOST_SUMMARY", room + len(_outputs.SUMMARY_CUT))
        _outputs.append_summary(github.report, samples.fleet(), {"GITHUB_STEP_SUMMARY": str(summary)})
        written = summary.read_bytes()
        assert len(written) <= room + len(_outputs.SUMMARY_CUT) + len("  ```\n")
        assert written.endswith(_outputs.SUMMARY_CUT)
        assert written.count(b"```") % 2 == 0


def test_a_summary_that_cannot_be_written_is_an_unwritten_report(
    scans: Callable[[ScanResult], None],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    scans(samples.result(samples.clean()))
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "no" / "summary.md"))
    ran = run(capsys, "scan", "local", "-o", "github", "--store", str(tmp_path / "s"))
    assert ran.code == 3
    assert "summary cannot be written" in ran.err


def test_the_json_of_a_scan_is_made_once_for_all_places(
    capsys: pytest.CaptureFixture[str],
    scans: Callable[[ScanResult], None],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    made: list[ScanResult] = []
    pieces = json_report._pieces

    def counted(result: ScanResult) -> Iterator[str]:
        made.append(result)
        return pieces(result)

    monkeypatch.setattr(json_report, "_pieces", counted)
    scans(samples.result(_host(Verdict.CLEAN)))
    file, store = tmp_path / "r.json", tmp_path / "store"
    ran = run(capsys, "scan", "local", "-o", "json", "--report", f"json:{file}", "--store", str(store))
    kept = Store(store).last_scan()
    assert kept is not None
    assert ran.out == file.read_text() == Store(store).report(kept).decode()
    assert len(made) == 1
