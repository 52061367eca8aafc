"""Certificate authorities that the system trusts, by the SHA-256 of the certificate's DER form.

Where they are read:
* the bundle that programs open: Debian's, Red Hat's, SUSE's, Alpine's (PEM, RFC 7468; `TRUSTED CERTIFICATE` blocks,
  which OpenSSL writes, are read up to the end of the certificate);
* the directory of links by hash (`/etc/ssl/certs/0123abcd.0`), which OpenSSL searches besides the bundle, so that a
  certificate can be trusted without standing in the bundle;
* where administrators put their own: /usr/local/share/ca-certificates, /etc/pki/ca-trust/source/anchors and the like.
"""

import base64
import binascii
import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from driftscan.collectors import _x509
from driftscan.collectors._base import Collector, gap
from driftscan.collectors._text import path_text, value
from driftscan.model.resource import Attribute, Form, Kind, Resource, Value
from driftscan.model.source import Captures, Gap, Glob, Member, Status

BUNDLES = Glob(
    (
        "/etc/ssl/certs/ca-certificates.crt",
        "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
        "/etc/pki/tls/certs/ca-bundle.crt",
        "/var/lib/ca-certificates/ca-bundle.pem",
        "/etc/ssl/ca-bundle.pem",
        "/etc/ssl/cert.pem",
    ),
    max_bytes=4 << 20,
)
HASHED = Glob(
    ("/etc/ssl/certs/????????.[0-9]", "/etc/pki/tls/certs/????????.[0-9]"), max_files=5000, max_bytes=64 << 10
)
LOCAL = Glob(
    (
        "/usr/local/share/ca-certificates/**",
        "/etc/pki/ca-trust/source/*",
        "/etc/pki/ca-trust/source/anchors/*",
        "/usr/share/pki/ca-trust-source/anchors/*",
        "/etc/pki/trust/anchors/*",
    ),
    max_files=2000,
    max_bytes=1 << 20,
)

SHIPPED = Glob(("/usr/share/ca-certificates/**",), max_files=2000, max_bytes=64 << 10, public=True)
"""Where packages have certificates. Not what is trusted, and asked only where that differs."""

CA_CERTIFICATE = Kind(
    name="ca_certificate",
    doc="A certificate that the system trusts as an authority, or that an administrator put where it would be.",
    key="`SHA256:` and the hexadecimal digest of its DER form",
    attributes={
        "trusted_by": Attribute(tuple, "bundle, directory (of links by hash); empty: not yet in force"),
        "paths": Attribute(tuple, "files of administrators that hold it"),
        "subject": Attribute(str, "RFC 4514; None: it could not be read"),
        "issuer": Attribute(str, "RFC 4514"),
        "self_signed": Attribute(bool, "subject and issuer are the same name"),
        "not_valid_before": Attribute(str, "UTC, RFC 3339", Form.TIME),
        "not_valid_after": Attribute(str, "UTC, RFC 3339", Form.TIME),
    },
)

_BLOCK = re.compile(rb"-----BEGIN ((?:X509 |TRUSTED )?CERTIFICATE)-----([^-]*)-----END \1-----")
_BEGIN = re.compile(rb"-----BEGIN (?:X509 |TRUSTED )?CERTIFICATE-----")
_MAX_CERTIFICATES = 5000


@dataclass(slots=True)
class _Trust:
    der: bytes
    trusted_by: set[str] = field(default_factory=set)
    paths: set[str] = field(default_factory=set)


def parse(captures: Captures) -> Iterator[Resource | Gap]:
    """One resource per certificate. A file that cannot be read might hold any, and so is a gap of the whole kind."""
    found: dict[str, _Trust] = {}
    for source, trusted_by in ((BUNDLES, "bundle"), (HASHED, "directory"), (LOCAL, "")):
        if captures[source].status not in (Status.OK, Status.ABSENT):
            yield gap("ca_certificates", captures, source, CA_CERTIFICATE.name)
            continue
        for member in captures.members(source):
            if problem := _read(found, member, trusted_by):
                status = Status.FAILED if member.status is Status.OK else member.status
                reason = f"{path_text(member.path)}: {problem}"
                yield Gap("ca_certificates", status, reason, (CA_CERTIFICATE.name,))
    for digest, trust in sorted(found.items()):
        yield Resource(
            CA_CERTIFICATE.name,
            f"SHA256:{digest}",
            {
                "trusted_by": tuple(sorted(trust.trusted_by)),
                "paths": tuple(sorted(trust.paths)),
                **_described(trust.der),
            },
        )


def shipped_in(captures: Captures) -> Mapping[str, frozenset[str]]:
    """By file of SHIPPED, the keys of the certificates in it; what cannot be read holds none."""
    return {
        path_text(member.path): frozenset(
            f"SHA256:{hashlib.sha256(der).hexdigest()}"
            for match in _BLOCK.finditer(member.data)
            if (der := _der(match[2])) is not None
        )
        for member in captures.members(SHIPPED)
        if member.status is Status.OK
    }


def _read(found: dict[str, _Trust], member: Member, trusted_by: str) -> str:
    """Adds the certificates of a file; returns what is wrong with it, empty if nothing is."""
    if member.mode & 0o170000 == 0o040000:
        return ""
    if member.status is not Status.OK:
        return member.detail or "could not be read"
    if not trusted_by and member.data[:1] == b"\x30":
        blocks: list[bytes | None] = [member.data]
    else:
        blocks = [_der(match[2]) for match in _BLOCK.finditer(member.data)]
    problem = (
        "" if blocks == [member.data] or len(_BEGIN.findall(member.data)) == len(blocks) else "a certificate is cut"
    )
    for der in blocks:
        if len(found) >= _MAX_CERTIFICATES:
            return "too many certificates"
        if der is None:
            problem = "a certificate is no base64 of DER"
            continue
        trust = found.setdefault(hashlib.sha256(der).hexdigest(), _Trust(der))
        if trusted_by:
            trust.trusted_by.add(trusted_by)
        else:
            trust.paths.add(path_text(member.path))
    return problem


def _der(block: bytes) -> bytes | None:
    """The certificate of a PEM block: one DER sequence, without what OpenSSL appends to trusted ones."""
    try:
        data = base64.b64decode(b"".join(block.split()), validate=True)
    except (binascii.Error, ValueError):
        return None
    try:
        return data[: _x509.size(data)]
    except ValueError:
        return None


def _described(der: bytes) -> Mapping[str, Value]:
    try:
        certificate = _x509.read(der)
    except ValueError:
        return {"subject": None}
    return {
        "subject": value(certificate.subject),
        "issuer": value(certificate.issuer),
        "self_signed": certificate.subject == certificate.issuer,
        "not_valid_before": certificate.not_before,
        "not_valid_after": certificate.not_after,
    }


collector = Collector(
    name="ca_certificates",
    version=1,
    doc="Certificate authorities that the system trusts",
    kinds=(CA_CERTIFICATE,),
    sources=(BUNDLES, HASHED, LOCAL),
    parse=parse,
)
