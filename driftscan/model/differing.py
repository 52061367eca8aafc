"""What differs between two tables of records, found without looking at what is equal any closer than byte by byte."""

from collections.abc import Iterator, Sequence
from typing import TypeAlias

from driftscan.model.lines import Lines
from driftscan.model.packed import END, OBSERVED, Packed
from driftscan.model.patched import Patched
from driftscan.model.records import Records, Row

Changed: TypeAlias = tuple[str, bytes | None, bytes | None]
_KIND = END[:-1]
_MAPPING = OBSERVED + b"{"
_MOST_LINES = 4096
_FIRST_WINDOW, _LARGEST_WINDOW = 16 << 10, 128 << 10


def differing(old: Records, new: Records) -> Iterator[Changed]:
    """(key, old line, new line) for each record that is added (old None), removed (new None) or changed, by key.
    Records that differ and are not in order raise `Records.fault`: they could not be told from others."""
    if isinstance(new, Patched) and new.base is old:
        return new.changes()
    if isinstance(old, Packed) and isinstance(new, Packed):
        return _by_windows(old, new)
    return _by_lines(old, new)


def _by_lines(old: Records, new: Records) -> Iterator[Changed]:
    """Any two forms: stretches of equal lines are passed over as a whole."""
    left = right = 0
    while True:
        equal = _equal(old.lines, left, new.lines, right)
        left, right = left + equal, right + equal
        mine = _key(old, left)
        theirs = _key(new, right)
        if mine is None and theirs is None:
            return
        if theirs is None or (mine is not None and mine < theirs):
            assert mine is not None
            yield mine, old.lines[left], None
            left += 1
        elif mine is None or theirs < mine:
            yield theirs, None, new.lines[right]
            right += 1
        else:
            yield mine, old.lines[left], new.lines[right]
            left, right = left + 1, right + 1


def _equal(old: Sequence[bytes], left: int, new: Sequence[bytes], right: int) -> int:
    """How many lines are equal, one by one, from these indices on."""
    most = min(len(old) - left, len(new) - right)
    done, step = 0, 1
    while done < most:
        stop = min(done + step, most)
        ours, theirs = list(old[left + done : left + stop]), list(new[right + done : right + stop])
        if ours != theirs:
            return done + next(n for n, (one, other) in enumerate(zip(ours, theirs, strict=True)) if one != other)
        done, step = stop, min(4 * step, _MOST_LINES)
    return done


def _key(table: Records, index: int) -> str | None:
    """The key of a record, which stands between those of its neighbours; None behind the last."""
    if index == len(table):
        return None
    key = table.keys[index]
    if index and table.keys[index - 1] >= key:
        raise table.fault(index, "is not in order of its key")
    if index + 1 < len(table) and table.keys[index + 1] <= key:
        raise table.fault(index + 1, "is not in order of its key")
    return key


def _by_windows(old: Packed, new: Packed) -> Iterator[Changed]:
    """Two texts: equal bytes are compared as bytes, lines only where bytes differ, and no line is taken apart before
    more of it differs than what was observed."""
    left, right = _Side(old), _Side(new)
    while True:
        _pass_over(left, right)
        if left.raw is None and right.raw is None:
            return
        while not _alike(left.raw, right.raw):
            if right.raw is None or (left.raw is not None and left.key < right.key):
                yield left.key, left.line, None
                left.step()
            elif left.raw is None or right.key < left.key:
                yield right.key, None, right.line
                right.step()
            else:
                if left.line != right.line:
                    yield left.key, left.line, right.line
                left.step()
                right.step()
        left.check()
        right.check()


def _alike(ours: bytes | None, theirs: bytes | None) -> bool:
    """Whether lines are the same but for what was observed, as far as can be seen without taking them apart."""
    if ours == theirs:
        return True
    if ours is None or theirs is None:
        return False
    place = ours.find(_MAPPING)
    if place < 0 or not theirs.startswith(_MAPPING, place):
        short, long = (ours, theirs) if len(ours) < len(theirs) else (theirs, ours)
        return short.endswith(END) and long.startswith(OBSERVED, len(short) - 1) and long.startswith(short[:-1])
    if ours[:place] != theirs[:place] or not ours.endswith(_KIND, 0, place):
        return False
    seen = ours[place:] + theirs[place:]  # in each one mapping that holds no other, then the end of the line
    return ours.endswith(b"}}") and theirs.endswith(b"}}") and seen.count(b"{") == 2 and seen.count(b"}") == 4


class _Side:
    """A place in one of two texts that are walked through together: the beginning of a line, or the end. Lines are read
    some at a time, and taken apart when they are asked for."""

    def __init__(self, table: Packed) -> None:
        self.text: Lines = table.text
        self.offset = self._start = self.text.offset(table.first)
        self.end = self.text.offset(table.stop)
        self._table = table
        self._lines: list[bytes] = []
        self._at = 0
        self._row: tuple[int, Row] = (-1, ("", b"", b""))

    @property
    def raw(self) -> bytes | None:
        """The line; None: the end."""
        if self._at == len(self._lines):
            self.take(self.window(_FIRST_WINDOW))
        return self._lines[self._at] if self._lines else None

    @property
    def key(self) -> str:
        """The key of the line. `Records.fault` if it is not behind that of the line before."""
        return self._look()[0]

    @property
    def line(self) -> bytes:
        """The compared part of the line."""
        return self._look()[1]

    @property
    def waiting(self) -> int:
        """How many lines were read that begin here or behind."""
        return len(self._lines) - self._at

    def window(self, size: int) -> bytes:
        """Some bytes from here on, among them one line at least; nothing at the end."""
        while True:
            stop = min(self.offset + size, self.end)
            data = self.text.buffer.read(self.offset, stop)
            if b"\n" in data or stop == self.end:
                return data
            size *= 2

    def take(self, window: bytes) -> None:
        """Read the lines that are whole in a window that begins here."""
        self._lines, self._at = window.split(b"\n")[:-1], 0

    def skip(self, size: int) -> None:
        """Go on by whole lines of so many bytes, whether they were read or not."""
        self.offset += size
        self._lines, self._at = [], 0

    def ahead(self, count: int) -> list[bytes]:
        """Some of the lines that wait."""
        return self._lines[self._at : self._at + count]

    def step(self, count: int = 1) -> None:
        """Go on by some of the lines that wait."""
        self.offset += sum(map(len, self.ahead(count))) + count
        self._at += count

    def check(self) -> None:
        """Raise what `key` raises, if there is a line."""
        if self.raw is not None:
            self._look()

    def _look(self) -> Row:
        offset, row = self._row
        if offset != self.offset:
            assert self.raw is not None
            last = self._before()
            row = self._table.row_at(self.offset, self.raw)
            if last is not None and row[0] <= last:
                raise self._table.unsorted(self.text.number(self.offset), row[0], last)
            self._row = self.offset, row
        return row

    def _before(self) -> str | None:
        """The key of the line before; None: there is none."""
        if self.offset == self._start:
            return None
        begin = self.offset - len(self._lines[self._at - 1]) - 1 if self._at else self.text.begin(self.offset - 1)
        offset, row = self._row
        if offset != begin:
            row = self._table.row_at(begin, self._lines[self._at - 1] if self._at else next(self.text.onward(begin)))
        return row[0]


def _pass_over(left: _Side, right: _Side) -> None:
    """Go on to the first lines that are not alike, or to the end of what is common."""
    step = _FIRST_WINDOW
    if left.raw == right.raw:  # so that bytes are compared as bytes, whatever waits
        left.skip(0)
        right.skip(0)
    while True:
        if not (left.waiting and right.waiting):
            ours, theirs = left.window(step), right.window(step)
            same = ours == theirs
            equal = ours.rfind(b"\n", 0, len(ours) if same else _common(ours, theirs)) + 1
            step = _FIRST_WINDOW if equal and not same else min(2 * step, _LARGEST_WINDOW)
            if equal:
                left.skip(equal)
                right.skip(equal)
                continue
            left.take(ours)
            right.take(theirs)
        most = min(left.waiting, right.waiting)
        pairs = zip(left.ahead(most), right.ahead(most), strict=True)
        alike = next((number for number, pair in enumerate(pairs) if not _alike(*pair)), most)
        left.step(alike)
        right.step(alike)
        if alike < most or not most:
            return


def _common(ours: bytes, theirs: bytes) -> int:
    """How many bytes are equal from the beginning on."""
    low, high = 0, min(len(ours), len(theirs))
    while low < high:
        middle = (low + high + 1) // 2
        if ours[low:middle] == theirs[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low
