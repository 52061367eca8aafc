"""Paths of a target's root: files read, globs expanded, nothing followed out of it, nothing waited for. Standard library
of Python 3.6 to 3.14; imports nothing of driftscan."""

import errno
import os
import re
import signal
import stat
import time
from typing import TYPE_CHECKING

from driftscan.capture.probe.mounts import is_remote, mount_points

if TYPE_CHECKING:
    from collections.abc import Iterator

CHUNK = 1 << 16
LINKS = 40
PATIENCE = 3.0
"""Seconds that a file system on another machine has to answer once."""


class Absent(Exception):
    """There is no such file: a fact."""


class Silent(OSError):
    """A file system on another machine does not answer, or would have to be mounted first."""


class Mounts:
    """Mount points that may keep whoever touches them waiting."""

    def __init__(self) -> None:
        mounts = mount_points()
        self.risky = {os.fsencode(path): kind for path, kind in mounts.items() if kind == "autofs" or is_remote(kind)}
        self.answered: "dict[bytes, bool]" = {}

    def guard(self, path: bytes) -> None:
        """Silent if a path lies where nobody answers. Each such file system is asked once, by a process of its own."""
        for mount, kind in self.risky.items():
            if path == mount or path.startswith(mount.rstrip(b"/") + b"/"):
                if mount not in self.answered:
                    self.answered[mount] = kind != "autofs" and answers(mount)
                if not self.answered[mount]:
                    raise Silent(errno.ETIMEDOUT, "the file system there does not answer")


def answers(mount: bytes) -> bool:
    """Whether a file system answers within PATIENCE. A process that waits for it for ever is left behind to the kernel:
    it holds nothing of ours."""
    pid = os.fork()
    if not pid:
        try:
            os.statvfs(mount)
            os._exit(0)
        finally:
            os._exit(1)
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return status == 0
        time.sleep(0.01)
    os.kill(pid, signal.SIGKILL)
    return False


class Root:
    """Paths of a target's root. Where that is not `/`, every component is resolved by hand, so that no link, absolute or
    with `..`, leads out of it; below `/` only where some mount might not answer. `lstat`, `readlink`, `content` and
    `listed` alone touch files: what holds a tree in another form (capture/image) has its own."""

    def __init__(self, root: bytes) -> None:
        self.root = b"" if root == b"/" else root.rstrip(b"/")
        self.live = not self.root
        self.mounts = Mounts() if self.live else None
        self.denied: "set[bytes]" = set()
        self.open_to_all: "dict[bytes, bool]" = {}

    def resolve(self, path: bytes) -> bytes:
        """The real path, in the scanner's own terms, with all links followed inside the root."""
        mounts = self.mounts
        if mounts is not None and not mounts.risky:
            return path
        todo = [part for part in path.split(b"/") if part][::-1]
        done: "list[bytes]" = []
        links = 0
        while todo:
            part = todo.pop()
            if part == b".":
                continue
            if part == b"..":
                done = done[:-1]
                continue
            here = self.root + b"/" + b"/".join(done + [part])
            if mounts is not None:
                mounts.guard(here)
            try:
                target = self.readlink(here)
            except OSError:
                done.append(part)
                continue
            links += 1
            if links > LINKS:
                raise OSError(errno.ELOOP, "too many links")
            if target.startswith(b"/"):
                done = []
            todo.extend(piece for piece in target.split(b"/")[::-1] if piece)
        return self.root + b"/" + b"/".join(done)

    def read(self, path: bytes, limit: int) -> "tuple[bytes, bool, os.stat_result]":
        """(data, whole, stat) of a regular file; never blocks on a FIFO or device, never touches the access time."""
        try:
            return self.content(self.resolve(path), limit)
        except OSError as error:
            if error.errno in (2, 20):
                raise Absent from None
            raise

    def content(self, where: bytes, limit: int) -> "tuple[bytes, bool, os.stat_result]":
        """The same of a real path."""
        handle = self.open(where)
        try:
            status = os.fstat(handle)
            if not stat.S_ISREG(status.st_mode):
                raise IsADirectoryError(21, "not a regular file")
            parts = []
            size = 0
            while size <= limit:
                data = os.read(handle, min(CHUNK, limit + 1 - size))
                if not data:
                    break
                parts.append(data)
                size += len(data)
            return b"".join(parts)[:limit], size <= limit, status
        finally:
            os.close(handle)

    def lstat(self, where: bytes) -> os.stat_result:
        """lstat(2) of a real path."""
        return os.lstat(where)

    def readlink(self, where: bytes) -> bytes:
        """readlink(2) of a real path."""
        return os.readlink(where)

    def listed(self, where: bytes) -> "list[bytes]":
        """Names in a directory, given by its real path."""
        handle = self.open(where, os.O_DIRECTORY)
        try:
            return [os.fsencode(name) for name in os.listdir(handle)]
        finally:
            os.close(handle)

    @staticmethod
    def open(path: bytes, more: int = 0) -> int:
        """Open to read, without touching the access time where the kernel lets us (owner or root)."""
        flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY | more
        try:
            return os.open(path, flags | getattr(os, "O_NOATIME", 0))
        except PermissionError:
            return os.open(path, flags)

    def expand(self, pattern: bytes, limit: int) -> "list[bytes]":
        """Paths (inside the root) that match a glob; links to directories are followed except by `**`.

        Raises OverflowError above the limit."""
        found = [b""]
        parts = [piece for piece in pattern.split(b"/") if piece]
        for part in parts + [b"*"] if parts[-1] == b"**" else parts:
            found = list(self.step(found, part, limit))
        return found

    def step(self, bases: "list[bytes]", part: bytes, limit: int) -> "Iterator[bytes]":
        """Paths that match one more component of a glob."""
        count = 0
        for base in bases:
            for path in self.below(base) if part == b"**" else self.matches(base, part):
                count += 1
                if count > limit:
                    raise OverflowError
                yield path

    def matches(self, base: bytes, part: bytes) -> "Iterator[bytes]":
        """Entries of a directory that match a component other than `**`."""
        if not re.search(rb"[*?[]", part):
            path = base + b"/" + part
            if self.there(path):
                yield path
            return
        expression = component(part)
        for name in self.names(base):
            if expression.fullmatch(name):
                yield base + b"/" + name

    def there(self, path: bytes) -> bool:
        """Whether a path exists; one behind a directory that may not be entered is noted as denied."""
        try:
            self.lstat(self.parent(path))
            return True
        except (PermissionError, Silent):
            self.denied.add(path)
        except OSError:
            pass
        return False

    def public(self, path: bytes) -> bool:
        """Whether every user of the target may reach a file."""
        directory = path.rpartition(b"/")[0]
        if directory not in self.open_to_all:
            self.open_to_all[directory] = self.enterable(directory)
        try:
            return self.open_to_all[directory] and bool(self.lstat(self.parent(path)).st_mode & stat.S_IROTH)
        except OSError:
            return False

    def enterable(self, directory: bytes) -> bool:
        """Whether every user of the target may enter a directory."""
        while directory:
            try:
                where = self.resolve(directory)
                if not (os.stat(where) if self.live else self.lstat(where)).st_mode & stat.S_IXOTH:
                    return False
            except OSError:
                return False
            directory = directory.rpartition(b"/")[0]
        return True

    def below(self, base: bytes) -> "Iterator[bytes]":
        """A directory and all directories below it; links are not followed."""
        stack = [base]
        while stack:
            path = stack.pop()
            yield path
            for name in self.names(path):
                child = path + b"/" + name
                try:
                    if stat.S_ISDIR(self.lstat(self.parent(child)).st_mode):
                        stack.append(child)
                except OSError:
                    continue

    def names(self, path: bytes) -> "list[bytes]":
        """Names in a directory, sorted; none where it is absent, or may not be read (noted as denied)."""
        try:
            return sorted(self.listed(self.resolve(path) or b"/"))
        except (PermissionError, Silent):
            self.denied.add(path)
        except (FileNotFoundError, NotADirectoryError):
            pass
        return []

    def parent(self, path: bytes) -> bytes:
        """The path with all links resolved but the last component's."""
        head, _, name = path.rpartition(b"/")
        found = self.resolve(head).rstrip(b"/") + b"/" + name  # `//home` would be the same, but not to `guard`
        if self.mounts is not None and self.mounts.risky:
            self.mounts.guard(found)
        return found


def component(part: bytes) -> "re.Pattern[bytes]":
    """A glob of one path component as a regular expression."""
    out = b""
    index = 0
    while index < len(part):
        char = part[index : index + 1]
        end = part.find(b"]", index + 2) if char == b"[" else -1
        if char == b"*":
            out += b".*"
        elif char == b"?":
            out += b"."
        elif end > 0:
            body = part[index + 1 : end]
            out += b"[" + (b"^" + body[1:] if body[:1] in b"!^" else body).replace(b"\\", b"\\\\") + b"]"
            index = end
        else:
            out += re.escape(char)
        index += 1
    return re.compile(out, re.DOTALL)
