"""The tree walk that runs on the target. Standard library of Python 3.6 to 3.14; imports nothing of driftscan.

One record per entry, each four NUL-terminated strings, so that no file name can forge a row:

    TYPE MODE UID GID SIZE NLINK MTIME_NS CTIME_NS INODE DEVICE DIGEST PREFIX FLAGS \\0 path \\0 link target \\0 xattrs \\0

TYPE is f d l p s b c; MODE is octal; SIZE of a device is its major:minor. DIGEST is hexadecimal, `-` (not a regular
file, or its content is not to be read), or `!` and a reason (forbidden, raced, failed, limit). PREFIX is the digest of
the first bytes that a rule asked for. FLAGS are letters as chattr(1) has them. Extended attributes are
`name=hexadecimal` joined by commas. A record of TYPE X says what was not entered: `X REASON`.
"""

import errno
import fcntl
import hashlib
import os
import re
import signal
import stat
import struct
import sys

TYPE_CHECKING = False  # type checkers take it for true; a target need not import typing
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import NoReturn

    RawRule = tuple[str, int, str, str, str]
    Rule = tuple[str, int, str, re.Pattern[str], re.Pattern[str] | None]

PSEUDO = frozenset((
    "autofs", "binfmt_misc", "bpf", "cgroup", "cgroup2", "configfs", "debugfs", "devpts", "devtmpfs", "efivarfs",
    "fusectl", "hugetlbfs", "mqueue", "nsfs", "proc", "pstore", "rpc_pipefs", "securityfs", "selinuxfs", "sysfs",
    "tracefs",
))  # fmt: skip
REMOTE = frozenset((
    "9p", "afs", "ceph", "cifs", "glusterfs", "lustre", "ncpfs", "nfs", "nfs4", "smb3", "smbfs", "virtiofs",
))  # fmt: skip
LOCAL_FUSE = frozenset(("fuse.lxcfs", "fuseblk"))
FS_IOC_GETFLAGS = 0x80086601
FLAG_LETTERS = (
    (0x10, "i"), (0x20, "a"), (0x8, "S"), (0x10000, "D"), (0x40, "d"), (0x80, "A"), (0x4, "c"), (0x800000, "C"), (0x100000, "V"),
)  # fmt: skip
TYPES = {
    stat.S_IFREG: "f", stat.S_IFDIR: "d", stat.S_IFLNK: "l", stat.S_IFIFO: "p", stat.S_IFSOCK: "s", stat.S_IFBLK: "b",
    stat.S_IFCHR: "c",
}  # fmt: skip
NOATIME = getattr(os, "O_NOATIME", 0)
OPEN = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
BUFFER = 1 << 18
ZEROS = bytes(BUFFER)
SPARSE_LIMIT = 1 << 36
XATTR_LIMIT = 4096
BATCH = 1 << 16


class Rules:
    """What to do with a path: the first rule that matches. Rules are found by the directory that their literal
    prefix lies in, so that most directories look at none."""

    def __init__(self, rules: "list[RawRule]") -> None:
        # (action, size, literal prefix, regex of the whole path, regex of a directory to prune or empty)
        self.rules = [
            (action, size, prefix, re.compile(regex, re.DOTALL), re.compile(head, re.DOTALL) if head else None)
            for action, size, prefix, regex, head in rules
        ]
        self.by_directory: "dict[str, list[int]]" = {}
        for index, rule in enumerate(self.rules):
            self.by_directory.setdefault(rule[2][: rule[2].rfind("/")], []).append(index)

    def inside(self, directory: str) -> "list[Rule]":
        """The rules that can match an entry of a directory, in order."""
        found: "list[int]" = []
        while True:
            found.extend(self.by_directory.get(directory, ()))
            if not directory:
                return [self.rules[index] for index in sorted(found)]
            directory = directory[: directory.rfind("/")]

    @staticmethod
    def action(rules: "list[Rule]", path: str) -> "tuple[str, int]":
        """(action, size) for a path."""
        for action, size, _, regex, _ in rules:
            if regex.fullmatch(path):
                return action, size
        return "hash", 0

    def prunes(self, directory: str) -> bool:
        """Whether a directory is not to be entered: a prune rule covers all below it, and no earlier rule is inside."""
        for rule in self.inside(directory):
            action, _, _, regex, head = rule
            if action == "prune" and (regex.fullmatch(directory) or (head is not None and head.fullmatch(directory))):
                earlier = self.rules[: self.rules.index(rule)]
                return not any(other[2].startswith(directory + "/") for other in earlier)
        return False


def foreign_mounts(root: str) -> "dict[str, str]":
    """Mount points below a root that are not walked, with the reason: (path, `pseudo` or `remote`)."""
    found: "dict[str, str]" = {}
    if root != "/":
        return found
    try:
        with open("/proc/self/mountinfo", "rb") as mountinfo:
            lines = mountinfo.read().split(b"\n")
    except OSError:
        return found
    for line in lines:
        left, _, right = line.partition(b" - ")
        words = left.split(b" ")
        if len(words) < 5 or not right:
            continue
        path = re.sub(rb"\\([0-7]{3})", lambda match: bytes([int(match.group(1), 8)]), words[4])
        kind = right.split(b" ", 1)[0].decode("ascii", "replace")
        name = os.fsdecode(path)
        found.pop(name, None)  # a later mount on the same point hides the earlier one
        if kind in PSEUDO:
            found[name] = "pseudo"
        elif kind in REMOTE or (kind.startswith("fuse.") and kind not in LOCAL_FUSE):
            found[name] = "remote"
    return found


class Walker:
    """Walks directories that it is handed one by one, and gives the records to `emit` in batches."""

    def __init__(
        self, root: str, rules: Rules, algorithm: str, foreign: "dict[str, str]", emit: "Callable[[bytes], None]"
    ) -> None:
        self.foreign = foreign
        self.root = "" if root == "/" else root.rstrip("/")
        self.rules = rules
        self.algorithm = algorithm
        self.emit = emit
        self.pending: "list[bytes]" = []
        self.size = 0
        self.buffer = bytearray(BUFFER)
        self.view = memoryview(self.buffer)

    def put(self, record: bytes) -> None:
        """Add a record to the batch; a full batch is emitted."""
        self.pending.append(record)
        self.size += len(record)
        if self.size > BATCH:
            self.flush()

    def flush(self) -> None:
        """Emit the batch."""
        if self.pending:
            self.emit(b"".join(self.pending))
            self.pending = []
            self.size = 0

    def skip(self, path: str, reason: str) -> None:
        """Record that a path was not looked at."""
        self.put(b"X %s\0%s\0\0\0" % (reason.encode(), os.fsencode(path)))

    def directory(self, path: str) -> None:
        """Records for all entries of a directory but its subdirectories, which record themselves, and for itself."""
        try:
            handle = open_quietly(self.root + (path or "/"), OPEN | os.O_DIRECTORY)
        except OSError as error:
            self.unopened(path or "/", error)
            return
        try:
            status = os.fstat(handle)
            self.put(self.record(path or "/", status, "-", "-", letters(handle), b"", extended(handle)))
            names = os.listdir(handle)
            rules = self.rules.inside(path)
            for name in names:
                if path + "/" + name not in self.foreign:  # a stat of a dead mount never returns
                    self.entry(handle, path + "/" + name, name, rules)
        except OSError as error:
            self.skip(path or "/", reason_of(error))
        finally:
            os.close(handle)

    def unopened(self, path: str, error: OSError) -> None:
        """The records of a directory that could not be opened: what lstat(2) still tells of it, and why."""
        try:
            status = os.lstat(self.root + path)
        except OSError:
            self.skip(path, "raced")
            return
        self.put(self.record(path, status, "-", "-", "", b"", extended(self.root + path)))
        self.skip(path, reason_of(error))

    def entry(self, parent: int, path: str, name: str, rules: "list[Rule]") -> None:
        """The record of one entry that is not a directory."""
        try:
            status = os.stat(name, dir_fd=parent, follow_symlinks=False)
            if stat.S_ISDIR(status.st_mode):
                return
            action, size = self.rules.action(rules, path)
            if action == "prune":
                self.skip(path, "rule")
            elif stat.S_ISREG(status.st_mode) and self.algorithm and action != "stat":
                self.put(self.hashed(parent, path, name, size))
            else:
                target = os.fsencode(os.readlink(name, dir_fd=parent)) if stat.S_ISLNK(status.st_mode) else b""
                attributes = extended("/proc/self/fd/%d/%s" % (parent, name))
                self.put(self.record(path, status, "-", "-", "", target, attributes))
        except OSError as error:
            self.skip(path, reason_of(error))

    def hashed(self, parent: int, path: str, name: str, prefix: int) -> bytes:
        """The record of a regular file with its digest; read again once if it changed meanwhile."""
        try:
            handle = open_quietly(name, OPEN, parent)
        except OSError as error:
            status = os.stat(name, dir_fd=parent, follow_symlinks=False)
            attributes = extended("/proc/self/fd/%d/%s" % (parent, name))
            return self.record(path, status, "!" + reason_of(error), "-", "", b"", attributes)
        try:
            before = after = os.fstat(handle)
            if not stat.S_ISREG(before.st_mode):  # swapped for a device or FIFO since the stat
                return self.record(path, before, "!raced", "-", "", b"", b"")
            for _ in range(2):
                before = os.fstat(handle)
                digest, head = self.content(handle, before, prefix)
                after = os.fstat(handle)
                if same(before, after):
                    return self.record(path, after, digest, head, letters(handle), b"", extended(handle))
            return self.record(path, after, "!raced", "-", letters(handle), b"", extended(handle))
        finally:
            os.close(handle)

    def content(self, handle: int, status: os.stat_result, prefix: int) -> "tuple[str, str]":
        """(digest of all, digest of the first `prefix` bytes) of an open file; holes are not read."""
        if status.st_blocks * 512 < status.st_size and status.st_size > SPARSE_LIMIT:
            return "!limit", "-"
        total = hashlib.new(self.algorithm)
        head = "-"
        done = 0
        try:
            os.lseek(handle, 0, os.SEEK_SET)
            for start, length, data in self.pieces(handle, status):
                if prefix and head == "-" and done + length >= prefix:
                    partial = total.copy()
                    partial.update(data[: prefix - done])
                    head = partial.hexdigest()
                total.update(data[:length])
                done = start + length
        except OSError as error:
            return "!" + reason_of(error), "-"
        if prefix and done < prefix:
            head = "!short"
        return total.hexdigest(), head

    def pieces(self, handle: int, status: os.stat_result) -> "Iterator[tuple[int, int, memoryview]]":
        """(offset, length, buffer) over the content."""
        sparse = status.st_blocks * 512 < status.st_size
        offset = 0
        hole_end = 0
        while True:
            if sparse and offset >= hole_end:
                hole_end = data_start(handle, offset, status.st_size)
            if offset < hole_end:
                length = min(hole_end - offset, BUFFER)
                yield offset, length, memoryview(ZEROS)
            else:
                length = os.readv(handle, [self.buffer])
                if not length:
                    return
                yield offset, length, self.view
            offset += length
            if sparse and offset == hole_end:
                os.lseek(handle, offset, os.SEEK_SET)
                if offset >= status.st_size:
                    return
                hole_end = -1

    @staticmethod
    def record(
        path: str, status: os.stat_result, digest: str, prefix: str, flags: str, target: bytes, attributes: bytes
    ) -> bytes:
        """One entry in the form that the module's docstring gives."""
        mode = status.st_mode
        kind = TYPES.get(stat.S_IFMT(mode), "?")
        size = "%d:%d" % (os.major(status.st_rdev), os.minor(status.st_rdev)) if kind in "bc" else str(status.st_size)
        head = "%s %04o %d %d %s %d %d %d %d %d %s %s %s" % (
            kind, stat.S_IMODE(mode), status.st_uid, status.st_gid, size, status.st_nlink, status.st_mtime_ns,
            status.st_ctime_ns, status.st_ino, status.st_dev, digest, prefix, flags or "-",
        )  # fmt: skip
        return b"%s\0%s\0%s\0%s\0" % (head.encode(), os.fsencode(path), target, attributes)


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
    return (before.st_size, before.st_mtime_ns, before.st_ctime_ns) == (
        after.st_size,
        after.st_mtime_ns,
        after.st_ctime_ns,
    )


def letters(handle: int) -> str:
    """File flags as letters; empty where the file system has none."""
    try:
        value = struct.unpack("i", fcntl.ioctl(handle, FS_IOC_GETFLAGS, b"\0\0\0\0")[:4])[0]
    except OSError:
        return ""
    return "".join(letter for bit, letter in FLAG_LETTERS if value & bit)


def extended(where: "int | str") -> bytes:
    """Extended attributes of a path (its link is not followed) or an open file."""
    follow = isinstance(where, int)
    try:
        names = os.listxattr(where) if follow else os.listxattr(where, follow_symlinks=False)
        if not names:
            return b""
        pairs = []
        for name in sorted(names):
            value = os.getxattr(where, name) if follow else os.getxattr(where, name, follow_symlinks=False)
            if len(value) > XATTR_LIMIT:
                value = b"sha256:" + hashlib.sha256(value).hexdigest().encode()
            pairs.append(
                os.fsencode(name).replace(b"\\", b"\\134").replace(b",", b"\\054").replace(b"=", b"\\075")
                + b"="
                + value.hex().encode()
            )
        return b",".join(pairs)
    except OSError:
        return b""


def reason_of(error: OSError) -> str:
    """The word for why something could not be looked at."""
    if error.errno in (errno.EACCES, errno.EPERM):
        return "forbidden"
    return "raced" if error.errno in (errno.ENOENT, errno.ELOOP, errno.ENOTDIR) else "failed"


def directories(walker: Walker, top: str) -> "Iterator[str]":
    """All directories to walk from a top, this one first; what is not entered is recorded."""
    stack = [top]
    while stack:
        path = stack.pop()
        yield path
        try:
            with os.scandir(walker.root + (path or "/")) as entries:
                below = [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
        except OSError:
            continue  # `Walker.directory` opens it again and records why it can't
        for name in below:
            child = path + "/" + name
            if child in walker.foreign:
                walker.skip(child, walker.foreign[child])
            elif walker.rules.prunes(child):
                walker.skip(child, "rule")
            else:
                stack.append(child)


def walk_tree(
    root: str, tops: "list[str]", rules: "list[RawRule]", algorithm: str, emit: "Callable[[bytes], None]", workers: int
) -> int:
    """Walk all tops below a root; how many workers failed. `emit` gets whole records, from several processes in turn."""
    lock_read, lock_write = os.pipe()
    os.write(lock_write, b"x")

    def locked(data: bytes) -> None:
        os.read(lock_read, 1)
        try:
            emit(data)
        finally:
            os.write(lock_write, b"x")

    walker = Walker(root, Rules(rules), algorithm, foreign_mounts(root), locked)
    found: "list[str]" = []
    for top in tops:
        path = "" if top == "/" else top.rstrip("/")
        if path in walker.foreign:
            walker.skip(path, walker.foreign[path])
            continue
        try:
            is_directory = stat.S_ISDIR(os.lstat(walker.root + (path or "/")).st_mode)
        except OSError as error:
            walker.skip(path or "/", "absent" if error.errno in (errno.ENOENT, errno.ENOTDIR) else reason_of(error))
            continue
        if is_directory:
            found.extend(directories(walker, path))
        else:
            one_file(walker, path)
    walker.flush()
    failed = in_parallel(walker, found, workers)
    os.close(lock_read)
    os.close(lock_write)
    return failed


def one_file(walker: Walker, path: str) -> None:
    """A top that is not a directory: its own record alone."""
    parent, _, name = path.rpartition("/")
    try:
        handle = os.open(walker.root + (parent or "/"), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        walker.skip(path, reason_of(error))
        return
    try:
        walker.entry(handle, path, name, walker.rules.inside(parent))
    finally:
        os.close(handle)


def in_parallel(walker: Walker, found: "list[str]", workers: int) -> int:
    """Hand directories out to forked workers through a pipe of indices; how many workers failed."""
    if workers < 2 or len(found) < 64:
        for path in found:
            walker.directory(path)
        walker.flush()
        return 0
    work_read, work_write = os.pipe()
    children = []
    seconds = signal.getitimer(signal.ITIMER_REAL)[0]  # alarms are not inherited
    for _ in range(workers):
        child = os.fork()
        if not child:
            signal.setitimer(signal.ITIMER_REAL, seconds)
            os.close(work_write)
            run_worker(walker, found, work_read)
        children.append(child)
    os.close(work_read)
    try:
        for start in range(0, len(found), 512):
            indices = range(start, min(start + 512, len(found)))
            os.write(work_write, b"".join(struct.pack("I", index) for index in indices))
    except BrokenPipeError:
        pass  # every worker has failed; their exit codes say so
    os.close(work_write)
    return sum(1 for child in children if os.waitpid(child, 0)[1])


def run_worker(walker: Walker, found: "list[str]", work_read: int) -> "NoReturn":
    """The life of a forked worker."""
    code = 1
    try:
        while True:
            raw = os.read(work_read, 4)
            if not raw:
                break
            walker.directory(found[struct.unpack("I", raw)[0]])
        walker.flush()
        code = 0
    except BaseException as error:  # a fork must never return into its parent's code
        sys.stderr.write("walk: %s\n" % error.__class__.__name__)
    finally:
        os._exit(code)
