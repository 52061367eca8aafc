"""Decodes the probe's answers: framed bytes to captures. A cut at any byte yields gaps, never an invented resource.

A frame begins with a line `NONCE WORD ...` after a newline of its own; the bytes up to the next such newline are its
data. The nonce has 128 random bits, so nothing that a target holds can look like a frame. Words:

    hello 2 EUID HOSTNAME BOOT_ID INTERPRETER VERSION
    begin K                      data: the content of a file, the output of a command, the records of a walk
    member STATUS MODE UID GID PATH LINK DETAIL     data: the content (LINK is `-`, or `=` and the target)
    entries, links, hashes       data: the parts of a walk without Python (`shell_walk.py`)
    process PID PPID UID NAME EXE DELETED SOCKETS UNIT STARTED VISIBLE
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

from driftscan.capture.probe import shell_walk
from driftscan.capture.probe.words import unescape
from driftscan.errors import ProbeError
from driftscan.model.digests import unpack
from driftscan.model.source import Capture, Command, Member, ProcessRow, Source, Status, Step

MAX_MEMBERS = 200_000
MAX_SECTIONS = 64 << 20
DIGITS = 32
"""Hexadecimal digits of the digest of an answer."""
_PARTS = frozenset({b"entries", b"links", b"hashes", b"sections"})


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame: the words of its line, and its data."""

    words: tuple[bytes, ...]
    data: bytes


class Splitter:
    """Cuts a stream into frames. Noise before the first frame (a login banner, a shell's greeting) is dropped."""

    def __init__(self, nonce: str) -> None:
        """The nonce that the probe was started with."""
        self._mark = b"\n" + nonce.encode() + b" "
        self._buffer = bytearray()
        self._searched = 0
        self._inside = False

    def feed(self, data: bytes) -> Iterator[Frame]:
        """The frames that are whole now: each ends where the next begins, `round` and `hello` at their line's end."""
        self._buffer += data
        while (found := self._buffer.find(self._mark, self._searched)) >= 0:
            if self._inside:
                yield _frame(bytes(self._buffer[:found]))
            self._inside = True
            del self._buffer[: found + len(self._mark)]
            self._searched = 0
        self._searched = max(0, len(self._buffer) - len(self._mark))
        if self._inside and bytes(self._buffer[:6]) in (b"round\n", b"hello ") and b"\n" in self._buffer:
            yield _frame(bytes(self._buffer))
            self._buffer.clear()
            self._searched = 0
            self._inside = False


@dataclass
class _Open:
    source: Source
    data: bytes
    members: list[Member] = field(default_factory=list)
    processes: list[ProcessRow] = field(default_factory=list)
    parts: dict[str, bytes] = field(default_factory=dict)
    body: "hashlib._Hash" = field(default_factory=hashlib.sha256)

    def count(self, line: bytes, data: bytes) -> None:
        """Add a frame to the digest of the answer."""
        self.body.update(b"%d %d\n" % (len(line), len(data)))
        self.body.update(line)
        self.body.update(data)


class Decoder:
    """Collects the frames of one round into captures."""

    def __init__(self, sources: Sequence[Source], known: Mapping[Source, str] | None = None) -> None:
        """The sources in the order in which they were asked; `known`: those whose digest the target was told."""
        self._sources = sources
        self._known = known or {}
        self._captures: dict[int, Capture] = {}
        self._open: tuple[int, _Open] | None = None
        self.done = False

    @property
    def answered(self) -> bool:
        """Whether any source has been answered whole."""
        return bool(self._captures)

    def take(self, frame: Frame) -> None:
        """One more frame; ProbeError if it is outside the protocol."""
        try:
            self._take(frame)
        except (IndexError, ValueError, UnicodeDecodeError) as error:
            raise ProbeError(f"the probe answered outside its protocol ({frame.words[:1]!r})") from error

    def captures(self, reason: str = "the probe's answer was cut off", status: Status = Status.FAILED) -> list[Capture]:
        """A capture for every source; what was not answered whole is a gap with this reason and status."""
        return [
            self._captures.get(number) or Capture(source, status, detail=reason)
            for number, source in enumerate(self._sources)
        ]

    def _take(self, frame: Frame) -> None:
        word = frame.words[0]
        if word == b"begin":
            number = int(frame.words[1])
            self._open = (number, _Open(self._sources[number], frame.data))
            self._open[1].count(b"", frame.data)
        elif word == b"round":
            self.done = True
        elif word == b"same" and self._open is None:
            self._same(frame)
        elif self._open is None:
            raise ValueError("a frame outside a source")
        elif word == b"end":
            self._end(frame)
        else:
            self._part(self._open[1], frame)

    @staticmethod
    def _part(opened: _Open, frame: Frame) -> None:
        word = frame.words[0]
        opened.count(b" ".join(frame.words), frame.data)
        if word == b"member" and len(opened.members) < MAX_MEMBERS:
            opened.members.append(_member(frame))
        elif word == b"process" and len(opened.processes) < MAX_MEMBERS:
            opened.processes.append(_process(frame))
        elif word in _PARTS:
            opened.parts[word.decode()] = frame.data
        else:
            raise ValueError("an unknown frame")

    def _same(self, frame: Frame) -> None:
        for word in frame.words[1].strip().split(b","):
            number = int(word)
            source = self._sources[number]
            if source not in self._known or number in self._captures:
                raise ValueError("equal to what nobody expected")
            self._captures[number] = Capture(source, Status.OK, digest=self._known[source], same=True)

    def _end(self, frame: Frame) -> None:
        assert self._open is not None
        number, opened = self._open
        _, key, status, code, detail = frame.words[:5]
        if int(key) != number:
            raise ValueError("an end without its begin")
        exit_code = None if code == b"-" else int(code)
        sections = opened.parts.pop("sections", b"")
        whole = opened.body.digest() + b" ".join((status, code, detail))
        self._captures[number] = Capture(
            opened.source,
            _status(opened.source, Status(status.decode()), exit_code),
            shell_walk.records(opened.data, opened.parts) if opened.parts else opened.data,
            tuple(sorted({member.path: member for member in opened.members}.values(), key=lambda member: member.path)),
            tuple(opened.processes),
            unescape(detail).decode("utf-8", "replace"),
            exit_code,
            unpack(sections, MAX_SECTIONS) if sections and isinstance(opened.source, Step) else {},
            hashlib.sha256(whole).hexdigest()[:DIGITS],
        )
        self._open = None


def _status(source: Source, status: Status, exit_code: int | None) -> Status:
    if isinstance(source, Command) and status is Status.OK and exit_code not in source.ok:
        return Status.FAILED
    return status


def _frame(raw: bytes) -> Frame:
    line, _, data = raw.partition(b"\n")
    return Frame(tuple(line.split(b" ")), data)


def _member(frame: Frame) -> Member:
    _, status, mode, uid, gid, path, link, detail = frame.words
    return Member(
        path=unescape(path),
        status=Status(status.decode()),
        data=frame.data,
        link=unescape(link[1:]) if link.startswith(b"=") else None,
        mode=int(mode),
        uid=int(uid),
        gid=int(gid),
        detail=unescape(detail).decode("utf-8", "replace"),
    )


def _process(frame: Frame) -> ProcessRow:
    _, pid, ppid, uid, name, exe, deleted, sockets, unit, started, visible = frame.words
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
    )
