"""A manifest: the snapshot of a baked image, its zones, and where it comes from."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from driftscan.model.snapshot import CollectorCoverage, ImageRef, Reference, Resources
from driftscan.model.zone import Zone

FORMAT = "driftscan.manifest/1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """Which build made the image, and which driftscan the manifest. `stand_in`: not an image at all but the
    host's own package database, which testifies about itself."""

    baked_at: str
    tool: str
    build_id: str = ""
    source_commit: str = ""
    stand_in: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """The baseline. What it does not cover is *not baselined*: listed, never `added`."""

    image: ImageRef
    provenance: Provenance
    resources: Resources
    coverage: tuple[CollectorCoverage, ...]
    zones: tuple[Zone, ...] = ()
    references: tuple[Reference, ...] = ()
    texts: Mapping[str, str] = field(default_factory=dict)
    package_files: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Package key -> paths that its package database lists: whose file it was, also when the package is gone."""
    source_digests: Mapping[str, str] = field(default_factory=dict)
    """Source (as text) -> digest of its answer: what a later scan can answer with "same"."""
    live: bool = True
    digest: str = ""
    """`sha256:...` over the file; set when written or read."""

    @property
    def covered_kinds(self) -> frozenset[str]:
        """Kinds that the manifest can judge."""
        return frozenset(
            kind for coverage in self.coverage if coverage.status in {"complete", "partial"} for kind in coverage.kinds
        )
