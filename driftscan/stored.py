"""Bytes on the scanner's disk that are read where they lie: files, and what is put aside because memory is dear.

Files are read with pread(2), not mapped: a mapped file that somebody truncates kills the process (SIGBUS, mmap(2)), and
its pages count as the scanner's own memory.
"""

import heapq
import os
import stat
import struct
import weakref
from collections.abc import Iterable, Iterator
from itertools import islice

from driftscan.errors import DriftscanError, IncompleteError, UsageError
from driftscan.model.lines import Buffer, Held, Lines
from driftscan.model.names import show
from driftscan.model.packed import Packed, joined
from driftscan.model.records import Records, Row

MAX_FILE = 2 << 30
SMALL = 8 << 20
"""Bytes that are put aside in memory; more go to disk."""
RUN = 16 << 20
"""Bytes of memory that are sorted at once."""
_BATCH = 1000
"""Lines that are joined before they are put aside."""
_SIZES = struct.Struct("=II")
_PAIR = 130
"""What a pair of bytes takes of memory besides its content."""
_WINDOW = 128 << 10
"""Bytes that are read at once of each run."""


class Stored:
    """A regular file as a buffer. It is closed when nobody refers to it any more."""

    def __init__(self, name: str, descriptor: int) -> None:
        """Takes the descriptor over. What the file is now, it must stay."""
        self.name = name
        self._descriptor = descriptor
        weakref.finalize(self, os.close, descriptor)
        self._state = _state(descriptor)
        self.size = self._state[0]

    def read(self, start: int, stop: int) -> bytes:
        """See `Buffer`. UsageError if the file was changed since it was opened, or cannot be read."""
        try:
            data = os.pread(self._descriptor, stop - start, start)
            same = len(data) == stop - start and _state(self._descriptor) == self._state
        except OSError as error:
            raise _unreadable(self.name, error.strerror) from error
        if not same:
            hint = "Replace such a file by renaming a new one over it, as driftscan does, and try again."
            raise UsageError(f"{show(self.name)}: was changed while it was read", hint)
        return data


def open_file(path: str | os.PathLike[str]) -> Buffer:
    """A file to read. What is no regular file (a pipe) is read into memory at once. UsageError if it cannot be read or
    is larger than `MAX_FILE`."""
    name = os.fspath(path)
    try:
        descriptor = os.open(name, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        raise UsageError(f"{show(name)}: no such file", "Check the path.") from None
    except (OSError, ValueError) as error:
        raise _unreadable(name, error.strerror if isinstance(error, OSError) else str(error)) from error
    mode = os.fstat(descriptor).st_mode
    if stat.S_ISDIR(mode):
        os.close(descriptor)
        raise UsageError(f"{show(name)}: is a directory", "Name one file in it.")
    found = Stored(name, descriptor) if stat.S_ISREG(mode) else _drained(name, descriptor)
    if found.size > MAX_FILE:
        raise UsageError(f"{show(name)}: larger than {MAX_FILE >> 30} GiB", "Is it the right file?")
    return found


class Spool:
    """Bytes that are put aside one after the other: in memory while they are few, else in a file without a name in the
    directory for temporary files (TMPDIR), which is gone when nobody refers to it any more, whatever happens."""

    def __init__(self, name: str, small: int = SMALL) -> None:
        """`name`: what messages call it. Nothing is put aside yet."""
        self._name = name
        self._small = small
        self._parts: list[bytes] = []
        self._descriptor = -1
        self._failed: DriftscanError | None = None
        self.size = 0

    def write(self, data: bytes) -> None:
        """Put aside. IncompleteError if there is no room."""
        self.size += len(data)
        self._parts.append(data)
        if self._descriptor < 0 and self.size <= self._small:
            return
        try:
            if self._descriptor < 0:
                self._descriptor = _nameless()
                weakref.finalize(self, os.close, self._descriptor)
            rest = memoryview(b"".join(self._parts))
            self._parts.clear()
            while rest:
                rest = rest[os.write(self._descriptor, rest) :]
        except OSError as error:
            self._failed = self._no_room(error)
            raise self._failed from error

    def buffer(self) -> Buffer:
        """All that was put aside, to read; then nothing more can be. IncompleteError if it is not all there."""
        if self._failed is not None:
            raise self._failed
        if self._descriptor < 0:
            return Held(self._name, b"".join(self._parts))
        return Stored(self._name, os.dup(self._descriptor))

    def _no_room(self, error: OSError) -> DriftscanError:
        place = os.environ.get("TMPDIR") or "/tmp"  # noqa: S108 - for the message alone
        what = f"{show(self._name)}: cannot be put aside in {show(place)}: {error.strerror}"
        return IncompleteError(what, "Make room there, or name another directory in TMPDIR.")


class Sorter:
    """Pairs of bytes in the order of their first ones: sorted in memory while they are few, else in runs on disk."""

    def __init__(self, name: str, limit: int = RUN) -> None:
        """`name`: what messages call it; `limit`: bytes of memory that a run may take. Nothing is in it yet."""
        self._name = name
        self._limit = limit
        self._run: list[tuple[bytes, bytes]] = []
        self._held = 0
        self._runs: list[Buffer] = []

    def add(self, key: bytes, value: bytes) -> None:
        """One more pair. Errors as `Spool.write`."""
        self._run.append((key, value))
        self._held += len(key) + len(value) + _PAIR
        if self._held > self._limit:
            self._put_aside()

    def pairs(self) -> Iterator[tuple[bytes, bytes]]:
        """All pairs, sorted; they can be had once."""
        if self._runs:
            self._put_aside()
            return heapq.merge(*map(_run_of, self._runs))
        self._run.sort()
        return iter(self._run)

    def _put_aside(self) -> None:
        self._run.sort()
        spool = Spool(self._name, small=0)
        for start in range(0, len(self._run), _BATCH):
            batch = self._run[start : start + _BATCH]
            spool.write(b"".join(_SIZES.pack(len(key), len(value)) + key + value for key, value in batch))
        self._runs.append(spool.buffer())
        self._run = []
        self._held = 0


def _run_of(buffer: Buffer) -> Iterator[tuple[bytes, bytes]]:
    rest = b""
    for start in range(0, buffer.size, _WINDOW):
        data = rest + buffer.read(start, min(start + _WINDOW, buffer.size))
        offset = 0
        while offset + _SIZES.size <= len(data):
            key, value = _SIZES.unpack_from(data, offset)
            middle = offset + _SIZES.size + key
            if middle + value > len(data):
                break
            yield data[middle - key : middle], data[middle : middle + value]
            offset = middle + value
        rest = data[offset:]


def pack(lines: Iterable[bytes], name: str, *, observed: bool) -> Packed:
    """Lines of files in order of their keys, put aside. `observed`: see `Packed`. Errors as `Spool.write`."""
    spool = Spool(name)
    lines = iter(lines)
    while batch := list(islice(lines, _BATCH)):
        spool.write(b"\n".join(batch) + b"\n")
    buffer = spool.buffer()
    return Packed(Lines(buffer, buffer.size), observed=observed)


def pack_rows(rows: Iterable[Row], like: Records, name: str) -> Packed:
    """Some rows of a table, in their order, put aside. Errors as `Spool.write`."""
    return pack((joined(line, seen) for _, line, seen in rows), name, observed=bool(like.observed))


def _nameless() -> int:
    """A file that has no name and is gone when it is closed."""
    import tempfile  # noqa: PLC0415 - paid only by who needs it

    with tempfile.TemporaryFile(prefix="driftscan-") as stream:
        return os.dup(stream.fileno())


def _drained(name: str, descriptor: int) -> Buffer:
    try:
        with open(descriptor, "rb") as stream:
            return Held(name, stream.read(MAX_FILE + 1))
    except OSError as error:
        raise _unreadable(name, error.strerror) from error


def _state(descriptor: int) -> tuple[int, int]:
    """What changes with a file's content: size and time of modification (ns); not ctime, which a rename changes."""
    there = os.fstat(descriptor)
    return there.st_size, there.st_mtime_ns


def _unreadable(name: str, reason: str | None) -> UsageError:
    return UsageError(f"{show(name)}: cannot be read: {reason}", "Check its owner and mode.")
