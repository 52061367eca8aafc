"""Which manifest belongs to a host: by option or inventory, by the cloud's image id, by os-release; else none."""

import logging
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from driftscan.errors import UsageError
from driftscan.manifests.files import read_manifest
from driftscan.manifests.registry import Registry
from driftscan.model.manifest import Manifest
from driftscan.model.names import show
from driftscan.model.result import HostImage, ImageMatch
from driftscan.model.snapshot import ImageRef
from driftscan.scan.targets import Target

log = logging.getLogger(__name__)
MOST = 20
"""Manifests of a registry that are asked what a package shipped."""


@dataclass(frozen=True, slots=True)
class Baseline:
    """What a host is judged against. No manifest and match `unknown`: its image is in no registry; match `stand-in`:
    nobody named a manifest."""

    manifest: Manifest | None
    image: HostImage


class Baselines:
    """Finds baselines; every file is read once, whatever the number of hosts and threads."""

    def __init__(self, manifest: str, state_dir: Path | None = None) -> None:
        """`manifest`: the command's option; read at once if it is a file. UsageError if it is not there or is bad.
        What registries in the cloud hold is kept below `state_dir`."""
        self._given = manifest
        self._cache = state_dir / "registry" if state_dir else None
        self._lock = threading.Lock()
        self._registries: dict[str, Registry] = {}
        self._files: dict[str, Manifest] = {}
        if manifest:
            self._check(manifest, "-m")

    def check(self, targets: Iterable[Target]) -> None:
        """Read what the inventory names, before any connection is made. UsageError as in the constructor."""
        for target in targets:
            if not self._given and target.host and target.host.manifest:
                self._check(target.host.manifest, target.host.origin or target.name)

    def of(self, target: Target, image: ImageRef) -> Baseline:
        """The baseline of a target whose os-release says `image`. UsageError for a registry that is broken."""
        place = self._place(target)
        if not place:
            return Baseline(None, HostImage(id=image.id, version=image.version, match=ImageMatch.STAND_IN))
        if not _is_registry(place):
            match = ImageMatch.GIVEN if self._given else ImageMatch.INVENTORY
            return _found(self._file(place), match)
        cloud = target.host.labels.get("image_id", "") if target.host else ""
        for wanted, match in ((ImageRef(cloud), ImageMatch.CLOUD), (image, ImageMatch.OS_RELEASE)):
            if wanted.id or wanted.version:
                manifest = self._registry(place).find(wanted)
                if manifest is not None:
                    return _found(manifest, match)
        return Baseline(None, HostImage(id=cloud or image.id, version=image.version, match=ImageMatch.UNKNOWN))

    def ahead(self, target: Target) -> Manifest | None:
        """The manifest, if it is known before the host has been seen."""
        place = self._place(target)
        return self._file(place) if place and not _is_registry(place) else None

    def by_image(self, target: Target) -> Callable[[ImageRef], Manifest | None] | None:
        """What finds the manifest by what the host says of its image; None: it does not depend on that."""
        return (lambda image: self.of(target, image).manifest) if self.depends_on_image(target) else None

    def depends_on_image(self, target: Target) -> bool:
        """Whether only what the host says of its image tells which manifest is its own."""
        place = self._place(target)
        return bool(place) and _is_registry(place)

    def manifests(self, target: Target) -> tuple[Manifest, ...]:
        """All that is at hand of other images: the newest of the target's registry, and the files that this scan reads.
        A registry that cannot be read has none."""
        place = self._place(target)
        with self._lock:
            found = list(self._files.values())
        if place and _is_registry(place):
            try:
                found += self._registry(place).manifests(MOST)
            except UsageError as error:
                log.warning("no proof from %s: %s", show(place), error.message)
        return tuple({manifest.digest: manifest for manifest in found}.values())

    def _place(self, target: Target) -> str:
        return self._given or (target.host.manifest if target.host else "")

    def _check(self, place: str, origin: str) -> None:
        if place.startswith("s3://"):
            return
        if not Path(place).exists():
            raise UsageError(
                f"{origin}: manifest {place}: no such file or directory",
                "Bake one with `driftscan bake TARGET -o FILE`, or correct the path.",
            )
        if not _is_registry(place):
            self._file(place)

    def _registry(self, place: str) -> Registry:
        with self._lock:
            if place not in self._registries:
                self._registries[place] = Registry(place, self._cache)
            return self._registries[place]

    def _file(self, path: str) -> Manifest:
        with self._lock:
            if path not in self._files:
                self._files[path] = read_manifest(Path(path))
            return self._files[path]


def _found(manifest: Manifest, match: ImageMatch) -> Baseline:
    image = manifest.image
    return Baseline(
        manifest, HostImage(id=image.id, version=image.version, manifest_digest=manifest.digest, match=match)
    )


def _is_registry(place: str) -> bool:
    return place.startswith("s3://") or Path(place).is_dir()
