"""What a collector asks a target for (sources), and what came back (captures)."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias

from driftscan.errors import ParseError, UnavailableError
from driftscan.model.lines import Buffer, Held
from driftscan.model.zone import Tolerance


class Status(StrEnum):
    """How an ask ended. `absent` is a fact; all others but `ok` are gaps."""

    OK = "ok"
    ABSENT = "absent"
    FORBIDDEN = "forbidden"
    FAILED = "failed"
    TRUNCATED = "truncated"
    TIMED_OUT = "timed_out"
    UNSUPPORTED = "unsupported"


class Redact(StrEnum):
    """Reductions made on the target, before anything leaves it."""

    NONE = ""
    SHADOW = "shadow"
    """Password fields of shadow(5) and gshadow(5) leave as `locked`, `empty`, `!` + scheme, or scheme (`$y$`)."""
    SECRETS = "secrets"
    """Values after password=, token:, --secret and the like, and credentials in URLs."""
    BOOT = "boot"
    """As `secrets`, and what follows the name in GRUB's `password NAME ...`, but for a reference to user.cfg."""


@dataclass(frozen=True, slots=True)
class File:
    """The content of one file; a symbolic link is followed inside the target's root."""

    path: str
    max_bytes: int = 4 << 20
    redact: Redact = Redact.NONE

    def __str__(self) -> str:
        """As messages name it."""
        return self.path


@dataclass(frozen=True, slots=True)
class Glob:
    """The content (or, with `content=False`, only names and link targets) of all files that match any
    pattern. `*`, `?`, `[...]` match within a path component; a component `**` matches any depth.
    Directories that match are listed as members without data; links are members with `link` set and
    the data of what they lead to inside the root, where that is a regular file."""

    patterns: tuple[str, ...]
    max_files: int = 5000
    max_bytes: int = 256 << 10
    redact: Redact = Redact.NONE
    content: bool = True
    public: bool = False
    """Content leaves the target only of regular files that every user there may read, the directories on the way
    included; links are not followed."""
    unread: tuple[str, ...] = ()
    """Paths of which it is only told that they are there: their content never stays the same."""
    unless: str = ""
    """A program: where the target has it, which tells more, nothing is looked for, and the status is `absent`."""

    def __str__(self) -> str:
        """As messages name it: the first pattern stands for all."""
        return self.patterns[0] + (" ..." if len(self.patterns) > 1 else "")


@dataclass(frozen=True, slots=True)
class Command:
    """The output of a read-only command, only on a live target (or, if `rooted` has an option such as `--root`, run by
    the scanner with that option and the directory at the end of its arguments). Exit codes in `ok` are success.
    Status `absent`: there is no such program."""

    argv: tuple[str, ...]
    ok: tuple[int, ...] = (0,)
    max_bytes: int = 16 << 20
    timeout: int = 60
    redact: Redact = Redact.NONE
    rooted: str = ""

    def __str__(self) -> str:
        """As messages name it: a script by its first line."""
        return " ".join(self.argv).partition("\n")[0][:80]


@dataclass(frozen=True, slots=True)
class Processes:
    """A row per process from /proc: see `ProcessRow`. Only on a live target."""

    def __str__(self) -> str:
        """As messages name it."""
        return "the processes"


@dataclass(frozen=True, slots=True)
class Locks:
    """Which of these files some process holds a lock on: their paths, one a line. Only on a live target."""

    paths: tuple[str, ...]

    def __str__(self) -> str:
        """As messages name it."""
        return f"locks on {self.paths[0]}" + (" ..." if len(self.paths) > 1 else "")


@dataclass(frozen=True, slots=True)
class WalkRule:
    """How the walk treats paths that match a glob: `prune` (not entered), `stat` (content not read),
    `prefix` (also hash the first `size` bytes), `hash`; and what a walk that compares accepts of them."""

    pattern: str
    action: str
    size: int = 0
    tolerance: Tolerance | None = None
    """None: sealed."""


@dataclass(frozen=True, slots=True)
class Tree:
    """A walk of the tree below `roots` on local file systems: one record per entry."""

    roots: tuple[str, ...] = ("/",)
    rules: tuple[WalkRule, ...] = ()
    digest: str = "sha256"
    """`sha256`, `md5` (to compare with a package database), or empty for metadata alone."""


@dataclass(frozen=True, slots=True)
class Step:
    """A step of a comparison with a target that has Python (`capture/probe/comparison.py`): its name, and its packed
    sections (`model.digests`)."""

    name: str
    data: bytes

    def __str__(self) -> str:
        """As messages name it."""
        return f"step {self.name} of the comparison"


Source: TypeAlias = File | Glob | Command | Processes | Locks | Tree | Step


@dataclass(frozen=True, slots=True)
class Member:
    """One file of a glob: its path inside the root, and its data unless `status` says why not."""

    path: bytes
    status: Status
    data: bytes = b""
    link: bytes | None = None
    mode: int = 0
    uid: int = 0
    gid: int = 0
    detail: str = ""

    @property
    def closed(self) -> bool:
        """Whether it stands for a directory that may not be entered: what lies below could not be seen."""
        return self.status is Status.FORBIDDEN and not self.mode


class Fate(StrEnum):
    """What is wrong with a file whose code runs, the gravest first."""

    MEMORY = "memory"
    """It never was a file: memory with a name (memfd_create(2))."""
    DELETED = "deleted"
    """Nothing has its name any more."""
    SCRATCH = "scratch"
    """It is there, in a directory that everybody may write to."""
    REPLACED = "replaced"
    """Another file has its name."""
    EQUAL = "equal"
    """Another file has its name, and its content."""


@dataclass(frozen=True, slots=True)
class LoadedFile:
    """A file that a process has loaded code from, and that its path leads to no more, or to where everybody may write.
    `sha256`: of the content that runs; empty where it could not be read. `since`: when what has the path now last
    changed (ctime, nanoseconds since 1970); 0 where nothing has."""

    path: bytes
    fate: Fate
    sha256: str = ""
    since: int = 0


@dataclass(frozen=True, slots=True)
class ProcessRow:
    """One process: executable's path as /proc/PID/exe gives it (without ` (deleted)`), whether that
    file is deleted, user id, socket inodes, and its systemd unit from its cgroup, if any."""

    pid: int
    ppid: int
    uid: int
    name: bytes
    exe: bytes
    deleted: bool
    sockets: frozenset[int]
    unit: bytes
    started: int
    """Start time in clock ticks after boot (field 22 of proc_pid_stat(5))."""
    visible: bool = True
    """False: another user's process; its executable and sockets could not be seen."""
    looked: Status = Status.UNSUPPORTED
    """Whether `loaded` is all (ok), or there may be more: an older probe does not look (unsupported)."""
    apart: bool = False
    """It has another root in a mount namespace of its own, as in a container: its paths are not the target's."""
    loaded: tuple[LoadedFile, ...] = ()
    """Its executable is not among them."""


@dataclass(frozen=True, slots=True)
class Capture:
    """What came back for one source: raw bytes and a status."""

    source: Source
    status: Status
    data: bytes = b""
    members: tuple[Member, ...] = ()
    processes: tuple[ProcessRow, ...] = ()
    detail: str = ""
    exit_code: int | None = None
    sections: Mapping[str, bytes] = field(default_factory=dict)
    """What a step of a comparison gives besides the records that are its data."""
    digest: str = field(default="", compare=False)
    """Digest of the answer as the target gave it; empty where it was not given over the probe's protocol."""
    same: bool = False
    """The answer is what its expected digest says; it was not sent, and cannot be read."""
    stored: Buffer | None = None
    """The records of a walk, which may be many: they lie here, and `data` is empty."""

    @property
    def content(self) -> Buffer:
        """The data, wherever they lie."""
        return Held(str(self.source), self.data) if self.stored is None else self.stored


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a text capture; `number` counts from 1."""

    number: int
    text: str


def lines(text: str) -> Iterator[Line]:
    """Lines without their newline. Only \\n ends a line (not form feeds or U+2028)."""
    if text:
        for number, line in enumerate(text.removesuffix("\n").split("\n"), 1):
            yield Line(number, line)


class Captures(Mapping[Source, Capture]):
    """All captures of one target. The readers raise `UnavailableError` for a gap and treat `absent` as the
    fact it is: `text`, `lines`, and `members` of what is absent are empty; ask `exists` where it matters."""

    def __init__(self, captures: Sequence[Capture]) -> None:
        """Index captures by source; a source that was asked twice must have one answer."""
        self._by_source = {capture.source: capture for capture in captures}

    def __getitem__(self, source: Source) -> Capture:
        """The capture of a source; KeyError means the source was never asked (a bug, not a gap)."""
        return self._by_source[source]

    def __iter__(self) -> Iterator[Source]:
        """The sources."""
        return iter(self._by_source)

    def __len__(self) -> int:
        """How many sources were asked."""
        return len(self._by_source)

    def need(self, source: Source) -> Capture:
        """The capture if its status is ok or absent; raises UnavailableError else. What was not sent because it is as
        expected must not be read: whoever asks for that has not looked at `same` (a bug)."""
        capture = self[source]
        assert not capture.same, f"{source} was not sent"
        if capture.status not in (Status.OK, Status.ABSENT):
            raise UnavailableError(source, capture.status, capture.detail)
        return capture

    def exists(self, source: Source) -> bool:
        """Whether there is something to read; raises UnavailableError for a gap."""
        return self.need(source).status is Status.OK

    def text(self, source: Source) -> str:
        """The data as text: UTF-8, and what is not valid UTF-8 as surrogates (round trip safe)."""
        return self.need(source).data.decode("utf-8", "surrogateescape")

    def lines(self, source: Source) -> Iterator[Line]:
        """See `lines`."""
        return lines(self.text(source))

    def members(self, source: Glob) -> tuple[Member, ...]:
        """The members of a glob, sorted by path. Members that could not be read are among them: check `status`."""
        return self.need(source).members


def fields(line: Line, count: int, source: Source, separator: str | None = None) -> list[str]:
    """At least `count` fields of a line, or ParseError with the line's number."""
    parts = line.text.split(separator)
    if len(parts) < count:
        raise ParseError(source, line.number, f"expected {count} fields, found {len(parts)}")
    return parts


@dataclass(frozen=True, slots=True)
class Gap:
    """What could not be looked at, why, and which resources that hides (`kind` or `kind:glob of keys`)."""

    collector: str
    status: Status
    reason: str
    hides: tuple[str, ...] = field(default=())
