"""One program on a host, over one channel of an ssh connection, with both of its output streams always moving.

paramiko's own file objects and `exec_command().read()` in sequence hang once the other stream has filled the channel's
window (2 MiB); here standard error is taken whenever the other stream is looked at, and standard output also while a
write waits. A thread for it would cost more than all else that a short program needs.
"""

import functools
import time
from typing import TYPE_CHECKING

from driftscan.errors import DeadlineError, HostError, ProbeError, UnreachableError
from driftscan.transports.base import Ended

if TYPE_CHECKING:
    from paramiko import Channel

STDERR_TAIL = 1 << 16
CHUNK = 1 << 16
WAIT = 0.02
"""Seconds between two looks while a write is stuck, or at the end."""
SLICE = 0.5
"""Seconds between two looks at standard error while standard output is silent."""
MAX_PENDING = 256 << 20
"""Bytes of output that are kept while nobody reads: what a host may send while a write to it is stuck."""
# ssh_elevate.BOOT moves these statuses of the program out of the way of sudo's own.
STATUSES = {241: 1, 242: 126, 243: 127}


@functools.cache
def failures() -> tuple[type[Exception], ...]:
    """What paramiko raises when a connection fails it, whatever the call: taking bytes sends too (window updates)."""
    from paramiko import SSHException  # noqa: PLC0415 - heavy

    return (SSHException, EOFError, OSError)


class SshChannel:
    """See transports.base.Channel."""

    def __init__(self, channel: "Channel", where: str, deadline: float) -> None:
        """`channel` is open; `where` names the host in messages; writes end at `deadline`."""
        self._channel = channel
        self._where = where
        self._deadline = deadline
        self._pending = bytearray()
        self._ended_output = False
        self._stderr = bytearray()

    def start(self, command: str) -> None:
        """Have the login shell run a command. HostError if the host refuses that."""
        try:
            self._channel.exec_command(command)
        except failures() as error:
            if self._is_late():
                raise self._late() from error
            raise ProbeError(
                f"{self._where} did not let us run a command", "Is the account allowed to, or has it a forced command?"
            ) from error

    def write(self, data: bytes) -> None:
        """See transports.base.Channel."""
        view = memoryview(data)
        while view:
            self._channel.settimeout(WAIT)
            try:
                sent = self._channel.send(bytes(view[:CHUNK]))
            except TimeoutError:
                # The host takes no more for now: perhaps because it waits for us to take what it has written.
                self._pull()
            except failures() as error:
                raise self._lost() from error
            else:
                if sent == 0:
                    raise self._lost()
                view = view[sent:]
            if self._is_late():
                raise self._late()

    def read(self, deadline: float) -> bytes:
        """See transports.base.Channel."""
        if self._pending:
            data = bytes(self._pending[:CHUNK])
            del self._pending[:CHUNK]
            return data
        if self._ended_output:
            return b""
        data = self._receive(deadline)
        if not data:
            self._end_of_output()
        return data

    def _receive(self, deadline: float) -> bytes:
        while (remaining := deadline - time.monotonic()) > 0:
            self._drain()
            self._channel.settimeout(min(remaining, SLICE))
            try:
                return self._channel.recv(CHUNK)
            except TimeoutError:
                continue
            except failures() as error:
                raise self._lost() from error
        raise self._late()

    def unread(self, data: bytes) -> None:
        """Put bytes back in front."""
        self._pending[:0] = data

    def stderr_so_far(self) -> bytes:
        """The tail of standard error as it is now."""
        self._drain()
        return bytes(self._stderr)

    def forget_stderr(self) -> None:
        """Drop what standard error has said so far: it was about starting, not the program's."""
        self._drain()
        self._stderr = bytearray()

    def end_input(self) -> None:
        """See transports.base.Channel."""
        try:
            self._channel.shutdown_write()
        except failures():
            return

    def ended(self, deadline: float) -> Ended:
        """See transports.base.Channel. The status is None too for a program that a signal ended."""
        while not self._channel.status_event.wait(WAIT):
            self._pull()
            if time.monotonic() >= deadline:
                raise self._late()
        status = self._channel.exit_status
        patience = min(deadline, time.monotonic() + 1)
        while not (self._channel.eof_received or self._channel.closed) and time.monotonic() < patience:
            self._pull()
            time.sleep(WAIT)
        self._drain()
        return Ended(STATUSES.get(status, status) if status >= 0 else None, bytes(self._stderr))

    def close(self) -> None:
        """See transports.base.Channel. The program sees the end of its input and a closed output; a program that
        heeds neither goes on, since ssh has no way to end it."""
        try:
            self._channel.close()
        except failures():
            return

    def _pull(self) -> None:
        self._drain()
        while self._channel.recv_ready():
            if len(self._pending) >= MAX_PENDING:
                raise ProbeError(f"{self._where} sends without end", "Look at the host: nothing asked for that much.")
            try:
                self._pending += self._channel.recv(CHUNK)
            except failures() as error:
                raise self._lost() from error

    def _drain(self) -> None:
        while self._channel.recv_stderr_ready():
            try:
                data = self._channel.recv_stderr(CHUNK)
            except failures():
                return
            self._stderr = (self._stderr + data)[-STDERR_TAIL:]

    def _end_of_output(self) -> None:
        """A clean end, or the connection's: a host says that its output ends before it closes the channel."""
        if not self._channel.eof_received and self._channel.exit_status < 0:
            raise self._lost()
        self._ended_output = True

    def _is_late(self) -> bool:
        return time.monotonic() >= self._deadline

    def _late(self) -> HostError:
        return DeadlineError(f"{self._where} did not answer in time", "Give it more time with --timeout.")

    def _lost(self) -> HostError:
        if self._is_late():
            return self._late()
        transport = self._channel.get_transport()
        # A connection that is lost closes its channels before it calls itself inactive: on a busy machine long before.
        # What broke it, it holds before both; if the host said goodbye, that is nothing.
        if transport.saved_exception is None:
            transport.join(0.2)
        if transport.is_active() and transport.saved_exception is None:
            said = self.stderr_so_far().decode("utf-8", "replace").strip().rpartition("\n")[2][:300]
            return ProbeError(f"the program on {self._where} ended early", f"The host said: {said}" if said else "")
        return UnreachableError(
            f"the connection to {self._where} was lost", "Scan it again; if that recurs, see the host's sshd log."
        )
