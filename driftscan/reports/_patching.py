"""Which image to bake anew, with what: for machines."""

from collections.abc import Mapping
from typing import Any

from driftscan.model.advisory import ImagePatching, OldCode, Upgrade


def built(patching: ImagePatching) -> dict[str, Any]:
    """As the report has it; not yet plain."""
    return {
        "image": {"id": patching.id, "version": patching.version, "manifest_digest": patching.manifest_digest},
        "hosts": patching.hosts,
        "severity": patching.severity,
        "advisories": patching.advisories,
        "unfixed": patching.unfixed,
        "ignored": patching.ignored,
        "upgrades": [_built(each) for each in patching.upgrades],
        "old_code": [{"service": each.service, "files": each.files, "hosts": each.hosts} for each in patching.old_code],
    }


def back(data: Mapping[str, Any]) -> ImagePatching:
    """From what `built` made."""
    image = data["image"]
    return ImagePatching(
        id=image["id"],
        version=image["version"],
        manifest_digest=image["manifest_digest"],
        hosts=tuple(data["hosts"]),
        upgrades=tuple(_back(each) for each in data["upgrades"]),
        advisories=data["advisories"],
        severity=data["severity"],
        unfixed=data["unfixed"],
        ignored=data["ignored"],
        old_code=tuple(
            OldCode(service=each["service"], files=tuple(each["files"]), hosts=tuple(each["hosts"]))
            for each in data.get("old_code", ())  # older reports have none
        ),
    )


def _built(upgrade: Upgrade) -> dict[str, Any]:
    return {
        "source": upgrade.source,
        "system": upgrade.system,
        "version": upgrade.version,
        "severity": upgrade.severity,
        "installed": upgrade.installed,
        "packages": upgrade.packages,
        "advisories": upgrade.advisories,
    }


def _back(data: Mapping[str, Any]) -> Upgrade:
    return Upgrade(
        source=data["source"],
        system=data["system"],
        version=data["version"],
        severity=data["severity"],
        installed=tuple(data["installed"]),
        packages=tuple(data["packages"]),
        advisories=tuple(data["advisories"]),
    )
