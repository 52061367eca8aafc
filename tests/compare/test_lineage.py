"""What earlier scans of a host say of its mutations."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftscan.compare.lineage import (
    MOST,
    at_first,
    came_back,
    follow,
    machine_of,
    mark,
    replaced,
    resolvers_of,
    sees,
    view_of,
)
from driftscan.compare.mutation import make
from driftscan.model.drift import CauseType, Mutation
from driftscan.model.snapshot import CollectorCoverage, CollectorStatus
from driftscan.model.source import Gap, Status
from driftscan.model.state import History, View
from tests.compare.building import A, B, modified, snapshot

ID, KEY, OTHER_KEY = "file:/etc/machine-id", "file:/etc/ssh/ssh_host_ed25519_key", "file:/etc/ssh/ssh_host_rsa_key"
SEES = View(frozenset({"file"}))
ONE, TWO = {ID: "1", KEY: "k1"}, {ID: "2", KEY: "k2"}


def change(path: str) -> Mutation:
    return make(CauseType.FILE_CHANGED, path, path, [modified("file", path, sha256=(B, A))])


X, Y = change("/x"), change("/y")


def scan(*mutations: Mutation, machine: dict[str, str] = ONE, manifest: str = "m", view: View = SEES) -> History:
    marks = frozenset(map(mark, mutations))
    return History(machine=machine, manifest=manifest, young=True, first=marks, view=view, last=marks)


def story(*scans: History, settled: bool = True) -> History | None:
    history = None
    for each in scans:
        history = follow(history, replace(each, young=history is None), settled=settled)
    return history


def test_the_first_scan_is_remembered() -> None:
    history = story(scan(X), scan(X, Y), scan(Y))
    assert (at_first(history, X), at_first(history, Y)) == (True, False)
    assert history is not None
    assert history.last == {mark(Y)}


def test_nothing_kept_is_nothing_known() -> None:
    assert at_first(None, X) is None
    assert not came_back(None, X)


def test_a_host_that_was_known_before_histories_were_kept() -> None:
    history = follow(None, replace(scan(X), young=False), settled=True)
    assert (at_first(history, X), at_first(history, Y)) == (None, False)


def test_the_first_boot_is_waited_for() -> None:
    history = follow(None, scan(), settled=False)
    assert at_first(history, X) is None
    history = follow(history, replace(scan(X), young=False), settled=True)
    assert at_first(history, X) is True


def test_another_manifest_begins_anew_and_proves_no_birth() -> None:
    history = story(scan(), scan(X, manifest="n"), scan(X, Y, manifest="n"))
    assert (at_first(history, X), at_first(history, Y)) == (None, False)


def test_another_manifest_during_the_first_boot() -> None:
    history = follow(None, scan(), settled=False)
    assert at_first(follow(history, scan(X, manifest="n"), settled=True), X) is None


def test_what_came_back_after_a_replacement() -> None:
    history = story(scan(), scan(X), scan(X, Y, machine=TWO), scan(X, machine=TWO))
    assert came_back(history, X)
    assert not came_back(history, Y)
    assert (at_first(history, X), at_first(history, Y)) == (True, True)


def test_what_comes_back_a_day_later_came_back() -> None:
    assert came_back(story(scan(X), scan(machine=TWO), scan(X, machine=TWO)), X)


def test_what_was_mended_before_the_replacement_did_not_come_back() -> None:
    assert not came_back(story(scan(X), scan(), scan(X, machine=TWO)), X)


def test_only_the_machine_just_before_counts() -> None:
    third = {ID: "3", KEY: "k3"}
    assert not came_back(story(scan(X), scan(machine=TWO), scan(X, machine=third)), X)


def test_a_blind_scan_forgets_nothing() -> None:
    history = story(scan(X), scan(view=View()), scan(X, machine=TWO))
    assert came_back(history, X)


@pytest.mark.parametrize(
    ("before", "now", "expected"),
    [
        (ONE, TWO, True),
        (ONE, ONE, False),
        (ONE, {**ONE, ID: "2"}, False),
        (ONE, {**ONE, KEY: "k2"}, False),
        ({**ONE, OTHER_KEY: "r"}, {**TWO, OTHER_KEY: "r"}, False),
        ({KEY: "k1"}, {KEY: "k2"}, False),
        ({}, TWO, False),
        (ONE, {}, False),
        ({**ONE, "instance_id": "i-1"}, {**ONE, "instance_id": "i-2"}, True),
        ({**ONE, "instance_id": "i-1"}, {**TWO, "instance_id": "i-1"}, False),
        ({"instance_id": "i-1"}, TWO, False),
    ],
)
def test_replaced(before: dict[str, str], now: dict[str, str], expected: bool) -> None:
    assert replaced(before, now) is expected


def test_which_values_tell_machines_apart() -> None:
    own = machine_of({**ONE, "file:/var/lib/dbus/machine-id": "x"}, {"instance_id": "i-1", "role": "web"})
    assert own == {**ONE, "instance_id": "i-1"}
    assert machine_of({}, {}) == {}


def test_an_identity_that_one_scan_did_not_see_is_not_forgotten() -> None:
    history = story(scan(X), scan(X, machine={}), scan(X, machine=TWO))
    assert came_back(history, X)


def test_a_machine_stays_known_by_what_it_had_first() -> None:
    made_anew = {**ONE, KEY: "new"}
    history = story(scan(), scan(machine=made_anew), scan(machine={**made_anew, OTHER_KEY: "added"}))
    assert history is not None
    assert history.machine == {**ONE, OTHER_KEY: "added"}
    unsettled = follow(None, scan(), settled=False)
    later = follow(unsettled, scan(machine=made_anew), settled=True)
    assert later is not None
    assert later.machine[KEY] == "new"


def test_resolvers_are_kept_and_tell_no_machine() -> None:
    mine = resolvers_of(["search:x", "nameserver:192.0.2.2", "nameserver:192.0.2.1"])
    assert mine == {"dns": "nameserver:192.0.2.1 nameserver:192.0.2.2"}
    assert replaced({**ONE, **mine}, {**TWO, **mine})
    history = story(scan(machine={**ONE, **mine}), scan(machine={**ONE, "dns": "nameserver:192.0.2.9"}))
    assert history is not None
    assert history.machine["dns"] == mine["dns"]


def test_a_host_that_differs_in_very_much_is_not_kept_whole() -> None:
    many = [change(f"/x{number}") for number in range(MOST + 10)]
    history = story(scan(*many))
    assert history is not None
    assert len(history.last) == MOST
    assert {at_first(history, mutation) for mutation in many} == {True, None}


def test_what_a_snapshot_can_tell() -> None:
    gap = Gap("files", Status.FORBIDDEN, "no", ("file:/root/**",))
    status = CollectorStatus
    covered = (
        CollectorCoverage("files", 1, ("file",), status.PARTIAL, gaps=(gap,)),
        CollectorCoverage("users", 1, ("user",), status.FAILED),
        CollectorCoverage("containers", 1, ("container",), status.NOT_APPLICABLE),
    )
    assert view_of(snapshot(covered=covered), whole=True) == View(
        frozenset({"file", "container"}), frozenset({"file:/root/**"})
    )
    assert view_of(snapshot(covered=covered, live=False), whole=True).kinds == {"file"}
    assert view_of(snapshot(covered=covered), whole=False) == View()
    assert view_of(replace(snapshot(covered=covered), torn=("apt",)), whole=True) == View()
    assert not sees(view_of(snapshot(covered=covered), whole=True), change("/root/x"))


MACHINES = st.sampled_from([{}, ONE, TWO, {ID: "1", KEY: "k2"}, {"instance_id": "i-1"}, {"instance_id": "i-2"}])
SCANS = st.builds(
    lambda mutations, machine, manifest, view: scan(*mutations, machine=machine, manifest=manifest, view=view),
    st.lists(st.sampled_from([X, Y]), max_size=2),
    MACHINES,
    st.sampled_from(["m", "n"]),
    st.sampled_from([SEES, View()]),
)


@given(st.lists(st.tuples(SCANS, st.booleans()), max_size=8))
def test_nothing_is_known_that_no_scan_saw(scans: list[tuple[History, bool]]) -> None:
    """What is said to have been there at first was there in a settled scan; what is said to have come later was not
    there in a settled scan that would have seen it; what came back was on another machine."""
    history, seen = None, list[History]()
    for each, settled in scans:
        history = follow(history, replace(each, young=history is None), settled=settled)
        seen.append(each if settled else replace(each, last=frozenset(), view=View()))
        for mutation in (X, Y):
            first = at_first(history, mutation)
            if first is True:
                assert any(mark(mutation) in one.last for one in seen)
            if first is False:
                assert any(mark(mutation) not in one.last and one.view == SEES for one in seen)
            if came_back(history, mutation):
                assert any(mark(mutation) in one.last for one, _ in scans[: len(seen) - 1])
