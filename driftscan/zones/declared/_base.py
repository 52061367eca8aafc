"""What a declarer is, and the zones that declarations share."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeAlias

from driftscan.model.source import Captures, Source
from driftscan.model.zone import Provenance, Zone, ZoneClass

Parse: TypeAlias = Callable[[Captures], Iterable[Zone]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Declarer:
    """One way in which an image says what changes by itself. `parse` is pure: it sees captures alone, and yields for
    each declaration the zone that accepts least and yet all that is declared; what no zone can express it leaves out.
    It may raise UnavailableError. What must never be relaxed is not its business: see `guard`."""

    name: str
    doc: str
    sources: tuple[Source, ...]
    """Those of a collector, or such as the probe answers without being permitted: names, and files that every user of
    the target may read (a configuration that is closed to them may hold secrets)."""
    parse: Parse


def origin_of(path: str, line: int) -> str:
    """Where a declaration stands."""
    return f"{path}:{line}"


def made(pattern: str, reason: str, origin: str) -> Zone:
    """Something is made where it is missing, and nothing is said of what becomes of it: it may come; what it is and
    holds stays as it was (but for its link count, which its subdirectories change)."""
    return _zone(pattern, ZoneClass.FREE, reason, origin, attributes=("nlink",), may_appear=True, may_vanish=False)


def removed(pattern: str, reason: str, origin: str) -> Zone:
    """Something is removed where it is found: it may go, and nothing else."""
    return _zone(pattern, ZoneClass.FREE, reason, origin, attributes=("nlink",), may_appear=False, may_vanish=True)


def free(pattern: str, reason: str, origin: str) -> Zone:
    """Whoever it is for writes here what they like."""
    return _zone(pattern, ZoneClass.FREE, reason, origin)


def log(pattern: str, reason: str, origin: str) -> Zone:
    """A log, which comes with its first message."""
    return _zone(pattern, ZoneClass.ROTATING_LOG, reason, origin, may_appear=True)


def rotated(pattern: str, reason: str, origin: str) -> Zone:
    """Rotated copies of a log that lie beside it: the class itself knows them by their names."""
    return _zone(pattern, ZoneClass.ROTATING_LOG, reason, origin)


def boot_once(pattern: str, reason: str, origin: str) -> Zone:
    """First boot may write it, and nobody after."""
    return _zone(pattern, ZoneClass.BOOT_ONCE, reason, origin)


def _zone(
    pattern: str,
    zone: ZoneClass,
    reason: str,
    origin: str,
    *,
    attributes: tuple[str, ...] = (),
    may_appear: bool | None = None,
    may_vanish: bool | None = None,
) -> Zone:
    return Zone(
        pattern=pattern,
        zone=zone,
        reason=reason,
        attributes=attributes,
        may_appear=may_appear,
        may_vanish=may_vanish,
        provenance=Provenance.DECLARED,
        origin=origin,
    )
