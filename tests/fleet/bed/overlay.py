"""Overlay copies of the base: cheap to make, and the base below is never written."""

from __future__ import annotations

import re
import shutil
import time
from pathlib import Path

from tests.fleet.bed.shell import BedError, run

_OCTAL = re.compile(r"\\([0-7]{3})")


def _mounts() -> list[tuple[str, str, str]]:
    """Mount point, type and options of everything mounted on this machine."""
    rows = []
    for line in Path("/proc/self/mounts").read_text(errors="surrogateescape").splitlines():
        _, point, kind, options = line.split(" ")[:4]
        rows.append((_OCTAL.sub(lambda m: chr(int(m[1], 8)), point), kind, options))
    return rows


def lower_directories() -> set[str]:
    """Directories that mounted overlays read from."""
    return {
        option.removeprefix("lowerdir=")
        for _, kind, options in _mounts()
        if kind == "overlay"
        for option in options.split(",")
        if option.startswith("lowerdir=")
    }


def is_mounted(point: Path) -> bool:
    return any(at == str(point) for at, _, _ in _mounts())


def mount(base: Path, place: Path, label: str) -> Path:
    """Mounts PLACE/root, a writable copy of the base whose changes are kept in PLACE/upper."""
    root = place / "root"
    for part in (root, place / "upper", place / "work"):
        part.mkdir(parents=True, exist_ok=True)
    # The copy's top directory is the upper directory itself: give it the base's mode.
    (place / "upper").chmod(base.stat().st_mode & 0o7777)
    if not is_mounted(root):
        options = f"lowerdir={base},upperdir={place / 'upper'},workdir={place / 'work'}"
        run("mount", "-t", "overlay", label, "-o", options, str(root))
    return root


def discard(place: Path) -> None:
    """Unmounts everything at and below PLACE, the innermost first, and deletes it."""
    end = time.monotonic() + 120
    while True:
        try:
            _discard(place)
            return
        except (BedError, OSError):  # what is just being killed may still hold the mount, or write into it
            if time.monotonic() > end:
                raise
            time.sleep(0.2)


def _discard(place: Path) -> None:
    within = [point for point, _, _ in _mounts() if point.startswith(f"{place}/")]
    for point in reversed(within):
        run("umount", point)
    if place.exists():
        shutil.rmtree(place)
