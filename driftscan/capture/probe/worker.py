"""The probe's program for targets that have Python 3.6 or later. Standard library only; imports nothing of driftscan.

It reads requests from standard input and answers in frames on standard output; it writes nothing else anywhere.
`capture/probe/render.py` makes the requests and `capture/probe/frames.py` decodes the frames: the protocol is
described there. Started as: NONCE ROOT SECONDS SHARE RATE, with the sources that render.py lists before this one.
"""

import fcntl
import hashlib
import os
import re
import signal
import stat
import struct
import sys
from typing import TYPE_CHECKING

from driftscan.capture.probe.commands import find_program, run_command
from driftscan.capture.probe.crew import HungUp, write_all
from driftscan.capture.probe.dialogue import Dialogue
from driftscan.capture.probe.listing import list_tree
from driftscan.capture.probe.loaded import loaded_by
from driftscan.capture.probe.manners import Pace
from driftscan.capture.probe.mounts import mount_points
from driftscan.capture.probe.redact import REDACT
from driftscan.capture.probe.root import CHUNK, Absent, Root, Silent
from driftscan.capture.probe.rules import Rule, Rules
from driftscan.capture.probe.walk import Walker
from driftscan.model.digests import pack, unpack

if TYPE_CHECKING:
    from collections.abc import Callable

    from driftscan.capture.probe.rules import Zone

    Answer = tuple[str, object, str]  # status, exit code or `-`, detail

GLOB_ENTRIES = 200000
MOST_SECTIONS = 1 << 28
TOGETHER = 1 << 15
MOST_WORKERS = 8
NEVER_READ = frozenset((b"/etc/shadow", b"/etc/shadow-", b"/etc/gshadow", b"/etc/gshadow-"))
"""A digest of these would let a guessed password be checked off line, whoever asks for it."""


class Request:
    """One thing that is asked: its words, the lines that belong to it, and the digest that its answer had before."""

    def __init__(self, parts: "list[bytes]", data: bytes = b"") -> None:
        self.parts = parts
        self.extras: "list[list[bytes]]" = []
        self.data = data
        self.known = b""


class Probe:
    """Answers requests, one round after another, until its standard input ends."""

    def __init__(self, nonce: str, root: Root, share: float, rate: float) -> None:
        self.nonce = nonce.encode()
        self.root = root
        self.share = share
        self.rate = rate
        self.asked: "list[Request]" = []
        self.dialogue: "Dialogue | None" = None
        self.kept: "list[tuple[bytes, list[bytes]]] | None" = None
        self.unsent: "list[bytes]" = []
        self.waiting = 0
        permitted = os.environ.get("DRIFTSCAN_PERMITTED", "")
        self.permitted = frozenset(permitted.encode().split(b"\n")) if permitted else None

    def mark(self, *parts: object) -> None:
        """Write one line of the protocol; the nonce before it is what no file's content can know."""
        line = b" ".join(part if isinstance(part, bytes) else str(part).encode() for part in parts)
        if self.kept is not None:
            self.kept.append((line, []))
        else:
            self.send(b"\n" + self.nonce + b" " + line + b"\n")

    def out(self, data: bytes) -> None:
        """Write data of the answer; it is kept back while its digest is not known."""
        if self.kept is not None:
            self.kept[-1][1].append(data)
        else:
            self.send(data)

    def send(self, data: bytes) -> None:
        """Write, in few pieces: each costs the scanner a packet."""
        self.unsent.append(data)
        self.waiting += len(data)
        if self.waiting > TOGETHER:
            self.flush()

    def flush(self) -> None:
        """Write what waits: when a round is over, and before workers write themselves."""
        write_all(1, b"".join(self.unsent))
        self.unsent = []
        self.waiting = 0

    def serve(self) -> None:
        """Greet, then read requests and answer them at each `go`."""
        boot = b""
        try:
            boot = self.root.read(b"/proc/sys/kernel/random/boot_id", 100)[0].strip() if self.root.live else b""
        except (OSError, Absent):
            pass  # an old kernel, or a closed one
        version = "%d.%d.%d" % sys.version_info[:3]
        self.mark("hello", 2, os.geteuid(), escape(os.fsencode(os.uname()[1])), escape(boot) or b"-", "python", version)
        self.flush()
        while True:
            line = sys.stdin.buffer.readline()
            if not line:
                return
            self.take(line.rstrip(b"\n").split(b" "))

    def take(self, raw: "list[bytes]") -> None:
        """One line of a request."""
        parts = [unescape(part) for part in raw]
        if parts[0] == b"go":
            self.round()
        elif parts[0] in (b"rule", b"top"):
            self.asked[-1].extras.append(parts)
        elif parts[0] == b"same":
            self.asked[-1].known = parts[1]
        elif parts[0] == b"step":
            self.asked.append(Request(parts, sys.stdin.buffer.read(int(parts[3]))))
        else:
            allowed = self.permitted is None or b" ".join(raw[:1] + raw[2:]) in self.permitted or harmless(parts)
            self.asked.append(Request(parts if allowed else [b"refused", parts[1]]))

    def round(self) -> None:
        """Answer all that was asked since the last round; of what is as it was, the number alone."""
        same = []
        for request in self.asked:
            number = request.parts[1]
            if request.known:
                self.kept = [(b"", [])]
            else:
                self.mark("begin", number)
            status, code, detail = self.answer(request)
            end = b"%s %s %s" % (status.encode(), str(code).encode(), escape(detail.encode("utf-8", "replace")) or b"-")
            frames, self.kept = self.kept, None
            if frames is not None and digest_of(frames, end) == request.known:
                same.append(number)
                continue
            if frames is not None:
                self.mark("begin", number)
                for line, data in frames:
                    if line:
                        self.mark(line)
                    self.send(b"".join(data))
            self.mark("end", number, end)
        self.asked = []
        if same:
            self.mark("same", b",".join(same))
        self.mark("round")
        self.flush()

    def answer(self, request: Request) -> "Answer":
        """(status, exit code, detail) of one request; its data are written."""
        kind = request.parts[0].decode()
        arguments = request.parts[2:]
        try:
            if kind == "tree":
                return self.do_tree(arguments[0], request.extras)
            if kind == "step":
                return self.do_step(arguments[0], request.data)
            done: "Answer" = getattr(self, "do_" + kind)(*arguments)
            return done
        except HungUp:
            raise
        except Exception as error:  # one source must not end the others
            return status_word(error), "-", words(str(error).encode("utf-8", "replace"))

    @staticmethod
    def do_refused() -> "Answer":
        """What is not on the list that this probe was made with."""
        return "forbidden", "-", "not among what this probe may be asked"

    def do_file(self, limit: bytes, redact: bytes, path: bytes) -> "Answer":
        data, whole, _ = self.root.read(path, int(limit))
        self.out(REDACT[redact.decode()](data))
        return ("ok" if whole else "truncated"), "-", ("" if whole else "more than %d bytes" % int(limit))

    def do_glob(self, max_files: bytes, limit: bytes, redact: bytes, content: bytes, *patterns: bytes) -> "Answer":
        paths: "set[bytes]" = set()
        unread = frozenset(pattern[1:] for pattern in patterns if pattern[:1] == b"!")
        self.root.denied = set()
        if any(find_program(pattern[1:]) for pattern in patterns if pattern[:1] == b"~" and self.root.live):
            return "absent", "-", ""
        for pattern in patterns:
            if pattern[:1] not in b"!~":
                paths.update(self.root.expand(pattern, GLOB_ENTRIES))
        if len(paths) > int(max_files):
            return "truncated", "-", "more than %d files" % int(max_files)
        budget = [max(int(limit) * 4, 64 << 20)]
        for path in sorted(paths):
            self.member(path, int(limit), REDACT[redact.decode()], b"none" if path in unread else content, budget)
        for path in sorted(self.root.denied - paths):
            self.mark("member", "forbidden", 0, 0, 0, escape(path), "-", "-")
        return "ok" if paths or self.root.denied else "absent", "-", ""

    def member(
        self, path: bytes, limit: int, reduce: "Callable[[bytes], bytes]", content: bytes, budget: "list[int]"
    ) -> None:
        """One file of a glob; `budget` holds how many bytes are left for all of them."""
        try:
            where = self.root.parent(path)
            status = self.root.lstat(where)
        except OSError as error:
            if error.errno not in (2, 20):
                self.mark(
                    "member",
                    status_word(error),
                    0,
                    0,
                    0,
                    escape(path),
                    "-",
                    escape(words(str(error).encode()).encode()) or b"-",
                )
            return
        link = self.root.readlink(where) if stat.S_ISLNK(status.st_mode) else None
        word, data, detail = "ok", b"", ""
        wanted = content != b"none" and (link is not None or stat.S_ISREG(status.st_mode))
        if wanted and (content == b"all" or (link is None and self.root.public(path))):
            word, data, detail = self.content(path, min(limit, budget[0]), link is not None, content == b"public")
            budget[0] -= len(data)
        head = (word, status.st_mode, status.st_uid, status.st_gid, escape(path))
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
        if not self.root.live and not rooted:
            return "unsupported", "-", "commands need a running target"
        if not self.root.live:  # the scanner's own program, told which root to read
            argv = argv + (rooted, self.root.root)
        return self.ran(int(limit), int(timeout), redact, argv)

    def ran(self, limit: int, timeout: int, redact: bytes, argv: "tuple[bytes, ...]") -> "Answer":
        """A command of this machine, with its output."""
        path = find_program(argv[0])
        if not path:
            return "absent", "-", "no such program"
        data, errors, status, code = run_command(path, list(argv), limit, timeout)
        self.out(REDACT[redact.decode()](data))
        return status, code, words(REDACT["secrets"](errors))

    def do_processes(self) -> "Answer":
        if not self.root.live:
            return "unsupported", "-", "processes need a running target"
        rows: "dict[int, tuple[bool, tuple[object, ...]]]" = {}
        for pid in sorted(int(name) for name in os.listdir("/proc") if name.isdigit()):
            try:
                rows[pid] = self.process(pid)
            except (OSError, ValueError, IndexError):
                continue  # it ended meanwhile
        loaded = loaded_by([pid for pid, (visible, _) in rows.items() if visible])
        for pid, (visible, words_of) in rows.items():
            status, apart, files = loaded[pid] if visible else (b"forbidden", False, [])
            self.mark("process", *words_of, int(visible), status, int(apart))
            self.out(
                b"\n".join(
                    b"%s %s %s %s" % (state, digest, escape(path), since) for state, digest, path, since in files
                )
            )
        hidden = sum(not visible for visible, _ in rows.values())
        return "ok", "-", ("%d processes of other users were not visible" % hidden if hidden else "")

    @staticmethod
    def process(pid: int) -> "tuple[bool, tuple[object, ...]]":
        """Whether one process's executable and sockets were visible, and the words for it. Fields as in proc(5)."""
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
        )
        return visible, fields + tail

    def do_locks(self, *paths: bytes) -> "Answer":
        """Which of these files somebody holds a lock on (lockf or fcntl, flock: proc_locks(5))."""
        if not self.root.live:
            return "unsupported", "-", "locks need a running target"
        rows = [line.split() for line in read_all("/proc/locks").split(b"\n")]
        held = {row[-3] for row in rows if len(row) >= 8}
        for path in paths:
            try:
                status = os.stat(self.root.resolve(path))
            except OSError:
                continue
            name = b"%02x:%02x:%d" % (os.major(status.st_dev), os.minor(status.st_dev), status.st_ino)
            if name in held or is_locked(self.root, path):
                self.out(path + b"\n")
        return "ok", "-", ""

    def do_tree(self, algorithm: bytes, extras: "list[list[bytes]]") -> "Answer":
        rules = [rule_of(extra[1:]) for extra in extras if extra[0] == b"rule"]
        tops = [os.fsdecode(extra[1]) for extra in extras if extra[0] == b"top"]
        self.flush()
        list_tree(self.walker(rules, algorithm.decode()), tops, lambda data: write_all(1, data), self.workers())
        return "ok", "-", ""

    def do_step(self, name: bytes, data: bytes) -> "Answer":
        """One step of a comparison (comparison.py); `walk` begins another one."""
        sections = unpack(data, MOST_SECTIONS)
        if name == b"walk":
            rows = [[unescape(word) for word in row.split(b" ")] for row in sections["rules"].split(b"\n") if row]
            walker = self.walker([rule_of(row) for row in rows], "sha256")
            self.dialogue = Dialogue(walker, lambda told: write_all(1, told), self.workers())
        if self.dialogue is None:
            raise ValueError("a step before the walk")
        self.flush()
        answer = pack(self.dialogue.step(name.decode(), sections))
        self.mark("sections")
        self.out(answer)
        return "ok", "-", ""

    def walker(self, rules: "list[Rule]", algorithm: str) -> "Callable[[int], Walker]":
        """What makes a walker that is one of so many."""
        never = [
            Rule("stat", 0, os.fsdecode(path), zone_of_first(rules, os.fsdecode(path))) for path in sorted(NEVER_READ)
        ]
        return self.walkers(Rules(never + rules), algorithm)

    def walkers(self, rules: Rules, algorithm: str) -> "Callable[[int], Walker]":
        """The same with the rules for what nobody may read."""
        root = os.fsdecode(self.root.root) or "/"
        mounts = mount_points() if root == "/" else {}
        return lambda workers: Walker(root, rules, algorithm, mounts, self.pace(workers))

    def pace(self, workers: int) -> Pace:
        """What one of so many may use."""
        return Pace(self.share / workers, self.rate / workers)

    def workers(self) -> int:
        """How many processes walk: as many as there are processors for us, one where we may use one at most."""
        if 0 < self.share <= 1:
            return 1
        return min(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1, MOST_WORKERS)


def rule_of(words_of: "list[bytes]") -> Rule:
    """A rule from its words: ACTION SIZE GLOB ZONE."""
    action, size, glob, zone = words_of
    return Rule(action.decode(), int(size), os.fsdecode(glob), zone_from(zone) if zone else None)


def zone_from(word: bytes) -> "Zone":
    """What a zone accepts from its word: names of freed columns joined by commas, a colon, letters."""
    names, _, letters_of = word.decode().partition(":")
    freed = frozenset(name for name in names.split(",") if name)
    return (freed, *[letter in letters_of for letter in "cgeau"])  # type: ignore[return-value]


def zone_of_first(rules: "list[Rule]", path: str) -> "Zone | None":
    """The zone of the first rule that covers a path."""
    return next((rule.zone for rule in rules if rule.covers(path)), None)


def harmless(parts: "list[bytes]") -> bool:
    """What anybody may ask of a probe that was made with a list: names, digests, and what everyone may read."""
    if parts[0] == b"glob":
        return parts[5] in (b"none", b"public")
    return parts[0] in (b"tree", b"processes", b"locks")


def digest_of(frames: "list[tuple[bytes, list[bytes]]]", end: bytes) -> bytes:
    """The digest of an answer: `frames.Decoder` takes the same of what it receives."""
    body = hashlib.sha256()
    for line, pieces_of in frames:
        data = b"".join(pieces_of)
        body.update(b"%d %d\n" % (len(line), len(data)))
        body.update(line)
        body.update(data)
    return hashlib.sha256(body.digest() + end).hexdigest()[:32].encode()


def status_word(error: Exception) -> str:
    """The status of a source, or of one file of it, that an error ended."""
    if isinstance(error, PermissionError):
        return "forbidden"
    if isinstance(error, Silent):
        return "timed_out"
    return "absent" if isinstance(error, Absent) else "failed"


def words(text: bytes) -> str:
    """A detail on one line, without blanks at its ends."""
    return re.sub(rb"[^\x21-\x7e]+", b" ", text).strip()[:300].decode("ascii")


def is_locked(root: Root, path: bytes) -> bool:
    """Whether another process holds a record lock on a file (F_GETLK of fcntl(2)), also one of another pid namespace."""
    try:
        handle = os.open(root.resolve(path), os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        answer = fcntl.fcntl(handle, fcntl.F_GETLK, struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0))
        return bool(struct.unpack_from("h", answer)[0] != fcntl.F_UNLCK)
    except OSError:
        return False
    finally:
        os.close(handle)


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
    nonce, root, seconds, share, rate = arguments
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    signal.alarm(int(seconds))
    try:
        Probe(nonce, Root(unescape(os.fsencode(root))), int(share) / 100, int(rate)).serve()
    except HungUp:
        sys.exit(95)


if __name__ == "__main__":
    main(sys.argv[1:])
