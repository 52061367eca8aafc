"""The screen: data on standard output, messages on standard error, one status line, colours where wanted."""

import os
import shutil
import sys
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TextIO

from driftscan.errors import DriftscanError, IncompleteError
from driftscan.model.names import show
from driftscan.reports._base import Style

CLEAR = "\r\x1b[2K"


class Console:
    """Where a command writes. Safe to call from several threads and from a signal handler of the same thread."""

    def __init__(
        self,
        environ: Mapping[str, str],
        *,
        color: str = "auto",
        quiet: bool = False,
        verbose: int = 0,
        out: TextIO | None = None,
        err: TextIO | None = None,
    ) -> None:
        """`color`: auto, always, never; `out` and `err` default to the process's streams."""
        self.out = out or sys.stdout
        self.err = err or sys.stderr
        self.quiet = quiet
        self.verbose = verbose
        self._closed = False
        self._dumb = environ.get("TERM") == "dumb"
        self._status = ""
        self._held: list[str] | None = None
        self._lock = threading.RLock()
        self._colors = {stream: _wants_color(stream, color, environ) for stream in (self.out, self.err)}

    @property
    def interactive(self) -> bool:
        """Whether a person watches standard error, so that a status line makes sense."""
        return self.err.isatty() and not self._dumb and not self.quiet

    @property
    def width(self) -> int:
        """Columns for text: the terminal's, or 100 where there is none."""
        return max(40, min(shutil.get_terminal_size((100, 24)).columns, 160))

    @property
    def style(self) -> Style:
        """For reports on standard output."""
        return Style(width=self.width, color=self._colors[self.out], verbose=self.verbose)

    def write(self, text: str, /) -> None:
        """Data. A reader that went away (`| head`) is no error; a full disk is IncompleteError."""
        self.writelines((text,))

    def writelines(self, lines: Iterable[str], /) -> None:
        """Data in pieces, as `write`."""
        with self._lock:
            if self._closed:
                return
            self.status("")
            try:
                self.out.writelines(lines)
                self.out.flush()
            except BrokenPipeError:
                self._abandon()
            except OSError as error:
                self._abandon()
                raise IncompleteError(
                    f"standard output: {error.strerror}", "What was printed is not whole; use --report for files."
                ) from None

    def note(self, text: str) -> None:
        """A message for people, unless they want none."""
        if not self.quiet:
            self._message(text)

    def detail(self, text: str) -> None:
        """A message for those who asked for more (-v)."""
        if self.verbose and not self.quiet:
            self._message(text)

    def warn(self, text: str) -> None:
        """Something that is wrong but stops nothing; said even when quiet."""
        self._message(f"driftscan: {self._paint('warning:', '33')} {text}")

    def error(self, error: DriftscanError) -> None:
        """What happened, and what to do next."""
        self._message(f"driftscan: {self._paint('error:', '1;31')} {_lines(error.message)}")
        if error.hint:
            self._message(f"  {_lines(error.hint)}")

    def status(self, text: str) -> None:
        """Replace the status line; empty removes it. Nothing where nobody watches."""
        with self._lock:
            if (text or self._status) and self.err.isatty() and self._held is None:
                columns = shutil.get_terminal_size((100, 24)).columns
                self._say(CLEAR + text[: columns - 1])
            self._status = text

    @contextmanager
    def silenced(self) -> Iterator[None]:
        """The terminal for one's own: what others have to say meanwhile is said afterwards, and nobody waits for it."""
        with self._lock:
            self.status("")
            self._held = []
        try:
            yield
        finally:
            with self._lock:
                held, self._held = self._held or [], None
                for text in held:
                    self._message(text)

    def _message(self, text: str) -> None:
        with self._lock:
            if self._held is not None:
                self._held.append(text)
                return
            kept = self._status
            self.status("")
            self._say(text + "\n")
            self.status(kept)

    def _say(self, text: str) -> None:
        """To standard error. Where nobody reads it, or its disk is full, there is nobody to be told that, and what the
        command found stays found: its exit code is the one it would have had."""
        try:
            self.err.write(text)
            self.err.flush()
        except OSError:
            _abandoned(self.err)

    def _abandon(self) -> None:
        self._closed = True
        _abandoned(self.out)

    def _paint(self, text: str, code: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self._colors[self.err] else text


def _abandoned(stream: TextIO) -> None:
    """Later writes, and the interpreter's last flush, go nowhere."""
    try:
        number = stream.fileno()
    except (OSError, ValueError):
        return
    sink = os.open(os.devnull, os.O_WRONLY)
    os.dup2(sink, number)
    os.close(sink)


def _wants_color(stream: TextIO, color: str, environ: Mapping[str, str]) -> bool:
    if color != "auto":
        return color == "always"
    return stream.isatty() and not environ.get("NO_COLOR") and environ.get("TERM") != "dumb"


def _lines(text: str) -> str:
    """An error may list several problems, one a line; each line is made safe by itself."""
    return "\n  ".join(show(line) for line in text.split("\n"))
