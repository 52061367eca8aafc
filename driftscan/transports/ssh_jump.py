"""Connections to jump hosts, each shared by all hosts behind it and closed with the last of them."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from driftscan.errors import DeadlineError, HostError
from driftscan.transports.ssh_config import Endpoint
from driftscan.transports.ssh_connection import Connection

REMEMBER_FAILURE = 10.0
"""Seconds: hosts that wait together for one jump host fail together, instead of trying its door one after another."""


@dataclass(slots=True)
class _Slot:
    lock: threading.Lock = field(default_factory=threading.Lock)
    connection: Connection | None = None
    users: int = 0
    failure: HostError | None = None
    failed_at: float = 0.0


class Lease:
    """The use of a jump host's connection by one host."""

    def __init__(self, connection: Connection, release: Callable[[], None]) -> None:
        """`release` is called once."""
        self.connection = connection
        self._release: Callable[[], None] | None = release

    def close(self) -> None:
        """Give it back. May be called twice."""
        release, self._release = self._release, None
        if release is not None:
            release()


class Jumps:
    """The jump hosts of one run. Safe to use from many threads."""

    def __init__(self) -> None:
        """None yet."""
        self._lock = threading.Lock()
        self._slots: dict[Endpoint, _Slot] = {}

    def lease(self, endpoint: Endpoint, deadline: float, open_connection: Callable[[], Connection]) -> Lease:
        """The connection to a jump host, opened by the first who needs it. HostError of the jump host."""
        with self._lock:
            slot = self._slots.setdefault(endpoint, _Slot())
        if not slot.lock.acquire(timeout=max(0.0, deadline - time.monotonic())):
            raise DeadlineError(f"jump host {endpoint}: no login in time", "Give it more time with --timeout.")
        try:
            if slot.failure is not None and time.monotonic() - slot.failed_at < REMEMBER_FAILURE:
                raise slot.failure
            if slot.connection is None or not slot.connection.transport.is_active():
                slot.connection, slot.users = self._opened(slot, open_connection), 0
            slot.users += 1
            connection = slot.connection
        finally:
            slot.lock.release()
        return Lease(connection, lambda: _release(slot, connection))

    @staticmethod
    def _opened(slot: _Slot, open_connection: Callable[[], Connection]) -> Connection:
        slot.failure = None
        try:
            connection = open_connection()
        except HostError as error:
            failure = type(error)(f"jump host: {error.message}", error.hint)
            # A host that ran out of its own time says nothing about the jump host.
            if not isinstance(error, DeadlineError):
                slot.failure, slot.failed_at = failure, time.monotonic()
            raise failure from error
        connection.outlive()
        return connection


def _release(slot: _Slot, connection: Connection) -> None:
    with slot.lock:
        if slot.connection is not connection:  # it died and was replaced
            return
        slot.users -= 1
        if slot.users == 0:
            slot.connection = None
            connection.close()
