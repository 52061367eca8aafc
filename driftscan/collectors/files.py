"""Every entry of the tree, with all that Linux tells of a file without a third-party tool.

Format of the walk's records: `capture/probe/walk.py`. Attributes that a type of file does not have are left out
(a link has no mode); for those that it has, an empty value means known to be none, a missing one not known (flags of
a regular file that was not opened, for one). `model/columns.py` writes the lines.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from driftscan.collectors._base import Collector
from driftscan.errors import ParseError
from driftscan.model.columns import UNSEEN, encode_name, quoted, record_line
from driftscan.model.lines import Buffer, pieces
from driftscan.model.packed import joined
from driftscan.model.records import Records
from driftscan.model.resource import Attribute, Form, Kind, Resource
from driftscan.model.snapshot import FileCoverage, Resources
from driftscan.model.source import Capture, Captures, Gap, Status, Tree, WalkRule
from driftscan.stored import Sorter, pack

NAME = "files"
_TYPES = ("regular", "directory", "symlink", "fifo", "socket", "block", "character")

FILE = Kind(
    "file",
    "An entry of the file tree.",
    "absolute path inside the target's root",
    {
        "type": Attribute(str, ", ".join(_TYPES), words=_TYPES),
        "mode": Attribute(str, "permissions as four octal digits, set-id and sticky bits first; not of links"),
        "uid": Attribute(int, "owner"),
        "gid": Attribute(int, "group"),
        "size": Attribute(int, "bytes; of regular files alone", Form.SIZE),
        "sha256": Attribute(str, "digest of the content; missing where the content was not read"),
        "md5": Attribute(str, "digest of the content, where a package database is the baseline"),
        "nlink": Attribute(int, "hard links; of regular files alone"),
        "target": Attribute(str, "what a symbolic link says"),
        "device": Attribute(str, "major:minor of a device node"),
        "acl": Attribute(str, "POSIX ACL beyond the mode, access entries and then default: entries"),
        "capabilities": Attribute(
            str, "file capabilities as in cap_from_text(3), names written out; `=`: an empty set"
        ),
        "selinux": Attribute(str, "SELinux label"),
        "flags": Attribute(str, "inode flags as chattr(1) letters: i immutable, a append-only, ..."),
        "xattrs": Attribute(dict, "other extended attributes: name to value in hexadecimal, or its digest"),
    },
    shape=r"/|(?:/(?!\.{1,2}(?:/|\Z))[^/]+)+",
)

_HEAD = re.compile(
    rb"\s*([fdlpsbc]) ([0-7]{4}) ([0-9]{1,10}) ([0-9]{1,10}) (0|[1-9][0-9]{0,19}|[0-9]{1,10}:[0-9]{1,10}|\?)"
    rb" ([0-9]{1,20}) (-?[0-9]{1,20}) (-?[0-9]{1,20}) ([0-9]{1,20}) [0-9]{1,20} ([0-9a-f]{32,64}|-|![a-z]{1,16})"
    rb" ([0-9a-f]{32,64}|-|![a-z]{1,16}) ([a-zA-Z]{1,16}|-)"
)
_DIGITS = {"sha256": 64, "md5": 32}
_GAPS_LISTED = 200
_BEYOND_SEEING = {"pseudo": "kernel file system", "remote": "remote file system, not read", "rule": "excluded by rule"}


def tree(rules: tuple[WalkRule, ...], digest: str = "sha256", roots: tuple[str, ...] = ("/",)) -> Tree:
    """The source: which parts of the tree to walk, and how."""
    return Tree(roots, rules, digest)


@dataclass(frozen=True, slots=True)
class FileTable:
    """What a walk found."""

    records: Records
    coverage: FileCoverage
    gaps: tuple[Gap, ...]
    raced: tuple[str, ...]
    """Files that changed while they were read."""
    hidden: tuple[str, ...]
    """Directories that a remote or kernel file system covers."""
    closed: int = 0
    """How many places could not be entered."""


class _Unread:
    """Files whose content was not read: some by name, all by their directory."""

    def __init__(self) -> None:
        self.count = 0
        self._first: list[tuple[str, str]] = []
        self._directories: dict[str, int] = {}

    def add(self, path: str, reason: str) -> None:
        """One more."""
        self.count += 1
        self._first.append((path, reason))
        place = path.rpartition("/")[0]
        self._directories[place] = self._directories.get(place, 0) + 1
        if len(self._first) > 10 * _GAPS_LISTED:
            self._first = self.first()

    def first(self) -> list[tuple[str, str]]:
        """The first of them by path, with the reasons."""
        return sorted(self._first)[:_GAPS_LISTED]

    def others(self) -> list[str]:
        """The directories of those that are not among the first."""
        left = dict(self._directories)
        for path, _ in self.first():
            left[path.rpartition("/")[0]] -= 1
        return sorted(place for place, count in left.items() if count)


@dataclass(slots=True)
class _Walk:
    """Counts and rows of a walk, while it is decoded."""

    source: Tree
    rows: Sorter = field(default_factory=lambda: Sorter("the records of the walk"))
    hashed: int = 0
    stat_only: int = 0
    over_limit: int = 0
    unread: _Unread = field(default_factory=_Unread)
    raced: list[str] = field(default_factory=list)
    skipped: list[tuple[str, str]] = field(default_factory=list)
    poor: bool = False
    """The target could not show extended attributes."""

    def lines(self) -> Iterator[bytes]:
        """The lines of the files in order. ParseError if two are of one path."""
        last: bytes | None = None
        for key, line in self.rows.pairs():
            if key == last:
                raise ParseError(self.source, 0, "the walk lists one path twice")
            last = key
            yield line


def table(capture: Capture) -> FileTable:
    """The records of a walk, sorted, with coverage and gaps. ParseError if the bytes are not records; IncompleteError
    if they are more than memory is for, and the scanner's disk has no room for them."""
    assert isinstance(capture.source, Tree)
    walk = _Walk(capture.source)
    for record in _fours(capture.source, capture.content):
        _record(walk, *record)
    records = pack(walk.lines(), "the records of the walk", observed=True)
    closed = sum(reason in {"forbidden", "failed"} for _, reason in walk.skipped)
    coverage = FileCoverage(
        seen=len(records),
        hashed=walk.hashed,
        stat_only=walk.stat_only,
        unreadable=walk.unread.count - len(walk.raced) - walk.over_limit + closed,
        excluded=sum(reason == "rule" for _, reason in walk.skipped),
        raced=len(walk.raced),
        over_limit=walk.over_limit,
    )
    hidden = tuple(sorted(path for path, reason in walk.skipped if reason in {"pseudo", "remote"}))
    return FileTable(records, coverage, tuple(_gaps(walk)), tuple(sorted(walk.raced)), hidden, closed)


def by_path(records: bytes) -> dict[bytes, bytes]:
    """Path -> its record, of a walk's records; those that say what was not looked at are left out. ParseError as
    `table`."""
    return {fields[1]: _joined(fields) for fields in _cut(records) if not fields[0].lstrip().startswith(b"X")}


def skips(records: bytes) -> tuple[bytes, ...]:
    """The records that say what was not looked at, each once."""
    found = (_joined(fields) for fields in _cut(records) if fields[0].lstrip().startswith(b"X"))
    return tuple(dict.fromkeys(found))


def _cut(records: bytes) -> Iterator[list[bytes]]:
    parts = records.split(b"\0")
    if len(parts) % 4 != 1:
        raise ParseError(Tree(), 0, "the walk's records are cut off")
    yield from (parts[index : index + 4] for index in range(0, len(parts) - 1, 4))


def _joined(fields: Sequence[bytes]) -> bytes:
    return b"\0".join(fields) + b"\0"


def _fours(source: Tree, content: Buffer) -> Iterator[list[bytes]]:
    """The four fields of each record."""
    rest = b""
    fields: list[bytes] = []
    for data in pieces(content):
        fields += (rest + data).split(b"\0")
        rest = fields.pop()
        whole = len(fields) - len(fields) % 4
        for index in range(0, whole, 4):
            yield fields[index : index + 4]
        del fields[:whole]
    if fields or rest.strip():
        raise ParseError(source, 0, "the walk's records are cut off")


def parse(captures: Captures) -> Iterator[Resource | Gap]:
    """Resources one by one; `table` is the same for whole trees."""
    for source in captures:
        if isinstance(source, Tree):
            found = table(captures.need(source))
            yield from found.gaps
            yield from Resources(files=found.records).of("file")


def _record(walk: _Walk, head: bytes, path: bytes, target: bytes, extended: bytes) -> None:
    key = encode_name(path)
    if head.startswith(b"X"):
        words = head.decode("ascii", "replace").split(" ")
        walk.skipped.append((key, words[1] if len(words) > 1 else "failed"))
        return
    fields = _HEAD.fullmatch(head)
    if fields is None:
        raise ParseError(walk.source, 0, "a field of the walk is malformed")
    kind, mode, uid, gid, size, nlink, mtime, ctime, inode, digest, prefix, flags = (
        word.decode() for word in fields.groups()
    )
    if size.isdigit() is (kind in "bc"):
        raise ParseError(walk.source, 0, "a size that such a file does not have")
    if kind == "f":
        _content(walk, key, digest)
    walk.poor = walk.poor or (extended == UNSEEN and kind != "l")
    named = (walk.source.digest, digest)
    try:
        text = record_line(
            kind, int(mode, 8), int(uid), int(gid), size, int(nlink), named, flags, target, extended, quoted(key)
        )
    except ValueError as error:
        raise ParseError(walk.source, 0, str(error)) from error
    seen = f'{{"ctime":{int(ctime)},"inode":{int(inode)},"mtime":{int(mtime)}'
    seen += f',"prefix_sha256":{quoted(prefix)}}}' if prefix != "-" else "}"
    walk.rows.add(key.encode("utf-8", "surrogatepass"), joined(text.encode(), seen.encode()))


def _content(walk: _Walk, key: str, digest: str) -> None:
    if digest == "-":
        walk.stat_only += 1
    elif digest == "!raced":
        walk.raced.append(key)
        walk.unread.add(key, "changed while it was read")
    elif digest.startswith("!"):
        walk.over_limit += digest == "!limit"
        walk.unread.add(key, digest[1:])
    elif len(digest) != _DIGITS[walk.source.digest]:
        raise ParseError(walk.source, 0, "a digest has not its length")
    else:
        walk.hashed += 1


def _gaps(walk: _Walk) -> Iterable[Gap]:
    """A gap for what could not be read; a great many are summed up as the directories that hold them."""
    for path, reason in sorted(walk.skipped):
        if reason == "control":
            yield Gap(NAME, Status.UNSUPPORTED, "names with control characters can't be told apart there", ("file",))
        elif reason not in _BEYOND_SEEING and reason != "absent":
            status = Status.FORBIDDEN if reason == "forbidden" else Status.FAILED
            hides = (f"file:{_literally(path.rstrip('/'))}/**", f"file:{_literally(path)}")
            yield Gap(NAME, status, f"{path} could not be entered ({reason})", hides)
    if walk.poor:
        yield Gap(NAME, Status.UNSUPPORTED, "without Python, no ACLs, capabilities, labels and flags can be seen", ())
    for path, reason in walk.unread.first():
        status = Status.FORBIDDEN if reason == "forbidden" else Status.FAILED
        yield Gap(NAME, status, f"the content of {path} could not be read ({reason})", (f"file:{_literally(path)}",))
    if others := walk.unread.others():
        reason = f"the content of {walk.unread.count - _GAPS_LISTED} more files could not be read"
        yield Gap(NAME, Status.FORBIDDEN, reason, tuple(f"file:{_literally(path)}/*" for path in others))


def _literally(key: str) -> str:
    """A pattern for one key. A star in a name, which a host may choose, must not hide the files beside it."""
    return key.replace("*", "?")


collector = Collector(
    name=NAME,
    version=2,
    doc=__doc__ or "",
    kinds=(FILE,),
    sources=(),
    parse=parse,
)
