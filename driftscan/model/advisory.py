"""Advisories: what is known to be wrong with versions of packages, and which of it a host has."""

from dataclasses import dataclass
from enum import StrEnum


class Fix(StrEnum):
    """Whether there is a version that mends a package that an advisory is about."""

    FIXED = "fixed"
    """There is, in the release that the host runs."""
    NONE = "none"
    """There is none yet."""
    IGNORED = "ignored"
    """There will be none: the distribution holds it for unimportant, or no longer supports the release."""


@dataclass(frozen=True, slots=True)
class Span:
    """Versions from `introduced` on (empty: from the first) and before `fixed`, or up to `last` and with it."""

    introduced: str = ""
    fixed: str = ""
    last: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Advisory:
    """What one record says of one package of one system. `versions`: affected ones by name, where there are no spans.
    `ignored`: why its distribution will not mend it; empty: nobody says so. `severity`: the word of who published it
    (`critical`, `high`, `medium`, `low`), empty if there is none; `vector`: of CVSS. `published`: a day in UTC, empty:
    not told."""

    id: str
    aliases: tuple[str, ...] = ()
    spans: tuple[Span, ...] = ()
    versions: tuple[str, ...] = ()
    ignored: str = ""
    severity: str = ""
    vector: str = ""
    published: str = ""
    summary: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """An advisory that a host's package is affected by. `key`: of the package's resource; `source`: the name under
    which the advisory speaks of it; `fixed`: the version that mends it, empty if there is none. `severity`: as in
    `Advisory`, `unknown` where neither a word nor a vector says it; `score`: of CVSS, in tenths; None: no vector."""

    advisory: Advisory
    system: str
    key: str
    package: str
    arch: str
    source: str
    version: str
    fix: Fix
    fixed: str = ""
    severity: str = "unknown"
    score: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AdvisoryUse:
    """A file or folder of advisories that a scan was given. `files`: how many were read; `digest`: `sha256:` of the
    file's content, of several of their digests (32 bytes each) in the order of their names."""

    given: str
    files: int
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Upgrade:
    """One package that an image is to be baked with anew. `version`: the least that mends all of its advisories;
    `installed`: the versions that hosts have."""

    source: str
    system: str
    version: str
    installed: tuple[str, ...]
    packages: tuple[str, ...]
    advisories: tuple[str, ...]
    severity: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OldCode:
    """A service (a program, where it is in no unit) that runs files which were replaced or removed since it began."""

    service: str
    files: tuple[str, ...]
    hosts: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ImagePatching:
    """What hosts of one image lack. Empty id and digest: hosts that no image is known of. `unfixed`, `ignored`: how
    many more advisories there are for which no fix is out, or will be. `old_code`: what was mended, and runs on."""

    id: str
    version: str
    manifest_digest: str
    hosts: tuple[str, ...]
    upgrades: tuple[Upgrade, ...]
    advisories: int
    severity: str
    unfixed: int
    ignored: int
    old_code: tuple[OldCode, ...] = ()
