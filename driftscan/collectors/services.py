"""Units of systemd: what their files say on any root, and on a running host what runs.

All that is compared comes from unit files, drop-ins and links in /etc, /usr and /run, so that an unpacked image and a
running host agree; `active_state` is added where it is a fact (see `_unit_activity`). What generators write to /run
at boot follows from other files: their links are observed, their mounts and swaps are told by fstab and `mount`, and
of their other units (`systemd-cryptsetup@...`) a running host has more than its image. A script of /etc/init.d without
a unit of its name becomes one by systemd's SysV generator, and is one here on any root.

Names that are links to other units are their `aliases`. Instances of templates are units of their own where a link
enables them or a drop-in is theirs; others that run are observed with their template. Transient units that systemd-run
numbered are one, `run-*.service`.
"""

from collections.abc import Iterator, Mapping

from driftscan.collectors._base import Collector, gap
from driftscan.collectors._closed import closed
from driftscan.collectors._service import RC_LINKS, SCRIPTS, SERVICE, Script, digest_of, scripts
from driftscan.collectors._text import hidden, key, value
from driftscan.collectors._unit_activity import (
    BOOTED,
    LIST,
    Activity,
    activities,
    compared,
    is_booted,
    is_steady,
    triggered_units,
)
from driftscan.collectors._unit_state import settings, state, wanted_by
from driftscan.collectors.processes import stable_unit
from driftscan.model.resource import Resource, Value
from driftscan.model.source import Captures, Gap, Glob, Source, Status
from driftscan.model.unit_files import (
    DROP_INS,
    GENERATED,
    LINKS,
    SOURCES,
    TRANSIENT,
    UNITS,
    Entry,
    Unit,
    UnitFiles,
    drop_in_groups,
    read,
    template_of,
)

SYSV_GENERATOR = Glob(
    (
        "/usr/lib/systemd/system-generators/systemd-sysv-generator",
        "/lib/systemd/system-generators/systemd-sysv-generator",
    ),
    content=False,
)

_MOUNTS = frozenset({"mount", "automount", "swap"})


def parse(captures: Captures) -> Iterator[Resource | Gap]:
    """One resource per unit."""
    files = read(captures)
    running: dict[str, Activity] | None = {} if is_booted(captures) else None
    for item in activities(captures) if running is not None else ():
        if isinstance(item, Gap):
            running = None
            yield item
        elif running is not None:
            running[item[0]] = item[1]
    generated: dict[str, Script] = {}
    for source in (SCRIPTS, RC_LINKS):
        if captures[source].status not in (Status.OK, Status.ABSENT):
            yield gap("services", captures, source, SERVICE.name)
            break
    else:
        generated = _generated(captures, files)
    yield from _Units(files, running, generated).resources()
    for name, script in sorted(generated.items()):
        yield _script(name, script, files, running)
        if not script.readable:
            hides = (hidden(SERVICE.name, key(name)),)
            yield Gap("services", Status.FORBIDDEN, f"{script.path} could not be read", hides)
    for path in closed(captures, UNITS, DROP_INS, LINKS, SCRIPTS, RC_LINKS):
        yield Gap("services", Status.FORBIDDEN, f"{path} could not be read", (SERVICE.name,))
    for name in files.unreadable:
        yield Gap(
            "services", Status.FORBIDDEN, f"a file of {key(name)} could not be read", (hidden(SERVICE.name, key(name)),)
        )


class _Units:
    """All units of one root, with what is needed to describe each."""

    def __init__(
        self, files: UnitFiles, running: Mapping[str, Activity] | None, generated: Mapping[str, Script]
    ) -> None:
        self._files = files
        self._running = running
        self._generated = generated
        self._units = dict(self._all())
        self._drop_ins = {name: self._drop_ins_of(unit) for name, unit in self._units.items()}
        self._settings = {
            name: settings([unit.entry.data, *(entry.data for entry in self._drop_ins[name])]) if unit else {}
            for name, unit in self._units.items()
        }
        self._triggered = triggered_units(files, self._settings)

    def _all(self) -> Iterator[tuple[str, Unit | None]]:
        """Units by name, aliases left out; None: a link that leads nowhere."""
        names = set(self._files.units)
        names.update(entry.name for entry, _ in self._files.links if template_of(entry.name))
        names.update(kind.removesuffix(".d") for kind in self._files.drop_ins if template_of(kind.removesuffix(".d")))
        for name in sorted(names - self._generated.keys()):
            unit = self._files.find(name)
            if unit is None and name in self._files.units:
                yield name, None
            elif unit is not None and unit.name == name and not _is_passing(unit.entry):
                yield name, unit

    def _drop_ins_of(self, unit: Unit | None) -> tuple[Entry, ...]:
        if unit is None or unit.entry.masks:
            return ()
        return self._files.drop_ins_of(drop_in_groups(unit.name, self._files.aliases.get(unit.name, ())))

    def resources(self) -> Iterator[Resource]:
        """One for each unit."""
        unnamed: dict[str, list[str]] = {}
        for name, unit in self._units.items():
            if (
                unit is not None
                and unit.entry.directory == TRANSIENT
                and (stable := stable_unit(name.encode("utf-8", "surrogateescape"))) != name
            ):
                unnamed.setdefault(stable, []).append(name)
                continue
            attributes = self._attributes(name, unit)
            observed: dict[str, Value] = {}
            if generated := wanted_by(self._files, name, generated=True):
                observed["wanted_by_generators"] = generated
            if self._running is not None and unit is not None and not unit.entry.masks:
                observed |= self._activity(name, attributes)
            yield Resource(SERVICE.name, key(name), attributes, observed)
        for stable, names in sorted(unnamed.items()):
            yield Resource(
                SERVICE.name, key(stable), {"unit_file_state": "transient"}, {"units": tuple(map(value, names))}
            )

    def _attributes(self, name: str, unit: Unit | None) -> dict[str, Value]:
        """What could not be read is missing, with all that depends on it."""
        entry = unit.entry if unit else self._files.units[name][0]
        drop_ins = self._drop_ins[name]
        attributes: dict[str, Value] = {
            "fragment_path": value(entry.path),
            "drop_ins": tuple(value(item.path) for item in drop_ins),
            "wanted_by": tuple(map(value, wanted_by(self._files, name, generated=False))),
            "aliases": tuple(map(value, self._files.aliases.get(name, ()))),
        }
        if not all(item.readable for item in (entry, *drop_ins)):
            return attributes
        found = self._settings[name]
        nothing = unit is None or entry.masks
        return attributes | {
            "unit_file_state": state(self._files, name),
            "digest": "" if nothing else digest_of([entry.data, *(item.data for item in drop_ins)]),
            "user": value((found.get(("Service", "User")) or ("",))[-1]),
            "exec_start": tuple(map(value, found.get(("Service", "ExecStart"), ()))),
        }

    def _activity(self, name: str, attributes: dict[str, Value]) -> dict[str, Value]:
        """Adds the state to the attributes if it is a fact; returns what is observed."""
        assert self._running is not None
        activity = self._running.get(name)
        observed: dict[str, Value] = {}
        if activity is not None:
            observed = {"active_state": activity.active, "sub_state": activity.sub}
        wanted = bool(attributes["wanted_by"]) or bool(wanted_by(self._files, name, generated=True))
        if is_steady(name, self._settings[name], wanted=wanted, triggered=name in self._triggered):
            now = compared(activity)
            if now is not None:
                attributes["active_state"] = now
        if "@." in name:
            instances = sorted(one for one in self._running if template_of(one) == name and one not in self._units)
            if instances:
                observed["instances"] = tuple(map(value, instances))
        return observed


def _is_passing(entry: Entry) -> bool:
    """Mounts and swaps of generators, and slices in /run, which are made for logins and managers."""
    kind = entry.name.rpartition(".")[2]
    return (entry.directory in GENERATED and kind in _MOUNTS) or (
        entry.directory.startswith("/run/") and kind == "slice"
    )


def _generated(captures: Captures, files: UnitFiles) -> dict[str, Script]:
    """Scripts of init by the name of the unit that systemd's SysV generator makes of them: those without a unit."""
    found: dict[str, Script] = {}
    for script in scripts(captures) if captures.members(SYSV_GENERATOR) else ():
        name = f"{script.name.removesuffix('.sh')}.service"
        known = files.find(name)
        if known is None or known.entry.directory in GENERATED:
            found[name] = script
    return found


def _script(name: str, script: Script, files: UnitFiles, running: Mapping[str, Activity] | None) -> Resource:
    drop_ins = files.drop_ins_of(drop_in_groups(name))
    attributes: dict[str, Value] = {
        "unit_file_state": "generated",
        "fragment_path": script.path,
        "drop_ins": tuple(value(item.path) for item in drop_ins),
        "wanted_by": script.levels,
        "aliases": (),
        "user": "",
        "exec_start": (f"{script.path} start",),
    }
    if script.readable and all(item.readable for item in drop_ins):
        attributes["digest"] = digest_of([script.data, *(item.data for item in drop_ins)])
    if running is not None and script.levels and (now := compared(running.get(name))):
        attributes["active_state"] = now
    return Resource(SERVICE.name, key(name), attributes)


_OWN: tuple[Source, ...] = (SYSV_GENERATOR, SCRIPTS, RC_LINKS, BOOTED, LIST)

collector = Collector(
    name="services",
    version=1,
    doc="Units of systemd: enabled state, files, drop-ins, and what runs",
    kinds=(SERVICE,),
    sources=(*SOURCES, *_OWN),
    parse=parse,
)
