"""The ssh transport against OpenSSH's own sshd, agent and keys, run without privileges on a loopback port.

Where sshd is missing or cannot run, these tests are skipped; the others judge the same behaviour by paramiko's server.
"""

import contextlib
import getpass
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from driftscan.errors import AuthenticationError, HostError, HostKeyChangedError, HostKeyUnknownError
from driftscan.model.host import ConnectOptions, Host
from driftscan.transports import ssh
from tests.transports.conftest import output
from tests.transports.sshkeys import pem

SSHD = os.environ.get("DRIFTSCAN_TEST_SSHD") or shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
SSH_KEYGEN = shutil.which("ssh-keygen")
pytestmark = pytest.mark.skipif(SSHD is None or SSH_KEYGEN is None, reason="OpenSSH's sshd is not installed")
KINDS = ("ed25519", "ecdsa", "rsa")


def keygen(*arguments: str | Path) -> None:
    subprocess.run([str(SSH_KEYGEN), "-q", *map(str, arguments)], check=True, stdin=subprocess.DEVNULL)


def encrypt(file: Path) -> None:
    """With a passphrase; few rounds make it no other file, and take no second."""
    keygen("-p", "-P", "", "-N", "open sesame", "-a", "1", "-f", file)


@dataclass
class Sshd:
    """A running sshd, its authorities, and a user's keys."""

    directory: Path
    port: int

    def file(self, name: str) -> str:
        return str(self.directory / name)

    def public(self, name: str) -> str:
        return " ".join(Path(self.file(f"{name}.pub")).read_text().split()[:2])

    def known_hosts(self, *lines: str) -> str:
        path = self.directory / "known_hosts"
        path.write_text("".join(f"{line}\n" for line in lines))
        return str(path)

    def works(self, known_hosts: str, identity: str = "user_ed25519", **options: object) -> bool:
        chosen = ConnectOptions(
            user=getpass.getuser(),
            port=self.port,
            identity=(self.file(identity),) if identity else (),
            known_hosts=(known_hosts,),
            sudo="never",
            connect_timeout=600,
            **options,  # type: ignore[arg-type]
        )
        transport = ssh.connect(
            Host(name="sshd", address="127.0.0.1", options=chosen),
            prompt=None,
            deadline=time.monotonic() + 600,
            scanner_known_hosts=None,
            run=ssh.Run(),
        )
        try:
            channel = transport.run("cat; exit 4")
            channel.write(b"x" * 300_000)
            channel.end_input()
            data, ended = output(channel)
            return (len(data), ended.status) == (300_000, 4)
        finally:
            transport.close()


@pytest.fixture(scope="module")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    """An sshd with three host keys, each certified, that takes any of our users' keys and certificates."""
    directory = tmp_path_factory.mktemp("sshd")
    directory.chmod(0o700)
    with socket.create_server(("127.0.0.1", 0)) as free:
        server = Sshd(directory, free.getsockname()[1])
    keygen("-t", "ed25519", "-N", "", "-f", server.file("authority"))
    for kind in KINDS:
        for name in (f"host_{kind}", f"user_{kind}", f"certified_{kind}"):
            keygen("-t", kind, *(("-b", "2048") if kind == "rsa" else ()), "-N", "", "-f", server.file(name))
        keygen("-s", server.file("authority"), "-I", "host", "-h", "-n", "127.0.0.1", server.file(f"host_{kind}.pub"))
        keygen(
            "-s", server.file("authority"), "-I", "user", "-n", getpass.getuser(), server.file(f"certified_{kind}.pub")
        )
    (directory / "authorized_keys").write_text("".join(f"{server.public(f'user_{kind}')}\n" for kind in KINDS))
    (directory / "config").write_text(
        f"ListenAddress 127.0.0.1:{server.port}\nPidFile none\nUsePAM no\nStrictModes no\nLogLevel ERROR\n"
        f"AuthorizedKeysFile {directory}/authorized_keys\nTrustedUserCAKeys {server.file('authority')}.pub\n"
        "PasswordAuthentication no\nKbdInteractiveAuthentication no\nPermitRootLogin yes\nAllowTcpForwarding yes\n"
        + "".join(
            f"HostKey {server.file(f'host_{kind}')}\nHostCertificate {server.file(f'host_{kind}')}-cert.pub\n"
            for kind in KINDS
        )
    )
    yield from _running(server)


def _running(server: Sshd) -> Iterator[Sshd]:
    log = Path(server.file("log"))
    with log.open("wb") as file:
        daemon = subprocess.Popen([str(SSHD), "-D", "-e", "-f", server.file("config")], stderr=file)
    try:
        for _ in range(2000):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", server.port), timeout=1):
                break
            if daemon.poll() is not None:
                pytest.skip(f"sshd does not run here: {log.read_text().strip()}")
            time.sleep(0.05)
        yield server
    finally:
        daemon.terminate()
        daemon.wait()


def name(server: Sshd) -> str:
    return f"[127.0.0.1]:{server.port}"


@pytest.mark.parametrize("kind", KINDS)
def test_plain_host_keys_of_every_kind(sshd: Sshd, kind: str) -> None:
    assert sshd.works(sshd.known_hosts(f"{name(sshd)} {sshd.public(f'host_{kind}')}"))


def test_a_hashed_known_hosts_file(sshd: Sshd) -> None:
    path = sshd.known_hosts(f"{name(sshd)} {sshd.public('host_rsa')}")
    subprocess.run([str(SSH_KEYGEN), "-H", "-f", path], check=True, capture_output=True)
    assert name(sshd) not in Path(path).read_text()
    assert sshd.works(path)


def test_host_certificates(sshd: Sshd) -> None:
    assert sshd.works(sshd.known_hosts(f"@cert-authority [127.0.0.*]:* {sshd.public('authority')}"))


def test_a_host_certificate_for_another_name(sshd: Sshd) -> None:
    path = sshd.known_hosts(f"@cert-authority * {sshd.public('authority')}")
    with pytest.raises(HostKeyUnknownError, match=r"is for 127\.0\.0\.1, not for localhost"):
        ssh.connect(
            Host(
                name="sshd",
                address="localhost",
                options=ConnectOptions(port=sshd.port, known_hosts=(path,), identity=(sshd.file("user_rsa"),)),
            ),
            prompt=None,
            deadline=time.monotonic() + 600,
            scanner_known_hosts=None,
            run=ssh.Run(),
        )


def test_a_revoked_host_key(sshd: Sshd) -> None:
    lines = [f"{name(sshd)} {sshd.public('host_rsa')}", f"@revoked * {sshd.public('host_rsa')}"]
    with pytest.raises(HostKeyChangedError, match="revoked"):
        sshd.works(sshd.known_hosts(*lines))


def test_a_changed_host_key(sshd: Sshd) -> None:
    with pytest.raises(HostKeyChangedError):
        sshd.works(sshd.known_hosts(f"{name(sshd)} {sshd.public('user_rsa')}"))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("role", ["user", "certified"])
def test_users_keys_and_certificates_of_every_kind(sshd: Sshd, kind: str, role: str) -> None:
    path = sshd.known_hosts(f"{name(sshd)} {sshd.public('host_ed25519')}")
    assert sshd.works(path, f"{role}_{kind}")


def test_a_wrong_key(sshd: Sshd) -> None:
    path = sshd.known_hosts(f"{name(sshd)} {sshd.public('host_ed25519')}")
    with pytest.raises(AuthenticationError, match="host_rsa"):
        sshd.works(path, "host_rsa")


@pytest.fixture
def agent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A running ssh-agent."""
    address = tmp_path / "agent"
    process = subprocess.Popen(["ssh-agent", "-D", "-a", str(address)], stdout=subprocess.DEVNULL)
    monkeypatch.setenv("SSH_AUTH_SOCK", str(address))
    while not address.exists():
        time.sleep(0.01)
    yield
    process.terminate()
    process.wait()


def add(path: str) -> None:
    subprocess.run(["ssh-add", "-q", path], check=True, stdin=subprocess.DEVNULL)


@pytest.mark.usefixtures("agent")
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("role", ["user", "certified"])
def test_keys_and_certificates_of_the_agent(sshd: Sshd, kind: str, role: str) -> None:
    add(sshd.file(f"{role}_{kind}"))
    path = sshd.known_hosts(f"{name(sshd)} {sshd.public('host_ed25519')}")
    assert sshd.works(path, "")


@pytest.mark.usefixtures("agent")
def test_an_encrypted_key_that_the_agent_holds(sshd: Sshd, tmp_path: Path) -> None:
    for kind in KINDS:
        copy = tmp_path / kind
        shutil.copy(sshd.file(f"certified_{kind}"), copy)
        copy.chmod(0o600)
        shutil.copy(sshd.file(f"certified_{kind}.pub"), f"{copy}.pub")
        add(str(copy))
        encrypt(copy)
        path = sshd.known_hosts(f"{name(sshd)} {sshd.public('host_ed25519')}")
        # The certificate lies beside the file alone: the agent signs for it.
        with pytest.raises(AuthenticationError, match="agent key"):
            sshd.works(path, str(copy))
        shutil.copy(sshd.file(f"certified_{kind}-cert.pub"), f"{copy}-cert.pub")
        assert sshd.works(path, str(copy))


def test_encrypted_files_of_ssh_keygen(sshd: Sshd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DRIFTSCAN_KEY_PASSPHRASE", "open sesame")
    path = sshd.known_hosts(f"{name(sshd)} {sshd.public('host_ed25519')}")
    for kind in KINDS:
        copy = tmp_path / kind
        shutil.copy(sshd.file(f"user_{kind}"), copy)
        copy.chmod(0o600)
        encrypt(copy)
        assert sshd.works(path, str(copy))
        monkeypatch.setenv("DRIFTSCAN_KEY_PASSPHRASE", "wrong")
        with pytest.raises(AuthenticationError, match=r"encrypted|wrong passphrase"):
            sshd.works(path, str(copy))
        monkeypatch.setenv("DRIFTSCAN_KEY_PASSPHRASE", "open sesame")


def test_a_host_behind_sshd(sshd: Sshd) -> None:
    path = sshd.known_hosts(f"{name(sshd)} {sshd.public('host_ed25519')}")
    assert sshd.works(path, jump=f"{getpass.getuser()}@127.0.0.1:{sshd.port}")


def test_too_many_keys_are_called_that(sshd: Sshd, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = sshd.known_hosts(f"{name(sshd)} {sshd.public('host_ed25519')}")
    files = []
    for number in range(8):
        file = home / f"key{number}"
        file.write_bytes(pem("ed25519", 200 + number))
        files.append(str(file))
    monkeypatch.setattr(Sshd, "file", lambda _, name: name)
    options = ConnectOptions(user=getpass.getuser(), port=sshd.port, identity=tuple(files), known_hosts=(path,))
    with pytest.raises(HostError, match="closed the connection after") as caught:
        ssh.connect(
            Host(name="sshd", address="127.0.0.1", options=options),
            prompt=None,
            deadline=time.monotonic() + 600,
            scanner_known_hosts=None,
            run=ssh.Run(),
        )
    assert "MaxAuthTries" in caught.value.hint
