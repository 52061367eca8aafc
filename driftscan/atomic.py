"""Files are written whole or not at all."""

import contextlib
import errno
import fcntl
import os
import stat
from collections.abc import Iterable, Iterator

from driftscan.errors import DriftscanError, IncompleteError, UsageError
from driftscan.model.names import show

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO}


def write(
    path: str | os.PathLike[str],
    data: Iterable[bytes],
    *,
    private: bool = False,
    executable: bool = False,
    shared: bool = False,
) -> None:
    """Write a file through a temporary one beside it: synced to disk, then renamed over it (rename(2)), so that
    nobody ever reads half of it and a crash leaves the old one. A symbolic link at `path` is replaced, not
    followed. A file that was there keeps its mode; a new one gets what the umask leaves, or if it is
    `shared`, all may read it. If it is `private`, it is its owner's alone; if it is `executable`, all may run it, and
    its owner alone may change it.

    UsageError if the path cannot be written to (no such directory, no permission, not a regular file);
    IncompleteError if the disk is full or fails. Either way nothing half-written stays.
    """
    target = os.fspath(path)
    temporary = ""
    try:
        there = _mode_of(target)
        if there is None and shared:
            there = 0o644
        mode = 0o600 if private else 0o755 if executable else there
        folder, name = os.path.split(target)
        temporary = os.path.join(folder, f".{name[:50]}.{os.urandom(8).hex()}.tmp")
        _fill(temporary, data, mode)
        os.replace(temporary, target)
        temporary = ""
        _sync_folder(folder or ".")
    except OSError as error:
        raise _explained(target, error) from error
    finally:
        if temporary:
            _remove(temporary)


@contextlib.contextmanager
def alone(path: str | os.PathLike[str]) -> Iterator[None]:
    """While this lasts, nobody else who asks for it rewrites a file of the same directory: who reads a file, adds to it
    and writes it again would undo what another wrote meanwhile. Ends with the process, however that ends, and leaves
    nothing behind. A directory that is not there, or that its file system lets nobody lock, is not locked."""
    try:
        folder = os.open(os.path.dirname(os.fspath(path)) or ".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except (OSError, ValueError):  # whoever writes there will tell
        yield
        return
    try:
        with contextlib.suppress(OSError):
            fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def _mode_of(target: str) -> int | None:
    """The mode of the file that is there; None if there is none. What is not a plain file must not be replaced."""
    try:
        there = os.lstat(target)
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise UsageError(f"{show(target)}: not a path: {error}", "Name a file to write to.") from None
    if stat.S_ISLNK(there.st_mode) and not _is_device_folder(target):
        return None
    if not stat.S_ISREG(there.st_mode):
        raise UsageError(f"{show(target)}: is not a regular file", "Name a file to write to.")
    return stat.S_IMODE(there.st_mode)


def _is_device_folder(target: str) -> bool:
    """Whether renaming over a link would break the machine: /dev/stdout is one."""
    folder = os.path.realpath(os.path.dirname(target))
    return folder.split(os.sep)[1:2] in (["dev"], ["proc"], ["sys"])


def _fill(temporary: str, data: Iterable[bytes], mode: int | None) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    with open(os.open(temporary, flags, 0o666 if mode is None else 0o600), "wb") as stream:
        stream.writelines(data)
        stream.flush()
        if mode is not None:
            os.fchmod(stream.fileno(), mode)
        os.fsync(stream.fileno())


def _sync_folder(folder: str) -> None:
    """Make the rename itself durable (fsync(2)); some file systems refuse it for directories, which is no harm."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    except OSError:
        pass
    finally:
        os.close(handle)


def _remove(temporary: str) -> None:
    with contextlib.suppress(OSError):
        os.unlink(temporary)


def _explained(target: str, error: OSError) -> DriftscanError:
    message = f"{show(target)}: cannot be written: {error.strerror}"
    if error.errno in _FULL:
        return IncompleteError(message, "Make room, or write elsewhere; nothing was left half-written.")
    if error.errno in {errno.ENOENT, errno.ENOTDIR}:
        return UsageError(message, "Make the directory first.")
    return UsageError(message, "Check the owner and mode of the directory, or write elsewhere.")
