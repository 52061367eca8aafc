"""What packages shipped, from archives and manifests: asked for the packages that differ, and for nothing else."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from driftscan.model.drift import Change, Difference
from driftscan.model.manifest import Manifest
from driftscan.model.names import spellings
from driftscan.model.proof import Rank, Shipment, Shipped
from driftscan.model.resource import Resource
from driftscan.model.snapshot import Resources
from driftscan.scan.baseline import Baselines
from driftscan.scan.targets import Target

if TYPE_CHECKING:
    from driftscan.archives import Archives

ENOUGH = 3
"""Manifests that are heard of one package: the newest."""


class Proofs:
    """Everything outside a host that can tell what a package shipped; safe to share among threads."""

    def __init__(self, packages: Sequence[str], baselines: Baselines, state_dir: Path | None) -> None:
        """`packages`: directories of package archives. UsageError if one is none."""
        self._baselines = baselines
        self._archives = _archives(packages, state_dir) if packages else None

    def of(
        self, target: Target, differences: Iterable[Difference], resources: Resources
    ) -> Mapping[str, tuple[Shipment, ...]]:
        """By package key, what is known of the packages that differ, at the version that the target has. `resources`:
        the target's."""
        told = [item for item in differences if item.change is not Change.UNKNOWN and not item.allowed]
        keys = {item.key for item in told if item.kind == "package" and item.change is not Change.REMOVED}
        packages = [found for key in sorted(keys) if (found := resources.get("package", key)) is not None]
        if not packages:
            return {}
        paths = frozenset(item.key for item in told if item.kind == "file")
        manifests = self._baselines.manifests(target)
        shipments: dict[str, list[Shipment]] = {}
        for package in packages:
            key = package.key.partition("@")[0]
            shipments.setdefault(key, []).extend((*self._archived(package), *_baked(package, manifests, paths)))
        return {key: tuple(found) for key, found in shipments.items() if found}

    def _archived(self, package: Resource) -> tuple[Shipment, ...]:
        name, version, architecture = (package.attributes.get(column) for column in ("name", "version", "arch"))
        if self._archives is None or not all(isinstance(text, str) for text in (name, version, architecture)):
            return ()
        return self._archives.find(str(name), str(architecture), str(version))


def _archives(packages: Sequence[str], state_dir: Path | None) -> "Archives":
    from driftscan.archives import Archives  # noqa: PLC0415 - its compression libraries are for whoever has archives

    return Archives(packages, state_dir / "archives" if state_dir else None)


def _baked(package: Resource, manifests: Iterable[Manifest], paths: frozenset[str]) -> Iterable[Shipment]:
    heard = 0
    for manifest in manifests:
        there = manifest.resources.get("package", package.key)
        listed = manifest.package_files.get(package.key)
        if there is None or not listed or heard == ENOUGH or not _same(there, package):
            continue
        heard += 1
        wanted = {name: path for path in listed for name in spellings(path) if name in paths}
        files = {
            path: _shipped(found)
            for name, path in wanted.items()
            if (found := manifest.resources.get("file", name)) is not None
        }
        named = " ".join(part for part in (manifest.image.id, manifest.image.version) if part)
        yield Shipment(
            rank=Rank.MANIFEST,
            origin=f"image {named}" if named else f"manifest {manifest.digest[:19]}",
            files=files,
            paths=frozenset(listed),
        )


def _same(there: Resource, package: Resource) -> bool:
    return all(there.attributes.get(column) == package.attributes.get(column) for column in ("version", "status"))


def _shipped(found: Resource) -> Shipped:
    """Content alone: an image may have set owner and mode by itself."""
    content = found.attributes.get("sha256") or found.attributes.get("target")
    return Shipped(str(found.attributes.get("type", "")), content if isinstance(content, str) else None)
