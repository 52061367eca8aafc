"""What becomes of a finding when its host is replaced with the next image."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from driftscan.cli._command import Call
from driftscan.cli._targets import state_directory
from driftscan.errors import DriftscanError, UsageError
from driftscan.model.gate import Fate
from driftscan.model.names import show

if TYPE_CHECKING:
    from driftscan.model.manifest import Manifest

Json = Mapping[str, Any]
_SAID = {
    Fate.CONTAINED: "contains this",
    Fate.PARTLY: "would lose a part of this",
    Fate.LOST: "would lose this",
    Fate.OTHER: "has neither this nor what the host's image has",
    Fate.UNSEEN: "cannot tell: the manifest does not speak of it",
}


def next_image(call: Call, finding: Json, host: Json) -> Iterator[tuple[str, str]]:
    """A (label, text) of the image that `-m` names, or of the newest in a registry; nothing without `-m` and for a
    control. `finding` and `host` are as in a report. A manifest that cannot be read is a warning: the finding can be
    explained without it."""
    if not call.settings.manifest or "result" in finding:  # a control is nothing to be carried over
        return
    from driftscan.scan.fixes import fate_in

    try:
        manifest = _manifest(call, host)
    except DriftscanError as error:
        call.console.warn(f"what the next image has is not known: {error.message}")
        return
    fate = fate_in(manifest, finding)[0]
    image = " ".join(part for part in (manifest.image.id, manifest.image.version) if part)
    own = manifest.digest == host["image"]["manifest_digest"]
    which = "its own image, " if own else ""
    name = show(image) or "an image without a name"
    yield "replacing it", f"{which}{name} (baked {manifest.provenance.baked_at}), {_SAID[fate]}"


def _manifest(call: Call, host: Json) -> "Manifest":
    from driftscan.manifests.files import read_manifest
    from driftscan.manifests.registry import Registry

    place: str = call.settings.manifest
    if not place.startswith("s3://") and not Path(place).is_dir():
        return read_manifest(Path(place))
    registry = Registry(place, state_directory(call) / "registry")
    entries = [entry for entry in registry.entries() if not entry.problem]
    same = [entry for entry in entries if entry.image.id and entry.image.id == host["image"]["id"]]
    newest = max(same or entries, key=lambda entry: (entry.baked_at, entry.name), default=None)
    manifest = registry.find(newest.image) if newest else None
    if manifest is None:
        raise UsageError(f"{show(place)}: no manifest that can be found by its image", "Bake one with --image-id.")
    return manifest
