"""Zones: what may differ from the reference, where, in which attributes, and why."""

from dataclasses import dataclass
from enum import StrEnum


class ZoneClass(StrEnum):
    """design.md's zone classes, strictest first. `sealed` is the default of every resource."""

    SEALED = "sealed"
    BOOT_ONCE = "boot-once"
    IDENTITY = "identity"
    DERIVED = "derived"
    APPEND_ONLY = "append-only"
    ROTATING_LOG = "rotating-log"
    RENEWING = "renewing"
    SECRET = "secret"
    FREE = "free"
    EXTERNAL = "external"


UNREAD = frozenset({ZoneClass.FREE, ZoneClass.SECRET, ZoneClass.ROTATING_LOG})
"""Classes of which the content of files is never read."""


class Provenance(StrEnum):
    """Who says so, strongest first: a pack, the image itself, several boots, a person's hand."""

    PACK = "pack"
    DECLARED = "declared"
    LEARNED = "learned"
    HAND = "hand"


@dataclass(frozen=True, slots=True, kw_only=True)
class Zone:
    """One rule. `pattern` is `kind:glob of keys`; a pattern that begins with `/` means `file:`.

    In globs of file keys `*` and `?` stay within a path component and a component `**` matches any depth
    (also none); in keys of other kinds `*` matches anything. The most specific pattern wins: the longest
    text before the first wildcard, then the longest pattern; hand wins over learned over declared over
    pack where patterns are equal.
    """

    pattern: str
    zone: ZoneClass
    reason: str
    attributes: tuple[str, ...] = ()
    """Attributes that may differ; empty: those that the class frees."""
    may_appear: bool | None = None
    """Whether resources may be added here; None: as the class says."""
    may_vanish: bool | None = None
    executables: bool = False
    """Whether new executables, set-id bits, capabilities and device nodes are allowed here (`free` alone)."""
    provenance: Provenance = Provenance.HAND
    origin: str = ""
    """File and line, or the boots it was learned from."""

    @property
    def kind(self) -> str:
        """The kind that the pattern is about."""
        return "file" if self.pattern.startswith("/") else self.pattern.partition(":")[0]

    @property
    def glob(self) -> str:
        """The glob of keys."""
        return self.pattern if self.pattern.startswith("/") else self.pattern.partition(":")[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tolerance:
    """What a zone accepts of a file, as far as a target can decide that by itself, path by path. What it cannot decide,
    it tells; what it tells is judged as ever. No tolerance: sealed."""

    frees: tuple[str, ...] = ()
    """Columns that may differ."""
    comes: bool = False
    """One more may appear."""
    guarded: bool = False
    """Set-id bits, capabilities, device nodes and new executables are told all the same."""
    exact: bool = False
    """Every change is told: the value itself is wanted."""
    grows: bool = False
    """The old content must be the beginning of the new one."""
    unread: bool = False
    """Content is not read, so that what is only known of who has opened a file is not compared."""
