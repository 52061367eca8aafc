"""What follows from a package operation: its files if they are what the package shipped, and what it generates."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from driftscan.compare.evidence import Evidence
from driftscan.compare.folds._authorities import authorities
from driftscan.compare.folds._generated import enabling_links, state_of
from driftscan.compare.folds._operations import Operation, Step
from driftscan.compare.folds._parts import account_files
from driftscan.compare.folds._proof import Ruling, rule
from driftscan.compare.folds.binary import is_program
from driftscan.compare.folds.listener import executable_of
from driftscan.compare.folds.service import unit_of
from driftscan.compare.loaded import LIBRARY, PROCESS, began_before, is_gone, unchanged
from driftscan.compare.pool import Pool, actual, text, value
from driftscan.compare.written import KINDS, written_in
from driftscan.model.drift import CauseType, Change, Difference
from driftscan.model.names import spellings
from driftscan.model.proof import OUTSIDE, STRENGTH, Claim, Proof, Rank
from driftscan.model.times import nanoseconds

_OWN = ("/usr/local/", "/opt/", "/home/", "/root/", "/srv/", "/run/", "/var/")
"""Where packages of a distribution have no files."""


@dataclass(slots=True)
class Contents:
    """Differences that follow, and how well files among them are founded; and those that pretend to."""

    items: list[Difference] = field(default_factory=list)
    _taken: dict[str, Ruling] = field(default_factory=dict)
    _claims: dict[str, Claim] = field(default_factory=dict)
    _told: set[Rank] = field(default_factory=set)
    _against: list[tuple[Difference, str, Ruling]] = field(default_factory=list)

    @property
    def proof(self) -> Proof:
        """How the files were told to be the packages'."""
        count = Counter(ruling.rank for ruling in self._taken.values())
        return Proof(
            files={rank: count[rank] for rank in STRENGTH if count[rank]},
            told=max(self._told, key=STRENGTH.index, default=Rank.NONE),
            origins=tuple(sorted({ruling.origin for ruling in self._taken.values()} - {""})),
            claims=self._claims,
        )

    @property
    def impostors(self) -> list[tuple[Difference, str, str]]:
        """What is not its package's, with the package and what speaks against it. Of two packages that have a path, one
        may have replaced the other's file: who speaks for it with as much weight is right."""
        found: dict[str, tuple[Difference, str, str]] = {}
        for item, package, ruling in self._against:
            other = self._taken.get(item.key)
            if other is None or STRENGTH.index(other.rank) > STRENGTH.index(ruling.rank):
                found.setdefault(item.key, (item, package, ruling.against))
        return list(found.values())

    def take(self, item: Difference, ruling: Ruling, package: str = "") -> None:
        """A file that is the package's (`key version`). What is no regular file has no content that could be another's;
        nor has what went."""
        self.items.append(item)
        before = self._taken.get(item.key)
        if before is not None and STRENGTH.index(ruling.rank) >= STRENGTH.index(before.rank):
            return
        self._taken[item.key] = ruling
        self._claims.pop(item.key, None)
        if item.change is Change.REMOVED:
            return
        if ruling.rank in OUTSIDE:
            self._told.add(ruling.rank)
        elif _is_regular(item):
            self._claims[item.key] = Claim(package, ruling.rank)

    def refuse(self, item: Difference, package: str, ruling: Ruling) -> None:
        """A file in the package's paths that is not what it shipped. One under /etc is an edit of its own."""
        if not item.key.startswith("/etc/"):
            self._against.append((item, package, ruling))


def _is_regular(item: Difference) -> bool:
    return "target" not in item.attributes and actual(item).get("type", "regular") == "regular"


def follow(pool: Pool, operation: Operation, evidence: Evidence) -> Contents:
    """All that follows from an operation but what any operation generates."""
    contents = Contents()
    keys = [step.key for step in operation.steps]
    for step in operation.steps:
        _files(pool, step, evidence, contents)
    _gone(pool, operation, evidence, contents)
    tables = frozenset(item.key for item in contents.items)
    paths = frozenset(name for key in keys for path in _all_paths(key, evidence) for name in spellings(path))
    units = frozenset(unit for path in paths if (unit := unit_of(path)))
    contents.items += _services(pool, units, operation)
    contents.items += enabling_links(pool, units)
    contents.items += _running(pool, paths)
    contents.items += _loaded(pool, paths, operation)
    contents.items += _jobs(pool, tables)
    contents.items += _accounts(pool, keys, evidence)
    contents.items += _language(pool, paths)
    contents.items += _made_by_scripts(pool, keys, evidence)
    contents.items += state_of(pool, keys, evidence)
    contents.items += authorities(pool, paths, contents.items, evidence)
    contents.items += _written(pool, contents.items, evidence)
    return contents


def _all_paths(key: str, evidence: Evidence) -> Iterator[str]:
    yield from evidence.files_of(key)
    yield from evidence.baseline_files.get(key, ())


def _files(pool: Pool, step: Step, evidence: Evidence, contents: Contents) -> None:
    """The files of one package that is installed now, in all paths that anybody says are its own."""
    key, package = step.key, f"{step.key} {step.new}"
    paths = {*evidence.package_files.get(key, ()), *evidence.files_of(key)}
    for name in sorted({name for path in paths for name in spellings(path)}):
        item = pool.get("file", name)
        if item is None or item.change is Change.REMOVED:
            continue
        ruling = rule(item, key, evidence)
        if ruling.against:
            contents.refuse(item, key, ruling)
        else:
            contents.take(item, ruling, package)


def _gone(pool: Pool, operation: Operation, evidence: Evidence, contents: Contents) -> None:
    """Files that went with packages that were removed, or that a newer version no longer has: those that the
    reference knew to be theirs; else those in packaged places that no package owns now."""
    if all(step.cause is CauseType.PACKAGE_INSTALLED for step in operation.steps):
        return
    theirs = {
        name
        for step in operation.steps
        for path in evidence.baseline_files.get(step.key, ())
        for name in spellings(path)
    }
    shipped = {path for step in operation.steps for path in evidence.files_of(step.key)}
    guessed = pool.of("file") if not theirs and evidence.every_package else ()
    rank = Rank.LISTS if guessed else Rank.MANIFEST
    for item in guessed or [item for name in sorted(theirs) if (item := pool.get("file", name)) is not None]:
        if item.change is not Change.REMOVED or evidence.owners_of(item.key):
            continue
        if not (item.key.startswith(_OWN) if guessed else shipped.intersection(spellings(item.key))):
            contents.take(item, Ruling(rank))


def _services(pool: Pool, units: frozenset[str], operation: Operation) -> Iterator[Difference]:
    removed = any(step.cause is CauseType.PACKAGE_REMOVED for step in operation.steps)
    for row in pool.of("service"):
        path = text(row, "fragment_path", "source_path", "path")
        name = row.key.rpartition(".")[0].partition("@")[0]
        shipped = row.key in units or f"{name}@.service" in units or unit_of(path) in units
        went = removed and row.change is Change.REMOVED and pool.get("file", path) is not None
        if shipped or went:
            yield row


def _made_by_scripts(pool: Pool, keys: Sequence[str], evidence: Evidence) -> Iterator[Difference]:
    """What came at a path that the install scripts name; not what is executed or loaded, and no settings."""
    for path in sorted({path for key in keys for path in evidence.scripts_name(key)}):
        item = pool.get("file", path)
        if item is None or item.change is not Change.ADDED or is_program(item, evidence):
            continue
        if actual(item).get("type") == "directory" or not path.startswith(("/etc/", "/root/", "/home/")):
            yield item


def _running(pool: Pool, paths: frozenset[str]) -> Iterator[Difference]:
    for row in pool.of("listen"):
        if executable_of(row) in paths:
            yield row
    for row in pool.of(PROCESS):
        if row.key in paths and not is_gone(row):
            yield row


def _loaded(pool: Pool, paths: frozenset[str], operation: Operation) -> Iterator[Difference]:
    """Libraries and programs that run on though their files were written anew and differ in nothing. Those whose file
    differs go with it: see `Pool.fold`."""
    end = nanoseconds(operation.entry.end) if operation.entry else 0
    for row in filter(is_gone, (*pool.of(LIBRARY), *pool.of(PROCESS))):
        if row.key in paths and pool.get("file", row.key) is None and (unchanged(row) or began_before(row, end)):
            yield row


def _jobs(pool: Pool, tables: frozenset[str]) -> Iterator[Difference]:
    """Jobs of tables that came or went with the packages, and are as shipped."""
    for row in pool.of("cron"):
        if row.key.rsplit("/", 2)[0] in tables:
            yield row


def _written(pool: Pool, following: Sequence[Difference], evidence: Evidence) -> Iterator[Difference]:
    """Settings and rules that came, changed or went in files that follow themselves."""
    paths = {item.key for item in following if item.kind == "file"}
    for kind in KINDS:
        yield from (row for row in pool.of(kind) if written_in(row, evidence) in paths)


def _language(pool: Pool, paths: frozenset[str]) -> Iterator[Difference]:
    """Modules that distribution packages bring show in the lists of Python and npm, too."""
    for kind in ("python_package", "npm_package"):
        for row in pool.of(kind):
            directory = row.key.rpartition("@")[2]
            if directory in paths and not directory.startswith(_OWN):
                yield row


def _accounts(pool: Pool, keys: Sequence[str], evidence: Evidence) -> Iterator[Difference]:
    """System accounts that the packages' own install scripts name: without a password and without a shell."""
    made = []
    for row in (*pool.of("user"), *pool.of("group")):
        number = value(row, "uid" if row.kind == "user" else "gid")
        system = isinstance(number, int) and 0 < number < 1000
        named = any(evidence.scripts_make_account(key, row.key) for key in keys)
        if row.change is Change.ADDED and system and named and _harmless(pool, row):
            made.append(row)
    yield from made
    for row in made:
        if row.kind == "user" and (password := pool.get("password", row.key)) is not None:
            yield password
            home = text(row, "directory", "home")
            if (item := pool.get("file", home)) is not None:
                yield item
    if made:
        yield from account_files(pool)


def _harmless(pool: Pool, row: Difference) -> bool:
    if row.kind == "group":
        return True
    password = pool.get("password", row.key)
    closed = password is None or text(password, "password_status") in {"locked", "disabled"}
    return closed and text(row, "shell").endswith(("/nologin", "/false", "/sync"))
