"""Bytes on the scanner's disk that are read where they lie: files, and what is put aside because memory is dear.

Files are read with pread(2), not mapped: a mapped file that somebody truncates kills the process (SIGBUS, mmap(2)), and
its pages count as the scanner's own memory.
"""

import os
import stat
import weakref
from collections.abc import Iterable

from driftscan.errors import DriftscanError, IncompleteError, UsageError
from driftscan.model.lines import Buffer, Held, Lines
from driftscan.model.names import show
from driftscan.model.packed import Packed, joined
from driftscan.model.records import Row

MAX_FILE = 2 << 30
SMALL = 8 << 20
"""Bytes that are put aside in memory; more go to disk."""
_BATCH = 2000
"""Lines that are joined before they are put aside."""


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


def pack(rows: Iterable[Row], name: str) -> Packed:
    """Rows in order of their keys, put aside. Errors as `Spool.write`."""
    spool = Spool(name)
    batch: list[bytes] = []
    observed = False
    for _, line, seen in rows:
        batch.append(joined(line, seen))
        observed = observed or bool(seen)
        if len(batch) == _BATCH:
            spool.write(b"\n".join(batch) + b"\n")
            batch.clear()
    spool.write(b"\n".join([*batch, b""]))
    buffer = spool.buffer()
    return Packed(Lines(buffer, buffer.size), observed=observed)


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
