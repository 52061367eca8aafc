"""Python distributions in system-wide directories, whoever put them there: pip, or the package manager.

Formats: the core metadata specification (headers like a mail's), PEP 376 (INSTALLER), and setuptools' egg-info,
a directory with PKG-INFO or that file alone.
"""

import stat
from collections.abc import Iterator
from dataclasses import dataclass, field

from driftscan.collectors._base import Collector
from driftscan.collectors._deb822 import stanzas
from driftscan.collectors._gaps import few_gaps
from driftscan.collectors._text import hidden, key, path_text, value
from driftscan.model.resource import Attribute, Form, Kind, Resource
from driftscan.model.source import Capture, Captures, Gap, Glob, Member, Status

_DIRECTORIES = tuple(
    f"{base}/{name}-packages"
    for base in (
        "/usr/lib/python*",
        "/usr/lib64/python*",
        "/usr/local/lib/python*",
        "/usr/local/lib64/python*",
        "/opt/*/lib/python*",
        "/opt/*/lib64/python*",
    )
    for name in ("dist", "site")
)
METADATA = Glob(
    tuple(
        f"{directory}/{name}"
        for directory in _DIRECTORIES
        for name in ("*.dist-info/METADATA", "*.egg-info/PKG-INFO", "*.egg-info")
    ),
    max_bytes=8 << 10,
)
"""Name and version stand at the top; the description that follows is not fetched, so `truncated` is no loss."""
INSTALLER = Glob(tuple(f"{directory}/*.dist-info/INSTALLER" for directory in _DIRECTORIES), max_bytes=256)

KIND = Kind(
    "python_package",
    "A Python distribution in a system-wide directory",
    "name@directory",
    {
        "name": Attribute(str, "Name, as the distribution writes it"),
        "version": Attribute(
            str, "Version; several, joined by a comma, where metadata of several lies side by side", Form.VERSION
        ),
        "directory": Attribute(str, "The directory on Python's path that it lies in"),
        "installer": Attribute(str, "What installed it, such as pip or debian; empty: it left no note"),
    },
)


@dataclass(slots=True)
class _Found:
    versions: set[str] = field(default_factory=set)
    installers: set[str] = field(default_factory=set)


def parse(captures: Captures) -> Iterator[Resource | Gap]:
    """One resource per name and directory."""
    return few_gaps(_parse(captures), "python_packages", "python_package")


def _parse(captures: Captures) -> Iterator[Resource | Gap]:
    installers = {
        member.path.rpartition(b"/")[0]: member.data.decode("utf-8", "surrogateescape").strip()
        for member in captures.members(INSTALLER)
        if member.status is Status.OK
    }
    found: dict[tuple[str, str], _Found] = {}
    for member in captures.members(METADATA):
        if _is_directory(member):
            continue
        home, info = _place(member.path)
        header = _header(member)
        if header is None:
            status = member.status if member.status not in (Status.OK, Status.TRUNCATED) else Status.FAILED
            reason = f"{path_text(member.path)}: no name and version"
            yield Gap("python_packages", status, reason, (hidden("python_package", home, before="*@"),))
            continue
        row = found.setdefault((header[0], home), _Found())
        row.versions.add(header[1])
        row.installers.add(installers.get(info, ""))
    for (name, home), row in sorted(found.items()):
        attributes = {
            "name": value(name),
            "version": value(", ".join(sorted(row.versions))),
            "directory": value(home),
            "installer": value(", ".join(sorted(row.installers - {""}))),
        }
        yield Resource("python_package", key(f"{name}@{home}"), attributes)


def _is_directory(member: Member) -> bool:
    """Also a link to a directory, which has no data."""
    return stat.S_ISDIR(member.mode) or (member.link is not None and not member.data and member.status is Status.OK)


def _place(path: bytes) -> tuple[str, bytes]:
    """The directory on Python's path, and the info directory that an INSTALLER would stand in."""
    parent, _, last = path.rpartition(b"/")
    info = path if last.endswith(b".egg-info") else parent
    return info.rpartition(b"/")[0].decode("utf-8", "surrogateescape"), info


def _header(member: Member) -> tuple[str, str] | None:
    """Name and version; None if they are not there."""
    if member.status not in (Status.OK, Status.TRUNCATED):
        return None
    capture = Capture(METADATA, Status.OK, member.data)
    first = next(stanzas(Captures([capture]).lines(METADATA), frozenset({"name", "version"})), None)
    if first is None or not first.get("name") or not first.get("version"):
        return None
    return first.get("name").partition("\n")[0], first.get("version").partition("\n")[0]


collector = Collector(
    name="python_packages",
    version=1,
    doc="Python distributions in system-wide directories",
    kinds=(KIND,),
    sources=(METADATA, INSTALLER),
    parse=parse,
)
