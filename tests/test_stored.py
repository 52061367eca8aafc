"""Bytes on the scanner's disk: read where they lie, and an error, never a crash or other bytes, if they change."""

import errno
import os
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftscan import stored
from driftscan.errors import IncompleteError, UsageError
from driftscan.model.lines import Held
from driftscan.stored import Sorter, Spool, Stored, open_file, pack


def test_a_file_is_read_where_it_lies(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"0123456789")
    found = open_file(tmp_path / "f")
    assert (found.name, found.size, found.read(2, 5), found.read(0, 10)) == (
        str(tmp_path / "f"),
        10,
        b"234",
        b"0123456789",
    )


@pytest.mark.parametrize("change", ["truncated", "longer", "other bytes", "emptied"])
def test_a_file_that_is_changed_in_place_is_an_error(tmp_path: Path, change: str) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"0123456789" * 1000)
    found = open_file(path)
    os.utime(path, ns=(1, 1))
    assert isinstance(found, Stored)
    with pytest.raises(UsageError, match="f: was changed while it was read"):
        found.read(0, 1)
    path.write_bytes(b"0123456789" * 1000)
    os.utime(path, ns=(1, 1))
    found = open_file(path)
    with path.open("r+b") as stream:
        match change:
            case "truncated":
                stream.truncate(4096)
            case "longer":
                stream.seek(0, os.SEEK_END)
                stream.write(b"x")
            case "emptied":
                stream.truncate(0)
            case _:
                stream.write(b"X")
    with pytest.raises(UsageError, match="f: was changed while it was read") as caught:
        found.read(9000, 9100)
    assert "renaming" in caught.value.hint


def test_a_file_that_is_replaced_stays_what_it_was(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"old")
    found = open_file(tmp_path / "f")
    (tmp_path / "g").write_bytes(b"new!")
    (tmp_path / "g").replace(tmp_path / "f")
    assert found.read(0, 3) == b"old"
    (tmp_path / "f").unlink()
    assert found.read(0, 3) == b"old"


def test_a_pipe_is_read_into_memory(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "p")
    writer = threading.Thread(target=(tmp_path / "p").write_bytes, args=(b"through a pipe",))
    writer.start()
    found = open_file(tmp_path / "p")
    writer.join()
    assert (type(found), found.read(0, found.size)) == (Held, b"through a pipe")


def test_files_that_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="f: no such file"):
        open_file(tmp_path / "f")
    with pytest.raises(UsageError, match="is a directory"):
        open_file(tmp_path)
    with pytest.raises(UsageError, match="embedded null byte"):
        open_file("a\x00")
    (tmp_path / "f").write_bytes(b"1234")
    monkeypatch.setattr(stored, "MAX_FILE", 3)
    with pytest.raises(UsageError, match="f: larger than"):
        open_file(tmp_path / "f")


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


@given(st.lists(st.binary(max_size=9), max_size=9), st.integers(0, 30))
def test_what_is_put_aside_comes_back(parts: list[bytes], small: int) -> None:
    before = descriptors()
    spool = Spool("s", small)
    for part in parts:
        spool.write(part)
    whole = b"".join(parts)
    found = spool.buffer()
    assert (spool.size, found.size, found.read(0, found.size)) == (len(whole), len(whole), whole)
    assert isinstance(found, Held if len(whole) <= small else Stored)
    assert found.read(len(whole) // 3, len(whole) // 2) == whole[len(whole) // 3 : len(whole) // 2]
    del (
        spool,
        found,
    )  # nothing refers to itself, so no collection is waited for: one costs half a second of a large heap
    assert descriptors() <= before


def test_what_is_put_aside_has_no_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    spool = Spool("s", small=1)
    spool.write(b"more than that")
    assert list(tmp_path.iterdir()) == []
    assert spool.buffer().read(0, 4) == b"more"
    assert list(tmp_path.iterdir()) == []


def test_no_room_is_said_with_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "gone"))
    monkeypatch.setenv("TMPDIR", str(tmp_path / "gone"))
    with pytest.raises(IncompleteError, match=r"the walk: cannot be put aside in .*gone: No such file") as caught:
        Spool("the walk", small=0).write(b"x")
    assert "TMPDIR" in caught.value.hint


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full here")
def test_a_full_disk_is_no_half_result(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.TemporaryFile", lambda prefix: open("/dev/full", "wb", buffering=0))  # noqa: SIM115
    spool = Spool("the walk", small=0)
    with pytest.raises(IncompleteError, match=os.strerror(errno.ENOSPC)):
        spool.write(b"x" * 100_000)
    with pytest.raises(IncompleteError, match=os.strerror(errno.ENOSPC)):
        spool.buffer()


def test_packed_lines_are_on_disk_when_they_are_many(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [b'{"attributes":{},"key":"/%05d","kind":"file"}' % number for number in range(5000)]
    assert isinstance(pack(rows, "m", observed=False).text.buffer, Held)
    assert isinstance(pack([], "m", observed=False).text.buffer, Held)
    monkeypatch.setattr(Spool.__init__, "__defaults__", (1000,))
    packed = pack(rows, "m", observed=False)
    assert isinstance(packed.text.buffer, Stored)
    assert list(packed.lines) == rows


@given(st.lists(st.tuples(st.binary(max_size=5), st.binary(max_size=5))), st.integers(0, 2000))
def test_pairs_are_sorted_however_little_memory_there_is(pairs: list[tuple[bytes, bytes]], limit: int) -> None:
    sorter = Sorter("s", limit)
    for key, value in pairs:
        sorter.add(key, value)
    assert list(sorter.pairs()) == sorted(pairs)


def test_runs_that_are_longer_than_what_is_read_at_once_are_sorted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stored, "_WINDOW", 7)
    monkeypatch.setattr(stored, "_BATCH", 3)
    sorter = Sorter("s", 2000)
    pairs = [(b"%d" % (number * 7919 % 1000), b"v" * (number % 30)) for number in range(1000)]
    for key, value in pairs:
        sorter.add(key, value)
    assert list(sorter.pairs()) == sorted(pairs)
