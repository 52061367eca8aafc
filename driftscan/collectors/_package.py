"""The kind `package`, shared by the package systems, and its keys."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from driftscan.collectors._text import key, value
from driftscan.model.resource import Attribute, Form, Kind, Resource, Value

DPKG_STATES = (
    "installed",
    "config-files",
    "half-installed",
    "unpacked",
    "half-configured",
    "triggers-awaited",
    "triggers-pending",
)

PACKAGE = Kind(
    "package",
    "A package of the system's package manager",
    "name/arch; name/arch@version where several versions are installed",
    {
        "name": Attribute(str, "Name"),
        "version": Attribute(
            str, "Whole version as the package system writes it: epoch, upstream version, revision", Form.VERSION
        ),
        "arch": Attribute(str, "Architecture; `all` or `noarch`: any"),
        "source": Attribute(str, "Source package that it was built from; rpm: file name of the source package"),
        "source_version": Attribute(str, "Version of the source package (dpkg only)", Form.VERSION),
        "status": Attribute(
            str,
            "`installed`; dpkg: its state word, such as config-files, half-installed, unpacked, half-configured, "
            "triggers-awaited, triggers-pending; apk: `broken` where files or scripts failed",
            words=(*DPKG_STATES, "broken"),
        ),
        "held": Attribute(bool, "Marked to be kept back from upgrades (dpkg only)"),
        "reinstall": Attribute(bool, "Damaged, must be installed again (dpkg's reinstreq, only)"),
        "section": Attribute(str, "Section (dpkg only)"),
        "maintainer": Attribute(str, "Maintainer; rpm: vendor"),
        "type": Attribute(str, "Package system: deb, rpm, apk", words=("deb", "rpm", "apk")),
    },
    shape=r".+/.*",
)


@dataclass(frozen=True, slots=True)
class Package:
    """One installed package. `pinned`: several of its name are normal (rpm's gpg-pubkey), so that its key always
    carries the version."""

    name: str
    arch: str
    version: str
    attributes: dict[str, Value] = field(default_factory=dict)
    observed: dict[str, Value] = field(default_factory=dict)
    pinned: bool = False


def resources(packages: Iterable[Package]) -> Iterator[Resource]:
    """One resource per package with the contract's keys. Of two with one name, arch and version the last holds."""
    unique = {(package.name, package.arch, package.version): package for package in packages}
    count = Counter((package.name, package.arch) for package in unique.values())
    for package in _ordered(list(unique.values())):
        several = package.pinned or count[package.name, package.arch] > 1
        name = f"{package.name}/{package.arch}" + (f"@{package.version}" if several else "")
        attributes: dict[str, Value] = {
            "name": value(package.name),
            "version": value(package.version),
            "arch": value(package.arch),
        }
        yield Resource("package", key(name), attributes | package.attributes, package.observed)


def _ordered(packages: Sequence[Package]) -> list[Package]:
    return sorted(packages, key=lambda package: (package.name, package.arch, package.version))
