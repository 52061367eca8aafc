"""A walk that tells everything: records of all entries, from several workers in turn. Standard library of Python 3.6 to
3.14; imports nothing of driftscan."""

import os
from typing import TYPE_CHECKING

from driftscan.capture.probe.crew import in_parallel
from driftscan.capture.probe.walk import Walker, directories, record, skip_record

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from driftscan.capture.probe.walk import Entry

BATCH = 1 << 16


class Output:
    """Hands records on in batches, each of which stays whole whatever other workers write."""

    def __init__(self, emit: "Callable[[bytes], None]") -> None:
        self.emit = emit
        self.read, self.write = os.pipe()
        os.write(self.write, b"x")
        self.pending: "list[bytes]" = []
        self.size = 0

    def put(self, data: bytes) -> None:
        """Add a record to the batch; a full batch is emitted."""
        self.pending.append(data)
        self.size += len(data)
        if self.size > BATCH:
            self.flush()

    def flush(self) -> None:
        """Emit the batch."""
        if not self.pending:
            return
        os.read(self.read, 1)
        try:
            self.emit(b"".join(self.pending))
        finally:
            os.write(self.write, b"x")
        self.pending = []
        self.size = 0

    def close(self) -> None:
        """Give the lock up."""
        os.close(self.read)
        os.close(self.write)


class Listing:
    """The job of a worker: records of all entries of a directory."""

    def __init__(self, walker: Walker, output: Output) -> None:
        self.walker = walker
        self.output = output

    def directory(self, path: str) -> None:
        """One directory."""
        self.tell(self.walker.directory(path))

    def tell(self, entries: "Iterable[Entry]") -> None:
        """The records of entries, and of what could not be looked at."""
        for entry in entries:
            self.output.put(record(entry))
        for path, reason in self.walker.skipped:
            self.output.put(skip_record(path, reason))
        self.walker.skipped = []

    def report(self) -> bytes:
        """Nothing is left to be said."""
        self.output.flush()
        return b""


def list_tree(
    walker: "Callable[[int], Walker]", tops: "Iterable[str]", emit: "Callable[[bytes], None]", workers: int
) -> None:
    """Walk all tops; `emit` gets whole records, from several processes in turn. OSError if a worker fails."""
    output = Output(emit)
    finder = walker(workers)
    files: "list[str]" = []
    try:
        in_parallel(
            directories(finder, tops, files),
            lambda: Listing(finder if workers == 1 else walker(workers), output),
            workers,
        )
        last = Listing(finder, output)
        last.tell(())
        for path in files:
            last.tell(finder.single(path))
        last.report()
    finally:
        output.close()
