"""Lines of an authorized_keys file: options, public key, comment (sshd(8), AUTHORIZED_KEYS FILE FORMAT; the blob is
that of RFC 4253 section 6.6, RFC 5656 and RFC 8709)."""

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass

_TYPE = re.compile(r"(?:ssh|ecdsa|sk|rsa)-[A-Za-z0-9@.\-]{1,80}")
_WORD = re.compile(r"[ \t]*([^ \t]+)[ \t]*")
_OPTIONS = re.compile(r'(?:"(?:[^"\\]|\\.)*"|\\"|[^" \t])+')
_OPTION = re.compile(r'(?:"(?:[^"\\]|\\.)*"|\\"|[^",])+')
MAX_BLOB = 16 << 10
MAX_LINE = 64 << 10
_CURVES = {"nistp256": 256, "nistp384": 384, "nistp521": 521, "ed25519": 256}


@dataclass(frozen=True, slots=True)
class AuthorizedKey:
    """One key. `bits` 0: not known for the type."""

    type: str
    fingerprint: str
    bits: int
    options: tuple[str, ...]
    comment: str


def parse_line(text: str) -> AuthorizedKey | None:
    """The key of a line that is neither blank nor a comment; None if there is none that sshd would take."""
    text = text.strip(" \t\r")
    if len(text) > MAX_LINE:
        return None
    found = _key(text, ())
    if found is not None:
        return found
    options = _OPTIONS.match(text)
    if options is None:
        return None
    parts = sorted({_option(match[0]) for match in _OPTION.finditer(options[0])})
    return _key(text[options.end() :], tuple(parts))


def _key(text: str, options: tuple[str, ...]) -> AuthorizedKey | None:
    kind = _WORD.match(text)
    if kind is None or not _TYPE.fullmatch(kind[1]):
        return None
    encoded = _WORD.match(text, kind.end())
    if encoded is None or len(encoded[1]) > MAX_BLOB:
        return None
    try:
        blob = base64.b64decode(encoded[1], validate=True)
    except (binascii.Error, ValueError):  # ValueError: characters outside ASCII
        return None
    fields = _fields(blob)
    if not fields or fields[0] != kind[1].encode():
        return None
    digest = base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")
    comment = text[encoded.end() :].strip(" \t")
    return AuthorizedKey(kind[1], f"SHA256:{digest}", _bits(kind[1], fields), options, comment)


def _option(text: str) -> str:
    """Option names are case-insensitive."""
    name, equals, rest = text.partition("=")
    return name.lower() + equals + rest


def _fields(blob: bytes) -> list[bytes]:
    """The strings that the blob is made of, at most eight; empty if a length leads out of it."""
    fields: list[bytes] = []
    at = 0
    while at < len(blob) and len(fields) < 8:
        size = int.from_bytes(blob[at : at + 4], "big")
        if at + 4 + size > len(blob):
            return []
        fields.append(blob[at + 4 : at + 4 + size])
        at += 4 + size
    return fields


def _bits(kind: str, fields: list[bytes]) -> int:
    """The size of the modulus of RSA (e, n) and DSA (p), of the curve else."""
    if kind == "ssh-rsa" and len(fields) > 2:
        return int.from_bytes(fields[2], "big").bit_length()
    if kind == "ssh-dss" and len(fields) > 1:
        return int.from_bytes(fields[1], "big").bit_length()
    return next((bits for curve, bits in _CURVES.items() if curve in kind), 0)
