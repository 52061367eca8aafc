"""A program of the user's own that is given data: a vector of arguments, never a shell, and a limit of time."""

import os
import signal
import subprocess
import tempfile
from collections.abc import Sequence
from contextlib import suppress

STDERR_TAIL = 1 << 12


def feed(argv: Sequence[str], data: bytes, seconds: float) -> tuple[int, bytes]:
    """Run a program with `data` on its standard input; its exit status, and the end of what it said on standard error.
    Standard output is dropped. 127 where it cannot be started, 124 where it did not end in time: then it is ended, and
    with it what it started in its session. One that does not read its input is no error."""
    with tempfile.TemporaryFile() as said:
        try:
            child = subprocess.Popen(
                list(argv), stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=said, start_new_session=True
            )
        except OSError as error:
            return 127, (error.strerror or "").encode()
        try:
            child.communicate(data, seconds)
            status = child.returncode
        except subprocess.TimeoutExpired:
            with suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
            child.wait()
            status = 124
        if child.stdin is not None:  # what left the session may hold its other end, and read nothing
            with suppress(OSError):
                child.stdin.close()
        said.seek(max(0, said.seek(0, os.SEEK_END) - STDERR_TAIL))
        return status, said.read()
