"""The program that runs on targets, made to answer what driftscan asks and nothing else."""

from functools import cache

from driftscan.capture.base import TargetFacts
from driftscan.capture.probe import render
from driftscan.errors import ProbeError
from driftscan.model.codec import decode_resource
from driftscan.model.manifest import Manifest
from driftscan.scan import evidence, launch, machine, packages, readiness, standin, torn
from driftscan.scan.parsing import collectors


@cache
def text() -> str:
    """The program, for streaming and for images alike. What it may be asked: the sources of all collectors, and what a
    scan asks besides; files that every user of the host may read, names and digests need no permission."""
    every = {source for collector in collectors().values() for source in collector.sources}
    every |= {
        launch.source(),
        launch.DIGEST,
        *machine.SOURCES,
        *readiness.SOURCES,
        *torn.SOURCES,
        *standin.SOURCES,
        *evidence.SOURCES,
        packages.LISTS,
        readiness.CLOCK,
    }
    return render.script(render.permit(every))


@cache
def as_file() -> str:
    """The same as a file for images."""
    return render.as_file(text())


def check(facts: TargetFacts, manifest: Manifest | None) -> None:
    """Where the probe is a file of the target, ProbeError unless it is ours or that of the target's image: what another
    one says is not believed."""
    path = facts.probe_path
    if not path or facts.probe_digest in (render.digest(as_file()), _baked(path, manifest)):
        return
    raise ProbeError(
        f"{path} on the host is neither this driftscan's probe nor what the manifest has there ({facts.probe_digest})",
        "Was it changed, or written by another version? `driftscan probe --write FILE` writes it for the next image.",
    )


def _baked(path: str, manifest: Manifest | None) -> str:
    """The digest that the manifest has of a file; empty if none."""
    line = manifest.resources.files.line(path) if manifest is not None else None
    return f"sha256:{decode_resource(line).attributes.get('sha256', '')}" if line is not None else ""
