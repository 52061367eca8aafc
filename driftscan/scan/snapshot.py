"""A snapshot, put together of facts and files."""

from driftscan.capture.base import TargetFacts
from driftscan.model.snapshot import ImageRef, Resources, Snapshot
from driftscan.scan.clock import now
from driftscan.scan.filescan import Files
from driftscan.scan.parsing import Parsed
from driftscan.scan.targets import Target


def assemble(
    target: Target,
    facts: TargetFacts,
    parsed: Parsed,
    found: Files,
    *,
    settled: bool = True,
    torn: tuple[str, ...] = (),
) -> Snapshot:
    """The snapshot."""
    return Snapshot(
        host=target.name,
        target=target.spec,
        taken_at=now(),
        resources=Resources(parsed.resources, found.records),
        coverage=tuple(sorted((*parsed.coverage, found.coverage), key=lambda coverage: coverage.name)),
        files=found.counts,
        image=image_of(parsed),
        live=facts.live,
        privileged=facts.privileged,
        settled=settled,
        torn=torn,
        probe_digest=facts.probe_digest,
        boot_id=facts.boot_id,
    )


def image_of(parsed: Parsed) -> ImageRef:
    """The image that the target's os-release names."""
    version = parsed.resources.get(("os_version", "-"))
    attributes = version.attributes if version else {}
    return ImageRef(str(attributes.get("image_id") or ""), str(attributes.get("image_version") or ""))
