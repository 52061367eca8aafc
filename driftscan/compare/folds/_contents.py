"""What follows from a package operation: its files if they are what the package shipped, and what it generates."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from driftscan.compare.evidence import Evidence, spellings
from driftscan.compare.folds._generated import account_files, enabling_links, state_of
from driftscan.compare.folds._operations import Operation
from driftscan.compare.folds.binary import is_program
from driftscan.compare.folds.listener import executable_of
from driftscan.compare.folds.service import unit_of
from driftscan.compare.pool import Pool, actual, text, value
from driftscan.model.drift import CauseType, Change, Difference

_OWN = ("/usr/local/", "/opt/", "/home/", "/root/", "/srv/", "/run/", "/var/")
"""Where packages of a distribution have no files."""


@dataclass(slots=True)
class Contents:
    """Differences that follow, those that pretend to, and how well the files are founded."""

    items: list[Difference] = field(default_factory=list)
    impostors: list[tuple[Difference, str]] = field(default_factory=list)
    matching: int = 0
    consistent: int = 0

    @property
    def proof(self) -> str:
        """How the files were told to be the packages'."""
        parts = []
        if self.matching:
            parts.append(f"{self.matching} files match the package database's MD5")
        if self.consistent:
            parts.append(f"{self.consistent} are consistent with its lists of files")
        return "; ".join(parts)


def follow(pool: Pool, operation: Operation, evidence: Evidence) -> Contents:
    """All that follows from an operation but what any operation generates."""
    contents = Contents()
    keys = [step.key for step in operation.steps]
    for key in keys:
        _files(pool, key, evidence, contents)
    _gone(pool, operation, evidence, contents)
    tables = frozenset(item.key for item in contents.items)
    paths = frozenset(name for key in keys for path in _all_paths(key, evidence) for name in spellings(path))
    units = frozenset(unit for path in paths if (unit := unit_of(path)))
    contents.items += _services(pool, units, operation)
    contents.items += enabling_links(pool, units)
    contents.items += _running(pool, paths)
    contents.items += _jobs(pool, tables)
    contents.items += _accounts(pool, keys, evidence)
    contents.items += _language(pool, paths)
    contents.items += _made_by_scripts(pool, keys, evidence)
    contents.items += state_of(pool, keys, evidence)
    return contents


def _all_paths(key: str, evidence: Evidence) -> Iterator[str]:
    yield from evidence.package_files.get(key, ())
    yield from evidence.baseline_files.get(key, ())


def _files(pool: Pool, key: str, evidence: Evidence, contents: Contents) -> None:
    """The files of one package that is installed now."""
    for path, shipped in evidence.package_files.get(key, {}).items():
        for name in spellings(path):
            item = pool.get("file", name)
            if item is None or item.change is Change.REMOVED:
                continue
            found = item.observed.get("md5")
            another = actual(item).get("type") not in {None, "regular"}
            if shipped and (another or (isinstance(found, str) and found != shipped)):
                if not name.startswith("/etc/"):
                    contents.impostors.append((item, key))
                continue
            contents.items.append(item)
            contents.matching += bool(shipped and found == shipped)
            contents.consistent += not (shipped and found == shipped)


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
    guess = not theirs and evidence.every_package
    for item in pool.of("file"):
        if item.change is not Change.REMOVED or evidence.owners_of(item.key):
            continue
        if item.key in theirs or (guess and not item.key.startswith(_OWN)):
            contents.items.append(item)
            contents.consistent += 1


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
    for row in pool.of("process"):
        if row.key in paths:
            yield row


def _jobs(pool: Pool, tables: frozenset[str]) -> Iterator[Difference]:
    """Jobs of tables that came or went with the packages, and are as shipped."""
    for row in pool.of("cron"):
        if row.key.rsplit("/", 2)[0] in tables:
            yield row


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
