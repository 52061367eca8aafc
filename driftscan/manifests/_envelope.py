"""The parts of envelopes as JSON values and back. What comes in has passed the JSON Schema of its envelope."""

import json
from collections.abc import Collection, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from driftscan.model.manifest import Manifest, Provenance
from driftscan.model.snapshot import (
    CollectorCoverage,
    CollectorStatus,
    FileCoverage,
    ImageRef,
    Reference,
    Snapshot,
)
from driftscan.model.source import Gap, Status
from driftscan.model.zone import Provenance as ZoneProvenance
from driftscan.model.zone import Zone, ZoneClass

_FILE_COUNTS = ("seen", "hashed", "stat_only", "unreadable", "excluded", "raced", "over_limit", "hidden")


@cache
def schema(name: str) -> Mapping[str, Any]:
    """The JSON Schema of an envelope: `manifest` or `snapshot`."""
    text = Path(__file__).with_name("schema").joinpath(f"{name}.json").read_text("utf-8")
    loaded: dict[str, Any] = json.loads(text)
    return loaded


def manifest_head(manifest: Manifest) -> dict[str, Any]:
    """What the first line of a manifest says, but for its format and counts."""
    made = manifest.provenance
    return {
        "image": _image(manifest.image),
        "live": manifest.live,
        "provenance": {
            "baked_at": made.baked_at,
            "build_id": made.build_id,
            "source_commit": made.source_commit,
            "stand_in": made.stand_in,
            "tool": made.tool,
        },
    }


def snapshot_head(snapshot: Snapshot) -> dict[str, Any]:
    """What the first line of a snapshot says, but for its format and counts."""
    return {
        "boot_id": snapshot.boot_id,
        "files": {name: getattr(snapshot.files, name) for name in _FILE_COUNTS},
        "host": snapshot.host,
        "image": _image(snapshot.image),
        "live": snapshot.live,
        "privileged": snapshot.privileged,
        "probe_digest": snapshot.probe_digest,
        "settled": snapshot.settled,
        "taken_at": snapshot.taken_at,
        "target": snapshot.target,
        "torn": list(snapshot.torn),
    }


def sections(what: Manifest | Snapshot) -> dict[str, Collection[Any]]:
    """What stands in the sections of a file, by the name with which their lines begin, in their order."""
    found: dict[str, Collection[Any]] = {
        "coverage": what.coverage,
        "package": sorted(what.package_files.items()),
        "source": sorted(what.source_digests.items()),
        "text": sorted(what.texts.items()),
    }
    if isinstance(what, Manifest):
        found |= {"reference": what.references, "zone": what.zones}
    else:
        found |= {"zone": what.declared}
    return dict(sorted(found.items()))


def section_row(name: str, item: Any) -> Mapping[str, Any]:
    """What the line of one item of a section holds."""
    match name:
        case "coverage":
            return coverage_row(item)
        case "package":
            return {"files": item[1], "key": item[0]}
        case "reference":
            return reference_row(item)
        case "source":
            return {"digest": item[1], "name": item[0]}
        case "text":
            return {"path": item[0], "text": item[1]}
        case _:
            return zone_row(item)


def _image(image: ImageRef) -> dict[str, str]:
    return {"id": image.id, "version": image.version}


def image(raw: Mapping[str, Any]) -> ImageRef:
    """The image that a first line names."""
    return ImageRef(raw["id"], raw["version"])


def provenance(raw: Mapping[str, Any]) -> Provenance:
    """Who made a manifest."""
    return Provenance(
        baked_at=raw["baked_at"],
        tool=raw["tool"],
        build_id=raw.get("build_id", ""),
        source_commit=raw.get("source_commit", ""),
        stand_in=raw.get("stand_in", False),
    )


def file_coverage(raw: Mapping[str, Any]) -> FileCoverage:
    """Counts of the walk."""
    return FileCoverage(**{name: raw.get(name, 0) for name in _FILE_COUNTS})


def coverage_row(coverage: CollectorCoverage) -> dict[str, Any]:
    """One collector's coverage; what it tells only from a version on, if there is such."""
    since = {"since": dict(coverage.since)} if coverage.since else {}
    return {
        "gaps": [
            {"collector": gap.collector, "hides": list(gap.hides), "reason": gap.reason, "status": gap.status.value}
            for gap in coverage.gaps
        ],
        "kinds": list(coverage.kinds),
        "name": coverage.name,
        "resources": coverage.resources,
        "status": coverage.status.value,
        "version": coverage.version,
        **since,
    }


def coverage(raw: Mapping[str, Any]) -> CollectorCoverage:
    """The inverse of `coverage_row`."""
    gaps = tuple(
        Gap(gap["collector"], Status(gap["status"]), gap["reason"], tuple(gap["hides"])) for gap in raw["gaps"]
    )
    status = CollectorStatus(raw["status"])
    since = tuple(raw.get("since", {}).items())
    return CollectorCoverage(raw["name"], raw["version"], tuple(raw["kinds"]), status, raw["resources"], gaps, since)


def zone_row(zone: Zone) -> dict[str, Any]:
    """One zone; what has its default is left out."""
    row: dict[str, Any] = {
        "pattern": zone.pattern,
        "provenance": zone.provenance.value,
        "reason": zone.reason,
        "zone": zone.zone.value,
    }
    if zone.attributes:
        row["attributes"] = list(zone.attributes)
    if zone.executables:
        row["executables"] = True
    for name in ("may_appear", "may_vanish"):
        if getattr(zone, name) is not None:
            row[name] = getattr(zone, name)
    if zone.origin:
        row["origin"] = zone.origin
    return row


def zone(raw: Mapping[str, Any]) -> Zone:
    """The inverse of `zone_row`."""
    return Zone(
        pattern=raw["pattern"],
        zone=ZoneClass(raw["zone"]),
        reason=raw["reason"],
        attributes=tuple(raw.get("attributes", ())),
        may_appear=raw.get("may_appear"),
        may_vanish=raw.get("may_vanish"),
        executables=raw.get("executables", False),
        provenance=ZoneProvenance(raw["provenance"]),
        origin=raw.get("origin", ""),
    )


def reference_row(reference: Reference) -> dict[str, Any]:
    """One boot that a manifest was baked from."""
    return {"host": reference.host, "identities": dict(reference.identities), "taken_at": reference.taken_at}


def reference(raw: Mapping[str, Any]) -> Reference:
    """The inverse of `reference_row`."""
    return Reference(host=raw["host"], taken_at=raw["taken_at"], identities=dict(raw["identities"]))
