"""Ctrl-C: the first one asks a scan to end with what it has, the second one ends driftscan at once."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from driftscan.cli._console import Console


@contextmanager
def graceful(console: Console) -> Iterator[threading.Event]:
    """An event that Ctrl-C or SIGTERM sets; KeyboardInterrupt on the second signal. The handlers that were there
    before come back at the end."""
    stop = threading.Event()

    def handle(_number: int, _frame: FrameType | None) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()
        console.note("driftscan: stopping; what is finished will be reported. Once more: stop at once.")

    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
