"""Declared changes: what a new image is meant to differ in, as the people who built it wrote it down."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from driftscan.model.drift import Change

ANY = "any"
"""A version that may be whatever it is."""


class PackageChange(StrEnum):
    """How a package may differ. `state`: held, half installed, or another section of the same version."""

    INSTALLED = "installed"
    REMOVED = "removed"
    UPGRADED = "upgraded"
    DOWNGRADED = "downgraded"
    STATE = "state"


EVERY_CHANGE = frozenset({Change.ADDED, Change.REMOVED, Change.MODIFIED})
USUAL_PACKAGE_CHANGES = frozenset({PackageChange.INSTALLED, PackageChange.REMOVED, PackageChange.UPGRADED})
"""What an entry covers that does not say. Nobody means a downgrade by chance."""


@dataclass(frozen=True, slots=True)
class Content:
    """What a file of the build repository is: regular (then its SHA-256), symlink (then its target), directory."""

    type: str
    value: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PackageEntry:
    """Packages by globs of their names, with the versions before and after. `origin`: `file:line:column`, as of all
    entries; no two have the same."""

    names: tuple[str, ...]
    reason: str
    origin: str
    before: str = ANY
    after: str = ANY
    changes: frozenset[PackageChange] = USUAL_PACKAGE_CHANGES

    @property
    def title(self) -> str:
        """`package openssl`."""
        return f"package {', '.join(self.names)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class FileEntry:
    """Files by globs of their paths. With `sha256` or `contents` only what has that very content."""

    paths: tuple[str, ...]
    reason: str
    origin: str
    changes: frozenset[Change] = EVERY_CHANGE
    sha256: str = ""
    tree: str = ""
    """The directory of the build repository, as it was written."""
    contents: Mapping[str, Content] = field(default_factory=dict)
    """What `tree` has, by path in the image."""
    privileged: bool = False
    """Whether set-id bits, capabilities and device nodes are meant, too."""

    @property
    def title(self) -> str:
        """`file /etc/motd`."""
        return f"file {', '.join(self.paths)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class FactEntry:
    """Resources of other kinds by `kind:glob`. `attributes`: those that may differ; empty: all."""

    patterns: tuple[str, ...]
    reason: str
    origin: str
    changes: frozenset[Change] = EVERY_CHANGE
    attributes: frozenset[str] = frozenset()

    @property
    def title(self) -> str:
        """`service:nginx.service`."""
        return ", ".join(self.patterns)


Entry = PackageEntry | FileEntry | FactEntry


@dataclass(frozen=True, slots=True, kw_only=True)
class DeclaredChanges:
    """All that is declared; entries in the order of their file."""

    packages: tuple[PackageEntry, ...] = ()
    files: tuple[FileEntry, ...] = ()
    facts: tuple[FactEntry, ...] = ()

    @property
    def entries(self) -> tuple[Entry, ...]:
        """All entries: packages, files, other resources."""
        return (*self.packages, *self.files, *self.facts)
