"""The files of one target: told wholly, or compared with what is expected of them where the target can do that."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, replace
from threading import BoundedSemaphore

from driftscan.capture.base import Session
from driftscan.capture.probe.render import rules_section
from driftscan.collectors import files
from driftscan.collectors.files import FileTable
from driftscan.compare.grouping import Grouping
from driftscan.compare.reference import Reference
from driftscan.compare.zoning import tolerance
from driftscan.errors import IncompleteError, ParseError, UnavailableError
from driftscan.model.codec import digest
from driftscan.model.manifest import Manifest
from driftscan.model.matching import Matcher
from driftscan.model.names import encode_name, show
from driftscan.model.patched import Patched
from driftscan.model.records import Records
from driftscan.model.snapshot import CollectorCoverage, CollectorStatus, FileCoverage
from driftscan.model.source import Capture, Gap, Status, Tree
from driftscan.model.state import FileState
from driftscan.model.zone import Tolerance, Zone
from driftscan.scan import exchange
from driftscan.scan.exchange import Compared, Question
from driftscan.zones import walk_rules

Sealed = Callable[[str], bool]
_TABLES = BoundedSemaphore(4)
"""Whole tables are made of a few hosts at once: more would hold more memory, and be no faster in one interpreter."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Files:
    """What a target has of files. `accepted`: how many differ from the manifest as zones accept, and were not told;
    `state`: what to keep for the next scan; `quick`: only what had moved was read, and what was audited."""

    records: Records
    coverage: CollectorCoverage
    counts: FileCoverage
    accepted: int = 0
    state: FileState | None = None
    quick: bool = False
    moved: int = 0
    raced: tuple[str, ...] = ()
    """Why the table mixes two states: sealed files that changed while they were read, each time that was tried."""


class Plan:
    """How the files of all hosts with one manifest are looked at; made once for a run."""

    def __init__(
        self,
        manifest: Manifest,
        zones: Sequence[Zone],
        salt: bytes,
        grouping: Grouping | None = None,
        *,
        born: bool = False,
    ) -> None:
        """The expectation that hosts are told of, `salt` with it. `grouping`: of the files under these zones, if it was
        worked out before; `born`: see `compare.diff`."""
        self.manifest = manifest
        self.zones = tuple(zones)
        self.salt = salt
        self.born = born
        self.matcher = Matcher(zones)
        self.rules = walk_rules(zones, manifest, self._tolerance)
        self.rules_section = rules_section(self.rules)
        self.rules_digest = digest(self.rules_section)
        self.reference = Reference(
            manifest.resources.files, lambda key: self.matcher.zone_of("file", key), born=born, grouping=grouping
        )

    def of_host(self, manifest: Manifest, removed: Iterable[str], added: Mapping[str, bytes]) -> "Plan":
        """The same for one host, of which more is known than its image: `manifest` is its own, in which of this one's
        files some (by key) are gone, and some come or changed: key -> line."""
        other = copy(self)
        other.manifest = manifest
        other.reference = self.reference.changed(removed, added)
        return other

    def sealed(self, key: str) -> bool:
        """Whether a file is in no zone."""
        zone = self.matcher.zone_of("file", key)
        return zone is None or self._tolerance(zone) is None

    def fits(self, state: FileState | None) -> bool:
        """Whether what was kept of a host was kept under this plan."""
        return state is not None and (state.manifest, state.rules) == (self.manifest.digest, self.rules_digest)

    def _tolerance(self, zone: Zone) -> Tolerance | None:
        return tolerance(zone, born=self.born)


def listed(session: Session, source: Tree, sealed: Sealed) -> Files:
    """Every record of a walk."""
    captures = session.ask((source,))
    source = next(asked for asked in captures if isinstance(asked, Tree))
    try:
        with _TABLES:
            found = files.table(captures.need(source))
    except (UnavailableError, ParseError, IncompleteError) as error:
        return _failed(f"the tree could not be walked: {_why(error)}")
    return Files(
        records=found.records,
        coverage=_coverage(found, len(found.records)),
        counts=found.coverage,
        raced=_raced(found, sealed),
    )


def compared(
    session: Session,
    plan: Plan,
    before: FileState | None,
    *,
    quick: bool = False,
    audited: tuple[int, ...] = (),
    whole: bool = False,
) -> Files:
    """What differs from the manifest, and from the last scan (`before`), put together with it to a whole table."""
    known = before if plan.fits(before) else None
    removed, kept = (known.removed, files.by_path(known.told)) if known else ((), {})
    try:
        old = _table(kept.values())
        added = {key: line for key, line, _ in old.records.rows()}
        question = Question(
            reference=plan.reference.changed(removed, added),
            rules=plan.rules_section,
            salt=plan.salt,
            whole=whole,
            states=known.states if known else None,
            quick=quick and known is not None,
            audited=audited,
        )
        answer = exchange.compare(session, question)
        return _joined(plan, removed, kept, answer, quick=question.quick)
    except (UnavailableError, ParseError, IncompleteError) as error:
        return _failed(f"the tree could not be compared: {_why(error)}")


def _joined(plan: Plan, removed: Sequence[str], kept: dict[bytes, bytes], answer: Compared, *, quick: bool) -> Files:
    """What was known, but for what is gone, with what was told."""
    gone = set(answer.missing)
    told = {path: row for path, row in kept.items() if encode_name(path) not in gone} | files.by_path(answer.told)
    skipped = b"".join(files.skips(answer.told))
    found = _table([*told.values(), skipped])
    base = plan.manifest.resources.files
    missing = {key for key in (*removed, *gone) if key in base} - set(found.records.keys)
    records = Patched(base, missing, found.records)
    state = None
    if answer.states is not None:
        state = FileState(
            manifest=plan.manifest.digest,
            rules=plan.rules_digest,
            states=answer.states,
            removed=tuple(sorted(missing)),
            told=b"".join(told.values()),
        )
    counts = _counts(answer.coverage, found)
    # What was told before and zones accept is a difference of the table; only what is not in it is counted here.
    accepted = answer.appeared + len(set(answer.changed) - set(found.records.keys))
    return Files(
        records=records,
        coverage=_coverage(found, counts.seen),
        counts=counts,
        accepted=accepted,
        state=state,
        quick=quick,
        moved=answer.moved,
        raced=_raced(found, plan.sealed),
    )


def _counts(asked: FileCoverage, found: FileTable) -> FileCoverage:
    """What was read now, and what could not be. A quick scan does not try again what it could not read before: such
    files are in the table, and would else seem to be seen, until a scan that tries them finds that it sees less."""
    tried = asked.unreadable + asked.over_limit
    unread = found.coverage.unreadable - found.closed + found.coverage.over_limit
    return replace(
        asked,
        stat_only=max(0, asked.stat_only - max(0, unread - tried)),
        unreadable=found.coverage.unreadable,
        over_limit=found.coverage.over_limit,
    )


def _raced(found: FileTable, sealed: Sealed) -> tuple[str, ...]:
    keys = [key for key in found.raced if sealed(key)]
    if not keys:
        return ()
    more = f" and {len(keys) - 1} more" if len(keys) > 1 else ""
    return (f"{show(keys[0])}{more} changed while being read",)


def _table(rows: Iterable[bytes]) -> FileTable:
    return files.table(Capture(Tree(), Status.OK, b"".join(rows)))


def _coverage(found: FileTable, seen: int) -> CollectorCoverage:
    status = CollectorStatus.PARTIAL if found.gaps else CollectorStatus.COMPLETE
    return CollectorCoverage(files.NAME, files.collector.version, ("file",), status, seen, found.gaps)


def _why(error: Exception) -> str:
    return f"{error.message}. {error.hint}" if isinstance(error, IncompleteError) else str(error)


def _failed(reason: str) -> Files:
    gap = Gap(files.NAME, Status.FAILED, reason, ("file",))
    coverage = CollectorCoverage(files.NAME, files.collector.version, ("file",), CollectorStatus.FAILED, 0, (gap,))
    return Files(records=Records(), coverage=coverage, counts=FileCoverage())
