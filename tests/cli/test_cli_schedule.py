"""`driftscan schedule`: what cron and systemd read is the command that was meant; and `scan --exclusive`."""

import fcntl
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftscan.cli._run import _find, _with_common, load
from driftscan.cli._settings import parse
from driftscan.cli._units import cron_word, systemd_word
from driftscan.errors import UsageError
from driftscan.scan import fleet
from tests.cli.runner import environment, run
from tests.reports import samples

WORDS = st.lists(
    st.text(st.characters(exclude_categories=["Cc", "Cs"]), max_size=20).map(lambda text: text or "-"), min_size=1
)


@given(WORDS)
def test_cron_and_its_shell_read_the_words_that_were_meant(words: list[str]) -> None:
    """crontab(5): an unescaped % is a line break; the backslash before one goes; the rest is the shell's."""
    line = " ".join(map(cron_word, words))
    assert not re.search(r"(?<!\\)%", line)
    assert shlex.split(line.replace("\\%", "%")) == words


@given(WORDS)
def test_systemd_reads_the_words_that_were_meant(words: list[str]) -> None:
    line = " ".join(map(systemd_word, words))
    assert [_systemd_reads(word) for word in re.findall(r'"(?:[^"\\]|\\.)*"|[^" ]+', line)] == words


def _systemd_reads(word: str) -> str:
    """systemd.service(5): quotes go, C's escapes are undone, %% is %, $$ is $; a single one would be more."""
    text = re.sub(r"\\(.)", r"\1", word[1:-1]) if word.startswith('"') else word
    assert not re.search(r"%|\$", text.replace("%%", "").replace("$$", ""))
    return text.replace("%%", "%").replace("$$", "$")


@pytest.mark.parametrize("quote", [cron_word, systemd_word])
def test_what_no_file_can_hold_is_refused(quote: object) -> None:
    with pytest.raises(UsageError, match="control characters"):
        quote("a\nb")  # type: ignore[operator]


@pytest.fixture
def inventory(home: Path) -> str:
    path = home / "the $fleet 100%.yaml"
    path.write_text("hosts:\n  web-1: {address: 10.0.0.11}\n")
    return path.name


def typed(words: list[str]) -> object:
    """The command line as driftscan reads it."""
    name, rest = _find(words[words.index("scan") :])
    return parse(_with_common(load(name)), rest)


def test_the_crontab_runs_what_was_asked_for(
    capsys: pytest.CaptureFixture[str], inventory: str, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DRIFTSCAN_FAIL_ON", "replace")
    said = run(
        capsys, "schedule", "cron", "-i", inventory, "web-*", "-p", "immutable-core", "--report", "json:x.json",
        "--every", "daily", "--full",
    )  # fmt: skip
    assert said.code == 0
    again = run(
        capsys, "schedule", "cron", "-i", inventory, "web-*", "-p", "immutable-core", "--report", "json:x.json",
        "--every", "daily", "--full",
    )  # fmt: skip
    assert again == said
    line = said.out.splitlines()[-1]
    found = re.fullmatch(r"(\d+) ([0-5]) \* \* \* driftscan (nice -n 10 /.*)", line)
    assert found is not None
    assert int(found[1]) < 60
    given = typed(shlex.split(found[3].replace("\\%", "%")))
    assert vars(given) | {"quiet": True, "exclusive": True} == vars(given)
    assert (given.inventory, given.target) == ([str(home / inventory)], ["web-*"])  # type: ignore[attr-defined]
    assert (given.policy, given.fail_on) == (["immutable-core"], "replace")  # type: ignore[attr-defined]
    assert (given.report, given.full) == ([f"json:{home}/x.json"], True)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["-i", "none.yaml"], "none.yaml"),
        (["local", "--store", "postgresql://u:secret@db/x"], "it has a password"),
        (["local", "--report", "nope:x"], "not FORMAT:PATH"),
        (["local", "--packages", "x" * 1000], "longer than the 990 bytes"),
    ],
)
def test_what_would_fail_each_time_fails_now(capsys: pytest.CaptureFixture[str], words: list[str], says: str) -> None:
    said = run(capsys, "schedule", "cron", *words)
    assert (said.code, said.out) == (2, "")
    assert says in said.err
    assert "secret" not in said.err


def units(text: str, folder: Path) -> tuple[Path, Path]:
    """The two files that were printed."""
    paths = []
    for part in re.split(r"^(?=# /etc/systemd/system/)", text, flags=re.MULTILINE)[1:]:
        path = folder / os.path.basename(part.splitlines()[0].removeprefix("# "))
        path.write_text(part)
        paths.append(path)
    service, timer = paths
    return service, timer


def analyzed(*words: str) -> subprocess.CompletedProcess[str]:
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("no systemd-analyze")
    return subprocess.run([program, *words], capture_output=True, text=True, check=False, timeout=600)


@pytest.mark.parametrize("target", [[], ["local"]], ids=["fleet", "local"])
def test_systemd_finds_nothing_wrong_with_the_units(
    capsys: pytest.CaptureFixture[str], inventory: str, tmp_path: Path, target: list[str]
) -> None:
    said = run(capsys, "schedule", "systemd", *(target or ["-i", inventory]))
    service, timer = units(said.out, tmp_path)
    found = analyzed("verify", "--man=no", str(service), str(timer))
    about = [line for line in (found.stdout + found.stderr).splitlines() if "driftscan" in line]
    assert (about, found.returncode) == ([], 0)


def test_reports_of_a_database_can_be_written(capsys: pytest.CaptureFixture[str], inventory: str) -> None:
    words = ("-i", inventory, "--store", "postgresql://db/x", "--store-reports")
    said = run(capsys, "schedule", "systemd", *words, "/mnt/reports")
    assert "ReadWritePaths=/mnt/reports\n" in said.out
    assert "ReadWritePaths" not in run(capsys, "schedule", "systemd", *words, "s3://bucket/fleet").out


def test_reports_may_go_to_the_state_that_is_made_later(capsys: pytest.CaptureFixture[str], inventory: str) -> None:
    """README's own line, before the account is made whose home that is."""
    words = ("schedule", "systemd", "-i", inventory, "--report", "json:/var/lib/driftscan/last.json")
    for more in ((), ("--store", "/var/lib/driftscan")):
        said = run(capsys, *words, *more)
        assert said.code == 0, said.err
        assert {"StateDirectory=driftscan", "TimeoutStartSec=6h"} <= set(said.out.splitlines())
        assert "ReadWritePaths" not in said.out
    assert run(capsys, *words[:-1], "json:/var/lib/driftscan/none/last.json").code == 2


def test_a_fleet_is_scanned_with_few_rights(capsys: pytest.CaptureFixture[str], inventory: str, tmp_path: Path) -> None:
    said = run(capsys, "schedule", "systemd", "-i", inventory, "--identity", "/home/ci/key", "--report", "json:x.json")
    assert "ProtectHome=read-only" in said.out
    assert f"ReadWritePaths={os.getcwd()}" in said.out
    service, _ = units(said.out, tmp_path)
    found = analyzed("security", "--offline=true", "--no-pager", "--threshold=20", str(service))
    assert found.returncode == 0, found.stdout[-300:]


@pytest.mark.parametrize(("target", "told"), [("web-1", True), ("local", False)])
def test_what_the_units_own_tmp_hides_is_told(
    capsys: pytest.CaptureFixture[str], inventory: str, target: str, *, told: bool
) -> None:
    said = run(capsys, "schedule", "systemd", "-i", inventory, target, "--report", "json:/var/tmp/x.json")
    assert said.code == 0
    assert ("warning: json:/var/tmp/x.json: the unit has a /tmp of its own" in said.err) is told


def test_a_machine_looks_at_itself_unconfined(capsys: pytest.CaptureFixture[str]) -> None:
    said = run(capsys, "schedule", "systemd", "local")
    assert "ProtectSystem" not in said.out
    assert "User=" not in said.out


@pytest.fixture
def scans(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fleet, "scan", lambda *_given: samples.result(samples.clean()))


HOLD = """\
import os, sys
from driftscan.cli import main
from driftscan.scan import fleet
def scan(*given):
    print("scanning", flush=True)
    sys.stdin.read()
    os._exit(0)
fleet.scan = scan
main.main(["scan", "local", "--exclusive"])
"""


@pytest.mark.usefixtures("scans")
def test_a_second_scan_is_refused_while_the_first_lives(capsys: pytest.CaptureFixture[str], home: Path) -> None:
    first = subprocess.Popen(
        [sys.executable, "-c", HOLD], cwd=home, env=environment(home), stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert first.stdout is not None
    assert first.stdin is not None
    try:
        assert first.stdout.readline() == b"scanning\n"
        said = run(capsys, "scan", "local", "--exclusive")
        assert (said.code, said.out) == (3, "")
        assert f"another scan of the same targets is running: process {first.pid}, since 20" in said.err
        assert run(capsys, "scan", "local").code == 0
        assert run(capsys, "scan", "rootfs:/", "--exclusive").code == 0
    finally:
        first.send_signal(signal.SIGKILL)
        first.wait()
        first.stdin.close()
        first.stdout.close()
    assert run(capsys, "scan", "local", "--exclusive").code == 0  # a lock ends with its process


@pytest.mark.usefixtures("scans")
def test_a_second_scan_may_wait(
    capsys: pytest.CaptureFixture[str], home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run(capsys, "scan", "local", "--exclusive").code == 0
    (lock,) = (home / ".local/state/driftscan/locks").iterdir()
    with lock.open("r+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        monkeypatch.setattr("driftscan.cli._turn.time.sleep", lambda _seconds: fcntl.flock(file, fcntl.LOCK_UN))
        assert run(capsys, "scan", "local", "--exclusive", "--wait", "60").code == 0
    said = run(capsys, "scan", "local", "--wait", "60")
    assert said.code == 2
    assert "--exclusive" in said.err
