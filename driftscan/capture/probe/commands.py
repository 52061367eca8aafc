"""Commands that the probe runs: bounded in time and output, and ended with all that they started. Standard library of
Python 3.6 to 3.14; imports nothing of driftscan. The module subprocess would cost a scan 8 ms of the target's time."""

import os
import select
import signal
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import NoReturn

STDERR_TAIL = 4096
PIECE = 1 << 16


def find_program(name: bytes) -> bytes:
    """The path of a program, looked for in PATH; empty where there is none."""
    folders = [b""] if b"/" in name else [folder + b"/" for folder in os.fsencode(os.environ["PATH"]).split(b":")]
    for folder in folders:
        path = folder + name
        if os.path.isfile(path) and os.access(path, os.X_OK):
            return path
    return b""


def run_command(path: bytes, argv: "list[bytes]", limit: int, timeout: int) -> "tuple[bytes, bytes, str, int]":
    """(stdout, tail of stderr, status, exit code) of a command within limits: `ok`, `truncated`, `timed_out`."""
    out_read, out_write = os.pipe()
    error_read, error_write = os.pipe()
    pid = os.fork()
    if not pid:
        become(path, argv, out_write, error_write)
    os.close(out_write)
    os.close(error_write)
    try:
        data, errors, status, code = drained(pid, out_read, error_read, limit, time.monotonic() + timeout)
    finally:
        os.close(out_read)
        os.close(error_read)
    return data, errors, status, code


def become(path: bytes, argv: "list[bytes]", output: int, error: int) -> "NoReturn":
    """The life of a child: a session of its own, nothing to read, a plain environment."""
    try:
        os.setsid()
        nothing = os.open("/dev/null", os.O_RDONLY)
        for source, target in ((nothing, 0), (output, 1), (error, 2)):
            os.dup2(source, target)
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        plain = {"LC_ALL": "C", "HOME": "/", "SYSTEMD_PAGER": "", "SYSTEMD_COLORS": "0", "PATH": os.environ["PATH"]}
        os.execve(path, argv, plain)
    finally:
        os._exit(126)


def drained(pid: int, output: int, error: int, limit: int, deadline: float) -> "tuple[bytes, bytes, str, int]":
    """What a child writes, until it ends or a limit ends it and its session."""
    parts: "list[bytes]" = []
    errors = b""
    size = 0
    status = "ok"
    still = {output, error}
    while still and status == "ok":
        ready = select.select(list(still), [], [], max(0.0, deadline - time.monotonic()))[0]
        if not ready:
            status = "timed_out"
        for handle in ready:
            data = os.read(handle, PIECE)
            if not data:
                still.discard(handle)
            elif handle == error:
                errors = (errors + data)[-STDERR_TAIL:]
            else:
                size += len(data)
                parts.append(data)
        if size > limit:
            status = "truncated"
    code = ended(pid, deadline if status == "ok" else 0.0)
    if code is None:
        status = "timed_out" if status == "ok" else status
    return b"".join(parts)[:limit], errors, status, -9 if code is None else code


def ended(pid: int, deadline: float) -> "int | None":
    """The exit code of a child (negative: the signal that ended it); None if it had to be killed."""
    pause = 0.0005
    while True:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return os.WEXITSTATUS(status) if os.WIFEXITED(status) else -os.WTERMSIG(status)
        if time.monotonic() >= deadline:
            break
        time.sleep(pause)
        pause = min(pause * 2, 0.05)
    try:
        os.killpg(pid, signal.SIGKILL)
    except OSError:
        pass
    os.waitpid(pid, 0)
    return None
