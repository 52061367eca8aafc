"""Which advisories are for which system: names of ecosystems (OSV schema, "Defined ecosystems") and of releases."""

import re
from collections.abc import Mapping

from driftscan.model.resource import Value

PYPI = "pypi"
NPM = "npm"
ORDERS: Mapping[str, str] = {
    "debian": "deb",
    "ubuntu": "deb",
    "alpine": "apk",
    "rocky": "rpm",
    "almalinux": "rpm",
    "rhel": "rpm",
    PYPI: PYPI,
    NPM: NPM,
}
"""How versions of a system are ordered, by the part of its name before the colon."""

_OSV: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern, re.ASCII), system)
    for pattern, system in (
        (r"Debian:([0-9]{1,3})", "debian:{}"),
        (r"Ubuntu:([0-9]{2}\.[0-9]{2})(?::LTS)?", "ubuntu:{}"),
        (r"Alpine:v([0-9]{1,3}\.[0-9]{1,3})", "alpine:{}"),
        (r"Rocky Linux:([0-9]{1,3})", "rocky:{}"),
        (r"AlmaLinux:([0-9]{1,3})", "almalinux:{}"),
        (r"Red Hat:enterprise_linux:([0-9]{1,3})(?:::.*)?", "rhel:{}"),
        (r"PyPI", PYPI),
        (r"npm", NPM),
    )
)
_CODENAME = re.compile(r"[a-z]{1,32}", re.ASCII)
_NUMBERS = re.compile(r"([0-9]{1,3})(?:\.([0-9]{1,3}))?.*", re.ASCII)


def of_ecosystem(name: str) -> str:
    """Our name for an ecosystem of OSV; empty for one that no fact here is about. Ubuntu's Pro is left out: its fixes
    are for subscribers."""
    for pattern, system in _OSV:
        if found := pattern.fullmatch(name):
            return system.format(*found.groups())
    return ""


def of_codename(name: str) -> str:
    """Our name for a release as the Debian security tracker calls it."""
    return f"debian:{name}" if _CODENAME.fullmatch(name) else ""


def of_host(os: Mapping[str, Value]) -> tuple[str, ...]:
    """The names under which there may be advisories for a host, by its os-release; empty: it is none of these."""
    platform, version, codename = (str(os.get(column) or "") for column in ("platform", "version_id", "codename"))
    numbers = _NUMBERS.fullmatch(version)
    major, minor = (numbers[1], numbers[2] or "") if numbers else ("", "")
    if platform == "debian":
        return tuple(f"debian:{part}" for part in (major, codename) if part)
    if platform in {"rocky", "almalinux", "rhel"}:
        return (f"{platform}:{major}",) if major else ()
    if platform in {"ubuntu", "alpine"} and minor:
        return (f"{platform}:{major}.{minor}",)
    return ()


def python_name(name: str) -> str:
    """A distribution's name as PyPI has it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()
