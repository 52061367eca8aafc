"""What the scanner keeps of a host between two scans, so that the next can be quick: small, and never on the host."""

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
