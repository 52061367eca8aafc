"""A walk that tells only what differs from what the scanner expects. Standard library of Python 3.6 to 3.14; imports
nothing of driftscan. `model/digests.py` says what is compared; the scanner's side is `scan/exchange.py`.

Steps: each takes named bytes and gives such; records that are told come before, as a walk's do.

    walk     mode full: digest every sealed file. quick: the metadata of every sealed file, and the content of those in
             the buckets to audit. Zoned files are compared with those that the scanner knows
    moved    quick: which buckets differ in metadata; their files are read now
    buckets  full: which buckets differ
    groups   which directories of those differ
    parts    which parts of wide ones
    records  tell the records that the scanner does not have, and which of the scanner's are not there
    states   the digests of metadata, for the scanner to keep
"""

import hashlib
import os
import struct
import time
from itertools import islice
from typing import TYPE_CHECKING

from driftscan.capture.probe.listing import Output
from driftscan.capture.probe.walk import Walker, record, skip_record
from driftscan.model.columns import SAFE, columns, encode_name, line, quoted, record_line
from driftscan.model.digests import (
    DIGEST,
    KEPT,
    MARK,
    NO_DIGEST,
    WHOLE,
    comparable,
    danger,
    directory_number,
    kept_line,
    mark_of,
    part_digests,
    part_of,
    record_digest,
    salted,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from driftscan.capture.probe.walk import Entry

    Sections = dict[str, bytes]

TOGETHER_AT_MOST = 1024
"""Entries of a directory that are in memory as such: each takes more than a kilobyte."""
GROUP = 4 + 2 * DIGEST
KNOWN = MARK + KEPT + WHOLE
COUNTS = ("seen", "hashed", "stat_only", "unreadable", "raced", "limit", "excluded", "appeared")
METADATA = struct.Struct("=4q4Q")
MOST = (1 << 64) - 1
RACY = 2000000000
"""Nanoseconds: what changed so shortly before it was looked at may change again within one tick of its clock."""


class Expected:
    """What the scanner said with the step `walk`."""

    def __init__(self, sections: "Sections") -> None:
        self.quick = sections["mode"] == b"quick"
        self.whole = sections["whole"] == b"1"
        self.salt = sections["salt"]
        audit = sections["audit"]
        self.audited = frozenset(struct.unpack(">%dH" % (len(audit) // 2), audit))
        known = sections["known"]
        rows = [known[start : start + KNOWN] for start in range(0, len(known), KNOWN)]
        self.known = {row[:MARK]: (index, row[MARK:-WHOLE], row[-WHOLE:]) for index, row in enumerate(rows)}
        self.racy = int(time.time() * 1e9) - RACY
        self.never = os.urandom(8)


class Sealed:
    """The job of a worker: the digests of directories, content included. `deep` says of which."""

    def __init__(self, walker: Walker, output: Output, expected: Expected, deep: "Callable[[int], bool]") -> None:
        self.walker = walker
        self.output = output
        self.expected = expected
        self.deep = deep
        self.groups: "list[bytes]" = []
        self.counts = dict.fromkeys(COUNTS, 0)

    def directory(self, path: str) -> None:
        """One directory."""
        number = directory_number(os.fsencode(path))
        deep = self.deep(number)
        lines: "list[bytes]" = []
        states: "list[bytes]" = []
        try:
            self.take(path, deep, lines, states)
        except MemoryError:  # millions of entries: a gap where they are, not everywhere
            lines, states = [], []
            self.walker.skipped.append((path or "/", "failed"))
        self.skips()
        if states:
            self.groups.append(group_row(number, lines if deep else None, states))

    def take(self, path: str, deep: bool, lines: "list[bytes]", states: "list[bytes]") -> None:
        """Fill in the lines and the metadata of the sealed entries of a directory."""
        entries = self.walker.directory(path, not deep)
        while True:
            some = list(islice(entries, TOGETHER_AT_MOST))
            if not some:
                return
            plain = deep and SAFE.fullmatch("".join([entry[0] for entry in some])) is not None
            for entry in some:
                rule = entry[8]
                if rule is not None and rule.zone is not None:
                    self.zoned(entry)
                    continue
                if deep:
                    key = '"%s"' % entry[0] if plain else key_of(entry[0])
                    lines.append(sealed_line(self.walker.algorithm, entry, key).encode())
                states.append(self.state(entry))
                if entry[1] == "f":
                    self.count(entry[3])
            self.counts["seen"] += len(some)

    def state(self, entry: "Entry") -> bytes:
        """What tells whether a file may have changed. A directory's times change with whatever comes and goes in it, so
        its own facts stand for it; what has changed just now will not equal itself."""
        path, kind, status = entry[:3]
        name = path.encode("utf-8", "surrogateescape")
        if kind == "d":
            return name + b"\0%d %d " % (status.st_dev, status.st_ino) + sealed_line("", entry, "-").encode()
        metadata = METADATA.pack(
            status.st_mode, status.st_uid, status.st_gid, status.st_size, status.st_dev, status.st_ino,
            status.st_mtime_ns & MOST, status.st_ctime_ns & MOST,
        )  # fmt: skip
        return name + b"\0" + metadata + (b"" if status.st_ctime_ns < self.expected.racy else self.expected.never)

    def zoned(self, entry: "Entry") -> None:
        """A file in a zone is not this job's."""

    def count(self, digest: str) -> None:
        """What was done with a regular file."""
        if digest == "-":
            word = "stat_only"
        elif digest[0] != "!":
            word = "hashed"
        else:
            word = digest[1:] if digest in ("!raced", "!limit") else "unreadable"
        self.counts[word] += 1

    def skips(self) -> None:
        """What was not looked at: told, but for what is left out by rule and for file systems of the kernel."""
        for path, reason in self.walker.skipped:
            if reason == "rule":
                self.counts["excluded"] += 1
            elif reason != "pseudo":
                self.output.put(skip_record(path, reason))
        self.walker.skipped = []

    def report(self) -> bytes:
        """The counts, and a row for each directory."""
        self.output.flush()
        return pack_counts(self.counts) + b"".join(self.groups)


class Compared(Sealed):
    """The job of a worker: the same, and zoned files compared with those that the scanner knows."""

    def __init__(self, walker: Walker, output: Output, expected: Expected, deep: "Callable[[int], bool]") -> None:
        super().__init__(walker, output, expected, deep)
        self.seen: "list[int]" = []
        self.changed: "list[int]" = []

    def zoned(self, entry: "Entry") -> None:
        """Told if it is not as the scanner knows it, in what the zone holds fast."""
        if entry[1] == "f":
            self.count(entry[3])
        raw, rule, expected = os.fsencode(entry[0]), entry[8], self.expected
        assert rule is not None
        assert rule.zone is not None
        freed, comes, guarded, exact, grows, unread = rule.zone
        tolerant = not (exact or expected.whole or entry[3][0] == "!")
        key = quoted(encode_name(raw))
        values = comparable(values_of(self.walker.algorithm, entry), unread)
        index, kept, whole = expected.known.get(mark_of(expected.salt, raw), (-1, b"", b""))
        if index < 0:
            if tolerant and comes and not (guarded and danger(values)):
                self.counts["appeared"] += 1
                return
        else:
            self.seen.append(index)
            if entry[3][0] != "!" and whole == salted(expected.salt, line(values, key), WHOLE):
                return
            old = (entry[4] if entry[4] != "-" else "") if grows else None
            if tolerant and kept == salted(expected.salt, kept_line(values, key, freed, guarded, old), KEPT):
                self.changed.append(index)
                return
        self.output.put(record(entry))

    def report(self) -> bytes:
        """That of `Sealed` after the numbers of known files that were seen, and of those that changed as they may."""
        rows = [struct.pack(">%dI" % (len(each) + 1), len(each), *each) for each in (self.seen, self.changed)]
        return b"".join(rows) + super().report()


class Records:
    """The job of a worker: the records of directories that differ, told if the scanner does not have them."""

    def __init__(
        self, walker: Walker, output: Output, expected: "dict[int, frozenset[bytes]]", parts: "dict[int, int]"
    ) -> None:
        self.walker = walker
        self.output = output
        self.expected = expected
        self.parts = parts
        self.found: "list[bytes]" = []

    def directory(self, path: str) -> None:
        """One directory."""
        number = directory_number(os.fsencode(path))
        expected, parts = self.expected.get(number, frozenset()), self.parts.get(number)
        for raw, text, entry in sealed_records(self.walker, path):
            if parts is None or parts >> part_of(raw) & 1:
                digest = record_digest(text)
                if digest in expected:
                    self.found.append(digest)
                else:
                    self.output.put(record(entry))
        for skipped, reason in self.walker.skipped:
            if reason not in ("rule", "pseudo"):
                self.output.put(skip_record(skipped, reason))
        self.walker.skipped = []

    def report(self) -> bytes:
        """The digests of records that are as expected."""
        self.output.flush()
        return b"".join(self.found)


class Parts:
    """The job of a worker: the digests of the parts of wide directories."""

    def __init__(self, walker: Walker) -> None:
        self.walker = walker
        self.found: "list[bytes]" = []

    def directory(self, path: str) -> None:
        """One directory."""
        lines = {raw: text for raw, text, _ in sealed_records(self.walker, path)}
        self.walker.skipped = []
        number = directory_number(os.fsencode(path))
        self.found.append(struct.pack(">I", number) + b"".join(part_digests(lines)))

    def report(self) -> bytes:
        """A row for each directory."""
        return b"".join(self.found)


def sealed_records(walker: Walker, path: str) -> "Iterator[tuple[bytes, bytes, Entry]]":
    """(path, line, entry) of the sealed entries of a directory."""
    for entry in walker.directory(path):
        if entry[8] is None or entry[8].zone is None:
            raw = os.fsencode(entry[0])
            yield raw, sealed_line(walker.algorithm, entry, quoted(encode_name(raw))).encode(), entry


def sealed_line(algorithm: str, entry: "Entry", key: str) -> str:
    """The line of an entry, as the scanner's collector writes it. What could not be read equals nothing."""
    _, kind, status, digest, _, flags, target, attributes, _ = entry
    text = record_line(
        kind, status.st_mode & 0o7777, status.st_uid, status.st_gid, size_of(kind, status), status.st_nlink,
        (algorithm, digest), flags or "-", target, attributes, key,
    )  # fmt: skip
    return text + "!" if digest[0] == "!" else text


def values_of(algorithm: str, entry: "Entry") -> "dict[str, str]":
    """The columns of an entry."""
    _, kind, status, digest, _, flags, target, attributes, _ = entry
    return columns(
        kind, status.st_mode & 0o7777, status.st_uid, status.st_gid, size_of(kind, status), status.st_nlink,
        (algorithm, digest), flags or "-", target, attributes,
    )  # fmt: skip


def size_of(kind: str, status: os.stat_result) -> str:
    """Bytes, or the numbers of a device, as records have them."""
    if kind in "bc":
        return "%d:%d" % (os.major(status.st_rdev), os.minor(status.st_rdev))
    return "%d" % status.st_size


def key_of(path: str) -> str:
    """A path as the JSON of its key."""
    return quoted(encode_name(os.fsencode(path)))


def group_row(number: int, lines: "list[bytes] | None", states: "list[bytes]") -> bytes:
    """A directory's number, the digest of its records (NO_DIGEST: they were not read), and that of their metadata."""
    content = NO_DIGEST if lines is None else sorted_digest(lines, b"\n")
    return struct.pack(">I", number) + content + sorted_digest(states, b"")


def sorted_digest(rows: "list[bytes]", between: bytes) -> bytes:
    """`group_digest` of rows in their order, which of a large directory are not put together at once."""
    rows.sort()
    total = hashlib.sha256()
    for start in range(0, len(rows), TOGETHER_AT_MOST):
        total.update((between if start else b"") + between.join(rows[start : start + TOGETHER_AT_MOST]))
    return total.digest()[:DIGEST]


def pack_counts(counts: "dict[str, int]") -> bytes:
    """Counts in the order of COUNTS."""
    return struct.pack(">%dQ" % len(COUNTS), *[counts[name] for name in COUNTS])
