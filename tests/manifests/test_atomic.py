"""Files are written whole or not at all, whatever the disk says."""

import errno
import os
import resource
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from driftscan import atomic
from driftscan.errors import IncompleteError, UsageError


def test_a_new_file_gets_what_the_umask_leaves(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        atomic.write(tmp_path / "f", [b"a", b"b"])
    finally:
        os.umask(before)
    assert (tmp_path / "f").read_bytes() == b"ab"
    assert stat.S_IMODE((tmp_path / "f").stat().st_mode) == 0o640
    assert [path.name for path in tmp_path.iterdir()] == ["f"]


def test_a_file_that_was_there_keeps_its_mode(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"old")
    (tmp_path / "f").chmod(0o604)
    atomic.write(tmp_path / "f", [b"new"])
    assert (tmp_path / "f").read_bytes() == b"new"
    assert stat.S_IMODE((tmp_path / "f").stat().st_mode) == 0o604


def test_a_link_is_replaced_and_not_followed(tmp_path: Path) -> None:
    (tmp_path / "precious").write_bytes(b"precious")
    (tmp_path / "f").symlink_to("precious")
    atomic.write(tmp_path / "f", [b"new"])
    assert (tmp_path / "precious").read_bytes() == b"precious"
    assert not (tmp_path / "f").is_symlink()


def test_a_bare_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    atomic.write("f", [b"new"])
    assert (tmp_path / "f").read_bytes() == b"new"


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EIO])
@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_full_disk_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, call: str
) -> None:
    (tmp_path / "f").write_bytes(b"old")

    def full(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, call, full)
    with pytest.raises(IncompleteError, match="f: cannot be written: "):
        atomic.write(tmp_path / "f", [b"new"])
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("f", b"old")]


def test_a_file_that_grows_beyond_its_limit(tmp_path: Path) -> None:
    """The kernel's own refusal in the middle of a write (RLIMIT_FSIZE; Python ignores SIGXFSZ)."""
    (tmp_path / "f").write_bytes(b"old")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, hard))
    try:
        with pytest.raises(IncompleteError, match="f: cannot be written: File too large"):
            atomic.write(tmp_path / "f", [b"x" * 5000] * 20)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("f", b"old")]


def test_a_device_without_room() -> None:
    """Linux's /dev/full is not a place for a file, and stays what it is."""
    with pytest.raises(UsageError, match="/dev/full: is not a regular file"):
        atomic.write("/dev/full", [b"x"])
    assert stat.S_ISCHR(Path("/dev/full").stat().st_mode)


@pytest.mark.parametrize("path", ["/dev/null", "/dev/stdout", "/proc/self/fd/1"])
def test_what_is_not_a_file_is_not_replaced(path: str) -> None:
    with pytest.raises(UsageError, match="is not a regular file"):
        atomic.write(path, [b"x"])


def test_an_interruption_leaves_nothing(tmp_path: Path) -> None:
    def parts() -> Iterator[bytes]:
        yield b"half"
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        atomic.write(tmp_path / "f", parts())
    assert list(tmp_path.iterdir()) == []


def test_paths_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    cases: list[tuple[str | Path, str]] = [
        (tmp_path / "none" / "f", "cannot be written: No such file or directory"),
        (tmp_path / "file" / "f", "cannot be written: Not a directory"),
        (tmp_path, "is not a regular file"),
        (tmp_path / ("x" * 300), "cannot be written: File name too long"),
        ("a\x00b", "not a path: embedded null byte"),
    ]
    for path, message in cases:
        with pytest.raises(UsageError, match=message):
            atomic.write(path, [b"x"])
    assert [item.name for item in tmp_path.iterdir()] == ["file"]


def test_a_long_name_leaves_room_for_the_temporary_one(tmp_path: Path) -> None:
    atomic.write(tmp_path / ("€" * 85), [b"x"])
    assert (tmp_path / ("€" * 85)).read_bytes() == b"x"


def test_no_permission(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object, **__: object) -> int:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(os, "open", refused)
    with pytest.raises(UsageError, match="f: cannot be written: Permission denied") as caught:
        atomic.write(tmp_path / "f", [b"x"])
    assert caught.value.hint.startswith("Check the owner and mode")
