"""Lines of text that stay where they lie, in memory or in a file, and are found there by number.

No line has an object, nor an offset, before somebody asks for it: a table of a million rows costs a number for each
block of its bytes.
"""

from array import array
from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Protocol

BLOCK = 32 << 10
"""Bytes for which one number is kept, and that are read to find one line."""
_READ = 16 * BLOCK
"""Bytes that are read at once where many are."""
_FIRST_READ = 4 << 10
"""Bytes that are read first where one line is wanted, or the last newline: most are much shorter."""


class Buffer(Protocol):
    """Bytes that lie somewhere and do not change while they are looked at."""

    @property
    def name(self) -> str:
        """What messages call it."""

    @property
    def size(self) -> int:
        """How many bytes."""

    def read(self, start: int, stop: int) -> bytes:
        """All bytes from `start` to before `stop`, which is not beyond the size. A DriftscanError if they cannot be
        had any more."""


@dataclass(frozen=True, slots=True)
class Held:
    """A buffer in memory."""

    name: str
    data: bytes = field(repr=False)

    @property
    def size(self) -> int:
        """See `Buffer`."""
        return len(self.data)

    def read(self, start: int, stop: int) -> bytes:
        """See `Buffer`."""
        return self.data[start:stop]


def pieces(buffer: Buffer) -> Iterator[bytes]:
    """All bytes of a buffer in order, some at a time."""
    for start in range(0, buffer.size, _READ):
        yield buffer.read(start, min(start + _READ, buffer.size))


def parts(buffer: Buffer, end: bytes) -> Iterator[bytes]:
    """What stands before, between and behind all `end`s (of one byte), as `bytes.split` gives it, read as it is asked
    for."""
    rest = b""
    for data in pieces(buffer):
        found = (rest + data).split(end)
        rest = found.pop()
        yield from found
    yield rest


class Lines:
    """The lines of the first `size` bytes of a buffer, without the newline that ends each of them, the last one too.
    They may be asked by several threads at once."""

    def __init__(self, buffer: Buffer, size: int, each: Callable[[bytes], object] | None = None) -> None:
        """Read all bytes once, to count lines; `each` is given them on the way, in order."""
        self.buffer = buffer
        self.size = size
        self._marks = array("Q", [0])
        """How many lines end before each block, and in all."""
        self._last: tuple[int, int, list[bytes]] = (-1, 0, [])
        """The block that was read last, where its first line begins, and its lines."""
        for start in range(0, size, _READ):  # not `pieces`: behind `size` there is more
            data = buffer.read(start, min(start + _READ, size))
            if each is not None:
                each(data)
            for block in range(0, len(data), BLOCK):
                self._marks.append(self._marks[-1] + data.count(b"\n", block, block + BLOCK))

    def __len__(self) -> int:
        """How many lines."""
        return self._marks[-1]

    def __getitem__(self, number: int) -> bytes:
        """A line. IndexError if there is none of this number, which counts from 0."""
        if not 0 <= number < len(self):
            raise IndexError(number)
        block = self.block_of(number)
        return self._block(block)[1][number - self._marks[block]]

    def __iter__(self) -> Iterator[bytes]:
        """All lines in order."""
        return self.between(0, len(self))

    def between(self, first: int, stop: int) -> Iterator[bytes]:
        """The lines from `first` to before `stop`, read as they are asked for."""
        return islice(self.onward(self.offset(first)), max(0, stop - first)) if first < stop else iter(())

    def onward(self, offset: int) -> Iterator[bytes]:
        """All lines from the one that begins at a byte on."""
        rest = b""
        step = _FIRST_READ
        while offset < self.size:
            data = self.buffer.read(offset, min(offset + step, self.size))
            offset += len(data)
            step = min(2 * step, _READ)
            found = data.split(b"\n")
            found[0] = rest + found[0]
            rest = found.pop()
            yield from found

    def offset(self, number: int) -> int:
        """The byte at which a line begins; of the number behind the last line, the size."""
        if number >= len(self):
            return self.size
        block = self.block_of(number)
        start, lines = self._block(block)
        return start + sum(len(line) + 1 for line in lines[: number - self._marks[block]])

    def number(self, offset: int) -> int:
        """The number of the line that holds a byte."""
        block = offset // BLOCK
        return self._marks[block] + self.buffer.read(block * BLOCK, offset).count(b"\n")

    def begin(self, offset: int) -> int:
        """The byte at which the line begins that holds a byte; of the size, the size."""
        step, stop = _FIRST_READ, offset
        while stop > 0:
            start = max(0, stop - step)
            found = self.buffer.read(start, stop).rfind(b"\n")
            if found >= 0:
                return start + found + 1
            stop = start
            step = min(2 * step, _READ)
        return 0

    def block_of(self, number: int) -> int:
        """The block in which a line ends."""
        return bisect_right(self._marks, number) - 1

    def first_of(self, block: int) -> int:
        """The number of the first line that ends in a block or behind it."""
        return self._marks[block]

    def leading(self, block: int) -> bytes:
        """The first line that ends in a block or behind it, which is not behind the last."""
        return next(self.onward(self.begin(block * BLOCK)))

    def _block(self, block: int) -> tuple[int, list[bytes]]:
        """Where the first of the lines begins that end in a block, and these lines."""
        known, start, lines = self._last
        if known != block:
            start = self.begin(block * BLOCK)
            lines = self.buffer.read(start, min((block + 1) * BLOCK, self.size)).split(b"\n")
            lines.pop()
            self._last = (block, start, lines)
        return start, lines
