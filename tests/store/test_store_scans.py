"""The store: what is saved is found, by many at once, and what fails says so and harms no scan."""

import multiprocessing
import multiprocessing.process
import threading

import pytest

from driftscan.errors import IncompleteError
from driftscan.model.finding import (
    Action,
    JudgedControl,
    Recommendation,
    Result,
    RuleRef,
    Severity,
    Verdict,
)
from driftscan.model.place import Place
from driftscan.model.result import HostResult
from driftscan.store import Store
from tests.store.scans import host, scan


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
    (row,) = store.find_finding("m-aa")
    assert (row.scan, row.first_seen[14:16], row.last_seen[14:16]) == ("scan-3", "01", "03")
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
    with pytest.raises(IncompleteError, match="not stored: "):
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


def _save(place: Place, first: int) -> None:
    for number in range(first, first + 3):
        Store(place).save(scan(number, host("a", "m-1", f"m-{number}")), b"%d" % number)


def test_many_writers_at_once(place: Place) -> None:
    """The first of them makes the tables; all of them would."""
    context = multiprocessing.get_context("spawn")
    workers: list[multiprocessing.process.BaseProcess | threading.Thread] = []
    workers += [context.Process(target=_save, args=(place, first)) for first in (0, 3, 6)]
    workers += [threading.Thread(target=_save, args=(place, first)) for first in (9, 12, 15)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    store = Store(place)
    assert len(store.scans()) == 18
    assert len(store.find_finding("m-1")) == 1


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
