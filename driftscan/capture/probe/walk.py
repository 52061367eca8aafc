"""The tree walk that runs on the target. Standard library of Python 3.6 to 3.14; imports nothing of driftscan.

One record per entry, each four NUL-terminated strings, so that no file name can forge a row:

    TYPE MODE UID GID SIZE NLINK MTIME_NS CTIME_NS INODE DEVICE DIGEST PREFIX FLAGS \\0 path \\0 link target \\0 xattrs \\0

TYPE is f d l p s b c; MODE is octal; SIZE of a device is its major:minor. DIGEST is hexadecimal, `-` (not a regular
file, or its content is not to be read), or `!` and a reason (forbidden, raced, failed, limit). PREFIX is the digest of
the first bytes that a rule asked for. FLAGS are letters as chattr(1) has them. Extended attributes are
`name=hexadecimal` joined by commas; of links none are told. A record of TYPE X says what was not entered: `X REASON`.
"""

import errno
import fcntl
import hashlib
import os
import stat
import struct
import sys
from typing import TYPE_CHECKING

from driftscan.capture.probe.crew import listening
from driftscan.capture.probe.manners import Pace, Reader
from driftscan.capture.probe.mounts import foreign_mounts, islands
from driftscan.capture.probe.rules import Rule, Rules, first_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    Entry = tuple[str, str, os.stat_result, str, str, str, bytes, bytes, "Rule | None"]
    # path, kind, status, digest, prefix, flags, link target, extended attributes, the rule that covers it

FS_IOC_GETFLAGS = 0x80086601
FLAG_LETTERS = (
    (0x10, "i"), (0x20, "a"), (0x8, "S"), (0x10000, "D"), (0x40, "d"), (0x80, "A"), (0x4, "c"), (0x800000, "C"), (0x100000, "V"),
)  # fmt: skip
LETTERS: "dict[bytes, str]" = {}
KINDS = {
    stat.S_IFREG: "f", stat.S_IFDIR: "d", stat.S_IFLNK: "l", stat.S_IFIFO: "p", stat.S_IFSOCK: "s", stat.S_IFBLK: "b",
    stat.S_IFCHR: "c",
}  # fmt: skip
NOATIME = getattr(os, "O_NOATIME", 0)
OPEN = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
BUFFER = 1 << 18
ZEROS = bytes(BUFFER)
SPARSE_LIMIT = 1 << 36
XATTR_LIMIT = 4096
GROWTH = 1 << 24
"""Bytes that a file may grow by while it is read: one that is written faster than it is read has no end."""
PATH_MAX = 4096
LONG = 512


class Walker:
    """Looks at directories that it is handed one by one. What it could not look at is in `skipped`."""

    def __init__(self, root: str, rules: Rules, algorithm: str, mounts: "dict[str, str]", pace: Pace) -> None:
        self.foreign = foreign = foreign_mounts(mounts)
        self.islands = islands(mounts, foreign)
        self.foreign_parents = frozenset(path[: path.rfind("/")] for path in foreign)
        self.root = "" if root == "/" else root.rstrip("/")
        self.rules = rules
        self.algorithm = algorithm
        self.digest = getattr(hashlib, algorithm or "sha256")
        self.pace = pace
        self.buffer = bytearray(BUFFER)
        self.view = memoryview(self.buffer)
        self.reader = Reader(self.buffer)
        self.skipped: "list[tuple[str, str]]" = []
        self.vanished: "list[str]" = []
        self.subdirectories: "tuple[str, list[str]] | None" = None

    def directory(self, path: str, shallow: bool = False) -> "Iterator[Entry]":
        """A directory itself and its entries but subdirectories, one by one: there may be a million. `shallow`: of
        entries in no zone, metadata alone."""
        try:
            handle = open_quietly(self.root + (path or "/"), OPEN | os.O_DIRECTORY)
        except OSError as error:
            yield from self.unopened(path or "/", error)
            return
        try:
            status = os.fstat(handle)
            own = self.rules.of(path or "/")
            if own is None or own.action != "prune":  # what lies in it may be wanted all the same
                yield (path or "/", "d", status, "-", "-", letters(handle), b"", extended(handle), own)
            rules = self.rules.inside(path)
            mounts = path in self.foreign_parents
            subdirectories, names = names_of(handle)
            self.subdirectories = (path, subdirectories)
            if shallow and not rules and not mounts:
                yield from self.glance(handle, path, names)
            else:
                yield from self.look(handle, path, names, rules, mounts, shallow)
        except OSError as error:
            self.skipped.append((path or "/", reason_of(error)))
        finally:
            os.close(handle)
        self.settle()
        self.paced(0)

    def lstat(self, path: str) -> os.stat_result:
        """lstat(2) of a path below the root."""
        return os.lstat(self.root + (path or "/"))

    def directories_in(self, path: str) -> "list[str]":
        """The names of a directory's subdirectories; of one that cannot be read none: `directory` notes why."""
        if self.subdirectories is not None and self.subdirectories[0] == path:  # it has just been walked
            return self.subdirectories[1]
        try:
            handle = open_quietly(self.root + (path or "/"), OPEN | os.O_DIRECTORY)
        except OSError:
            return []
        try:
            return names_of(handle)[0]
        except OSError:
            return []
        finally:
            os.close(handle)

    def single(self, path: str) -> "list[Entry]":
        """A path that is no directory: its own entry alone."""
        parent, _, name = path.rpartition("/")
        try:
            handle = os.open(self.root + (parent or "/"), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            self.skipped.append((path, reason_of(error)))
            return []
        try:
            return list(self.entry(handle, path, name, False, self.rules.of(path), False))
        except OSError as error:
            self.missed(path, error)
            self.settle()
            return []
        finally:
            os.close(handle)

    def paced(self, size: int) -> None:
        """After `size` bytes were read: keep within the limits. Who is held back asks whether anybody waits at all."""
        if self.pace.limited:
            self.pace.keep(size)
            listening()

    def glance(self, directory: int, path: str, names: "list[tuple[str, bool]]") -> "Iterator[Entry]":
        """The metadata of entries of an open directory."""
        for name, _ in taken(names):
            child = path + "/" + name
            try:
                status = os.stat(name, dir_fd=directory, follow_symlinks=False)
            except OSError as error:
                self.missed(child, error)
                continue
            kind = KINDS.get(status.st_mode & 0o170000, "?")
            if kind != "d":
                yield (child, kind, status, "-", "-", "", b"", b"", None)

    def look(
        self,
        directory: int,
        path: str,
        names: "list[tuple[str, bool]]",
        rules: "list[Rule]",
        mounts: bool,
        shallow: bool,
    ) -> "Iterator[Entry]":
        """Entries of an open directory, by its rules. `mounts`: some may be mount points."""
        reads = not rules and not shallow and bool(self.algorithm)
        for name, regular in taken(names):
            child = path + "/" + name
            if mounts and child in self.foreign:  # a stat of a dead mount never returns
                continue
            try:
                if reads and regular:
                    yield self.hashed(directory, child, name, None)
                else:
                    yield from self.entry(directory, child, name, regular, first_of(rules, child), shallow)
            except OSError as error:
                self.missed(child, error)

    def missed(self, path: str, error: OSError) -> None:
        """Note what could not be looked at."""
        if error.errno == errno.ENOENT:
            self.vanished.append(path)
        else:
            self.skipped.append((path, reason_of(error)))

    def settle(self) -> None:
        """Note what vanished from a directory that still names it: a faulty file system, or something that hides it. What
        went since it was listed is not there, and that is known."""
        if not self.vanished:
            return
        gone, self.vanished = self.vanished, []
        named = self.named(gone[0].rpartition("/")[0])
        self.skipped.extend((path, "raced") for path in gone if named is None or path.rpartition("/")[2] in named)

    def named(self, path: str) -> "frozenset[str] | None":
        """What a directory names; None if it does not tell."""
        try:
            return frozenset(os.listdir(self.root + (path or "/")))
        except FileNotFoundError:
            return frozenset()
        except OSError:
            return None

    def unopened(self, path: str, error: OSError) -> "list[Entry]":
        """A directory that could not be opened: what lstat(2) still tells of it, and why."""
        try:
            status = os.lstat(self.root + path)
        except OSError as gone:
            self.missed(path, gone)
            self.settle()
            return []
        self.skipped.append((path, reason_of(error)))
        return [(path, kind_of(status), status, "-", "-", "", b"", extended(self.root + path), self.rules.of(path))]

    def entry(
        self, parent: int, path: str, name: str, regular: bool, rule: "Rule | None", shallow: bool
    ) -> "tuple[Entry, ...]":
        """One entry, if it is no directory and not left out. `regular`: the directory says that it is a regular file."""
        action = rule.action if rule is not None else "hash"
        if action == "prune":
            self.skipped.append((path, "rule"))
            return ()
        shallow = shallow and (rule is None or rule.zone is None)
        reads = self.algorithm and action != "stat" and not shallow
        if regular and reads:
            return (self.hashed(parent, path, name, rule),)
        status = os.stat(name, dir_fd=parent, follow_symlinks=False)
        kind = kind_of(status)
        if kind == "d":
            return ()
        if kind == "f" and reads:
            return (self.hashed(parent, path, name, rule),)
        if shallow:
            return ((path, kind, status, "-", "-", "", b"", b"", rule),)
        if kind == "l":
            target = os.fsencode(os.readlink(name, dir_fd=parent))
            return ((path, kind, status, "-", "-", "", target, b"", rule),)
        return ((path, kind, status, "-", "-", "", b"", extended("/proc/self/fd/%d/%s" % (parent, name)), rule),)

    def hashed(self, parent: int, path: str, name: str, rule: "Rule | None") -> "Entry":
        """A regular file with its digest; read again once if it changed meanwhile."""
        try:
            handle = open_quietly(name, OPEN, parent)
        except OSError as error:
            status = os.stat(name, dir_fd=parent, follow_symlinks=False)
            attributes = extended("/proc/self/fd/%d/%s" % (parent, name))
            return (path, kind_of(status), status, "!" + reason_of(error), "-", "", b"", attributes, rule)
        try:
            before = os.fstat(handle)
            if not stat.S_ISREG(before.st_mode):  # swapped for a device or FIFO since it was listed
                return (path, kind_of(before), before, "!raced", "-", "", b"", b"", rule)
            prefix = rule.size if rule is not None else 0
            for _ in range(2):
                digest, head = self.content(handle, before, prefix)
                after = os.fstat(handle)
                if same(before, after):
                    return (path, "f", after, digest, head, letters(handle), b"", extended(handle), rule)
                before = after
            return (path, "f", before, "!raced", "-", letters(handle), b"", extended(handle), rule)
        finally:
            if self.reader.missed >= 0:
                self.reader.done(handle)
            os.close(handle)

    def content(self, handle: int, status: os.stat_result, prefix: int) -> "tuple[str, str]":
        """(digest of all, digest of the first `prefix` bytes) of an open file; holes are not read."""
        size = status.st_size
        sparse = status.st_blocks * 512 < size
        if sparse and size > SPARSE_LIMIT:
            return "!limit", "-"
        try:
            if size <= BUFFER and not prefix and not sparse:
                length = self.reader.read(handle, status.st_dev, 0)
                if length == size:
                    self.paced(length)
                    return self.digest(self.view[:length]).hexdigest(), "-"
            return self.long_content(handle, status, prefix, sparse)
        except OSError as error:
            return "!" + reason_of(error), "-"

    def long_content(self, handle: int, status: os.stat_result, prefix: int, sparse: bool) -> "tuple[str, str]":
        """The same for files of more than one piece."""
        total = self.digest()
        head = "-"
        done = 0
        for length, data in self.pieces(handle, status, sparse):
            if prefix and head == "-" and done + length >= prefix:
                partial = total.copy()
                partial.update(data[: prefix - done])
                head = partial.hexdigest()
            total.update(data[:length])
            done += length
            if done > status.st_size + GROWTH:
                return "!raced", "-"
        return total.hexdigest(), ("!short" if prefix and head == "-" else head)

    def pieces(self, handle: int, status: os.stat_result, sparse: bool) -> "Iterator[tuple[int, memoryview]]":
        """(length, buffer) over the content, for as long as somebody waits for it."""
        offset = 0
        data_at = 0
        while True:
            if offset >= BUFFER:  # most files are smaller, and asking for each would cost
                listening()
            if sparse and offset >= data_at:
                data_at = data_start(handle, offset, status.st_size)
            if offset < data_at:
                length = min(data_at - offset, BUFFER)
                self.paced(0)
                yield length, memoryview(ZEROS)
            else:
                length = self.reader.read(handle, status.st_dev, offset)
                if not length:
                    return
                self.paced(length)
                yield length, self.view
            offset += length


def record(entry: "Entry") -> bytes:
    """One entry in the form that the module's docstring gives."""
    path, kind, status, digest, prefix, flags, target, attributes, _ = entry
    size = "%d:%d" % (os.major(status.st_rdev), os.minor(status.st_rdev)) if kind in "bc" else status.st_size
    head = "%s %04o %d %d %s %d %d %d %d %d %s %s %s" % (
        kind, status.st_mode & 0o7777, status.st_uid, status.st_gid, size, status.st_nlink, status.st_mtime_ns,
        status.st_ctime_ns, status.st_ino, status.st_dev, digest, prefix, flags or "-",
    )  # fmt: skip
    return b"%s\0%s\0%s\0%s\0" % (head.encode(), os.fsencode(path), target, attributes)


def skip_record(path: str, reason: str) -> bytes:
    """The record that a path was not looked at."""
    return b"X %s\0%s\0\0\0" % (reason.encode(), os.fsencode(path))


def names_of(directory: int) -> "tuple[list[str], list[tuple[str, bool]]]":
    """(names of subdirectories, names of all other entries with whether they are regular files) of an open directory.
    A file system that does not say kinds in its directories is asked for each."""
    below: "list[str]" = []
    others: "list[tuple[str, bool]]" = []
    if sys.version_info < (3, 7):  # scandir takes no handle
        for name in os.listdir(directory):
            mode = os.stat(name, dir_fd=directory, follow_symlinks=False).st_mode
            if stat.S_ISDIR(mode):
                below.append(name)
            else:
                others.append((name, stat.S_ISREG(mode)))
        return below, others
    with os.scandir(directory) as entries:
        for item in entries:
            if item.is_dir(follow_symlinks=False):
                below.append(item.name)
            else:
                others.append((item.name, item.is_file(follow_symlinks=False)))
    return below, others


def taken(names: "list[tuple[str, bool]]") -> "Iterator[tuple[str, bool]]":
    """The names in their order; each is given up as it is told, since there may be a million."""
    names.reverse()
    while names:
        yield names.pop()


def kind_of(status: os.stat_result) -> str:
    """The letter of a type of file."""
    return KINDS.get(stat.S_IFMT(status.st_mode), "?")


def data_start(handle: int, offset: int, size: int) -> int:
    """The offset of the next data at or after an offset; the size where only a hole is left."""
    try:
        return os.lseek(handle, offset, os.SEEK_DATA)
    except OSError as error:
        return size if error.errno == errno.ENXIO else offset


def open_quietly(path: str, flags: int, parent: "int | None" = None) -> int:
    """Open without touching the access time, where the kernel lets us (owner or root)."""
    try:
        return os.open(path, flags | NOATIME, dir_fd=parent)
    except PermissionError:
        return os.open(path, flags, dir_fd=parent)


def same(before: os.stat_result, after: os.stat_result) -> bool:
    """Whether a file did not change between two looks."""
    return (
        before.st_ctime_ns == after.st_ctime_ns
        and before.st_mtime_ns == after.st_mtime_ns
        and before.st_size == after.st_size
    )


def letters(handle: int) -> str:
    """File flags as letters; empty where the file system has none."""
    try:
        raw = fcntl.ioctl(handle, FS_IOC_GETFLAGS, b"\0\0\0\0\0\0\0\0")
    except OSError:
        return ""
    if raw not in LETTERS:
        value = struct.unpack_from("i", raw)[0]
        LETTERS[raw] = "".join(letter for bit, letter in FLAG_LETTERS if value & bit)
    return LETTERS[raw]


def extended(where: "int | str") -> bytes:
    """Extended attributes of a path (its link is not followed) or an open file."""
    follow = isinstance(where, int)
    try:
        names = os.listxattr(where) if follow else os.listxattr(where, follow_symlinks=False)
        if not names:
            return b""
        return joined_pairs(
            [
                (
                    os.fsencode(name),
                    os.getxattr(where, name) if follow else os.getxattr(where, name, follow_symlinks=False),
                )
                for name in sorted(names)
            ]
        )
    except OSError:
        return b""


def joined_pairs(pairs: "Iterable[tuple[bytes, bytes]]") -> bytes:
    """Names and values of extended attributes as a record has them."""
    found = []
    for name, value in pairs:
        word = name.replace(b"\\", b"\\134").replace(b",", b"\\054").replace(b"=", b"\\075")
        long = len(value) > XATTR_LIMIT
        told = b"sha256:" + hashlib.sha256(value).hexdigest().encode() if long else value
        found.append(word + b"=" + told.hex().encode())
    return b",".join(found)


def reason_of(error: OSError) -> str:
    """The word for why something could not be looked at."""
    if error.errno in (errno.EACCES, errno.EPERM):
        return "forbidden"
    return "raced" if error.errno in (errno.ENOENT, errno.ELOOP, errno.ENOTDIR) else "failed"


def directories(walker: Walker, tops: "Iterable[str]", files: "list[str]") -> "Iterator[str]":
    """All directories to walk, as they are found; tops that are none are added to `files`. What is not entered is
    noted in `skipped`."""
    for top in tops:
        path = "" if top == "/" else top.rstrip("/")
        if path in walker.foreign:
            walker.skipped.append((path, walker.foreign[path]))
            continue
        try:
            is_directory = stat.S_ISDIR(walker.lstat(path).st_mode)
        except OSError as error:
            absent = error.errno in (errno.ENOENT, errno.ENOTDIR)
            walker.skipped.append((path or "/", "absent" if absent else reason_of(error)))
            continue
        if not is_directory:
            files.append(path)
            continue
        stack = [path]
        while stack:
            path = stack.pop()
            yield path
            stack.extend(below(walker, path))


def below(walker: Walker, path: str) -> "list[str]":
    """The subdirectories of a directory that are to be walked."""
    found = []
    for name in walker.directories_in(path):
        child = path + "/" + name
        if child in walker.foreign:
            walker.skipped.append((child, walker.foreign[child]))
            found += [each for each in walker.islands if each.startswith(child + "/") and not walker.rules.prunes(each)]
        elif walker.rules.prunes(child):
            walker.skipped.append((child, "rule"))
        elif len(child) > LONG and len(os.fsencode(walker.root + child)) >= PATH_MAX:
            walker.skipped.append((child, "failed"))  # no call takes such a path
        else:
            found.append(child)
    return found
