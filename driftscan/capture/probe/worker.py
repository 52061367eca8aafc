"""The probe's program for targets that have Python 3.6 or later. Standard library only; imports nothing of driftscan.

It reads requests from standard input and answers in frames on standard output; it writes nothing else anywhere.
`capture/probe/render.py` makes the requests and `capture/probe/frames.py` decodes the frames: the protocol is
described there. Started as: NONCE ROOT SECONDS, with the sources of redact.py and walk.py before this one.
"""

import os
import re
import select
import signal
import stat
import subprocess
import sys
import time

if "walk_tree" not in globals():  # on a target both stand before this text, in the same namespace
    from driftscan.capture.probe.redact import REDACT
    from driftscan.capture.probe.walk import walk_tree

TYPE_CHECKING = False  # type checkers take it for true; a target need not import typing
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from driftscan.capture.probe.walk import RawRule

    Answer = tuple[str, object, str]  # status, exit code or `-`, detail

CHUNK = 1 << 16
LINKS = 40
GLOB_ENTRIES = 200000


class Absent(Exception):
    """There is no such file: a fact."""


class Root:
    """Paths of a target's root. Below a directory that is not `/`, every component is resolved by hand, so that no
    link, absolute or with `..`, leads out of it."""

    def __init__(self, root: bytes) -> None:
        self.root = b"" if root == b"/" else root.rstrip(b"/")
        self.denied: "set[bytes]" = set()
        self.open_to_all: "dict[bytes, bool]" = {}

    def resolve(self, path: bytes) -> bytes:
        """The real path, in the scanner's own terms, with all links followed inside the root."""
        if not self.root:
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
            try:
                target = os.readlink(here)
            except OSError:
                done.append(part)
                continue
            links += 1
            if links > LINKS:
                raise OSError(40, "too many links")
            if target.startswith(b"/"):
                done = []
            todo.extend(piece for piece in target.split(b"/")[::-1] if piece)
        return self.root + b"/" + b"/".join(done)

    def read(self, path: bytes, limit: int) -> "tuple[bytes, bool, os.stat_result]":
        """(data, whole, stat) of a regular file; never blocks on a FIFO or device, never touches the access time."""
        try:
            handle = self.open(self.resolve(path))
        except OSError as error:
            if error.errno in (2, 20):
                raise Absent from None
            raise
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

    @staticmethod
    def open(path: bytes) -> int:
        """Open to read, without touching the access time where the kernel lets us (owner or root)."""
        flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY
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
            os.lstat(self.parent(path))
            return True
        except PermissionError:
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
            return self.open_to_all[directory] and bool(os.lstat(self.parent(path)).st_mode & stat.S_IROTH)
        except OSError:
            return False

    def enterable(self, directory: bytes) -> bool:
        """Whether every user of the target may enter a directory."""
        while directory:
            try:
                if not os.stat(self.resolve(directory)).st_mode & stat.S_IXOTH:
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
                    if stat.S_ISDIR(os.lstat(self.parent(child)).st_mode):
                        stack.append(child)
                except OSError:
                    continue

    def names(self, path: bytes) -> "list[bytes]":
        """Names in a directory, sorted; none where it is absent, or may not be read (noted as denied)."""
        try:
            return sorted(os.listdir(self.resolve(path) or b"/"))
        except PermissionError:
            self.denied.add(path)
        except (FileNotFoundError, NotADirectoryError):
            pass
        return []

    def parent(self, path: bytes) -> bytes:
        """The path with all links resolved but the last component's."""
        head, _, name = path.rpartition(b"/")
        return self.resolve(head) + b"/" + name


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


def status_word(error: Exception) -> str:
    """The status of a source, or of one file of it, that an error ended."""
    if isinstance(error, PermissionError):
        return "forbidden"
    return "absent" if isinstance(error, Absent) else "failed"


def words(text: bytes) -> str:
    """A detail on one line, without blanks at its ends."""
    return re.sub(rb"[^\x21-\x7e]+", b" ", text).strip()[:300].decode("ascii")


class Probe:
    """Answers requests, one round after another, until its standard input ends."""

    def __init__(self, nonce: str, root: bytes) -> None:
        self.nonce = nonce.encode()
        self.root = Root(root)
        self.asked: "list[tuple[list[bytes], list[list[bytes]]]]" = []

    def mark(self, *parts: object) -> None:
        """Write one line of the protocol; the nonce before it is what no file's content can know."""
        line = b" ".join(part if isinstance(part, bytes) else str(part).encode() for part in parts)
        self.out(b"\n" + self.nonce + b" " + line + b"\n")

    @staticmethod
    def out(data: bytes) -> None:
        """Write all of the data, unbuffered, so that forked workers repeat none of it."""
        view = memoryview(data)
        while view:
            view = view[os.write(1, view) :]

    def serve(self) -> None:
        """Greet, then read requests and answer them at each `go`."""
        boot = b""
        try:
            boot = self.root.read(b"/proc/sys/kernel/random/boot_id", 100)[0].strip() if not self.root.root else b""
        except (OSError, Absent):
            pass
        version = "%d.%d.%d" % sys.version_info[:3]
        self.mark("hello", 1, os.geteuid(), escape(os.fsencode(os.uname()[1])), escape(boot) or b"-", "python", version)
        for line in sys.stdin.buffer:
            parts = [unescape(part) for part in line.rstrip(b"\n").split(b" ")]
            if parts[0] == b"go":
                self.round()
            elif parts[0] in (b"rule", b"top"):
                self.asked[-1][1].append(parts)
            else:
                self.asked.append((parts, []))

    def round(self) -> None:
        """Answer all that was asked since the last round."""
        for request, extras in self.asked:
            kind, key = request[0].decode(), request[1].decode()
            arguments = request[2:] + ([extras] if kind == "tree" else [])
            self.mark("begin", key)
            try:
                status, code, detail = getattr(self, "do_" + kind)(*arguments)
            except Exception as error:  # one source must not end the others
                status, code, detail = status_word(error), "-", words(str(error).encode("utf-8", "replace"))
            self.mark("end", key, status, code, escape(str(detail).encode("utf-8", "replace")) or b"-")
        self.asked = []
        self.mark("round")

    def do_file(self, limit: bytes, redact: bytes, path: bytes) -> "Answer":
        data, whole, _ = self.root.read(path, int(limit))
        self.out(REDACT[redact.decode()](data))
        return ("ok" if whole else "truncated"), "-", ("" if whole else "more than %d bytes" % int(limit))

    def do_glob(self, max_files: bytes, limit: bytes, redact: bytes, content: bytes, *patterns: bytes) -> "Answer":
        paths: "set[bytes]" = set()
        self.root.denied = set()
        for pattern in patterns:
            paths.update(self.root.expand(pattern, GLOB_ENTRIES))
        if len(paths) > int(max_files):
            return "truncated", "-", "more than %d files" % int(max_files)
        budget = [max(int(limit) * 4, 64 << 20)]
        for path in sorted(paths):
            self.member(path, int(limit), REDACT[redact.decode()], content, budget)
        for path in sorted(self.root.denied - paths):
            self.mark("member", "forbidden", 0, 0, 0, 0, escape(path), "-", "-")
        return "ok" if paths or self.root.denied else "absent", "-", ""

    def member(
        self, path: bytes, limit: int, reduce: "Callable[[bytes], bytes]", content: bytes, budget: "list[int]"
    ) -> None:
        """One file of a glob; `budget` holds how many bytes are left for all of them."""
        try:
            where = self.root.parent(path)
            status = os.lstat(where)
        except OSError as error:
            if error.errno not in (2, 20):
                self.mark("member", status_word(error), 0, 0, 0, 0, escape(path), "-", words(str(error).encode()))
            return
        link = os.readlink(where) if stat.S_ISLNK(status.st_mode) else None
        word, data, detail = "ok", b"", ""
        wanted = content != b"none" and (link is not None or stat.S_ISREG(status.st_mode))
        if wanted and (content == b"all" or (link is None and self.root.public(path))):
            word, data, detail = self.content(path, min(limit, budget[0]), link is not None, content == b"public")
            budget[0] -= len(data)
        head = (word, status.st_mode, status.st_uid, status.st_gid, int(status.st_mtime), escape(path))
        self.mark("member", *(head + (b"-" if link is None else b"=" + escape(link), escape(detail.encode()) or b"-")))
        self.out(reduce(data))

    def content(self, path: bytes, limit: int, linked: bool, public: bool) -> "tuple[str, bytes, str]":
        """(status, data, detail) of one file of a glob; `public`: empty unless every user may read it."""
        try:
            data, whole, status = self.root.read(path, limit)
            if public and not status.st_mode & stat.S_IROTH:  # it was another file when the walk to it began
                return "ok", b"", ""
        except IsADirectoryError:
            return "ok", b"", ""  # a link to a directory or a device: the link itself is the fact
        except Absent:
            return ("ok" if linked else "absent"), b"", ""  # dangling
        except OSError as error:
            return status_word(error), b"", words(str(error).encode())
        return ("ok", data, "") if whole else ("truncated", data, "more than %d bytes" % limit)

    def do_command(self, limit: bytes, timeout: bytes, redact: bytes, rooted: bytes, *argv: bytes) -> "Answer":
        if self.root.root and not rooted:
            return "unsupported", "-", "commands need a running target"
        if self.root.root:  # the scanner's own program, told which root to read
            argv = argv + (rooted, self.root.root)
        environment = {
            "PATH": os.environ["PATH"],
            "LC_ALL": "C",
            "HOME": "/",
            "SYSTEMD_PAGER": "",
            "SYSTEMD_COLORS": "0",
        }
        try:
            child = subprocess.Popen(
                list(argv), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                env=environment, cwd="/", start_new_session=True,
            )  # fmt: skip
        except FileNotFoundError:
            return "absent", "-", "no such program"
        data, errors, reason = drain(child, int(limit), int(timeout))
        self.out(REDACT[redact.decode()](data))
        return reason, child.returncode, words(REDACT["secrets"](errors))

    def do_processes(self) -> "Answer":
        if self.root.root:
            return "unsupported", "-", "processes need a running target"
        hidden = 0
        for pid in sorted(int(name) for name in os.listdir("/proc") if name.isdigit()):
            try:
                if not self.process(pid):
                    hidden += 1
            except (OSError, ValueError, IndexError):
                continue  # it ended meanwhile
        return "ok", "-", ("%d processes of other users were not visible" % hidden if hidden else "")

    def process(self, pid: int) -> bool:
        """Write one process; whether its executable and sockets were visible. Fields as in proc(5)."""
        base = "/proc/%d/" % pid
        text = read_all(base + "stat")
        name = text[text.index(b"(") + 1 : text.rindex(b")")]
        rest = text[text.rindex(b")") + 2 :].split()
        visible = True
        sockets = []
        exe = b""
        try:
            exe = os.readlink(os.fsencode(base + "exe"))
            for number in os.listdir(base + "fd"):
                try:
                    target = os.readlink(base + "fd/" + number)
                except OSError:
                    continue
                if target.startswith("socket:["):
                    sockets.append(target[8:-1])
        except PermissionError:
            visible = False
        except FileNotFoundError:
            pass  # a kernel thread has no executable
        deleted = exe.endswith(b" (deleted)")
        exe = exe[:-10] if deleted else exe
        fields = (pid, int(rest[1]), os.stat(base).st_uid, escape(name) or b"-", escape(exe) or b"-", int(deleted))
        tail = (
            ",".join(sorted(sockets)) or "-",
            escape(unit_of(read_all(base + "cgroup"))) or b"-",
            int(rest[19]),
            int(visible),
        )
        self.mark("process", *(fields + tail))
        return visible

    def do_tree(self, algorithm: bytes, extras: "list[list[bytes]]") -> "Answer":
        rules: "list[RawRule]" = []
        tops: "list[str]" = []
        for extra in extras:
            values = [os.fsdecode(part) for part in extra[1:]]
            if extra[0] == b"rule":
                rules.append((values[0], int(values[1]), values[2], values[3], values[4]))
            else:
                tops.append(values[0])
        workers = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1
        failed = walk_tree(
            os.fsdecode(self.root.root) or "/", tops, rules, algorithm.decode(), self.out, min(workers, 8)
        )
        return ("failed", "-", "%d workers of the walk failed" % failed) if failed else ("ok", "-", "")


def drain(child: "subprocess.Popen[bytes]", limit: int, timeout: int) -> "tuple[bytes, bytes, str]":
    """(stdout, tail of stderr, status) of a child within limits; the child and its group are ended in any case."""
    deadline = time.monotonic() + timeout
    assert child.stdout is not None
    assert child.stderr is not None
    parts: "dict[int, list[bytes]]" = {child.stdout.fileno(): [], child.stderr.fileno(): []}
    size = 0
    reason = "ok"
    still = set(parts)
    while still:
        ready = select.select(list(still), [], [], max(0, deadline - time.monotonic()))[0]
        if not ready:
            reason = "timed_out"
            break
        for handle in ready:
            data = os.read(handle, CHUNK)
            if not data:
                still.discard(handle)
            elif handle == child.stderr.fileno():
                parts[handle] = [(b"".join(parts[handle]) + data)[-4096:]]
            else:
                size += len(data)
                parts[handle].append(data)
        if size > limit:
            reason = "truncated"
            break
    if reason != "ok":
        try:
            os.killpg(child.pid, signal.SIGKILL)
        except OSError:
            pass
    child.wait()
    return b"".join(parts[child.stdout.fileno()])[:limit], b"".join(parts[child.stderr.fileno()]), reason


def read_all(path: str) -> bytes:
    with open(path, "rb") as handle:
        return handle.read(CHUNK)


def unit_of(cgroup: bytes) -> bytes:
    """The systemd unit in /proc/PID/cgroup: the last component that ends like one."""
    for line in cgroup.split(b"\n"):
        for part in reversed(line.split(b"/")):
            if part.endswith((b".service", b".scope", b".socket")):
                return part
    return b""


def escape(data: bytes) -> bytes:
    r"""Bytes as one word: everything but plain characters as \0ooo (printf %b reads it)."""
    return re.sub(rb"[^A-Za-z0-9._/@:+,*?\[\]{}()^$|<>!~%=-]", lambda match: b"\\0%03o" % match.group(0)[0], data)


def unescape(word: bytes) -> bytes:
    """The reverse of escape(); `-` is empty."""
    return re.sub(rb"\\0([0-7]{3})", lambda match: bytes([int(match.group(1), 8)]), b"" if word == b"-" else word)


def main(arguments: "list[str]") -> None:
    nonce, root, seconds = arguments
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    signal.alarm(int(seconds))
    Probe(nonce, os.fsencode(root)).serve()


if __name__ == "__main__":
    main(sys.argv[1:])
