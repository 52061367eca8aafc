"""Kernels: which of the installed ones counts, and whether the newest one runs.

A kernel that neither runs nor is the newest will not run again; packages of its source that hold no kernel (headers,
documentation, tools) are mended with it and cannot be attacked through it.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from driftscan.advisories.order import compare, latest
from driftscan.model.resource import Resource
from driftscan.model.snapshot import Resources

_DEB_SOURCE = re.compile(
    r"linux(?:-signed.*|-[0-9].*|-(?:aws|azure|gcp|gke|gkeop|oracle|kvm|hwe|oem|raspi|lowlatency|ibm|nvidia|intel|bluefield)"
    r"(?:-.*)?)?",
    re.ASCII,
)
"""Sources of Debian and Ubuntu that build kernels; `linux-base`, `linux-firmware` and their like do not."""
_DEB_IMAGE = re.compile(r"linux-image-(?:unsigned-)?([0-9].*)", re.ASCII)
_DEB_BUILD = re.compile(r"(?:^| )Debian ([0-9][0-9A-Za-z.+~-]*)", re.ASCII)
"""`#1 SMP PREEMPT_DYNAMIC Debian 6.1.90-1 (2024-05-03)`: the version of the running one, whose name stays the same."""
_RPM_IMAGE = frozenset({"kernel", "kernel-core", "kernel-modules", "kernel-rt", "kernel-rt-core", "kernel-64k-core"})
_APK_IMAGE = re.compile(r"linux-(?:lts|virt|edge|rpi|stable)", re.ASCII)
_RPM_SOURCE = re.compile(r"kernel(?:-rt|-64k)?-[0-9].*\.src\.rpm", re.ASCII)


@dataclass(frozen=True, slots=True)
class Kernel:
    """A package that holds a kernel. `release`: as `uname -r` prints it."""

    package: Resource
    release: str
    version: str
    system: str


@dataclass(frozen=True, slots=True)
class Running:
    """The running kernel and the newest one on disk, as releases, with their versions where they are known."""

    release: str
    newest: str
    newest_version: str
    stale: bool


def counted(resources: Resources) -> Callable[[Resource], bool]:
    """A test whether a package counts: each that is no kernel's, and of kernels the running and the newest."""
    kernels = list(_kernels(resources))
    info = resources.get("kernel_info", "-")
    running = str(info.attributes.get("version") or "") if info else ""
    newest = latest((kernel.version for kernel in kernels), kernels[0].system) if kernels else ""
    keys = {kernel.package.key for kernel in kernels if running == kernel.release or kernel.version == newest}
    return lambda package: package.key in keys or not _of_kernel(package)


def running(resources: Resources) -> Running | None:
    """None where no kernel runs that is one of the installed packages', or none is known to run: of containers the
    kernel is another machine's."""
    kernels = list(_kernels(resources))
    info = resources.get("kernel_info", "-")
    release = str(info.attributes.get("version") or "") if info else ""
    own = next((kernel for kernel in kernels if kernel.release == release), None)
    if info is None or own is None:
        return None
    newest_version = latest((kernel.version for kernel in kernels), own.system)
    newest = next(kernel for kernel in kernels if kernel.version == newest_version)
    build = _DEB_BUILD.search(str(info.attributes.get("build") or "")) if own.system == "deb" else None
    version = build[1] if build else own.version
    stale = compare(version, newest_version, own.system) == -1
    return Running(release, newest.release, newest_version, stale)


def _kernels(resources: Resources) -> Iterator[Kernel]:
    for package in resources.of("package"):
        if package.attributes.get("status") not in {"installed", "broken"}:
            continue
        name, version = (str(package.attributes.get(column) or "") for column in ("name", "version"))
        arch, system = (str(package.attributes.get(column) or "") for column in ("arch", "type"))
        image = _DEB_IMAGE.fullmatch(name)
        if system == "deb" and image and _of_kernel(package):
            yield Kernel(package, image[1], version, system)
        elif system == "rpm" and name in _RPM_IMAGE:
            yield Kernel(package, f"{version.rpartition(':')[2]}.{arch}", version, system)
        elif system == "apk" and _APK_IMAGE.fullmatch(name):
            flavour = name.partition("-")[2]
            yield Kernel(package, f"{version.replace('-r', '-')}-{flavour}", version, system)


def _of_kernel(package: Resource) -> bool:
    """Whether it is built from a kernel's source."""
    source = str(package.attributes.get("source") or "")
    sources = {"deb": _DEB_SOURCE, "rpm": _RPM_SOURCE, "apk": _APK_IMAGE}
    expression = sources.get(str(package.attributes.get("type")))
    return expression is not None and expression.fullmatch(source) is not None
