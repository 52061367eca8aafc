"""A program's streams over ssh: complete, in bounded time, and never mutually blocked."""

import random
import socket
import threading
import time
from contextlib import suppress

import paramiko
import pytest

from driftscan.errors import DeadlineError, HostError, ProbeError, UnreachableError
from driftscan.transports import ssh_channel
from driftscan.transports.base import Channel, Transport
from tests.transports.conftest import SECONDS, Lab, output
from tests.transports.sshkeys import key
from tests.transports.sshserver import SshHost

MIB = 1 << 20


def test_arguments_status_and_both_streams_arrive(lab: Lab) -> None:
    transport = lab.connect(lab.host())
    channel = transport.run('printf "%s|" "$0" "$@"; echo oops >&2; exit 7', ("it's", "a b", "", "c\\n$x`y`!"))
    data, ended = output(channel)
    assert data == b"driftscan|it's|a b||c\\n$x`y`!|"
    assert (ended.status, ended.stderr) == (7, b"oops\n")
    transport.close()


@pytest.mark.parametrize("status", [0, 1, 2, 97, 126, 127, 255])
def test_every_status_is_the_programs_own(lab: Lab, status: int) -> None:
    transport = lab.connect(lab.host())
    assert output(transport.run(f"exit {status}"))[1].status == status
    transport.close()


def test_much_output_on_both_streams(lab: Lab) -> None:
    transport = lab.connect(lab.host())
    script = "head -c 6000000 /dev/zero >&2; head -c 6000000 /dev/zero; printf end >&2"
    data, ended = output(transport.run(script))
    assert len(data) == 6_000_000
    assert len(ended.stderr) == ssh_channel.STDERR_TAIL
    assert ended.stderr.endswith(b"end")
    transport.close()


def test_a_large_write_to_a_program_that_writes_as_much(lab: Lab) -> None:
    transport = lab.connect(lab.host())
    channel = transport.run("cat; cat >&2 </dev/null")
    sent = random.Random(1).randbytes(5 * MIB)
    channel.write(sent)
    channel.end_input()
    data, ended = output(channel)
    assert data == sent
    assert ended.status == 0
    transport.close()


def test_a_program_may_end_while_much_is_unread(lab: Lab) -> None:
    transport = lab.connect(lab.host())
    channel = transport.run("head -c 6000000 /dev/zero")
    assert channel.ended(time.monotonic() + 600).status == 0
    assert len(output(channel)[0]) == 6_000_000
    transport.close()


def test_a_host_that_never_stops_while_we_write_is_given_up(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ssh_channel, "MAX_PENDING", 8 * MIB)
    transport = lab.connect(lab.host())
    channel = transport.run("while :; do head -c 1000000 /dev/zero; done")
    with pytest.raises(ProbeError, match="sends without end"):
        channel.write(b"x" * (64 * MIB))
    transport.close()


def test_two_programs_at_once_over_one_connection(lab: Lab) -> None:
    transport = lab.connect(lab.host())
    first, second = transport.run("cat"), transport.run("cat")
    second.write(b"second")
    first.write(b"first")
    first.end_input()
    second.end_input()
    assert (output(first)[0], output(second)[0]) == (b"first", b"second")
    transport.close()


def test_reading_ends_at_its_deadline_and_can_go_on(lab: Lab) -> None:
    transport = lab.connect(lab.host())
    channel = transport.run("read x; echo $x")
    with pytest.raises(DeadlineError, match="did not answer in time"):
        channel.read(time.monotonic() + 0.1)
    with pytest.raises(DeadlineError):
        channel.ended(time.monotonic() + 0.1)
    channel.write(b"word\n")
    assert output(channel)[0] == b"word\n"
    transport.close()


def sleeper(lab: Lab) -> tuple[Transport, Channel]:
    """A program that sleeps, on a connection whose deadline is near."""
    for seconds in (1.0, 5.0, SECONDS):
        with suppress(DeadlineError):
            transport = lab.connect(lab.host(), seconds=seconds)
            return transport, transport.run("exec sleep 60")
    raise AssertionError("no login in all that time")


def test_everything_ends_at_the_hosts_deadline(lab: Lab) -> None:
    transport, channel = sleeper(lab)
    with pytest.raises(DeadlineError):
        channel.read(time.monotonic() + 600)
    with pytest.raises(HostError):
        channel.write(b"x" * (8 * MIB))
    with pytest.raises(DeadlineError):
        transport.run("echo")
    transport.close()


def test_writing_ends_at_the_hosts_deadline(lab: Lab) -> None:
    transport, channel = sleeper(lab)
    with pytest.raises(DeadlineError):
        channel.write(b"x" * (8 * MIB))
    transport.close()


def test_closing_a_channel_ends_a_program_that_reads(lab: Lab) -> None:
    host = lab.host()
    transport = lab.connect(host)
    channel = transport.run("cat >/dev/null")
    channel.close()
    channel.close()
    child = host._children[0]
    deadline = time.monotonic() + 600
    while child.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    assert child.poll() is not None
    transport.close()
    transport.close()


def test_writing_to_a_program_that_has_ended(lab: Lab) -> None:
    transport = lab.connect(lab.host())
    channel = transport.run("echo last words >&2; exit 3")
    assert channel.ended(time.monotonic() + 600).status == 3
    with pytest.raises(HostError):
        channel.write(b"x" * (100 * MIB))
    transport.close()


def test_a_lost_connection_is_no_end_of_output(lab: Lab) -> None:
    host = lab.host()
    transport = lab.connect(host)
    channel = transport.run("echo begin; cat")
    assert channel.read(time.monotonic() + 600) == b"begin\n"
    host.cut()
    with pytest.raises(UnreachableError, match="was lost"):
        channel.read(time.monotonic() + 600)
    assert channel.ended(time.monotonic() + 600).status is None
    with pytest.raises(UnreachableError):
        transport.run("echo")
    transport.close()


def test_a_lost_connection_is_told_as_such_however_late_it_calls_itself_that(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """paramiko ends the channels first; on a busy machine its thread may then wait for its turn."""
    told = threading.Event()
    unlink = paramiko.Channel._unlink  # type: ignore[attr-defined]

    def late(channel: paramiko.Channel) -> None:
        unlink(channel)
        told.wait(60)

    host = lab.host()
    transport = lab.connect(host)
    channel = transport.run("echo begin; cat")
    assert channel.read(time.monotonic() + 600) == b"begin\n"
    monkeypatch.setattr(paramiko.Channel, "_unlink", late)
    next(iter(host._transports)).sock.shutdown(socket.SHUT_RDWR)
    with pytest.raises(UnreachableError, match="was lost"):
        channel.read(time.monotonic() + 600)
    told.set()
    transport.close()


def test_a_refused_command_is_told(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    host = lab.host()
    monkeypatch.setattr(paramiko.ServerInterface, "check_channel_exec_request", lambda *_: False)
    monkeypatch.delattr("tests.transports.sshserver._Interface.check_channel_exec_request")
    transport = lab.connect(host)
    with pytest.raises(ProbeError, match="did not let us run a command"):
        transport.run("echo")
    transport.close()


def test_an_exec_that_is_never_answered_ends_at_the_deadline(lab: Lab) -> None:
    over = threading.Event()

    def silent(*_: object) -> None:
        over.wait(60)

    host = lab.host()
    transport = lab.hasty(host)
    host.start = silent  # type: ignore[assignment, method-assign]
    with pytest.raises(DeadlineError):
        transport.run("echo")
    over.set()
    transport.close()


def test_a_host_that_ignores_the_window_is_cut_off(lab: Lab) -> None:
    def flood(channel: paramiko.Channel, command: bytes) -> None:
        with suppress(OSError, EOFError, paramiko.SSHException):
            while command:
                channel.out_window_size = 1 << 30
                channel.sendall(b"x" * 32000)

    transport = lab.connect(lab.host(sessions=flood))
    with pytest.raises(HostError):
        transport.run("echo")
    transport.close()


class Relay:
    """Passes bytes on between a client and a host, and cuts the connection after so many from the host."""

    def __init__(self, host: SshHost, limit: int) -> None:
        self.passed = 0
        self._limit = limit
        self._upstream = ("127.0.0.1", host.port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(5)

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            with client, socket.create_connection(self._upstream) as server:
                back = threading.Thread(target=self._forward, args=(client, server), daemon=True)
                back.start()
                self._back(server, client)
                for end in (server, client):
                    with suppress(OSError):
                        end.shutdown(socket.SHUT_RDWR)
                back.join(5)

    def _back(self, server: socket.socket, client: socket.socket) -> None:
        with suppress(OSError):
            while data := server.recv(min(1 << 16, self._limit - self.passed)):
                client.sendall(data)
                self.passed += len(data)

    def _forward(self, client: socket.socket, server: socket.socket) -> None:
        with suppress(OSError):
            while data := client.recv(1 << 16):
                server.sendall(data)
            server.shutdown(socket.SHUT_WR)


def scan_through(lab: Lab, relay: Relay) -> bytes:
    transport = lab.connect(relay.port)
    try:
        channel = transport.run("head -c 3000 /dev/zero")
        data, ended = output(channel)
        assert ended.status in {0, None}
        return data
    finally:
        transport.close()


def test_a_connection_cut_at_any_byte_is_an_error_or_whole(lab: Lab) -> None:
    host = lab.host()
    lab.record("[127.0.0.1]:*", key("ed25519"))
    whole = Relay(host, 1 << 30)
    assert scan_through(lab, whole) == b"\0" * 3000
    whole.close()
    cuts = sorted({0, 1, whole.passed - 1, *random.Random(2).sample(range(whole.passed), 25)})
    for cut in cuts:
        relay = Relay(host, cut)
        try:
            assert scan_through(lab, relay) == b"\0" * 3000, cut
        except HostError:
            continue
        finally:
            relay.close()
