"""The image that a Packer build made, from the JSON of its manifest post-processor.

Format (Packer documentation, post-processor "manifest"): `builds`, a list that grows with every run, each with
`artifact_id` and `packer_run_uuid`; `last_run_uuid` names the newest run. An artifact id of Amazon builders is
`region:ami-...`, several of them separated by commas.
"""

import json
import os
from typing import Any

from driftscan.errors import UsageError
from driftscan.model.names import show

MAX_BYTES = 16 << 20


def image_of(path: str, wanted: str) -> tuple[str, str]:
    """(image id, run id) of the last run. `wanted`: which image, where the build made several (one per region).
    UsageError for a file that is not such a manifest, and where it is not clear which image is meant."""
    run, artifacts = _last_run(path)
    images = sorted({image for artifact in artifacts for image in _images(artifact)})
    if wanted and wanted in images:
        return wanted, run
    if wanted:
        raise UsageError(f"{path}: the last build made {_list(images)}, not {show(wanted)}", "Correct --image-id.")
    if len(images) != 1:
        raise UsageError(f"{path}: the last build made {_list(images)}", "Say which one is meant with --image-id.")
    return images[0], run


def _last_run(path: str) -> tuple[str, list[str]]:
    data = _read(path)
    run, builds = data.get("last_run_uuid"), data.get("builds")
    if not isinstance(run, str) or not isinstance(builds, list):
        raise _unfit(path, "it lacks builds and last_run_uuid")
    artifacts = [
        build["artifact_id"]
        for build in builds
        if isinstance(build, dict) and build.get("packer_run_uuid") == run and isinstance(build.get("artifact_id"), str)
    ]
    if not artifacts:
        raise _unfit(path, "no build of its last run names an artifact_id")
    return run, artifacts


def _read(path: str) -> dict[str, Any]:
    try:
        if os.path.getsize(path) > MAX_BYTES:
            raise _unfit(path, "it is too large")
        with open(path, encoding="utf-8") as stream:
            data = json.load(stream)
    except OSError as error:
        raise UsageError(f"--packer-manifest {path}: {error.strerror}", "Name the file that Packer wrote.") from None
    except (ValueError, RecursionError) as error:
        raise _unfit(path, f"it is not JSON ({error})") from None
    if not isinstance(data, dict):
        raise _unfit(path, "it is not a JSON object")
    return data


def _images(artifact: str) -> list[str]:
    """`eu-west-1:ami-1,us-east-1:ami-2` -> the ids; an id of another builder stands as it is."""
    parts = [part.strip() for part in artifact.split(",") if part.strip()]
    return [part.rpartition(":")[2] if ":ami-" in part else part for part in parts]


def _list(images: list[str]) -> str:
    return show(", ".join(images)) if images else "no image"


def _unfit(path: str, why: str) -> UsageError:
    return UsageError(
        f"--packer-manifest {path}: not a manifest of Packer: {show(why)}",
        'Add `post-processor "manifest" {}` to the build and name the file that it writes.',
    )
