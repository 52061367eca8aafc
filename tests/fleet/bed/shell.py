"""Commands of this machine, and locks between processes that use the same state."""

from __future__ import annotations

import fcntl
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

# What the bed prints and compares must not depend on the caller's locale or PATH.
ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "LC_ALL": "C.UTF-8",
    "HOME": "/root",
    "DEBIAN_FRONTEND": "noninteractive",
}


class BedError(Exception):
    """The bed could not do what was asked; the message says what and why."""


def run(*command: str, stdin: str | None = None, timeout: float = 600) -> str:
    """Standard output of a command that must succeed."""
    done = attempt(*command, stdin=stdin, timeout=timeout)
    if done.returncode:
        said = (done.stderr or done.stdout).strip()[-2000:]
        raise BedError(f"{' '.join(command)}: exit status {done.returncode}: {said}")
    return done.stdout


def attempt(*command: str, stdin: str | None = None, timeout: float = 600) -> subprocess.CompletedProcess[str]:
    """A command that may fail."""
    try:
        return subprocess.run(
            command,
            input=stdin or "",
            capture_output=True,
            encoding="utf-8",
            errors="surrogateescape",
            timeout=timeout,
            env=ENVIRONMENT,
            check=False,
        )
    except subprocess.TimeoutExpired as late:
        raise BedError(f"{' '.join(command)}: not done after {timeout:g} s") from late


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Holds the lock that other processes of the bed take for the same work."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def wait_for(what: str, ready: Callable[[], bool], seconds: float) -> None:
    end = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > end:
            raise BedError(f"{what}: not so after {seconds:g} s")
        time.sleep(0.1)
