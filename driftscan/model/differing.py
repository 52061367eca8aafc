"""What differs between two tables of records, found without looking at what is equal any closer than byte by byte."""

from collections.abc import Iterator, Sequence
from typing import TypeAlias

from driftscan.model.lines import Lines
from driftscan.model.packed import END, OBSERVED, Packed
from driftscan.model.patched import Patched
from driftscan.model.records import Records, Row

Changed: TypeAlias = tuple[str, bytes | None, bytes | None]
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
    """Two texts: equal bytes are compared as bytes; lines are looked at from the first byte that differs until the
    texts run alike again."""
    left, right = _Side(old), _Side(new)
    while True:
        _pass_over(left, right)
        left.stand()
        right.stand()
        if left.raw is None and right.raw is None:
            return
        while left.raw != right.raw:
            if left.raw and right.raw and _same_but_for_evidence(left.raw, right.raw):
                left.step()
                right.step()
            elif right.raw is None or (left.raw is not None and left.key < right.key):
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


def _same_but_for_evidence(ours: bytes, theirs: bytes) -> bool:
    """Whether one line tells what was observed and the other, which is the same else, does not: as a manifest beside a
    snapshot. No line need be taken apart to see that."""
    short, long = (ours, theirs) if len(ours) < len(theirs) else (theirs, ours)
    return short.endswith(END) and long.startswith(OBSERVED, len(short) - 1) and long.startswith(short[:-1])


class _Side:
    """A place in one of two texts that are walked through together. Its line is taken apart when it is asked for."""

    def __init__(self, table: Packed) -> None:
        self.text: Lines = table.text
        self.offset = self.text.offset(table.first)
        self.end = self.text.offset(table.stop)
        self.raw: bytes | None = None
        self._table = table
        self._start = self.offset
        self._lines: Iterator[bytes] = iter(())
        self._row: Row | None = None
        self._before: tuple[bytes, Row | None] | None = None

    @property
    def key(self) -> str:
        """The key of the line. `Records.fault` if it is not behind that of the line before."""
        return self._look()[0]

    @property
    def line(self) -> bytes:
        """The compared part of the line."""
        return self._look()[1]

    def stand(self) -> None:
        """Begin with the line that begins here."""
        self.raw = self._row = self._before = None
        if self.offset == self.end:
            return
        before = self.text.begin(self.offset - 1) if self.offset > self._start else self.offset
        self._lines = self.text.onward(before)
        if before < self.offset:
            self._before = next(self._lines), None
        self.raw = next(self._lines)

    def step(self) -> None:
        """On to the next line."""
        assert self.raw is not None
        self._before = self.raw, self._row
        self.offset += len(self.raw) + 1
        self.raw = next(self._lines) if self.offset < self.end else None
        self._row = None

    def check(self) -> None:
        """Raise what `key` raises, if there is a line."""
        if self.raw is not None:
            self._look()

    def _look(self) -> Row:
        if self._row is None:
            assert self.raw is not None
            self._row = self._table.row_at(self.offset, self.raw)
            if self._before is not None:
                raw, row = self._before
                last = (row or self._table.row_at(self.offset - len(raw) - 1, raw))[0]
                if self._row[0] <= last:
                    raise self._table.unsorted(self.text.number(self.offset), self._row[0], last)
        return self._row


def _pass_over(left: _Side, right: _Side) -> None:
    """Go on to the beginning of the first lines of which any byte differs, or to the end of what is common."""
    step = _FIRST_WINDOW
    while size := min(step, left.end - left.offset, right.end - right.offset):
        ours = left.text.buffer.read(left.offset, left.offset + size)
        theirs = right.text.buffer.read(right.offset, right.offset + size)
        same = ours == theirs
        size = size if same else _common(ours, theirs)
        left.offset += size
        right.offset += size
        if not same:
            break
        step = min(2 * step, _LARGEST_WINDOW)
    back = left.offset - left.text.begin(left.offset)
    left.offset -= back
    right.offset -= back


def _common(ours: bytes, theirs: bytes) -> int:
    """How many bytes are equal from the beginning on."""
    low, high = 0, len(ours)
    while low < high:
        middle = (low + high + 1) // 2
        if ours[low:middle] == theirs[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low
