"""Which image of a layout is meant, and what its layers are (OCI image-spec: image-index.md, manifest.md, config.md).
Every document on the way is checked against the digest that it was named by."""

import json
import platform
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from driftscan.capture.image.blobs import DIGEST, Blobs, Place, blob, document, open_layout, path_of, verified
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
CONFIGS = ("application/vnd.oci.image.config.v1+json", "application/vnd.docker.container.image.v1+json")
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm", "i686": "386", "ppc64le": "ppc64le"}


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer: the blob's digest (empty where nobody has written it down) and place, how it is compressed, and the
    digest of the tar in it."""

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
    """Whether it is no image but something said of one: a provenance, a signature, a bill of materials."""


def layers_of(path: str, tag: str) -> tuple[Layer, ...]:
    """The layers of an image of the layout at a path, the lowest first. UsageError where there is no such image, or
    several, or the layout is not whole."""
    what = f"oci:{show(path)}" + (f":{show(tag)}" if tag else "")
    blobs = open_layout(path)
    chosen = _chosen(blobs, tag, what)
    manifest = _document(blobs, chosen, what)
    config = _descriptor(manifest.get("config"), what)
    settings = _document(blobs, config, what)
    given = [_descriptor(each, what) for each in list_of(manifest.get("layers"), what, "layers")]
    diff_ids = diff_ids_of(settings, len(given), what)
    return tuple(_layer(blobs, each, diff_id, what) for each, diff_id in zip(given, diff_ids, strict=True))


def diff_ids_of(settings: Mapping[str, Any], layers: int, what: str) -> list[str]:
    """The digests of the layers' tars, from the configuration of an image of so many layers. UsageError where they are
    not as many."""
    rootfs = settings.get("rootfs")
    found = list_of(rootfs.get("diff_ids") if isinstance(rootfs, dict) else None, what, "diff_ids")
    if not layers or layers != len(found):
        raise UsageError(
            f"{what}: its manifest has {layers} layers and its configuration {len(found)} diff_ids",
            "A container image has both, as many of one as of the other; artifacts and attestations have not.",
        )
    if layers > MAX_LAYERS:
        raise UsageError(f"{what}: has {layers} layers; {MAX_LAYERS} are the most that are read")
    if not all(isinstance(each, str) and DIGEST.fullmatch(each) for each in found):
        raise UsageError(f"{what}: one of its diff_ids is no digest")
    return found


def _layer(blobs: Blobs, given: Descriptor, diff_id: str, what: str) -> Layer:
    if given.media_type not in LAYERS:
        raise UsageError(f"{what}: a layer is of the type {show(given.media_type)}, which is not read")
    place = blob(blobs, given.digest, given.size, what)
    return Layer(given.digest, place, LAYERS[given.media_type], diff_id)


def _chosen(blobs: Blobs, tag: str, what: str) -> Descriptor:
    """The manifest that a tag or digest means: of several platforms the one of this machine."""
    name = f"{what}: index.json"
    top = object_of(parsed(document(blobs, "index.json", what), name), name)
    every = list(_members(top, what))
    found = {each: _images(blobs, each, what) for each in every}
    wanted = {
        each: images for each, images in found.items() if images and (not tag or tag in (each.digest, *each.names))
    }
    images = list(dict.fromkeys(image for inner in wanted.values() for image in inner))
    if tag and not images:  # of one platform, in a nested index
        images = list(dict.fromkeys(image for inner in found.values() for image in inner if image.digest == tag))
    if len(images) > 1 and len({each.names for each in wanted}) == 1 and all(image.platform for image in images):
        # `docker save` keeps an index of all platforms, and of one the image.
        images = [image for image in images if blobs.place(path_of(image.digest))] or images
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
            inner = _document(blobs, each, what)
            waiting.extend(_members(inner, what))
    return tuple(found)


def _members(index: Mapping[str, Any], what: str) -> Iterator[Descriptor]:
    found = list_of(index.get("manifests"), what, "manifests")
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
            said_of_one = ATTESTATION in notes or raw.get("artifactType") not in (None, "", *CONFIGS)
            no_system = where.get("os") == "unknown"  # as BuildKit marks attestations for those who know no annotation
            return Descriptor(media_type, digest, size, names, "/".join(words), said_of_one or no_system)
    raise UsageError(f"{what}: a descriptor in it has no valid digest and size (sha256 or sha512)")


def _document(blobs: Blobs, given: Descriptor, what: str) -> Mapping[str, Any]:
    """The JSON object that a descriptor names."""
    name = f"{what}: {given.digest}"
    return object_of(parsed(verified(blobs, given.digest, given.size, what), name), name)


def parsed(data: bytes, what: str) -> object:
    """JSON of any type. UsageError for anything else."""
    try:
        found: object = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{what}: is no JSON") from error
    return found


def object_of(found: object, what: str) -> Mapping[str, Any]:
    """What was parsed as a JSON object. UsageError for anything else."""
    if not isinstance(found, dict):
        raise UsageError(f"{what}: is no JSON object")
    return found


def list_of(found: object, what: str, name: str) -> list[Any]:
    """What was parsed as a list. UsageError for anything else."""
    if not isinstance(found, list):
        raise UsageError(f"{what}: {name} is no list")
    return found
