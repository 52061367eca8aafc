"""Kinds that no collector speaks of: what follows, for a host, from its facts and from what the scanner knows of the
world outside: advisories, images, the end of support.

Rules use them as any other kind. They are made anew at each scan (`scan/outside.py`), and are part of no snapshot and
of no comparison: a new advisory is no drift.
"""

from collections.abc import Mapping

from driftscan.model.resource import Attribute, Form, Kind

ADVISORY = Kind(
    "advisory",
    "A package that an advisory is about, at a version that it affects (`--advisories`)",
    "ID/key of the package: CVE-2026-1234/openssl/amd64",
    {
        "id": Attribute(str, "Name of the advisory"),
        "aliases": Attribute(tuple, "Its other names, and what it mends"),
        "system": Attribute(str, "What it is for: `debian:12`, `alpine:3.22`, `pypi`, `npm` ..."),
        "package": Attribute(str, "Name of the installed package"),
        "arch": Attribute(str, "Its architecture; empty where it has none"),
        "source": Attribute(str, "The name under which the advisory speaks of it: dpkg's and apk's source package"),
        "version": Attribute(str, "Installed version"),
        "fix": Attribute(str, "`fixed`: a version mends it; `none`: none does yet; `ignored`: none will"),
        "fixed_version": Attribute(str, "The version that mends it; empty: none"),
        "reason": Attribute(str, "Why its distribution ignores it; empty: it does not"),
        "severity": Attribute(str, "`critical`, `high`, `medium`, `low`, or `unknown`"),
        "score": Attribute(int, "CVSS base score in tenths: 98 is 9.8; absent: there is no vector"),
        "published": Attribute(str, "Day on which it was published; absent: it is not told", Form.TIME),
        "summary": Attribute(str, "What it is about"),
    },
)
IMAGE = Kind(
    "image",
    "The image that the host is judged against, where it has a manifest",
    "always `-`",
    {
        "id": Attribute(str, "As a cloud or os-release names it"),
        "version": Attribute(str, "As a cloud or os-release names it"),
        "baked_at": Attribute(str, "When it was baked", Form.TIME),
    },
)
SUPPORT = Kind(
    "os_support",
    "How long somebody mends the release of the operating system",
    "always `-`",
    {
        "release": Attribute(str, "Such as `debian/12`"),
        "ends": Attribute(str, "Last day of free security updates; of Debian with LTS", Form.TIME),
        "source": Attribute(str, "`os-release`, where that says it (SUPPORT_END), else `driftscan`"),
    },
)
KERNEL = Kind(
    "running_kernel",
    "The running kernel and the newest installed one; not where the kernel is another machine's, as in containers",
    "always `-`",
    {
        "release": Attribute(str, "As `uname -r` prints it"),
        "newest": Attribute(str, "Release of the newest installed kernel"),
        "newest_version": Attribute(str, "Version of its package"),
        "stale": Attribute(bool, "An older one runs than is installed"),
    },
)
KINDS: Mapping[str, Kind] = {kind.name: kind for kind in (ADVISORY, IMAGE, SUPPORT, KERNEL)}
