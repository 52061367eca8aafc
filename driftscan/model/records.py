"""The file plane: sorted encoded records with chunk digests, decoded only where they differ.

A tree of 100,000 files is kept as canonical JSON lines, not as objects; two tables are compared chunk by
chunk. Chunk borders depend on keys alone, so one added file changes one chunk and moves no other.
"""

import hashlib
import zlib
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise

BORDER_MASK = 0x7F  # a key whose CRC ends in seven zero bits begins a chunk: 128 records on average


@dataclass(frozen=True, slots=True)
class Chunk:
    """Records `start` to `stop` (exclusive) and the SHA-256 of their lines, each ended by a newline."""

    start: int
    stop: int
    digest: bytes


@dataclass(frozen=True)
class Records:
    """Encoded records sorted by key; `keys`, `lines` (compared), and `observed` (never compared) run in parallel."""

    keys: Sequence[str] = ()
    lines: Sequence[bytes] = ()
    observed: Sequence[bytes] = field(default=(), compare=False)

    def __len__(self) -> int:
        """How many records."""
        return len(self.keys)

    @cached_property
    def chunks(self) -> tuple[Chunk, ...]:
        """The chunks in order."""
        borders = [0]
        borders.extend(
            index
            for index, key in enumerate(self.keys)
            if index and not zlib.crc32(key.encode("utf-8", "surrogatepass")) & BORDER_MASK
        )
        borders.append(len(self.keys))
        return tuple(
            Chunk(start, stop, hashlib.sha256(b"\n".join(self.lines[start:stop]) + b"\n").digest())
            for start, stop in pairwise(borders)
            if stop > start
        )

    @cached_property
    def digest(self) -> str:
        """One digest for the whole table."""
        return hashlib.sha256(b"".join(chunk.digest for chunk in self.chunks)).hexdigest()

    def find(self, key: str) -> int | None:
        """The index of a key."""
        index = bisect_left(self.keys, key)
        return index if index < len(self.keys) and self.keys[index] == key else None

    def line(self, key: str) -> bytes | None:
        """The encoded record of a key."""
        index = self.find(key)
        return None if index is None else self.lines[index]


def differing(old: Records, new: Records) -> Iterator[tuple[str, bytes | None, bytes | None]]:
    """(key, old line, new line) for each record that is added (old None), removed (new None) or changed."""
    same = {chunk.digest for chunk in old.chunks} & {chunk.digest for chunk in new.chunks}
    before = _indices(old, same)
    after = _indices(new, same)
    left, right = next(before, None), next(after, None)
    while left is not None or right is not None:
        if right is None or (left is not None and old.keys[left] < new.keys[right]):
            assert left is not None
            yield old.keys[left], old.lines[left], None
            left = next(before, None)
        elif left is None or new.keys[right] < old.keys[left]:
            yield new.keys[right], None, new.lines[right]
            right = next(after, None)
        else:
            if old.lines[left] != new.lines[right]:
                yield old.keys[left], old.lines[left], new.lines[right]
            left, right = next(before, None), next(after, None)


def _indices(table: Records, same: set[bytes]) -> Iterator[int]:
    for chunk in table.chunks:
        if chunk.digest not in same:
            yield from range(chunk.start, chunk.stop)


def patched(base: Records, removed: Iterable[str], added: Records) -> Records:
    """A table without some records, and with others in their place or besides."""
    gone = {*removed, *added.keys}
    observed = base.observed or (b"",) * len(base)
    rows = [row for row in zip(base.keys, base.lines, observed, strict=True) if row[0] not in gone]
    rows.extend(zip(added.keys, added.lines, added.observed or (b"",) * len(added), strict=True))
    rows.sort()
    return Records(*zip(*rows, strict=True)) if rows else Records()
