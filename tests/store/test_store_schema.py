"""Each released schema is brought up to date and loses nothing; a later one is left alone."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import inspect, text

from driftscan.errors import IncompleteError
from driftscan.model.birth import Birth
from driftscan.model.place import Place
from driftscan.model.state import FORMAT, FileState, History, HostState
from driftscan.store import HostStates, Store, _births, _database, _histories, _migrate, _schema, _states
from driftscan.store._open import database
from tests.store.damage import change
from tests.store.released import NUMBERS, released
from tests.store.scans import host, scan

AT = "2026-11-21T10:00:00Z"
FILES = FileState(manifest="m", rules="r", states=b"s" * 32, told=b"t")
HISTORY = History(machine={"instance_id": "i-1"}, manifest="m", young=True, first=frozenset({"F-1 a"}))
BIRTH = Birth(
    machine={},
    manifest="m",
    taken_at=AT,
    settled_at=AT,
    user_data="u",
    records=(),
    coverage=(),
    sources={},
    undeclared=(),
    doubts=(),
)
ROWS: dict[int, tuple[tuple[str, tuple[object, ...]], ...]] = {
    1: (
        ("scan", ("scan-2", AT, AT, "full", 0, "sha256:22")),
        ("scan", ("scan-1", AT, AT, "quick", 1, "sha256:11")),
        ("host_result", ("scan-1", 0, "web-1", "ssh://web-1", "findings", "replace", "ami-1", "1", "sha256:00")),
        ("host_result", ("scan-2", 0, "web-1", "ssh://web-1", "clean", "none", "ami-1", "1", "sha256:00")),
        ("finding", ("F-1", "web-1", "mutation", AT, AT)),
        ("sighting", ("scan-1", "F-1", "web-1", "high", "replace", "open", "a title")),
    ),
    2: (
        ("host_state", ("web-1", b"k" * 32, 3, AT, AT, '{"collectors": [], "files": null}')),
        ("host_files", ("web-1", FORMAT, *_states._files(FILES).values())),
    ),
    3: (("host_history", ("web-1", *_histories.encode(HISTORY))),),
    4: (("host_birth", ("web-1", "m", "u", *_births.encode(BIRTH))),),
}


def holds(place: Place, number: int) -> None:
    """Whether what a released version stored is found."""
    store, states = Store(place), HostStates(place)
    # Of one second: SQLite knows which was stored last, others go by their names.
    known = [("scan-2", False, "full"), ("scan-1", True, "quick")]
    found = [(row.id, row.interrupted, row.mode) for row in store.scans()]
    assert found == (known if place.database else known[::-1])
    (row,) = store.find_finding("F-")
    assert (row.scan, row.title, row.first_seen) == ("scan-1", "a title", AT)
    if number >= 2:
        assert states.load("web-1") == HostState(key=b"k" * 32, scans=3, seen_at=AT, full_at=AT, files=FILES)
    if number >= 3:
        assert states.history("web-1") == HISTORY
    if number >= 4:
        assert list(states.births("m", "u")) == ["web-1"]
    assert (row.severity, row.manifest, row.opened_at, row.resolved_at) == ("high", "sha256:00", AT, None)
    (last,) = store.last_of_each()
    assert last.scan == found[0][0]
    store.save(scan(3, host("web-1")), b"")
    (row,) = store.find_finding("F-1")
    assert row.resolved_at is not None
    states.close()


@pytest.mark.parametrize("number", NUMBERS)
def test_a_released_file_is_brought_up_to_date(tmp_path: Path, number: int) -> None:
    with closing(released(tmp_path / "driftscan.sqlite3", number)) as file:
        for step in NUMBERS[:number]:
            for table, values in ROWS[step]:
                file.execute(f"INSERT INTO {table} VALUES ({', '.join('?' * len(values))})", values)
    holds(Place(tmp_path), number)


@pytest.mark.parametrize("number", NUMBERS)
def test_each_step_finds_what_the_one_before_left(place: Place, number: int) -> None:
    base = database(place)
    connection = base._open(lasting=False)
    with base.writing(connection):
        _migrate.upgrade(connection, f"{number:04}")
        for step in NUMBERS[:number]:
            for table, values in ROWS[step]:
                names = [f":v{index}" for index in range(len(values))]
                row = {f"v{index}": value for index, value in enumerate(values)}
                connection.execute(text(f"INSERT INTO {table} VALUES ({', '.join(names)})"), row)
    connection.close()
    holds(place, number)


def shape(connection: sqlite3.Connection) -> dict[str, object]:
    """The tables of a file, their columns, keys and indexes, whatever the words that made them."""
    tables = {name: strict for (_, name, _, _, _, strict) in connection.execute("PRAGMA table_list")}
    names = sorted(tables.keys() - {"alembic_version", "migration", "sqlite_schema", "sqlite_temp_schema"})
    return {
        name: (
            tables[name],
            connection.execute(f"SELECT * FROM pragma_table_info('{name}')").fetchall(),
            sorted(row[2:] for row in connection.execute(f"SELECT * FROM pragma_foreign_key_list('{name}')")),
            sorted(row[1:] for row in connection.execute(f"SELECT * FROM pragma_index_list('{name}')")),
        )
        for name in names
    }


@pytest.mark.parametrize("number", NUMBERS)
def test_a_new_file_is_as_the_released_versions_made_it(tmp_path: Path, number: int) -> None:
    base = database(tmp_path / "new")
    connection = base._open(lasting=False)
    with base.writing(connection):
        _migrate.upgrade(connection, f"{number:04}")
    connection.close()
    with (
        closing(released(tmp_path / "old", number)) as old,
        closing(sqlite3.connect(tmp_path / "new/driftscan.sqlite3")) as new,
    ):
        wanted, found = shape(old), shape(new)
    assert found.keys() == wanted.keys()
    for name in wanted:
        assert found[name] == wanted[name]


def test_the_tables_of_the_code_are_those_of_the_migrations(store: Store, place: Place) -> None:
    store.save(scan(1), b"")
    with database(place).read() as connection:
        assert connection is not None
        known = inspect(connection)
        there = {
            name: [column["name"] for column in known.get_columns(name)]
            for name in known.get_table_names()
            if name not in {"alembic_version", "migration"}
        }
        keys = {name: known.get_pk_constraint(name)["constrained_columns"] for name in there}
        assert _migrate.revision(connection) == _schema.HEAD
    assert there == {
        table.name: [column.name for column in table.columns] for table in _schema.metadata.tables.values()
    }
    assert keys == {
        table.name: [column.name for column in table.primary_key] for table in _schema.metadata.tables.values()
    }


@pytest.mark.parametrize("later", ["9999", "a3f0c2d4e5b6"])
def test_a_database_of_a_later_driftscan(store: Store, place: Place, later: str) -> None:
    store.save(scan(1), b"")
    change(place, f"UPDATE alembic_version SET version_num = '{later}'")
    with pytest.raises(IncompleteError, match="was written by a later driftscan"):
        store.save(scan(2), b"")
    with pytest.raises(IncompleteError, match="was written by a later driftscan"):
        store.scans()


def test_a_version_before_alembic_is_told_that_this_is_a_later_one(store: Store) -> None:
    if store.place.database:
        return
    store.save(scan(1), b"")
    with closing(sqlite3.connect(store.directory / "driftscan.sqlite3")) as connection:
        assert connection.execute("SELECT max(number) FROM migration").fetchone()[0] > max(NUMBERS)


def test_a_step_that_fails_leaves_nothing(place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store(place)
    store.save(scan(1), b"")
    folder = tmp_path / "migrations"
    shutil.copytree(_migrate._FOLDER, folder, ignore=shutil.ignore_patterns("__pycache__"))
    broken = (
        f'from alembic import op\n\nrevision = "9000"\ndown_revision = "{_schema.HEAD}"\n\n\ndef upgrade() -> None:\n'
        '    op.execute("CREATE TABLE fresh (a INTEGER)")\n    op.execute("INSERT INTO nowhere VALUES (1)")\n'
    )
    (folder / "versions" / "r9000_broken.py").write_text(broken)
    with monkeypatch.context() as patched:
        patched.setattr(_migrate, "_FOLDER", folder)
        patched.setattr(_migrate, "HEAD", "9000")
        patched.setattr(_database, "HEAD", "9000")
        patched.setattr(_migrate.upgrade, "__defaults__", ("9000",))
        with pytest.raises(IncompleteError, match="nowhere"):
            store.save(scan(2), b"")
    store.save(scan(2), b"")
    with database(place).read() as connection:
        assert connection is not None
        assert "fresh" not in inspect(connection).get_table_names()
