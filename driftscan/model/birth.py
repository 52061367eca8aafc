"""The reference of one host beyond its image: what it was when its first boot had settled."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from driftscan.model.resource import ResourceId


class Ground(StrEnum):
    """Why something that the image does not have belongs to a host."""

    DECLARED = "declared"
    """User data say exactly this."""
    PACKAGE = "package"
    """A package that user data ask for, installed by cloud-init, as its package has it."""
    FIRST_BOOT = "first-boot"
    """It came during first boot, user data have commands, and it is nothing that is executed or lets anybody in."""
    RUNNING = "running"
    """The manifest has no word on it, being of an image that did not run: so it was when it ran."""
    ZONE = "zone"
    """A zone lets first boot change it."""
    HAND = "hand"
    """A person accepted it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BirthRecord:
    """One resource as the host had it at birth. `line`: its canonical line (`model.codec`), or None where the image has
    it and the host had not."""

    kind: str
    key: str
    line: bytes | None
    ground: Ground
    why: str

    @property
    def id(self) -> ResourceId:
        """(kind, key)."""
        return (self.kind, self.key)


@dataclass(frozen=True, slots=True, kw_only=True)
class Birth:
    """What a host was at birth, relative to the manifest of its image. Times are UTC, RFC 3339."""

    machine: Mapping[str, str]
    """Values that are this machine's own, as `model.state.History` has them."""
    manifest: str
    """Digest of the manifest."""
    taken_at: str
    settled_at: str = ""
    """When first boot had ended; empty: not known."""
    user_data: str = ""
    """SHA-256 of the user data; empty: there are none."""
    records: tuple[BirthRecord, ...] = ()
    coverage: tuple[tuple[str, int, tuple[str, ...]], ...] = ()
    """Collectors (name, version, kinds) that told all of theirs, and of which the manifest has none."""
    sources: Mapping[str, str] = field(default_factory=dict)
    """Source (as text) -> digest of its answer, where all that it told is in the image or in the records; empty:
    neither that nor what the manifest has is expected of it."""
    undeclared: tuple[str, ...] = ()
    """What was there at birth and nothing accounts for: marks (`compare.lineage`)."""
    doubts: tuple[str, ...] = ()
    """Why it is not to be trusted silently."""
    digest: str = ""
    """`sha256:...` of all this; set when kept or read."""
