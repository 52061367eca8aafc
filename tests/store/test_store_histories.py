"""What is kept of a host's differences between scans."""

import pytest

from driftscan.errors import IncompleteError
from driftscan.model.place import Place
from driftscan.model.state import History, HostState, View
from driftscan.store import HostStates
from tests.store.damage import change

HISTORY = History(
    machine={"file:/etc/machine-id": "1", "instance_id": "i-\udcff"},
    manifest="sha256:1",
    young=True,
    first=frozenset({"F-1 a", "F-2 b"}),
    view=View(frozenset({"file"}), frozenset({"file:/root/\udcff"})),
    last=frozenset({"F-2 b"}),
    before=frozenset({"F-3 c"}),
)


def test_what_is_kept_comes_back(states: HostStates) -> None:
    assert states.history("web-1") is None
    states.remember("web-1", HISTORY)
    assert states.history("web-1") == HISTORY
    assert states.history("web-2") is None


def test_the_first_boot_is_not_an_empty_first_scan(states: HostStates) -> None:
    settling = History(machine={}, manifest="m", young=True, first=None)
    states.remember("web-1", settling)
    assert states.history("web-1") == settling
    empty = History(machine={}, manifest="m", young=True, first=frozenset())
    states.remember("web-1", empty)
    assert states.history("web-1") == empty != settling


def test_it_is_apart_from_the_state(states: HostStates) -> None:
    states.remember("web-1", HISTORY)
    assert states.load("web-1") is None
    states.save("web-1", HostState(key=b"k" * 32), None)
    assert states.history("web-1") == HISTORY


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE host_history SET history = replace(history, 'F-1 a', 'F-1 b')",
        "UPDATE host_history SET history = '{}'",
        "UPDATE host_history SET history = 'not JSON'",
        "UPDATE host_history SET seal = ''",
    ],
)
def test_damage_is_told_and_mended_by_the_next_scan(states: HostStates, place: Place, damage: str) -> None:
    states.remember("web-1", HISTORY)
    change(place, damage)
    with pytest.raises(IncompleteError, match="history of web-1 is damaged"):
        states.history("web-1")
    states.remember("web-1", HISTORY)
    assert states.history("web-1") == HISTORY
