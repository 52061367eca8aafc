"""`driftscan bake`."""

import os
import threading
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from driftscan import atomic
from driftscan.cli import _options as opt
from driftscan.cli._command import Argument, Call, Command
from driftscan.cli._outputs import check_writable
from driftscan.cli._packer import image_of
from driftscan.cli._progress import ConsoleProgress
from driftscan.cli._prompt import prompter
from driftscan.cli._targets import chosen, scan_options
from driftscan.cli._zone_file import zone_file, zone_lines
from driftscan.errors import UsageError
from driftscan.model.manifest import Manifest
from driftscan.model.names import show
from driftscan.model.snapshot import ImageRef
from driftscan.model.zone import ZoneClass

if TYPE_CHECKING:
    from driftscan.scan.bake import BakeResult
    from driftscan.zones.declared import Declared

MANIFEST = "manifest:"
NO_ZONES = "none"


def _run(call: Call) -> int:
    settings = call.settings
    if not settings.output:
        raise UsageError("driftscan bake: -o MANIFEST is missing", "Say where the manifest goes.")
    check_writable(settings.output, "-o")
    return _seal(call) if settings.packer_manifest else _bake(call)


def _bake(call: Call) -> int:
    from driftscan.manifests.files import write_manifest
    from driftscan.scan.bake import bake

    settings = call.settings
    targets = chosen(call, settings.target)
    options = scan_options(call, prompter(call.console, threading.Event()))
    options = replace(options, zones="" if settings.zones == NO_ZONES else settings.zones)
    progress = ConsoleProgress(call.console, len(targets))
    baked = bake(
        targets,
        image=ImageRef(settings.image_id, settings.image_version),
        zones=settings.zones,
        options=options,
        progress=progress,
    )
    progress.close()
    zones_path = f"{settings.output}.zones.yaml"
    several = len(targets) > 1 and settings.zones != NO_ZONES
    if several:
        answered = baked.by_hand if _is_same(settings.zones, zones_path) else ()
        sure = baked.held_out.text if baked.held_out else ""
        text = zone_file(answered, baked.learned, baked.questions, settings.output, sure)
        atomic.write(zones_path, [text.encode()])
    digest = write_manifest(baked.manifest, settings.output)
    for note in baked.notes:
        call.console.note(f"driftscan: {show(note)}")
    call.console.writelines(line + "\n" for line in _baked(settings.output, digest, baked.manifest, len(targets)))
    call.console.writelines(line + "\n" for line in _declared(baked.declared))
    if several:
        call.console.writelines(line + "\n" for line in _learned(baked, zones_path))
    call.console.writelines(line + "\n" for line in _os_release(baked.manifest.image))
    return 0


def _baked(path: str, digest: str, manifest: Manifest, boots: int) -> Iterator[str]:
    resources = sum(one.resources for one in manifest.coverage)
    yield f"{show(path)}: {resources:,} resources of {boots} target{'s' if boots > 1 else ''}, {digest}"


def _declared(said: "Declared") -> Iterator[str]:
    count = sum(zone.zone is not ZoneClass.SEALED for zone in said.zones)
    if count:
        yield ""
        yield f"{count} zones declared by the image itself; the manifest has file and line of each."
    if said.refused:
        yield from ("", "Declared, but never relaxed unless a zone by hand says so:")
        yield from (f"  {show(line)}" for line in said.refused)


def _is_same(one: str, other: str) -> bool:
    """Whether two paths are one file: answers that are read from the file that is written again must not be lost."""
    return bool(one) and os.path.realpath(one) == os.path.realpath(other)


def _learned(baked: "BakeResult", path: str) -> Iterator[str]:
    yield ""
    if baked.learned:
        yield f"{len(baked.learned)} zones learned from what differs among the boots and nothing in the image declares:"
    else:
        yield "No zones learned: beyond those that are declared, the boots do not differ."
    yield from (f"  {line}" for line in zone_lines(baked.learned))
    if baked.questions:
        yield from ("", "Refused until whoever owns the image says what it is:")
        yield from (f"  {show(question.text)}" for question in baked.questions)
    if baked.agreed:
        yield from ("", "Sealed, although first boot may write such files: these boots agree in them.")
        yield from (f"  {line}" for line in zone_lines(baked.agreed))
    yield from _unexplained(baked)
    if baked.learned or baked.questions:
        yield f"Answer each in {show(path)} (accept, seal, exclude; with a reason), and bake again with"
        yield f"  --zones {show(path)}"


def _unexplained(baked: "BakeResult") -> Iterator[str]:
    if baked.held_out:
        yield from ("", baked.held_out.text)
        for host, rids in baked.held_out.unexplained:
            (kind, key), more = rids[0], f" and {len(rids) - 1} more" if len(rids) > 1 else ""
            yield f"  {show(host)}: {kind} {show(key)}{more}"


def _os_release(image: ImageRef) -> Iterator[str]:
    """The lines that let later scans find this manifest by themselves (os-release(5))."""
    if image.id or image.version:
        yield from ("", "In the image's /etc/os-release, so that scans with -m DIRECTORY find this manifest:")
        if image.id:
            yield f"  IMAGE_ID={_shell(image.id)}"
        if image.version:
            yield f"  IMAGE_VERSION={_shell(image.version)}"
    else:
        yield from (
            "",
            "The manifest names no image; give --image-id and --image-version to keep several in a directory.",
        )


def _shell(text: str) -> str:
    """A value of os-release(5): quoted as in a shell where it is not plain."""
    if text and all(char.isascii() and (char.isalnum() or char in "._-") for char in text):
        return text
    escaped = "".join(f"\\{char}" if char in '"$`\\' else char for char in show(text))
    return f'"{escaped}"'


def _seal(call: Call) -> int:
    """Join a manifest with the image id that the build has produced in the meantime."""
    from driftscan.manifests.files import read_manifest, write_manifest

    settings = call.settings
    if len(settings.target) != 1 or not settings.target[0].startswith(MANIFEST):
        raise UsageError("--packer-manifest goes with one target, manifest:FILE", "See `driftscan bake --help`.")
    image_id, run = image_of(settings.packer_manifest, settings.image_id)
    manifest = read_manifest(settings.target[0].removeprefix(MANIFEST))
    sealed = replace(
        manifest,
        image=ImageRef(image_id, settings.image_version or manifest.image.version),
        provenance=replace(manifest.provenance, build_id=run),
    )
    digest = write_manifest(sealed, settings.output)
    version = f" version {show(sealed.image.version)}" if sealed.image.version else ""
    call.console.write(f"{show(settings.output)}: sealed to {show(image_id)}{version}, {digest}\n")
    return 0


COMMAND = Command(
    name="bake",
    summary="make a manifest from a reference host, from several boots of it, or from a root file system",
    examples=(
        (
            "driftscan bake ssh://root@boot-1 ssh://root@boot-2 ssh://root@boot-3 -o web.manifest",
            "three boots of one image: what differs among them becomes zones, printed and written beside the manifest",
        ),
        (
            "driftscan bake rootfs:/mnt/image -o web.manifest --image-id web --image-version 2026.11.20",
            "an unpacked image; what only a running system has is not baselined",
        ),
        (
            "driftscan bake manifest:web.manifest --packer-manifest packer.json -o manifests/web.manifest",
            "when the build has ended: seal the manifest to the image id that it produced",
        ),
    ),
    arguments=(Argument(name="TARGET", many=True, help="as for scan; several are boots of the same image"),),
    options=(
        replace(opt.OUTPUT, metavar="MANIFEST"),
        opt.IMAGE_ID,
        opt.IMAGE_VERSION,
        replace(
            opt.ZONES, metavar="FILE|none", help="a file of zones by hand; none: learn no zones from several boots"
        ),
        opt.PACKER_MANIFEST,
        opt.WORKERS,
        *opt.CONNECT,
    ),
    notes=("Exit codes: 0; 2 wrong input; 3 unreachable, torn, or not wholly seen: then no file is written.",),
    run=_run,
)
commands = (COMMAND,)
