"""Advisories by system and package, on disk: lines in order of their keys, read where they lie.

A whole dump is hundreds of thousands of records, of which a host needs some hundred. So what was read once is kept, by
the digest of the files, and a package's advisories are found by bisection.
"""

import hashlib
import json
import os
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any

from driftscan import atomic
from driftscan.advisories import _debian, _osv
from driftscan.advisories import _json as js
from driftscan.advisories._files import digests_of, paths_of, texts_of
from driftscan.errors import DriftscanError, UsageError
from driftscan.model.advisory import Advisory, AdvisoryUse, Span
from driftscan.model.lines import Buffer, Lines
from driftscan.stored import Sorter, Spool, open_file

FORMAT = 1
"""Of the index; raised whenever the same files would be read otherwise."""
_KEPT = 4
"""Indexes that are kept; older ones are removed."""


class Index:
    """All advisories of some files; safe to share among threads."""

    def __init__(self, buffer: Buffer, used: tuple[AdvisoryUse, ...]) -> None:
        """`used`: what it was made of. UsageError if it is none of this format."""
        self.used = used
        self._lines = Lines(buffer, buffer.size)
        head = json.loads(self._lines[0])
        if head["format"] != FORMAT:
            raise UsageError(f"{buffer.name}: an index of another version", "Remove it.")
        self.systems: frozenset[str] = frozenset(head["systems"])
        """The systems of which there is at least one advisory."""
        self.count: int = head["advisories"]

    def of(self, system: str, package: str) -> tuple[Advisory, ...]:
        """The advisories that speak of a package of a system."""
        wanted = _key(system, package) + b"\t"
        at = bisect_left(self._lines, wanted, lo=1)
        line = self._lines[at] if at < len(self._lines) else b""
        return tuple(map(_decoded, json.loads(line[len(wanted) :]))) if line.startswith(wanted) else ()


def load(given: Sequence[str], cache: Path | None = None) -> Index:
    """The index of files and folders; made anew only if no file with that content was read before. UsageError, with
    file and place, for a file that is broken or holds no advisory at all."""
    files = [paths_of(os.path.expanduser(each)) for each in given]
    paths = [path for of_one in files for path in of_one]
    digests = [digests_of(of_one) for of_one in files]
    used = tuple(_use(each, of_one) for each, of_one in zip(given, digests, strict=True))
    if cache is None:
        return Index(_spooled(_lines(paths)), used)
    kept = cache / f"{_digest(each for of_one in digests for each in of_one)}-{FORMAT}.index"
    try:
        return Index(open_file(kept), used)
    except (DriftscanError, ValueError, LookupError):  # none yet, or broken: made anew
        return Index(_made(paths, kept), used)


def _use(given: str, digests: Sequence[bytes]) -> AdvisoryUse:
    """Of one file its own digest, as `sha256sum` tells it."""
    digest = digests[0].hex() if len(digests) == 1 else _digest(digests)
    return AdvisoryUse(given=given, files=len(digests), digest=f"sha256:{digest}")


def _digest(digests: Iterable[bytes]) -> str:
    return hashlib.sha256(b"".join(digests)).hexdigest()


def _made(paths: Sequence[str], kept: Path) -> Buffer:
    """A state directory that cannot be written costs time, and nothing else."""
    buffer = _spooled(_lines(paths))
    try:
        kept.parent.mkdir(parents=True, exist_ok=True)
        atomic.write(kept, (buffer.read(at, min(at + (1 << 20), buffer.size)) for at in range(0, buffer.size, 1 << 20)))
        for old in sorted(kept.parent.glob("*.index"), key=lambda path: -path.stat().st_mtime)[_KEPT:]:
            old.unlink(missing_ok=True)
    except (DriftscanError, OSError):
        return buffer
    return open_file(kept)


def _spooled(lines: Iterable[bytes]) -> Buffer:
    spool = Spool("advisories")
    for line in lines:
        spool.write(line + b"\n")
    return spool.buffer()


def _lines(paths: Sequence[str]) -> Iterator[bytes]:
    sorter = Sorter("advisories")
    systems: set[str] = set()
    count = 0
    for path in paths:
        for system, package, advisory in _read(path):
            sorter.add(_key(system, package), _encoded(advisory))
            systems.add(system)
            count += 1
    if not count:
        hint = (
            "It must be of OSV or of the Debian security tracker, for Debian, Ubuntu, Alpine, Rocky Linux, AlmaLinux,"
            " Red Hat Enterprise Linux, PyPI or npm."
        )
        raise UsageError("--advisories: none of these files holds an advisory for packages that are looked at", hint)
    yield json.dumps({"advisories": count, "format": FORMAT, "systems": sorted(systems)}).encode()
    for key, pairs in groupby(sorter.pairs(), itemgetter(0)):
        yield key + b"\t[" + b",".join(dict.fromkeys(row for _, row in pairs)) + b"]"


def _read(path: str) -> Iterator[tuple[str, str, Advisory]]:
    for where, text in texts_of(path):
        first = js.first_name(text)
        if first is not None and first not in _osv.FIELDS:
            yield from _debian.advisories(text, where)
            continue
        for place, document in js.documents(text, where):
            for index, record in enumerate(document) if isinstance(document, list) else [(-1, document)]:
                yield from _osv.advisories(record, place if index < 0 else f"{place}: [{index}]")


def _key(system: str, package: str) -> bytes:
    return f"{system}\t{package}".encode()


def _encoded(advisory: Advisory) -> bytes:
    spans = [[span.introduced, span.fixed, span.last] for span in advisory.spans]
    row = [
        advisory.id,
        advisory.aliases,
        spans,
        advisory.versions,
        advisory.ignored,
        advisory.severity,
        advisory.vector,
        advisory.published,
        advisory.summary,
    ]
    return json.dumps(row, separators=(",", ":")).encode()


def _decoded(row: list[Any]) -> Advisory:
    name, aliases, spans, versions, ignored, severity, vector, published, summary = row
    return Advisory(
        id=name,
        aliases=tuple(aliases),
        spans=tuple(Span(*span) for span in spans),
        versions=tuple(versions),
        ignored=ignored,
        severity=severity,
        vector=vector,
        published=published,
        summary=summary,
    )
