"""A TCP connection to an SSH server that has begun to speak."""

import contextlib
import random
import selectors
import socket
import time

from driftscan.errors import DeadlineError, HostError, UnreachableError
from driftscan.transports.ssh_config import Endpoint

ATTEMPTS = 3
"""sshd drops connections at random when many come at once (MaxStartups): worth another try, after a random while."""
PAUSE = (0.3, 1.2)
KEEPALIVE = ((socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1), (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1))


def open_socket(endpoint: Endpoint, timeout: float, deadline: float) -> socket.socket:
    """A socket on which the server's greeting waits to be read. `timeout`: seconds for the connection, and again for
    the greeting. UnreachableError, DeadlineError."""
    for attempt in range(1, ATTEMPTS + 1):
        connection = _connect(endpoint, min(timeout, deadline - time.monotonic()))
        if _speaks(connection, min(timeout, deadline - time.monotonic()), endpoint):
            return connection
        connection.close()
        if attempt < ATTEMPTS:
            time.sleep(max(0.0, min(random.uniform(*PAUSE), deadline - time.monotonic())))  # noqa: S311 - jitter
    raise UnreachableError(
        f"{endpoint}: the server closes the connection before it says anything",
        "Is something else on that port, or does sshd limit connections (MaxStartups, PerSourceMaxStartups)?",
    )


def _connect(endpoint: Endpoint, timeout: float) -> socket.socket:
    if timeout <= 0:
        raise DeadlineError(f"{endpoint}: no time was left to connect", "Give it more time with --timeout.")
    try:
        connection = socket.create_connection((endpoint.address, endpoint.port), timeout=timeout)
    except (OSError, UnicodeError) as error:
        raise _unreachable(endpoint, error, timeout) from error
    with contextlib.suppress(OSError):
        for option in KEEPALIVE:
            connection.setsockopt(*option)
    return connection


def _speaks(connection: socket.socket, timeout: float, endpoint: Endpoint) -> bool:
    """Whether the server sends something, rather than hanging up."""
    try:
        with selectors.DefaultSelector() as selector:
            selector.register(connection, selectors.EVENT_READ)
            if not selector.select(max(0.0, timeout)):
                connection.close()
                raise UnreachableError(
                    f"{endpoint}: the port is open, but no SSH server answers there within {timeout:.0f} s",
                    "Is that the right port, and is the host overloaded?",
                )
        return connection.recv(1, socket.MSG_PEEK) != b""
    except OSError:
        return False


def _unreachable(endpoint: Endpoint, error: Exception, timeout: float) -> HostError:
    if isinstance(error, socket.gaierror | UnicodeError):
        return UnreachableError(
            f"{endpoint}: the name {endpoint.address} cannot be resolved", "Correct the address, or see to DNS."
        )
    if isinstance(error, ConnectionRefusedError):
        return UnreachableError(f"{endpoint}: port {endpoint.port} refused the connection", "Does sshd run there?")
    if isinstance(error, TimeoutError):
        return UnreachableError(
            f"{endpoint}: no answer from port {endpoint.port} within {timeout:.0f} s",
            "Is the host up, and does a firewall or security group let this machine in?",
        )
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return UnreachableError(f"{endpoint}: {reason}", "Is the address right, and is there a route to it?")
