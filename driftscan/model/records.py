"""The file plane: encoded records sorted by key, decoded only where somebody looks.

A tree of 100,000 files is kept as canonical JSON lines, not as objects. `Records` is what everybody sees; `Packed`
(model/packed.py) is the form of it whose lines stay in their file.
"""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import TypeAlias

from driftscan.model.codec import decode_resource
from driftscan.model.resource import Resource

Row: TypeAlias = tuple[str, bytes, bytes]
"""Key, compared line, and what was observed beside it (a JSON mapping, or nothing)."""


class Records:
    """Encoded records sorted by key, immutable. Its three columns may be views that read what is asked of them: walk
    through `rows` or `beneath`, and ask for single records by key."""

    def __init__(self, keys: Sequence[str] = (), lines: Sequence[bytes] = (), observed: Sequence[bytes] = ()) -> None:
        """The columns, which run in parallel; no `observed`: nothing was."""
        self._columns = (keys, lines, observed)

    @property
    def keys(self) -> Sequence[str]:
        """The keys, in ascending order."""
        return self._columns[0]

    @property
    def lines(self) -> Sequence[bytes]:
        """The compared part of each record: a canonical line without newline."""
        return self._columns[1]

    @property
    def observed(self) -> Sequence[bytes]:
        """What was observed beside each record and is never compared; empty if nothing was of any."""
        return self._columns[2]

    def __repr__(self) -> str:
        """For people who look for a bug."""
        return f"<{len(self)} records>"

    def __len__(self) -> int:
        """How many records."""
        return len(self.keys)

    def __eq__(self, other: object) -> bool:
        """Whether the lines are the same; what was observed beside them is not compared."""
        if not isinstance(other, Records):
            return NotImplemented
        return len(self) == len(other) and all(
            mine[:2] == theirs[:2] for mine, theirs in zip(self.rows(), other.rows(), strict=True)
        )

    __hash__ = None  # type: ignore[assignment]

    def __contains__(self, key: str) -> bool:
        """Whether there is a record of a key."""
        return self.find(key) is not None

    def place(self, key: str) -> int:
        """The index of the first record whose key is not before this one."""
        return bisect_left(self.keys, key)

    def find(self, key: str) -> int | None:
        """The index of a key."""
        index = self.place(key)
        return index if index < len(self) and self.row(index)[0] == key else None

    def row(self, index: int) -> Row:
        """The record of an index."""
        return self.keys[index], self.lines[index], self.observed[index] if self.observed else b""

    def line(self, key: str) -> bytes | None:
        """The encoded record of a key."""
        index = self.find(key)
        return None if index is None else self.row(index)[1]

    def observed_of(self, key: str) -> bytes:
        """What was observed beside the record of a key; empty where nothing was."""
        index = self.find(key) if self.observed else None
        return b"" if index is None else self.row(index)[2]

    def resource(self, key: str) -> Resource | None:
        """The record of a key, decoded."""
        index = self.find(key)
        if index is None:
            return None
        _, line, observed = self.row(index)
        return self.decode(line, observed)

    def decode(self, line: bytes, observed: bytes = b"") -> Resource:
        """A line of this table as a resource. ValueError if it is none; UsageError where its file is to blame."""
        return decode_resource(line, observed)

    def rows(self, start: int = 0, stop: int | None = None) -> Iterator[Row]:
        """The records from one index to before another, in order. Raises `fault` where they are not sorted."""
        last: str | None = None
        stop = len(self) if stop is None else stop
        columns = (self.keys, self.lines, self.observed or (b"",) * len(self))
        for index, row in enumerate(islice(zip(*columns, strict=True), start, stop), start):
            if last is not None and row[0] <= last:
                raise self.fault(index, "records are not sorted by key")
            last = row[0]
            yield row

    def span(self, prefix: str) -> range:
        """The indices of the records whose keys begin with a text."""
        start = self.place(prefix)
        behind = prefix.rstrip("\U0010ffff")
        return range(start, self.place(behind[:-1] + chr(ord(behind[-1]) + 1)) if behind else len(self))

    def beneath(self, prefix: str) -> Iterator[str]:
        """The keys that begin with a text, in order."""
        for key, _, _ in self.rows(self.place(prefix)):
            if not key.startswith(prefix):
                return
            yield key

    def bare(self) -> "Records":
        """The same without what was observed."""
        return Records(self.keys, self.lines) if self.observed else self

    def fault(self, index: int, what: str) -> Exception:
        """The error for a record that whoever made this table got wrong."""
        return ValueError(f"{what} (at {index})")
