"""Which image to bake anew, with what: in words."""

from posixpath import basename

from driftscan.model.advisory import ImagePatching, OldCode, Upgrade
from driftscan.model.names import show
from driftscan.reports._words import plural

FILES = 4
"""Files of a service that are named."""
HOSTS = 3
"""Hosts of an image that are named; the rest are counted."""


def headline(patching: ImagePatching) -> str:
    """`image web 11: 14 advisories with a fix in 6 packages, highest critical; 40 hosts run it (...)`."""
    if not patching.manifest_digest:
        who = f"{plural(len(patching.hosts), 'host')} without a known image ({_some(patching.hosts)})"
    else:
        count = len(patching.hosts)
        who = f"{plural(count, 'host')} {'runs' if count == 1 else 'run'} it ({_some(patching.hosts)})"
    subject = f"{show(title(patching))}: " if patching.manifest_digest else ""
    return f"{subject}{what(patching)}; {who}"


def title(patching: ImagePatching) -> str:
    """`image web 11`, else its manifest's digest; `hosts without a known image` where that is so."""
    if not patching.manifest_digest:
        return "hosts without a known image"
    return f"image {' '.join(filter(None, (patching.id, patching.version))) or patching.manifest_digest[:19]}"


def what(patching: ImagePatching) -> str:
    """`14 advisories with a fix in 6 packages, highest critical`."""
    if not patching.advisories:
        told = patching.unfixed or patching.ignored or not patching.old_code
        return "no advisory with a fix" if told else f"old code runs in {plural(len(patching.old_code), 'service')}"
    highest = "severity not known" if patching.severity == "unknown" else f"highest {patching.severity}"
    number = advisories(patching.advisories)
    return f"{number} with a fix in {plural(len(patching.upgrades), 'package')}, {highest}"


def advisories(count: int) -> str:
    """`1 advisory`, `1,200 advisories`."""
    return f"{count:,} advisor{'y' if count == 1 else 'ies'}"


def rest(patching: ImagePatching) -> str:
    """What no bake mends; empty if there is nothing."""
    told = [f"{patching.unfixed:,} without a fix yet"] if patching.unfixed else []
    told += [f"{patching.ignored:,} ignored by the distribution"] if patching.ignored else []
    return f"also {', '.join(told)}" if told else ""


def line(upgrade: Upgrade) -> str:
    """`openssl >= 3.0.15-1~deb12u1 (critical, 3 advisories; installed 3.0.11-1)`."""
    installed = ", ".join(map(show, upgrade.installed[:HOSTS])) + (", ..." if len(upgrade.installed) > HOSTS else "")
    number = advisories(len(upgrade.advisories))
    severity = "severity not known" if upgrade.severity == "unknown" else upgrade.severity
    return f"{show(upgrade.source)} >= {show(upgrade.version)} ({severity}, {number}; installed: {installed})"


def old_code(service: OldCode) -> str:
    """`nginx.service runs old code of libcrypto.so.3, libssl.so.3; restart or replace (web-1, web-2 and 38 more)`."""
    files = [show(basename(path)) for path in service.files[:FILES]]
    more = f" and {len(service.files) - FILES:,} more" if len(service.files) > FILES else ""
    who = show(service.service)
    return f"{who} runs old code of {', '.join(files)}{more}: restart or replace ({_some(service.hosts)})"


def _some(hosts: tuple[str, ...]) -> str:
    more = f" and {len(hosts) - HOSTS:,} more" if len(hosts) > HOSTS else ""
    return ", ".join(map(show, hosts[:HOSTS])) + more
