"""Finds plugins: each module of a folder that has the wanted name, then entry points. No list to edit."""

import importlib
import pkgutil
from importlib.metadata import entry_points
from typing import Any, TypeVar

from driftscan.errors import UsageError

T = TypeVar("T")


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
    for point in entry_points(group=f"driftscan.{package.rpartition('.')[2]}"):
        _add(found, point.load(), kind, point.value)
    return dict(sorted(found.items()))


def _add(found: dict[str, T], value: Any, kind: type[T], origin: str) -> None:
    if not isinstance(value, kind):
        raise UsageError(f"{origin}: not a {kind.__name__}", "Fix or uninstall that plugin.")
    name: str = value.name  # type: ignore[attr-defined]
    if name in found:
        raise UsageError(f"two plugins are called {name!r}; the second is {origin}", "Uninstall one of them.")
    found[name] = value
