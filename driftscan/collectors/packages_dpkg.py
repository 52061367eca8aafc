"""Packages of dpkg, from its status file (dpkg(1), deb822(5)), as dpkg-query reads it."""

from collections.abc import Iterator

from driftscan.collectors._base import Collector, gap
from driftscan.collectors._deb822 import Stanza, stanzas
from driftscan.collectors._package import DPKG_STATES, PACKAGE, Package, resources
from driftscan.collectors._text import path_text, value
from driftscan.model.resource import Resource, Value
from driftscan.model.source import Capture, Captures, File, Gap, Glob, Member, Status

STATUS = File("/var/lib/dpkg/status", max_bytes=64 << 20)
JOURNAL = Glob(("/var/lib/dpkg/updates/[0-9]*",))
"""What a dpkg that was interrupted, or is running, has not yet merged into the status file; the later holds."""
PARTS = Glob(("/var/lib/dpkg/status.d/*",))
"""Distroless images: a stanza per package, no status file."""

_FIELDS = frozenset({"package", "version", "architecture", "source", "status", "section", "maintainer"})
_STATES = frozenset({*DPKG_STATES, "not-installed"})


def parse(captures: Captures) -> Iterator[Resource | Gap]:
    """Every package that dpkg has any state of but `not-installed`."""
    found: dict[tuple[str, str], Package | None] = {}
    gaps: list[Gap] = []
    _read(found, gaps, captures.need(STATUS), STATUS.path)
    for glob in (JOURNAL, PARTS):
        if captures[glob].status not in (Status.OK, Status.ABSENT):
            gaps.append(gap("packages_dpkg", captures, glob, "package"))
            continue
        for member in captures.members(glob):
            _member(found, gaps, glob, member)
    yield from resources(package for package in found.values() if package is not None)
    yield from gaps


def _member(found: dict[tuple[str, str], Package | None], gaps: list[Gap], glob: Glob, member: Member) -> None:
    path = path_text(member.path)
    if path.endswith(".md5sums"):
        return
    if member.status is not Status.OK:
        gaps.append(Gap("packages_dpkg", member.status, f"{path} could not be read", ("package",)))
        return
    _read(found, gaps, Capture(glob, Status.OK, member.data), path)


def _read(found: dict[tuple[str, str], Package | None], gaps: list[Gap], capture: Capture, path: str) -> None:
    lines = Captures([capture]).lines(capture.source)
    for stanza in stanzas(lines, _FIELDS):
        problem = _problem(stanza)
        if problem:
            gaps.append(
                Gap(
                    "packages_dpkg",
                    Status.FAILED,
                    f"{path} line {stanza.bad_line or stanza.line}: {problem}",
                    ("package",),
                )
            )
            if len(gaps) >= 100:
                return
            continue
        package = _package(stanza)
        found[stanza.get("package"), stanza.get("architecture")] = package


def _problem(stanza: Stanza) -> str:
    """What is wrong with a stanza, empty if nothing is."""
    words = stanza.get("status").split()
    if stanza.bad_line:
        return "neither a field nor a continuation"
    if not stanza.get("package"):
        return "a stanza without Package"
    if words and (len(words) != 3 or words[2] not in _STATES):
        return "Status is not three known words"
    if words[2:] != ["not-installed"] and not stanza.get("version") and words[2:] != ["config-files"]:
        return "an installed package without Version"
    return ""


def _package(stanza: Stanza) -> Package | None:
    want, flag, state = stanza.get("status").split() or ["install", "ok", "installed"]
    if state == "not-installed":
        return None
    source, _, source_version = stanza.get("source").partition(" ")
    attributes: dict[str, Value] = {
        "source": value(source or stanza.get("package")),
        "source_version": value(source_version.strip("()") or stanza.get("version")),
        "status": state,
        "held": want == "hold",
        "reinstall": flag == "reinstreq",
        "section": value(stanza.get("section")),
        "maintainer": value(stanza.get("maintainer")),
        "type": "deb",
    }
    return Package(stanza.get("package"), stanza.get("architecture"), stanza.get("version"), attributes)


collector = Collector(
    name="packages_dpkg",
    version=1,
    doc="Debian packages with their states, from dpkg's status file",
    kinds=(PACKAGE,),
    sources=(STATUS, JOURNAL, PARTS),
    parse=parse,
)
