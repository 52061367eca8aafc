"""Logins as mutations: one for each account and key, whatever a log holds."""

from hypothesis import given
from hypothesis import strategies as st

from driftscan.compare.logins import MOST, MOST_TOLD, logins
from driftscan.compare.witness import Session, Witness
from driftscan.model.drift import CauseType, Grade
from driftscan.model.times import SECOND, nanoseconds

NOON = nanoseconds("2026-11-26T12:00:00Z")


def login(
    user: str = "alice", key: str = "SHA256:a", at: int = 0, terminal: bool | None = True, address: str = "192.0.2.7"
) -> Session:
    opened = NOON + at * SECOND
    return Session(user=user, opened=opened, closed=opened + SECOND, address=address, key=key, terminal=terminal)


def test_one_for_each_account_and_key() -> None:
    made = (login(), login(at=60, address="192.0.2.8"), login(key="SHA256:b"), login("bob"), login("bob", key=""))
    found = logins(Witness(logins=made))
    assert [each.cause.subject for each in found] == ["alice/SHA256:a", "alice/SHA256:b", "bob/SHA256:a", "bob/ssh"]
    assert {each.cause.type for each in found} == {CauseType.INTERACTIVE_LOGIN}
    first = found[0]
    assert first.title == "alice with key SHA256:a logged in 2 times from 192.0.2.7, 192.0.2.8"
    assert (first.attribution.grade, first.attribution.actor) == (Grade.RECORDED, "alice")
    assert first.attribution.at == "2026-11-26T12:01:00Z"
    assert [line.partition(": ")[0] for line in first.attribution.evidence] == [
        "2026-11-26T12:01:00Z until 2026-11-26T12:01:01Z",
        "2026-11-26T12:00:00Z until 2026-11-26T12:00:01Z",
    ]
    assert first.attribution.evidence[1].endswith("alice from 192.0.2.7 with key SHA256:a, with a terminal")


def test_more_logins_make_no_other_finding() -> None:
    once, often = (logins(Witness(logins=tuple(login(at=at) for at in range(count)))) for count in (1, 500))
    assert [each.id for each in once] == [each.id for each in often]
    assert len(often[0].attribution.evidence) == MOST_TOLD + 1
    assert often[0].attribution.evidence[-1] == "and 480 more before"


def test_one_with_a_terminal_is_enough() -> None:
    told = {
        (True, False): "with a terminal",
        (False,): "without a terminal",
        (None, False): "whether with a terminal is not known",
        (None, True): "with a terminal",
    }
    for terminals, detail in told.items():
        (found,) = logins(Witness(logins=tuple(login(terminal=each) for each in terminals)))
        assert found.cause.detail == detail


def test_a_log_that_was_filled_with_names_makes_no_flood_and_hides_nothing() -> None:
    made = tuple(login(user=f"u{number:05}") for number in range(5000))
    found = logins(Witness(logins=made))
    assert len(found) == MOST + 1
    (others,) = (each for each in found if each.cause.subject == "others")
    assert others.title.startswith(f"{5000 - MOST} more accounts and keys logged in {5000 - MOST} times")
    assert others.attribution.actor is None


@given(st.lists(st.tuples(st.text(max_size=5), st.text(max_size=5), st.integers(0, 10**9)), max_size=20))
def test_every_login_is_in_exactly_one(made: list[tuple[str, str, int]]) -> None:
    found = logins(Witness(logins=tuple(login(user, key, at) for user, key, at in made)))
    assert sum(int(str(item.observed["logins"])) for each in found for item in each.differences) == len(made)
    assert len({each.id for each in found}) == len(found)
    assert "\x1b" not in "".join(each.title for each in found)
