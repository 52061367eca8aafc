"""A walk by find, stat and sha256sum, made into the records of `walk.py` on the columns that they share.

GNU find writes whole records (`%y %m %U %G %s %n %T@ %C@ %i %D - - -`, path, link target, nothing); digests are apart
as `sha256sum -z` writes them. busybox has no -printf: `entries` are lines of
`stat -c '%f %u %g %s %h %Y %Z %i %t:%T %n'`, `links` lines of two escaped words (path and target), `hashes` lines of
sha256sum; names with control characters are refused on the target, so that no name can forge a line. What these tools
cannot see is `?`.
"""

import stat
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice

from driftscan.capture.probe.words import unescape
from driftscan.model.lines import Buffer, Held, parts
from driftscan.stored import RUN, Sorter

_TYPES = {
    stat.S_IFREG: b"f",
    stat.S_IFDIR: b"d",
    stat.S_IFLNK: b"l",
    stat.S_IFIFO: b"p",
    stat.S_IFSOCK: b"s",
    stat.S_IFBLK: b"b",
    stat.S_IFCHR: b"c",
}


def records(found: Buffer, others: Mapping[str, Buffer]) -> Iterator[bytes]:
    """The records, those of files by path: what is told of a path in several parts is sorted and put together. ValueError
    or IndexError for what is not in the format; IncompleteError as `stored.Sorter.add`."""
    nothing = Held("", b"")
    if "entries" in others:
        yield from _skipped(found)
        digests = _sorted(_digests(others.get("hashes", nothing), b"\n"))
        yield from _lines(others["entries"], _sorted(_links(others.get("links", nothing))), digests)
    else:
        yield from _whole(found, _sorted(_digests(others.get("hashes", nothing), b"\0")))


def _sorted(pairs: Iterable[tuple[bytes, bytes]]) -> "_Sorted":
    sorter = Sorter("the records of the walk", RUN // 4)
    for key, value in pairs:
        sorter.add(key, value)
    return _Sorted(sorter.pairs())


class _Sorted:
    """Pairs in order of their keys, which are asked for in that order."""

    def __init__(self, pairs: Iterator[tuple[bytes, bytes]]) -> None:
        self._pairs = pairs
        self._next = next(pairs, None)
        self._last = (b"", b"")

    def __iter__(self) -> Iterator[tuple[bytes, bytes]]:
        """What has not been asked for."""
        while self._next is not None:
            yield self._next
            self._next = next(self._pairs, None)

    def get(self, key: bytes, default: bytes) -> bytes:
        """The value of a key that is not before the one asked for last."""
        while self._next is not None and self._next[0] <= key:
            self._last = self._next
            self._next = next(self._pairs, None)
        return self._last[1] if self._last[0] == key else default


def _skipped(found: Buffer) -> Iterator[bytes]:
    """The records of what was not entered, which are whole."""
    for head, path, target, extended in _fours(found):
        yield b"%s\0%s\0%s\0%s\0" % (head, path, target, extended)


def _fours(found: Buffer) -> Iterator[tuple[bytes, ...]]:
    fields = parts(found, b"\0")
    while len(record := tuple(islice(fields, 4))) == 4:
        yield record
    if len(record) != 1:
        raise ValueError("a record of find is cut off")


def _digests(data: Buffer, end: bytes) -> Iterator[tuple[bytes, bytes]]:
    for row in parts(data, end):
        digest, _, path = row.partition(b"  ")
        if path:
            yield path, digest.removeprefix(b"\\")


def _whole(found: Buffer, digests: _Sorted) -> Iterator[bytes]:
    rows = ((path, head + b"\0" + target) for head, path, target, _ in _fours(found))
    for path, row in _sorted(rows):
        head, _, target = row.partition(b"\0")
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


def _links(data: Buffer) -> Iterator[tuple[bytes, bytes]]:
    for line in parts(data, b"\n"):
        path, _, target = line.partition(b" ")
        if target:
            yield unescape(path), unescape(target)


def _lines(data: Buffer, links: _Sorted, digests: _Sorted) -> Iterator[bytes]:
    rows = (line.split(b" ", 9) for line in parts(data, b"\n") if line)
    for path, row in _sorted((words[9], b" ".join(words[:9])) for words in rows):
        raw, uid, gid, size, nlink, mtime, ctime, inode, device = row.split(b" ")
        mode = int(raw, 16)
        kind = _TYPES[stat.S_IFMT(mode)]
        if kind in b"bc":
            major, _, minor = device.partition(b":")
            size = b"%d:%d" % (int(major, 16), int(minor, 16))
        times = (mtime + b"000000000", ctime + b"000000000")
        head = (kind, b"%04o" % stat.S_IMODE(mode), uid, gid, size, nlink, *times, inode, b"0", digests.get(path, b"-"))
        yield b"%s - -\0%s\0%s\0?\0" % (b" ".join(head), path, links.get(path, b""))
