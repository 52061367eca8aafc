"""OpenSSH certificates: what one says, and whether an authority's word makes a host's key good.

Format: PROTOCOL.certkeys of OpenSSH. All integers are big-endian, strings carry a 32-bit length (RFC 4251 section 5).
"""

import struct
from dataclasses import dataclass
from datetime import UTC, datetime

SUFFIX = "-cert-v01@openssh.com"
HOST = 2
USER = 1
FOREVER = (1 << 64) - 1
MAX_PRINCIPALS = 256  # what OpenSSH takes (SSHKEY_CERT_MAX_PRINCIPALS)

# How many fields the certified key itself has, between the nonce and the serial number.
_KEY_FIELDS = {"ssh-ed25519": 1, "ssh-rsa": 2}
_KEY_FIELDS.update(dict.fromkeys(("ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521"), 2))


@dataclass(frozen=True, slots=True)
class Certificate:
    """The fields of a certificate that matter to us. Times are seconds of the epoch."""

    type: str
    """The certified key's type, without the suffix."""
    public: bytes
    """The certified key itself, in wire format."""
    serial: int
    role: int
    """USER or HOST."""
    key_id: str
    principals: tuple[str, ...]
    """Empty: valid for any name."""
    valid_after: int
    valid_before: int
    critical_options: tuple[str, ...]
    authority: bytes
    """The authority's public key, as in known_hosts."""
    signed: bytes
    signature: bytes

    @property
    def wire_type(self) -> str:
        """The type that the certificate's wire format names."""
        return self.type + SUFFIX


class _Reader:
    """Takes RFC 4251 values off the front of bytes that may be hostile. ValueError at their end."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.at = 0

    def take(self, size: int) -> bytes:
        if size > len(self._data) - self.at:
            raise ValueError("the certificate is cut short")
        self.at += size
        return self._data[self.at - size : self.at]

    def integer(self, size: int) -> int:
        return int.from_bytes(self.take(size), "big")

    def string(self) -> bytes:
        return self.take(self.integer(4))

    def strings(self, limit: int) -> list[bytes]:
        found: list[bytes] = []
        while self.at < len(self._data):
            if len(found) >= limit:
                raise ValueError("the certificate has too many fields")
            found.append(self.string())
        return found


def is_certificate(blob: bytes) -> bool:
    """Whether a public key in wire format is a certificate."""
    try:
        return _Reader(blob).string().endswith(SUFFIX.encode())
    except ValueError:
        return False


def parse(blob: bytes) -> Certificate:
    """A certificate in wire format. ValueError for anything that is none of a known type."""
    reader = _Reader(blob)
    kind = reader.string().decode("ascii", "replace").removesuffix(SUFFIX)
    if kind not in _KEY_FIELDS:
        raise ValueError("the certificate's type is not supported")
    reader.string()  # nonce
    start = reader.at
    for _ in range(_KEY_FIELDS[kind]):
        reader.string()
    public = struct.pack(">I", len(kind)) + kind.encode() + blob[start : reader.at]
    serial, role = reader.integer(8), reader.integer(4)
    key_id = reader.string().decode("utf-8", "replace")
    principals = _Reader(reader.string()).strings(MAX_PRINCIPALS)
    valid_after, valid_before = reader.integer(8), reader.integer(8)
    critical = _Reader(reader.string()).strings(2 * MAX_PRINCIPALS)
    reader.string()  # extensions: an unknown one is to be ignored
    reader.string()  # reserved
    authority = reader.string()
    end = reader.at
    signature = reader.string()
    if reader.at != len(blob):
        raise ValueError("the certificate has bytes after its end")
    return Certificate(
        type=kind,
        public=public,
        serial=serial,
        role=role,
        key_id=key_id,
        principals=tuple(name.decode("utf-8", "replace") for name in principals),
        valid_after=valid_after,
        valid_before=valid_before,
        critical_options=tuple(name.decode("utf-8", "replace") for name in critical[::2]),
        authority=authority,
        signed=blob[:end],
        signature=signature,
    )


def public_type(blob: bytes) -> str:
    """The type that a public key in wire format names. ValueError when it is malformed."""
    return _Reader(blob).string().decode("ascii", "replace")


def signed_by_authority(certificate: Certificate) -> bool:
    """Whether the authority that the certificate names did sign it. An authority whose keys we cannot verify with
    (security keys) counts as no."""
    from paramiko import Message, PKey, SSHException  # noqa: PLC0415 - heavy
    from paramiko.pkey import UnknownKeyType  # noqa: PLC0415 - heavy

    try:
        kind = public_type(certificate.authority)
        if kind.endswith(SUFFIX):  # chained certificates do not exist: PROTOCOL.certkeys
            return False
        key = PKey.from_type_string(kind, certificate.authority)
        return bool(key.verify_ssh_sig(certificate.signed, Message(certificate.signature)))
    except (UnknownKeyType, SSHException, ValueError, TypeError, OverflowError, struct.error):
        return False


def host_objection(certificate: Certificate, name: str, now: float) -> str:
    """Why a certificate is no good for a host, as a clause; empty where it is good. `name` is what ssh checks it
    against: the host name or address without a port."""
    if certificate.role != HOST:
        return "is a user's certificate, not a host's"
    if objection := period_objection(certificate, now):
        return objection
    if certificate.critical_options:
        return "has critical options, which no host certificate may have"
    if certificate.principals and name.lower() not in {principal.lower() for principal in certificate.principals}:
        return f"is for {', '.join(certificate.principals[:5])}, not for {name}"
    return ""


def period_objection(certificate: Certificate, now: float) -> str:
    """Why a certificate is not valid at a time, as a clause; empty where it is."""
    if now < certificate.valid_after:
        return f"is valid only from {_date(certificate.valid_after)} on"
    if certificate.valid_before != FOREVER and now >= certificate.valid_before:
        return f"has expired on {_date(certificate.valid_before)}"
    return ""


def _date(seconds: int) -> str:
    try:
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    except (ValueError, OverflowError, OSError):
        return f"second {seconds}"
