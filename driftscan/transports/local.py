"""Programs on this very machine: for `local`, `rootfs:` and tests. Standard error is drained by a thread."""

import hashlib
import os
import selectors
import shutil
import signal
import stat
import subprocess
import sys
import threading
import time
from dataclasses import dataclass

from driftscan.errors import DeadlineError, HostError, ProbeError, SudoError
from driftscan.transports.base import Ended, Login
from driftscan.transports.program import TAKE, framed, missing, trusted

STDERR_TAIL = 1 << 16
CHUNK = 1 << 16


class LocalChannel:
    """A child process in a session of its own, so that all of it can be ended."""

    def __init__(self, argv: list[str]) -> None:
        """Start it. ProbeError if that can't be done."""
        try:
            self._child = subprocess.Popen(
                argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
            )
        except OSError as error:
            raise ProbeError(f"cannot start {argv[0]}: {error.strerror}") from error
        assert self._child.stdout is not None
        self._out = self._child.stdout.fileno()
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._out, selectors.EVENT_READ)
        self._stderr = b""
        self._drainer = threading.Thread(target=self._drain, daemon=True)
        self._drainer.start()

    def write(self, data: bytes) -> None:
        """See transports.base.Channel."""
        assert self._child.stdin is not None
        try:
            self._child.stdin.write(data)
            self._child.stdin.flush()
        except OSError as error:
            raise ProbeError("the probe ended early", self._stderr.decode("utf-8", "replace").strip()[-300:]) from error

    def read(self, deadline: float) -> bytes:
        """See transports.base.Channel."""
        if not self._selector.select(max(0.0, deadline - time.monotonic())):
            raise DeadlineError("the probe did not answer in time", "Give it more with --timeout.")
        return os.read(self._out, CHUNK)

    def end_input(self) -> None:
        """See transports.base.Channel."""
        assert self._child.stdin is not None
        try:
            self._child.stdin.close()
        except OSError:
            return

    def ended(self, deadline: float) -> Ended:
        """See transports.base.Channel."""
        try:
            status = self._child.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired as error:
            raise DeadlineError("the probe did not end in time") from error
        self._drainer.join(1)
        return Ended(status, self._stderr)

    def close(self) -> None:
        """See transports.base.Channel."""
        self.end_input()
        if self._child.poll() is None:
            try:
                os.killpg(self._child.pid, signal.SIGTERM)
                self._child.wait(2)
            except (OSError, subprocess.TimeoutExpired):
                self._child.kill()
        self._child.wait()
        self._drainer.join(1)
        self._selector.close()
        assert self._child.stdout is not None
        self._child.stdout.close()

    def _drain(self) -> None:
        """Closes what it reads by itself: what has left the session may hold the other end long after `close`."""
        assert self._child.stderr is not None
        with self._child.stderr as stream:
            while data := os.read(stream.fileno(), CHUNK):
                self._stderr = (self._stderr + data)[-STDERR_TAIL:]


@dataclass(frozen=True, slots=True)
class LocalTransport:
    """This machine; `sudo` is the option of that name (a root file system needs none)."""

    prefix: tuple[str, ...] = ()
    elevated: bool = False
    login: Login = Login()

    def run(self, script: str, arguments: tuple[str, ...] = ()) -> LocalChannel:
        """See transports.base.Transport. The scanner's own Python is offered to the probe."""
        offered = () if self.prefix else (sys.executable,)
        channel = LocalChannel([*self.prefix, "/bin/sh", "-c", f'{TAKE}; eval "$s"'])
        try:
            channel.write(framed(script, (*arguments, *offered)))
        except HostError:
            channel.close()
            raise
        return channel

    def run_file(self, path: str) -> tuple[LocalChannel, str]:
        """See transports.base.Transport."""
        try:
            there = os.lstat(path)
            with open(path, "rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise missing(path, "this machine") from error
        trusted(path, "this machine", there.st_uid, stat.S_IMODE(there.st_mode))
        return LocalChannel([*self.prefix, path]), f"sha256:{digest}"

    def close(self) -> None:
        """Nothing is held open."""


def connect(sudo: str = "auto", file: str = "") -> LocalTransport:
    """A transport to this machine, as root where `sudo` (auto, always, never) allows. `file`: what is to be run, where
    that is all that sudo may allow. SudoError for `always`."""
    if os.geteuid() == 0:
        return LocalTransport(elevated=True)
    if sudo == "never":
        return LocalTransport()
    program = shutil.which("sudo")
    asked = ("-l", file) if file else ("true",)
    if program and subprocess.run([program, "-n", *asked], capture_output=True, check=False).returncode == 0:
        return LocalTransport((program, "-n", "--"), elevated=True)
    if sudo == "always":
        raise SudoError("sudo on this machine asks for a password", "Run `sudo -v` first, or run driftscan as root.")
    return LocalTransport()
