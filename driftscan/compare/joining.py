"""Mutations of which some become parts of others, with nothing lost on the way."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from driftscan.model.drift import CauseType, Change, Difference, Mutation
from driftscan.model.names import show
from driftscan.model.resource import ResourceId

_MOST_TOLD = 5


class Joined:
    """Mutations, of which parts go into wholes. Those it gives are as they were before."""

    def __init__(self, mutations: Iterable[Mutation]) -> None:
        self._all = dict(enumerate(mutations))
        self._items: dict[ResourceId, Difference] = {}
        self._place: dict[ResourceId, int] = {}
        for number, mutation in self._all.items():
            self._items.update((item.id, item) for item in mutation.differences)
            self._place.update((item.id, number) for item in mutation.differences)
        self._parts: dict[int, list[tuple[Mutation, str]]] = {}

    def __iter__(self) -> Iterator[Mutation]:
        return iter(tuple(self._all.values()))

    def with_(self, kind: str, key: str) -> Mutation | None:
        """The mutation that has the difference of a resource."""
        number = self._place.get((kind, key))
        return None if number is None else self._all[number]

    def get(self, kind: str, key: str) -> Difference | None:
        """The difference of a resource, in whatever mutation it is."""
        return self._items.get((kind, key))

    def came(self, kind: str, key: str) -> bool:
        """Whether a resource was added."""
        item = self.get(kind, key)
        return item is not None and item.change is Change.ADDED

    def of(self, *causes: CauseType) -> list[Mutation]:
        """Those of these causes that are no part of another one yet."""
        return [mutation for mutation in self if mutation.cause.type in causes]

    def join(self, part: Mutation, whole: Mutation, words: str = "") -> None:
        """Put a part into another mutation, and say so at the end of its title."""
        number, other = self._number(part), self._number(whole)
        if number == other:
            return
        del self._all[number]
        self._parts.setdefault(other, []).extend(((part, words), *self._parts.pop(number, ())))
        for moved, _ in self._parts[other]:
            self._place.update((item.id, other) for item in moved.differences)

    def whole(self) -> tuple[Mutation, ...]:
        """What there is, each with its parts."""
        return tuple(_with(mutation, self._parts.get(number, [])) for number, mutation in self._all.items())

    def say(self, mutation: Mutation, title: str, detail: str) -> None:
        """Tell it otherwise."""
        number, cause = self._number(mutation), replace(mutation.cause, detail=show(detail))
        self._all[number] = replace(self._all[number], title=show(title), cause=cause)

    def _number(self, mutation: Mutation) -> int:
        return self._place[mutation.differences[0].id]


def _with(whole: Mutation, parts: Sequence[tuple[Mutation, str]]) -> Mutation:
    if not parts:
        return whole
    words = [each for _, each in parts if each]
    more = [f"and {len(words) - _MOST_TOLD} more"] if len(words) > _MOST_TOLD else []
    along = "; ".join([*map(show, words[:_MOST_TOLD]), *more])
    title = f"{whole.title} ({along})" if along else whole.title
    items = [*whole.differences, *(item for part, _ in parts for item in part.differences)]
    return replace(whole, title=title, differences=tuple(sorted(items, key=lambda item: item.id)))


def single(part: Mutation, change: Change) -> Difference | None:
    """The one file that a mutation is about."""
    item = part.differences[0]
    return item if len(part.differences) == 1 and item.kind == "file" and item.change is change else None
