"""Logging in: keys, certificates, passwords, and what a person is told when it does not work."""

import base64
import contextlib
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from driftscan.errors import AuthenticationError, DeadlineError, HostError, UnreachableError
from driftscan.model.host import ConnectOptions, Host
from driftscan.transports import ssh
from driftscan.transports.ssh_auth import MAX_QUESTIONS
from driftscan.transports.ssh_secrets import Prompt
from tests.transports.conftest import Lab, output
from tests.transports.sshkeys import certificate, host_key, key, pem
from tests.transports.sshserver import SshHost

Answers = Callable[..., tuple[Prompt, list[str]]]


def write(path: Path, data: bytes) -> str:
    path.write_bytes(data)
    return str(path)


def logs_in(lab: Lab, host: SshHost, **options: object) -> bool:
    transport = lab.connect(host, **options)  # type: ignore[arg-type]
    try:
        return output(transport.run("echo in"))[0] == b"in\n"
    finally:
        transport.close()


def refused(lab: Lab, host: SshHost | int, error: type[HostError], **options: object) -> HostError:
    with pytest.raises(error) as caught:
        lab.connect(host, **options)  # type: ignore[arg-type]
    return caught.value


@pytest.mark.parametrize(
    ("kind", "form"),
    [
        ("ed25519", "OpenSSH"),
        ("ecdsa", "OpenSSH"),
        ("rsa", "OpenSSH"),
        ("ed25519", "PKCS8"),
        ("ecdsa", "TraditionalOpenSSL"),
        ("rsa", "TraditionalOpenSSL"),
        ("rsa", "PKCS8"),
    ],
)
@pytest.mark.parametrize("passphrase", ["", "open sesame"])
def test_key_files_of_every_kind_and_form(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, kind: str, form: str, passphrase: str
) -> None:
    monkeypatch.setenv("DRIFTSCAN_KEY_PASSPHRASE", passphrase)
    path = write(lab.directory / "k", pem(kind, 7, passphrase, form))
    assert logs_in(lab, lab.host(keys=(key(kind, 7),)), identity=(path,))


def test_a_passphrase_is_asked_once_for_all_hosts(lab: Lab, answers: Answers) -> None:
    path = write(lab.directory / "k", pem("ed25519", 7, "open sesame"))
    prompt, asked = answers("wrong", "open sesame")
    for _ in range(2):
        assert logs_in(lab, lab.host(keys=(key("ed25519", 7),)), identity=(path,), prompt=prompt)
    assert asked == [f"Passphrase for {path}:"] * 2


@pytest.mark.parametrize("replies", [("",), ("a", "b", "c")])
def test_without_the_passphrase_the_file_is_named(lab: Lab, answers: Answers, replies: tuple[str, ...]) -> None:
    path = write(lab.directory / "k", pem("ed25519", 7, "open sesame"))
    host = lab.host()
    prompt, asked = answers(*replies, *replies)
    error = refused(lab, host, AuthenticationError, identity=(path,), prompt=prompt)
    assert path in error.message
    assert "DRIFTSCAN_KEY_PASSPHRASE" in error.hint
    assert len(asked) >= len(replies)


def test_an_encrypted_key_and_nobody_to_ask(lab: Lab) -> None:
    path = write(lab.directory / "k", pem("ed25519", 7, "open sesame"))
    error = refused(lab, lab.host(), AuthenticationError, identity=(path,))
    assert error.message == f"{path} is encrypted and there is no passphrase for it"
    assert "ssh-add" in error.hint


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (None, "No such file"),
        (b"ssh-ed25519 AAAA x\n", "is not a private key"),
        (b"-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n", "is damaged"),
        (b"-----BEGIN RSA PRIVATE KEY-----\nAAAA\n-----END RSA PRIVATE KEY-----\n", "is damaged"),
        (b"cut short", "is damaged"),
    ],
)
def test_identity_files_that_are_none(lab: Lab, data: bytes | None, why: str) -> None:
    path = lab.directory / "k"
    if data is not None:
        path.write_bytes(pem("ed25519", 7)[:150] + b"\n-----END" if data == b"cut short" else data)
    error = refused(lab, lab.host(), AuthenticationError, identity=(str(path),))
    assert str(path) in error.message
    assert why in error.message
    assert error.hint


def test_a_wrong_key_names_user_address_and_the_key(lab: Lab) -> None:
    host = lab.host(keys=(key("ed25519", 8),))
    error = refused(lab, host, AuthenticationError)
    assert f"scanner@127.0.0.1:{host.port}" in error.message
    assert str(lab.identity) in error.message
    assert "authorized_keys of scanner" in error.hint
    assert error.kind == "authentication"


def test_no_key_at_all(lab: Lab) -> None:
    error = refused(lab, lab.host(), AuthenticationError, identity=())
    assert "there is no key to log in with" in error.message
    assert "--identity" in error.hint


def test_default_keys_are_tried_and_encrypted_ones_last(lab: Lab, home: Path, answers: Answers) -> None:
    encrypted = write(home / ".ssh" / "id_ed25519", pem("ed25519", 7, "open sesame"))
    write(home / ".ssh" / "id_rsa", pem("rsa", 7))
    prompt, asked = answers("open sesame")
    assert logs_in(lab, lab.host(keys=(key("rsa", 7),)), identity=(), prompt=prompt)
    assert asked == []
    assert logs_in(lab, lab.host(keys=(key("ed25519", 7),)), identity=(), prompt=prompt)
    assert asked == [f"Passphrase for {encrypted}:"]


def test_default_keys_that_were_not_tried_are_told(lab: Lab, home: Path) -> None:
    encrypted = write(home / ".ssh" / "id_ed25519", pem("ed25519", 7, "open sesame"))
    plain = write(home / ".ssh" / "id_rsa", pem("rsa", 7))
    error = refused(lab, lab.host(), AuthenticationError, identity=())
    assert f"refused {plain}; not tried: {encrypted} is encrypted" in error.message


def test_the_certificate_beside_a_key_is_offered_first(lab: Lab) -> None:
    authority = key("ed25519", 60)
    blob = certificate(key("ed25519", 100), authority, principals=("scanner",), role=1)
    write(Path(f"{lab.identity}-cert.pub"), _line("ssh-ed25519-cert-v01@openssh.com", blob))
    host = lab.host()
    assert logs_in(lab, host)
    assert len(host.logins) == 1
    denying = lab.host(keys=())
    error = refused(lab, denying, AuthenticationError)
    assert f"{lab.identity}-cert.pub, {lab.identity}" in error.message


def test_an_expired_certificate_is_called_that(lab: Lab) -> None:
    blob = certificate(key("ed25519", 100), key("ed25519", 60), principals=("scanner",), role=1, before=1)
    write(Path(f"{lab.identity}-cert.pub"), _line("ssh-ed25519-cert-v01@openssh.com", blob))
    assert "which has expired on 1970-01-01" in refused(lab, lab.host(keys=()), AuthenticationError).message


@pytest.mark.parametrize("other", [True, False])
def test_a_certificate_of_another_key_or_none_at_all_is_told(lab: Lab, other: bool) -> None:
    blob = certificate(key("ed25519", 9 if other else 100), key("ed25519", 60), role=1)
    beside = write(Path(f"{lab.identity}-cert.pub"), _line("x", blob if other else blob[:50]))
    assert beside in refused(lab, lab.host(), AuthenticationError).message


def _line(kind: str, blob: bytes) -> bytes:
    return f"{kind} {base64.b64encode(blob).decode()} comment\n".encode()


def test_a_password_of_the_environment(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DRIFTSCAN_SSH_PASSWORD", "secret")
    assert logs_in(lab, lab.host(keys=(), password="secret", methods="publickey,password"))


def test_a_password_is_asked_for_after_the_keys(lab: Lab, answers: Answers) -> None:
    prompt, asked = answers("secret")
    host = lab.host(keys=(), password="secret", methods="publickey,password")
    assert logs_in(lab, host, prompt=prompt)
    assert asked == [f"Password of scanner@127.0.0.1:{host.port}:"]
    assert [method for _, method, _ in host.logins] == ["publickey", "password"]


def test_no_password_is_asked_for_where_none_is_taken(lab: Lab, answers: Answers) -> None:
    prompt, asked = answers()
    error = refused(lab, lab.host(keys=()), AuthenticationError, prompt=prompt)
    assert asked == []
    assert "the host takes publickey" in error.message


def test_a_wrong_password_is_told(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DRIFTSCAN_SSH_PASSWORD", "hunter2")
    host = lab.host(keys=(), password="secret", methods="publickey,password")
    error = refused(lab, host, AuthenticationError)
    assert "a password" in error.message
    assert "hunter2" not in error.message + error.hint


def test_keyboard_interactive_with_a_second_question(lab: Lab, answers: Answers) -> None:
    host = lab.host(keys=(), interactive=("secret", "123456"), methods="keyboard-interactive")
    prompt, asked = answers("secret", "123456")
    assert logs_in(lab, host, prompt=prompt)
    assert asked[1] == f"scanner@127.0.0.1:{host.port} asks: Question 1: "


def test_questions_without_end(lab: Lab, answers: Answers) -> None:
    replies = tuple("abcdefghijkl")
    host = lab.host(keys=(), interactive=replies, methods="keyboard-interactive")
    prompt, asked = answers(*replies)
    refused(lab, host, AuthenticationError, prompt=prompt)
    assert len(asked) == MAX_QUESTIONS


def test_a_key_and_a_password_both(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DRIFTSCAN_SSH_PASSWORD", "secret")
    assert logs_in(lab, lab.host(password="secret", two_factors=True, methods="password"))


def test_a_dead_port(lab: Lab) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    error = refused(lab, port, UnreachableError)
    assert f"port {port} refused the connection" in error.message


def test_a_name_that_does_not_resolve(lab: Lab) -> None:
    host = Host(name="x", address="no..such..name", options=ConnectOptions(user="scanner"))
    with pytest.raises(UnreachableError, match="cannot be resolved"):
        ssh.connect(host, prompt=None, deadline=time.monotonic() + 5, scanner_known_hosts=None, run=lab.run)


def test_a_port_where_nobody_speaks(lab: Lab) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        error = refused(lab, listener.getsockname()[1], UnreachableError, connect_timeout=1)
    assert "no SSH server answers there" in error.message


@pytest.mark.parametrize(
    ("greeting", "why"),
    [
        (b"", "closes the connection before it says anything"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "the key exchange failed"),
        (b"SSH-1.5-old\r\n", "no common algorithm"),
        (b"SSH-2.0-x\r\n", "the key exchange failed"),
        (b"SSH-2.0-x\r\n" + b"\x7f\xff\xff\xfc" * 999, "the host announces a packet of 21474836"),
        (b"\0" * 100_000, "the key exchange"),
    ],
)
def test_a_port_where_something_else_speaks(lab: Lab, greeting: bytes, why: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=_greet, args=(listener, greeting))
        thread.start()
        error = refused(lab, listener.getsockname()[1], UnreachableError, connect_timeout=30)
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()
    assert why in error.message


def _greet(listener: socket.socket, greeting: bytes) -> None:
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        with connection:
            try:
                connection.sendall(greeting)
                connection.settimeout(0.3)
                while greeting and connection.recv(1 << 16):
                    pass
            except OSError:
                continue


def test_a_connection_dropped_at_first_is_tried_again(lab: Lab) -> None:
    """sshd's MaxStartups drops connections at random when many come at once."""
    host = lab.host(known=False)
    dropped = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        lab.record(f"[127.0.0.1]:{port}", key("ed25519"))

        def relay() -> None:
            first, _ = listener.accept()
            first.close()
            dropped.append(1)
            second, _ = listener.accept()
            with second, socket.create_connection(("127.0.0.1", host.port)) as upstream:
                _join(second, upstream)

        thread = threading.Thread(target=relay, daemon=True)
        thread.start()
        transport = lab.connect(port)
        transport.close()
        thread.join(5)
    assert dropped == [1]


def _join(one: socket.socket, two: socket.socket) -> None:
    back = threading.Thread(target=_copy, args=(two, one), daemon=True)
    back.start()
    _copy(one, two)
    back.join(5)


def _copy(source: socket.socket, sink: socket.socket) -> None:
    try:
        while data := source.recv(1 << 16):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_RDWR)
    except OSError:
        return


def test_the_deadline_holds_while_a_host_stalls(lab: Lab) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=_stall, args=(listener,), daemon=True)
        thread.start()
        for seconds in (0.5, 5, 30):  # a busy machine may not even greet by the first
            with contextlib.suppress(UnreachableError):
                refused(lab, listener.getsockname()[1], DeadlineError, seconds=seconds)
                break
        else:
            pytest.fail("it greeted by none of them")
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(5)


def _stall(listener: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while True:
            connection, _ = listener.accept()
            with connection:
                connection.sendall(b"SSH-2.0-slow\r\n")
                while connection.recv(1 << 16):
                    pass


def test_nothing_of_paramiko_reaches_standard_error(lab: Lab, capfd: pytest.CaptureFixture[str]) -> None:
    host = lab.host(keys=())
    refused(lab, host, AuthenticationError)
    working = lab.host()
    transport = lab.connect(working)
    working.cut()
    transport.close()
    assert capfd.readouterr().err == ""


def test_the_host_key_helper_and_the_server_agree() -> None:
    assert host_key("rsa").fingerprint == key("rsa").fingerprint
