"""Keys and certificates for the tests of the ssh transport, made here and thrown away."""

import functools
import io
from collections.abc import Callable
from typing import Any

import paramiko
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
)
from paramiko import Message, PKey

from driftscan.transports.known_hosts import HostKey

PRIVATE: dict[str, Callable[[], Any]] = {
    "ed25519": ed25519.Ed25519PrivateKey.generate,
    "ecdsa": lambda: ec.generate_private_key(ec.SECP256R1()),
    "rsa": lambda: rsa.generate_private_key(65537, 2048),
}
FOREVER = (1 << 64) - 1


@functools.cache
def private(kind: str, number: int = 0) -> Any:
    """The same key of a kind for the same number."""
    return PRIVATE[kind]()


def pem(kind: str, number: int = 0, passphrase: str = "", form: str = "OpenSSH") -> bytes:
    """A private key file. `form` is OpenSSH, TraditionalOpenSSL or PKCS8."""
    encryption: KeySerializationEncryption = NoEncryption()
    if passphrase:
        encryption = BestAvailableEncryption(passphrase.encode())
        if form == "OpenSSH":  # few rounds make it no other file, and take no second
            encryption = PrivateFormat.OpenSSH.encryption_builder().kdf_rounds(1).build(passphrase.encode())
    data = private(kind, number).private_bytes(Encoding.PEM, getattr(PrivateFormat, form), encryption)
    assert isinstance(data, bytes)
    return data


@functools.cache
def key(kind: str, number: int = 0) -> PKey:
    """The paramiko key of a kind and number."""
    classes: dict[str, type[PKey]] = {
        "ed25519": paramiko.Ed25519Key,
        "ecdsa": paramiko.ECDSAKey,
        "rsa": paramiko.RSAKey,
    }
    return classes[kind].from_private_key(io.StringIO(pem(kind, number).decode()))


def host_key(kind: str, number: int = 0) -> HostKey:
    """The public half, as known_hosts has it."""
    found = key(kind, number)
    return HostKey(found.get_name(), found.asbytes())


def certificate(
    subject: PKey,
    authority: PKey,
    *,
    principals: tuple[str, ...] = ("127.0.0.1",),
    role: int = 2,
    after: int = 0,
    before: int = FOREVER,
    critical: tuple[str, ...] = (),
    forged: bool = False,
) -> bytes:
    """A certificate in wire format (PROTOCOL.certkeys); a forged one has a signature over something else."""
    plain = Message(subject.asbytes())
    kind = plain.get_text()
    body = Message()
    body.add_string(f"{kind}-cert-v01@openssh.com")
    body.add_string(b"nonce" * 6)
    body.add_bytes(plain.get_remainder())
    body.add_int64(7)
    body.add_int(role)
    body.add_string("test certificate")
    body.add_string(_strings(principals))
    body.add_int64(after)
    body.add_int64(before)
    body.add_string(b"".join(_strings((name, "")) for name in critical))
    body.add_string(b"")
    body.add_string(b"")
    body.add_string(authority.asbytes())
    signature = authority.sign_ssh_data(b"other" if forged else body.asbytes())
    assert isinstance(signature, Message)
    body.add_string(signature.asbytes())
    return body.asbytes()


def _strings(values: tuple[str, ...]) -> bytes:
    packed = Message()
    for value in values:
        packed.add_string(value)
    return packed.asbytes()
