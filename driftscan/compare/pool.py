"""The differences that are not yet explained. A fold takes what it explains; nothing can be taken twice."""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping

from driftscan.compare.mutation import make
from driftscan.model.drift import Attribution, CauseType, Change, Difference, Mutation
from driftscan.model.resource import ResourceId, Value


class Pool:
    """Open differences by kind and key. Those that a zone accepts are kept apart: they can be carried along by a
    mutation (the file behind an account's row) and never make one."""

    def __init__(self, differences: Iterable[Difference]) -> None:
        """Unknown ones are left out: what may or may not have happened has no cause."""
        known = sorted((item for item in differences if item.change is not Change.UNKNOWN), key=lambda item: item.id)
        self._open: dict[ResourceId, Difference] = {item.id: item for item in known if not item.allowed}
        self._accepted: dict[ResourceId, Difference] = {item.id: item for item in known if item.allowed}
        self._paths = [item.key for item in known if item.kind == "file" and not item.allowed]

    def __iter__(self) -> Iterator[Difference]:
        """What is open, by kind and key."""
        return iter(tuple(self._open.values()))

    def __contains__(self, item: Difference) -> bool:
        """Whether a difference is still open."""
        return item.id in self._open

    def of(self, kind: str) -> tuple[Difference, ...]:
        """What is open of a kind, by key."""
        return tuple(item for item in self._open.values() if item.kind == kind)

    def get(self, kind: str, key: str) -> Difference | None:
        """One open difference."""
        return self._open.get((kind, key))

    def file(self, path: str) -> Difference | None:
        """The open difference of a file; if there is none, the one that a zone accepts."""
        return self._open.get(("file", path)) or self._accepted.get(("file", path))

    def beneath(self, directory: str) -> Iterator[Difference]:
        """Open differences of files beneath a directory (not of itself), by path."""
        start = directory.rstrip("/") + "/"
        index = bisect_left(self._paths, start)
        while index < len(self._paths) and self._paths[index].startswith(start):
            if item := self._open.get(("file", self._paths[index])):
                yield item
            index += 1

    def fold(
        self,
        cause: CauseType,
        subject: str,
        title: str,
        primary: Iterable[Difference],
        following: Iterable[Difference | None] = (),
        *,
        detail: str = "",
        attribution: Attribution = Attribution(),  # noqa: B008 - a frozen value
    ) -> Mutation:
        """A mutation of its heart, which must be open, and of what follows and was not taken before."""
        heart = tuple(primary)
        for item in heart:
            del self._open[item.id]
        carried = {item.id: item for item in following if item is not None and self._take(item)}
        return make(cause, subject, title, heart, carried.values(), detail=detail, attribution=attribution)

    def _take(self, item: Difference) -> bool:
        return any(table.pop(item.id, None) is not None for table in (self._open, self._accepted))


def value(item: Difference, name: str) -> Value:
    """What the target has of an attribute that the difference tells; for what is gone, what the reference had."""
    delta = item.attributes.get(name)
    if delta is None:
        return None
    return delta.expected if item.change is Change.REMOVED else delta.actual


def text(item: Difference, *names: str) -> str:
    """The first of these attributes that is text and not empty."""
    return next((found for name in names if isinstance(found := value(item, name), str) and found), "")


def actual(item: Difference) -> Mapping[str, Value]:
    """What the difference tells of the target's resource."""
    return {name: delta.actual for name, delta in item.attributes.items()}
