"""Subject, issuer and dates of a certificate, read from its DER form (X.690, RFC 5280 section 4.1).

Read here and not by a library, because what is shown is compared with what an older driftscan saw: libraries change
how they write names, and refuse from some version on roots that break later rules (Debian ships one whose serial number
is zero). Nothing is verified.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

_SEQUENCE, _OID, _VERSION, _UTC_TIME, _GENERALIZED_TIME = 0x30, 0x06, 0xA0, 0x17, 0x18
_ENCODINGS = {0x0C: "utf-8", 0x12: "ascii", 0x13: "ascii", 0x14: "latin-1", 0x16: "ascii", 0x1A: "ascii"} | {
    0x1C: "utf-32-be",
    0x1E: "utf-16-be",
}
"""UTF8, Numeric, Printable, Teletex, IA5, Visible, Universal and BMP strings."""
_NAMES = {
    "2.5.4.3": "CN", "2.5.4.4": "SN", "2.5.4.5": "serialNumber", "2.5.4.6": "C", "2.5.4.7": "L", "2.5.4.8": "ST",
    "2.5.4.9": "STREET", "2.5.4.10": "O", "2.5.4.11": "OU", "2.5.4.12": "title", "2.5.4.42": "GN",
    "2.5.4.97": "organizationIdentifier", "0.9.2342.19200300.100.1.1": "UID", "0.9.2342.19200300.100.1.25": "DC",
    "1.2.840.113549.1.9.1": "emailAddress",
}  # fmt: skip
_SPECIAL = re.compile(r'(^[ #]|[,+"\\<>;]| $)')
_DATE = re.compile(rb"([0-9]{2,4})([0-9]{2})([0-9]{2})([0-9]{2})([0-9]{2})([0-9]{2})Z", re.ASCII)
_MAX_ATTRIBUTES = 100


@dataclass(frozen=True, slots=True)
class Certificate:
    """What a certificate says of itself: names as RFC 4514 writes them, times in UTC as RFC 3339 does."""

    subject: str
    issuer: str
    not_before: str
    not_after: str


def read(der: bytes) -> Certificate:
    """The certificate. ValueError if the bytes are none."""
    certificate, _ = _expect(der, _SEQUENCE)
    body, _ = _expect(certificate, _SEQUENCE)
    tag, _, rest = _next(body)
    if tag == _VERSION:
        _, _, rest = _next(rest)  # the serial number
    _, rest = _expect(rest, _SEQUENCE)  # the signature's algorithm
    issuer, rest = _expect(rest, _SEQUENCE)
    validity, rest = _expect(rest, _SEQUENCE)
    subject, _ = _expect(rest, _SEQUENCE)
    before_tag, before, after = _next(validity)
    after_tag, after, _ = _next(after)
    return Certificate(_name(subject), _name(issuer), _time(before_tag, before), _time(after_tag, after))


def size(data: bytes) -> int:
    """Length of the first element. ValueError if there is none whole."""
    return len(data) - len(_next(data)[2])


def _next(data: bytes) -> tuple[int, bytes, bytes]:
    """Tag, content and what follows of the first element. ValueError if it is cut."""
    if len(data) < 2:
        raise ValueError("no element")
    length, start = data[1], 2
    if length & 0x80:
        octets = length & 0x7F
        start += octets
        if not 1 <= octets <= 3 or len(data) < start:
            raise ValueError("no length")
        length = int.from_bytes(data[2:start], "big")
    if len(data) < start + length:
        raise ValueError("cut short")
    return data[0], data[start : start + length], data[start + length :]


def _expect(data: bytes, wanted: int) -> tuple[bytes, bytes]:
    tag, content, rest = _next(data)
    if tag != wanted:
        raise ValueError("an element of another type")
    return content, rest


def _elements(data: bytes) -> Iterator[tuple[int, bytes]]:
    while data:
        tag, content, data = _next(data)
        yield tag, content


def _name(data: bytes) -> str:
    """RFC 4514: the last relative name first, several values of one joined by `+`."""
    relative = []
    for _, members in list(_elements(data))[:_MAX_ATTRIBUTES]:
        pairs = []
        for _, pair in list(_elements(members))[:_MAX_ATTRIBUTES]:
            kind, rest = _expect(pair, _OID)
            tag, content, _ = _next(rest)
            number = _oid(kind)
            pairs.append(f"{_NAMES.get(number, number)}={_text(tag, content)}")
        relative.append("+".join(pairs))
    return ",".join(reversed(relative))


def _text(tag: int, content: bytes) -> str:
    encoding = _ENCODINGS.get(tag)
    if encoding is None:
        return f"#{content[:200].hex()}"
    return _SPECIAL.sub(r"\\\1", content.decode(encoding, "backslashreplace"))


def _oid(data: bytes) -> str:
    if not data or len(data) > 40:
        raise ValueError("no object identifier")
    numbers, number = [min(data[0] // 40, 2), data[0] - 40 * min(data[0] // 40, 2)], 0
    for byte in data[1:]:
        number = number << 7 | byte & 0x7F
        if not byte & 0x80:
            numbers.append(number)
            number = 0
    return ".".join(map(str, numbers))


def _time(tag: int, content: bytes) -> str:
    """RFC 5280 section 4.1.2.5: years below 50 of the short form are of this century."""
    match = _DATE.fullmatch(content)
    if match is None or len(match[1]) != {_UTC_TIME: 2, _GENERALIZED_TIME: 4}.get(tag):
        raise ValueError("no time")
    year, month, day, hour, minute, second = (int(part) for part in match.groups())
    if tag == _UTC_TIME:
        year += 2000 if year < 50 else 1900
    return f"{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z"
