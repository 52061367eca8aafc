"""What is no longer kept, and what is kept in any case."""

import os
import time
from collections.abc import Collection
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from driftscan.errors import IncompleteError
from driftscan.model.result import ScanResult
from driftscan.store import Blobs, Retention, Store
from tests.store.scans import host, scan

LATER = time.time() + 10 * 86400


def day(number: int) -> str:
    return f"2026-10-{number:02}T10:00:00Z"


def save(store: Store, number: int, findings: str = "a", *, name: str = "web-1") -> None:
    hosts = scan(0, host(name, *(f"F-{each}" for each in findings))).hosts
    made = ScanResult(id=f"s{number}", started_at=day(number), finished_at=day(number), mode="full", hosts=hosts)
    store.save(made, b"report %d" % number)


def collect(blobs: Blobs, wanted: Collection[str], before: float) -> tuple[int, int]:
    (old,) = blobs.old(before)
    return blobs.remove([each for each in old if each.digest not in wanted], before)


def kept(store: Store) -> list[str]:
    return sorted(row.id for row in store.scans(1000))


def test_by_age_and_by_number(store: Store) -> None:
    for number in range(1, 8):
        save(store, number)
    assert store.prune(Retention(), LATER).scans == 0
    assert store.prune(Retention(since=day(3)), LATER).scans == 2
    assert kept(store) == ["s3", "s4", "s5", "s6", "s7"]
    assert store.prune(Retention(since=day(9), scans=3), LATER).scans == 2
    assert store.prune(Retention(since=day(4), scans=1), LATER).scans == 0
    gone = store.prune(Retention(scans=1), LATER)
    assert (gone.scans, gone.reports, gone.size) == (2, 2, 16)
    assert kept(store) == ["s7"]
    assert store.report(store.scans()[0]) == b"report 7"


def test_what_is_there_can_be_explained_and_keeps_its_age(store: Store) -> None:
    save(store, 1, "ab")
    save(store, 2, "a", name="web-2")
    save(store, 3, "a")
    save(store, 4, "a")
    store.prune(Retention(since=day(20)), LATER)
    assert kept(store) == ["s2", "s4"]  # the last of each host
    (one, two) = store.find_finding("F-a")
    assert (one.host, one.first_seen, store.report(one)) == ("web-1", day(1), b"report 4")
    assert store.report(two) == b"report 2"
    assert store.find_finding("F-b") == []


def test_what_ended_lately_is_kept_when_its_scan_is_not(store: Store) -> None:
    save(store, 1, "a")
    save(store, 3, "")
    store.prune(Retention(since=day(2)), LATER)
    (row,) = store.findings_of("web-1")
    assert (row.resolved_at, row.started_at, row.report) == (day(3), "", "")
    assert store.prune(Retention(since=day(4)), LATER).findings == 1
    assert store.findings_of("web-1") == []


def test_a_report_that_was_written_lately_may_be_about_to_be_stored(store: Store) -> None:
    save(store, 1)
    digest = store.blobs.put(b"of a scan that is not stored yet")
    assert store.prune(Retention(scans=1), time.time()).reports == 0
    assert store.blobs.has(digest)
    assert store.prune(Retention(scans=1), LATER).reports == 1
    assert not store.blobs.has(digest)


def test_two_scans_with_one_report(store: Store) -> None:
    save(store, 1)
    made = scan(0, host("web-1"))
    store.save(ScanResult(id="t", started_at=day(2), finished_at=day(2), mode="full", hosts=made.hosts), b"report 1")
    assert len([path for path in store.place.blobs.rglob("*") if path.is_file()]) == 1
    store.prune(Retention(scans=1), LATER)
    assert store.report(store.scans()[0]) == b"report 1"


def test_what_is_put_again_stays_longer(tmp_path: Path) -> None:
    blobs = Blobs(tmp_path)
    digest = blobs.put(b"x")
    (path,) = (path for path in tmp_path.rglob("*") if path.is_file())
    os.utime(path, (1, 1))
    blobs.put(b"x")
    assert collect(blobs, (), time.time() - 3600) == (0, 0)
    os.utime(path, (1, 1))
    assert collect(blobs, (digest,), time.time() - 3600) == (0, 0)
    assert collect(blobs, (), time.time() - 3600) == (1, 1)


def test_what_is_put_again_while_it_is_taken_away_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The writer found it whole and touches it, just after its time was looked at."""
    blobs = Blobs(tmp_path)
    digest = blobs.put(b"x")
    (path,) = (path for path in tmp_path.rglob("*") if path.is_file())
    os.utime(path, (1, 1))
    rename = Path.rename

    def touched(self: Path, target: Path) -> Path:
        if self == path:
            os.utime(self)
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", touched)
    assert collect(blobs, (), time.time() - 3600) == (0, 0)
    assert blobs.get(digest) == b"x"


def test_what_a_crash_left_half_written_goes(tmp_path: Path) -> None:
    blobs = Blobs(tmp_path)
    blobs.put(b"x")
    (path,) = (path for path in tmp_path.rglob("*") if path.is_file())
    half = path.with_name(".abc.0123.tmp")
    half.write_bytes(b"hal")
    os.utime(half, (1, 1))
    assert collect(blobs, (), time.time() - 3600) == (0, 3)
    assert not half.exists()


def test_two_prunes_at_once(tmp_path: Path) -> None:
    """Both listed it, one removed it."""
    blobs = Blobs(tmp_path)
    blobs.put(b"x")
    (old,) = blobs.old(LATER)
    assert blobs.remove(old, LATER) == (1, 1)
    assert blobs.remove(old, LATER) == (0, 0)


def test_reports_that_cannot_be_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Blobs(tmp_path).put(b"x")

    def refused(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "rename", refused)
    with pytest.raises(IncompleteError, match="Permission denied"):
        collect(Blobs(tmp_path), (), LATER)


@settings(max_examples=8, deadline=None)
@given(
    scans=st.lists(st.tuples(st.sampled_from(["web-1", "web-2"]), st.sets(st.sampled_from("abc"))), max_size=6),
    since=st.none() | st.integers(1, 9),
    newest=st.none() | st.integers(1, 4),
)
def test_whatever_is_pruned_what_is_there_stays(
    tmp_path_factory: pytest.TempPathFactory,
    scans: list[tuple[str, set[str]]],
    since: int | None,
    newest: int | None,
) -> None:
    store = Store(tmp_path_factory.mktemp("pruned"))
    for number, (name, findings) in enumerate(scans, start=1):
        save(store, number, "".join(sorted(findings)), name=name)
    before = {name: [row for row in store.findings_of(name) if not row.resolved_at] for name in ("web-1", "web-2")}
    last = store.last_of_each()
    store.prune(Retention(since=day(since) if since else None, scans=newest), LATER)
    for name, rows in before.items():
        assert [row for row in store.findings_of(name) if not row.resolved_at] == rows
    assert store.last_of_each() == last
    for row in last:
        store.report(row)
    for scan_row in store.scans(100):
        store.report(scan_row)
