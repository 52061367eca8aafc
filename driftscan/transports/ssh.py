"""Hosts over ssh, by paramiko. docs/connecting.md tells users how; each part has its module, `ssh_*.py`."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from driftscan.model.host import ConnectOptions, Host
from driftscan.transports import known_hosts, ssh_config
from driftscan.transports.base import Channel, Login, Transport
from driftscan.transports.ssh_channel import SshChannel
from driftscan.transports.ssh_config import Endpoint
from driftscan.transports.ssh_connection import Connection, Limits, log_in
from driftscan.transports.ssh_elevate import Elevation
from driftscan.transports.ssh_host_key import HostKeyPolicy, policy_for
from driftscan.transports.ssh_jump import Jumps, Lease
from driftscan.transports.ssh_keyfile import KeyRing
from driftscan.transports.ssh_keys import Search
from driftscan.transports.ssh_secrets import Prompt, Secrets
from driftscan.transports.ssh_socket import open_socket

if TYPE_CHECKING:
    import socket

    from driftscan.transports.ssh_forward import ForwardStream

MAX_KEY_EXCHANGES = 32
"""At once in one process: each costs 4 to 8 ms of CPU, and hundreds at once time each other out."""


class Run:
    """What the connections of one run share: answers of a person, decrypted keys, known_hosts, jump hosts."""

    def __init__(self) -> None:
        """Nothing known yet."""
        self.secrets = Secrets()
        self.keys = KeyRing(self.secrets)
        self.known_hosts = known_hosts.Cache()
        self.jumps = Jumps()
        self.jump_endpoints: dict[tuple[str, ConnectOptions], Endpoint] = {}
        self.slots = threading.BoundedSemaphore(MAX_KEY_EXCHANGES)


_PROCESS = Run()


def connect(
    host: Host, *, prompt: Prompt | None, deadline: float, scanner_known_hosts: Path | None, run: Run | None = None
) -> Transport:
    """A connection to a host, logged in, its key checked.

    `prompt` asks a person (None: nobody can be asked); `deadline` is of time.monotonic(), and nothing of this
    connection outlasts it; `scanner_known_hosts` is where newly accepted host keys go. `run` is what connections
    share; by default all of this process do. Raises UnreachableError, AuthenticationError, HostKeyUnknownError,
    HostKeyChangedError, DeadlineError, each naming the host.
    """
    opening = _Opening(host.options, prompt, scanner_known_hosts, run or _PROCESS, deadline)
    endpoint = ssh_config.resolve(host.address, host.options)
    lease = opening.jump(endpoint.jump) if endpoint.jump else None
    try:
        connection = opening.connection(endpoint, lease)
    except BaseException:
        if lease is not None:
            lease.close()
        raise
    elevation = Elevation(host.options.sudo, endpoint.user, str(endpoint), opening.run.secrets, prompt, deadline)
    return SshTransport(connection, lease, opening.limits, elevation)


class SshTransport:
    """See transports.base.Transport."""

    def __init__(self, connection: Connection, lease: Lease | None, limits: Limits, elevation: Elevation) -> None:
        """Takes charge of the connection and of the lease of the jump host."""
        self._connection = connection
        self._lease = lease
        self._limits = limits
        self._elevation = elevation
        self._elevated = False
        self._channels: list[SshChannel] = []

    @property
    def elevated(self) -> bool:
        """See transports.base.Transport; known from the first `run` on, since that finds it out in the same exec."""
        return self._elevated

    @property
    def login(self) -> Login:
        """See transports.base.Transport."""
        return Login(self._connection.endpoint.user, self._connection.key)

    def run(self, script: str, arguments: tuple[str, ...] = ()) -> Channel:
        """See transports.base.Transport. Returns once the host is about to run the script."""
        with self._fresh() as channel:
            self._elevated = self._elevation.start(channel, script, arguments)
        return channel

    def run_file(self, path: str) -> tuple[Channel, str]:
        """See transports.base.Transport. Returns once the host runs it."""
        with self._fresh() as channel:
            self._elevated, digest = self._elevation.start_file(channel, path)
        return channel, digest

    @contextmanager
    def _fresh(self) -> Iterator[SshChannel]:
        opened = self._connection.open_session(self._limits)
        channel = SshChannel(opened, str(self._connection.endpoint), self._limits.deadline)
        # paramiko closes a channel that nobody refers to from a finalizer, which can hang: keep it until close().
        self._channels.append(channel)
        try:
            yield channel
        except BaseException:
            channel.close()
            raise

    def close(self) -> None:
        """See transports.base.Transport."""
        for channel in self._channels:
            channel.close()
        self._connection.close()
        if self._lease is not None:
            self._lease.close()


class _Opening:
    """Opens the connection to a host and to the jump host before it, with the options of the host."""

    def __init__(
        self, options: ConnectOptions, prompt: Prompt | None, own_file: Path | None, run: Run, deadline: float
    ) -> None:
        self.run = run
        self.limits = Limits(deadline, options.connect_timeout, run.slots)
        self._options = options
        self._prompt = prompt
        self._own_file = str(own_file) if own_file is not None else ""

    def jump(self, spec: str) -> Lease:
        key = (spec, self._options)
        endpoint = self.run.jump_endpoints.get(key) or ssh_config.resolve_jump(spec, self._options)
        self.run.jump_endpoints[key] = endpoint
        return self.run.jumps.lease(endpoint, self.limits.deadline, lambda: self.connection(endpoint, None))

    def connection(self, endpoint: Endpoint, lease: Lease | None) -> Connection:
        stream: socket.socket | ForwardStream
        if lease is None:
            stream = open_socket(endpoint, self._options.connect_timeout, self.limits.deadline)
        else:
            stream = lease.connection.open_forward(endpoint, self.limits)
        search = Search(self.run.keys, self._prompt, endpoint.identity, endpoint.identities_only)
        return log_in(endpoint, stream, self._policy(endpoint), search, self.limits)

    def _policy(self, endpoint: Endpoint) -> HostKeyPolicy:
        files = [os.path.expanduser(path) for path in endpoint.known_hosts]
        # What was once accepted on purpose is on record, whichever files are named beside it.
        if self._own_file:
            files.append(self._own_file)
        return policy_for(
            self.run.known_hosts.load(files),
            endpoint.key_alias or endpoint.address,
            22 if endpoint.key_alias else endpoint.port,
            self._own_file,
            self._options.accept_new_host_keys,
        )
