"""Hosts that are judged together: what they have alike is asked once, and so is the image of which they are."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

from driftscan.model.manifest import Manifest
from driftscan.model.snapshot import Snapshot
from driftscan.policy.alike import Alike
from driftscan.policy.facts import Facts
from driftscan.policy.model import Control
from driftscan.policy.outcome import Outcome, outcome
from driftscan.policy.tables import Tables

_T = TypeVar("_T")
_MOST_IMAGES = 4
"""Images of which something is kept: those whose hosts are judged at the same time."""


class Image:
    """An image as controls find it. Each is asked once, but for those that look at the clock. For many threads."""

    def __init__(self, manifest: Manifest, facts: Callable[[int], Facts]) -> None:
        """`facts`: the manifest's, as they are judged at a time."""
        self.manifest = manifest
        self._facts = facts
        self._untimed = facts(0)
        self._lock = threading.Lock()
        self._known: dict[int, tuple[Control, Outcome]] = {}

    def outcome(self, control: Control, now: int) -> Outcome:
        """What a control that is for the image comes to."""
        if control.timed:
            return outcome(control, self._facts(now))
        with self._lock:
            if id(control) not in self._known:  # kept with the control, so that no other gets its id
                self._known[id(control)] = control, outcome(control, self._untimed)
            return self._known[id(control)][1]


class Together:
    """What is kept from one host to the next, for many threads. No answer depends on it."""

    def __init__(self) -> None:
        """Nothing yet."""
        self._tables = Tables()
        self._alike: _Recent[Alike] = _Recent()
        self._images: _Recent[Image] = _Recent()

    def facts(self, source: Snapshot | Manifest, name: Hashable, now: int = 0) -> Facts:
        """The facts of a host or an image, as they are judged at a time. `name`: of what may be alike, such as an
        image; a wrong one costs time alone."""
        table = self._tables.of(name, source.resources.files)
        return Facts.of(source, now, table, self._alike.get(name, Alike))

    def image(self, manifest: Manifest, name: Hashable) -> Image:
        """The image with that manifest, which stays as it is."""
        return self._images.get(id(manifest), lambda: Image(manifest, lambda now: self.facts(manifest, name, now)))


class _Recent(Generic[_T]):
    """A few things by name; what was not asked for longest goes."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: OrderedDict[Hashable, _T] = OrderedDict()

    def get(self, name: Hashable, make: Callable[[], _T]) -> _T:
        with self._lock:
            if name not in self._known:
                self._known[name] = make()
                if len(self._known) > _MOST_IMAGES:
                    self._known.popitem(last=False)
            self._known.move_to_end(name)
            return self._known[name]
