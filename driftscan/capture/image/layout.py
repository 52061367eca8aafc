"""Which image of a layout is meant, and what its layers are (OCI image-spec: image-index.md, manifest.md, config.md).
Every document on the way is checked against the digest that it was named by."""

import json
import platform
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from driftscan.capture.image.blobs import DIGEST, Blobs, Place, blob, document, open_layout, verified
from driftscan.errors import UsageError
from driftscan.model.names import show

INDEXES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
MANIFESTS = (
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
LAYERS = {
    "application/vnd.oci.image.layer.v1.tar": "",
    "application/vnd.oci.image.layer.v1.tar+gzip": "gzip",
    "application/vnd.oci.image.layer.v1.tar+zstd": "zstd",
    "application/vnd.oci.image.layer.nondistributable.v1.tar": "",
    "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip": "gzip",
    "application/vnd.oci.image.layer.nondistributable.v1.tar+zstd": "zstd",
    "application/vnd.docker.image.rootfs.diff.tar": "",
    "application/vnd.docker.image.rootfs.diff.tar.gzip": "gzip",
    "application/vnd.docker.image.rootfs.diff.tar.zstd": "zstd",
}
"""Media type -> how it is compressed."""
MAX_LAYERS = 128
"""As many as runtimes stack."""
MAX_IMAGES = 1000
REF = "org.opencontainers.image.ref.name"
NAMES = (REF, "io.containerd.image.name")
ATTESTATION = "vnd.docker.reference.type"
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm", "i686": "386", "ppc64le": "ppc64le"}


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer: the blob's digest and place, how it is compressed, and the digest of the tar in it."""

    digest: str
    place: Place
    compression: str
    diff_id: str

    def words(self) -> list[str | int]:
        """As JSON takes it, for another process."""
        return [self.digest, self.place.path, self.place.start, self.place.size, self.compression, self.diff_id]

    @classmethod
    def from_words(cls, words: list[Any]) -> "Layer":
        """The reverse of `words`."""
        digest, path, start, size, compression, diff_id = words
        return cls(digest, Place(path, start, size), compression, diff_id)


@dataclass(frozen=True, slots=True)
class Descriptor:
    """What names a blob: descriptor.md. `platform` is `os/architecture/variant`, empty where none is given."""

    media_type: str
    digest: str
    size: int
    names: tuple[str, ...]
    platform: str
    attestation: bool


def layers_of(path: str, tag: str) -> tuple[Layer, ...]:
    """The layers of an image of the layout at a path, the lowest first. UsageError where there is no such image, or
    several, or the layout is not whole."""
    what = f"oci:{show(path)}" + (f":{show(tag)}" if tag else "")
    blobs = open_layout(path)
    chosen = _chosen(blobs, tag, what)
    manifest = _json(verified(blobs, chosen.digest, chosen.size, what), f"{what}: {chosen.digest}")
    config = _descriptor(manifest.get("config"), what)
    settings = _json(verified(blobs, config.digest, config.size, what), f"{what}: {config.digest}")
    rootfs = settings.get("rootfs")
    diff_ids = _list(rootfs.get("diff_ids") if isinstance(rootfs, dict) else None, what, "diff_ids")
    given = [_descriptor(each, what) for each in _list(manifest.get("layers"), what, "layers")]
    if not given or len(given) != len(diff_ids):
        raise UsageError(
            f"{what}: its manifest has {len(given)} layers and its configuration {len(diff_ids)} diff_ids",
            "A container image has both, as many of one as of the other; artifacts and attestations have not.",
        )
    if len(given) > MAX_LAYERS:
        raise UsageError(f"{what}: has {len(given)} layers; {MAX_LAYERS} are the most that are read")
    return tuple(_layer(blobs, each, diff_id, what) for each, diff_id in zip(given, diff_ids, strict=True))


def _layer(blobs: Blobs, given: Descriptor, diff_id: object, what: str) -> Layer:
    if given.media_type not in LAYERS:
        raise UsageError(f"{what}: a layer is of the type {show(given.media_type)}, which is not read")
    if not isinstance(diff_id, str) or not DIGEST.fullmatch(diff_id):
        raise UsageError(f"{what}: one of its diff_ids is no digest")
    place = blob(blobs, given.digest, given.size, what)
    return Layer(given.digest, place, LAYERS[given.media_type], diff_id)


def _chosen(blobs: Blobs, tag: str, what: str) -> Descriptor:
    """The manifest that a tag or digest means: of several platforms the one of this machine."""
    top = _json(document(blobs, "index.json", what), f"{what}: index.json")
    every = list(_members(top, what))
    found = {each: _images(blobs, each, what) for each in every}
    wanted = {
        each: images for each, images in found.items() if images and (not tag or tag in (each.digest, *each.names))
    }
    images = list(dict.fromkeys(image for inner in wanted.values() for image in inner))
    if tag and not images:  # of one platform, in a nested index
        images = list(dict.fromkeys(image for inner in found.values() for image in inner if image.digest == tag))
    if len(images) > 1 and len({each.names for each in wanted}) == 1 and all(image.platform for image in images):
        own = f"linux/{_ARCHITECTURES.get(platform.machine(), platform.machine())}"
        images = [image for image in images if f"{image.platform}/".startswith(f"{own}/")] or images
    if len({image.digest for image in images}) == 1:
        return images[0]
    several = "several images" if images else "no such image"
    raise UsageError(f"{what}: {several} in the layout", _choices(every, images))


def _choices(every: Sequence[Descriptor], images: Sequence[Descriptor]) -> str:
    names = sorted({name for each in every for name in each.names})
    digests = [f"{each.digest} ({each.platform or 'no platform'})" for each in images or every]
    listed = names if len(names) > 1 or not images else digests
    return "Name one as oci:DIR:TAG: " + show(", ".join((listed or digests)[:10])) + "."


def _images(blobs: Blobs, given: Descriptor, what: str) -> tuple[Descriptor, ...]:
    """The images that a descriptor leads to. Each index is read once, however often it is listed."""
    found: list[Descriptor] = []
    seen: set[str] = set()
    waiting = [given]
    while waiting:
        each = waiting.pop()
        if each.attestation or each.digest in seen:
            continue
        seen.add(each.digest)
        if len(seen) > MAX_IMAGES:
            raise UsageError(f"{what}: its indexes list more than {MAX_IMAGES:,} images")
        if each.media_type in MANIFESTS:
            found.append(each)
        elif each.media_type in INDEXES:
            inner = _json(verified(blobs, each.digest, each.size, what), f"{what}: {each.digest}")
            waiting.extend(_members(inner, what))
    return tuple(found)


def _members(index: Mapping[str, Any], what: str) -> Iterator[Descriptor]:
    found = _list(index.get("manifests"), what, "manifests")
    if len(found) > MAX_IMAGES:
        raise UsageError(f"{what}: an index lists {len(found):,} images; {MAX_IMAGES:,} are the most that are read")
    return (_descriptor(each, what) for each in found)


def _descriptor(raw: object, what: str) -> Descriptor:
    if isinstance(raw, dict):
        digest, size = raw.get("digest"), raw.get("size")
        notes, where = raw.get("annotations") or {}, raw.get("platform") or {}
        objects = isinstance(notes, dict) and isinstance(where, dict)
        if objects and isinstance(digest, str) and DIGEST.fullmatch(digest) and type(size) is int and size >= 0:
            words = [str(where[key]) for key in ("os", "architecture", "variant") if where.get(key)]
            names = tuple(str(notes[name]) for name in NAMES if name in notes)
            media_type = str(raw.get("mediaType") or MANIFESTS[0])
            return Descriptor(media_type, digest, size, names, "/".join(words), ATTESTATION in notes)
    raise UsageError(f"{what}: a descriptor in it has no valid digest and size (sha256 or sha512)")


def _json(data: bytes, what: str) -> Mapping[str, Any]:
    try:
        found = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{what}: is no JSON") from error
    if not isinstance(found, dict):
        raise UsageError(f"{what}: is no JSON object")
    return found


def _list(found: object, what: str, name: str) -> list[Any]:
    if not isinstance(found, list):
        raise UsageError(f"{what}: {name} is no list")
    return found
