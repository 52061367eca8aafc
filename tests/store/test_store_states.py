"""What scans leave for the next: whole, or not there; never something else."""

import json
import multiprocessing
import random
import sqlite3
import zlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection

from driftscan.errors import IncompleteError
from driftscan.model.digests import BUCKETS, DIGEST
from driftscan.model.snapshot import CollectorStatus, FileCoverage
from driftscan.model.state import FORMAT, FileState, HostState
from driftscan.store import HostStates

NAME = "web-1 root@10.0.0.11:22 auto"
FILES = FileState(
    manifest="sha256:aa",
    rules="sha256:bb",
    states=bytes(range(256)) * (BUCKETS * DIGEST // 256),
    removed=("/a", "/bad\\xff", "/\u202e"),
    told=b"f 0644 0 0 1 1 5 6 7 8 - - -\0/x\xff\n\0\0\0",
)
STATE = HostState(
    key=b"k" * 32,
    scans=7,
    seen_at="2026-11-21T10:00:00Z",
    full_at="2026-11-20T10:00:00Z",
    files=FILES,
    coverage=FileCoverage(seen=9, unreadable=1),
    collectors=(("files", "complete", 0), ("users", "partial", 2)),
)


def load(directory: Path, host: str = NAME) -> HostState | None:
    states = HostStates(directory)
    try:
        return states.load(host)
    finally:
        states.close()


def save(directory: Path, state: HostState, before: FileState | None = None, host: str = NAME) -> None:
    states = HostStates(directory)
    try:
        states.save(host, state, before)
    finally:
        states.close()


def change(directory: Path, statement: str, *values: object) -> None:
    connection = sqlite3.connect(directory / "driftscan.sqlite3")
    assert connection.execute(statement, values).rowcount == 1
    connection.commit()
    connection.close()


TEXT = st.text(st.characters(codec="utf-8"), max_size=9)
FILE_STATES = st.builds(
    FileState,
    manifest=TEXT,
    rules=TEXT,
    states=st.binary(max_size=40),
    removed=st.lists(TEXT, max_size=3).map(tuple),
    told=st.binary(max_size=99),
)
HOST_STATES = st.builds(
    HostState,
    key=st.binary(min_size=32, max_size=32),
    scans=st.integers(0, 10**9),
    seen_at=TEXT,
    full_at=TEXT,
    files=st.none() | FILE_STATES,
    coverage=st.none() | st.builds(FileCoverage, seen=st.integers(0, 9), unreadable=st.integers(0, 9)),
    collectors=st.lists(
        st.tuples(TEXT, st.sampled_from([each.value for each in CollectorStatus]), st.integers(0, 9)), max_size=3
    ).map(tuple),
)


@settings(max_examples=10)
@given(st.lists(HOST_STATES, min_size=1, max_size=3))
def test_what_is_kept_comes_back(tmp_path_factory: pytest.TempPathFactory, every: list[HostState]) -> None:
    """One state after the other, each knowing the one before it."""
    directory = tmp_path_factory.mktemp("states")
    before: FileState | None = None
    for state in every:
        save(directory, state, before)
        assert load(directory) == state
        before = state.files


def test_nothing_was_kept(tmp_path: Path) -> None:
    assert load(tmp_path / "state") is None
    save(tmp_path / "state", STATE)
    assert load(tmp_path / "state", "another") is None


@pytest.mark.parametrize("before", [FILES, None])
def test_a_scan_that_leaves_no_files_leaves_none_of_an_earlier_one(tmp_path: Path, before: FileState | None) -> None:
    """Also where what was kept could not be read: then it is not known that there is any."""
    save(tmp_path, STATE)
    save(tmp_path, HostState(key=b"n" * 32), before)
    assert load(tmp_path) == HostState(key=b"n" * 32)


@pytest.mark.parametrize("number", [FORMAT - 1, FORMAT + 1])
def test_files_of_another_format_are_read_anew(tmp_path: Path, number: int) -> None:
    save(tmp_path, STATE)
    change(tmp_path, "UPDATE host_files SET format = ?", number)
    found = load(tmp_path)
    assert found is not None
    assert (found.files, found.key, found.scans) == (None, STATE.key, STATE.scans)


PACKED = zlib.compress(FILES.told, 1)


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("told", b""),
        ("told", b"not deflated"),
        ("told", PACKED[:-1]),
        ("told", PACKED[:9] + bytes([PACKED[9] ^ 1]) + PACKED[10:]),
        ("removed", "not JSON"),
        ("removed", "7"),
        ("removed", "null"),
        ("removed", '{"keys": ["/a"]}'),
        ("removed", '{"keys": ["/b", "/bad\\\\xff", "/\\u202e"], "seal": "00"}'),
        ("states", FILES.states[:-1]),
        ("manifest", "sha256:ab"),
        ("rules", ""),
    ],
)
def test_files_that_are_damaged_are_told(tmp_path: Path, column: str, value: object) -> None:
    save(tmp_path, STATE)
    change(tmp_path, f"UPDATE host_files SET {column} = ?", value)
    with pytest.raises(IncompleteError, match=r"what was kept of web-1 .* is damaged"):
        load(tmp_path)


@pytest.mark.parametrize(
    "value",
    [
        *(
            json.dumps({"files": None, "collectors": [["users", *rest]]})
            for rest in (("well", 0), ("complete", "x"), ())
        ),
        "",
        "[]",
        "{}",
        '{"files": null}',
        '{"files": {"more": 1}, "collectors": []}',
        '{"files": {"seen": "x"}, "collectors": []}',
        '{"files": 7}',
        '"x"',
    ],
)
def test_coverage_that_is_damaged_is_told(tmp_path: Path, value: str) -> None:
    save(tmp_path, STATE)
    change(tmp_path, "UPDATE host_state SET coverage = ?", value)
    with pytest.raises(IncompleteError, match="is damaged"):
        load(tmp_path)


def test_what_inflates_without_end_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("driftscan.store._states.MAX_TOLD", len(FILES.told) - 1)
    save(tmp_path, STATE)
    with pytest.raises(IncompleteError, match="cut off or too large"):
        load(tmp_path)


@pytest.mark.parametrize("content", [b"not a database at all" * 100, b"SQLite format 3\x00" + b"\xff" * 5000])
def test_a_foreign_file_is_told(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "driftscan.sqlite3").write_bytes(content)
    with pytest.raises(IncompleteError, match=r"driftscan\.sqlite3: "):
        load(tmp_path)
    with pytest.raises(IncompleteError, match=r"driftscan\.sqlite3: "):
        save(tmp_path, STATE)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The file of a state directory in which a state is kept."""
    directory = tmp_path_factory.mktemp("whole")
    save(directory, STATE)
    return (directory / "driftscan.sqlite3").read_bytes()


@settings(max_examples=40)
@given(data=st.data())
def test_a_file_cut_off_or_flipped_gives_what_was_kept_or_says_so(
    tmp_path_factory: pytest.TempPathFactory, whole: bytes, data: st.DataObject
) -> None:
    directory = tmp_path_factory.mktemp("states")
    path = directory / "driftscan.sqlite3"
    place, mask = data.draw(st.integers(0, len(whole) - 1)), data.draw(st.integers(0, 255))
    path.write_bytes(whole[:place] + (bytes([whole[place] ^ mask]) + whole[place + 1 :] if mask else b""))
    try:
        found = load(directory)
    except IncompleteError:
        return
    assert found is None or found.files in (None, FILES)


def _scan(directory: Path, number: int) -> None:
    for scans in range(5):
        before = load(directory)
        files = FileState(manifest=str(number), rules="", states=b"%d" % scans)
        save(directory, HostState(key=bytes([number]) * 32, scans=scans, files=files), before.files if before else None)


def test_two_scans_of_one_host_at_once(tmp_path: Path) -> None:
    """Each writes its own state whole; the last one stays."""
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_scan, args=(tmp_path, number)) for number in (1, 2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0, 0]
    found = load(tmp_path)
    assert found is not None
    assert found.files is not None
    assert (found.key[0], found.scans) in {(1, 4), (2, 4)}


def test_two_scans_that_began_alike_leave_the_state_of_one(tmp_path: Path) -> None:
    """Both knew the same; the second found nothing moved, the first did: what is kept is still of this host."""
    save(tmp_path, STATE)
    moved = FileState(manifest="sha256:aa", rules="sha256:bb", states=b"moved")
    save(tmp_path, HostState(key=STATE.key, scans=8, files=moved), FILES)
    save(tmp_path, HostState(key=STATE.key, scans=8, files=FILES), FILES)
    found = load(tmp_path)
    assert found is not None
    assert found.files in (moved, FILES)


def test_a_host_of_many_files_leaves_little(tmp_path: Path) -> None:
    """The digests are of buckets, however many files there are, and what differs is deflated."""
    chosen = random.Random(0)
    row = b"f 0644 0 0 %d 1 1763700000 1763700000 %d %s - -\0/usr/lib/place/file-%d\0\0\0"
    told = b"".join(row % (number, 4000 + number, chosen.randbytes(32).hex().encode(), number) for number in range(500))
    states = chosen.randbytes(BUCKETS * DIGEST)
    files = FileState(manifest="sha256:aa", rules="sha256:bb", states=states, told=told)
    save(tmp_path, HostState(key=b"k" * 32, files=files))
    connection = sqlite3.connect(tmp_path / "driftscan.sqlite3")
    (size,) = connection.execute("SELECT length(states) + length(told) + length(removed) FROM host_files").fetchone()
    connection.close()
    assert size < 40_000


def test_a_store_that_lets_one_host_wait_does_not_let_every_host_wait(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fleet of 200 would wait 200 times, beside the time limits of its hosts."""
    clock, asked = [0.0], []

    def connect() -> Connection:
        asked.append(clock[0])
        clock[0] += 30
        raise IncompleteError("nobody answers", "Start it.")

    states = HostStates(tmp_path)
    monkeypatch.setattr("driftscan.store._states.time.monotonic", lambda: clock[0])
    monkeypatch.setattr(states._database, "connect", connect)
    for _ in range(200):
        with pytest.raises(IncompleteError, match="nobody answers") as caught:
            states.load(NAME)
        assert caught.value.hint == "Start it."
        with pytest.raises(IncompleteError):
            states.history(NAME)
    assert asked == [0.0]
    clock[0] += 301
    monkeypatch.undo()
    monkeypatch.setattr("driftscan.store._states.time.monotonic", lambda: clock[0])
    assert states.load(NAME) is None
