"""The reference of a host that has a birth: its image's manifest with what the birth has beside it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from driftscan.compare.attributes import CONTENT
from driftscan.model.birth import Birth, BirthRecord, Ground
from driftscan.model.codec import decode_resource, digest
from driftscan.model.lazy import Lazy
from driftscan.model.manifest import Manifest
from driftscan.model.matching import Matcher
from driftscan.model.patched import Patched
from driftscan.model.records import Records
from driftscan.model.snapshot import CollectorCoverage, CollectorStatus, Resources
from driftscan.model.zone import ZoneClass
from driftscan.scan.filescan import Plan

_ALIKE = frozenset({Ground.FIRST_BOOT, Ground.PACKAGE})
"""What one host alone says little of."""


@dataclass(frozen=True, slots=True)
class Changes:
    """The files of a birth, relative to its image: keys that are gone; key -> line of those that came or changed."""

    removed: tuple[str, ...] = ()
    added: Mapping[str, bytes] = field(default_factory=dict)


def changes(birth: Birth) -> Changes:
    """What a birth says of files."""
    files = [record for record in birth.records if record.kind == "file"]
    return Changes(
        tuple(record.key for record in files if record.line is None),
        {record.key: record.line for record in sorted(files, key=lambda each: each.key) if record.line is not None},
    )


def reference(manifest: Manifest, birth: Birth) -> Manifest:
    """The manifest of that host alone; its digest is of both."""
    files, small = changes(birth), dict(manifest.resources.small)
    for record in birth.records:
        if record.kind != "file":
            small.pop(record.id, None)
            if record.line is not None:
                small[record.id] = decode_resource(record.line)
    added = Records(tuple(files.added), tuple(files.added.values()))
    known = {record.id for record in birth.records}
    more = {name: _covered(name, version, kinds) for name, version, kinds in birth.coverage}
    return replace(
        manifest,
        resources=Resources(small, Patched(manifest.resources.files, files.removed, added)),
        coverage=tuple(
            sorted(({each.name: each for each in manifest.coverage} | more).values(), key=lambda each: each.name)
        ),
        live=manifest.live or bool(more),
        texts=Lazy(lambda: {path: text for path, text in manifest.texts.items() if ("file", path) not in known}),
        source_digests={name: told for name, told in {**manifest.source_digests, **birth.sources}.items() if told},
        digest=digest_of(manifest.digest, birth.digest),
    )


def digest_of(manifest: str, birth: str) -> str:
    """The digest of a host's own reference, of those of its image and its birth."""
    return digest(f"{manifest} {birth}".encode())


def _covered(name: str, version: int, kinds: tuple[str, ...]) -> CollectorCoverage:
    return CollectorCoverage(name, version, kinds, CollectorStatus.COMPLETE)


def plan(general: Plan, own: Manifest, birth: Birth) -> Plan:
    """How the files of a host are looked at whose reference is `own`; `general` is the plan of its image."""
    files = changes(birth)
    return general.of_host(own, files.removed, files.added)


def template(births: Iterable[Birth], zones: Matcher) -> Birth | None:
    """What hosts with the same user data have in common at birth, for a host of that kind that has none of its own:
    what user data declare, and what first boot made alike on several. None if no birth is free of doubt."""
    trusted = [{record.id: record for record in birth.records} for birth in births if not birth.doubts]
    if not trusted:
        return None
    first, *others = trusted
    shared = tuple(
        record
        for record in first.values()
        if (record.ground is Ground.DECLARED or (record.ground in _ALIKE and others))
        and all(_same(record, each.get(record.id), zones) for each in others)
    )
    seal = digest(repr([(record.id, record.line) for record in shared]).encode())
    return Birth(machine={}, manifest="", taken_at="", records=shared, digest=seal)


def _same(record: BirthRecord, other: BirthRecord | None, zones: Matcher) -> bool:
    """Whether two hosts have it alike; of a file whose rows are judged, but for its content."""
    if other is None or record.line is None or other.line is None:
        return other is not None and record.line == other.line
    zone = zones.zone_of(record.kind, record.key)
    if zone is None or zone.zone is not ZoneClass.DERIVED:
        return record.line == other.line
    mine, theirs = (decode_resource(line).attributes for line in (record.line, other.line))
    content = dict.fromkeys(CONTENT)
    return {**mine, **content} == {**theirs, **content}
