"""A weak baseline where nobody baked a manifest: what the host's own package database says of its files.

The host testifies about itself, and only about the content of packaged files: who holds root can edit the database
too. dpkg: deb-md5sums(5), deb-conffiles(5), dpkg-divert(1), and `info/*.list` (the paths of each package). What no
package owns counts as added if it is an executable where packages put theirs.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace

from driftscan.capture.base import Session
from driftscan.collectors import files
from driftscan.model.codec import encode_resource
from driftscan.model.manifest import Manifest, Provenance
from driftscan.model.names import encode_name, spellings
from driftscan.model.records import Records
from driftscan.model.resource import Resource
from driftscan.model.snapshot import CollectorCoverage, CollectorStatus, ImageRef, Resources, Snapshot
from driftscan.model.source import Captures, File, Glob, Status, WalkRule
from driftscan.model.zone import Provenance as ZoneProvenance
from driftscan.model.zone import Zone, ZoneClass
from driftscan.scan.packages import LISTS
from driftscan.stored import pack_rows

ROOTS = ("/bin", "/boot", "/etc", "/lib", "/lib32", "/lib64", "/libx32", "/sbin", "/usr")
RULES = (
    *(WalkRule(f"{root}/**", "stat") for root in ("/usr/local", "/usr/src")),
    *(WalkRule(f"{root}/**", "hash") for root in ROOTS),
    WalkRule("/**", "stat"),
)
"""Behind those of zones: the content of files is read where packages put them; of all others, metadata alone."""
WEAK = (
    "no manifest was given: the host's own package database stands in for it. It says nothing of files that no "
    "package owns, and whoever is root on the host can change it; bake a manifest from the image to be sure."
)
_STATUS = File("/var/lib/dpkg/status", max_bytes=64 << 20)
_SUMS = Glob(("/var/lib/dpkg/info/*.md5sums",), max_files=50_000, max_bytes=16 << 20)
_DIVERSIONS = File("/var/lib/dpkg/diversions")
SOURCES = (_STATUS, _SUMS, LISTS, _DIVERSIONS)

_SUM_LINE = re.compile(rb"([0-9a-f]{32})  ([^\n]+)")
_CONFFILE = re.compile(rb"^ (/[^\n]*) ([0-9a-f]{32})( obsolete)?$", re.MULTILINE)
_EXECUTABLES = re.compile(r"/usr/(bin|sbin|games|lib|libexec)/")
_MERGED = re.compile(r"/(bin|sbin|lib|lib32|lib64|libx32)(?=/)")
_LEFT_OUT = "Minimal images leave documentation and translations out (dpkg's path-exclude)."
_ZONES = tuple(
    Zone(
        pattern=pattern,
        zone=ZoneClass.FREE,
        reason=_LEFT_OUT,
        may_vanish=True,
        provenance=ZoneProvenance.PACK,
        origin="stand-in",
    )
    for pattern in ("/usr/share/doc/**", "/usr/share/man/**", "/usr/share/locale/**", "/usr/share/info/**")
)


def ask(session: Session) -> Captures:
    """The package database."""
    return session.ask(SOURCES)


def usable(captures: Captures) -> bool:
    """Whether there is a database that can stand in."""
    return captures[_STATUS].status is Status.OK and captures[_SUMS].status is Status.OK


def manifest(captures: Captures, snapshot: Snapshot, tool: str) -> Manifest:
    """The stand-in: packaged files with the digests that the database gives them."""
    links = {
        name
        for name in ("bin", "sbin", "lib", "lib32", "lib64", "libx32")
        if (resource := snapshot.resources.get("file", f"/{name}")) and _is_link(resource)
    }
    owned = {_real(path, links): digest for path, digest in _owned(captures)}
    rows = sorted(
        (path, encode_resource(Resource("file", path, {"type": "regular", "md5": digest})))
        for path, digest in owned.items()
        if any(path.startswith(root + "/") for root in ROOTS) and not path.startswith(("/usr/local/", "/usr/src/"))
    )
    records = Records(tuple(key for key, _ in rows), tuple(line for _, line in rows))
    coverage = CollectorCoverage(files.NAME, files.collector.version, ("file",), CollectorStatus.COMPLETE, len(rows))
    return Manifest(
        image=ImageRef(),
        provenance=Provenance(baked_at=snapshot.taken_at, tool=tool, stand_in=True),
        resources=Resources({}, records),
        coverage=(coverage,),
        zones=_ZONES,
    )


def reduced(captures: Captures, snapshot: Snapshot, baseline: Manifest) -> Snapshot:
    """The snapshot with the files that the stand-in can judge: packaged ones, and executables beside them. A packaged
    file whose type changed is judged too; links in their place are dpkg's alternatives."""
    table = snapshot.resources.files
    listed = _listed(captures)
    kept = (
        row
        for row in table.rows()
        if row[0] in baseline.resources.files
        or (_executable(row[0], row[1]) and not listed.intersection(spellings(row[0])))
    )
    records = pack_rows(kept, table, "the files that packages speak of")
    return replace(snapshot, resources=Resources(snapshot.resources.small, records))


def _executable(key: str, line: bytes) -> bool:
    if not _EXECUTABLES.match(key) or b'"type":"regular"' not in line:
        return False
    mode = re.search(rb'"mode":"([0-7]{4})"', line)
    return mode is not None and bool(int(mode[1], 8) & 0o111)


def _listed(captures: Captures) -> frozenset[str]:
    """All paths that some package lists, and where diverted ones lie."""
    lines = {line for member in captures[LISTS].members for line in member.data.split(b"\n")}
    lines.update(to for to, _ in _diversions(captures).values())
    return frozenset(encode_name(line) for line in lines)


def _owned(captures: Captures) -> Iterator[tuple[str, str]]:
    diverted = _diversions(captures)
    for member in captures[_SUMS].members:
        package = member.path.rpartition(b"/")[2].removesuffix(b".md5sums").partition(b":")[0]
        for digest, path in _SUM_LINE.findall(member.data):
            name = b"/" + path
            to, by = diverted.get(name, (name, package))
            yield encode_name(name if by == package else to), digest.decode()
    for path, digest, obsolete in _CONFFILE.findall(captures[_STATUS].data):
        if not obsolete:
            yield encode_name(path), digest.decode()


def _diversions(captures: Captures) -> Mapping[bytes, tuple[bytes, bytes]]:
    """Diverted path -> (where others' copy lies, the package that may keep the name)."""
    lines = captures[_DIVERSIONS].data.split(b"\n")
    return {lines[i]: (lines[i + 1], lines[i + 2]) for i in range(0, len(lines) - 2, 3)}


def _is_link(resource: Resource) -> bool:
    return resource.attributes.get("type") == "symlink"


def _real(path: str, links: set[str]) -> str:
    match = _MERGED.match(path)
    return f"/usr{path}" if match and match[1] in links else path
