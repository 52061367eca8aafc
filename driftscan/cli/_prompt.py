"""Asking a person for a secret (a key's passphrase, a sudo password) without echo."""

import os
import select
import threading
from collections.abc import Callable

from driftscan.cli._console import Console
from driftscan.errors import AuthenticationError
from driftscan.model.names import show

MAX_BYTES = 1024


def prompter(console: Console, stop: threading.Event) -> Callable[[str], str] | None:
    """What asks on the controlling terminal; None where there is none, or nobody is to be asked (-q)."""
    if console.quiet or not console.err.isatty():
        return None
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
    except OSError:
        return None
    return lambda question: _ask(console, stop, question)


def _ask(console: Console, stop: threading.Event, question: str) -> str:
    """Reads a line without echo, and gives up when the scan is to stop, so that Ctrl-C leaves the terminal in order."""
    import termios

    with console.silenced():
        terminal = os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY)
        try:
            before = termios.tcgetattr(terminal)
            quiet = termios.tcgetattr(terminal)
            quiet[3] &= ~termios.ECHO
            termios.tcsetattr(terminal, termios.TCSAFLUSH, quiet)
            try:
                os.write(terminal, f"{show(question)} ".encode("utf-8", "replace"))
                return _line(terminal, stop)
            finally:
                termios.tcsetattr(terminal, termios.TCSAFLUSH, before)
                os.write(terminal, b"\n")
        finally:
            os.close(terminal)


def _line(terminal: int, stop: threading.Event) -> str:
    while not stop.is_set():
        if select.select([terminal], [], [], 0.2)[0]:
            return os.read(terminal, MAX_BYTES).decode("utf-8", "surrogateescape").rstrip("\r\n")
    raise AuthenticationError("interrupted while a password was asked for")
