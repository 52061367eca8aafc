"""A tree that is not the image at all: another distribution, an empty directory, a file system of data."""

from collections.abc import Iterator

from driftscan.compare.evidence import Evidence
from driftscan.compare.folds._parts import files, said
from driftscan.compare.pool import Pool
from driftscan.model.drift import CauseType, Change, Difference, Mutation

ANOTHER = "not that image"
"""How the detail of the mutation begins."""
_FEWEST = 20
_NAMED = ("/etc/os-release", "/usr/lib/os-release")


def another_image(pool: Pool, evidence: Evidence) -> Iterator[Mutation]:
    """One mutation of all that is not there, if most packages of the reference are not; nothing came of it one by one.
    What is there and should not be stays to be explained."""
    gone = [item for item in pool.of("package") if item.change is Change.REMOVED]
    packages = len(evidence.baseline_files)
    if packages < _FEWEST or len(gone) * 2 <= packages:
        return
    lacking = [item for item in pool if item.change is Change.REMOVED]
    count = sum(item.kind == "file" for item in lacking)
    if count * 4 <= sum(len(tuple(paths)) for paths in evidence.baseline_files.values()):
        return  # the package database alone is gone
    rows = pool.of("os_version")
    title = f"this is not that image: {len(gone)} of its {packages} packages and {count} of its files are not here"
    title += "".join(f"; {words}" for row in rows if (words := _systems(row)))
    detail = f"{ANOTHER}: another system, another image, or no root file system"
    yield pool.fold(CauseType.OS_CHANGED, "image", title, rows, [*lacking, *files(pool, *_NAMED)], detail=detail)


def _systems(row: Difference) -> str:
    """Which system the image is of, and which this is."""
    name = row.attributes.get("platform") or row.attributes.get("name")
    if row.change is Change.REMOVED:
        return "it has no os-release"
    return f"the image is of {said(name.expected)}, and this is {said(name.actual)}" if name else ""
