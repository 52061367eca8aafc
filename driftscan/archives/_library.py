"""Directories of package archives, looked through once; what an archive holds is kept by the archive's digest."""

import hashlib
import json
import logging
import os
from collections.abc import Iterator, Sequence
from dataclasses import astuple
from pathlib import Path
from threading import Lock
from urllib.parse import unquote

from driftscan import atomic
from driftscan.archives._deb import Contents, contents
from driftscan.errors import DriftscanError, UsageError
from driftscan.model.codec import canonical
from driftscan.model.names import show
from driftscan.model.proof import Rank, Shipment, Shipped

log = logging.getLogger(__name__)
SUFFIX = ".deb"
MAX_ARCHIVES = 1_000_000
_FORMAT = 2
"""Of what is kept; raised whenever the same archive would be read otherwise."""
_ALIKE = 5
"""Archives of one name, version and architecture that are looked into."""


class Archives:
    """Looks when first asked and remembers; safe to share among threads."""

    def __init__(self, directories: Sequence[str], cache: Path | None = None) -> None:
        """Directories of `NAME_VERSION_ARCHITECTURE.deb` files, at any depth, as apt, dpkg-deb and mirrors name them.
        What was read of an archive is kept in `cache`. UsageError if one is no directory."""
        for directory in directories:
            if not os.path.isdir(directory):
                raise UsageError(
                    f"--packages {show(directory)}: no such directory",
                    "Name a directory of .deb files: /var/cache/apt/archives of a build host, or the pool of a mirror.",
                )
        self._directories = directories
        self._cache = cache
        self._lock = Lock()
        self._listed: dict[str, list[str]] | None = None
        self._read: dict[str, Contents | None] = {}

    def find(self, package: str, architecture: str, version: str) -> tuple[Shipment, ...]:
        """What the archives of a package hold; several where one version was built more than once. An archive that
        cannot be read is told in the log, and says nothing."""
        with self._lock:
            paths = [path for path in self._list().get(package, ()) if _named(path, architecture, version)][:_ALIKE]
            found = [(path, self._contents(path)) for path in paths]
        return tuple(
            Shipment(
                rank=Rank.ARCHIVE,
                origin=os.path.basename(path),
                files=held.files,
                paths=held.files.keys(),
                scripts=held.scripts,
            )
            for path, held in found
            if held and (held.package, held.architecture, held.version) == (package, architecture, version)
        )

    def _list(self) -> dict[str, list[str]]:
        if self._listed is None:
            self._listed = {}
            for count, path in enumerate(_archives(self._directories)):
                if count >= MAX_ARCHIVES:
                    log.warning("--packages: more than %d archives; the rest is passed over", MAX_ARCHIVES)
                    break
                self._listed.setdefault(os.path.basename(path).partition("_")[0], []).append(path)
        return self._listed

    def _contents(self, path: str) -> Contents | None:
        if path not in self._read:
            try:
                self._read[path] = self._kept_or_read(path)
            except (UsageError, OSError) as error:
                log.warning("--packages: passed over: %s", show(str(error)))
                self._read[path] = None
        return self._read[path]

    def _kept_or_read(self, path: str) -> Contents:
        with open(path, "rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            kept = self._cache / f"{digest}.json" if self._cache else None
            if kept is not None and (known := _load(kept)) is not None:
                return known
            file.seek(0)
            found = contents(file, path)
        if kept is not None:
            _keep(kept, found)
        return found


def _archives(directories: Sequence[str]) -> Iterator[str]:
    for directory in directories:
        for folder, folders, names in os.walk(directory):
            folders.sort()
            yield from (os.path.join(folder, name) for name in sorted(names) if name.endswith(SUFFIX))


def _named(path: str, architecture: str, version: str) -> bool:
    """Whether the name is that of this version: pools leave the epoch out, apt's cache writes its colon as %3a."""
    parts = unquote(os.path.basename(path).removesuffix(SUFFIX)).split("_")
    return len(parts) == 3 and parts[2] == architecture and parts[1] in {version, version.partition(":")[2]}


def _keep(path: Path, found: Contents) -> None:
    rows = [[name, *astuple(shipped)] for name, shipped in found.files.items()]
    body = [_FORMAT, found.package, found.version, found.architecture, found.scripts, rows]
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        atomic.write(path, [canonical(body)], private=True)
    except (DriftscanError, OSError) as error:
        log.warning("what %s holds is not kept: %s", show(path.name), show(str(error)))


def _load(path: Path) -> Contents | None:
    """None if it is not there or is not what is written now: it is made again."""
    try:
        form, package, version, architecture, scripts, rows = json.loads(path.read_bytes())
        if form != _FORMAT:
            return None
        files = {name: Shipped(*row) for name, *row in rows}
    except (OSError, ValueError, TypeError):
        return None
    return Contents(package, version, architecture, files, scripts)
