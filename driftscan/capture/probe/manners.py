"""How the probe reads files on a machine that has other work: what it reads does not push others' pages out of the page
cache, and it keeps to a share of the processor and to a rate of bytes by itself. Standard library of Python 3.6 to
3.14; imports nothing of driftscan.

Reads: preadv2(2). RWF_DONTCACHE (Linux 6.14, most local file systems) drops the pages that a read brought in and leaves
those that were there. Where it is refused, RWF_NOWAIT (Linux 4.14) tells whether pages are there: from the first that
is not, what is read is dropped afterwards (posix_fadvise(2)), which spares pages that are mapped or dirty. Python 3.6
has neither flag: there, pages are left to the kernel.
"""

import errno
import os
import time

RWF_NOWAIT = 0x8
RWF_DONTCACHE = 0x80
REFUSED = (errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS)
BURST = 0.25
"""Seconds of allowance that may be saved up."""


class Reader:
    """Reads files piece by piece into one buffer."""

    def __init__(self, buffer: bytearray) -> None:
        self.buffers = [buffer]
        self.flags: "dict[int, int]" = {}
        self.missed = -1

    def read(self, handle: int, device: int, offset: int) -> int:
        """Read at an offset; how many bytes, 0 at the end. `device` is that of the file."""
        flags = self.flags.get(device, RWF_DONTCACHE) if hasattr(os, "preadv") else -1
        if flags < 0:
            os.lseek(handle, offset, os.SEEK_SET)
            return os.readv(handle, self.buffers)
        if flags == RWF_NOWAIT and self.missed >= 0:
            return os.preadv(handle, self.buffers, offset)
        try:
            return os.preadv(handle, self.buffers, offset, flags)
        except OSError as error:
            if flags and error.errno in REFUSED:
                self.flags[device] = RWF_NOWAIT if flags == RWF_DONTCACHE else 0
                return self.read(handle, device, offset)
            if error.errno != errno.EAGAIN:
                raise
        self.missed = offset
        return os.preadv(handle, self.buffers, offset)

    def done(self, handle: int) -> None:
        """After a file: give back what was not in the cache before."""
        if self.missed >= 0:
            os.posix_fadvise(handle, self.missed, 0, os.POSIX_FADV_DONTNEED)
            self.missed = -1


class Pace:
    """Keeps one process to a share of one processor (0: all) and a rate of bytes a second (0: any)."""

    def __init__(self, share: float, rate: float) -> None:
        self.share = share
        self.rate = rate
        self.limited = bool(share or rate)
        self.used = time.process_time()
        self.due = time.monotonic()

    def keep(self, size: int) -> None:
        """Sleep until `size` bytes more, and the time of the processor since the last call, are within the limits."""
        now = time.monotonic()
        used = time.process_time()
        cost = 0.0
        if self.rate:
            cost = size / self.rate
        if self.share:
            cost = max(cost, (used - self.used) / self.share)
        self.used = used
        self.due = max(self.due, now - BURST) + cost
        if self.due > now:
            time.sleep(self.due - now)
