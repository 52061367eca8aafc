"""Small facts that hosts of one image have alike, so that no rule asks the same twice.

The rows of one host stand for those of others. A host has such a row where its own resource is the same to every
condition. That is found by comparing, never by a name, so what is remembered of rows holds for each host that has them.
"""

import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from driftscan.model.resource import Resource, Value
from driftscan.policy.conditions import Row

_T = TypeVar("_T")
_NOT_ASKED: Final = object()
_TEXTS = frozenset({str, type(None)})


class Standing:
    """The rows of a kind that stand for others, and what was answered of each. For many threads: what is remembered is
    the same, whoever finds it."""

    def __init__(self, resources: Iterable[Resource]) -> None:
        """Nothing is asked yet."""
        self.rows = [
            Row(each.key, each.attributes, kind=each.kind, place=place) for place, each in enumerate(resources)
        ]
        self._by_key = {row.key: (row, _exactly(row.attributes)) for row in self.rows}
        self._answers: dict[int, tuple[object, list[Any]]] = {}

    def like(self, resource: Resource) -> Row:
        """The row of a resource: one of these if it is the same, else one of its own."""
        row, exactly = self._by_key.get(resource.key, (None, ""))
        attributes = resource.attributes
        if row is not None and row.attributes == attributes and not (exactly and exactly != _exactly(attributes)):
            return row
        return Row(resource.key, attributes, kind=resource.kind)

    def of_each(self, asked: object, rows: Sequence[Row], answer: Callable[[Sequence[Row]], list[_T]]) -> list[_T]:
        """The answers of rows, each one of these or of its own. `asked`: the part of a policy that says what is asked;
        `answer` depends on it and on each row alone."""
        _, known = self._answers.get(id(asked)) or self._answers.setdefault(
            id(asked), (asked, [_NOT_ASKED] * (len(self.rows) + 1))
        )  # with what is asked, so that nothing else gets its id; the last is what place -1 finds, and is never known
        found = [known[row.place] for row in rows]
        fresh = [index for index, each in enumerate(found) if each is _NOT_ASKED]
        if fresh:
            asking = [rows[index] for index in fresh]
            for index, row, said in zip(fresh, asking, answer(asking), strict=True):
                found[index] = said
                if row.place >= 0:
                    known[row.place] = said
        return found


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows of a host's resources of a kind, by key. `other`: the keys of those that it has, or has not, other than
    what stands for it."""

    rows: list[Row]
    standing: Standing | None = None
    other: frozenset[str] = frozenset()


class Alike:
    """The rows that stand for those of the hosts of one image, and what rules said of them as a whole."""

    def __init__(self) -> None:
        """None yet."""
        self._kinds: dict[str, Standing] = {}
        self._said: dict[int, tuple[object, tuple[object, ...], Any]] = {}
        self._frame: object = None

    def rows(self, kind: str, resources: Sequence[Resource]) -> Rows:
        """The rows of a host's resources, which are in order. If few are like those that stand for others, they are
        what stands for others from now on."""
        standing = self._kinds.get(kind)
        if standing is not None:
            rows = [*map(standing.like, resources)]
            places = {row.place for row in rows if row.place >= 0}
            if 2 * len(places) >= len(rows):
                own = (row.key for row in rows if row.place < 0)
                gone = (row.key for row in standing.rows if row.place not in places)
                return Rows(rows, standing, frozenset((*own, *gone)))
        self._kinds[kind] = standing = Standing(resources)
        return Rows(standing.rows, standing)

    def frame(self, frame: object) -> object:
        """The same object as for the host before, if what frames the facts of both is equal."""
        if self._frame != frame:
            self._frame = frame
        return self._frame

    def remembered(self, asked: object, of: tuple[object, ...], make: Callable[[], _T]) -> _T:
        """What was made before of the very same things, else what is made now. `asked`: see `Standing.of_each`."""
        known = self._said.get(id(asked))
        if known is not None and len(known[1]) == len(of) and all(map(operator.is_, known[1], of)):
            made: _T = known[2]
            return made
        made = make()
        self._said[id(asked)] = asked, of, made
        return made


def _exactly(attributes: Mapping[str, Value]) -> str:
    """What sets apart attributes that are equal and not the same, as 1 and True are; empty: nothing can."""
    plain = all(
        type(value) in _TEXTS or (isinstance(value, tuple) and all(type(item) is str for item in value))
        for value in attributes.values()
    )
    return "" if plain else repr(attributes)
