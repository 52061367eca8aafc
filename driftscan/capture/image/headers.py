"""Headers of tar archives, read strictly: what is cut short, damaged, or meant differently by different programs is an
error and never the end of the archive. Python's tarfile ends quietly at a header that it cannot read.

Formats: POSIX.1-2001 pax (ustar with extended headers) and GNU tar's own (long names, numbers in base 256), as
pax(1), tar(5) of libarchive and "GNU tar: Basic Tar Format" give them.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from driftscan.model.lines import Buffer
from driftscan.model.names import encode_name, show

BLOCK = 512
MAX_EXTENDED = 1 << 20
"""Bytes of an extended header: names are of 4,096 at most, and extended attributes of 64 KiB."""
KINDS = {b"0": "f", b"\0": "f", b"7": "f", b"1": "h", b"2": "l", b"3": "c", b"4": "b", b"5": "d", b"6": "p"}
"""Type flag -> letter of the walk; `h` is a hard link."""
_XATTR = b"SCHILY.xattr."
_NANOSECONDS = re.compile(rb"(-?)(\d{1,12})(?:\.(\d{1,30}))?")
_RECORD = re.compile(rb"(\d{1,8}) ")
_COMMENTS = frozenset((b"comment", b"charset", b"hdrcharset"))
_MOST_ID = (1 << 32) - 2


class TarError(ValueError):
    """The archive is cut short or damaged, or holds what is not read. The message says where."""


@dataclass(slots=True)
class Member:
    """One member. `start` is where its content begins; `name` and `link` are as they stand there."""

    name: bytes
    kind: str
    mode: int
    uid: int
    gid: int
    size: int
    mtime: int
    """Nanoseconds."""
    start: int
    link: bytes = b""
    device: tuple[int, int] = (0, 0)
    attributes: dict[bytes, bytes] = field(default_factory=dict)
    """Extended attributes."""


def members(archive: Buffer, *, sealed: bool = False) -> Iterator[Member]:
    """All members in order. TarError where the archive is not whole. `sealed`: its digest was held against what the
    builder says of it, so that nothing can be missing; then it may end behind the content of a member, as umoci's
    `insert` writes it and runtimes read it."""
    at = 0
    more: dict[bytes, bytes] = {}
    while True:
        if sealed and not more and 0 < archive.size <= at:
            return
        header = _piece(archive, at, BLOCK)
        if header == bytes(BLOCK):
            if more:
                raise TarError(f"an extended header before byte {at:,} belongs to no member")
            return
        member, flag = _member(header, at)
        after = member.start + (member.size + BLOCK - 1) // BLOCK * BLOCK
        if flag in (b"x", b"g", b"L", b"K"):
            data = _extended(archive, member, at)
            if flag == b"g":
                _harmless(data, at)
            elif flag == b"x":
                more.update(_records(data, at))
            else:
                more[b"path" if flag == b"L" else b"linkpath"] = data.rstrip(b"\0")
            at = after
            continue
        _apply(member, more, at)
        more = {}
        if member.kind != "f":
            member.size = 0
        end = member.start + member.size
        at = (end + BLOCK - 1) // BLOCK * BLOCK
        if (end if sealed else at) > archive.size:
            raise TarError(f"cut short: {named(member.name)} needs {end:,} bytes of {archive.size:,}")
        yield member


def named(name: bytes) -> str:
    """A name for messages."""
    text = show(encode_name(name))
    return text if len(text) <= 200 else text[:200] + "…"


def _piece(archive: Buffer, start: int, size: int) -> bytes:
    if start + size > archive.size:
        raise TarError(f"cut short: it ends at byte {archive.size:,} without the mark of an end")
    return archive.read(start, start + size)


def _member(header: bytes, at: int) -> tuple[Member, bytes]:
    """(the member as its header alone has it, the type flag)."""
    stated = _number(header[148:156], at)
    if stated != sum(header[:148]) + sum(header[156:]) + 8 * 32:
        raise TarError(f"damaged: the header at byte {at:,} does not have its checksum")
    flag = header[156:157]
    if flag not in KINDS and flag not in (b"x", b"g", b"L", b"K"):
        what = "a sparse file" if flag == b"S" else f"a member of type {flag!r}"
        raise TarError(f"{what} at byte {at:,}, which the image specification does not allow")
    name = header[:100].partition(b"\0")[0]
    prefix = header[345:500].partition(b"\0")[0] if header[257:263] == b"ustar\0" else b""
    kind = KINDS.get(flag, "x")
    device = (_number(header[329:337], at), _number(header[337:345], at)) if kind in "bc" else (0, 0)
    size = _number(header[124:136], at)
    if kind == "f" and name.endswith(b"/") and flag == b"\0":  # of before ustar
        kind = "d"
    member = Member(
        name=prefix + b"/" + name if prefix else name,
        kind=kind,
        mode=_number(header[100:108], at) & 0o7777,
        uid=_number(header[108:116], at),
        gid=_number(header[116:124], at),
        size=size,
        mtime=_number(header[136:148], at) * 1_000_000_000,
        start=at + BLOCK,
        link=header[157:257].partition(b"\0")[0],
        device=device,
    )
    if size < 0:
        raise TarError(f"damaged: the header at byte {at:,} has a negative size")
    return member, flag


def _number(raw: bytes, at: int) -> int:
    """An octal number, or one in base 256 (its first bit is set; two's complement)."""
    if raw[0] & 0x80:
        value = (
            int.from_bytes(raw, "big", signed=True)
            if raw[0] & 0x40
            else int.from_bytes(raw, "big") - (1 << (8 * len(raw) - 1))
        )
        if abs(value) >= 1 << 63:
            raise TarError(f"damaged: a number in the header at byte {at:,} is too large")
        return value
    text = raw.strip(b" \0")
    if not text:
        return 0
    if not re.fullmatch(rb"[0-7]+", text):
        raise TarError(f"damaged: the header at byte {at:,} has a number that is none")
    return int(text, 8)


def _extended(archive: Buffer, member: Member, at: int) -> bytes:
    if member.size > MAX_EXTENDED:
        raise TarError(f"the extended header at byte {at:,} has {member.size:,} bytes; {MAX_EXTENDED:,} are the most")
    return _piece(archive, member.start, member.size)


def _records(data: bytes, at: int) -> dict[bytes, bytes]:
    """Keyword -> value of an extended header: `LENGTH KEYWORD=VALUE\\n`, LENGTH of the whole record."""
    found: dict[bytes, bytes] = {}
    start = 0
    while start < len(data):
        match = _RECORD.match(data, start)
        end = start + int(match.group(1)) if match else 0
        keyword, equals, value = data[match.end() : end - 1].partition(b"=") if match else (b"", b"", b"")
        if not match or end > len(data) or data[end - 1 : end] != b"\n" or not equals or end <= match.end():
            raise TarError(f"damaged: the extended header at byte {at:,} has a record that is none")
        if keyword.startswith(b"GNU.sparse."):
            raise TarError(f"a sparse file at byte {at:,}, which the image specification does not allow")
        found[keyword] = value
        start = end
    return found


def _harmless(data: bytes, at: int) -> None:
    """A header for all members that follow is heeded by some programs and not by others."""
    if set(_records(data, at)) - _COMMENTS:
        raise TarError(f"a header for all members at byte {at:,}, which programs understand differently")


def _apply(member: Member, more: dict[bytes, bytes], at: int) -> None:
    """What extended headers say instead."""
    member.name = more.get(b"path", member.name)
    member.link = more.get(b"linkpath", member.link)
    for keyword in (b"size", b"uid", b"gid"):
        if keyword in more:
            if not re.fullmatch(rb"\d{1,19}", more[keyword]):
                raise TarError(f"damaged: {keyword.decode()} in the extended header before byte {at:,} is no number")
            setattr(member, keyword.decode(), int(more[keyword]))
    if b"mtime" in more:
        member.mtime = _time(more[b"mtime"], at)
    member.attributes = {keyword[len(_XATTR) :]: value for keyword, value in more.items() if keyword.startswith(_XATTR)}
    if not 0 <= member.uid <= _MOST_ID or not 0 <= member.gid <= _MOST_ID:
        raise TarError(f"{named(member.name)}: an owner that no system has ({member.uid}:{member.gid})")
    if not -(1 << 63) <= member.mtime < 1 << 63:
        raise TarError(f"{named(member.name)}: a time that no system has")
    if any(b"\0" in text for text in (member.name, member.link, *member.attributes)):
        raise TarError(f"{named(member.name)}: a name with a NUL")
    if not all(0 <= number < 1 << 20 for number in member.device):
        raise TarError(f"{named(member.name)}: a device number that no system has")


def _time(text: bytes, at: int) -> int:
    match = _NANOSECONDS.fullmatch(text)
    if not match:
        raise TarError(f"damaged: mtime in the extended header before byte {at:,} is no time")
    sign, seconds, fraction = match.groups()
    value = int(seconds) * 1_000_000_000 + int((fraction or b"").ljust(9, b"0")[:9])
    return -value if sign else value
