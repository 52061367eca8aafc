"""The file table of a target as rules ask it, and how tables that are nearly alike are asked together.

Hosts of one image have nearly the same files. Of each image one table stands for all: what rules ask is answered of it
once, and of a host only where its records differ from it. What differs is known by comparing, never by a name, so the
answers are those of the table by itself.
"""

import re
import threading
from collections import Counter, OrderedDict
from collections.abc import Callable, Container, Hashable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import islice
from typing import Protocol, TypeAlias

from driftscan.model.differing import Changed, differing
from driftscan.model.patterns import compile_key_glob, literal_prefix, split_pattern
from driftscan.model.records import Records
from driftscan.model.resource import Resource
from driftscan.policy.conditions import Predicate
from driftscan.policy.survey import Survey

Predicates: TypeAlias = tuple[Predicate | None, ...]
Owners: TypeAlias = Mapping[bytes, tuple[int, str]]
"""The JSON of a column's value -> how many files have it, and the first of them."""

_MOST_TABLES = 4
"""Tables that are kept to stand for others: images that are judged at the same time."""
_MOST_KEPT = 1 << 14
"""Files of an answer, and single files, that are kept with a table; larger answers are found anew."""
_NEAR = 16
"""A table is nearly another if at most every 16th of its records differs."""


class Table(Protocol):
    """What rules ask of a file table. Resources are without what was observed beside them."""

    def get(self, key: str) -> Resource | None:
        """The file of a key."""

    def matching(self, globs: tuple[str, ...], predicates: Predicates) -> Sequence[Resource]:
        """The files whose keys fit any of the globs and of which all predicates may hold, by key. Some may be among
        them of which one does not."""

    def owners(self, column: str) -> Owners:
        """Of `uid` or `gid` who has how many files; empty text: the record lacks the column."""

    @property
    def stands(self) -> tuple[object, frozenset[str]]:
        """The table that stands for this one, and the keys of what is other in this one."""


class Single:
    """A table that is asked by itself. Answers are kept, within limits."""

    def __init__(self, records: Records, decode: Callable[[bytes], Resource] | None = None) -> None:
        """Nothing is read yet. `decode`: of the table that the lines are of, if another."""
        self.records = records
        self._decode = decode or records.decode
        self._survey = Survey(records)
        self._decoded: dict[str, Resource | None] = {}
        self._answers: dict[tuple[tuple[str, ...], tuple[int, ...]], tuple[Predicates, Sequence[Resource]]] = {}
        self._owners: dict[str, Owners] = {}

    def get(self, key: str) -> Resource | None:
        """See `Table`."""
        if key in self._decoded:
            return self._decoded[key]
        line = self.records.line(key)
        return self._kept(key, None if line is None else self._decode(line))

    def matching(self, globs: tuple[str, ...], predicates: Predicates) -> Sequence[Resource]:
        """See `Table`."""
        asked = (globs, tuple(map(id, predicates)))
        known = self._answers.get(asked)
        if known is not None:
            return known[1]
        found = list(self._matching(globs, predicates))
        if len(found) <= _MOST_KEPT:
            self._answers[asked] = (predicates, found)  # with the predicates, so that no other gets their ids
        return found

    def owners(self, column: str) -> Owners:
        """See `Table`."""
        if column not in self._owners:
            counts = Counter(self._survey.values(column))
            self._owners[column] = {token: (count, self.first(column, token, ())) for token, count in counts.items()}
        return self._owners[column]

    @property
    def stands(self) -> tuple[object, frozenset[str]]:
        """See `Table`."""
        return self, frozenset()

    def first(self, column: str, token: bytes, without: Container[str]) -> str:
        """The first file with a value, of those that are not left out; empty: there is none."""
        having = (index for index, each in enumerate(self._survey.values(column)) if each == token)
        keys = (self.records.row(index)[0] for index in having)
        return next((key for key in keys if key not in without), "")

    def _matching(self, globs: tuple[str, ...], predicates: Predicates) -> Iterator[Resource]:
        """The table is sorted: each glob looks only at the stretch that begins with its text."""
        seen: set[int] = set()
        for glob in globs:
            seen.update(self._survey.narrowed(self._stretch(glob), predicates))
        for index in sorted(seen):
            key, line, _ = self.records.row(index)
            found = self._decoded.get(key) or self._decode(line)
            self._kept(key, found)
            yield found

    def _stretch(self, glob: str) -> Iterable[int]:
        if glob == everything("file"):
            return range(len(self.records))
        beginning, fits = self.records.span(literal_prefix(glob)), matcher("file", (glob,))
        rows = self.records.rows(beginning.start, beginning.stop)
        return (index for index, (key, _, _) in zip(beginning, rows, strict=True) if fits(key))

    def _kept(self, key: str, found: Resource | None) -> Resource | None:
        if len(self._decoded) < _MOST_KEPT:
            self._decoded[key] = found
        return found


class Beside:
    """A table that differs from another in few records: what that one answers, but for those."""

    def __init__(self, other: Single, records: Records, changes: Sequence[Changed]) -> None:
        """`changes`: what of the other is removed, changed, or added in these records, by key."""
        self._other = other
        self._changed = frozenset(key for key, _, _ in changes)
        self._own = _some(((key, new) for key, _, new in changes), records)
        self._gone = _some(((key, old) for key, old, _ in changes), other.records)

    def get(self, key: str) -> Resource | None:
        """See `Table`."""
        return (self._own if key in self._changed else self._other).get(key)

    def matching(self, globs: tuple[str, ...], predicates: Predicates) -> Sequence[Resource]:
        """See `Table`."""
        others = self._other.matching(globs, predicates)
        if not self._changed:
            return others
        found = [each for each in others if each.key not in self._changed]
        found += self._own.matching(globs, predicates)
        return sorted(found, key=lambda each: each.key)

    @property
    def stands(self) -> tuple[object, frozenset[str]]:
        """See `Table`."""
        return self._other, self._changed

    def owners(self, column: str) -> Owners:
        """See `Table`."""
        gone, own = self._gone.owners(column), self._own.owners(column)
        found: dict[bytes, tuple[int, str]] = {}
        for token, (count, first) in self._other.owners(column).items():
            if left := count - gone.get(token, (0, ""))[0]:
                found[token] = (
                    left,
                    self._other.first(column, token, self._changed) if first in self._changed else first,
                )
        for token, (count, first) in own.items():
            before, known = found.get(token, (0, first))
            found[token] = before + count, min(first, known)
        return found


def _some(rows: Iterable[tuple[str, bytes | None]], records: Records) -> Single:
    """Some lines of a table, as one."""
    present = [(key, line) for key, line in rows if line is not None]
    return Single(Records([key for key, _ in present], [line for _, line in present]), records.decode)


class Tables:
    """The tables that stand for others; for many threads."""

    def __init__(self) -> None:
        """None yet."""
        self._lock = threading.Lock()
        self._known: OrderedDict[Hashable, Single] = OrderedDict()

    def of(self, name: Hashable, records: Records) -> Table:
        """The records to be asked. `name`: of what may be alike, such as an image; it finds a table to compare with,
        and no answer depends on it."""
        with self._lock:
            known = self._known.get(name)
            if known is not None:
                self._known.move_to_end(name)
        if known is not None:
            if known.records is records:
                return known
            most = len(known.records) // _NEAR
            changes = list(islice(differing(known.records, records), most + 1))
            if len(changes) <= most:
                return Beside(known, records, changes)
        own = Single(records)
        with self._lock:
            self._known[name] = own
            if len(self._known) > _MOST_TABLES:
                self._known.popitem(last=False)
        return own


@lru_cache(maxsize=256)
def everything(kind: str) -> str:
    """The glob that fits every key of a kind."""
    return split_pattern(kind)[1]


@lru_cache(maxsize=4096)
def matcher(kind: str, globs: tuple[str, ...]) -> Callable[[str], object]:
    """A test whether a key fits any of the globs; of files, `/**` means all of them."""
    if everything(kind) in globs:
        return lambda key: True
    return re.compile("|".join(f"(?:{compile_key_glob(kind, glob).pattern})" for glob in globs), re.DOTALL).fullmatch
