"""The screen: one status line that leaves no trace, colours, and questions without echo."""

import io
import os
import pty
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from driftscan.cli._console import Console
from driftscan.cli._progress import SHOWN, ConsoleProgress, host_line
from driftscan.errors import DriftscanError, IncompleteError
from tests.cli.runner import environment
from tests.reports import samples


class Terminal(io.StringIO):
    """A stream that says that it is a terminal."""

    def isatty(self) -> bool:
        """Yes."""
        return True


class Full(io.StringIO):
    """A stream on a full disk."""

    def writelines(self, _lines: object, /) -> None:
        """Never works."""
        raise OSError(28, "No space left on device")


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """A person watches."""
    monkeypatch.setenv("COLUMNS", "60")
    return Terminal()


def test_the_status_line_is_replaced_and_removed(terminal: Terminal) -> None:
    console = Console({}, err=terminal, out=io.StringIO())
    progress = ConsoleProgress(console, 2, clock=lambda: 61.0)
    progress.started("web-1")
    progress.phase("web-1", "walk")
    progress.finished("web-1", samples.drifted())
    console.status("")
    pieces = terminal.getvalue().split("\r\x1b[2K")
    assert pieces == ["", "[0/2] 0:00  web-1 connect", "[0/2] 0:00  web-1 walk", "[1/2] 0:00  ", ""]


def test_a_dumb_terminal_gets_lines(terminal: Terminal) -> None:
    progress = ConsoleProgress(Console({"TERM": "dumb"}, err=terminal, out=io.StringIO()), 1)
    progress.started("web-1")
    progress.finished("web-1", samples.clean())
    assert terminal.getvalue() == host_line(samples.clean()) + "\n"


def test_a_straggler_says_nothing_after_the_end(terminal: Terminal) -> None:
    """A thread that an interrupted scan left behind must not write into the report or over the prompt."""
    for err in (terminal, io.StringIO()):
        progress = ConsoleProgress(Console({}, err=err, out=io.StringIO()), 1)
        progress.started("web-1")
        progress.close()
        before = err.getvalue()
        progress.phase("web-1", "walk")
        progress.finished("web-1", samples.clean())
        assert err.getvalue() == before


def test_the_status_line_fits_and_shows_no_control(terminal: Terminal) -> None:
    console = Console({}, err=terminal, out=io.StringIO())
    progress = ConsoleProgress(console, 99)
    for index in range(SHOWN + 3):
        progress.started(f"host-{index}\x1b[31m\n")
    last = terminal.getvalue().split("\r\x1b[2K")[-1]
    assert len(last) < 60
    assert "\x1b" not in last
    assert "\n" not in last


def test_messages_leave_the_status_line_in_place(terminal: Terminal) -> None:
    console = Console({}, err=terminal, out=io.StringIO())
    console.status("[1/2]")
    console.note("a message")
    assert terminal.getvalue().endswith("\r\x1b[2Ka message\n\r\x1b[2K[1/2]")


def test_nothing_is_written_over_a_question_and_nothing_is_lost(terminal: Terminal) -> None:
    console = Console({"NO_COLOR": "1"}, err=terminal, out=io.StringIO())
    progress = ConsoleProgress(console, 1)
    progress.started("web-1")

    def tell() -> None:
        progress.phase("web-1", "walk")
        console.warn("later")

    with console.silenced():
        before = terminal.getvalue()
        thread = threading.Thread(target=tell)
        thread.start()
        thread.join(600)
        assert not thread.is_alive(), "whoever tells progress must not wait for a person's answer"
        assert terminal.getvalue() == before
    assert "driftscan: warning: later\n" in terminal.getvalue()


def test_logs_get_a_line_per_host_and_no_status() -> None:
    err = io.StringIO()
    progress = ConsoleProgress(Console({}, err=err, out=io.StringIO()), 1)
    progress.started("web-1")
    progress.phase("web-1", "walk")
    progress.finished("web-1", samples.unreachable())
    assert err.getvalue() == host_line(samples.unreachable()) + "\n"


def test_a_host_line_is_one_line_and_says_why_it_is_as_it_is() -> None:
    assert host_line(samples.attacked()).isprintable()
    drifted = samples.drifted()
    blind = replace(drifted, errors=samples.unreachable().errors)
    assert drifted.recommendation.sentence in host_line(blind)
    assert samples.unreachable().errors[0].message in host_line(samples.unreachable())


@pytest.mark.parametrize(
    ("color", "environ", "tty", "wanted"),
    [
        ("auto", {}, True, True),
        ("auto", {}, False, False),
        ("auto", {"NO_COLOR": "1"}, True, False),
        ("auto", {"NO_COLOR": ""}, True, True),
        ("auto", {"TERM": "dumb"}, True, False),
        ("always", {"NO_COLOR": "1"}, False, True),
        ("never", {}, True, False),
    ],
)
def test_colours(color: str, environ: dict[str, str], tty: bool, wanted: bool) -> None:
    out = Terminal() if tty else io.StringIO()
    assert Console(environ, color=color, out=out, err=io.StringIO()).style.color is wanted


def test_quiet_still_tells_errors() -> None:
    err = io.StringIO()
    console = Console({}, quiet=True, out=io.StringIO(), err=err)
    console.note("n")
    console.detail("d")
    console.error(DriftscanError("what\x1b", "do"))
    assert err.getvalue() == "driftscan: error: what\\x1b\n  do\n"


def test_details_are_for_those_who_ask() -> None:
    for verbose, said in ((0, ""), (1, "d\n")):
        err = io.StringIO()
        Console({}, verbose=verbose, out=io.StringIO(), err=err).detail("d")
        assert err.getvalue() == said


def test_a_full_disk_is_told_once() -> None:
    console = Console({}, out=Full(), err=io.StringIO())
    with pytest.raises(IncompleteError, match="No space left"):
        console.write("x")
    console.write("y")


ASK = """
import signal, sys, threading
from driftscan.cli._console import Console
from driftscan.cli._prompt import prompter
from driftscan.errors import HostError
stop = threading.Event()
signal.signal(signal.SIGINT, lambda *_: stop.set())
ask = prompter(Console({}), stop)
assert ask is not None
try:
    said = ask("password\\x1b[31m of web-1:")
    sys.stderr.write(f"<{len(said)} {hash(said) == hash('sesame')}>")
except HostError as error:
    sys.stderr.write(f"<{error.message}>")
"""


@pytest.fixture
def asked(home: Path) -> Iterator[tuple[int, "subprocess.Popen[bytes]"]]:
    """A process that asks for a password, and the terminal at which it does."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-c", ASK], stdin=theirs, stdout=theirs, stderr=theirs,
        env=environment(home, TERM="xterm"), preexec_fn=_take_terminal,  # noqa: PLW1509 - no threads here
    ) as child:  # fmt: skip
        yield ours, child
    os.close(ours)
    os.close(theirs)


def _take_terminal() -> None:
    import fcntl  # noqa: PLC0415 - in the child
    import termios  # noqa: PLC0415 - in the child

    os.setsid()
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def _until(ours: int, wanted: bytes) -> bytes:
    seen = b""
    while wanted not in seen:
        assert select.select([ours], [], [], 600)[0], seen
        seen += os.read(ours, 1000)
    return seen


def _echo(ours: int) -> bool:
    import termios  # noqa: PLC0415 - beside its one use

    return bool(termios.tcgetattr(ours)[3] & termios.ECHO)


def test_a_secret_is_asked_for_without_echo(asked: tuple[int, "subprocess.Popen[bytes]"]) -> None:
    ours, child = asked
    shown = _until(ours, b"of web-1:")
    assert b"\x1b[31m" not in shown
    assert not _echo(ours)
    os.write(ours, b"sesame\n")
    said = _until(ours, b">")
    assert b"<6 True>" in said
    assert b"sesame" not in said
    child.wait(600)
    assert _echo(ours)


def test_ctrl_c_at_the_question_leaves_the_terminal_in_order(asked: tuple[int, "subprocess.Popen[bytes]"]) -> None:
    ours, child = asked
    _until(ours, b"of web-1:")
    child.send_signal(signal.SIGINT)
    assert b"<interrupted" in _until(ours, b">")
    child.wait(600)
    assert _echo(ours)


def test_nobody_is_asked_where_nobody_watches() -> None:
    from driftscan.cli._prompt import prompter  # noqa: PLC0415 - beside its one use

    stop = threading.Event()
    assert prompter(Console({}, out=io.StringIO(), err=io.StringIO()), stop) is None
    assert prompter(Console({}, quiet=True, out=io.StringIO(), err=Terminal()), stop) is None
