"""Recordings that are named together: all snapshots, or all recordings of captures, of a folder or a glob."""

import glob
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from driftscan.capture import recording
from driftscan.errors import UsageError
from driftscan.manifests import files
from driftscan.model.names import show

HOSTS: Mapping[str, Callable[[str], str]] = {"snapshot": files.host_of, "capture": recording.host_of}
"""Schemes of such targets, and what tells of a file whose recording it is (UsageError: it is no such file)."""
_NOUNS = {"snapshot": "snapshot", "capture": "recording of captures"}
_BESIDE = {"snapshot": "capture", "capture": "snapshot"}
"""What `snapshot -o FILE --captures FILE` writes beside it."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """One of them. `host`: whose it is; where it does not say, the file's name without its ending."""

    path: str
    host: str


def together(scheme: str, path: str) -> tuple[Recorded, ...]:
    """The recordings in a folder, without those in folders of it, or those that a glob (`*`, `?`, `[...]`, `**`) names,
    by path. Nothing is left out unsaid: a file that is none is an UsageError. So is it if there is none at all."""
    folder = Path(path)
    found = tuple(_in_folder(scheme, folder) if folder.is_dir() else _named(scheme, path))
    if not found:
        raise UsageError(
            f"{scheme}:{show(path)}: there is no {_NOUNS[scheme]}",
            f"Name a file, a folder of them, or a glob in quotes: {scheme}:'history/*/web-*.{scheme}'.",
        )
    return found


def _in_folder(scheme: str, folder: Path) -> Iterator[Recorded]:
    try:
        within = sorted(each for each in folder.iterdir() if each.is_file() and not each.name.startswith("."))
    except OSError as error:
        raise UsageError(f"{show(str(folder))}: {error.strerror}", "Let it be read, or name files in it.") from error
    for path in within:
        try:
            yield _recorded(scheme, path)
        except UsageError as error:
            if not _is(_BESIDE[scheme], path):
                hint = f"Name those that are meant: {scheme}:'{show(str(folder))}/*.{scheme}'."
                raise UsageError(error.message, hint) from error


def _named(scheme: str, pattern: str) -> Iterator[Recorded]:
    for path in sorted(glob.glob(pattern, recursive=True)):
        if Path(path).is_file():
            yield _recorded(scheme, Path(path))


def _recorded(scheme: str, path: Path) -> Recorded:
    return Recorded(str(path), HOSTS[scheme](str(path)) or path.stem)


def _is(scheme: str, path: Path) -> bool:
    try:
        HOSTS[scheme](str(path))
    except UsageError:
        return False
    return True
