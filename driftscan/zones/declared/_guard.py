"""What no declaration relaxes, whatever it says: what is executed or loaded, what decides who gets in, the package
databases, and what a person or a pack has decided already."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from driftscan.model.matching import Matcher, covered
from driftscan.model.patterns import is_literal, literal_prefix
from driftscan.model.records import Records
from driftscan.model.zone import Provenance, Zone, ZoneClass
from driftscan.zones.loader import MAX_STARS
from driftscan.zones.protected import LOADED, OF_PEOPLE, protected

_ALWAYS = (
    *("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/boot", "/efi", "/dev", "/proc", "/sys"),
    *("/var/spool/cron", "/var/spool/at", "/var/spool/anacron", "/var/lib/dpkg", "/var/lib/rpm", "/var/lib/apk"),
    *("/var/lib/cloud/scripts", "/var/lib/cloud/handlers", "/var/lib/systemd/linger", "/var/lib/polkit-1"),
    *("/var/lib/AccountsService", "/var/lib/extensions", "/var/lib/confexts", "/var/lib/portables"),
    *("/run/systemd/system", "/run/systemd/user", "/run/systemd/system.control", "/run/systemd/transient"),
    *("/run/systemd/generator", "/run/systemd/network", "/run/udev/rules.d", "/run/tmpfiles.d", "/run/sysusers.d"),
    *("/run/sysctl.d", "/run/modprobe.d", "/run/modules-load.d", "/run/polkit-1", "/run/dbus-1", "/run/extensions"),
)
"""Where nothing is relaxed."""
_SETTINGS = ("/etc", "/root")
"""Where single names may come or go, and first boot may write; nothing else is relaxed."""
_WHAT_RUNS = "what lies there is executed, loaded, or decides who gets in"
_STARS_OF_EXCEPTIONS = 3
_WIDTH = list(ZoneClass)


def why_not(zone: Zone) -> str:
    """Why a declared zone is not made, by its pattern alone; empty: it may be."""
    pattern = zone.pattern
    if len(re.findall(r"\*+", pattern)) > MAX_STARS - _STARS_OF_EXCEPTIONS:
        return "too many wildcards"
    if why := protected("file", _sample(pattern), (), ()):
        return why
    literal, prefix = is_literal(pattern), literal_prefix(pattern)
    narrow = literal and (zone.attributes or zone.zone is ZoneClass.BOOT_ONCE)
    if any(_overlaps(prefix, place, literal) for place in (_ALWAYS if narrow else (*_ALWAYS, *_SETTINGS))):
        return _WHAT_RUNS
    if not literal and prefix.count("/") < (3 if pattern.endswith("/**") else 2):
        return "it would cover most of the system"
    if "?" in pattern[-5:]:
        return "its end could be that of a library or script"
    return ""


def is_idle(zone: Zone, files: Records) -> bool:
    """Whether a declaration says nothing of this image: what is made is there, what is removed is not."""
    if not zone.attributes:
        return False
    if zone.may_appear:
        return is_literal(zone.glob) and zone.glob in files
    return next(covered(files, zone.glob), None) is None


def _sample(pattern: str) -> str:
    """One path that the pattern covers."""
    return pattern.replace("**", "x").replace("*", "x").replace("?", "x")


def _overlaps(prefix: str, place: str, literal: bool) -> bool:
    """Whether a path (or what begins with a text) is a place, lies in it, or may."""
    return prefix == place or prefix.startswith(f"{place}/") or (not literal and f"{place}/".startswith(prefix))


def settled(zone: Zone, by_hand: Matcher, packs: Matcher) -> Zone | None:
    """The zone to be made of a declaration, given those of packs and persons; None where they have spoken of the place
    in another way, or accept as much."""
    sample = _sample(zone.pattern)
    if by_hand.zone_of("file", sample) is not None:
        return None
    pack = packs.zone_of("file", sample)
    if pack is None:
        return zone
    if pack.zone not in {ZoneClass.FREE, ZoneClass.ROTATING_LOG} or _as_much(pack, zone):
        return None
    return joined(zone, pack) if zone.attributes else zone


def joined(zone: Zone, other: Zone) -> Zone:
    """A zone that accepts what both do, for the first's pattern."""
    wide = max((zone, other), key=lambda each: (not each.attributes, _WIDTH.index(each.zone)))
    return replace(
        zone,
        zone=wide.zone,
        attributes=wide.attributes,
        may_appear=True if _comes(zone) or _comes(other) else wide.may_appear,
        may_vanish=True if _goes(zone) or _goes(other) else wide.may_vanish,
    )


def without_idle(zones: Sequence[Zone]) -> Iterator[Zone]:
    """What says only that something is made or removed must not win over a wider pattern that says what may become of
    it, although it is more specific: it is left out, or accepts that as well."""
    whole = Matcher(zone for zone in zones if not zone.attributes)
    for zone in zones:
        wider = whole.zone_of("file", zone.pattern) if zone.attributes else None
        if wider is None:
            yield zone
        elif not _as_much(wider, zone):
            yield joined(zone, wider)


def _as_much(wide: Zone, zone: Zone) -> bool:
    """Whether one accepts all that the other does."""
    content = zone.attributes or (not wide.attributes and _WIDTH.index(wide.zone) >= _WIDTH.index(zone.zone))
    return bool(content) and _comes(wide) >= _comes(zone) and _goes(wide) >= _goes(zone)


def _comes(zone: Zone) -> bool:
    """Whether one more may come, whatever its name."""
    return _by_class(zone) if zone.may_appear is None else zone.may_appear


def _goes(zone: Zone) -> bool:
    return _by_class(zone) if zone.may_vanish is None else zone.may_vanish


def _by_class(zone: Zone) -> bool:
    return zone.zone in {ZoneClass.FREE, ZoneClass.BOOT_ONCE} and not zone.attributes


def exceptions(zones: Sequence[Zone], files: Records) -> Iterator[Zone]:
    """Sealed zones within declared ones: names that are loaded or read at login wherever they lie, and what the image
    itself has there that is executed, loaded, or decides who gets in."""
    matcher = Matcher(zones)
    for zone in matcher.zones:
        if zone.attributes and is_literal(zone.pattern):
            continue
        yield from (_sealed(pattern, zone, "what has this name is executed or loaded") for pattern in _names(zone))
        for key in covered(files, zone.glob):
            resource = files.resource(key)
            if resource is None or not is_literal(key) or matcher.zone_of("file", key) is not zone:
                continue
            if why := protected("file", key, (resource,), ()):
                yield _sealed(key, zone, why)


def _names(zone: Zone) -> Iterator[str]:
    if zone.pattern.endswith("/**"):
        yield from (f"{zone.pattern}/{name}" for name in (*LOADED, *OF_PEOPLE))
    elif zone.pattern.endswith("*"):
        for name in LOADED:
            yield from _ending(zone.pattern, name.removeprefix("*"))


def _ending(pattern: str, end: str) -> Iterator[str]:
    """Patterns for what a pattern with a `*` at its end covers and that ends so. `b.*` also covers `b.so`, whose end
    begins before the star."""
    yield pattern + end
    before = pattern[:-1]
    fixed = end.partition("*")[0]
    yield from (before[:-size] + end for size in range(1, len(fixed) + 1) if before.endswith(fixed[:size]))


def _sealed(pattern: str, within: Zone, why: str) -> Zone:
    return Zone(
        pattern=pattern,
        zone=ZoneClass.SEALED,
        reason=f"{why} (in {within.pattern})",
        provenance=Provenance.DECLARED,
        origin=within.origin,
    )
