"""Host keys: who is trusted, who is refused, and that nothing was sent to those who are refused."""

import threading
import time

import pytest

from driftscan.errors import HostError, HostKeyChangedError, HostKeyUnknownError
from driftscan.transports import known_hosts
from tests.transports.conftest import Lab, output
from tests.transports.sshkeys import certificate, key
from tests.transports.test_known_hosts import hashed

DAY = 86400


def works(lab: Lab, host: object, **options: object) -> bool:
    transport = lab.connect(host, **options)  # type: ignore[arg-type]
    try:
        return output(transport.run("echo here"))[0] == b"here\n"
    finally:
        transport.close()


def refused(lab: Lab, host: object, error: type[HostError], **options: object) -> HostError:
    with pytest.raises(error) as caught:
        lab.connect(host, **options)  # type: ignore[arg-type]
    return caught.value


def test_a_key_on_record_is_trusted(lab: Lab) -> None:
    assert works(lab, lab.host())


def test_an_unknown_key_is_refused_with_its_fingerprint_and_the_way_to_record_it(lab: Lab) -> None:
    host = lab.host(known=False)
    error = refused(lab, host, HostKeyUnknownError)
    assert key("ed25519").fingerprint in error.message
    assert f"[127.0.0.1]:{host.port}" in error.message
    assert f"ssh-keyscan -p {host.port} 127.0.0.1 >> {lab.own_file}" in error.hint
    assert "--accept-new-host-keys" in error.hint
    assert host.logins == []
    assert not lab.own_file.exists()


def test_a_changed_key_is_refused_before_anything_is_sent(lab: Lab) -> None:
    host = lab.host(known=False)
    lab.record(f"[127.0.0.1]:{host.port}", key("ed25519", 1))
    error = refused(lab, host, HostKeyChangedError, accept_new_host_keys=True)
    assert key("ed25519").fingerprint in error.message
    assert key("ed25519", 1).fingerprint in error.message
    assert f"{lab.known_hosts}:1" in error.message
    assert host.logins == []


def test_a_revoked_key_is_refused_even_if_it_is_on_record(lab: Lab) -> None:
    host = lab.host()
    lab.record("*", key("ed25519"), "@revoked")
    error = refused(lab, host, HostKeyChangedError)
    assert "revoked" in error.message
    assert f"{lab.known_hosts}:2" in error.message
    assert host.logins == []


@pytest.mark.parametrize("names", ["[127.0.0.*]:*", "[127.0.0.1]:{port}", "HASHED", "127.0.0.1"])
def test_names_on_record_may_be_patterns_hashed_or_without_port(lab: Lab, names: str) -> None:
    host = lab.host(known=False)
    name = f"[127.0.0.1]:{host.port}"
    lab.record(hashed(name) if names == "HASHED" else names.format(port=host.port), key("ed25519"))
    assert works(lab, host)


def test_a_key_of_the_bare_name_makes_no_other_port_changed(lab: Lab) -> None:
    host = lab.host(known=False)
    lab.record("127.0.0.1", key("ed25519", 1))
    refused(lab, host, HostKeyUnknownError)


@pytest.mark.parametrize("kind", ["ed25519", "ecdsa", "rsa"])
def test_of_several_keys_the_one_on_record_is_asked_for(lab: Lab, kind: str) -> None:
    host = lab.host(known=False, host_keys=[key("ed25519"), key("ecdsa"), key("rsa")])
    lab.record(f"[127.0.0.1]:{host.port}", key(kind))
    assert works(lab, host)


def test_new_keys_are_recorded_in_the_scanners_own_file_only(lab: Lab) -> None:
    host = lab.host(known=False)
    assert works(lab, host, accept_new_host_keys=True)
    assert not lab.known_hosts.exists()
    record = known_hosts.load([str(lab.own_file)]).find("127.0.0.1", host.port)
    assert [entry.key.fingerprint for entry in record.keys] == [key("ed25519").fingerprint]
    # From now on it is known, whichever files are named.
    assert works(lab, host, known_hosts=())
    assert works(lab, host)


def test_a_new_key_once_accepted_is_changed_when_it_changes(lab: Lab) -> None:
    host = lab.host(known=False)
    known_hosts.record(
        str(lab.own_file),
        f"[127.0.0.1]:{host.port}",
        known_hosts.HostKey("ssh-ed25519", key("ed25519", 1).asbytes()),
    )
    refused(lab, host, HostKeyChangedError, accept_new_host_keys=True)


def test_many_hosts_are_accepted_at_once(lab: Lab) -> None:
    hosts = [lab.host(known=False) for _ in range(6)]
    failures: list[HostError] = []

    def accept(port: int) -> None:
        try:
            lab.connect(port, accept_new_host_keys=True).close()
        except HostError as error:
            failures.append(error)

    threads = [threading.Thread(target=accept, args=(host.port,)) for host in hosts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    known = known_hosts.load([str(lab.own_file)])
    assert all(known.find("127.0.0.1", host.port).keys for host in hosts)


@pytest.mark.parametrize("kind", ["ed25519", "ecdsa", "rsa"])
@pytest.mark.parametrize("signer", ["ed25519", "ecdsa", "rsa"])
def test_a_certificate_of_an_authority_on_record_is_trusted(lab: Lab, kind: str, signer: str) -> None:
    host = lab.host(known=False, host_keys=[key(kind)], certificate=certificate(key(kind), key(signer, 50)))
    lab.record("[127.0.0.*]:*", key(signer, 50), "@cert-authority")
    assert works(lab, host)


def test_a_certificate_without_principals_is_for_any_host(lab: Lab) -> None:
    host = lab.host(known=False, certificate=certificate(key("ed25519"), key("ed25519", 50), principals=()))
    lab.record("*", key("ed25519", 50), "@cert-authority")
    assert works(lab, host)


@pytest.mark.parametrize(
    ("changes", "error", "why"),
    [
        ({"principals": ("web-9",)}, HostKeyUnknownError, "is for web-9, not for 127.0.0.1"),
        ({"role": 1}, HostKeyUnknownError, "is a user's certificate"),
        ({"before": int(time.time()) - DAY}, HostKeyUnknownError, "has expired on"),
        ({"after": int(time.time()) + DAY}, HostKeyUnknownError, "is valid only from"),
        ({"critical": ("force-command",)}, HostKeyUnknownError, "critical options"),
        ({"forged": True}, HostKeyChangedError, "its authority did not sign"),
    ],
)
def test_a_certificate_that_is_no_good_is_refused(
    lab: Lab, changes: dict[str, object], error: type[HostError], why: str
) -> None:
    blob = certificate(key("ed25519"), key("ed25519", 50), **changes)  # type: ignore[arg-type]
    host = lab.host(known=False, certificate=blob)
    lab.record("*", key("ed25519", 50), "@cert-authority")
    assert why in refused(lab, host, error, accept_new_host_keys=True).message
    assert host.logins == []


def test_a_revoked_authority_vouches_for_nobody(lab: Lab) -> None:
    host = lab.host(known=False, certificate=certificate(key("ed25519"), key("ed25519", 50)))
    lab.record("*", key("ed25519", 50), "@cert-authority")
    lab.record("*", key("ed25519", 50), "@revoked")
    assert "revoked certificate authority" in refused(lab, host, HostKeyChangedError).message


def test_a_certified_key_may_be_revoked(lab: Lab) -> None:
    host = lab.host(known=False, certificate=certificate(key("ed25519"), key("ed25519", 50)))
    lab.record("*", key("ed25519", 50), "@cert-authority")
    lab.record("*", key("ed25519"), "@revoked")
    assert "revoked key" in refused(lab, host, HostKeyChangedError).message


def test_a_certificate_of_a_stranger_leaves_the_plain_key_to_judge(lab: Lab) -> None:
    host = lab.host(certificate=certificate(key("ed25519"), key("ed25519", 51)))
    lab.record("*", key("ed25519", 50), "@cert-authority")
    assert works(lab, host)
    stranger = lab.host(known=False, certificate=certificate(key("ed25519"), key("ed25519", 51)))
    refused(lab, stranger, HostKeyUnknownError)


def test_an_authority_is_no_host_key(lab: Lab) -> None:
    host = lab.host(known=False)
    lab.record("*", key("ed25519"), "@cert-authority")
    refused(lab, host, HostKeyUnknownError)
