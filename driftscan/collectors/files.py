"""Every entry of the tree, with all that Linux tells of a file without a third-party tool.

Format of the walk's records: `capture/probe/walk.py`. Attributes that a type of file does not have are left out
(a link has no mode); for those that it has, an empty value means known to be none, a missing one not known (flags of
a regular file that was not opened, for one). `model/columns.py` writes the lines.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from driftscan.collectors._base import Collector
from driftscan.errors import ParseError
from driftscan.model.columns import UNSEEN, encode_name, quoted, record_line
from driftscan.model.records import Records
from driftscan.model.resource import Attribute, Kind, Resource
from driftscan.model.snapshot import FileCoverage, Resources
from driftscan.model.source import Capture, Captures, Gap, Status, Tree, WalkRule

NAME = "files"
FILE = Kind(
    "file",
    "An entry of the file tree.",
    "absolute path inside the target's root",
    {
        "type": Attribute(str, "regular, directory, symlink, fifo, socket, block, character"),
        "mode": Attribute(str, "permissions as four octal digits, set-id and sticky bits first; not of links"),
        "uid": Attribute(int, "owner"),
        "gid": Attribute(int, "group"),
        "size": Attribute(int, "bytes; of regular files alone"),
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


@dataclass(slots=True)
class _Walk:
    """Counts and rows of a walk, while it is decoded."""

    source: Tree
    rows: list[tuple[str, bytes, bytes]] = field(default_factory=list)
    hashed: int = 0
    stat_only: int = 0
    unread: list[tuple[str, str]] = field(default_factory=list)
    raced: list[str] = field(default_factory=list)
    skipped: list[tuple[str, str]] = field(default_factory=list)
    poor: bool = False
    """The target could not show extended attributes."""


def table(capture: Capture) -> FileTable:
    """The records of a walk, sorted, with coverage and gaps. ParseError if the bytes are not records."""
    assert isinstance(capture.source, Tree)
    parts = capture.data.split(b"\0")
    if len(parts) % 4 != 1 or parts[-1].strip():
        raise ParseError(capture.source, 0, "the walk's records are cut off")
    walk = _Walk(capture.source)
    for index in range(0, len(parts) - 1, 4):
        _record(walk, parts[index], parts[index + 1], parts[index + 2], parts[index + 3])
    rows = sorted(walk.rows)
    for before, after in pairwise(rows):
        if before[0] == after[0]:
            raise ParseError(capture.source, 0, "the walk lists one path twice")
    keys, lines, observed = zip(*rows, strict=True) if rows else ((), (), ())
    gaps = tuple(_gaps(walk))
    closed = sum(reason in {"forbidden", "failed"} for _, reason in walk.skipped)
    over = sum(reason == "limit" for _, reason in walk.unread)
    coverage = FileCoverage(
        seen=len(rows),
        hashed=walk.hashed,
        stat_only=walk.stat_only,
        unreadable=len(walk.unread) - over + closed,
        excluded=sum(reason == "rule" for _, reason in walk.skipped),
        raced=len(walk.raced),
        over_limit=over,
    )
    hidden = tuple(sorted(path for path, reason in walk.skipped if reason in {"pseudo", "remote"}))
    return FileTable(Records(keys, lines, observed), coverage, gaps, tuple(sorted(walk.raced)), hidden, closed)


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
    walk.rows.append((key, text.encode(), seen.encode()))


def _content(walk: _Walk, key: str, digest: str) -> None:
    if digest == "-":
        walk.stat_only += 1
    elif digest == "!raced":
        walk.raced.append(key)
    elif digest.startswith("!"):
        walk.unread.append((key, digest[1:]))
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
    unread = sorted(walk.unread + [(path, "changed while it was read") for path in walk.raced])
    for path, reason in unread[:_GAPS_LISTED]:
        status = Status.FORBIDDEN if reason == "forbidden" else Status.FAILED
        yield Gap(NAME, status, f"the content of {path} could not be read ({reason})", (f"file:{_literally(path)}",))
    rest = {path.rpartition("/")[0] for path, _ in unread[_GAPS_LISTED:]}
    if rest:
        reason = f"the content of {len(unread) - _GAPS_LISTED} more files could not be read"
        yield Gap(NAME, Status.FORBIDDEN, reason, tuple(f"file:{_literally(path)}/*" for path in sorted(rest)))


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
