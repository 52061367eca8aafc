"""One ssh connection: key exchange, the host's key checked, logged in. The same for a host and for a jump host."""

import contextlib
import functools
import itertools
import logging
import socket
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from driftscan.errors import AuthenticationError, DeadlineError, UnreachableError
from driftscan.model.names import show
from driftscan.transports.known_hosts import HostKey
from driftscan.transports.ssh_agent import Agent, agent_socket
from driftscan.transports.ssh_auth import Login
from driftscan.transports.ssh_channel import failures
from driftscan.transports.ssh_config import Endpoint
from driftscan.transports.ssh_forward import ForwardStream, handle_close
from driftscan.transports.ssh_host_key import HostKeyPolicy
from driftscan.transports.ssh_keys import Search

if TYPE_CHECKING:
    from paramiko import Channel, Transport

KEEPALIVE_SECONDS = 20
MAX_PACKET = 1 << 18
"""Bytes: what OpenSSH takes (PACKET_MAX_SIZE). paramiko would take four GiB."""
WINDOW = 2 << 20
"""Bytes of a channel that a host may send before we take them: OpenSSH's own measure."""
POLL = 0.01
LOGIN_SECONDS = 60.0
"""For one authentication request; an agent may ask a person meanwhile."""
# Broken or weak (CBC modes, 3DES, MD5, truncated SHA-1); what every OpenSSH since 5.3 has remains.
DISABLED = {
    "ciphers": ["aes128-cbc", "aes192-cbc", "aes256-cbc", "3des-cbc"],
    "macs": ["hmac-md5", "hmac-md5-96", "hmac-sha1-96"],
}


@dataclass(frozen=True, slots=True)
class Limits:
    """Time and turns."""

    deadline: float
    """Of time.monotonic(): by then everything has ended."""
    connect_seconds: float
    """For the connection, and again for the key exchange."""
    slots: threading.Semaphore
    """How many key exchanges run at once: they are CPU-bound."""

    def left(self, most: float) -> float:
        """Seconds that one step may take."""
        return max(0.0, min(most, self.deadline - time.monotonic()))


class Connection:
    """A live, authenticated connection. At its deadline it is closed whatever it is doing: several of paramiko's
    calls wait without a limit of their own."""

    def __init__(self, transport: "Transport", endpoint: Endpoint, deadline: float) -> None:
        """Takes charge of `transport`."""
        self.transport = transport
        self.endpoint = endpoint
        self.key = ""
        """The fingerprint of the key that was taken; empty: logged in without one."""
        self._watchdog = threading.Timer(max(0.0, deadline - time.monotonic()), transport.close)
        self._watchdog.daemon = True
        self._watchdog.start()

    def outlive(self) -> None:
        """Lift the deadline, for a connection that several hosts share."""
        self._watchdog.cancel()

    def open_session(self, limits: Limits) -> "Channel":
        """A channel for a program. DeadlineError, UnreachableError."""
        return self._open(limits, "the host opened no session", "Does it limit sessions (MaxSessions)?")

    def open_forward(self, endpoint: Endpoint, limits: Limits) -> ForwardStream:
        """A channel that is a TCP connection from this host to another. DeadlineError, UnreachableError."""
        channel = self._open(
            limits,
            f"it could not connect to {endpoint.address} port {endpoint.port}",
            "Is that host up, and may the jump host forward (AllowTcpForwarding) and reach it?",
            (endpoint.address, endpoint.port),
        )
        patience = time.monotonic() + limits.left(limits.connect_seconds)
        while not (channel.recv_ready() or channel.closed or channel.eof_received):
            if time.monotonic() >= patience:
                channel.close()
                raise UnreachableError(
                    f"{endpoint}: no SSH server answers there (asked through {self.endpoint})",
                    "Is that the right port, and is the host overloaded?",
                )
            time.sleep(POLL)
        return ForwardStream(channel)

    def _open(self, limits: Limits, failure: str, hint: str, destination: tuple[str, int] | None = None) -> "Channel":
        seconds = limits.left(limits.connect_seconds)
        began = time.monotonic()
        try:
            if destination is None:
                return self.transport.open_session(window_size=WINDOW, timeout=seconds)
            return self.transport.open_channel("direct-tcpip", destination, ("127.0.0.1", 0), timeout=seconds)
        except failures() as error:
            if time.monotonic() >= limits.deadline:
                raise DeadlineError(
                    f"{self.endpoint} did not answer in time", "Give it more with --timeout."
                ) from error
            said = show(str(error))[:200]
            if time.monotonic() >= began + seconds:
                hint = "It is logged in to, but starts nothing: is it overloaded, or does what sshd logs to hang?"
            raise UnreachableError(f"{self.endpoint}: {failure} ({said})", hint) from error

    def close(self) -> None:
        """Never raises."""
        self._watchdog.cancel()
        with contextlib.suppress(*failures()):
            self.transport.close()


def log_in(
    endpoint: Endpoint, stream: "socket.socket | ForwardStream", policy: HostKeyPolicy, search: Search, limits: Limits
) -> Connection:
    """A connection over `stream`, which it takes charge of. Nothing but the key exchange is sent before the host's key
    has been found good. HostError of each kind; the stream is closed then."""
    notes: list[str] = []
    agent = Agent(agent_socket(endpoint.agent))
    connection: Connection | None = None
    try:
        # The first key is read, and its passphrase asked, before the server's patience (LoginGraceTime) is tried.
        candidates = search.candidates(agent, notes)
        first = list(itertools.islice(candidates, 1))
        connection = Connection(_transport(stream, policy), endpoint, limits.deadline)
        _exchange_keys(connection.transport, endpoint, limits)
        _check_host_key(connection.transport, policy)
        connection.transport.auth_timeout = limits.left(LOGIN_SECONDS)
        login = Login(connection.transport, endpoint, search.ring.secrets, search.prompt, notes)
        login.run(itertools.chain(first, candidates))
        connection.key = login.key
        connection.transport.set_keepalive(KEEPALIVE_SECONDS)
        return connection
    except BaseException as error:
        if connection is not None:
            connection.close()
        with contextlib.suppress(*failures()):
            stream.close()
        if isinstance(error, UnreachableError | AuthenticationError) and time.monotonic() >= limits.deadline:
            raise DeadlineError(f"{endpoint}: no login in time", "Give it more time with --timeout.") from error
        raise
    finally:
        agent.close()


def _exchange_keys(transport: "Transport", endpoint: Endpoint, limits: Limits) -> None:
    from paramiko.ssh_exception import IncompatiblePeer, SSHException  # noqa: PLC0415 - heavy

    if not limits.slots.acquire(timeout=limits.left(float("inf"))):
        raise DeadlineError(f"{endpoint}: no turn came for the key exchange in time", "Use fewer --workers.")
    try:
        seconds = limits.left(limits.connect_seconds)
        transport.banner_timeout = transport.handshake_timeout = seconds
        transport.start_client(timeout=seconds)
    except IncompatiblePeer as error:
        raise UnreachableError(
            f"{endpoint}: no common algorithm: {show(str(error))[:200]}",
            "The server offers outdated algorithms only; update its sshd.",
        ) from error
    except (SSHException, EOFError, OSError, ValueError) as error:
        raise UnreachableError(
            f"{endpoint}: the key exchange failed: {show(str(error) or 'connection closed')[:200]}",
            "Is that an SSH server, and the right port?",
        ) from error
    finally:
        limits.slots.release()
    # start_client returns without a word when its time is over.
    if not transport.initial_kex_done:
        raise UnreachableError(f"{endpoint}: the key exchange took too long", "Is the host overloaded?")


def _check_host_key(transport: "Transport", policy: HostKeyPolicy) -> None:
    key = transport.get_remote_server_key()
    # paramiko keeps a certificate whole in public_blob, and has verified the exchange with the key inside it.
    certificate = getattr(key, "public_blob", None)
    policy.check(HostKey(key.get_name(), key.asbytes()), certificate.key_blob if certificate is not None else b"")


def _transport(stream: "socket.socket | ForwardStream", policy: HostKeyPolicy) -> "Transport":
    transport: Transport = _transport_class()(
        stream, default_window_size=WINDOW, disabled_algorithms=DISABLED, packetizer_class=_packetizer_class()
    )
    transport.algorithms = policy.algorithms()  # type: ignore[attr-defined]
    return transport


@functools.cache
def _transport_class() -> Any:
    """paramiko's Transport with our choice of host key algorithms, and with the channel window enforced: paramiko
    takes and keeps whatever a host sends, window or not."""
    import paramiko  # noqa: PLC0415 - heavy
    from paramiko.common import MSG_CHANNEL_CLOSE, MSG_CHANNEL_DATA, MSG_CHANNEL_EXTENDED_DATA  # noqa: PLC0415 - heavy

    _quieten()

    def bounded(feed: Any) -> Any:
        def take(channel: Any, message: Any) -> None:
            feed(channel, message)
            if len(channel.in_buffer) + len(channel.in_stderr_buffer) > 2 * WINDOW:
                raise paramiko.SSHException("the host sends more than the channel's window allows")

        return take

    class ScannerTransport(paramiko.Transport):
        algorithms: tuple[str, ...] = ()

        _channel_handler_table = {  # noqa: RUF012 - as in the base class
            **paramiko.Transport._channel_handler_table,  # type: ignore[attr-defined]  # noqa: SLF001
            MSG_CHANNEL_DATA: bounded(paramiko.Channel._feed),  # type: ignore[attr-defined]  # noqa: SLF001
            MSG_CHANNEL_EXTENDED_DATA: bounded(paramiko.Channel._feed_extended),  # type: ignore[attr-defined]  # noqa: SLF001
            MSG_CHANNEL_CLOSE: handle_close(paramiko.Channel._handle_close),  # type: ignore[attr-defined]  # noqa: SLF001
        }

        @property
        def preferred_keys(self) -> tuple[str, ...]:
            return self.algorithms

    return ScannerTransport


@functools.cache
def _packetizer_class() -> Any:
    """paramiko's packets, with a limit on their size."""
    from paramiko import SSHException  # noqa: PLC0415 - heavy
    from paramiko.packet import Packetizer  # noqa: PLC0415 - heavy

    class BoundedPacketizer(Packetizer):
        def read_all(self, n: int, check_rekey: bool = False) -> bytes:
            if n > MAX_PACKET:
                raise SSHException(f"the host announces a packet of {n} bytes")
            return super().read_all(n, check_rekey)

    return BoundedPacketizer


def _quieten() -> None:
    """paramiko logs what it raises too, with tracebacks; that is for --debug alone."""
    logger = logging.getLogger("paramiko")
    logger.addHandler(logging.NullHandler())
    if not logging.getLogger("driftscan").isEnabledFor(logging.DEBUG):
        logger.setLevel(logging.CRITICAL + 1)
