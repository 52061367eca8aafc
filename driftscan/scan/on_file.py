"""Targets that were looked at before and lie in a file, and manifests as snapshots and the other way round."""

from driftscan.manifests.files import read_manifest, read_snapshot
from driftscan.model.manifest import Manifest, Provenance
from driftscan.model.snapshot import Snapshot
from driftscan.model.zone import Zone
from driftscan.scan.targets import Target

ON_FILE = frozenset({"snapshot", "manifest"})
"""Schemes of such targets."""


def read_target(target: Target) -> tuple[Snapshot, Manifest | None]:
    """What a target is like; of a manifest, itself too. UsageError for a file that cannot be read or is damaged."""
    if target.scheme == "snapshot":
        return read_snapshot(target.path), None
    manifest = read_manifest(target.path)
    return from_manifest(manifest, target), manifest


def from_manifest(manifest: Manifest, target: Target) -> Snapshot:
    """A manifest as if it were a snapshot, to compare two of them."""
    return Snapshot(
        host=target.name,
        target=target.spec,
        taken_at=manifest.provenance.baked_at,
        resources=manifest.resources,
        coverage=manifest.coverage,
        image=manifest.image,
        live=manifest.live,
        source_digests=manifest.source_digests,
        texts=manifest.texts,
        package_files=manifest.package_files,
    )


def as_manifest(snapshot: Snapshot, zones: tuple[Zone, ...] = (), tool: str = "") -> Manifest:
    """A snapshot as the reference of a comparison."""
    return Manifest(
        image=snapshot.image,
        provenance=Provenance(baked_at=snapshot.taken_at, tool=tool),
        resources=snapshot.resources,
        coverage=snapshot.coverage,
        zones=zones,
        source_digests=snapshot.source_digests,
        texts=snapshot.texts,
        package_files=snapshot.package_files,
        live=snapshot.live,
    )
