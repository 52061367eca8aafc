"""A session with the probe: over any transport for a running target, and on this machine for a root file system."""

import os
import secrets
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from driftscan.capture.base import TargetFacts
from driftscan.capture.probe import render
from driftscan.capture.probe.frames import Decoder, Frame, Splitter
from driftscan.capture.probe.words import unescape
from driftscan.errors import DeadlineError, HostError, ProbeError, UsageError
from driftscan.model.source import Captures, Source, Status
from driftscan.transports.base import Channel, Transport
from driftscan.transports.local import LocalTransport

MAX_ROUND = 1 << 30
"""Bytes that one host may answer in one round."""
GRACE = 5
"""Seconds after our own deadline at which the probe ends by itself, wherever it is."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What the probe may take of a host. 0: as much as there is, at the lowest priority but one."""

    percent: int = 0
    """Of one processor's time."""
    bytes_per_second: int = 0
    """How many bytes of files it reads a second."""


UNLIMITED = Limits()

REFUSED = 94
"""The exit code of a probe that has said for people why it cannot look."""

Record = Callable[[Sequence[Source], Captures], None]


class ProbeSession:
    """One running probe. `record` is told every round, to keep captures for replay."""

    def __init__(
        self,
        transport: Transport,
        root: str,
        deadline: float,
        record: Record | None = None,
        *,
        program: str = "",
        baked: str = "",
        instead: str = "",
        limits: Limits = UNLIMITED,
    ) -> None:
        """Start the probe below `root` and wait for its greeting; HostError if there is none. The transport is closed
        with the session. `program` is of `render.script`; by default one that answers whatever it is asked. `baked`:
        the path of one on the target, which is run instead. `instead`: a shell program that begins the same parts of
        the scanner's own package, which knows no running target."""
        self._transport = transport
        self._deadline = deadline
        self._record = record
        nonce = secrets.token_hex(16)
        program = program or render.script()
        self._splitter = Splitter(nonce)
        self._waiting: deque[Frame] = deque()
        self._received = 0
        seconds = max(1, int(deadline - time.monotonic()) + GRACE)
        self._channel: Channel | None = None
        try:
            if baked:
                self._channel, digest = transport.run_file(baked)
            else:
                self._channel, digest = transport.run(instead or program), render.digest(program)
            self._send(render.start(nonce, root, seconds, limits.percent, limits.bytes_per_second))
            said = _facts(self._next(), live=root == "/" and not instead, path=baked, digest=digest)
            self.facts = replace(said, user=transport.login.user, key=transport.login.key)
        except BaseException:
            self.close()
            raise

    @property
    def converses(self) -> bool:
        """See capture.base.Session: the worker without Python does not."""
        return self.facts.interpreter.startswith("python")

    def ask(self, sources: Sequence[Source], known: Mapping[Source, str] | None = None) -> Captures:
        """See capture.base.Session. What the deadline or a lost connection cuts off is a gap of this round."""
        unique = list(dict.fromkeys(sources))
        self._received = 0
        known = known if known and self.converses else None
        decoder = Decoder(unique, known)
        reason, status = "", Status.FAILED
        try:
            self._send(render.requests(unique, known))
            while not decoder.done:
                decoder.take(self._next())
        except DeadlineError as error:
            reason, status = error.message, Status.TIMED_OUT
        except HostError as error:
            if not decoder.answered:
                raise
            reason = error.message
        captures = Captures(decoder.captures(reason, status))
        if self._record is not None:
            self._record(unique, captures)
        return captures

    def close(self) -> None:
        """See capture.base.Session."""
        if self._channel is not None:
            self._channel.close()
        self._transport.close()

    def _send(self, data: bytes) -> None:
        assert self._channel is not None
        try:
            self._channel.write(data)
        except ProbeError as error:  # it has ended: what it said at its end tells more
            raise self._lost() from error

    def _next(self) -> Frame:
        assert self._channel is not None
        while not self._waiting:
            data = self._channel.read(self._deadline)
            if not data:
                raise self._lost()
            self._received += len(data)
            if self._received > MAX_ROUND:
                raise ProbeError(f"the host answered more than {MAX_ROUND >> 20} MiB for one question")
            self._waiting.extend(self._splitter.feed(data))
        return self._waiting.popleft()

    def _lost(self) -> HostError:
        assert self._channel is not None
        if time.monotonic() >= self._deadline:  # its own alarm has ended the probe, while it still sent
            return DeadlineError("the probe did not answer in time", "Give it more with --timeout.")
        try:
            ended = self._channel.ended(min(self._deadline, time.monotonic() + 5))
        except HostError:
            return ProbeError("the connection was lost while the probe ran")
        said = ended.stderr.decode("utf-8", "replace").strip().rpartition("\n")[2][:300]
        if ended.status == REFUSED:
            message, _, hint = ended.stderr.decode("utf-8", "replace").partition("\n")
            return ProbeError(message, hint)
        if ended.status == 97:
            return ProbeError(
                "the host has neither Python 3.6 or later nor the tools that stand in for it", f"The host said: {said}"
            )
        return ProbeError(f"the probe ended early (status {ended.status})", f"The host said: {said}" if said else "")


def open_live(
    transport: Transport,
    deadline: float,
    record: Record | None = None,
    *,
    program: str = "",
    baked: str = "",
    limits: Limits = UNLIMITED,
) -> ProbeSession:
    """A session with a running target. `deadline` is of time.monotonic(); all else: see ProbeSession."""
    return ProbeSession(transport, "/", deadline, record, program=program, baked=baked, limits=limits)


def open_rootfs(
    directory: str,
    deadline: float,
    record: Record | None = None,
    *,
    program: str = "",
    limits: Limits = UNLIMITED,
) -> ProbeSession:
    """A session with an unpacked root file system on this machine. UsageError if there is none."""
    path = os.path.realpath(directory)
    if not os.path.isdir(path):
        raise UsageError(f"rootfs:{directory}: no such directory", "Name the directory that holds etc, usr, var ...")
    if path == "/":
        raise UsageError("rootfs:/ is this running machine", "Use the target `local`.")
    transport = LocalTransport(elevated=os.geteuid() == 0)
    return ProbeSession(transport, path, deadline, record, program=program, limits=limits)


def _facts(frame: Frame, *, live: bool, path: str, digest: str) -> TargetFacts:
    if frame.words[:2] != (b"hello", b"2") or len(frame.words) < 7:
        raise ProbeError(
            "the probe did not greet as expected",
            "If it is of another version, baked into the image: scan without --probe.",
        )
    _, _, euid, hostname, boot_id, interpreter, version = frame.words[:7]
    return TargetFacts(
        live=live,
        privileged=euid == b"0",
        hostname=unescape(hostname).decode("utf-8", "replace")[:255],
        boot_id=unescape(boot_id).decode("ascii", "replace")[:64],
        interpreter=f"{interpreter.decode('ascii', 'replace')} {version.decode('ascii', 'replace')}"[:40],
        probe_digest=digest,
        probe_path=path,
    )
