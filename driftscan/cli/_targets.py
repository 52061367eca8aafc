"""The targets and options of a call, as the scan package takes them."""

import json
import os
import pwd
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from driftscan.cli._command import Call, Settings
from driftscan.errors import UsageError

if TYPE_CHECKING:
    from driftscan.model.place import Place
    from driftscan.scan.options import ScanOptions
    from driftscan.scan.targets import ConnectOverrides, Target


def chosen(call: Call, words: Sequence[str]) -> "tuple[Target, ...]":
    """The targets that words name; with an inventory and no word, all of its hosts. UsageError for an unknown one."""
    from driftscan.scan.targets import resolve

    settings = call.settings
    return resolve(words, settings.inventory, settings.limit, overrides(settings))


def scope(settings: Settings) -> str:
    """Which targets were asked for: the same text for the same inventories, limit and words, wherever one stands."""
    inventories = sorted(each if ":" in each else os.path.abspath(each) for each in settings.inventory)
    return json.dumps([inventories, settings.limit, sorted(settings.target)])


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
        max_cpu=settings.max_cpu,
        max_read=settings.max_read,
        probe=settings.probe,
    )


def scan_options(call: Call, prompt: Callable[[str], str] | None) -> "ScanOptions":
    """What `scan`, `bake`, `diff` and their like are asked to do; options that a command has not are at rest."""
    from driftscan.model.snapshot import ImageRef
    from driftscan.scan.audit import CYCLE
    from driftscan.scan.options import ScanOptions

    settings = call.settings
    captures = getattr(settings, "captures", None)
    return ScanOptions(
        manifest=getattr(settings, "manifest", ""),
        policies=getattr(settings, "policy", ()),
        waivers=getattr(settings, "waivers", ()),
        workers=getattr(settings, "workers", 0),
        mode=_mode(settings),
        cycle=getattr(settings, "cycle", 0) or CYCLE,
        zones=getattr(settings, "zones", ""),
        packages=getattr(settings, "packages", ()),
        advisories=getattr(settings, "advisories", ()),
        state_dir=state_directory(call),
        store=place(call),
        prompt=prompt,
        captures=Path(captures) if captures else None,
        by=who(call.environ),
        image=ImageRef(getattr(settings, "image_id", ""), getattr(settings, "image_version", "")),
    )


def who(environ: Mapping[str, str]) -> str:
    """Who runs this, as reports tell it: `user@machine`; where sudo made somebody root, `user as root@machine`."""
    try:
        user = pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        user = f"uid {os.geteuid()}"
    before = environ.get("SUDO_USER", "") if os.geteuid() == 0 else ""
    return f"{before} as {user}@{os.uname().nodename}" if before else f"{user}@{os.uname().nodename}"


def _mode(settings: Settings) -> str:
    """UsageError for both of two opposites."""
    full, quick = getattr(settings, "full", False), getattr(settings, "quick", False)
    if full and quick:
        raise UsageError("--full and --quick exclude each other", "Give one; without either, first scans are full.")
    return "full" if full else "quick" if quick else "auto"


def place(call: Call) -> "Place":
    """`--store` and `--store-reports`, else the user's state directory. UsageError for a URL of another kind."""
    from driftscan import content
    from driftscan.model.place import parse

    settings = call.settings
    reports = getattr(settings, "store_reports", None)
    return parse(getattr(settings, "store", None), content.state_directory(call.environ), reports)


def state_directory(call: Call) -> Path:
    """Where files of this machine are kept: `--store` if that is a directory, else the user's state directory."""
    return place(call).directory
