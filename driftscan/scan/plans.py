"""Plans of a run, one for each manifest; what takes long to work out of a manifest is kept in the state directory."""

import logging
import secrets
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from driftscan import atomic
from driftscan.compare.grouping import Grouping
from driftscan.errors import DriftscanError
from driftscan.model.codec import digest
from driftscan.model.manifest import Manifest
from driftscan.model.zone import Zone
from driftscan.scan.filescan import Plan

log = logging.getLogger(__name__)
SALT = 16
"""Bytes that no host has seen before a run."""
KEPT = 32
"""Files; the oldest beyond go."""


class Plans:
    """Makes a plan when the first host needs it. Safe for threads."""

    def __init__(self, zones: Sequence[Zone], state_dir: Path | None) -> None:
        """`zones`: those of this run, besides the manifests' own."""
        self._zones = tuple(zones)
        self._directory = state_dir / "plans" if state_dir else None
        self._salt = secrets.token_bytes(SALT)
        self._plans: dict[tuple[int, bool], Plan] = {}
        self._lock = threading.Lock()

    def of(self, manifest: Manifest, *, born: bool = False) -> Plan:
        """How hosts with this manifest are compared; `born`: those whose birth is known."""
        with self._lock:
            key = id(manifest), born
            if key not in self._plans:
                self._plans[key] = self._made(manifest, born)
            return self._plans[key]

    def _made(self, manifest: Manifest, born: bool) -> Plan:
        zones = (*manifest.zones, *self._zones)
        path = self._path(manifest, zones, born)
        known = _read(path, len(manifest.resources.files)) if path else None
        plan = Plan(manifest, zones, self._salt, known, born=born)
        if path and known is None:
            _write(path, plan.reference.grouping)
        return plan

    def _path(self, manifest: Manifest, zones: tuple[Zone, ...], born: bool) -> Path | None:
        if self._directory is None or not manifest.digest:
            return None
        born_too = " born" if born else ""
        return self._directory / digest(f"{manifest.digest} {zones!r}{born_too}".encode())[7:39]


def _read(path: Path, size: int) -> Grouping | None:
    try:
        return Grouping.unpack(path.read_bytes(), size)
    except (OSError, ValueError):  # it was never there, or is damaged: it is made again
        return None


def _write(path: Path, grouping: Grouping) -> None:
    """Keep it, if that is possible: it costs time, and no result, if not."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        atomic.write(path, [grouping.pack()], private=True)
        with suppress(OSError):
            kept = sorted(path.parent.iterdir(), key=lambda each: each.stat().st_mtime, reverse=True)
            for old in kept[KEPT:]:
                old.unlink()
    except (OSError, DriftscanError) as error:
        log.info("the plan of a manifest is not kept: %s", error)
