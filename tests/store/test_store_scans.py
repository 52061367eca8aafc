"""The store: what is saved is found, by many at once, and what fails says so and harms no scan."""

import multiprocessing
import multiprocessing.process
import os
import sqlite3
import stat
import threading
from pathlib import Path

import pytest

from driftscan.content import state_directory
from driftscan.errors import IncompleteError
from driftscan.model.drift import Cause, CauseType, Mutation
from driftscan.model.finding import (
    Action,
    JudgedControl,
    JudgedMutation,
    Recommendation,
    Result,
    RuleRef,
    Severity,
    State,
    Verdict,
)
from driftscan.model.result import HostImage, HostResult, ScanResult
from driftscan.store import Store, _database


def host(name: str, *findings: str, verdict: Verdict = Verdict.FINDINGS) -> HostResult:
    mutations = tuple(
        JudgedMutation(
            mutation=Mutation(
                id=one, title=f"{one} on {name}", cause=Cause(CauseType.UNEXPLAINED, one), differences=()
            ),
            severity=Severity.HIGH,
            action=Action.REPLACE,
            rule=RuleRef("r"),
            state=State.WAIVED,
        )
        for one in findings
    )
    return HostResult(
        host=name,
        target=f"ssh://{name}",
        verdict=verdict,
        recommendation=Recommendation(action=Action.REPLACE, sentence="Replace it."),
        image=HostImage(id="ami-1", version="1", manifest_digest="sha256:00"),
        mutations=mutations,
    )


def scan(number: int, *hosts: HostResult) -> ScanResult:
    at = f"2026-11-21T10:{number:02}:00Z"
    return ScanResult(id=f"scan-{number}", started_at=at, finished_at=at, mode="full", hosts=hosts)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "state" / "driftscan")


def test_nothing_was_ever_stored(store: Store) -> None:
    assert store.last_scan() is None
    assert store.last_scan("web-1") is None
    assert store.find_finding("a") == []
    assert store.scans() == []
    assert store.hosts("scan-1") == []
    assert not store.directory.exists()


def test_a_scan_is_found(store: Store) -> None:
    store.save(scan(1, host("web-1", "m-aa"), host("web-2")), b"{1}")
    row = store.last_scan()
    assert row is not None
    assert (row.id, row.mode, row.interrupted, store.report(row)) == ("scan-1", "full", False, b"{1}")
    assert [(one.host, one.verdict, one.action, one.image_id) for one in store.hosts("scan-1")] == [
        ("web-1", "findings", "replace", "ami-1"),
        ("web-2", "findings", "replace", "ami-1"),
    ]
    (finding,) = store.find_finding("m-aa")
    assert (finding.type, finding.severity, finding.action, finding.state) == ("mutation", "high", "replace", "waived")
    assert (finding.title, finding.host, store.report(finding)) == ("m-aa on web-1", "web-1", b"{1}")


def test_first_and_last_seen_span_scans_whatever_their_order(store: Store) -> None:
    for number in (3, 1, 2):
        store.save(scan(number, host("web-1", "m-aa")), b"%d" % number)
    rows = store.find_finding("m-aa")
    assert [row.scan for row in rows] == ["scan-3", "scan-2", "scan-1"]
    assert {(row.first_seen[14:16], row.last_seen[14:16]) for row in rows} == {("01", "03")}
    assert [row.id for row in store.scans(2)] == ["scan-3", "scan-2"]


def test_prefixes(store: Store) -> None:
    store.save(scan(1, host("b", "m-aa", "m-ab"), host("a", "m-aa", "m-aaa")), b"")
    assert [(row.host, row.fingerprint) for row in store.find_finding("m-a")] == [
        ("a", "m-aa"),
        ("a", "m-aaa"),
        ("b", "m-aa"),
        ("b", "m-ab"),
    ]
    assert {row.fingerprint for row in store.find_finding("m-aa")} == {"m-aa"}
    assert store.find_finding("M-") == []
    assert store.find_finding("%") == []
    assert store.find_finding("m-aa\udc80") == []


def test_only_failed_controls_are_findings(store: Store) -> None:
    controls = tuple(
        JudgedControl(
            id=f"c-{result}",
            finding=f"f-{result}",
            title="t",
            severity=Severity.LOW,
            action=Action.OBSERVE,
            result=result,
            rule=RuleRef("r"),
        )
        for result in Result
    )
    one = HostResult(
        host="h",
        target="local",
        verdict=Verdict.FINDINGS,
        recommendation=Recommendation(action=Action.OBSERVE, sentence="s"),
        controls=controls,
    )
    store.save(scan(1, one), b"")
    assert [(row.fingerprint, row.type) for row in store.find_finding("f-")] == [("f-fail", "control")]


def test_the_last_scan_of_a_host_is_one_that_reached_it(store: Store) -> None:
    store.save(scan(1, host("a"), host("b")), b"")
    store.save(scan(2, host("a", verdict=Verdict.UNREACHABLE), host("b", verdict=Verdict.CLEAN)), b"")
    last = {name: store.last_scan(name) for name in ("a", "b", "c")}
    assert {name: row.id if row else None for name, row in last.items()} == {"a": "scan-1", "b": "scan-2", "c": None}


def test_a_scan_is_stored_once_and_wholly(store: Store) -> None:
    store.save(scan(1, host("a", "m-1")), b"one")
    with pytest.raises(IncompleteError, match="not stored: UNIQUE"):
        store.save(scan(1, host("b", "m-2")), b"two")
    assert [row.host for row in store.hosts("scan-1")] == ["a"]
    assert store.find_finding("m-2") == []


def test_hostile_text_is_kept(store: Store) -> None:
    name = "h'; DROP TABLE scan;--\udc80\n"
    store.save(scan(1, host(name, "m-1")), b"")
    (row,) = store.find_finding("m-1")
    assert row.host == "h'; DROP TABLE scan;--\\udc80\n"
    assert store.last_scan(name) is not None


def test_the_same_finding_twice_on_a_host(store: Store) -> None:
    store.save(scan(1, host("a", "m-1", "m-1"), host("a", "m-1")), b"")
    assert len(store.find_finding("m-1")) == 1


def test_only_this_user_can_read(store: Store) -> None:
    store.save(scan(1, host("a")), b"x")
    modes = {path.relative_to(store.directory.parent).parts[:2]: path for path in store.directory.parent.rglob("*")}
    for path in modes.values():
        if path.is_dir() or path.name.endswith("sqlite3"):
            assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path


def _save(directory: Path, first: int) -> None:
    for number in range(first, first + 3):
        Store(directory).save(scan(number, host("a", "m-1", f"m-{number}")), b"%d" % number)


def test_many_writers_at_once(tmp_path: Path) -> None:
    """The first of them makes the file; all of them migrate it."""
    context = multiprocessing.get_context("spawn")
    workers: list[multiprocessing.process.BaseProcess | threading.Thread] = []
    workers += [context.Process(target=_save, args=(tmp_path / "s", first)) for first in (0, 3, 6)]
    workers += [threading.Thread(target=_save, args=(tmp_path / "s", first)) for first in (9, 12, 15)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    store = Store(tmp_path / "s")
    assert len(store.scans()) == 18
    assert len(store.find_finding("m-1")) >= 18


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
    opened = _database.Database._open

    def bounded(self: _database.Database, uri: str) -> sqlite3.Connection:
        connection = opened(self, uri)
        connection.execute("PRAGMA max_page_count = 1")
        return connection

    monkeypatch.setattr(_database.Database, "_open", bounded)
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


def test_a_file_of_a_later_driftscan(store: Store) -> None:
    store.save(scan(1), b"")
    connection = sqlite3.connect(store.directory / "driftscan.sqlite3")
    connection.execute("INSERT INTO migration VALUES (99, 'later.sql')")
    connection.commit()
    connection.close()
    with pytest.raises(IncompleteError, match="was written by a later driftscan"):
        store.save(scan(2), b"")


def test_migrations_are_numbered_without_a_gap() -> None:
    assert list(_database.migrations()) == list(range(1, len(_database.migrations()) + 1))


def test_a_migration_that_fails_leaves_nothing(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store.save(scan(1), b"")
    folder = tmp_path / "migrations"
    folder.mkdir()
    for path in _database.migrations().values():
        (folder / path.name).write_text(path.read_text())
    (folder / f"{len(list(folder.iterdir())) + 1:04}_broken.sql").write_text(
        "CREATE TABLE new (a TEXT);\nINSERT INTO nowhere VALUES (1);\n"
    )
    monkeypatch.setattr(_database, "_MIGRATIONS", folder)
    with pytest.raises(IncompleteError, match="no such table: nowhere"):
        store.save(scan(2), b"")
    monkeypatch.undo()
    store.save(scan(2), b"")
    connection = sqlite3.connect(store.directory / "driftscan.sqlite3")
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
    connection.close()
    assert "new" not in tables


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


def test_every_host_as_the_newest_scan_that_reached_it_found_it(store: Store) -> None:
    store.save(scan(2, host("web-1", "m-aa"), host("web-2")), b"{2}")
    store.save(scan(3, host("web-1"), host("web-2", verdict=Verdict.UNREACHABLE)), b"{3}")
    store.save(scan(1, host("web-1"), host("web-3", verdict=Verdict.GONE)), b"{1}")
    rows = store.last_of_each()
    assert [(row.host, row.scan, row.manifest_digest, store.report(row)) for row in rows] == [
        ("web-1", "scan-3", "sha256:00", b"{3}"),
        ("web-2", "scan-2", "sha256:00", b"{2}"),
    ]


def test_a_store_that_is_not_there_knows_no_host(store: Store) -> None:
    assert store.last_of_each() == []
    assert not store.directory.exists()
