"""Decodes the probe's answers: framed bytes to captures. A cut at any byte yields gaps, never an invented resource.

A frame begins with a line `NONCE WORD ...` after a newline of its own; the bytes up to the next such newline are its
data. The nonce has 128 random bits, so nothing that a target holds can look like a frame. Words:

    hello 1 EUID HOSTNAME BOOT_ID INTERPRETER VERSION
    begin K                      data: the content of a file, the output of a command, the records of a walk
    member STATUS MODE UID GID MTIME PATH LINK DETAIL     data: the content (LINK is `-`, or `=` and the target)
    entries, links, hashes       data: the parts of a walk without Python (`shell_walk.py`)
    process PID PPID UID NAME EXE DELETED SOCKETS UNIT STARTED VISIBLE
    end K STATUS EXIT DETAIL
    round                        all sources of the round are answered
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from driftscan.capture.probe import shell_walk
from driftscan.capture.probe.words import unescape
from driftscan.errors import ProbeError
from driftscan.model.source import Capture, Command, Member, ProcessRow, Source, Status

MAX_MEMBERS = 200_000
_PARTS = frozenset({b"entries", b"links", b"hashes"})


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
    members: list[Member]
    processes: list[ProcessRow]
    parts: dict[str, bytes]


class Decoder:
    """Collects the frames of one round into captures."""

    def __init__(self, sources: Sequence[Source]) -> None:
        """The sources in the order in which they were asked."""
        self._sources = sources
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
            self._open = (number, _Open(self._sources[number], frame.data, [], [], {}))
        elif word == b"round":
            self.done = True
        elif self._open is None:
            raise ValueError("a frame outside a source")
        elif word == b"member" and len(self._open[1].members) < MAX_MEMBERS:
            self._open[1].members.append(_member(frame))
        elif word == b"process" and len(self._open[1].processes) < MAX_MEMBERS:
            self._open[1].processes.append(_process(frame))
        elif word in _PARTS:
            self._open[1].parts[word.decode()] = frame.data
        elif word == b"end":
            self._end(frame)
        else:
            raise ValueError("an unknown frame")

    def _end(self, frame: Frame) -> None:
        assert self._open is not None
        number, opened = self._open
        _, key, status, code, detail = frame.words[:5]
        if int(key) != number:
            raise ValueError("an end without its begin")
        exit_code = None if code == b"-" else int(code)
        self._captures[number] = Capture(
            opened.source,
            _status(opened.source, Status(status.decode()), exit_code),
            shell_walk.records(opened.data, opened.parts) if opened.parts else opened.data,
            tuple(sorted({member.path: member for member in opened.members}.values(), key=lambda member: member.path)),
            tuple(opened.processes),
            unescape(detail).decode("utf-8", "replace"),
            exit_code,
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
    _, status, mode, uid, gid, mtime, path, link, detail = frame.words
    return Member(
        path=unescape(path),
        status=Status(status.decode()),
        data=frame.data,
        link=unescape(link[1:]) if link.startswith(b"=") else None,
        mode=int(mode),
        uid=int(uid),
        gid=int(gid),
        mtime=int(mtime),
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
