"""How a scan goes: a status line for who watches, a line per host for logs."""

import threading
import time
from collections.abc import Callable

from driftscan.cli._console import Console
from driftscan.model.finding import Action, Verdict
from driftscan.model.names import show
from driftscan.model.result import HostResult

SHOWN = 4
"""Hosts that the status line names."""


class ConsoleProgress:
    """A scan.progress.Progress on a console."""

    def __init__(self, console: Console, total: int, clock: Callable[[], float] = time.monotonic) -> None:
        """`total`: how many targets there are; `clock`: seconds."""
        self._console = console
        self._total = total
        self._clock = clock
        self._begun = clock()
        self._done = 0
        self._running: dict[str, str] = {}
        self._lock = threading.Lock()
        self._closed = False

    def close(self) -> None:
        """Remove the status line; threads that an interrupted scan left behind say nothing from here on."""
        with self._lock:
            self._closed = True
            self._console.status("")

    def started(self, target: str) -> None:
        """Work on a target begins."""
        self.phase(target, "connect")

    def phase(self, target: str, name: str) -> None:
        """A target enters a phase."""
        with self._lock:
            self._running[target] = name
            self._show()

    def finished(self, target: str, result: HostResult) -> None:
        """A target's result is known: a line in logs, one more in the count on a terminal."""
        with self._lock:
            self._running.pop(target, None)
            self._done += 1
            self._show(host_line(result))

    def _show(self, log: str = "") -> None:
        """Called under the lock, so that lines come in the order of what they tell."""
        if self._closed:
            return
        if self._console.interactive:
            self._console.status(self._line())
        elif log:
            self._console.note(log)

    def _line(self) -> str:
        seconds = int(self._clock() - self._begun)
        named = [f"{show(target)} {phase}" for target, phase in list(self._running.items())[:SHOWN]]
        more = len(self._running) - len(named)
        if more:
            named.append(f"{more} more")
        return f"[{self._done}/{self._total}] {seconds // 60}:{seconds % 60:02}  {', '.join(named)}"


def host_line(result: HostResult) -> str:
    """One line for logs: the verdict, what to do, and the reason."""
    action = result.recommendation.action
    todo = f", {action.word}" if action is not Action.NONE else ""
    found = result.verdict is Verdict.FINDINGS
    why = result.errors[0].message if result.errors and not found else result.recommendation.sentence
    return f"{show(result.host)}: {result.verdict.value}{todo}" + (f": {show(why)}" if why else "")
