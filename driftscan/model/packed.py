"""Records that stay in their file: sorted canonical lines, of which those are read that somebody asks for."""

import json
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from typing import Any, overload

from driftscan.errors import UsageError
from driftscan.model.codec import canonical, decode_resource, encode_resource
from driftscan.model.lines import Lines
from driftscan.model.names import show
from driftscan.model.records import Records, Row
from driftscan.model.resource import Resource

REWRITE = "Write the file again with this driftscan."
_HEAD = b'{"attributes":{'
_KEY = b'},"key":"'
_FILE = b'","kind":"file"'
END = b'"kind":"file"}'
"""How the compared part of a line ends."""
OBSERVED = b',"observed":'
_REMEMBERED = 4096
"""Places and rows that are kept in mind, once they were asked for one by one."""
_FEW = 16
"""Rows that are sooner found one by one than by beginning to read from the first on."""


def cut(line: bytes) -> Row | None:
    """The row in a canonical line of kind `file`; None for any other line, and wherever a cut could be misled. A quote
    inside a JSON string is always escaped, so the separators stand nowhere else but in an attribute that holds a
    mapping with these very keys: then there are two."""
    if not line.startswith(_HEAD) or line.count(_KEY) != 1:
        return None
    start = line.index(_KEY) + len(_KEY)
    end = line.find(_FILE, start)
    if end < 0:
        return None
    raw = line[start:end]
    try:
        key = json.loads(b'"' + raw + b'"') if b"\\" in raw else raw.decode("ascii")
    except ValueError:
        return None
    rest = line[end + len(_FILE) :]
    if rest == b"}":
        return key, line, b""
    if not rest.startswith(OBSERVED + b"{") or not rest.endswith(b"}}"):
        return None
    return key, line[: end + len(_FILE)] + b"}", rest[len(OBSERVED) : -1]


def joined(line: bytes, observed: bytes) -> bytes:
    """The line of a row with what was observed: what `cut` takes apart."""
    return line if observed in {b"", b"{}"} else line[:-1] + OBSERVED + observed + b"}"


class Packed(Records):
    """The records in the lines `first` to before `stop` of a text. A line that is wrong is an error that names the file
    and the line, when it is met: UsageError, as whoever wrote the file is at fault."""

    def __init__(self, text: Lines, first: int = 0, stop: int | None = None, *, observed: bool = False) -> None:
        """`observed`: whether lines tell what was observed; if not, what they tell of it is left out."""
        super().__init__()
        self.text = text
        self.first = first
        self.stop = len(text) if stop is None else stop
        self._has_observed = observed
        self._signposts: dict[int, str] = {}
        self._places: dict[str, int] = {}
        self._rows: dict[int, Row] = {}

    @property
    def keys(self) -> Sequence[str]:
        """See `Records`."""
        return _View(self, 0)

    @property
    def lines(self) -> Sequence[bytes]:
        """See `Records`."""
        return _View(self, 1)

    @property
    def observed(self) -> Sequence[bytes]:
        """See `Records`."""
        return _View(self, 2) if self._has_observed else ()

    def __len__(self) -> int:
        """How many records."""
        return self.stop - self.first

    def place(self, key: str) -> int:
        """See `Records`. All hosts of an image ask for the same few keys."""
        found = self._places.get(key)
        if found is None:
            found = self._place(key)
            if len(self._places) < _REMEMBERED:
                self._places[key] = found
        return found

    def _place(self, key: str) -> int:
        """Looks at the first key of a few blocks, then at those in one block."""
        text = self.text
        if not len(self):
            return 0
        blocks = range(text.block_of(self.first), text.block_of(self.stop - 1) + 1)
        block = blocks[max(0, bisect_right(blocks, key, key=self._signpost) - 1)]
        numbers = range(max(text.first_of(block), self.first), min(text.first_of(block + 1), self.stop))
        return numbers.start + bisect_left(numbers, key, key=lambda number: self._row(number)[0]) - self.first

    def rows(self, start: int = 0, stop: int | None = None) -> Iterator[Row]:
        """See `Records`."""
        last: str | None = None
        first, behind = self.first + start, self.stop if stop is None else self.first + stop
        keep = self._has_observed
        for number, line in enumerate(self.text.between(first, behind), first):
            row = cut(line) or self._decoded(number, line)
            if last is not None and row[0] <= last:
                raise self.unsorted(number, row[0], last)
            last = row[0]
            yield row if keep else (row[0], row[1], b"")

    def decode(self, line: bytes, observed: bytes = b"") -> Resource:
        """See `Records`."""
        try:
            return decode_resource(line, observed)
        except (ValueError, RecursionError):
            row = cut(line)
            index = self.find(row[0]) if row else None
            raise self.fault(index or 0, "is not a resource") from None

    def check(self) -> None:
        """Decode every line. UsageError for the first that is wrong or not in its place."""
        last: str | None = None
        for number, line in enumerate(self.text.between(self.first, self.stop), self.first):
            key = (cut(line) or self._decoded(number, line))[0]
            self._check_kind(number, line, key)
            if last is not None and key <= last:
                raise self.unsorted(number, key, last)
            last = key

    def row(self, index: int) -> Row:
        """See `Records`."""
        if not 0 <= index < len(self):
            raise IndexError(index)
        key, line, observed = self._row(self.first + index)
        return key, line, observed if self._has_observed else b""

    def row_at(self, offset: int, line: bytes) -> Row:
        """The row in a line of the text that begins at a byte."""
        return cut(line) or self._decoded(self.text.number(offset), line)

    def fault(self, index: int, what: str) -> UsageError:
        """See `Records`."""
        return self.wrong(self.first + index, what)

    def unsorted(self, number: int, key: str, last: str) -> UsageError:
        """The error for a line whose key is not behind that of the line before."""
        shown = show(key) if len(key) <= 60 else show(key[:60]) + "..."
        return self.wrong(number, f"file '{shown}' {'stands twice' if key == last else 'is not in order of its key'}")

    def wrong(self, number: int, what: str) -> UsageError:
        """The error for a line of the text."""
        return UsageError(f"{show(self.text.buffer.name)}:{number + 1}: {what}", REWRITE)

    def _row(self, number: int) -> Row:
        """The row in a line of the text."""
        found = self._rows.get(number)
        if found is None:
            line = self.text[number]
            found = cut(line) or self._decoded(number, line)
            if len(self._rows) < _REMEMBERED:
                self._rows[number] = found
        return found

    def _signpost(self, block: int) -> str:
        """The key of the first of these records that ends in a block."""
        if block not in self._signposts:
            number = self.text.first_of(block)
            if number < self.first:
                row = self._row(self.first)
            else:
                line = self.text.leading(block)
                row = cut(line) or self._decoded(number, line)
            self._signposts[block] = row[0]
        return self._signposts[block]

    def _decoded(self, number: int, line: bytes) -> Row:
        """The row in a line that is not canonical."""
        resource = self._check_kind(number, line, None)
        observed = canonical(dict(resource.observed)) if resource.observed else b""
        return resource.key, encode_resource(resource), observed

    def _check_kind(self, number: int, line: bytes, key: str | None) -> Resource:
        try:
            resource = decode_resource(line)
        except (ValueError, RecursionError):
            raise self.wrong(number, "is not a resource") from None
        if resource.kind != "file" or key not in {None, resource.key}:
            raise self.wrong(number, "is not the row of a file")
        return resource


class _View(Sequence[Any]):
    """One column of packed records."""

    def __init__(self, records: Packed, column: int) -> None:
        self._records = records
        self._column = column

    def __len__(self) -> int:
        return len(self._records)

    @overload
    def __getitem__(self, index: int) -> Any: ...
    @overload
    def __getitem__(self, index: slice) -> list[Any]: ...
    def __getitem__(self, index: int | slice) -> Any:
        records, column = self._records, self._column
        wanted = range(len(records))[index]
        if isinstance(wanted, int):
            return records.row(wanted)[column]
        if wanted.step == 1 and len(wanted) > _FEW:
            return [row[column] for row in records.rows(wanted.start, wanted.stop)]
        return [records.row(each)[column] for each in wanted]

    def __iter__(self) -> Iterator[Any]:
        return (row[self._column] for row in self._records.rows())

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequence):
            return NotImplemented
        return len(self) == len(other) and all(mine == theirs for mine, theirs in zip(self, other, strict=True))

    __hash__ = None  # type: ignore[assignment]
