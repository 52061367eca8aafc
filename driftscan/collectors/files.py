"""Every entry of the tree, with all that Linux tells of a file without a third-party tool.

Format of the walk's records: `capture/probe/walk.py`. Attributes that a type of file does not have are left out
(a link has no mode); for those that it has, an empty value means known to be none, a missing one not known (flags of
a regular file that was not opened, for one).
ACLs: acl(5) and linux/posix_acl_xattr.h; capabilities: capabilities(7) and linux/capability.h.
"""

import json
import re
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise

from driftscan.collectors._base import Collector
from driftscan.errors import ParseError
from driftscan.model.codec import canonical
from driftscan.model.names import encode_name
from driftscan.model.records import Records
from driftscan.model.resource import Attribute, Kind, Resource
from driftscan.model.snapshot import FileCoverage, Resources
from driftscan.model.source import Capture, Captures, Gap, Source, Status, Tree, WalkRule

NAME = "files"
UNSEEN = b"?"
"""In the place of extended attributes: the target has no tool that shows them, nor ACLs, capabilities and flags."""
TYPES = {
    "f": "regular",
    "d": "directory",
    "l": "symlink",
    "p": "fifo",
    "s": "socket",
    "b": "block",
    "c": "character",
}
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

_SAFE = re.compile(r"[ !#-\[\]-~]*")
_DIGEST = {"sha256": re.compile("[0-9a-f]{64}"), "md5": re.compile("[0-9a-f]{32}")}
_MODE = re.compile("[0-7]{4}")
_NUMBER = re.compile(r"-?[0-9]{1,20}")
_DEVICE = re.compile(r"[0-9]{1,10}:[0-9]{1,10}")
_FLAGS = re.compile("[a-zA-Z]{0,16}")
_UNOPENED = frozenset({"-", "!forbidden", "!failed"})
"""Digests of regular files that the walk has not opened, or may not have: their flags were not seen."""
_GAPS_LISTED = 200
_BEYOND_SEEING = {"pseudo": "kernel file system", "remote": "remote file system, not read", "rule": "excluded by rule"}
# fmt: off
_CAPABILITIES = (
    "chown", "dac_override", "dac_read_search", "fowner", "fsetid", "kill", "setgid", "setuid", "setpcap",
    "linux_immutable", "net_bind_service", "net_broadcast", "net_admin", "net_raw", "ipc_lock", "ipc_owner",
    "sys_module", "sys_rawio", "sys_chroot", "sys_ptrace", "sys_pacct", "sys_admin", "sys_boot", "sys_nice",
    "sys_resource", "sys_time", "sys_tty_config", "mknod", "lease", "audit_write", "audit_control", "setfcap",
    "mac_override", "mac_admin", "syslog", "wake_alarm", "block_suspend", "audit_read", "perfmon", "bpf",
    "checkpoint_restore",
)
# fmt: on
_ACL_TAGS = {0x01: "user", 0x02: "user", 0x04: "group", 0x08: "group", 0x10: "mask", 0x20: "other"}


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
    coverage = FileCoverage(
        seen=len(rows),
        hashed=walk.hashed,
        stat_only=walk.stat_only,
        unreadable=len(walk.unread) + sum(reason in {"forbidden", "failed"} for _, reason in walk.skipped),
        excluded=sum(reason == "rule" for _, reason in walk.skipped),
        raced=len(walk.raced),
    )
    hidden = tuple(sorted(path for path, reason in walk.skipped if reason in {"pseudo", "remote"}))
    return FileTable(Records(keys, lines, observed), coverage, gaps, tuple(sorted(walk.raced)), hidden)


def parse(captures: Captures) -> Iterator[Resource | Gap]:
    """Resources one by one; `table` is the same for whole trees."""
    for source in captures:
        if isinstance(source, Tree):
            found = table(captures.need(source))
            yield from found.gaps
            yield from Resources(files=found.records).of("file")


def _record(walk: _Walk, head: bytes, path: bytes, target: bytes, extended: bytes) -> None:
    key = encode_name(path)
    words = head.decode("ascii", "replace").strip().split(" ")
    if words[0] == "X":
        walk.skipped.append((key, words[1] if len(words) > 1 else "failed"))
        return
    if len(words) != 13 or words[0] not in TYPES:
        raise ParseError(walk.source, 0, "a record of the walk has not its 13 fields")
    kind, mode, uid, gid, size, nlink, mtime, ctime, inode, _, digest, prefix, flags = words
    values = {"type": _text(TYPES[kind]), "uid": _number(walk.source, uid), "gid": _number(walk.source, gid)}
    if kind == "l":
        values["target"] = _text(encode_name(target))
    else:
        walk.poor = walk.poor or extended == UNSEEN
        values["mode"] = f'"{_checked(walk.source, _MODE, mode)}"'
        values.update(_extended(walk.source, extended, flags))
    if kind == "f":
        if flags == "-" and digest in _UNOPENED:
            values.pop("flags", None)
        values["size"] = _number(walk.source, size)
        values["nlink"] = _number(walk.source, nlink)
        _content(walk, key, digest, values)
    elif kind in "bc" and size != "?":
        values["device"] = f'"{_checked(walk.source, _DEVICE, size)}"'
    body = ",".join(f'"{name}":{values[name]}' for name in sorted(values))
    line = f'{{"attributes":{{{body}}},"key":{_text(key)},"kind":"file"}}'.encode()
    numbers = (_number(walk.source, ctime), _number(walk.source, inode), _number(walk.source, mtime))
    seen = '{{"ctime":{},"inode":{},"mtime":{}'.format(*numbers)
    seen += f',"prefix_sha256":{_text(prefix)}}}' if prefix != "-" else "}"
    walk.rows.append((key, line, seen.encode()))


def _content(walk: _Walk, key: str, digest: str, values: dict[str, str]) -> None:
    if digest == "-":
        walk.stat_only += 1
    elif digest == "!raced":
        walk.raced.append(key)
    elif digest.startswith("!"):
        walk.unread.append((key, digest[1:]))
    else:
        values[walk.source.digest] = f'"{_checked(walk.source, _DIGEST[walk.source.digest], digest)}"'
        walk.hashed += 1


def _extended(source: Source, raw: bytes, flags: str) -> dict[str, str]:
    if raw == UNSEEN:
        return {}
    acl, capabilities, label = "", "", ""
    other: dict[str, str] = {}
    for pair in raw.split(b",") if raw else ():
        name, _, value = pair.partition(b"=")
        data = bytes.fromhex(value.decode("ascii", "replace")) if re.fullmatch(b"(?:[0-9a-f]{2})*", value) else None
        if data is None:
            raise ParseError(source, 0, "an extended attribute is not hexadecimal")
        if name == b"system.posix_acl_access":
            acl = _acl(data) + acl
        elif name == b"system.posix_acl_default":
            acl += ";default:" + _acl(data)
        elif name == b"security.capability":
            capabilities = _capability(data)
        elif name == b"security.selinux":
            label = encode_name(data.rstrip(b"\0"))
        else:
            other[encode_name(name)] = value.decode()
    return {
        "acl": _text(acl),
        "capabilities": _text(capabilities),
        "flags": f'"{_checked(source, _FLAGS, "" if flags == "-" else flags)}"',
        "selinux": _text(label),
        "xattrs": canonical(other).decode() if other else "{}",
    }


def _acl(data: bytes) -> str:
    """`user::rwx,user:1000:r--,...` of a posix_acl_xattr value; its digits where it is malformed."""
    if len(data) % 8 != 4 or struct.unpack_from("<I", data)[0] != 2:
        return "malformed:" + data.hex()
    entries = []
    for tag, permissions, number in struct.iter_unpack("<HHI", data[4:]):
        who = str(number) if tag in (0x02, 0x08) else ""
        bits = "".join(letter if permissions & bit else "-" for letter, bit in (("r", 4), ("w", 2), ("x", 1)))
        entries.append(f"{_ACL_TAGS.get(tag, hex(tag))}:{who}:{bits}")
    return ",".join(entries)


def _capability(data: bytes) -> str:
    """`cap_net_raw,cap_net_admin=ep` of a vfs_cap_data value (revisions 1 to 3); its digits where it is malformed. An
    empty set is `=`, not nothing: it takes from a set-id program what it would have without."""
    if len(data) < 4:
        return "malformed:" + data.hex()
    magic = struct.unpack_from("<I", data)[0]
    pairs = {0x01000000: 1, 0x02000000: 2, 0x03000000: 2}.get(magic & 0xFF000000, 0)
    if not pairs or len(data) < 4 + 8 * pairs:
        return "malformed:" + data.hex()
    words = struct.unpack_from(f"<{2 * pairs}I", data, 4)
    permitted = sum(word << (32 * index) for index, word in enumerate(words[0::2]))
    inheritable = sum(word << (32 * index) for index, word in enumerate(words[1::2]))
    effective = "e" if magic & 1 else ""
    by_flags: dict[str, list[str]] = {}
    for bit in range(32 * pairs):
        letters = ("i" if inheritable >> bit & 1 else "") + ("p" if permitted >> bit & 1 else "")
        if letters:
            by_flags.setdefault(effective + letters, []).append(
                f"cap_{_CAPABILITIES[bit]}" if bit < len(_CAPABILITIES) else f"cap_{bit}"
            )
    text = " ".join(f"{','.join(names)}={letters}" for letters, names in sorted(by_flags.items())) or "="
    rootid = struct.unpack_from("<I", data, 20)[0] if magic & 0xFF000000 == 0x03000000 and len(data) >= 24 else 0
    return f"{text} [rootid={rootid}]" if rootid else text


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


def _checked(source: Source, expression: re.Pattern[str], word: str) -> str:
    if not expression.fullmatch(word):
        raise ParseError(source, 0, "a field of the walk is malformed")
    return word


def _number(source: Source, word: str) -> str:
    return str(int(_checked(source, _NUMBER, word)))


def _text(value: str) -> str:
    return f'"{value}"' if _SAFE.fullmatch(value) else json.dumps(value)


collector = Collector(
    name=NAME,
    version=2,
    doc=__doc__ or "",
    kinds=(FILE,),
    sources=(),
    parse=parse,
)
