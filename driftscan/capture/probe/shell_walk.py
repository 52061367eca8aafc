"""A walk by find, stat and sha256sum, made into the records of `walk.py` on the columns that they share.

GNU find writes whole records (`%y %m %U %G %s %n %T@ %C@ %i %D - - -`, path, link target, nothing); digests are apart
as `sha256sum -z` writes them. busybox has no -printf: `entries` are lines of
`stat -c '%f %u %g %s %h %Y %Z %i %t:%T %n'`, `links` lines of two escaped words (path and target), `hashes` lines of
sha256sum; names with control characters are refused on the target, so that no name can forge a line. What these tools
cannot see is `?`.
"""

import stat
from collections.abc import Iterator, Mapping

from driftscan.capture.probe.words import unescape

_TYPES = {
    stat.S_IFREG: b"f",
    stat.S_IFDIR: b"d",
    stat.S_IFLNK: b"l",
    stat.S_IFIFO: b"p",
    stat.S_IFSOCK: b"s",
    stat.S_IFBLK: b"b",
    stat.S_IFCHR: b"c",
}


def records(found: bytes, parts: Mapping[str, bytes]) -> bytes:
    """The records. ValueError or IndexError for what is not in the format."""
    if "entries" in parts:
        digests = _digests(parts.get("hashes", b""), b"\n")
        rows = _lines(parts["entries"], dict(_links(parts.get("links", b""))), digests)
        return b"".join((_skipped(found), *rows))
    return b"".join(_whole(found, _digests(parts.get("hashes", b""), b"\0")))


def _skipped(found: bytes) -> bytes:
    return found[: found.rindex(b"\0") + 1] if b"\0" in found else b""


def _digests(data: bytes, end: bytes) -> dict[bytes, bytes]:
    rows = (row.partition(b"  ") for row in data.split(end))
    return {path: digest.removeprefix(b"\\") for digest, _, path in rows if path}


def _whole(found: bytes, digests: Mapping[bytes, bytes]) -> Iterator[bytes]:
    fields = found.split(b"\0")
    for index in range(0, len(fields) - 3, 4):
        head, path, target, _ = fields[index : index + 4]
        words = head.split(b" ")
        if words[0] == b"X":
            yield b"%s\0%s\0\0\0" % (head, path)
            continue
        if len(words) != 13:
            raise ValueError("a record of find has not its 13 fields")
        words[1] = words[1].rjust(4, b"0")
        words[4] = b"?" if words[0] in b"bc" else words[4]
        words[6:8] = [_nanoseconds(word) for word in words[6:8]]
        words[10] = digests.get(path, b"-")
        yield b"%s\0%s\0%s\0?\0" % (b" ".join(words), path, target)


def _nanoseconds(seconds: bytes) -> bytes:
    whole, _, fraction = seconds.partition(b".")
    return whole + fraction[:9].ljust(9, b"0")


def _links(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    for line in data.split(b"\n"):
        path, _, target = line.partition(b" ")
        if target:
            yield unescape(path), unescape(target)


def _lines(data: bytes, links: Mapping[bytes, bytes], digests: Mapping[bytes, bytes]) -> Iterator[bytes]:
    for line in data.split(b"\n"):
        if not line:
            continue
        raw, uid, gid, size, nlink, mtime, ctime, inode, device, path = line.split(b" ", 9)
        mode = int(raw, 16)
        kind = _TYPES[stat.S_IFMT(mode)]
        if kind in b"bc":
            major, _, minor = device.partition(b":")
            size = b"%d:%d" % (int(major, 16), int(minor, 16))
        times = (mtime + b"000000000", ctime + b"000000000")
        head = (kind, b"%04o" % stat.S_IMODE(mode), uid, gid, size, nlink, *times, inode, b"0", digests.get(path, b"-"))
        yield b"%s - -\0%s\0%s\0?\0" % (b" ".join(head), path, links.get(path, b""))
