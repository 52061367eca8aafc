"""Forked workers of the probe that share the directories of a walk as they are found. Standard library of Python 3.6 to
3.14; imports nothing of driftscan.

Directories go to whichever worker is free through a pipe in packet mode (O_DIRECT, pipe(2)): each read takes one packet
whole. What a worker has to report when there are no more comes back through a pipe of its own. Workers are processes,
so what they needed of memory is gone with them, and a limit holds for them alone.
"""

import os
import resource
import select
import signal
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import NoReturn, Protocol

    class Job(Protocol):
        """What a worker does: a directory after the other, then its report."""

        def directory(self, path: str) -> None: ...
        def report(self) -> bytes: ...


PACKET = 4096
"""Bytes that a pipe keeps together (PIPE_BUF)."""
MEMORY = 1 << 29
"""Bytes of address space that a worker may have."""
DONE = b"\0done"
RDHUP = 0x2000
"""POLLRDHUP (poll(2)), which Python names from 3.8 on."""


class HungUp(Exception):
    """Nobody listens any more: the scanner has closed the connection or is gone."""


def in_parallel(paths: "Iterable[str]", job: "Callable[[], Job]", workers: int) -> "list[bytes]":
    """Hand paths out to forked workers; their reports. One worker is this process. OSError if one of them failed, HungUp
    if nobody waits for it."""
    if workers == 1:
        return [alone(paths, job())]
    try:
        queue_read, queue_write = os.pipe2(os.O_DIRECT | os.O_CLOEXEC)
    except OSError:  # a kernel without packets: one worker, here
        return [alone(paths, job())]
    seconds = signal.getitimer(signal.ITIMER_REAL)[0]  # alarms are not inherited
    crew: "dict[int, int]" = {}
    try:
        for _ in range(workers):
            pid, report = start(job, queue_read, queue_write, seconds)
            crew[report] = pid
        os.close(queue_read)
        try:
            for packet in packets(paths):
                hand_out(queue_write, packet)
        except BrokenPipeError:
            pass  # all workers have failed, and do not report
        os.close(queue_write)
        return reports(crew)
    finally:
        for report, pid in crew.items():
            end(pid)
            os.close(report)


def hand_out(queue: int, packet: bytes) -> None:
    """Put a packet where a worker will take it, for as long as somebody waits: workers that hold themselves back may
    take none for hours. BrokenPipeError if there is no worker any more."""
    listening()
    while not select.select([], [queue], [], 1.0)[1]:
        listening()
    os.write(queue, packet)


def alone(paths: "Iterable[str]", job: "Job") -> bytes:
    """All of the work in this process."""
    for path in paths:
        listening()
        job.directory(path)
    return job.report()


def start(job: "Callable[[], Job]", queue_read: int, queue_write: int, seconds: float) -> "tuple[int, int]":
    """Fork a worker: (its process id, the pipe that its report comes through)."""
    report_read, report_write = os.pipe()
    pid = os.fork()
    if not pid:
        signal.setitimer(signal.ITIMER_REAL, seconds)
        os.close(queue_write)
        os.close(report_read)
        worker(job, queue_read, report_write)
    os.close(report_write)
    return pid, report_read


def worker(job: "Callable[[], Job]", queue: int, report: int) -> "NoReturn":
    """The life of a forked worker."""
    code = 1
    try:
        hard = resource.getrlimit(resource.RLIMIT_AS)[1]
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY if hard < 0 else min(MEMORY, hard), hard))
        mine = job()
        while True:
            packet = os.read(queue, PACKET)
            if not packet:
                break
            for path in packet.split(b"\0"):
                mine.directory("" if path == b"/" else os.fsdecode(path))
        write_all(report, mine.report() + DONE)
        code = 0
    except BaseException as error:  # a fork must never return into its parent's code
        sys.stderr.write("walk: %s\n" % error.__class__.__name__)
    finally:
        os._exit(code)


def packets(paths: "Iterable[str]") -> "Iterator[bytes]":
    """Paths in packets: few at a time, so that all workers end together."""
    batch: "list[bytes]" = []
    size = 0
    for path in paths:
        raw = os.fsencode(path) or b"/"
        if batch and (size + len(raw) + 1 > PACKET or len(batch) == 16):
            yield b"\0".join(batch)
            batch, size = [], 0
        batch.append(raw)
        size += len(raw) + 1
    if batch:
        yield b"\0".join(batch)


def reports(crew: "dict[int, int]") -> "list[bytes]":
    """What the workers report, while somebody waits for it."""
    found: "dict[int, list[bytes]]" = {report: [] for report in crew}
    still = set(found)
    while still:
        listening()
        for handle in select.select(list(still), [], [], 1.0)[0]:
            data = os.read(handle, 1 << 16)
            if data:
                found[handle].append(data)
            else:
                still.discard(handle)
    whole = [b"".join(parts) for parts in found.values()]
    if not all(each.endswith(DONE) for each in whole):
        raise OSError("a worker of the walk failed")
    return [each[: -len(DONE)] for each in whole]


def listening() -> None:
    """HungUp if nobody can read our standard output any more: a scanner that closes the connection does not end us."""
    poll = select.poll()
    poll.register(1, RDHUP)
    for _, events in poll.poll(0):
        if events & (select.POLLHUP | select.POLLERR | RDHUP):
            raise HungUp


def end(pid: int) -> None:
    """Make sure that a worker is gone."""
    try:
        os.kill(pid, signal.SIGKILL)
    except OSError:
        pass
    try:
        os.waitpid(pid, 0)
    except OSError:
        pass


def write_all(handle: int, data: bytes) -> None:
    """Write all of the data, unbuffered, so that forked workers repeat none of it."""
    view = memoryview(data)
    while view:
        view = view[os.write(handle, view) :]
