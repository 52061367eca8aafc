"""Zones that the image itself declares: in tmpfiles.d, unit files, logrotate's and cloud-init's configuration.

One module for each way to declare (`declarer`, see `_base.Declarer`), found as plugins. sysusers.d and dpkg's
conffiles, alternatives and triggers declare nothing that changes by itself, and have none
(docs/adr/0021-declared-zones.md).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache

from driftscan import plugins
from driftscan.errors import UnavailableError
from driftscan.model.matching import Matcher
from driftscan.model.records import Records
from driftscan.model.source import Captures, Gap, Source, Status
from driftscan.model.zone import Provenance, Zone
from driftscan.zones.declared import _guard
from driftscan.zones.declared._base import Declarer


@dataclass(frozen=True, slots=True)
class Declared:
    """Zones that are made of declarations, and the declarations that are not: pattern, origin, and why."""

    zones: tuple[Zone, ...] = ()
    refused: tuple[str, ...] = ()


@cache
def declarers() -> tuple[Declarer, ...]:
    """All of them, by name."""
    return tuple(plugins.discover(__name__, "declarer", Declarer).values())


def sources() -> tuple[Source, ...]:
    """What must be asked of a target for its declarations."""
    return tuple(dict.fromkeys(source for each in declarers() for source in each.sources))


def declarations(captures: Captures) -> tuple[tuple[Zone, ...], tuple[Gap, ...]]:
    """What a target declares, in the order of patterns, nothing kept out yet; and what could not be read. That declares
    nothing and hides nothing: the stricter default stays."""
    found: list[Zone] = []
    gaps: list[Gap] = []
    for declarer in declarers():
        try:
            found.extend(declarer.parse(captures))
        except UnavailableError as error:
            gaps.append(Gap(f"zones declared by {declarer.name}", Status(error.status), str(error)))
    return tuple(sorted(dict.fromkeys(found), key=lambda zone: (zone.pattern, zone.origin))), tuple(gaps)


def accept(boots: Sequence[Iterable[Zone]], known: Iterable[Zone], files: Records) -> Declared:
    """The zones for what all boots declare and no pack or person has decided already (`known`), with exceptions for
    what is never relaxed. `files`: those of the image."""
    known = tuple(known)
    by_hand = Matcher(zone for zone in known if zone.provenance is Provenance.HAND)
    packs = Matcher(zone for zone in known if zone.provenance is Provenance.PACK)
    first, *others = [{(zone.pattern, zone.zone, zone.attributes): zone for zone in boot} for boot in boots]
    found: dict[str, Zone] = {}
    refused: list[str] = []
    for key, zone in first.items():
        if _guard.is_idle(zone, files):
            continue
        made = _guard.settled(zone, by_hand, packs)
        why = _guard.why_not(zone) if all(key in other for other in others) else "not all boots declare it"
        if made is not None and why:
            refused.append(f"{zone.origin}: {zone.pattern}: {why}")
        elif made is not None:
            before = found.get(made.pattern)
            found[made.pattern] = made if before is None else _guard.joined(before, made)
    zones = list(_guard.without_idle(list(found.values())))
    sealed = {zone.pattern: zone for zone in _guard.exceptions(zones, files)}
    kept = (zone for zone in zones if zone.pattern not in sealed)
    return Declared((*kept, *sealed.values()), tuple(dict.fromkeys(refused)))
