"""Decodes the probe's answers: framed bytes to captures. A cut at any byte yields gaps, never an invented resource.

A frame begins with a line `NONCE WORD ...` after a newline of its own; the bytes up to the next such newline are its
data. The nonce has 128 random bits, so nothing that a target holds can look like a frame. Words:

    hello 2 EUID HOSTNAME BOOT_ID INTERPRETER VERSION
    begin K                      data: the content of a file, the output of a command, the records of a walk
    member STATUS MODE UID GID PATH LINK DETAIL     data: the content (LINK is `-`, or `=` and the target)
    entries, links, hashes       data: the parts of a walk without Python (`shell_walk.py`)
    process PID PPID UID NAME EXE DELETED SOCKETS UNIT STARTED VISIBLE LOOKED APART
                                 data: a line `STATE SHA256 PATH SINCE` for each file that it has loaded and that is gone
                                 or in scratch space; the last two words, and the data, are missing where an older probe is part of the image
    sections                     data: the packed sections of a step (`model/digests.py`)
    end K STATUS EXIT DETAIL
    same K,K,...                 these answers have the digests that were expected, and were not sent
    round                        all sources of the round are answered

The digest of an answer is that of its frames with their sizes, and of its end (STATUS EXIT DETAIL): a target that knows
what it is expected to say, says it in few bytes.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice

from driftscan.capture.probe import shell_walk
from driftscan.capture.probe.words import unescape
from driftscan.errors import IncompleteError, ProbeError
from driftscan.model.digests import unpack
from driftscan.model.lines import Buffer, Held
from driftscan.model.source import (
    Capture,
    Command,
    Fate,
    LoadedFile,
    Member,
    ProcessRow,
    Source,
    Status,
    Step,
    Tree,
)
from driftscan.stored import Spool

MAX_MEMBERS = 200_000
MAX_SECTIONS = 64 << 20
MAX_LINE = 1 << 20
WALK = "the records of the walk"
MAX_HELD = 256 << 20
"""Bytes of a round that are kept in memory; walks lie on disk and do not count."""
DIGITS = 32
"""Hexadecimal digits of the digest of an answer."""
_PARTS = frozenset({b"entries", b"links", b"hashes"})
_FRAME = 300
"""What a frame takes of memory besides its data."""
_BATCH = 1000
_NOTHING = Held("", b"")


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame, or a part of a long one: the words of its line (none: it goes on), data, and whether it ends here."""

    words: tuple[bytes, ...]
    data: bytes
    ends: bool = True


class Splitter:
    """Cuts a stream into frames, and hands their data on as they come, so that it never holds more than one read. Noise
    before the first frame (a login banner, a shell's greeting) is dropped."""

    def __init__(self, nonce: str) -> None:
        """The nonce that the probe was started with."""
        self._mark = b"\n" + nonce.encode() + b" "
        self._rest = b""
        """The last bytes that came: a mark may begin in them."""
        self._line: bytes | None = None
        """What there is of the line of a frame; None: outside of frames, or the line has been handed on."""
        self._inside = False

    def feed(self, data: bytes) -> Iterator[Frame]:
        """The frames and parts of frames that have come: a frame ends where the next begins, `round` and `hello` at
        their line's end. ProbeError for a line without end."""
        data = self._rest + data
        start = 0
        while (found := data.find(self._mark, start)) >= 0:
            yield from self._part(data[start:found], ends=True)
            self._inside, self._line = True, b""
            start = found + len(self._mark)
        sure = max(start, len(data) - len(self._mark) + 1)
        yield from self._part(data[start:sure], ends=False)
        self._rest = data[sure:]
        if self._line is not None and _is_line_alone(line := self._line + self._rest):
            yield _frame(line, ends=True)
            self._rest = self._rest[self._rest.index(b"\n") :]  # with which a mark may begin
            self._line, self._inside = None, False

    def _part(self, data: bytes, *, ends: bool) -> Iterator[Frame]:
        """What has come of a frame, if there is any to tell."""
        if not self._inside:
            return
        if self._line is None:
            if data or ends:
                yield Frame((), data, ends)
            return
        self._line += data
        if len(self._line) > MAX_LINE and b"\n" not in self._line[:MAX_LINE]:
            raise ProbeError("the probe answered outside its protocol (a line without end)")
        alone = _is_line_alone(self._line)
        if ends or b"\n" in data:
            yield _frame(self._line, ends=ends or alone)
            self._line = None
            self._inside = not alone


def _is_line_alone(line: bytes) -> bool:
    return line.startswith((b"round\n", b"hello ")) and b"\n" in line


@dataclass
class _Open:
    source: Source
    data: bytes = b""
    sections: bytes = b""
    stored: Buffer = _NOTHING
    """What a walk tells instead of data."""
    members: list[Member] = field(default_factory=list)
    processes: list[ProcessRow] = field(default_factory=list)
    parts: dict[str, Buffer] = field(default_factory=dict)
    body: "hashlib._Hash" = field(default_factory=hashlib.sha256)
    lost: tuple[Status, str] | None = None
    """What became of it, and why, if it could not be kept."""

    @property
    def walked(self) -> bool:
        """Whether it may be large: then it is put aside, and has no digest, as nobody expects one of it."""
        return isinstance(self.source, Tree)

    def count(self, line: bytes, data: bytes) -> None:
        """Add a frame to the digest of the answer."""
        self.body.update(b"%d %d\n" % (len(line), len(data)))
        self.body.update(line)
        self.body.update(data)

    def lose(self, status: Status, why: str) -> None:
        """Keep nothing of it."""
        self.lost = (status, why)
        self.stored = _NOTHING
        for kept in (self.members, self.processes, self.parts):
            kept.clear()

    def records(self) -> Buffer:
        """Those of a walk; a worker without Python tells them in several parts."""
        if not self.parts:
            return self.stored
        spool = Spool(WALK)
        records = shell_walk.records(self.stored, self.parts)
        try:
            while batch := b"".join(islice(records, _BATCH)):
                spool.write(batch)
            return spool.buffer()
        except IncompleteError as error:
            self.lose(Status.FAILED, f"{error.message}. {error.hint}")
            return _NOTHING


class Decoder:
    """Collects the frames of one round into captures."""

    def __init__(self, sources: Sequence[Source], known: Mapping[Source, str] | None = None) -> None:
        """The sources in the order in which they were asked; `known`: those whose digest the target was told."""
        self._sources = sources
        self._known = known or {}
        self._captures: dict[int, Capture] = {}
        self._open: tuple[int, _Open] | None = None
        self._words: tuple[bytes, ...] = ()
        self._parts: list[bytes] = []
        self._spool: Spool | None = None
        self._room = MAX_HELD
        self.done = False

    @property
    def answered(self) -> bool:
        """Whether any source has been answered whole."""
        return bool(self._captures)

    def take(self, frame: Frame) -> None:
        """One more frame, or part of one; ProbeError if it is outside the protocol."""
        try:
            if frame.words:
                self._begin(frame.words)
            self._keep(frame.data)
            if frame.ends:
                self._take(self._words)
        except (IndexError, ValueError, UnicodeDecodeError) as error:
            raise ProbeError(f"the probe answered outside its protocol ({frame.words[:1]!r})") from error

    def captures(self, reason: str = "the probe's answer was cut off", status: Status = Status.FAILED) -> list[Capture]:
        """A capture for every source; what was not answered whole is a gap with this reason and status."""
        return [
            self._captures.get(number) or Capture(source, status, detail=reason)
            for number, source in enumerate(self._sources)
        ]

    def _begin(self, words: tuple[bytes, ...]) -> None:
        """A frame begins; its data follow."""
        self._words = words
        if words[0] == b"begin":
            number = int(words[1])
            self._open = (number, _Open(self._sources[number]))
        self._parts = []
        self._spool = Spool(WALK) if self._open is not None and self._open[1].walked else None
        self._room -= 0 if self._spool else _FRAME

    def _keep(self, data: bytes) -> None:
        """More data of the frame. What there is no room for is lost, with all else of its source."""
        opened = self._open[1] if self._open else None
        if opened is None or opened.lost:
            return
        if self._spool is None:
            self._room -= len(data)
            self._parts.append(data)
            if self._room < 0:
                opened.lose(Status.TRUNCATED, f"the host answers more than {MAX_HELD >> 20} MiB at once")
                self._parts = []
            return
        try:
            self._spool.write(data)
        except IncompleteError as error:
            opened.lose(Status.FAILED, f"{error.message}. {error.hint}")

    def _take(self, words: tuple[bytes, ...]) -> None:
        """A frame has come whole."""
        if words[0] == b"round":
            self.done = True
        elif words[0] == b"same" and self._open is None:
            self._same(words)
        elif self._open is None:
            raise ValueError("a frame outside a source")
        elif words[0] == b"end":
            self._end(words)
        elif self._open[1].lost:
            return
        elif self._spool is not None:
            self._walked(self._open[1], words[0], self._spool.buffer())
        else:
            self._part(self._open[1], words, b"".join(self._parts))

    @staticmethod
    def _walked(opened: _Open, word: bytes, found: Buffer) -> None:
        if word == b"begin":
            opened.stored = found
        elif word in _PARTS:
            opened.parts[word.decode()] = found
        else:
            raise ValueError("an unknown frame")

    @staticmethod
    def _part(opened: _Open, words: tuple[bytes, ...], data: bytes) -> None:
        opened.count(b"" if words[0] == b"begin" else b" ".join(words), data)
        if words[0] == b"begin":
            opened.data = data
        elif words[0] == b"member" and len(opened.members) < MAX_MEMBERS:
            opened.members.append(_member(words, data))
        elif words[0] == b"process" and len(opened.processes) < MAX_MEMBERS:
            opened.processes.append(_process(words, data))
        elif words[0] == b"sections":
            opened.sections = data
        else:
            raise ValueError("an unknown frame")

    def _same(self, words: tuple[bytes, ...]) -> None:
        for word in words[1].strip().split(b","):
            number = int(word)
            source = self._sources[number]
            if source not in self._known or number in self._captures:
                raise ValueError("equal to what nobody expected")
            self._captures[number] = Capture(source, Status.OK, digest=self._known[source], same=True)

    def _end(self, words: tuple[bytes, ...]) -> None:
        assert self._open is not None
        number, opened = self._open
        _, key, status, code, detail = words[:5]
        if int(key) != number:
            raise ValueError("an end without its begin")
        self._open = None
        exit_code = None if code == b"-" else int(code)
        whole = opened.body.digest() + b" ".join((status, code, detail))
        stored = opened.records() if opened.walked else None
        if opened.lost:
            self._captures[number] = Capture(opened.source, opened.lost[0], detail=opened.lost[1])
            return
        self._captures[number] = Capture(
            opened.source,
            _status(opened.source, Status(status.decode()), exit_code),
            opened.data,
            tuple(sorted({member.path: member for member in opened.members}.values(), key=lambda member: member.path)),
            tuple(opened.processes),
            unescape(detail).decode("utf-8", "replace"),
            exit_code,
            unpack(opened.sections, MAX_SECTIONS) if opened.sections and isinstance(opened.source, Step) else {},
            hashlib.sha256(whole).hexdigest()[:DIGITS] if stored is None else "",
            stored=stored,
        )


def _status(source: Source, status: Status, exit_code: int | None) -> Status:
    if isinstance(source, Command) and status is Status.OK and exit_code not in source.ok:
        return Status.FAILED
    return status


def _frame(raw: bytes, *, ends: bool) -> Frame:
    line, _, data = raw.partition(b"\n")
    return Frame(tuple(line.split(b" ")), data, ends)


def _member(words: tuple[bytes, ...], data: bytes) -> Member:
    _, status, mode, uid, gid, path, link, detail = words
    return Member(
        path=unescape(path),
        status=Status(status.decode()),
        data=data,
        link=unescape(link[1:]) if link.startswith(b"=") else None,
        mode=int(mode),
        uid=int(uid),
        gid=int(gid),
        detail=unescape(detail).decode("utf-8", "replace"),
    )


def _process(words: tuple[bytes, ...], data: bytes) -> ProcessRow:
    _, pid, ppid, uid, name, exe, deleted, sockets, unit, started, visible = words[:11]
    looked, apart = words[11:] or (Status.UNSUPPORTED.value.encode(), b"0")
    return ProcessRow(
        pid=int(pid),
        ppid=int(ppid),
        uid=int(uid),
        name=unescape(name),
        exe=unescape(exe),
        deleted=deleted == b"1",
        sockets=frozenset(int(inode) for inode in sockets.split(b",")) if sockets != b"-" else frozenset(),
        unit=unescape(unit),
        started=int(started),
        visible=visible == b"1",
        looked=Status(looked.decode()),
        apart=apart == b"1",
        loaded=tuple(_loaded(line) for line in data.split(b"\n") if line),
    )


def _loaded(line: bytes) -> LoadedFile:
    state, sha256, path, since = line.split(b" ")
    return LoadedFile(unescape(path), Fate(state.decode()), unescape(sha256).decode("ascii"), int(since))
