"""A host for the tests of the ssh transport: paramiko's server on a loopback port, which runs commands for real."""

import contextlib
import os
import signal
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import paramiko
from paramiko import PKey
from paramiko.common import (
    AUTH_FAILED,
    AUTH_PARTIALLY_SUCCESSFUL,
    AUTH_SUCCESSFUL,
    OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED,
    OPEN_SUCCEEDED,
)
from paramiko.server import InteractiveQuery

CERTIFICATE = "-cert-v01@openssh.com"


@dataclass
class Settings:
    """What the host is like."""

    host_keys: list[PKey]
    certificate: bytes = b""
    """The certificate of the first host key."""
    keys: tuple[PKey, ...] = ()
    """Keys that may log in."""
    password: str = ""
    methods: str = "publickey"
    interactive: tuple[str, ...] = ()
    """Answers to keyboard-interactive's questions."""
    two_factors: bool = False
    """A key alone is not enough."""
    environment: dict[str, str] = field(default_factory=dict)
    shell: tuple[str, ...] = ("/bin/sh", "-c")
    sessions: Callable[[paramiko.Channel, bytes], None] | None = None
    """Takes the place of running the command."""


class _CertifiedKey:
    """A host key that shows its certificate in place of itself."""

    def __init__(self, key: PKey, certificate: bytes) -> None:
        self._key = key
        self._certificate = certificate

    def asbytes(self) -> bytes:
        return self._certificate

    def __getattr__(self, name: str) -> Any:
        return getattr(self._key, name)


class _Interface(paramiko.ServerInterface):
    def __init__(self, host: "SshHost") -> None:
        self.host = host
        self.settings = host.settings

    def get_allowed_auths(self, username: str) -> str:
        return self.settings.methods

    def check_auth_publickey(self, username: str, key: PKey) -> int:
        self.host.logins.append((username, "publickey", key.get_name()))
        if key not in self.settings.keys:
            return AUTH_FAILED
        return AUTH_PARTIALLY_SUCCESSFUL if self.settings.two_factors else AUTH_SUCCESSFUL

    def check_auth_password(self, username: str, password: str) -> int:
        self.host.logins.append((username, "password", password))
        return AUTH_SUCCESSFUL if password == self.settings.password else AUTH_FAILED

    def check_auth_interactive(self, username: str, submethods: str) -> int | InteractiveQuery:
        query = InteractiveQuery("", "")
        for number in range(len(self.settings.interactive)):
            query.add_prompt(f"Question {number}: ", False)
        return query

    def check_auth_interactive_response(self, responses: list[str]) -> int:
        return AUTH_SUCCESSFUL if tuple(responses) == self.settings.interactive else AUTH_FAILED

    def check_channel_request(self, kind: str, chanid: int) -> int:
        return OPEN_SUCCEEDED

    def check_channel_exec_request(self, channel: paramiko.Channel, command: bytes) -> bool:
        self.host.commands.append(command.decode())
        self.host.start(self.settings.sessions or self.host.run, channel, command)
        return True

    def check_channel_direct_tcpip_request(
        self, chanid: int, origin: tuple[str, int], destination: tuple[str, int]
    ) -> int:
        self.host.forwards.append(destination)
        try:
            upstream = socket.create_connection(destination, timeout=5)
        except OSError:
            return OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED
        self.host.upstreams[chanid] = upstream
        return OPEN_SUCCEEDED


class SshHost:
    """Listens until it is closed. What happened to it stands in its lists."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.logins: list[tuple[str, str, str]] = []
        self.commands: list[str] = []
        self.forwards: list[tuple[str, int]] = []
        self.connections = 0
        self.upstreams: dict[int, socket.socket] = {}
        """Where the channels of the last connection lead that are forwarded."""
        self._threads: list[threading.Thread] = []
        self._transports: list[paramiko.Transport] = []
        self._children: list[subprocess.Popen[bytes]] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.start(self._serve)

    def start(self, work: Callable[..., None], *arguments: Any) -> None:
        thread = threading.Thread(target=work, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def cut(self) -> None:
        """Drop every connection."""
        for transport in self._transports:
            transport.close()

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()
        for upstream in self.upstreams.values():
            upstream.close()
        for child in self._children:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
            child.wait()
        for thread in [*self._threads, *self._transports]:
            thread.join(5)

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            transport = paramiko.Transport(connection)
            for key in self.settings.host_keys:
                transport.add_server_key(key)
            if self.settings.certificate:
                first = self.settings.host_keys[0]
                certified: Any = _CertifiedKey(first, self.settings.certificate)
                names = ("rsa-sha2-512", "rsa-sha2-256") if first.get_name() == "ssh-rsa" else (first.get_name(),)
                transport.server_key_dict.update({name + CERTIFICATE: certified for name in names})
            self._transports.append(transport)
            with contextlib.suppress(paramiko.SSHException, EOFError, OSError):
                transport.start_server(event=threading.Event(), server=_Interface(self))
            self.start(self._take_channels, transport)

    def _take_channels(self, transport: paramiko.Transport) -> None:
        """One thread takes all channels: paramiko wakes any one of several that wait, for any channel."""
        while transport.is_active():
            channel = transport.accept(0.1)
            if channel is not None and channel.get_id() in self.upstreams:
                self.start(self.forward, channel, self.upstreams.pop(channel.get_id()))

    def run(self, channel: paramiko.Channel, command: bytes) -> None:
        """Run a command as sshd would, its three streams joined to the channel's."""
        child = subprocess.Popen(
            [*self.settings.shell, command.decode()],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=self.settings.environment or None,
            start_new_session=True,
        )
        self._children.append(child)
        assert child.stdin is not None
        assert child.stdout is not None
        assert child.stderr is not None
        pumps = [
            threading.Thread(target=_pump, args=(child.stdout, channel.sendall)),
            threading.Thread(target=_pump, args=(child.stderr, channel.sendall_stderr)),
        ]
        feeder = threading.Thread(target=_feed, args=(channel, child.stdin))
        for thread in (*pumps, feeder):
            thread.start()
        for thread in pumps:
            thread.join()
        status = child.wait()
        with contextlib.suppress(OSError, EOFError, paramiko.SSHException):
            channel.send_exit_status(status if status >= 0 else 255)
            channel.shutdown_write()
            channel.close()
        feeder.join(5)

    def forward(self, channel: paramiko.Channel, upstream: socket.socket) -> None:
        """Join a direct-tcpip channel to a socket."""
        back = threading.Thread(target=_from_socket, args=(upstream, channel), daemon=True)
        back.start()
        with contextlib.suppress(OSError, EOFError):
            while data := channel.recv(1 << 15):
                upstream.sendall(data)
        with contextlib.suppress(OSError):
            upstream.shutdown(socket.SHUT_RDWR)
        back.join(5)
        upstream.close()


def _pump(stream: Any, send: Callable[[bytes], Any]) -> None:
    with stream, contextlib.suppress(OSError, EOFError, paramiko.SSHException):
        while data := stream.read1(1 << 15):
            send(data)


def _feed(channel: paramiko.Channel, stream: Any) -> None:
    with contextlib.suppress(OSError, EOFError), stream:
        while data := channel.recv(1 << 15):
            stream.write(data)
            stream.flush()


def _from_socket(upstream: socket.socket, channel: paramiko.Channel) -> None:
    with contextlib.suppress(OSError, EOFError, paramiko.SSHException):
        while data := upstream.recv(1 << 15):
            channel.sendall(data)
    with contextlib.suppress(OSError, EOFError, paramiko.SSHException):
        channel.close()


@contextlib.contextmanager
def ssh_host(settings: Settings) -> Iterator[SshHost]:
    """A host for the length of a block."""
    host = SshHost(settings)
    try:
        yield host
    finally:
        host.close()
