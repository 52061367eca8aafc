"""What a package shipped, told by others than the host that has it; and how well an operation's files are founded."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Rank(StrEnum):
    """Who says that a file is what its package shipped; the strongest first. Time alone is no proof."""

    ARCHIVE = "archive"
    """A package archive that the user brought: content, owner and mode."""
    MANIFEST = "manifest"
    """The manifest of an image that has the package at that version: content. Of what went: that it was there."""
    DATABASE = "database"
    """The host's own package database has this digest; who is root there can change both."""
    LISTS = "lists"
    """The host's own package database has the path; no digest was compared."""
    NONE = "none"
    """No file was told by any of these."""


STRENGTH = tuple(Rank)
"""The strongest first."""
WORTH = {
    Rank.ARCHIVE: "package archives from outside the host say so",
    Rank.MANIFEST: "manifests of images say so, and the host has no part in them",
    Rank.DATABASE: "the host's own package database says so, and whoever is root there can change it together with the"
    " files; name archives with --packages, or keep a manifest of an image with this version in the registry",
    Rank.LISTS: "the host's own package database names the paths, and of some no digest was compared: their content is"
    " not proved; name archives with --packages",
    Rank.NONE: "no file of it was compared with anything",
}
"""For a person: what a proof of this rank is worth."""


@dataclass(frozen=True, slots=True)
class Shipped:
    """A file as a package brought it, in the columns of kind `file`. None: this is not told. `content`: sha256 of a
    regular file, target of a link."""

    type: str
    content: str | None = None
    mode: str | None = None
    uid: int | None = None
    gid: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Shipment:
    """What one archive, or one manifest, says of a package at the version that the host has. Paths are as the package
    system writes them. `files` may leave out what nobody asks for; `paths` are all, None: not known."""

    rank: Rank
    origin: str
    files: Mapping[str, Shipped]
    paths: Collection[str] | None = None
    scripts: str = ""
    """Text of the install scripts."""


@dataclass(frozen=True, slots=True)
class Proof:
    """How the files of a package operation were told to be the packages'. `rank`: the weakest on which a regular file's
    content hangs; `files`: how many hang on which; `origins`: archives and images that were asked."""

    rank: Rank = Rank.NONE
    files: Mapping[Rank, int] = field(default_factory=dict)
    origins: tuple[str, ...] = ()

    @property
    def words(self) -> str:
        """The figures, for a person."""
        said = {
            Rank.ARCHIVE: "match the package archives",
            Rank.MANIFEST: "match manifests of images",
            Rank.DATABASE: "match the package database's MD5",
            Rank.LISTS: "are consistent with its lists of files",
        }
        told = [(self.files[rank], words) for rank, words in said.items() if self.files.get(rank)]
        return "; ".join(f"{count}{' files' if not index else ''} {words}" for index, (count, words) in enumerate(told))
