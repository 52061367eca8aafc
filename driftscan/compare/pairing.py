"""Identities whose value is their key (addresses, routes): one that went and one that came are one that is other."""

from collections.abc import Sequence
from dataclasses import replace

from driftscan.model.drift import Change, Difference
from driftscan.model.matching import Matcher
from driftscan.model.zone import ZoneClass


def replaced_identities(
    differences: Sequence[Difference], zones: Matcher, own: frozenset[str] = frozenset()
) -> list[Difference]:
    """Accepts, for each identity zone of keys that carry a value, those that came if as many are gone: a host has as
    many addresses as its image had, and they are its own. With one more or one fewer all stay differences, since
    nobody can tell which of them is the odd one; and so of kinds of which the host's `own` are known."""
    gone: dict[str, list[int]] = {}
    come: dict[str, list[int]] = {}
    for index, item in enumerate(differences):
        if item.kind == "file" or item.zone is not ZoneClass.IDENTITY or item.allowed or item.kind in own:
            continue
        zone = zones.zone_of(item.kind, item.key)
        if zone is not None and item.change in {Change.ADDED, Change.REMOVED}:
            (come if item.change is Change.ADDED else gone).setdefault(zone.pattern, []).append(index)
    paired = {
        index
        for pattern in come.keys() & gone.keys()
        if len(come[pattern]) == len(gone[pattern])
        for index in (*come[pattern], *gone[pattern])
    }
    return [replace(item, allowed=True) if index in paired else item for index, item in enumerate(differences)]
