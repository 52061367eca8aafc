"""What the scanner keeps of a host between two scans, so that the next can be quick: small, and never on the host."""

from collections.abc import Mapping
from dataclasses import dataclass

from driftscan.model.snapshot import FileCoverage

FORMAT = 2
"""Grows whenever the digests of metadata, or what they are of, become others, or are kept in another way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileState:
    """The file plane of one host as the last scan saw it: its manifest but for some records, and digests of the
    metadata of all that is sealed, by which the next scan finds what moved."""

    manifest: str
    """Digest of the manifest."""
    rules: str
    """Digest of the rules of the walk."""
    states: bytes
    """The digests of the buckets' metadata, one after another."""
    removed: tuple[str, ...] = ()
    """Keys of the manifest that the host does not have."""
    told: bytes = b""
    """The walk's records of what is not as in the manifest."""


VISITS = 400
"""That are kept of a host: more than two weeks of hourly ones."""


@dataclass(frozen=True, slots=True)
class Visit:
    """When a scanner was on a host (nanoseconds, its own clock), as whom, and with which key (empty: without one)."""

    start: int
    end: int
    user: str
    key: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class HostState:
    """Everything that is kept of one host."""

    key: bytes
    """32 secret bytes: which files are read again, in which scan."""
    scans: int = 0
    """How many scans have been counted with this key."""
    seen_at: str = ""
    """When the last scan was; UTC, RFC 3339."""
    full_at: str = ""
    """When every file was read for the last time."""
    files: FileState | None = None
    """None: the next scan reads every file."""
    coverage: FileCoverage | None = None
    collectors: tuple[tuple[str, str, int], ...] = ()
    """Name, status, and number of gaps of each collector in the last scan."""
    visits: tuple[Visit, ...] = ()
    """The last of them, by which the host's log of logins is told apart from others' logins."""


@dataclass(frozen=True, slots=True)
class View:
    """What one scan could see: kinds that were looked at (none, where it was torn or incomplete), and patterns of what
    gaps hid."""

    kinds: frozenset[str] = frozenset()
    hidden: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """In what a machine differed from its image, in earlier scans. Marks stand for a mutation with its content."""

    machine: Mapping[str, str]
    """Values that are this machine's own: `file:/etc/machine-id`, host keys, `instance_id` -> value or digest."""
    manifest: str
    """Digest of the manifest that the marks are relative to."""
    young: bool
    """Whether `first` is of the first scan of this machine, so that nothing in it is known to have come later."""
    first: frozenset[str] | None
    """Marks of the first scan after its first boot had settled; None: it has not yet."""
    view: View = View()
    """What that scan could see."""
    last: frozenset[str] = frozenset()
    before: frozenset[str] = frozenset()
    """Marks of the last scan of the machine that had this name before."""
