"""A TCP connection through a jump host, as the stream of another ssh connection."""

import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from paramiko import Channel

GUARD_SECONDS = 1.0
"""For which the jump host's connection waits for a sender, lest the two wait for each other."""


class ForwardStream:
    """What paramiko's Transport wants of a socket. No byte is sent on the channel once it is closed: paramiko's own
    channels may do that when one thread sends while another closes, and OpenSSH answers by ending the whole connection,
    which here belongs to all hosts behind the jump host."""

    def __init__(self, channel: "Channel") -> None:
        """Takes charge of `channel`."""
        self._channel = channel
        self._guard = threading.Lock()
        channel.send_guard = self._guard  # type: ignore[attr-defined]

    def send(self, data: bytes) -> int:
        """Some of the data; TimeoutError, OSError."""
        with self._guard:
            return self._channel.send(data)

    def recv(self, size: int) -> bytes:
        """Some bytes; b"" at the end; TimeoutError."""
        return self._channel.recv(size)

    def settimeout(self, seconds: float) -> None:
        """For `send` and `recv`. paramiko sets a tenth of a second, so that `close` never waits for longer."""
        self._channel.settimeout(seconds)

    def close(self) -> None:
        """May be called twice."""
        with self._guard:
            self._channel.close()

    @property
    def _closed(self) -> bool:
        return self._channel.closed


def handle_close(handle: Any) -> Any:
    """paramiko's handler of the other side's close, made to wait for a send that has begun."""

    def guarded(channel: Any, message: Any) -> None:
        guard: threading.Lock | None = getattr(channel, "send_guard", None)
        if guard is None or not guard.acquire(timeout=GUARD_SECONDS):
            handle(channel, message)
            return
        try:
            handle(channel, message)
        finally:
            guard.release()

    return guarded
