"""Services where there is no systemd: scripts of SysV init (insserv, chkconfig) and of OpenRC.

Enabled is what has a start link in a run level: `/etc/rc2.d/S20ssh` (SysV), `/etc/runlevels/default/sshd` (OpenRC).
Whether a script's daemon runs is not told by files; its process and listeners are.
"""

from collections.abc import Iterator

from driftscan.collectors._base import Collector
from driftscan.collectors._closed import closed
from driftscan.collectors._service import RC_LINKS, SCRIPTS, SERVICE, digest_of, scripts
from driftscan.collectors._text import hidden, key, path_text
from driftscan.model.resource import Resource, Value
from driftscan.model.source import Captures, Gap, Glob, Status

SYSTEMD = Glob(("/usr/lib/systemd/systemd", "/lib/systemd/systemd"), content=False)
RUN_LEVELS = Glob(("/etc/runlevels/*/*",), content=False)


def parse(captures: Captures) -> Iterator[Resource | Gap]:
    """Nothing where there is systemd: there the scripts are units."""
    if captures.members(SYSTEMD):
        return
    for path in closed(captures, SCRIPTS, RC_LINKS, RUN_LEVELS):
        yield Gap("sysv", Status.FORBIDDEN, f"{path} could not be read", (SERVICE.name,))
    levels: dict[str, set[str]] = {}
    for member in captures.members(RUN_LEVELS):
        if member.closed:
            continue
        level, name = path_text(member.path).split("/")[-2:]
        levels.setdefault(name, set()).add(level)
    for script in scripts(captures):
        started = tuple(sorted({*script.levels, *levels.get(script.name, ())}))
        attributes: dict[str, Value] = {
            "unit_file_state": "enabled" if started else "disabled",
            "fragment_path": script.path,
            "wanted_by": started,
        }
        if script.readable:
            attributes["digest"] = digest_of([script.data])
        else:
            hides = (hidden(SERVICE.name, key(script.name)),)
            yield Gap("sysv", Status.FORBIDDEN, f"{script.path} could not be read", hides)
        yield Resource(SERVICE.name, script.name, attributes)


collector = Collector(
    name="sysv",
    version=1,
    doc="Scripts of SysV init and OpenRC where there is no systemd",
    kinds=(SERVICE,),
    sources=(SYSTEMD, SCRIPTS, RC_LINKS, RUN_LEVELS),
    parse=parse,
)
