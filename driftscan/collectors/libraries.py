"""Libraries that programs run with although their files are gone, or lie where everybody may write: what an upgrade
left in memory, and what hides there.

One resource per path, whatever number of processes has it loaded. A program's own file is `process`'s affair. What runs
from a container's root has a path of its own there, and is told apart: no package of the host explains it.
"""

from collections.abc import Iterator

from driftscan.collectors._accounts import PASSWD
from driftscan.collectors._base import Collector, gap
from driftscan.collectors._owners import Owners, names, users_column
from driftscan.collectors._text import key, path_text
from driftscan.collectors.processes import PROCESSES, PROGRAMS, neutral, stable_unit
from driftscan.model.resource import Attribute, Kind, Plane, Resource, Value
from driftscan.model.source import Captures, Fate, Gap, LoadedFile, ProcessRow, Status

LIBRARY = Kind(
    name="library",
    doc="A library that programs run with although its file was replaced, was removed, never was one, or lies in "
    "scratch space (/tmp, /var/tmp, /dev/shm, /run).",
    key="path; `container:PATH` in another root; `/memfd:NAME` in memory; outside the directories of programs, runs of "
    "8 hexadecimal digits, and UUIDs, in it as `*`",
    attributes={
        "state": Attribute(
            str,
            "`replaced`: another file has its name; `equal`: another file with the same content; `deleted`: none has; "
            "`memory`: it never was a file; `scratch`: it is there, where everybody may write. The gravest of several",
        ),
        "sha256": Attribute(tuple, "digests of what runs; absent where it could not be read"),
        "programs": Attribute(tuple, "executables that run with it"),
        "users": Attribute(tuple, "who runs them"),
        "units": Attribute(tuple, "systemd units that they run in; sessions and containers by their kind alone"),
    },
    plane=Plane.RUNTIME,
)
_GRAVITY = tuple(Fate)
_REASON = {
    Status.FORBIDDEN: "could not be seen",
    Status.TRUNCATED: "are too many to look at all of them",
    Status.TIMED_OUT: "could not be read in time",
}


def parse(captures: Captures) -> Iterator[Resource | Gap]:
    """What a process has loaded and could not be seen is a gap: it might be anything."""
    if captures[PROCESSES].status is not Status.OK:
        yield gap("libraries", captures, PROCESSES, LIBRARY.name)
        return
    rows = captures[PROCESSES].processes
    owners = names(captures)
    found: dict[str, list[tuple[ProcessRow, LoadedFile]]] = {}
    for row in rows:
        for file in row.loaded:
            found.setdefault(_name(row, file), []).append((row, file))
    for name_of, uses in sorted(found.items()):
        yield _resource(name_of, uses, owners)
    yield from _gaps(rows)


def _resource(name_of: str, uses: list[tuple[ProcessRow, LoadedFile]], owners: Owners) -> Resource:
    digests = {file.sha256 for _, file in uses}
    known: dict[str, Value] = {} if "" in digests else {"sha256": tuple(sorted(digests))}
    since = max(file.since for _, file in uses)
    written: dict[str, Value] = {"written": since} if since > 0 else {}
    return Resource(
        LIBRARY.name,
        name_of,
        {
            "state": min((file.fate for _, file in uses), key=_GRAVITY.index).value,
            "programs": tuple(sorted({path_text(row.exe) for row, _ in uses})),
            **users_column(owners, (row.uid for row, _ in uses)),
            "units": tuple(sorted({stable_unit(row.unit) for row, _ in uses} - {""})),
            **known,
        },
        {
            "pids": tuple(sorted({row.pid for row, _ in uses})),
            "paths": tuple(sorted({path_text(file.path) for _, file in uses})),
            "started": tuple(sorted({row.started for row, _ in uses})),
            **written,
        },
    )


def _name(row: ProcessRow, file: LoadedFile) -> str:
    path = file.path if file.path.startswith(PROGRAMS) else neutral(file.path)
    before = "container:" if row.apart and file.fate is not Fate.MEMORY else ""
    return before + key(path.decode("utf-8", "surrogateescape"))


def _gaps(rows: tuple[ProcessRow, ...]) -> Iterator[Gap]:
    for status, reason in _REASON.items():
        count = sum(row.looked is status for row in rows)
        if count:
            yield Gap("libraries", status, f"the libraries of {count} processes {reason}", (LIBRARY.name,))
    if any(row.looked is Status.UNSUPPORTED for row in rows):
        reason = "the probe in the host's image is older and does not look at libraries"
        yield Gap("libraries", Status.UNSUPPORTED, reason, (LIBRARY.name,))


collector = Collector(
    name="libraries",
    version=2,
    doc="Libraries that run although their files are replaced, removed, never were, or are in scratch space",
    kinds=(LIBRARY,),
    sources=(PROCESSES, PASSWD),
    parse=parse,
    plane=Plane.RUNTIME,
)
