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
    HOST = "host"
    """Another host of the scan that brought the package to that version, too, and is clean otherwise: content."""
    DATABASE = "database"
    """The host's own package database has this digest; who is root there can change both."""
    LISTS = "lists"
    """The host's own package database has the path; no digest was compared."""
    NONE = "none"
    """No file was told by any of these."""


STRENGTH = tuple(Rank)
"""The strongest first."""
OUTSIDE = (Rank.ARCHIVE, Rank.MANIFEST)
"""Who tells it of any host."""
WORTH = {
    Rank.ARCHIVE: "package archives from outside the host say so",
    Rank.MANIFEST: "manifests of images say so, and the host has no part in them",
    Rank.HOST: "other hosts that have this version and are clean otherwise say so, and whoever is root on all of them"
    " can change it on all; name archives with --packages",
    Rank.DATABASE: "the host's own package database says so, and whoever is root there can change it together with the"
    " files; name archives with --packages, or keep a manifest of an image with this version in the registry",
    Rank.LISTS: "the host's own package database names the paths, and of some no digest was compared: their content is"
    " not proved; name archives with --packages",
    Rank.NONE: "no file of it was compared with anything",
}
"""For a person: what a proof of this rank is worth."""


INFO = "/var/lib/dpkg/info/"
"""Where dpkg keeps what came in a package's control part (`NAME.postinst`, `NAME:ARCHITECTURE.triggers`): as it was in
the archive, but for `list`, which it writes itself, and `md5sums` where the archive has none (deb-md5sums(5))."""


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
    system writes them; those of an archive's control part are beneath INFO. `files` may leave out what nobody asks for;
    `paths` are all, None: not known."""

    rank: Rank
    origin: str
    files: Mapping[str, Shipped]
    paths: Collection[str] | None = None
    scripts: str = ""
    """Text of the install scripts."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A regular file that no outsider told of: of which package (`key version`), and who says so."""

    package: str
    rank: Rank


@dataclass(frozen=True, slots=True)
class Proof:
    """How the files of a package operation were told to be the packages'. `files`: how many hang on which rank;
    `told`: the weakest of outsiders on which a content hangs; `origins`: archives and images that were asked; `claims`:
    by path, what the host alone vouches for, until other hosts are heard."""

    files: Mapping[Rank, int] = field(default_factory=dict)
    told: Rank = Rank.NONE
    origins: tuple[str, ...] = ()
    claims: Mapping[str, Claim] = field(default_factory=dict)

    @property
    def rank(self) -> Rank:
        """The weakest on which a regular file's content hangs; where there is none, on which anything does."""
        hangs_on = {claim.rank for claim in self.claims.values()} | ({self.told} - {Rank.NONE})
        return max(hangs_on or self.files, key=STRENGTH.index, default=Rank.NONE)

    @property
    def words(self) -> str:
        """The figures, for a person."""
        said = {
            Rank.ARCHIVE: "match the package archives",
            Rank.MANIFEST: "match manifests of images",
            Rank.HOST: "match other hosts with that version",
            Rank.DATABASE: "match the package database's MD5",
            Rank.LISTS: "are consistent with its lists of files",
        }
        told = [(self.files[rank], words) for rank, words in said.items() if self.files.get(rank)]
        return "; ".join(f"{count}{' files' if not index else ''} {words}" for index, (count, words) in enumerate(told))
