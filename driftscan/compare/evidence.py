"""What is told about the causes of a host's differences: package file lists, install scripts, apt's history, and what
archives and manifests say of packages.

All but the latter is the host's own testimony. It decides how differences are grouped, never whether they are reported.
"""

import re
from bisect import bisect_right
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from driftscan.compare.transaction import Item, Transaction
from driftscan.compare.witness import Witness
from driftscan.model.names import spellings
from driftscan.model.proof import Rank, Shipment
from driftscan.model.snapshot import Resources
from driftscan.model.times import SECOND, nanoseconds

_MAKES_ACCOUNTS = re.compile(r"adduser|addgroup|useradd|groupadd|sysusers")
_MAX_FILES = 500_000
_AT_ONCE = 100
"""A log may be made to tell of any number of transactions at one time."""


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """Everything that folds may look at beside the differences. Empty parts mean that nothing is known."""

    package_files: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Package key -> path as the package database writes it -> MD5 of the content as shipped, or empty."""
    baseline_files: Mapping[str, Iterable[str]] = field(default_factory=dict)
    """Package key -> paths, as the reference had them; for packages that are gone."""
    shipments: Mapping[str, tuple[Shipment, ...]] = field(default_factory=dict)
    """Package key -> what archives and manifests say of it, at the version that the host has."""
    every_package: bool = False
    """Whether `package_files` speaks of all packages of the host, so that a path it lacks belongs to none."""
    package_scripts: Mapping[str, str] = field(default_factory=dict)
    """Package key -> text of its install scripts and sysusers.d files."""
    authorities: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """File of a package -> keys of the certificates in it (kind `ca_certificate`), where such differ."""
    history: tuple[Transaction, ...] = ()
    """What package managers logged; of two that name the same, the later is believed."""
    package_system: str = "dpkg"
    """dpkg, rpm or apk: whose order of versions holds."""
    resources: Resources = Resources()
    """The snapshot's, to look up what a difference does not say."""
    witness: Witness = Witness()
    """What the host's logs say of acts and sessions."""

    @cached_property
    def owners(self) -> Mapping[str, tuple[str, ...]]:
        """Real path -> keys of the packages that own it, sorted."""
        found: dict[str, list[str]] = {}
        count = 0
        for key in sorted(self.package_files):
            for path in self.package_files[key]:
                found.setdefault(path, []).append(key)
                count += 1
                if count > _MAX_FILES:
                    return {}
        return {path: tuple(keys) for path, keys in found.items()}

    @cached_property
    def handled(self) -> Mapping[str, Sequence[tuple[int, Item]]]:
        """Package's name -> the transactions that changed it, by their place in the history."""
        found: dict[str, list[tuple[int, Item]]] = {}
        for index, transaction in enumerate(self.history):
            for item in transaction.items:
                found.setdefault(item.name, []).append((index, item))
        return found

    @cached_property
    def _spans(self) -> Mapping[str, Sequence[tuple[int, int, int]]]:
        """Package's name -> when transactions that wrote its files began and ended, and their place in the history."""
        found: dict[str, list[tuple[int, int, int]]] = {}
        for index, each in enumerate(self.history):
            start, end = nanoseconds(each.start), nanoseconds(each.end)
            for name in {item.name for item in (*each.items, *each.reinstall)} if start else ():
                found.setdefault(name, []).append((start, end, index))
        return {name: sorted(spans) for name, spans in found.items()}

    def under_way(self, package: str, time: int) -> Transaction | None:
        """The transaction that wrote a package's files (by its name) at that time, in nanoseconds since 1970."""
        spans = self._spans.get(package, ())
        last = bisect_right(spans, time, key=lambda span: span[0])
        for _, end, index in reversed(spans[max(0, last - _AT_ONCE) : last]):
            if time <= end + SECOND:
                return self.history[index]
        return None

    def owners_of(self, path: str) -> tuple[str, ...]:
        """The packages that own a path."""
        return tuple(sorted({key for name in spellings(path) for key in self.owners.get(name, ())}))

    def shipped(self, package: str, path: str) -> str | None:
        """The MD5 with which a package shipped a path; empty if its database has none; None if it is not its path."""
        files = self.package_files.get(package, {})
        return next((files[name] for name in spellings(path) if name in files), None)

    def has_digests(self, package: str) -> bool:
        """Whether the host's database has digests of a package's files."""
        return any(self.package_files.get(package, {}).values())

    def files_of(self, package: str) -> Mapping[str, str]:
        """A package's paths with a digest of each that has a content, else nothing. Where an archive or a manifest
        tells them, the host's own lists add none: who wants to hide a file can write it there."""
        own = self.package_files.get(package, {})
        if archive := self._archive(package):
            return {path: (file.content or "") * (file.type == "regular") for path, file in archive.files.items()}
        told = [each.paths for each in self.shipments.get(package, ()) if each.paths is not None]
        return {path: own.get(path, "") for paths in told for path in paths} if told else own

    def scripts_of(self, package: str) -> str:
        """The text of a package's install scripts, of its archive where there is one."""
        archive = self._archive(package)
        return self.package_scripts.get(package, "") if archive is None else archive.scripts

    def archived(self, package: str) -> Collection[str] | None:
        """The paths that a package's archive has; None: there is no archive."""
        archive = self._archive(package)
        return None if archive is None else archive.files.keys()

    def _archive(self, package: str) -> Shipment | None:
        return next((each for each in self.shipments.get(package, ()) if each.rank is Rank.ARCHIVE), None)

    def scripts_name(self, package: str) -> frozenset[str]:
        """The paths that a package's install scripts name, and the directories above them."""
        found = set()
        for path in re.findall(r"(?<![A-Za-z0-9._/+-])/[A-Za-z0-9._/+-]+", self.scripts_of(package)):
            place = path.rstrip("/")
            while place.count("/") > 1:
                found.add(place)
                place = place.rpartition("/")[0]
        return frozenset(found)

    def scripts_make_account(self, package: str, name: str) -> bool:
        """Whether a package's install scripts make accounts and name this one."""
        text = self.scripts_of(package)
        return bool(_MAKES_ACCOUNTS.search(text)) and name in _words(text)


def dpkg_files(listing: str, md5sums: str, conffiles: Mapping[str, str]) -> dict[str, str]:
    """The files of one package for `Evidence.package_files`: from /var/lib/dpkg/info/NAME.list, NAME.md5sums, and
    the Conffiles of its entry in /var/lib/dpkg/status (dpkg(1), deb-md5sums(5))."""
    files = {path: "" for path in listing.split("\n") if path.startswith("/") and path != "/."}
    for line in md5sums.split("\n"):
        digest, gap, path = line.partition("  ")
        if gap and re.fullmatch("[0-9a-f]{32}", digest):
            files["/" + path] = digest
    files.update((path, digest) for path, digest in conffiles.items() if re.fullmatch("[0-9a-f]{32}", digest))
    return files


def _words(text: str) -> frozenset[str]:
    return frozenset(re.findall(r"[A-Za-z_][A-Za-z0-9_.-]*", text))
