"""Births: whole, or not there; never something else."""

from dataclasses import replace

import pytest

from driftscan.errors import IncompleteError
from driftscan.model.birth import Birth, BirthRecord, Ground
from driftscan.model.place import Place
from driftscan.store import HostStates
from tests.store.damage import change

NAME = "web-1 root@10.0.0.11:22 auto"
BIRTH = Birth(
    machine={"file:/etc/machine-id": "a" * 64},
    manifest="sha256:aa",
    taken_at="2026-11-26T07:00:00Z",
    settled_at="2026-11-26T06:59:00Z",
    user_data="b" * 64,
    records=(
        BirthRecord(kind="file", key="/bad\\xff", line=b'{"x":"\\u202e"}', ground=Ground.DECLARED, why="users: \ud8ff"),
        BirthRecord(kind="user", key="games", line=None, ground=Ground.HAND, why="CHG-1"),
    ),
    coverage=(("listeners", 2, ("listen",)),),
    sources={"/etc/passwd 00": "sha256:cc", "/etc/group 01": ""},
    undeclared=("F-1 aa",),
    doubts=("taken late",),
)


def test_what_was_recorded_is_read(states: HostStates) -> None:
    birth = replace(BIRTH, records=BIRTH.records[1:])
    assert states.birth(NAME) is None
    states.record(NAME, birth)
    found = states.birth(NAME)
    assert found is not None
    assert found.digest.startswith("sha256:")
    assert replace(found, digest="") == birth


def test_a_line_that_is_no_text_is_kept_as_it_is(states: HostStates) -> None:
    states.record(NAME, BIRTH)
    found = states.birth(NAME)
    assert found is not None
    assert found.records == BIRTH.records


def test_the_last_one_counts_and_its_digest_is_of_what_it_says(states: HostStates) -> None:
    states.record(NAME, BIRTH)
    first = states.birth(NAME)
    states.record(NAME, replace(BIRTH, doubts=()))
    second = states.birth(NAME)
    assert first is not None
    assert second is not None
    assert second.doubts == ()
    assert first.digest != second.digest


def test_siblings_are_of_one_image_with_the_same_user_data(states: HostStates) -> None:
    states.record("a", BIRTH)
    states.record("b", replace(BIRTH, user_data="c" * 64))
    states.record("c", replace(BIRTH, manifest="sha256:other"))
    states.record("d", replace(BIRTH, user_data=""))
    assert list(states.births("sha256:aa", "b" * 64)) == ["a"]
    assert states.templates("sha256:aa") == {"b" * 64, "c" * 64}


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE host_birth SET seal = 'x'",
        "UPDATE host_birth SET birth = substr(birth, 1, 40)",
        "UPDATE host_birth SET birth = substr(birth, 1, 1)",
        "UPDATE host_birth SET birth = substr(birth, 2)",
    ],
)
def test_one_that_is_damaged_is_told_and_not_taken_for_another(states: HostStates, place: Place, damage: str) -> None:
    states.record(NAME, BIRTH)
    change(place, damage)
    with pytest.raises(IncompleteError, match=r"the birth of .* is damaged"):
        states.birth(NAME)
