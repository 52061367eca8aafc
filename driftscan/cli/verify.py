"""`driftscan verify`."""

from driftscan.cli._command import Argument, Call, Command
from driftscan.model.manifest import Manifest
from driftscan.model.names import show


def _run(call: Call) -> int:
    from driftscan.manifests import files

    path: str = call.settings.manifest_file
    files.verify(path)
    call.console.write(_summary(path, files.read_manifest(path)))
    return 0


def _summary(path: str, manifest: Manifest) -> str:
    image = " ".join(part for part in (manifest.image.id, manifest.image.version) if part) or "no image named"
    resources = sum(one.resources for one in manifest.coverage)
    return (
        f"{path}: whole\n"
        f"  image      {show(image)}\n"
        f"  baked      {show(manifest.provenance.baked_at)} by {show(manifest.provenance.tool)},"
        f" from {len(manifest.references)} reference(s)\n"
        f"  resources  {resources:,} of {len(manifest.covered_kinds)} kinds; {len(manifest.zones):,} zones\n"
        f"  digest     {manifest.digest}\n"
    )


COMMAND = Command(
    name="verify",
    summary="check that a manifest is whole and untampered",
    examples=(("driftscan verify web-2026.11.20.manifest", "format, digests, order; then what it holds"),),
    arguments=(Argument(name="MANIFEST", dest="manifest_file", help="a manifest file"),),
    notes=("Exit codes: 0 whole; 2 not a manifest, cut short, or changed since it was written.",),
    run=_run,
)
commands = (COMMAND,)
