"""Packages of Alpine's apk, from its installed database (apk-v2's format: `X:value` lines, a blank line between)."""

from collections.abc import Iterator

from driftscan.collectors._base import Collector
from driftscan.collectors._package import PACKAGE, Package, resources
from driftscan.collectors._text import value
from driftscan.model.resource import Resource
from driftscan.model.source import Captures, File, Gap, Line, Status

LIB = File("/lib/apk/db/installed", max_bytes=64 << 20)
USR_LIB = File("/usr/lib/apk/db/installed", max_bytes=64 << 20)
"""Where apk 3 on a merged /usr keeps it."""


def parse(captures: Captures) -> Iterator[Resource | Gap]:
    """Every package of the database."""
    source = LIB if captures.exists(LIB) else USR_LIB
    packages: list[Package] = []
    gaps: list[Gap] = []
    for block in _blocks(captures.lines(source)):
        fields = _fields(block)
        if fields is None or not fields.get("P") or not fields.get("V"):
            where = f"{source.path} line {block[0].number}"
            gaps.append(Gap("packages_apk", Status.FAILED, f"{where}: no package of apk's format", ("package",)))
            if len(gaps) >= 100:
                break
            continue
        packages.append(_package(fields))
    yield from resources(packages)
    yield from gaps


def _blocks(lines: Iterator[Line]) -> Iterator[list[Line]]:
    """The lines of each package, without those of its files (F, M, R, a, Z)."""
    block: list[Line] = []
    for line in lines:
        if line.text:
            if line.text[0] not in "FMRaZ" or line.text[1:2] != ":":
                block.append(line)
        elif block:
            yield block
            block = []
    if block:
        yield block


def _fields(block: list[Line]) -> dict[str, str] | None:
    fields: dict[str, str] = {}
    for line in block:
        if line.text[1:2] != ":":
            return None
        fields.setdefault(line.text[0], line.text[2:])
    return fields


def _package(fields: dict[str, str]) -> Package:
    broken = set(fields.get("f", "")) & set("fsx")
    return Package(
        fields["P"],
        fields.get("A", ""),
        fields["V"],
        {
            "source": value(fields.get("o") or fields["P"]),
            "status": "broken" if broken else "installed",
            "maintainer": value(fields.get("m", "")),
            "type": "apk",
        },
    )


collector = Collector(
    name="packages_apk",
    version=1,
    doc="Alpine packages, from apk's installed database",
    kinds=(PACKAGE,),
    sources=(LIB, USR_LIB),
    parse=parse,
)
