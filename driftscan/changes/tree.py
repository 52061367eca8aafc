"""What a directory of the build repository holds, as the files of an image. No link is followed out of it."""

import hashlib
import os
import stat
from collections.abc import Iterator, Sequence

from driftscan.errors import UsageError
from driftscan.model.declared import Content
from driftscan.model.names import encode_name, show
from driftscan.model.patterns import compile_key_glob

MOST = 200_000
"""Entries of one directory: more are no part of an image that somebody wrote."""
_OF_THE_REPOSITORY = frozenset({b".git", b".hg", b".svn"})


def contents(tree: str, globs: Sequence[str]) -> dict[str, Content]:
    """Path in the image -> what the directory has for it, of paths that a glob covers. UsageError if anything of that
    cannot be read, and where there is too much."""
    expressions = [compile_key_glob("file", glob) for glob in globs]
    found: dict[str, Content] = {}
    root = os.fsencode(tree)
    for count, path in enumerate(_walk(root)):
        if count >= MOST:
            raise UsageError(f"{show(tree)}: more than {MOST:,} files", "Name the directory that goes into the image.")
        key = encode_name(path[len(root.rstrip(b"/")) :])
        if any(expression.fullmatch(key) for expression in expressions) and (content := _content(path)):
            found[key] = content
    return found


def _walk(folder: bytes) -> Iterator[bytes]:
    try:
        with os.scandir(folder) as entries:
            listed = sorted(entries, key=lambda entry: entry.name)
    except OSError as error:
        raise _unreadable(folder, error) from None
    for entry in listed:
        if entry.name in _OF_THE_REPOSITORY:
            continue
        yield entry.path
        if entry.is_dir(follow_symlinks=False):
            yield from _walk(entry.path)


def _content(path: bytes) -> Content | None:
    """None for sockets, pipes and devices, which no repository holds."""
    try:
        mode = os.lstat(path).st_mode
        if stat.S_ISLNK(mode):
            return Content("symlink", encode_name(os.readlink(path)))
        if stat.S_ISDIR(mode):
            return Content("directory")
        if not stat.S_ISREG(mode):
            return None
        with open(path, "rb") as stream:
            return Content("regular", hashlib.file_digest(stream, "sha256").hexdigest())
    except OSError as error:
        raise _unreadable(path, error) from None


def _unreadable(path: bytes, error: OSError) -> UsageError:
    return UsageError(f"{show(encode_name(path))}: {error.strerror}", "The build repository must be readable.")
