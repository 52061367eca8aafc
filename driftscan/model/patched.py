"""Records known as another table's but for some: what a host has, told by what its manifest has."""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from heapq import merge
from itertools import islice

from driftscan.model.records import Records, Row
from driftscan.model.resource import Resource


class Patched(Records):
    """The records of `base` without those of some keys, and with `added` ones in their place or besides. Nothing of the
    base is copied until somebody asks for whole columns."""

    def __init__(self, base: Records, removed: Iterable[str], added: Records) -> None:
        """`removed` may name keys that the base does not have."""
        super().__init__()
        self.base = base
        self.added = added
        self.gone = tuple(sorted(key for key in {*removed, *added.keys} if key in base))
        self._gone = frozenset(self.gone)

    @property
    def keys(self) -> Sequence[str]:
        """See `Records`."""
        return self._merged[0]

    @property
    def lines(self) -> Sequence[bytes]:
        """See `Records`."""
        return self._merged[1]

    @property
    def observed(self) -> Sequence[bytes]:
        """See `Records`."""
        return self._merged[2]

    def __len__(self) -> int:
        """How many records."""
        return len(self.base) - len(self.gone) + len(self.added)

    def place(self, key: str) -> int:
        """See `Records`."""
        return self.base.place(key) - bisect_left(self.gone, key) + self.added.place(key)

    def find(self, key: str) -> int | None:
        """See `Records`."""
        return None if self.line(key) is None else self.place(key)

    def line(self, key: str) -> bytes | None:
        """See `Records`."""
        found = self.added.line(key)
        return self.base.line(key) if found is None and key not in self._gone else found

    def observed_of(self, key: str) -> bytes:
        """See `Records`."""
        return self.added.observed_of(key) if key in self.added or key in self._gone else self.base.observed_of(key)

    def resource(self, key: str) -> Resource | None:
        """See `Records`."""
        line = self.line(key)
        return None if line is None else self.decode(line, self.observed_of(key))

    def rows(self, start: int = 0, stop: int | None = None) -> Iterator[Row]:
        """See `Records`."""
        base = (row for row in self.base.rows() if row[0] not in self._gone)
        yield from islice(merge(base, self.added.rows(), key=_key), start, stop)

    def beneath(self, prefix: str) -> Iterator[str]:
        """See `Records`."""
        base = (key for key in self.base.beneath(prefix) if key not in self._gone)
        yield from merge(base, self.added.beneath(prefix))

    def changes(self) -> Iterator[tuple[str, bytes | None, bytes | None]]:
        """What differs from the base: see `differing`."""
        for key in sorted({*self.gone, *self.added.keys}):
            old, new = self.base.line(key), self.added.line(key)
            if old != new:
                yield key, old, new

    @cached_property
    def _merged(self) -> tuple[Sequence[str], Sequence[bytes], Sequence[bytes]]:
        rows = list(self.rows())
        columns = tuple(zip(*rows, strict=True)) if rows else ((), (), ())
        return columns[0], columns[1], columns[2] if any(columns[2]) else ()


def _key(row: Row) -> str:
    return row[0]
