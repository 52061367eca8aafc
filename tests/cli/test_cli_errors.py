"""Errors that people see: what, where, what to do next; tracebacks only for those who ask."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from driftscan.errors import IncompleteError, UnreachableError, UsageError
from driftscan.manifests import files
from tests.cli.runner import environment, process, run


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["scna"], "Did you mean `driftscan scan`?"),
        (["policy", "lnt"], "Did you mean `driftscan policy lint`?"),
        (["frobnicate"], "no command 'frobnicate'"),
        (["--frobnicate", "scan"], "no command '--frobnicate'"),
        (["\x1b[31m"], "no command '\\x1b[31m'"),
    ],
)
def test_an_unknown_command(words: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    said = run(capsys, *words)
    assert (said.code, said.out) == (2, "")
    assert said.err.startswith("driftscan: error: ")
    assert says in said.err
    assert "\x1b" not in said.err


def test_options_before_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "-q", "--color", "never", "--config", "/dev/null", "probe", "--sudoers").code == 0
    assert "--color" in run(capsys, "--color", "blue", "probe", "--sudoers").err


def test_an_unexpected_exception_is_a_bug(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_path: str) -> None:
        raise RuntimeError("first line \x1b[31m\nsecond line")

    monkeypatch.setattr(files, "verify", broken)
    said = run(capsys, "verify", "x")
    assert said.code == 70
    assert "a bug in driftscan: RuntimeError: first line \\x1b[31m\n" in said.err
    assert "--debug" in said.err
    assert "Traceback" not in said.err
    assert "second line" not in said.err
    debugged = run(capsys, "verify", "x", "--debug")
    assert debugged.code == 70
    assert "Traceback" in debugged.err


@pytest.mark.parametrize(("error", "code"), [(IncompleteError, 3), (UnreachableError, 3), (UsageError, 2)])
def test_each_error_has_its_code_and_its_hint(
    error: type[Exception], code: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(_path: str) -> None:
        raise error("one\ntwo \x07", "Do this.")

    monkeypatch.setattr(files, "verify", fails)
    said = run(capsys, "verify", "x")
    assert said.code == code
    assert said.err == "driftscan: error: one\n  two \\x07\n  Do this.\n"
    assert "Traceback" in run(capsys, "--debug", "verify", "x").err


def test_a_variable_that_is_no_option_is_told(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DRIFTSCAN_FAILON", "high")
    monkeypatch.setenv("DRIFTSCAN_SUDO_PASSWORD", "open-sesame")
    said = run(capsys, "probe", "--sudoers")
    assert said.code == 0
    assert said.err == "driftscan: warning: DRIFTSCAN_FAILON is no option; did you mean DRIFTSCAN_FAIL_ON?\n"


def test_colour_of_messages(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR")
    monkeypatch.setenv("DRIFTSCAN_X", "1")
    assert "\x1b[33mwarning:" in run(capsys, "--color=always", "probe", "--sudoers").err
    assert "\x1b" not in run(capsys, "--color=auto", "probe", "--sudoers").err


def test_a_reader_that_goes_away_is_no_error(home: Path) -> None:
    script = f"{sys.executable} -m driftscan probe --print | head -n 1; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(
        ["bash", "-c", script],
        env=environment(home),
        cwd=home,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("\n") == 1


@pytest.mark.parametrize("words", ["probe --print", "--help", "scan --help"])
def test_a_full_disk_behind_standard_output(words: str, home: Path) -> None:
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "driftscan", *words.split()],
            env=environment(home), cwd=home, stdout=full, stderr=subprocess.PIPE, text=True, timeout=600, check=False,
        )  # fmt: skip
    assert done.returncode == 3
    assert "standard output: No space left on device" in done.stderr
    assert "Traceback" not in done.stderr


def test_text_that_the_terminals_encoding_lacks(home: Path) -> None:
    said = process(home, "verify", "gr\u00fc\u00df\u2026", extra={"PYTHONIOENCODING": "ascii"})
    assert said.code == 2
    assert "gr\\xfc\\xdf\\u2026" in said.err


def test_a_closed_standard_output(home: Path) -> None:
    done = subprocess.run(
        ["bash", "-c", f"{sys.executable} -m driftscan probe --sudoers >&-"],
        env=environment(home), cwd=home, stderr=subprocess.PIPE, text=True, timeout=600, check=False,
    )  # fmt: skip
    assert done.returncode == 3
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("kind", ["closed", "full", "nobody reads"])
def test_messages_that_nobody_gets_do_not_change_the_exit_code(kind: str, home: Path) -> None:
    words, err = f"{sys.executable} -m driftscan verify nothing", -1
    if kind == "full":
        err = os.open("/dev/full", os.O_WRONLY)
    elif kind == "nobody reads":
        reader, err = os.pipe()
        os.close(reader)
    try:
        done = subprocess.run(
            ["bash", "-c", words + (" 2>&-" if err < 0 else f" 2>&{err}")],
            env=environment(home), cwd=home, pass_fds=() if err < 0 else (err,), stdout=subprocess.PIPE, timeout=60,
            check=False,
        )  # fmt: skip
    finally:
        if err >= 0:
            os.close(err)
    assert (done.returncode, done.stdout) == (2, b"")
