"""Archives of `docker save` (Docker image specification v1.2, "Combined Image JSON + Filesystem Changeset Format"),
which `podman save`, `skopeo copy ... docker-archive:`, kaniko and Bazel write, too: a tar whose manifest.json lists
images. No digest of a layer's blob stands in it; what a layer's tar is, stands in the configuration, by whose digest
an image is named."""

import posixpath
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from driftscan.capture.image.blobs import Blobs, compression_of, document, new_digest, open_archive
from driftscan.capture.image.layout import MAX_IMAGES, Layer, diff_ids_of, list_of, object_of, parsed
from driftscan.errors import UsageError
from driftscan.model.names import show

INDEX = "manifest.json"
_DIGEST = re.compile(r"(?:^|[/:])([0-9a-f]{64})(?:\.json)?$")
"""In names of configurations: `DIGEST.json`, `sha256:DIGEST`, `blobs/sha256/DIGEST`."""


@dataclass(frozen=True, slots=True)
class Image:
    """One image of an archive. `config` and `layers` are paths in it."""

    config: str
    names: tuple[str, ...]
    layers: tuple[str, ...]

    @property
    def id(self) -> str:
        """The digest of its configuration, as far as it is named by it."""
        found = _DIGEST.search(self.config)
        return f"sha256:{found[1]}" if found else ""

    def called(self, name: str) -> bool:
        """Whether a name (of which a registry may be left out, and the tag `latest`) or an id means this image."""
        wanted = (f"/{name}", f"/{name}:latest")
        means_it = any(f"/{own}".endswith(wanted) for own in self.names)
        return means_it or (self.id != "" and name.removeprefix("sha256:") == self.id.removeprefix("sha256:"))


def saved_layers(path: str, name: str) -> tuple[Layer, ...]:
    """The layers of an image of the archive at a path, the lowest first. UsageError where there is no such image, or
    several, or the archive is not whole."""
    what = f"docker-archive:{show(path)}" + (f":{show(name)}" if name else "")
    blobs = open_archive(path)
    if blobs.place(INDEX) is None:
        hint = "Write one with `docker save -o FILE IMAGE`."
        hint = f"It is an OCI layout: write oci:{show(path)}." if blobs.place("index.json") else hint
        raise UsageError(f"{what}: holds no {INDEX}, so it is no archive of `docker save`", hint)
    image = _chosen(blobs, name, what)
    data = document(blobs, image.config, what)
    if image.id and new_digest(image.id, data).hexdigest() != image.id.removeprefix("sha256:"):
        raise UsageError(f"{what}: the content of {show(image.config)} is not that of its digest", "Was it changed?")
    settings = object_of(parsed(data, what), f"{what}: {show(image.config)}")
    diff_ids = diff_ids_of(settings, len(image.layers), what)
    return tuple(_layer(blobs, each, diff_id, what) for each, diff_id in zip(image.layers, diff_ids, strict=True))


def _chosen(blobs: Blobs, name: str, what: str) -> Image:
    listed = list_of(parsed(document(blobs, INDEX, what), f"{what}: {INDEX}"), what, INDEX)
    if len(listed) > MAX_IMAGES:
        raise UsageError(f"{what}: lists {len(listed):,} images; {MAX_IMAGES:,} are the most that are read")
    images = list(dict.fromkeys(_image(each, what) for each in listed))
    meant = [image for image in images if not name or image.called(name)]
    if len(meant) == 1:
        return meant[0]
    names = [", ".join(image.names) or image.id or image.config for image in meant or images]
    raise UsageError(
        f"{what}: {'several images' if meant else 'no such image'} in the archive",
        "Name one as docker-archive:FILE:NAME: " + show("; ".join(names[:10])) + ".",
    )


def _image(raw: object, what: str) -> Image:
    given: Mapping[str, Any] = object_of(raw, f"{what}: {INDEX}")
    config, names = given.get("Config"), given.get("RepoTags") or []
    texts = [config, *list_of(names, what, "RepoTags"), *list_of(given.get("Layers"), what, "Layers")]
    if not all(isinstance(each, str) for each in texts):
        raise UsageError(f"{what}: {INDEX} has an image without paths and names")
    return Image(texts[0], tuple(texts[1 : 1 + len(names)]), tuple(texts[1 + len(names) :]))


def _layer(blobs: Blobs, path: str, diff_id: str, what: str) -> Layer:
    place = blobs.place(posixpath.normpath(path))
    if place is None:
        raise UsageError(f"{what}: {show(path)} is missing in the archive", "Was it copied whole?")
    with open(place.path, "rb") as file:
        file.seek(place.start)
        head = file.read(min(place.size, 8))
    return Layer("", place, compression_of(head), diff_id)
