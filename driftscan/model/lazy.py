"""Mappings that are made when somebody first looks into them."""

from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from typing import TypeVar

Key = TypeVar("Key")
Value = TypeVar("Value")


class Lazy(Mapping[Key, Value]):
    """A mapping that `load` makes, once; what it raises is raised where the mapping is first looked into."""

    def __init__(self, load: Callable[[], Mapping[Key, Value]]) -> None:
        """Nothing is made yet."""
        self._load = load

    @cached_property
    def _whole(self) -> Mapping[Key, Value]:
        return self._load()

    def __getitem__(self, key: Key) -> Value:
        """See `Mapping`."""
        return self._whole[key]

    def __iter__(self) -> Iterator[Key]:
        """See `Mapping`."""
        return iter(self._whole)

    def __len__(self) -> int:
        """See `Mapping`."""
        return len(self._whole)
