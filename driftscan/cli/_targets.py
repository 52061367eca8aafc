"""The targets and options of a call, as the scan package takes them."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from driftscan.cli._command import Call, Settings

if TYPE_CHECKING:
    from driftscan.scan.options import ScanOptions
    from driftscan.scan.targets import ConnectOverrides, Target


def chosen(call: Call, words: Sequence[str], *, with_inventory: bool = True) -> "tuple[Target, ...]":
    """The targets that words name; with an inventory and no word, all of its hosts. UsageError for an unknown one."""
    from driftscan.scan.targets import resolve

    settings = call.settings
    inventories = settings.inventory if with_inventory or words else ()
    return resolve(words, inventories, settings.limit, overrides(settings))


def overrides(settings: Settings) -> "ConnectOverrides":
    """The connection options that were given; they win over the inventory's."""
    from driftscan.scan.targets import ConnectOverrides

    return ConnectOverrides(
        user=settings.user,
        port=settings.port,
        identity=tuple(os.path.abspath(path) for path in settings.identity),
        known_hosts=tuple(os.path.abspath(path) for path in settings.known_hosts),
        ssh_config=os.path.abspath(settings.ssh_config) if settings.ssh_config else None,
        jump=settings.jump,
        sudo=settings.sudo,
        timeout=settings.timeout,
        accept_new_host_keys=settings.accept_new_host_keys or None,
    )


def scan_options(call: Call, prompt: Callable[[str], str] | None) -> "ScanOptions":
    """What `scan`, `bake`, `diff` and their like are asked to do; options that a command has not are at rest."""
    from driftscan.model.snapshot import ImageRef
    from driftscan.scan.options import ScanOptions

    settings = call.settings
    captures = getattr(settings, "captures", None)
    return ScanOptions(
        manifest=getattr(settings, "manifest", ""),
        policies=getattr(settings, "policy", ()),
        workers=getattr(settings, "workers", 0),
        zones=getattr(settings, "zones", ""),
        state_dir=state_directory(call),
        prompt=prompt,
        captures=Path(captures) if captures else None,
        image=ImageRef(getattr(settings, "image_id", ""), getattr(settings, "image_version", "")),
    )


def state_directory(call: Call) -> Path:
    """`--store`, else driftscan/ in the user's state directory (XDG Base Directory Specification)."""
    given = getattr(call.settings, "store", None)
    if given:
        return Path(given)
    home = call.environ.get("HOME") or os.path.expanduser("~")
    base = call.environ.get("XDG_STATE_HOME") or os.path.join(home, ".local", "state")
    return Path(base) / "driftscan"
