"""Code that processes run although its file is gone (libraries that were replaced or removed, memory with a name), or
lies where everybody may write.
Standard library of Python 3.6 to 3.14; imports nothing of driftscan.

Loaders map privately and executable (proc_pid_maps(5)); compilers at run time and shared memory do not. ` (deleted)` is the
word of the kernel, whatever mounts and layers lie between: docs/adr/0037.
"""

import hashlib
import os
import re
import select
import signal
import stat
from typing import TYPE_CHECKING

from driftscan.capture.probe.crew import write_all

if TYPE_CHECKING:
    from collections.abc import Iterator

    File = tuple[bytes, bytes, bytes, bytes]  # state, digest, path, when its name was given to another file
    Loaded = tuple[bytes, bool, list[File]]  # status, apart

MAPPING = re.compile(
    rb"^([0-9a-f]+)-([0-9a-f]+) ..xp [0-9a-f]+ ([0-9a-f]+):([0-9a-f]+) ([0-9]+) +"
    rb"(/.* \(deleted\)|/(?:tmp|var/tmp|dev/shm|run)/.*)$",
    re.MULTILINE,
)
GONE = b" (deleted)"
SCRATCH = (b"/tmp/", b"/var/tmp/", b"/dev/shm/", b"/run/")
IN_MEMORY = b"/memfd:"
PIECE_OF_MAPS = 1 << 16
MOST_OF_MAPS = 64 << 20
"""Bytes of the mappings of one process."""
MOST_OF_ALL_MAPS = 256 << 20
MOST_LOADED = 500
"""Files of one process."""
MOST_OF_PATHS = 8 << 20
"""Bytes of all paths that are told."""
MOST_CONTENT = 256 << 20
"""Bytes of files whose digests are taken."""
SILENCE = 3.0
"""Seconds until some mappings have to be read: while the memory of a process is locked they are not."""
MOST_SILENT = 5
"""Processes that keep us waiting, until no other is looked at."""


def loaded_by(pids: "list[int]") -> "dict[int, Loaded]":
    """What each of these processes runs that has no file any more."""
    found: "dict[int, Loaded]" = {}
    left = list(pids)
    for _ in range(MOST_SILENT):
        if not left:
            break
        told = read_by_another(left)
        found.update(zip(left, told))
        left = left[len(told) :]
        if left:
            found[left[0]] = (b"timed_out", False, [])
            left = left[1:]
    found.update((pid, (b"timed_out", False, [])) for pid in left)
    return found


def read_by_another(pids: "list[int]") -> "list[Loaded]":
    """What a process of its own tells of these, in their order, until it is done or silent."""
    read, write = os.pipe()
    child = os.fork()
    if not child:
        try:
            for handle in (0, 1, 2, read):
                os.close(handle)
            Mappings(write).tell(pids)
        finally:
            os._exit(0)
    os.close(write)
    parts = []
    while select.select([read], [], [], SILENCE)[0]:
        data = os.read(read, PIECE_OF_MAPS)
        if not data:
            break
        parts.append(data)
    os.close(read)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, os.WNOHANG)  # one that waits in the kernel is left behind
    return [decoded(record) for record in b"".join(parts).split(b"\0\0")[:-1] if record]


def decoded(record: bytes) -> "Loaded":
    """Fields with NUL between: status, apart, and four of each file."""
    fields = record.split(b"\0")
    return fields[0], fields[1] == b"1", list(zip(fields[2::4], fields[3::4], fields[4::4], fields[5::4]))


class Mappings:
    """Reads the mappings of processes, and tells of each in a record that ends with two NULs."""

    def __init__(self, output: int) -> None:
        self.output = output
        self.namespace = os.readlink(b"/proc/self/ns/mnt")
        self.top = identity(os.stat(b"/"))
        self.maps = MOST_OF_ALL_MAPS
        self.content = MOST_CONTENT
        self.paths = MOST_OF_PATHS
        self.digests: "dict[object, bytes]" = {}
        self.inside = b""
        self.apart = False

    def tell(self, pids: "list[int]") -> None:
        """A record for each of them; two NULs alone say that it takes time."""
        for pid in pids:
            base = b"/proc/%d/" % pid
            self.inside = b""
            self.apart = False
            files: "list[File]" = []
            try:
                if os.readlink(base + b"ns/mnt") != self.namespace:
                    self.inside = base + b"root"
                    self.apart = identity(os.stat(base + b"root/")) != self.top
                status = self.look(base, files)
            except PermissionError:
                status = b"forbidden"
            except OSError:
                status = b"ok"  # it ended meanwhile, or is of the kernel
            fields = [status, b"%d" % self.apart]
            for file in files:
                fields += file
            write_all(self.output, b"\0".join(fields) + b"\0\0")

    def look(self, base: bytes, files: "list[File]") -> bytes:
        """The files of one process into a list; the status."""
        seen = {os.readlink(base + b"exe").replace(b"\n", b"\\012")}
        for lines in self.pieces(base):
            if lines is None:
                return b"truncated"
            told = GONE in lines or any(place in lines for place in SCRATCH)
            for found in MAPPING.finditer(lines) if told else ():
                path = found.group(6)
                if path in seen or found.group(5) == b"0":
                    continue
                seen.add(path)
                file = self.judged(base, found)
                if file is None:
                    continue
                self.paths -= len(file[2])
                if self.paths < 0 or len(files) == MOST_LOADED:
                    return b"truncated"
                files.append(file)
        return b"ok"

    def pieces(self, base: bytes) -> "Iterator[bytes | None]":
        """Mappings as whole lines; None: there are more than may be read."""
        handle = os.open(base + b"maps", os.O_RDONLY | os.O_CLOEXEC)
        try:
            rest = b""
            most = min(MOST_OF_MAPS, self.maps)
            while True:
                data = os.read(handle, PIECE_OF_MAPS)
                most -= len(data)
                self.maps -= len(data)
                if most < 0:
                    yield None
                if not data:
                    return
                lines, _, rest = (rest + data).rpartition(b"\n")
                yield lines
                write_all(self.output, b"\0\0")
        finally:
            os.close(handle)

    def judged(self, base: bytes, found: "re.Match[bytes]") -> "File | None":
        """What became of one file; None: it is there, where it may be."""
        place = base + b"map_files/%x-%x" % (int(found.group(1), 16), int(found.group(2), 16))
        path = found.group(6)
        if b"\\012" in path:  # a newline, or these four characters: only the link tells
            try:
                path = os.readlink(place)
            except OSError:
                path = path.replace(b"\\012", b"\n")
        if not path.endswith(GONE) or is_mapped(self.inside + path, found):  # a name may end so, too
            if self.apart or not path.startswith(SCRATCH):
                return None
            return b"scratch", self.digest(place, found.groups()[2:5]), path, since(self.inside + path)
        path = path[: -len(GONE)]
        digest = self.digest(place, found.groups()[2:5])
        if path.startswith(IN_MEMORY):
            return b"memory", digest, path, b"0"
        try:
            status = os.lstat(self.inside + path)
        except OSError:
            return b"deleted", digest, path, b"0"
        comparable = not self.apart and digest != b"-" and stat.S_ISREG(status.st_mode)
        equal = comparable and self.digest(self.inside + path, identity(status)) == digest
        return (b"equal" if equal else b"replaced"), digest, path, b"%d" % status.st_ctime_ns

    def digest(self, place: bytes, key: object) -> bytes:
        """The SHA-256 of a file, remembered by a key; `-`: it could not be read, or it is too much."""
        known = self.digests.get(key)
        if known is None:
            known = self.digests[key] = self.hashed(place)
        return known

    def hashed(self, place: bytes) -> bytes:
        """The same of a file that was not read before."""
        body = hashlib.sha256()
        try:
            handle = os.open(place, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError:
            return b"-"
        try:
            status = os.fstat(handle)
            if not stat.S_ISREG(status.st_mode) or status.st_size > self.content:
                return b"-"
            while True:
                data = os.read(handle, PIECE_OF_MAPS * 16)
                if not data:
                    return body.hexdigest().encode()
                self.content -= len(data)
                if self.content < 0:
                    return b"-"
                body.update(data)
                write_all(self.output, b"\0\0")
        except OSError:
            return b"-"
        finally:
            os.close(handle)


def is_mapped(path: bytes, found: "re.Match[bytes]") -> bool:
    """Whether a path leads to the file that is mapped. Devices without a number have none that both sides know."""
    try:
        status = os.lstat(path)
    except OSError:
        return False
    major, minor = int(found.group(3), 16), int(found.group(4), 16)
    device = (os.major(status.st_dev), os.minor(status.st_dev))
    return status.st_ino == int(found.group(5)) and (device == (major, minor) or device[0] == major == 0)


def since(path: bytes) -> bytes:
    """When a file last changed (ctime, nanoseconds)."""
    try:
        return b"%d" % os.lstat(path).st_ctime_ns
    except OSError:
        return b"0"


def identity(status: os.stat_result) -> "tuple[int, int]":
    return status.st_dev, status.st_ino
