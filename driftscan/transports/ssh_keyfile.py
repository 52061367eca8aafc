"""Private key files: read, decrypted once per run, with the certificate that lies beside them.

Formats: OpenSSH private keys (PROTOCOL.key), PEM (PKCS#1, SEC 1, PKCS#8), certificates beside the key as `-cert.pub`.
"""

import base64
import binascii
import copy
import io
import os
import struct
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from driftscan.transports import ssh_certificate
from driftscan.transports.ssh_secrets import KEY_PASSPHRASE, Prompt, Secrets

if TYPE_CHECKING:
    from paramiko import PKey

MAX_FILE = 1 << 16
TRIES = 3
"""Answers to the question for a passphrase."""
_MAGIC = b"openssh-key-v1\x00"


@dataclass(frozen=True, slots=True)
class Candidate:
    """A key to offer, and how to name it to a person."""

    label: str
    key: "PKey"


@dataclass(frozen=True, slots=True)
class KeyFile:
    """What a private key file tells without its passphrase."""

    path: str
    data: bytes
    encrypted: bool
    public: bytes
    """The public key's wire format; empty where the file does not tell."""


class UnusableKeyError(Exception):
    """A key file that cannot be used; the text says why and what to do."""

    def __init__(self, why: str, hint: str = "") -> None:
        super().__init__(why)
        self.hint = hint


class WrongPassphraseError(UnusableKeyError):
    """The file is there; the passphrase does not open it."""


class KeyRing:
    """The key files of one run, each read and decrypted once. Safe to use from many threads."""

    def __init__(self, secrets: Secrets) -> None:
        """`secrets` answers for passphrases."""
        self.secrets = secrets
        self._lock = threading.Lock()
        self._loaded: dict[str, tuple[Candidate, ...] | UnusableKeyError] = {}

    def load(self, file: KeyFile, prompt: Prompt | None) -> tuple[Candidate, ...]:
        """The certificate of a key file, if one lies beside it, and the key. UnusableKeyError."""
        with self._lock:
            if file.path not in self._loaded:
                try:
                    self._loaded[file.path] = _candidates(file, self._decrypt(file, prompt))
                except UnusableKeyError as error:
                    self._loaded[file.path] = error
            found = self._loaded[file.path]
        if isinstance(found, UnusableKeyError):
            raise found
        return found

    def _decrypt(self, file: KeyFile, prompt: Prompt | None) -> "PKey":
        if not file.encrypted:
            return _load(file, "")
        question = f"Passphrase for {file.path}:"
        passphrase = self.secrets.get(KEY_PASSPHRASE, question, prompt)
        for _ in range(TRIES):
            if not passphrase:
                raise UnusableKeyError(
                    f"{file.path} is encrypted and there is no passphrase for it",
                    f"Load it into the agent with ssh-add, set {KEY_PASSPHRASE}, or run driftscan at a terminal.",
                )
            try:
                return _load(file, passphrase)
            except WrongPassphraseError:
                passphrase = self.secrets.ask_again(question, passphrase, prompt)
        raise UnusableKeyError(
            f"{file.path}: wrong passphrase", f"Give the right one at the prompt or in {KEY_PASSPHRASE}."
        )


def read(path: str) -> KeyFile:
    """A private key file, not decrypted. UnusableKeyError."""
    path = os.path.expanduser(path)
    try:
        with open(path, "rb") as file:
            data = file.read(MAX_FILE)
    except OSError as error:
        raise UnusableKeyError(f"identity file {path}: {error.strerror}", "Name an existing private key.") from error
    if b"PRIVATE KEY-----" not in data:
        raise UnusableKeyError(f"{path} is not a private key", "Name the private key, not its .pub file.")
    if b"BEGIN OPENSSH PRIVATE KEY" not in data:
        encrypted = b"ENCRYPTED" in data
        return KeyFile(path, data, encrypted, _public_beside(path))
    try:
        body = base64.b64decode(b"".join(data.split(b"-----")[2].split()))
        cipher, public = _header(body)
    except (ValueError, IndexError, binascii.Error, struct.error) as error:
        raise _damaged(path) from error
    if public[4:7] == b"sk-":
        raise UnusableKeyError(
            f"{path} belongs to a security key (FIDO), which cannot be used from a file",
            "Load it into the agent with ssh-add.",
        )
    return KeyFile(path, data, cipher != b"none", public)


def _damaged(path: str) -> UnusableKeyError:
    return UnusableKeyError(f"{path} is damaged", "Take the key from a backup, or make a new one.")


def _header(body: bytes) -> tuple[bytes, bytes]:
    """Cipher and public key of PROTOCOL.key: magic, cipher, kdf, kdf options, number of keys, public key."""
    if not body.startswith(_MAGIC):
        raise ValueError("no OpenSSH key")
    fields: list[bytes] = []
    at = len(_MAGIC)
    for number in range(4):
        if number == 3:
            at += 4
        (size,) = struct.unpack_from(">I", body, at)
        fields.append(body[at + 4 : at + 4 + size])
        at += 4 + size
    return fields[0], fields[3]


def _public_beside(path: str) -> bytes:
    try:
        with open(f"{path}.pub", "rb") as file:
            return base64.b64decode(file.read(MAX_FILE).split()[1], validate=True)
    except (OSError, IndexError, binascii.Error, ValueError):
        return b""


def _load(file: KeyFile, passphrase: str) -> "PKey":
    from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415 - heavy
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415 - heavy

    secret = passphrase.encode() if passphrase else None
    try:
        if b"BEGIN OPENSSH PRIVATE KEY" in file.data:
            return _wrap(file.path, serialization.load_ssh_private_key(file.data, secret))
        return _wrap(file.path, serialization.load_pem_private_key(file.data, secret))
    except UnsupportedAlgorithm as error:
        raise UnusableKeyError(
            f"{file.path}: its type or cipher is not supported", "Use an ed25519, ecdsa or rsa key."
        ) from error
    except (ValueError, TypeError) as error:
        if file.encrypted:
            raise WrongPassphraseError(f"{file.path}: wrong passphrase") from error
        raise _damaged(file.path) from error


def _wrap(path: str, loaded: object) -> "PKey":
    from cryptography.hazmat.primitives import serialization as form  # noqa: PLC0415 - heavy
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa  # noqa: PLC0415 - heavy
    from paramiko import ECDSAKey, Ed25519Key, RSAKey  # noqa: PLC0415 - heavy

    if isinstance(loaded, rsa.RSAPrivateKey):
        return RSAKey(key=loaded)
    if isinstance(loaded, ec.EllipticCurvePrivateKey):
        return ECDSAKey(vals=(loaded, loaded.public_key()))
    if isinstance(loaded, ed25519.Ed25519PrivateKey):
        # paramiko makes its Ed25519 keys from OpenSSH's format alone; the copy stays in memory.
        text = loaded.private_bytes(form.Encoding.PEM, form.PrivateFormat.OpenSSH, form.NoEncryption())
        return Ed25519Key(file_obj=io.StringIO(text.decode()))
    raise UnusableKeyError(f"{path}: its type is not supported", "Use an ed25519, ecdsa or rsa key.")


def _candidates(file: KeyFile, key: "PKey") -> tuple[Candidate, ...]:
    return (*certificate_beside(file, copy.copy(key)), Candidate(file.path, key))


def certificate_beside(file: KeyFile, key: "PKey") -> tuple[Candidate, ...]:
    """`key` with the certificate beside its file, if there is one. UnusableKeyError for one of another key."""
    beside = f"{file.path}-cert.pub"
    try:
        with open(beside, "rb") as opened:
            blob = base64.b64decode(opened.read(MAX_FILE).split()[1], validate=True)
        certificate = ssh_certificate.parse(blob)
    except FileNotFoundError:
        return ()
    except (OSError, IndexError, ValueError) as error:
        raise UnusableKeyError(
            f"{beside} cannot be read as a certificate", "Remove it or have it signed anew."
        ) from error
    if certificate.public != key.asbytes():
        raise UnusableKeyError(f"{beside} is not a certificate of {file.path}", "Remove it or have it signed anew.")
    return (_with_certificate(beside, key, certificate, blob),)


def _with_certificate(path: str, key: "PKey", certificate: ssh_certificate.Certificate, blob: bytes) -> Candidate:
    from paramiko.pkey import PublicBlob  # noqa: PLC0415 - heavy

    key.public_blob = PublicBlob(certificate.wire_type, blob)
    objection = ssh_certificate.period_objection(certificate, time.time())
    return Candidate(f"{path} (which {objection})" if objection else path, key)
