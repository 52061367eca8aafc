"""Differences of files by the tree that came or went as a whole, and by the directory where much changed alike."""

from collections.abc import Iterable
from posixpath import dirname, join, normpath

from driftscan.compare.pool import Pool
from driftscan.model.drift import Change, Difference

MASS = 12
"""As many files of one change under one directory are one mutation."""
_TOO_WIDE = frozenset(
    {
        "",
        *(
            f"/{name}"
            for name in ("boot", "etc", "home", "lib", "media", "mnt", "opt", "root", "run", "srv", "tmp", "usr", "var")
        ),
    }
    | {f"/usr/{name}" for name in ("bin", "include", "lib", "lib64", "libexec", "local", "sbin", "share", "src")}
    | {f"/usr/local/{name}" for name in ("bin", "etc", "lib", "sbin", "share")}
    | {f"/var/{name}" for name in ("cache", "lib", "log", "spool", "tmp", "www")}
)


def top_of(pool: Pool, item: Difference) -> str:
    """The topmost directory above a file (or itself) that came or went with it."""
    top, place = item.key, item.key
    while place := place.rpartition("/")[0]:
        above = pool.get("file", place)
        if above is None or above.change is not item.change:
            break
        top = place
    return top


def trees(pool: Pool, items: Iterable[Difference]) -> dict[str, list[Difference]]:
    """Open differences of one change by the top of their tree; what came alone is its own top."""
    found: dict[str, list[Difference]] = {}
    for item in items:
        found.setdefault(top_of(pool, item), []).append(item)
    return found


def came_above(pool: Pool, items: Iterable[Difference]) -> list[Difference]:
    """The directories that came with these files and hold nothing else that did."""
    taken = {item.key for item in items}
    found: list[Difference] = []
    for place in sorted({dirname(key) for key in taken}, reverse=True):
        above = pool.get("file", place)
        while above is not None and above.change is Change.ADDED and above.key not in taken:
            if any(item.key not in taken for item in pool.beneath(above.key)):
                break
            taken.add(above.key)
            found.append(above)
            above = pool.get("file", dirname(above.key))
    return found


def led_along(item: Difference) -> str:
    """The path that a link leads to now, without following others; empty: it is no link, or leads where it did."""
    delta = item.attributes.get("target")
    led = delta.actual if delta is not None and item.change is not Change.REMOVED else None
    return normpath(join(dirname(item.key), led)) if isinstance(led, str) else ""


def led_to(pool: Pool, item: Difference) -> Difference | None:
    """What came where a link leads now; None: it is no link, or leads to what was there before."""
    led = led_along(item)
    there = pool.get("file", led) if led else None
    return there if there is not None and there.change is Change.ADDED else None


def alike(item: Difference) -> tuple[str, ...]:
    """What differences must have in common to be one mass change: how they changed, and in which attributes."""
    if item.change is not Change.MODIFIED:
        return (item.change.value,)
    told = set(item.attributes) - {"size", "nlink", "md5"}
    return (item.change.value, *sorted(told))


def masses(items: Iterable[Difference]) -> dict[tuple[str, tuple[str, ...]], list[Difference]]:
    """Files that changed alike, at least MASS of them beneath one directory, by the widest such directory that still
    says something (`/usr/share/x`, not `/usr`)."""
    by_directory: dict[tuple[str, tuple[str, ...]], list[Difference]] = {}
    for item in items:
        place = item.key
        while (place := place.rpartition("/")[0]) not in _TOO_WIDE:
            by_directory.setdefault((place, alike(item)), []).append(item)
    found: dict[tuple[str, tuple[str, ...]], list[Difference]] = {}
    taken: set[str] = set()
    for group in sorted(by_directory, key=lambda each: (each[0].count("/"), each)):
        members = [item for item in by_directory[group] if item.key not in taken]
        if len(members) >= MASS:
            found[group] = members
            taken.update(item.key for item in members)
    return found
