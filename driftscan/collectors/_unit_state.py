"""Settings of a unit (systemd.syntax(7)), and the state that `systemctl is-enabled` computes from files alone.

The rules are those of systemd 252 (shared/install.c); `systemctl --root=` is the oracle in the tests.
"""

import posixpath
from collections.abc import Iterable, Mapping

from driftscan.model.unit_files import (
    CONFIG,
    GENERATED,
    SEARCH,
    TRANSIENT,
    Entry,
    Unit,
    UnitFiles,
    assignments,
    template_of,
)

Settings = Mapping[tuple[str, str], tuple[str, ...]]
"""(section, name) -> values in order; an empty assignment has cleared what stood before it."""


def settings(texts: Iterable[bytes]) -> Settings:
    """The settings of a unit file and its drop-ins in order. Lines that are none are passed over, as systemd does."""
    found: dict[tuple[str, str], list[str]] = {}
    for text in texts:
        for item in assignments(text):
            key = (item.section, item.name)
            if item.value:
                found.setdefault(key, []).append(item.value)
            else:
                found.pop(key, None)
    return {key: tuple(values) for key, values in found.items()}


def words(found: Settings, section: str, name: str) -> tuple[str, ...]:
    """The words of a list setting."""
    return tuple(word.strip("\"'") for line in found.get((section, name), ()) for word in line.split())


def state(files: UnitFiles, name: str) -> str:
    """What `systemctl is-enabled` prints, links of generators left aside; `bad` where it refuses: for a link that leads
    nowhere, or to a unit of the same name in another directory of the search."""
    unit = files.find(name)
    if unit is None or unit.entry.shadows:
        return "bad"
    if unit.entry.masks:
        return "masked-runtime" if unit.entry.directory.startswith("/run/") else "masked"
    instance = template_of(unit.name) is not None
    if name not in {unit.name, unit.entry.name} or (name != unit.name and not instance):
        return "alias"
    if unit.entry.directory in GENERATED:
        return "generated"
    if unit.entry.directory == TRANSIENT:
        return "transient"
    return _Install(files, unit).state()


class _Install:
    """The links that enable one unit."""

    def __init__(self, files: UnitFiles, unit: Unit) -> None:
        self._files = files
        self._unit = unit
        groups = [(name,) for name in (unit.name, template_of(unit.name)) if name]
        texts = [unit.entry.data, *(entry.data for entry in files.drop_ins_of(groups))]
        self._settings = settings(texts)
        self._known = {unit.name, *self._words("Alias")}
        default = (self._settings.get(("Install", "DefaultInstance")) or ("",))[-1]
        if default and "@." in unit.name:
            self._known.add(unit.name.replace("@.", f"@{default}.", 1))

    def _words(self, name: str) -> tuple[str, ...]:
        return words(self._settings, "Install", name)

    def state(self) -> str:
        found = self._in_scope(self._known)
        if found:
            return found
        if self._in_scope(None):
            return "indirect"
        if any(self._words(name) for name in ("Alias", "WantedBy", "RequiredBy", "UpheldBy")):
            return "disabled"
        return "indirect" if self._words("Also") else "static"

    def _in_scope(self, known: set[str] | None) -> str:
        """The state that links give, empty if none does. `known`: names that count; None: any."""
        entry = self._unit.entry
        home = entry.directory if entry.target is None else posixpath.dirname(entry.target)
        same_config = same_runtime = runtime = elsewhere = below = False
        for top in SEARCH:
            if top in GENERATED:
                continue
            linked, same = self._in_directory(top, known, below)
            if linked and top == CONFIG:
                return "enabled"
            if linked:
                runtime |= top.startswith("/run/")
                elsewhere |= not top.startswith("/run/")
            elif same:
                same_config |= top == CONFIG
                same_runtime |= top.startswith("/run/")
            below = below or home == top
        if runtime:
            return "enabled-runtime"
        if elsewhere and template_of(self._unit.name) is not None:
            return "static"
        if same_config:
            return "linked"
        return "linked-runtime" if same_runtime else ""

    def _in_directory(self, top: str, known: set[str] | None, below: bool) -> tuple[bool, bool]:
        """Whether links in a directory enable the unit, and whether one there merely has its name. `below`: the
        directory comes after the one that has the unit's file, so that a link of its name there means nothing."""
        name = self._unit.name
        if any(known is None or link in known for link in self._files.wants.get((top, name), ())):
            return True, False
        same = False
        for entry in self._files.links_about.get((top, name), ()):
            assert entry.target is not None
            by_target = posixpath.basename(entry.target) == name
            by_name = entry.name == name and not below
            if by_target and by_name:
                same = True
            elif (by_target or by_name) and (known is None or entry.name in known):
                return True, same
        return False, same


def wanted_by(files: UnitFiles, name: str, *, generated: bool) -> tuple[str, ...]:
    """Directories of links (`multi-user.target.wants`) that pull a unit in, by generators or by all others."""
    links = files.pulled_by.get(name, ())
    return tuple(sorted({parent for entry, parent in links if _is_generated(entry) is generated}))


def _is_generated(entry: Entry) -> bool:
    return posixpath.dirname(entry.directory) in GENERATED
