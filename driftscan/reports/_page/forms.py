"""Which hosts have a mutation alike, difference by difference."""

import json
from hashlib import blake2b
from operator import attrgetter, eq

from driftscan.model.drift import Difference
from driftscan.model.finding import JudgedMutation
from driftscan.reports._page.items import Happening

COMPARED = 4
"""Forms of a mutation that another host's is held against one by one."""
_SHOWN = attrgetter("kind", "key", "change", "zone", "zone_reason", "why", "text", "attributes")


class Forms:
    """The ways in which hosts have one mutation. Most have it alike, and to see that two are equal takes a sixth of the
    time that a digest takes; where every host has its own, only digests can tell."""

    def __init__(self) -> None:
        self.happenings: list[Happening] = []
        self._by_digest: dict[bytes, Happening] = {}

    def of(self, judged: JudgedMutation) -> Happening:
        """The form that this is."""
        given = judged.mutation.differences
        for each in self.happenings[:COMPARED]:
            if _equal(each.mutation.differences, given):
                return each
        digest = _likeness(given) if self.happenings else b""
        if digest in self._by_digest:
            return self._by_digest[digest]
        found = Happening(0, judged, judged.severity)
        self.happenings.append(found)
        self._by_digest[digest] = found
        return found


def _equal(one: tuple[Difference, ...], other: tuple[Difference, ...]) -> bool:
    """Whether a template shows the same of both."""
    if one is other:
        return True
    return len(one) == len(other) and all(map(eq, map(_SHOWN, one), map(_SHOWN, other)))


def _likeness(differences: tuple[Difference, ...]) -> bytes:
    """A digest of everything that a template shows of them."""
    shown = [
        (
            *(item.kind, item.key, item.change, item.zone, item.zone_reason, item.why, item.text),
            sorted((name, delta.expected, delta.actual) for name, delta in item.attributes.items()),
        )
        for item in differences
    ]
    return blake2b(json.dumps(shown, default=dict).encode(), digest_size=16).digest()
