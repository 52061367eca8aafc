"""What the tests of the ssh transport share: a home without keys, agents or configuration, and hosts to connect to."""

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from driftscan.errors import DeadlineError
from driftscan.model.host import ConnectOptions, Host
from driftscan.transports import ssh, ssh_socket
from driftscan.transports.base import Channel, Ended, Transport
from driftscan.transports.ssh_secrets import Prompt
from tests.transports.sshkeys import key, pem
from tests.transports.sshserver import Settings, SshHost

SECONDS = 120.0


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home directory: the person's own keys, agent and files take no part."""
    directory = tmp_path / "home"
    (directory / ".ssh").mkdir(parents=True, mode=0o700)
    monkeypatch.setenv("HOME", str(directory))
    for name in ("SSH_AUTH_SOCK", "DRIFTSCAN_KEY_PASSPHRASE", "DRIFTSCAN_SSH_PASSWORD", "DRIFTSCAN_SUDO_PASSWORD"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(ssh_socket, "PAUSE", (0.0, 0.0))
    return directory


@dataclass
class Lab:
    """Connects to hosts with one key and one known_hosts file."""

    directory: Path
    own_file: Path
    run: ssh.Run
    hosts: list[SshHost]

    @property
    def known_hosts(self) -> Path:
        return self.directory / "known_hosts"

    @property
    def identity(self) -> Path:
        return self.directory / "id"

    def host(self, *, known: bool = True, **settings: Any) -> SshHost:
        """A new host that takes our key; its first host key is on record if it is `known`."""
        settings.setdefault("host_keys", [key("ed25519")])
        settings.setdefault("keys", (key("ed25519", 100),))
        host = SshHost(Settings(**settings))
        self.hosts.append(host)
        if known:
            self.record(f"[127.0.0.1]:{host.port}", settings["host_keys"][0])
        return host

    def record(self, names: str, shown: Any, marker: str = "") -> None:
        """A line of known_hosts."""
        with self.known_hosts.open("a") as file:
            file.write(f"{marker} {names} {shown.get_name()} {shown.get_base64()}\n".lstrip())

    def hasty(self, host: SshHost) -> Transport:
        """A connection whose deadline is as near as this machine, which may be busy, can log in by."""
        for seconds in (1.0, 5.0):
            with contextlib.suppress(DeadlineError):
                return self.connect(host, seconds=seconds)
        return self.connect(host)

    def connect(
        self, host: SshHost | int, *, prompt: Prompt | None = None, seconds: float = SECONDS, **options: Any
    ) -> Transport:
        """Connect as the user `scanner`."""
        port = host if isinstance(host, int) else host.port
        options.setdefault("identity", (str(self.identity),))
        options.setdefault("known_hosts", (str(self.known_hosts),))
        options.setdefault("connect_timeout", int(SECONDS))
        chosen = ConnectOptions(user="scanner", port=port, **options)
        target = Host(name="web-1", address="127.0.0.1", options=chosen)
        return ssh.connect(
            target,
            prompt=prompt,
            deadline=time.monotonic() + seconds,
            scanner_known_hosts=self.own_file,
            run=self.run,
        )


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    """A lab, its hosts closed at the end."""
    made = Lab(tmp_path, tmp_path / "state" / "known_hosts", ssh.Run(), [])
    made.identity.write_bytes(pem("ed25519", 100))
    yield made
    for host in made.hosts:
        host.close()


@pytest.fixture
def answers() -> Callable[..., tuple[Prompt, list[str]]]:
    """A person with answers ready, and the questions that were asked."""

    def make(*replies: str) -> tuple[Prompt, list[str]]:
        asked: list[str] = []
        waiting = list(replies)

        def prompt(question: str) -> str:
            asked.append(question)
            return waiting.pop(0)

        return prompt, asked

    return make


def output(channel: Channel, seconds: float = SECONDS) -> tuple[bytes, Ended]:
    """All that a program writes, and how it ended."""
    deadline = time.monotonic() + seconds
    data = b""
    while more := channel.read(deadline):
        data += more
    return data, channel.ended(deadline)
