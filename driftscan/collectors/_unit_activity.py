"""Whether a unit runs, and whether that is a fact about the image or chance.

`active_state` is compared for a unit of which the configuration decides whether it runs once a boot has settled:
* sockets, timers, path units, and services that stay (not `Type=oneshot`, or with `RemainAfterExit=`), if they are
  either pulled in at boot by a link, or started by nobody: not by D-Bus, a socket, a timer or a path unit;
* `failed` is kept: the service is not what the image says it is. `reloading` is `active`. `activating` is told only
  while a service waits for its next restart, because then it goes on failing; other passing states are left out.

It is observed alone, because it differs between boots of one image, for
* one-shot jobs, which are inactive but for the moment in which a timer or a boot runs them;
* what starts on demand: polkit, hostnamed, socket-activated daemons that exit when idle;
* units with a condition on state rather than configuration: first boot, the need of an update, power, whether a path
  below /run or /var exists, or a directory has something in it;
* mounts, swaps (the kind `mount` has them), targets and slices (which do nothing), scopes (which are sessions);
* instances of templates that no link enables (`user@1000.service`): these are listed with their template.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from driftscan.collectors._base import gap
from driftscan.collectors._service import SERVICE
from driftscan.collectors._text import value
from driftscan.collectors._unit_state import Settings, words
from driftscan.errors import ParseError
from driftscan.model.source import Captures, Command, Gap, Glob, Status
from driftscan.model.unit_files import UnitFiles, template_of

BOOTED = Glob(("/run/systemd/system",), content=False)
"""sd_booted(3): whether systemd runs as the manager."""
LIST = Command(
    (
        *("systemctl", "list-units", "--all", "--full", "--plain", "--no-legend", "--no-pager"),
        "--type=service,socket,timer,path",
    ),
    timeout=30,
)
"""One question to the manager (7 ms for 170 units; `systemctl show`, one question per unit, takes 310). Only of units
whose activity is looked at: scopes come and go with each login, ours too."""

_VOLATILE = (
    "FirstBoot",
    "NeedsUpdate",
    "ACPower",
    "PathIsMountPoint",
    "DirectoryNotEmpty",
    "FileNotEmpty",
    "Memory",
    "CPUs",
)
_STATE_PLACES = ("/run", "/var", "/tmp", "/dev/disk")  # noqa: S108 - compared with, not written to
_TRUE = frozenset({"1", "yes", "true", "on", "y", "t"})
_ON_DEMAND = {"socket": "Service", "timer": "Unit", "path": "Unit"}


@dataclass(frozen=True, slots=True)
class Activity:
    """LOAD, ACTIVE and SUB of one unit."""

    load: str
    active: str
    sub: str


def is_booted(captures: Captures) -> bool:
    """Whether systemd runs on the target (an unpacked root may hold its traces)."""
    return bool(captures[BOOTED].members) and captures[LIST].status is not Status.UNSUPPORTED


def activities(captures: Captures) -> Iterator[tuple[str, Activity] | Gap]:
    """What runs by unit name, where systemd runs."""
    if captures[LIST].status is not Status.OK:
        yield gap("services", captures, LIST, SERVICE.name)
        return
    for line in captures.lines(LIST):
        parts = line.text.lstrip("*\u25cf ").split(None, 4)
        if not parts:
            continue
        if len(parts) < 4:
            raise ParseError(LIST, line.number, "fewer than four columns")
        yield parts[0], Activity(*map(value, parts[1:4]))


def compared(activity: Activity | None) -> str | None:
    """The state to compare; None: a passing one. A unit that the manager has not loaded is inactive."""
    if activity is None:
        return "inactive"
    if activity.active == "reloading":
        return "active"
    if activity.active == "activating" and activity.sub == "auto-restart":
        return "activating"
    return activity.active if activity.active in {"active", "inactive", "failed"} else None


def is_steady(name: str, found: Settings, *, wanted: bool, triggered: bool) -> bool:
    """Whether the configuration alone decides if the unit runs. `wanted`: a link pulls it in at boot; `triggered`: a
    socket, timer or path unit starts it."""
    kind = name.rpartition(".")[2]
    if kind not in {"service", *_ON_DEMAND} or "@." in name or _has_volatile_condition(found):
        return False
    if kind != "service":
        return True
    type_of = (found.get(("Service", "Type")) or ("",))[-1]
    stays = type_of != "oneshot" or (found.get(("Service", "RemainAfterExit")) or ("no",))[-1].lower() in _TRUE
    by_bus = type_of == "dbus" or ("Service", "BusName") in found
    return stays and (wanted or not (by_bus or triggered or template_of(name)))


def _has_volatile_condition(found: Settings) -> bool:
    for (section, name), values in found.items():
        if section == "Unit" and name.startswith(("Condition", "Assert")):
            what = name.removeprefix("Condition").removeprefix("Assert")
            if what in _VOLATILE or any(item.lstrip("!|").startswith(_STATE_PLACES) for item in values):
                return True
    return False


def triggered_units(files: UnitFiles, settings_of: Mapping[str, Settings]) -> frozenset[str]:
    """The units that sockets, timers and path units start: named by a setting, else of the same name."""
    found = set()
    for name, settings in settings_of.items():
        stem, _, kind = name.rpartition(".")
        if kind not in _ON_DEMAND:
            continue
        named = words(settings, kind.capitalize(), _ON_DEMAND[kind]) or (f"{stem}.service",)
        for target in named:
            unit = files.find(target)
            found.add(unit.name if unit else target)
    return frozenset(found)
