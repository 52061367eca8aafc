"""What is SQLite's own: a file with modes, locks, damage."""

import os
import sqlite3
import stat
import time
from pathlib import Path

import pytest

from driftscan.content import state_directory
from driftscan.errors import IncompleteError
from driftscan.store import Store, _database, _sqlite
from tests.store.released import released
from tests.store.scans import host, scan


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "state" / "driftscan")


def test_only_this_user_can_read(store: Store) -> None:
    store.save(scan(1, host("a")), b"x")
    modes = {path.relative_to(store.directory.parent).parts[:2]: path for path in store.directory.parent.rglob("*")}
    for path in modes.values():
        if path.is_dir() or path.name.endswith("sqlite3"):
            assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path


def test_a_writer_that_waits_too_long_is_told(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    store.save(scan(1, host("a")), b"")
    monkeypatch.setattr(_database, "BUSY_SECONDS", 0)
    other = sqlite3.connect(store.directory / "driftscan.sqlite3", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(IncompleteError, match=r"driftscan\.sqlite3: database is locked"):
        store.save(scan(2, host("a")), b"")
    row = store.last_scan()
    other.execute("ROLLBACK")
    other.close()
    assert row is not None
    assert row.id == "scan-1"


def test_who_comes_while_another_makes_the_file_waits(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLite itself does not, where the mode of the journal changes."""
    store.directory.mkdir(parents=True)
    other = sqlite3.connect(store.directory / "driftscan.sqlite3", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    waits: list[float] = []

    def done(seconds: float) -> None:
        waits.append(seconds)
        other.close()

    monkeypatch.setattr(time, "sleep", done)
    store.save(scan(1, host("a")), b"")
    assert len(waits) == 1
    assert [row.id for row in store.scans()] == ["scan-1"]


@pytest.mark.parametrize("content", [b"not a database at all" * 100, b"SQLite format 3\x00" + b"\xff" * 5000])
def test_a_damaged_file_is_told(store: Store, content: bytes) -> None:
    store.directory.mkdir(parents=True)
    (store.directory / "driftscan.sqlite3").write_bytes(content)
    for call in (lambda: store.save(scan(1), b""), store.last_scan, lambda: store.find_finding("a")):
        with pytest.raises(IncompleteError, match=r"driftscan\.sqlite3: ") as caught:
            call()
        assert caught.value.hint


def test_damage_in_the_middle_is_told(store: Store) -> None:
    store.save(scan(1, *(host(f"h{number}", f"m-{number}") for number in range(200))), b"")
    path = store.directory / "driftscan.sqlite3"
    raw = bytearray(path.read_bytes())
    raw[4096 * 2 :] = b"\xff" * len(raw[4096 * 2 :])
    path.write_bytes(raw)
    with pytest.raises(IncompleteError, match="the database is damaged"):
        store.find_finding("m-")


def test_a_directory_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(IncompleteError, match="cannot be made: Not a directory"):
        Store(tmp_path / "file" / "state").save(scan(1), b"")


def test_a_full_disk(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLite's own answer to a full disk, provoked by a bound on its size."""
    store.save(scan(1), b"")
    opened = _sqlite._connect

    def bounded(path: Path, options: str) -> sqlite3.Connection:
        connection = opened(path, options)
        connection.execute("PRAGMA max_page_count = 1")
        return connection

    monkeypatch.setattr(_sqlite, "_connect", bounded)
    with pytest.raises(IncompleteError, match="database or disk is full"):
        store.save(scan(2, *(host(f"h{number}", f"m-{number}") for number in range(500))), b"")
    monkeypatch.undo()
    assert [row.id for row in store.scans()] == ["scan-1"]


def test_a_state_directory_that_nobody_can_write(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a read-only file system: what is there can be read."""
    store.save(scan(1, host("a", "m-1")), b"x")
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert len(store.find_finding("m-1")) == 1
    assert sorted(path.name for path in store.directory.iterdir()) == ["blobs", "driftscan.sqlite3"]


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"DRIFTSCAN_STATE_DIR": "/a", "XDG_STATE_HOME": "/b"}, "/a"),
        ({"DRIFTSCAN_STATE_DIR": "~/a"}, "{home}/a"),
        ({"XDG_STATE_HOME": "/b"}, "/b/driftscan"),
        ({"XDG_STATE_HOME": "relative"}, "{home}/.local/state/driftscan"),
        ({"XDG_STATE_HOME": "", "DRIFTSCAN_STATE_DIR": ""}, "{home}/.local/state/driftscan"),
    ],
)
def test_the_default_directory(environment: dict[str, str], expected: str) -> None:
    assert str(state_directory(environment)) == expected.format(home=Path.home())


def test_a_file_of_an_earlier_driftscan_that_cannot_be_written_to(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.directory.mkdir(parents=True)
    released(store.directory / "driftscan.sqlite3", 4).close()
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(IncompleteError, match="is of an earlier driftscan, and cannot be written to"):
        store.scans()


def test_a_directory_that_is_a_link_to_nothing_is_said_to_be_one(tmp_path: Path) -> None:
    (tmp_path / "store").symlink_to("nowhere")
    with pytest.raises(IncompleteError, match="is a link to what is not there"):
        Store(tmp_path / "store").save(scan(1), b"")
    (tmp_path / "nowhere").mkdir()
    Store(tmp_path / "store").save(scan(1), b"")
    assert (tmp_path / "nowhere" / "driftscan.sqlite3").exists()
