"""Processes that run what the image does not vouch for.

One resource per executable that is deleted, lives in memory alone (memfd), or lies outside the directories that hold
an image's programs; not one per process, because how many there are and which numbers they have is chance. Programs
inside those directories are files of the reference, and judged as such. Kernel threads have no executable.
Processes of containers show with the path inside their container.
"""

import re
from collections.abc import Iterator

from driftscan.collectors._accounts import PASSWD
from driftscan.collectors._base import Collector, gap
from driftscan.collectors._owners import names, users_column
from driftscan.collectors._text import key, path_text
from driftscan.model.resource import Attribute, Kind, Plane, Resource
from driftscan.model.source import Captures, Gap, Processes, ProcessRow, Status

PROCESSES = Processes()

PROCESS = Kind(
    name="process",
    doc="An executable that runs although it is deleted, in memory alone, or outside the directories of programs.",
    key="path of the executable (`/memfd:NAME` in memory, runs of 8 hexadecimal digits in it as `*`)",
    attributes={
        "reasons": Attribute(tuple, "deleted, memory, outside"),
        "deleted": Attribute(bool, "a process runs it although the file is gone or replaced"),
        "users": Attribute(tuple, "who runs it"),
        "units": Attribute(tuple, "systemd units that it runs in; sessions and containers by their kind alone"),
    },
    plane=Plane.RUNTIME,
)

PROGRAMS = (b"/usr/", b"/bin/", b"/sbin/", b"/lib/", b"/lib32/", b"/lib64/", b"/libx32/", b"/opt/", b"/snap/")
"""Where images have their programs."""
_RANDOM = re.compile(rb"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{8,}")
_NUMBERED = (
    (re.compile(r"session-[^.]*\.scope"), "session-*.scope"),
    (re.compile(r"user@[0-9]+\.service"), "user@*.service"),
    (re.compile(r"run-(?:[ru]?[0-9a-f]+|p[0-9]+-i[0-9]+)\.(service|scope|timer|path|socket)"), r"run-*.\1"),
    (re.compile(r"(docker|libpod|crio|cri-containerd|machine-[^.]*)-[0-9a-f]{12,64}\.scope"), r"\1-*.scope"),
    (re.compile(r"([^@]+@)[0-9]+-(?:.+:[0-9]+-.+:[0-9]+|[0-9]+-[0-9]+)\.service", re.DOTALL), r"\1*.service"),
)
"""Units whose name holds a number that is dealt out: of a login, of a user, of a container, of a connection."""


def parse(captures: Captures) -> Iterator[Resource | Gap]:
    """A process that could not be seen is a gap: it might run anything."""
    if captures[PROCESSES].status is not Status.OK:
        yield gap("processes", captures, PROCESSES, PROCESS.name)
        return
    rows = captures[PROCESSES].processes
    owners = names(captures)
    found: dict[str, list[tuple[ProcessRow, tuple[str, ...]]]] = {}
    for row in rows:
        if reasons := _reasons(row):
            found.setdefault(_name(row.exe), []).append((row, reasons))
    for exe, cases in sorted(found.items()):
        reasons = tuple(sorted({reason for _, reasons in cases for reason in reasons}))
        yield Resource(
            PROCESS.name,
            exe,
            {
                "reasons": reasons,
                "deleted": "deleted" in reasons,
                **users_column(owners, (row.uid for row, _ in cases)),
                "units": tuple(sorted({stable_unit(row.unit) for row, _ in cases} - {""})),
            },
            {
                "pids": tuple(sorted(row.pid for row, _ in cases)),
                "names": tuple(sorted({path_text(row.name) for row, _ in cases})),
                "executables": tuple(sorted({path_text(row.exe) for row, _ in cases})),
                "started": tuple(sorted({row.started for row, _ in cases})),
            },
        )
    unseen = sum(not row.visible for row in rows)
    if unseen:
        yield Gap(
            "processes",
            Status.FORBIDDEN,
            f"the executables of {unseen} process{'es' if unseen > 1 else ''} could not be seen",
            (PROCESS.name,),
        )


def _name(exe: bytes) -> str:
    """The path as key; what lives in memory was named by its maker, often at random."""
    if exe.startswith(b"/memfd:"):
        exe = neutral(exe)
    return key(exe.decode("utf-8", "surrogateescape"))


def neutral(path: bytes) -> bytes:
    """A path with what may have been drawn at random written `*`."""
    return _RANDOM.sub(b"*", path)


def stable_unit(unit: bytes) -> str:
    """A unit's name with what is dealt out anew at each boot or login written `*`."""
    text = path_text(unit)
    for pattern, replacement in _NUMBERED:
        if pattern.fullmatch(text):
            return pattern.sub(replacement, text)
    return text


def _reasons(row: ProcessRow) -> tuple[str, ...]:
    if not row.exe:
        return ()
    found = []
    if row.exe.startswith(b"/memfd:"):
        found.append("memory")
    else:
        if row.deleted:
            found.append("deleted")
        if not row.exe.startswith(PROGRAMS):
            found.append("outside")
    return tuple(found)


collector = Collector(
    name="processes",
    version=3,
    doc="Running executables that are deleted, in memory, or outside the directories of programs",
    kinds=(PROCESS,),
    sources=(PROCESSES, PASSWD),
    parse=parse,
    plane=Plane.RUNTIME,
)
