"""One scan at a time, for those who ask for it: a lock that ends with the process, however that ends."""

import fcntl
import hashlib
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from driftscan.cli._command import Call
from driftscan.cli._targets import place, scope, state_directory
from driftscan.errors import IncompleteError, UsageError
from driftscan.model.names import show
from driftscan.scan.clock import now

_POLL = 0.2
"""Seconds between looks: flock(2) cannot be waited for with a limit."""


@contextmanager
def turn(call: Call) -> Iterator[None]:
    """With --exclusive: none but this scan of the same store and targets, on this machine, that asks for it, too.
    IncompleteError if another does not end within --wait. UsageError for --wait alone."""
    settings = call.settings
    if settings.wait and not settings.exclusive:
        raise UsageError("--wait: for what?", "It goes with --exclusive.")
    if not settings.exclusive:
        yield
        return
    descriptor = _open(_lock_file(call))
    try:
        _take(descriptor, settings.wait)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, json.dumps({"pid": os.getpid(), "since": now()}).encode(), 0)
        yield
    finally:
        os.close(descriptor)


def _lock_file(call: Call) -> Path:
    what = json.dumps([str(place(call)), scope(call.settings)])
    return state_directory(call) / "locks" / f"{hashlib.sha256(what.encode()).hexdigest()[:16]}.lock"


def _open(path: Path) -> int:
    try:
        os.makedirs(path.parent, mode=0o700, exist_ok=True)
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        hint = "Check the owner and mode of the state directory."
        raise IncompleteError(f"{show(str(path))}: cannot be locked: {error.strerror}", hint) from None


def _take(descriptor: int, seconds: int) -> None:
    until = time.monotonic() + seconds
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= until:
                hint = "Wait for it with --wait SECONDS, or scan less often; without --exclusive both run."
                raise IncompleteError(
                    f"another scan of the same targets is running{_holder(descriptor)}", hint
                ) from None
            time.sleep(_POLL)
        else:
            return


def _holder(descriptor: int) -> str:
    """Who holds it, as it says itself; nothing in the moment before it does."""
    try:
        told = json.loads(os.pread(descriptor, 1000, 0))
        return f": process {int(told['pid'])}, since {show(str(told['since']))}"
    except (OSError, ValueError, LookupError, TypeError):
        return ""
