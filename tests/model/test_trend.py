"""How drift moves, from the times at which findings came and went."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from driftscan.model.times import text_of
from driftscan.model.trend import BY, HAND, MOST, Spell, overview, trend

SINCE = datetime(2026, 11, 1, tzinfo=UTC)
UNTIL = SINCE + timedelta(days=10)


def day(number: float) -> str:
    return text_of(SINCE + timedelta(days=number))


def spell(began: float, ended: float | None = None, **more: object) -> Spell:
    known: dict[str, object] = {"host": "web-1", "fingerprint": "F-1", "cause": "file-added", "actor": ""}
    times = {"opened_at": day(began), "resolved_at": None if ended is None else day(ended)}
    return Spell(**{**known, **times, **more})  # type: ignore[arg-type]


def test_what_was_there_at_the_end_of_each_day() -> None:
    found = trend([spell(-5), spell(2.5, 4.5), spell(8.5)], SINCE, UNTIL, "host", 10)
    assert found.total.series == (1, 1, 2, 2, 1, 1, 1, 1, 2, 2)
    assert (found.total.open, found.total.opened, found.total.resolved) == (2, 2, 1)
    assert (found.since, found.until) == (day(0), day(10))


def test_what_came_and_went_between_two_looks_is_counted_all_the_same() -> None:
    found = trend([spell(2.1, 2.2)], SINCE, UNTIL, "host", 10)
    assert found.total.series == (0,) * 10
    assert (found.total.opened, found.total.resolved) == (1, 1)


def test_how_long_they_stay() -> None:
    found = trend([spell(0, hours / 24) for hours in range(1, 11)] + [spell(-3)], SINCE, UNTIL, "host", 10)
    assert (found.median, found.p90) == (5.5 * 3600, 9 * 3600)
    assert found.oldest == 13 * 86400
    nothing = trend([], SINCE, UNTIL, "host", 10)
    assert (nothing.median, nothing.p90, nothing.oldest, nothing.lines) == (None, None, None, ())


def test_lines_causes_and_actors() -> None:
    spells = [
        spell(1, host="web-1", image="web 1", groups=("env=prod", "role=web"), actor="alice"),
        spell(1, host="web-2", image="web 1", groups=("role=web",), cause="sysctl-changed"),
        spell(-1, host="db-1", actor="bob"),
    ]
    names = {by: [(line.name, line.open) for line in trend(spells, SINCE, UNTIL, by, 10).lines] for by in BY}
    assert names["host"] == [("web-1", 1), ("web-2", 1), ("db-1", 1)]
    assert names["group"] == [("role=web", 2), ("env=prod", 1)]
    assert names["image"] == [("web 1", 2), ("unknown", 1)]
    assert names["cause"] == [("file-added", 2), ("sysctl-changed", 1)]
    assert names["actor"] == [("alice", 1), (HAND, 1), ("bob", 1)]
    found = trend(spells, SINCE, UNTIL, "host", 10)
    assert found.causes == (("file-added", 1), ("sysctl-changed", 1))
    assert found.actors == (("alice", 1),)


def test_an_overview_divides_in_every_way_and_says_how_long_findings_stay() -> None:
    spells = [spell(1, 1.01, host=f"web-{number}", fingerprint=f"F-{number}", actor="alice") for number in range(20)]
    spells += [spell(-40, host="web-0", cause="sysctl-changed", actor="bob"), spell(-2, 4, host="db-1"), spell(9)]
    found = overview(spells, SINCE, UNTIL)
    rankings = {each.by: each for each in found.rankings}
    assert sorted(rankings) == sorted(BY)
    assert (len(rankings["host"].lines), rankings["host"].more) == (MOST, 21 - MOST)
    assert [line.name for line in rankings["actor"].lines] == ["alice", HAND, "bob"]  # by what they began
    assert [(line.name, line.hosts) for line in rankings["cause"].lines] == [("file-added", 21), ("sysctl-changed", 1)]
    assert (found.total.open, found.total.opened, found.total.resolved, found.total.hosts) == (2, 21, 21, 21)
    assert [(each.under, each.resolved, each.open) for each in found.stays] == [
        (3600, 20, 0), (86400, 0, 0), (7 * 86400, 1, 1), (30 * 86400, 0, 0), (None, 0, 1),
    ]  # fmt: skip
    assert overview([], SINCE, UNTIL).stays == ()


def test_what_was_there_when_the_time_began_did_not_come_in_it() -> None:
    found = trend([spell(0), spell(0, 3), spell(1)], SINCE, UNTIL, "host", 10)
    assert (found.total.opened, found.total.resolved, found.total.series[0]) == (1, 1, 3)


DAYS = st.integers(-48, 288).map(lambda hours: hours / 24)


@given(st.lists(st.tuples(DAYS, st.none() | DAYS), max_size=15))
def test_the_series_is_what_counting_gives(times: list[tuple[float, float | None]]) -> None:
    spells = [spell(began, None if ended is None else max(began, ended)) for began, ended in times]
    found = trend(spells, SINCE, UNTIL, "host", 10)
    for number, value in enumerate(found.total.series, start=1):
        end = day(number)
        there = [each for each in spells if each.opened_at <= end and (not each.resolved_at or each.resolved_at > end)]
        assert value == len(there)
