"""Finds plugins: each module of a folder that has the wanted name, then entry points. No list to edit."""

import importlib
import importlib.machinery
import os
import pkgutil
import sys
from collections.abc import Iterable
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

from driftscan.errors import UsageError

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

T = TypeVar("T")
_PATH_FINDER = importlib.machinery.PathFinder


def discover(package: str, name: str, kind: type[T]) -> dict[str, T]:
    """Plugins of a package by name, sorted: in each module that does not begin with `_`, the value called `name`
    (for example `collector`), which must be of type `kind` and have a `name`; then the entry points of group
    `driftscan.<last part of package>`. Two plugins of one name are refused with UsageError."""
    found: dict[str, T] = {}
    root = importlib.import_module(package)
    for info in sorted(pkgutil.iter_modules(root.__path__), key=lambda module: module.name):
        if info.name.startswith("_"):
            continue
        value = getattr(importlib.import_module(f"{package}.{info.name}"), name, None)
        if value is not None:
            _add(found, value, kind, f"{package}.{info.name}")
    for point in _points(f"driftscan.{package.rpartition('.')[2]}"):
        _add(found, point.load(), kind, point.value)
    return dict(sorted(found.items()))


def _points(group: str) -> "Iterable[EntryPoint]":
    if not _anybody_has_plugins(tuple(sys.path)):
        return ()
    from importlib.metadata import entry_points  # noqa: PLC0415 - 20 ms, paid only by who has plugins

    return entry_points(group=group)


@cache
def _anybody_has_plugins(path: tuple[str, ...]) -> bool:
    """Whether an installed distribution may name an entry point of ours (importlib.metadata finds out which): its
    `entry_points.txt` says so, or distributions are found in another way than in directories."""
    if any(hasattr(finder, "find_distributions") for finder in sys.meta_path if finder is not _PATH_FINDER):
        return True
    return any(_has_plugins(folder or ".") for folder in path)


def _has_plugins(folder: str) -> bool:
    try:
        names = os.listdir(folder)
    except NotADirectoryError:
        return True  # a zip file or an egg
    except OSError:
        return False
    for name in names:
        if name.endswith((".dist-info", ".egg-info", ".egg")):
            try:
                with open(f"{folder}/{name}/entry_points.txt", "rb") as stream:
                    if b"[driftscan." in stream.read():
                        return True
            except OSError:
                if name.endswith(".egg"):
                    return True
    return False


def _add(found: dict[str, T], value: Any, kind: type[T], origin: str) -> None:
    if not isinstance(value, kind):
        raise UsageError(f"{origin}: not a {kind.__name__}", "Fix or uninstall that plugin.")
    name: str = value.name  # type: ignore[attr-defined]
    if name in found:
        raise UsageError(f"two plugins are called {name!r}; the second is {origin}", "Uninstall one of them.")
    found[name] = value
