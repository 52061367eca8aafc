"""Directories that system units are given: RuntimeDirectory=, StateDirectory=, CacheDirectory=, LogsDirectory=
(systemd.exec(5)), by unit files with their drop-ins.

The directory may come, when the unit first starts; what lies beneath is the unit's: free, and of logs a rotating log.
A unit with DynamicUser= has its directories beneath `private`, and a link to each from where they would be.
ConfigurationDirectory= declares nothing: units read there, and do not write. Masked units declare nothing, and
what lies in /run is no statement of the image.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from driftscan.model.source import Captures
from driftscan.model.unit_files import (
    SOURCES,
    Assignment,
    Entry,
    UnitFiles,
    assignments,
    drop_in_groups,
    read,
)
from driftscan.model.zone import Zone
from driftscan.zones.declared._base import Declarer, free, log, made, origin_of
from driftscan.zones.declared._specifiers import literal
from driftscan.zones.declared._words import words

TOPS = {
    "RuntimeDirectory": "/run",
    "StateDirectory": "/var/lib",
    "CacheDirectory": "/var/cache",
    "LogsDirectory": "/var/log",
}
_SECTIONS = {"service": "Service", "socket": "Socket", "mount": "Mount", "swap": "Swap"}
_TRUE = frozenset({"1", "yes", "y", "true", "t", "on"})


@dataclass(frozen=True, slots=True)
class _Setting:
    """One word of a setting: `text` as it stands."""

    name: str
    text: str
    origin: str


def parse(captures: Captures) -> Iterator[Zone]:
    """The zones of all units."""
    files = read(captures)
    for name in sorted(files.units):
        section = _SECTIONS.get(name.rpartition(".")[2])
        unit = files.find(name)
        if section is None or unit is None or unit.name != name or unit.entry.masks:
            continue
        entries = [entry for entry in (unit.entry, *_drop_ins(files, name)) if not entry.directory.startswith("/run/")]
        if unit.entry in entries:
            yield from _zones(name, [item for item in _assignments(entries) if item[1].section == section])


def _drop_ins(files: UnitFiles, name: str) -> Iterable[Entry]:
    return files.drop_ins_of(drop_in_groups(name, files.aliases.get(name, ())))


def _assignments(entries: Iterable[Entry]) -> Iterator[tuple[Entry, Assignment]]:
    for entry in entries:
        yield from ((entry, item) for item in assignments(entry.data))


def _zones(unit: str, found: Iterable[tuple[Entry, Assignment]]) -> Iterator[Zone]:
    settings: list[_Setting] = []
    private = False
    for entry, item in found:
        if item.name == "DynamicUser":
            private = item.value.lower() in _TRUE
        elif item.name in TOPS and not item.value:
            settings = [setting for setting in settings if setting.name != item.name]
        elif item.name in TOPS:
            origin = origin_of(entry.path, item.line)
            settings.extend(_Setting(item.name, word, origin) for word in words(item.value))
    own = _specifiers(unit)
    for setting in settings:
        yield from _directory(unit, setting, own, private=private)


def _specifiers(unit: str) -> dict[str, str]:
    """Those of a unit's own name. The instances of a template are not known."""
    stem = unit.rpartition(".")[0]
    prefix, at, instance = stem.partition("@")
    any_instance = instance or ("*" if at else "")
    name = f"{prefix}{at}{any_instance}"
    last = prefix.rpartition("-")[2]
    plain = {"p": prefix, "j": last, "i": any_instance, "N": name, "n": f"{name}.{unit.rpartition('.')[2]}"}
    return plain | ({} if "\\" in stem else {"P": prefix, "J": last, "I": any_instance})


def _directory(unit: str, setting: _Setting, own: Mapping[str, str], *, private: bool) -> Iterator[Zone]:
    """`name`, `name:link` and `name:link:flags` (`ro`: the unit may not write there)."""
    name, _, rest = setting.text.partition(":")
    link, _, flags = rest.partition(":")
    top = TOPS[setting.name]
    if name.startswith("/") or link.startswith("/") or not name:
        return
    reason = f"{setting.name} of {unit}"
    for alias in filter(None, (link, name if private and top != "/run" else "")):
        if (pattern := literal(f"{top}/{alias}", own)) is not None:
            yield made(pattern, f"{reason}: a link to it", setting.origin)
    home = f"{top}/private" if private and top != "/run" else top
    if (pattern := literal(f"{home}/{name}", own)) is None:
        return
    for parent in _parents(pattern, home):
        yield made(parent, reason, setting.origin)
    if flags != "ro":
        beneath = log if setting.name == "LogsDirectory" else free
        yield beneath(f"{pattern}/**", reason, setting.origin)


def _parents(pattern: str, top: str) -> Iterator[str]:
    """The directory and those between it and the top, which are made with it."""
    place = top
    for part in pattern.removeprefix(top).strip("/").split("/"):
        place = f"{place}/{part}"
        yield place


declarer = Declarer(
    name="systemd_units",
    doc="Directories for state, caches, logs and run time that units are given",
    sources=SOURCES,
    parse=parse,
)
