"""The digests by which a scanner and a target find out in which files they differ without telling each other all.

Sealed files are grouped by the directory that they lie in, groups are put into buckets by their directory's name, and
buckets into one root: sides whose roots are equal agree about every sealed file. Where they do not, buckets, groups and
records are compared in turn. What lies in a zone is compared one by one, without what the zone frees.
The same text runs on the scanner and, as a part of the probe, on targets. Standard library of Python 3.6 to 3.14.

Sizes: a digest of 128 bits cut off SHA-256 has no second preimage that anybody can find, though a target may choose
what it holds; records are looked at only within a group that differs, and have 96 bits. Marks of zoned files have few
bits, but nobody knows their salt before the scan.
"""

import hashlib
import struct
import zlib

from driftscan.model.columns import line

BUCKETS = 512
DIGEST = 16
RECORD = 12
"""Bytes of the digest of one record."""
PARTS = 64
WIDE = 1024
"""A group of more records than this is cut into PARTS before its records are compared."""
MARK, KEPT, WHOLE = 6, 6, 6
"""Bytes of what a zoned file is known by: a mark of its path, a digest of what its zone holds fast, one of all."""
NO_DIGEST = bytes(DIGEST)
_OPENED = ("sha256", "md5", "flags")
_NO_CAPABILITIES = '""'


def directory_number(directory: bytes) -> int:
    """The number that names a directory (the root is the empty name); its bucket is the remainder by BUCKETS. Two that
    share a number are compared together."""
    return zlib.crc32(directory) & 0xFFFFFFFF


def group_digest(lines: bytes) -> bytes:
    """The digest of the sealed records of one directory (its own, and those of entries that are no directories): of
    their lines, sorted, with newlines between them."""
    return hashlib.sha256(lines).digest()[:DIGEST]


def bucket_digests(groups: "list[list[bytes]]") -> "list[bytes]":
    """The digest of each bucket from those of its groups; a bucket without any is NO_DIGEST."""
    return [hashlib.sha256(b"".join(sorted(each))).digest()[:DIGEST] if each else NO_DIGEST for each in groups]


def root_digest(buckets: "list[bytes]") -> bytes:
    """The digest of all."""
    return hashlib.sha256(b"".join(buckets)).digest()[:DIGEST]


def record_digest(record: bytes) -> bytes:
    """The digest of one record's line."""
    return hashlib.sha256(record).digest()[:RECORD]


def part_of(path: bytes) -> int:
    """Which part of a wide group a path is in."""
    return zlib.crc32(path) % PARTS


def part_digests(lines: "dict[bytes, bytes]") -> "list[bytes]":
    """The digests of the parts of a group: path -> line."""
    parts: "list[list[bytes]]" = [[] for _ in range(PARTS)]
    for path, record in lines.items():
        parts[part_of(path)].append(record)
    return [group_digest(b"\n".join(sorted(part))) for part in parts]


def mark_of(salt: bytes, path: bytes) -> bytes:
    """What a zoned file's path is known by in one scan."""
    return hashlib.sha256(salt + path).digest()[:MARK]


def salted(salt: bytes, text: str, size: int) -> bytes:
    """A short digest of a line of a zoned file."""
    return hashlib.sha256(salt + text.encode()).digest()[:size]


def danger(columns: "dict[str, str]") -> str:
    """What makes a file dangerous wherever it lies, in letters (compare.attributes has the words): `d` a device node,
    `s` a set-id bit, `c` capabilities, `x` executable. Values of columns are JSON."""
    kind = columns["type"]
    if kind in ('"block"', '"character"'):
        return "d"
    mode = int(columns.get("mode", '"0"').strip('"'), 8)
    found = ""
    if kind == '"regular"':
        found = ("s" if mode & 0o6000 else "") + ("x" if mode & 0o111 else "")
    return found + ("" if columns.get("capabilities", _NO_CAPABILITIES) == _NO_CAPABILITIES else "c")


def comparable(columns: "dict[str, str]", unread: bool) -> "dict[str, str]":
    """The columns that both sides can know: where content is not read, those of who has opened a file are left out."""
    if unread and columns["type"] == '"regular"':
        return {name: value for name, value in columns.items() if name not in _OPENED}
    return columns


def kept_line(columns: "dict[str, str]", key: str, freed: "frozenset[str]", guarded: bool, prefix: "str | None") -> str:
    """What a zone holds fast of a file: its line without the columns that it frees; where a zone is guarded, with what
    makes it dangerous; where it may only be appended to, with the digest of its old content."""
    kept = {name: value for name, value in columns.items() if name not in freed}
    if guarded:
        kept["danger"] = '"%s"' % danger(columns)
    if prefix is not None:
        kept["prefix"] = '"%s"' % prefix
    return line(kept, key)


def pack(sections: "dict[str, bytes]") -> bytes:
    """Named bytes as one string, deflated (zlib, RFC 1950)."""
    parts = []
    for name, data in sections.items():
        parts.append(struct.pack(">BI", len(name), len(data)) + name.encode())
        parts.append(data)
    return zlib.compress(b"".join(parts), 1)


def unpack(data: bytes, limit: int) -> "dict[str, bytes]":
    """The sections of what `pack` made. ValueError for anything else, and for more than `limit` bytes."""
    inflate = zlib.decompressobj()
    try:
        raw = inflate.decompress(data, limit)
    except zlib.error as error:
        raise ValueError("not packed: %s" % error) from None
    if not inflate.eof or inflate.unused_data:
        raise ValueError("packed data are cut off or too large")
    sections: "dict[str, bytes]" = {}
    offset = 0
    while offset < len(raw):
        if offset + 5 > len(raw):
            raise ValueError("a section is cut off")
        name_size, size = struct.unpack_from(">BI", raw, offset)
        start = offset + 5 + name_size
        offset = start + size
        if offset > len(raw):
            raise ValueError("a section is cut off")
        sections[raw[start - name_size : start].decode("ascii", "replace")] = raw[start:offset]
    return sections
