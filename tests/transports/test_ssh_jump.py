"""Hosts behind a jump host: its own key and login, one connection for all, and whose error it is."""

import threading
import time

import paramiko
import pytest
from paramiko.common import MSG_CHANNEL_CLOSE, MSG_CHANNEL_DATA

from driftscan.errors import AuthenticationError, HostError, HostKeyUnknownError, UnreachableError
from driftscan.transports.base import Transport
from tests.transports.conftest import Lab, output
from tests.transports.sshkeys import key
from tests.transports.sshserver import SshHost


def jump_spec(host: SshHost) -> str:
    return f"warden@127.0.0.1:{host.port}"


def echoes(transport: Transport) -> bool:
    return output(transport.run("echo behind"))[0] == b"behind\n"


def test_a_host_is_reached_through_its_jump_host(lab: Lab) -> None:
    jump, host = lab.host(), lab.host(host_keys=[key("ed25519", 1)])
    transport = lab.connect(host, jump=jump_spec(jump))
    assert echoes(transport)
    transport.close()
    assert jump.forwards == [("127.0.0.1", host.port)]
    assert [user for user, _, _ in jump.logins] == ["warden"]
    assert [user for user, _, _ in host.logins] == ["scanner"]


def test_hosts_share_one_connection_which_ends_with_the_last(lab: Lab) -> None:
    jump = lab.host()
    hosts = [lab.host() for _ in range(4)]
    opened: list[Transport] = []

    def open_one(host: SshHost) -> None:
        opened.append(lab.connect(host, jump=jump_spec(jump)))

    threads = [threading.Thread(target=open_one, args=(host,)) for host in hosts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(opened) == 4
    assert jump.connections == 1
    for transport in opened[:-1]:
        transport.close()
        transport.close()
    assert echoes(opened[-1])
    opened[-1].close()
    again = lab.connect(hosts[0], jump=jump_spec(jump))
    assert jump.connections == 2
    again.close()


def test_a_jump_hosts_unknown_key_is_its_own_error(lab: Lab) -> None:
    jump, host = lab.host(known=False), lab.host()
    with pytest.raises(HostKeyUnknownError, match=f"^jump host: the host key of .*{jump.port}"):
        lab.connect(host, jump=jump_spec(jump))
    assert host.connections == 0


def test_a_jump_hosts_refusal_is_remembered_for_the_others(lab: Lab) -> None:
    jump = lab.host(keys=())
    for host in (lab.host(), lab.host()):
        with pytest.raises(AuthenticationError, match=r"^jump host: warden@"):
            lab.connect(host, jump=jump_spec(jump))
    assert jump.connections == 1


def test_the_key_of_a_host_behind_is_checked_too(lab: Lab) -> None:
    jump, host = lab.host(), lab.host(known=False)
    with pytest.raises(HostKeyUnknownError, match=f"127.0.0.1]:{host.port}"):
        lab.connect(host, jump=jump_spec(jump))
    assert host.logins == []


def test_a_host_that_the_jump_host_cannot_reach(lab: Lab) -> None:
    jump = lab.host()
    with pytest.raises(UnreachableError, match=r"it could not connect to 127\.0\.0\.1 port 1 "):
        lab.connect(1, jump=jump_spec(jump))


def test_a_jump_host_that_dies_is_replaced(lab: Lab) -> None:
    jump, host = lab.host(), lab.host()
    first = lab.connect(host, jump=jump_spec(jump))
    jump.cut()
    with pytest.raises(HostError):
        echoes(first)
    second = lab.connect(host, jump=jump_spec(jump))
    first.close()
    assert echoes(second)
    second.close()


@pytest.mark.parametrize("spec", ["a,b", "user@", "host:x", "host:99999", "a b", "@host", "[::1"])
def test_jump_hosts_that_are_none(lab: Lab, spec: str) -> None:
    with pytest.raises(UnreachableError, match=r"is not \[user@\]host\[:port\]"):
        lab.connect(1, jump=spec)


def test_nothing_is_sent_on_a_forwarded_channel_once_it_is_closed(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """OpenSSH ends the whole connection for that, and with it every host behind the jump host."""
    order: dict[int, list[int]] = {}
    jump = lab.host()
    hosts = [lab.host() for _ in range(8)]
    keeper = lab.connect(hosts[0], jump=jump_spec(jump))
    outer = keeper._lease.connection.transport  # type: ignore[attr-defined]
    send = outer._send_user_message

    def record(message: paramiko.Message) -> None:
        kind, channel = message.asbytes()[0], int.from_bytes(message.asbytes()[1:5], "big")
        if kind == MSG_CHANNEL_DATA:
            time.sleep(0.002)
        if kind in {MSG_CHANNEL_DATA, MSG_CHANNEL_CLOSE}:
            order.setdefault(channel, []).append(kind)
        send(message)

    monkeypatch.setattr(outer, "_send_user_message", record)

    def visit(host: SshHost) -> None:
        transport = lab.connect(host, jump=jump_spec(jump))
        output(transport.run("echo"))
        transport.close()

    threads = [threading.Thread(target=visit, args=(host,)) for host in hosts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    keeper.close()
    assert len(order) >= len(hosts)
    for kinds in order.values():
        assert MSG_CHANNEL_CLOSE not in kinds[:-1]
