"""Interpreters of this machine, put into hosts without what a probe has no use for."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from tests.fleet.bed.host import Host

_LEFT_OUT = shutil.ignore_patterns(
    "__pycache__", "test", "tests", "idlelib", "tkinter", "lib2to3", "config-*", "site-packages"
)


def prefix_of(version: str) -> Path | None:
    """Where pyenv on this machine has an interpreter of a version such as 3.6; None where it has none."""
    versions = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    return next((found for found in sorted(versions.glob(f"{version}.*")) if (found / "bin").is_dir()), None)


def install(host: Host, prefix: Path, version: str) -> str:
    """The interpreter's path on a host: the same as here, since it knows where its libraries are."""
    name = f"python{version}"
    place = host.root / str(prefix).lstrip("/")
    shutil.copytree(prefix / "lib" / name, place / "lib" / name, ignore=_LEFT_OUT)
    for library in (prefix / "lib").glob(f"libpython{version}*"):
        shutil.copy2(library, place / "lib")
    (place / "bin").mkdir()
    shutil.copy2(prefix / "bin" / name, place / "bin")
    path = f"{prefix}/bin/{name}"
    host.must(path, "-I", "-S", "-c", "import fcntl, hashlib, resource, select, struct, zlib")
    return path
