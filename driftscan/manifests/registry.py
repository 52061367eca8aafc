"""Which manifest belongs to an image: looked up in a directory or an S3 bucket, several approved versions at once."""

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

from driftscan.errors import UsageError
from driftscan.manifests import _container, files
from driftscan.manifests._places import Item, Place, open_place
from driftscan.model.manifest import FORMAT, Manifest
from driftscan.model.names import show
from driftscan.model.snapshot import ImageRef
from driftscan.schema_check import quoted
from driftscan.stored import MAX_FILE

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One file of a registry; `problem` says why it cannot be used (then its image is not known)."""

    name: str
    image: ImageRef = ImageRef()
    baked_at: str = ""
    problem: str = ""


def find(location: str, image: ImageRef, cache: Path | None = None) -> Manifest | None:
    """The manifest of an image, or None. See `Registry.find`; for many hosts, keep a `Registry`."""
    return Registry(location, cache).find(image)


def entries(location: str, cache: Path | None = None) -> tuple[Entry, ...]:
    """All entries of a registry. See `Registry.entries`."""
    return Registry(location, cache).entries()


class Registry:
    """Looks once and remembers; safe to share among threads."""

    def __init__(self, location: str, cache: Path | None = None) -> None:
        """A directory of `*.manifest` files, one manifest, or `s3://bucket/prefix`, whose objects are kept in `cache`
        where one is given. Nothing is read yet."""
        self.location = location
        self._cache = cache
        self._lock = Lock()
        self._listed: tuple[tuple[Item, Entry], ...] | None = None
        self._place: Place | None = None
        self._read: dict[Item, Manifest] = {}

    def entries(self) -> tuple[Entry, ...]:
        """What there is, by name, those that cannot be used included. First lines alone are read. UsageError if the
        registry itself cannot be."""
        with self._lock:
            return tuple(entry for _, entry in self._list()[1])

    def find(self, image: ImageRef) -> Manifest | None:
        """The manifest of an image; None if the registry has none.

        An id or a version that is not known on either side is no hindrance, but one must be equal, and entries in
        which both are equal go before others. UsageError if two different manifests are left, or if none is found
        while entries cannot be read (the one that is wanted might be among them).
        """
        with self._lock:
            place, listed = self._list()
            ranked = [(_likeness(entry.image, image), item) for item, entry in listed if not entry.problem]
            best = max((rank for rank, _ in ranked), default=0)
            if best == 0:
                self._check_problems(image, [entry for _, entry in listed if entry.problem])
                return None
            return self._only(image, place, [item for rank, item in ranked if rank == best])

    def manifests(self, most: int) -> tuple[Manifest, ...]:
        """The manifests that were baked last, the newest first. Those that cannot be read are passed over. UsageError
        if the registry itself cannot be."""
        with self._lock:
            place, listed = self._list()
            usable = sorted((each for each in listed if not each[1].problem), key=lambda each: each[1].baked_at)
            found = []
            for item, entry in reversed(usable[-most:]):
                try:
                    found.append(self._manifest(place, item))
                except UsageError as error:
                    log.warning("registry %s: passed over: %s: %s", show(self.location), entry.name, error.message)
            return tuple(found)

    def _list(self) -> tuple[Place, tuple[tuple[Item, Entry], ...]]:
        if self._listed is None or self._place is None:
            self._place = open_place(self.location, self._cache)
            self._listed = tuple((item, _entry(self._place, item)) for item in self._place.items())
            for _, entry in self._listed:
                if entry.problem:
                    log.warning("registry %s: passed over: %s", show(self.location), entry.problem)
        return self._place, self._listed

    def _only(self, image: ImageRef, place: Place, items: Iterable[Item]) -> Manifest:
        found: dict[str, tuple[Item, Manifest]] = {}
        for item in items:
            manifest = self._manifest(place, item)
            found.setdefault(manifest.digest, (item, manifest))
        if len(found) > 1:
            names = " and ".join(
                f"{show(item.name)} (version {show(manifest.image.version) or 'none'})"
                for item, manifest in found.values()
            )
            hint = "Remove all but one, or let the image say its version (IMAGE_VERSION in os-release)."
            raise UsageError(f"different manifests for {_words(image)}: {names}", hint)
        ((_, manifest),) = found.values()
        return manifest

    def _manifest(self, place: Place, item: Item) -> Manifest:
        if item.size > MAX_FILE:
            raise UsageError(f"{show(item.name)}: larger than {MAX_FILE >> 30} GiB", "Is it a manifest?")
        if item not in self._read:
            self._read[item] = files.parse_manifest(place.body(item))
        return self._read[item]

    def _check_problems(self, image: ImageRef, broken: list[Entry]) -> None:
        if broken:
            lines = "\n".join(entry.problem for entry in broken)
            hint = "It might be among those that cannot be read: mend or remove them."
            raise UsageError(f"no manifest for {_words(image)} in {show(self.location)}\n{lines}", hint)


def _likeness(entry: ImageRef, wanted: ImageRef) -> int:
    """0: another image; 1: id or version equal, the other not known on one side; 2: both equal."""
    pairs = ((entry.id, wanted.id), (entry.version, wanted.version))
    if any(ours and theirs and ours != theirs for ours, theirs in pairs):
        return 0
    return sum(1 for ours, theirs in pairs if ours and ours == theirs)


def _words(image: ImageRef) -> str:
    version = f" version {quoted(image.version)}" if image.version else ""
    return f"image {quoted(image.id) if image.id else '(no id)'}{version}"


def _entry(place: Place, item: Item) -> Entry:
    try:
        head = _container.head(place.head(item), item.name, FORMAT)
    except UsageError as error:
        named = show(item.name) in error.message
        return Entry(name=item.name, problem=error.message if named else f"{show(item.name)}: {error.message}")
    image, made = head.get("image"), head.get("provenance")
    if not isinstance(image, dict) or not isinstance(made, dict):
        return Entry(name=item.name, problem=f"{show(item.name)}: its first line names no image")
    reference = ImageRef(str(image.get("id", "")), str(image.get("version", "")))
    return Entry(name=item.name, image=reference, baked_at=str(made.get("baked_at", "")))
