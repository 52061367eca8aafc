"""The differences that are not yet explained. A fold takes what it explains; nothing can be taken twice."""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping

from driftscan.compare.loaded import LIBRARY, PROCESS, in_use, is_gone, left_by
from driftscan.compare.mutation import make
from driftscan.model.drift import Attribution, CauseType, Change, Difference, Mutation
from driftscan.model.proof import Proof
from driftscan.model.resource import ResourceId, Value


class Pool:
    """Open differences by kind and key. Those that a zone accepts are kept apart: they can be carried along by a
    mutation (the file behind an account's row) and never make one."""

    def __init__(self, differences: Iterable[Difference]) -> None:
        """Unknown ones are left out: what may or may not have happened has no cause."""
        known = sorted((item for item in differences if item.change is not Change.UNKNOWN), key=lambda item: item.id)
        self._open: dict[str, dict[str, Difference]] = {}
        for item in known:
            if not item.allowed:
                self._open.setdefault(item.kind, {})[item.key] = item
        self._accepted: dict[ResourceId, Difference] = {item.id: item for item in known if item.allowed}
        self._paths = [item.key for item in known if item.kind == "file" and not item.allowed]

    def __iter__(self) -> Iterator[Difference]:
        """What is open, by kind and key."""
        return iter([item for table in self._open.values() for item in table.values()])

    def __contains__(self, item: Difference) -> bool:
        """Whether a difference is still open."""
        return item.key in self._open.get(item.kind, ())

    def of(self, kind: str) -> tuple[Difference, ...]:
        """What is open of a kind, by key."""
        return tuple(self._open.get(kind, {}).values())

    def get(self, kind: str, key: str) -> Difference | None:
        """One open difference."""
        return self._open.get(kind, {}).get(key)

    def file(self, path: str) -> Difference | None:
        """The open difference of a file; if there is none, the one that a zone accepts."""
        return self.get("file", path) or self._accepted.get(("file", path))

    def beneath(self, directory: str) -> Iterator[Difference]:
        """Open differences of files beneath a directory (not of itself), by path."""
        start = directory.rstrip("/") + "/"
        index = bisect_left(self._paths, start)
        while index < len(self._paths) and self._paths[index].startswith(start):
            if item := self.get("file", self._paths[index]):
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
        proof: Proof | None = None,
    ) -> Mutation:
        """A mutation of its heart, which must be open, and of what follows and was not taken before; with each file,
        what still runs of the one that it took the place of."""
        heart = tuple(primary)
        for item in heart:
            del self._open[item.kind][item.key]
        carried = {item.id: item for item in following if item is not None and self._take(item)}
        carried |= {item.id: item for item in self._still_loaded((*heart, *carried.values()))}
        title += in_use(carried.values())
        return make(cause, subject, title, heart, carried.values(), detail=detail, attribution=attribution, proof=proof)

    def _still_loaded(self, taken: Iterable[Difference]) -> Iterator[Difference]:
        for file in taken:
            rows = (self.get(kind, file.key) for kind in (LIBRARY, PROCESS)) if file.kind == "file" else ()
            for row in rows:
                if row is not None and is_gone(row) and left_by(row, file) and self._take(row):
                    yield row

    def _take(self, item: Difference) -> bool:
        was_open = self._open.get(item.kind, {}).pop(item.key, None)
        return was_open is not None or self._accepted.pop(item.id, None) is not None


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
