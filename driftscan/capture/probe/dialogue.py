"""The steps of a comparison, in the probe's own process: workers are forked for each, and what they report is put
together here. `comparison.py` lists the steps. Standard library of Python 3.6 to 3.14; imports nothing of driftscan."""

import os
import struct
from typing import TYPE_CHECKING

from driftscan.capture.probe.comparison import (
    COUNTS,
    GROUP,
    Compared,
    Expected,
    Parts,
    Records,
    Sealed,
    pack_counts,
)
from driftscan.capture.probe.crew import in_parallel
from driftscan.capture.probe.listing import Output
from driftscan.capture.probe.walk import Walker, directories
from driftscan.model.digests import (
    BUCKETS,
    DIGEST,
    PARTS,
    RECORD,
    bucket_digests,
    directory_number,
    root_digest,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from driftscan.capture.probe.crew import Job

    Sections = dict[str, bytes]


class Dialogue:
    """One walk and the questions that follow it. `walker` makes one of so many."""

    def __init__(self, walker: "Callable[[int], Walker]", emit: "Callable[[bytes], None]", workers: int) -> None:
        self.walker = walker
        self.emit = emit
        self.workers = workers
        self.groups: "list[list[bytes]]" = [[] for _ in range(BUCKETS)]
        self.hashed: "set[int]" = set()
        self.open: "set[int]" = set()
        self.masks: "dict[int, int]" = {}

    def step(self, name: str, sections: "Sections") -> "Sections":
        """One step: see comparison.py. ValueError for one that there is not."""
        steps: "dict[str, Callable[[Sections], Sections]]" = {
            "walk": self.walk,
            "moved": self.moved,
            "buckets": self.buckets,
            "groups": self.compare_groups,
            "parts": self.parts,
            "records": self.records,
            "states": self.states,
        }
        if name not in steps:
            raise ValueError("no such step")
        return steps[name](sections)

    def walk(self, sections: "Sections") -> "Sections":
        """Gives `counts`, `missing` and `changed` (bits, one for each known file), `sealed` (quick: the digests of the
        audited buckets; full: the root) and `states` (the root)."""
        self.expected = Expected(sections)
        audited, everything = self.expected.audited, not self.expected.quick
        self.hashed = set(range(BUCKETS)) if everything else set(audited)
        seen: "set[int]" = set()
        changed: "set[int]" = set()
        counts = dict.fromkeys(COUNTS, 0)
        for report in self.run(
            lambda walker, output: Compared(
                walker, output, self.expected, lambda number: everything or number % BUCKETS in audited
            ),
            workers=0 if everything else 1,  # metadata alone takes little: handing it out would be half of the work
        ):
            found, rest = cut_numbers(report)
            seen.update(found)
            found, rest = cut_numbers(rest)
            changed.update(found)
            self.take(rest, counts)
        every = range(len(self.expected.known))
        sealed, states = self.sealed(), self.metadata()
        return {
            "counts": pack_counts(counts),
            "missing": bits(index not in seen for index in every),
            "changed": bits(index in changed for index in every),
            "sealed": root_digest(sealed) if everything else b"".join(sealed[number] for number in sorted(audited)),
            "states": root_digest(states),
        }

    def moved(self, sections: "Sections") -> "Sections":
        """Reads what moved since `states`; gives `moved` buckets (number, digests of metadata and of content), and
        `counts` of what was read now."""
        counts = dict.fromkeys(COUNTS, 0)
        moved = [number for number, own in enumerate(self.metadata()) if own != at(sections["states"], number)]
        fresh = frozenset(moved) - self.hashed
        if fresh:
            for number in fresh:
                self.groups[number] = []
            for report in self.run(
                lambda walker, output: Sealed(walker, output, self.expected, lambda number: True),
                lambda number: number % BUCKETS in fresh,
            ):
                self.take(report, counts)
            self.hashed |= fresh
        states, sealed = self.metadata(), self.sealed()
        return {
            "counts": pack_counts(counts),
            "moved": b"".join(struct.pack(">H", number) + states[number] + sealed[number] for number in moved),
        }

    def buckets(self, sections: "Sections") -> "Sections":
        """Gives the numbers of the buckets that are `different` from `sealed`."""
        different = [number for number, own in enumerate(self.sealed()) if own != at(sections["sealed"], number)]
        return {"different": struct.pack(">%dH" % len(different), *different)}

    def compare_groups(self, sections: "Sections") -> "Sections":
        """Takes the `expected` directories (number and digest) of `buckets`; gives the indices of those that are
        `unmatched` here. Our own that are unmatched are open."""
        rows = pieces(sections["expected"], 4 + DIGEST)
        buckets = struct.unpack(">%dH" % (len(sections["buckets"]) // 2), sections["buckets"])
        own: "dict[bytes, int]" = {}
        for number in buckets:
            for group in self.groups[number]:
                own[group[: 4 + DIGEST]] = own.get(group[: 4 + DIGEST], 0) + 1
        unmatched = []
        for index, row in enumerate(rows):
            if own.get(row):
                own[row] -= 1
            else:
                unmatched.append(index)
        self.open = {struct.unpack(">I", row[:4])[0] for row, count in own.items() if count}
        self.masks = {}
        return {"unmatched": struct.pack(">%dI" % len(unmatched), *unmatched)}

    def parts(self, sections: "Sections") -> "Sections":
        """Takes `expected` wide directories (number and digests of parts); gives `masks`: the number of each and, as
        bits, which of its parts differ."""
        size = 4 + PARTS * DIGEST
        expected = {row[:4]: row[4:] for row in pieces(sections["expected"], size)}
        wanted = {struct.unpack(">I", number)[0] for number in expected}
        for report in self.run(lambda walker, output: Parts(walker), lambda number: number in wanted):
            for row in pieces(report, size):
                theirs, ours = expected[row[:4]], row[4:]
                mask = sum(1 << part for part in range(PARTS) if at(theirs, part) != at(ours, part))
                number = struct.unpack(">I", row[:4])[0]
                self.masks[number] = self.masks.get(number, 0) | mask
        return {"masks": b"".join(struct.pack(">IQ", number, mask) for number, mask in sorted(self.masks.items()))}

    def records(self, sections: "Sections") -> "Sections":
        """Takes the `expected` records (number of a directory, count, digests) of open directories; tells what is not
        among them, and gives the indices of those that are `missing`."""
        expected: "dict[int, frozenset[bytes]]" = {}
        flat: "list[bytes]" = []
        raw, start = sections["expected"], 0
        while start < len(raw):
            number, count = struct.unpack_from(">II", raw, start)
            start += 8
            digests = pieces(raw[start : start + count * RECORD], RECORD)
            start += count * RECORD
            expected[number] = frozenset(digests)
            flat.extend(digests)
        wanted = self.open | set(expected)
        found: "set[bytes]" = set()
        for report in self.run(
            lambda walker, output: Records(walker, output, expected, self.masks), lambda number: number in wanted
        ):
            found.update(pieces(report, RECORD))
        missing = [index for index, digest in enumerate(flat) if digest not in found]
        return {"missing": struct.pack(">%dI" % len(missing), *missing)}

    def states(self, sections: "Sections") -> "Sections":
        """Gives the digest of the metadata of every bucket."""
        return {"states": b"".join(self.metadata())}

    def run(
        self, job: "Callable[[Walker, Output], Job]", wanted: "Callable[[int], bool] | None" = None, workers: int = 0
    ) -> "list[bytes]":
        """The reports of workers over all directories, or over those whose number is wanted. Of the finder's own
        skips, those of pass one are told; later ones were told then."""
        workers = workers or self.workers
        output = Output(self.emit)
        finder = self.walker(workers)
        try:
            paths: "Iterable[str]" = directories(finder, ["/"], [])
            if wanted is not None:
                paths = (path for path in paths if wanted(directory_number(os.fsencode(path))))
            found = in_parallel(paths, lambda: job(finder if workers == 1 else self.walker(workers), output), workers)
            if wanted is None:
                last = Sealed(finder, output, self.expected, lambda number: False)
                last.skips()
                found.append(struct.pack(">II", 0, 0) + last.report())
            return found
        finally:
            output.close()

    def take(self, report: bytes, counts: "dict[str, int]") -> None:
        """Add what a worker counted, and keep its directories."""
        size = 8 * len(COUNTS)
        for name, count in zip(COUNTS, struct.unpack(">%dQ" % len(COUNTS), report[:size])):
            counts[name] += count
        for row in pieces(report[size:], GROUP):
            self.groups[struct.unpack(">I", row[:4])[0] % BUCKETS].append(row)

    def sealed(self) -> "list[bytes]":
        """The digests of the buckets' content."""
        return bucket_digests([[row[4 : 4 + DIGEST] for row in bucket] for bucket in self.groups])

    def metadata(self) -> "list[bytes]":
        """The digests of the buckets' metadata."""
        return bucket_digests([[row[4 + DIGEST :] for row in bucket] for bucket in self.groups])


def at(digests: bytes, index: int) -> bytes:
    """One of many digests."""
    return digests[index * DIGEST : (index + 1) * DIGEST]


def pieces(data: bytes, size: int) -> "list[bytes]":
    """Bytes cut into rows of one size."""
    return [data[start : start + size] for start in range(0, len(data), size)]


def cut_numbers(data: bytes) -> "tuple[tuple[int, ...], bytes]":
    """The numbers at the beginning of a report, and what follows them."""
    count = struct.unpack_from(">I", data)[0]
    return struct.unpack_from(">%dI" % count, data, 4), data[4 + 4 * count :]


def bits(flags: "Iterator[bool]") -> bytes:
    """Flags as bits, the first the lowest of the first byte."""
    value = 0
    count = 0
    for flag in flags:
        value |= flag << count
        count += 1
    return value.to_bytes((count + 7) // 8, "little")
