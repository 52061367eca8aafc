"""Events: one for each change, whatever scans do; and channels, each told once."""

import sys
from collections import Counter
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftscan.errors import IncompleteError
from driftscan.model.event import Event, EventKind
from driftscan.model.finding import Action, Recommendation, Severity, State, Verdict
from driftscan.model.result import HostErrorRecord, HostResult, ScanResult
from driftscan.model.waiver import Waiver
from driftscan.store import Store, Watching
from driftscan.store._news import Look, Standing, Watch, finding_news, host_news, known
from tests.store.test_store_lifecycle import at, gap, mutation, web

sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))  # programs, not a package
import month

FLEET = Watching(scope="fleet", channels=("ops",))
OPEN = Standing(there=True, open=True, severity=Severity.HIGH, action=Action.REPLACE)


def save(
    store: Store, hour: int, *hosts: HostResult, waivers: tuple[Waiver, ...] = (), day: int = 1, cut: bool = False
) -> list[tuple[str, str, str]]:
    """What was told of a scan: kind, host, subject."""
    told = tuple((each, each.state(date(2026, 12, day))) for each in waivers)
    result = ScanResult(
        id=f"s{len(store.scans(1000))}",
        started_at=at(hour),
        finished_at=at(hour, 1),
        mode="full",
        hosts=hosts,
        waivers=told,
        interrupted=cut,
    )
    return [(each.kind.value, each.host, each.subject) for each in store.save(result, b"", FLEET)]


def unreachable(name: str = "web-1") -> HostResult:
    return HostResult(
        host=name,
        target=f"ssh://{name}",
        verdict=Verdict.UNREACHABLE,
        recommendation=Recommendation(action=Action.INVESTIGATE, sentence="See."),
        errors=(HostErrorRecord(kind="unreachable", message="no connection"),),
    )


@pytest.fixture
def begun(store: Store) -> Store:
    """A store that knows one whole host."""
    (told,) = save(store, 0, web())
    assert told == ("adopted", "", "")
    return store


def told_of(store: Store, hour: int, *hosts: HostResult, scope: str = "fleet") -> list[Event]:
    result = ScanResult(id=f"t{hour}", started_at=at(hour), finished_at=at(hour, 1), mode="full", hosts=hosts)
    return list(store.save(result, b"", replace(FLEET, scope=scope)))


def test_a_first_scan_is_one_event_and_what_was_not_scanned(store: Store) -> None:
    worst = replace(mutation("F-b"), severity=Severity.CRITICAL, action=Action.QUARANTINE)
    hosts = (web(mutation("F-a"), worst), unreachable("web-2"))
    told, lost = told_of(store, 0, *hosts)
    assert told.title == "first scan: 2 hosts, 2 findings (1 critical, 1 high)"
    assert (told.severity, told.action) == (Severity.CRITICAL, Action.QUARANTINE)
    assert told.detail == "not, or not wholly, scanned: 1; worst: F-b, F-b on web-1"
    assert (lost.kind, lost.host, lost.title, lost.detail) == (
        EventKind.COVERAGE_LOST,
        "web-2",
        "could not be scanned",
        "no connection",
    )
    assert told_of(store, 1, *hosts) == []


def test_a_first_scan_that_reaches_nobody_tells_who_and_the_first_that_does_is_the_first(store: Store) -> None:
    assert save(store, 0, unreachable()) == [("coverage-lost", "web-1", "")]
    assert save(store, 1, unreachable(), unreachable("web-2")) == [("coverage-lost", "web-2", "")]
    assert save(store, 2, unreachable(), unreachable("web-2")) == [("silent", "web-1", "")]
    assert save(store, 3, web(mutation("F-a")), unreachable("web-2")) == [
        ("adopted", "", ""),
        ("answers", "web-1", ""),
        ("coverage-restored", "web-1", ""),
        ("silent", "web-2", ""),
    ]


def test_another_inventory_begins_as_a_store_does(begun: Store) -> None:
    """Hosts none of which is known are one event; a host that joins known ones has news."""
    (told,) = told_of(begun, 1, web(mutation("F-a"), name="db-1"), web(mutation("F-a"), name="db-2"), scope="other")
    assert told.title == "first scan: 2 hosts, 2 findings (2 high)"
    (told,) = told_of(begun, 2, web(name="db-1"), web(mutation("F-b"), name="db-3"), scope="third")[1:]
    assert (told.kind, told.host, told.subject) == (EventKind.NEW, "db-3", "F-b")


def test_a_host_that_was_not_wholly_scanned_and_then_not_at_all_is_told_of_at_once(begun: Store) -> None:
    partly = replace(web(), verdict=Verdict.INCOMPLETE, coverage=gap("/F-a"))
    steps = [
        (partly, [("coverage-lost", "not wholly scanned")]),
        (partly, []),
        (unreachable(), [("coverage-lost", "could not be scanned")]),
        (unreachable(), []),
        (partly, [("coverage-restored", "scanned again, but not wholly")]),
        (unreachable(), [("coverage-lost", "could not be scanned")]),
        (web(), [("coverage-restored", "wholly scanned again")]),
    ]
    for hour, (host, wanted) in enumerate(steps, 1):
        assert [(each.kind.value, each.title) for each in told_of(begun, hour, host)] == wanted


def test_a_finding_begins_ends_and_returns(begun: Store) -> None:
    there = web(mutation("F-a"))
    assert save(begun, 1, there) == [("new", "web-1", "F-a")]
    assert save(begun, 2, there) == []
    assert save(begun, 3, web()) == [("resolved", "web-1", "F-a")]
    assert save(begun, 4, web()) == []
    assert save(begun, 5, there) == [("returned", "web-1", "F-a")]


def test_what_a_gap_hides_is_not_resolved(begun: Store) -> None:
    save(begun, 1, web(mutation("F-a")))
    hidden = replace(web(), verdict=Verdict.INCOMPLETE, coverage=gap("/F-a"))
    assert save(begun, 2, hidden) == [("coverage-lost", "web-1", "")]
    assert save(begun, 3, hidden) == []
    assert save(begun, 4, web(mutation("F-a"))) == [("coverage-restored", "web-1", "")]


def test_worse_is_told_and_better_is_not(begun: Store) -> None:
    mild = replace(mutation("F-a"), severity=Severity.LOW, action=Action.OBSERVE)
    save(begun, 1, web(mild))
    assert save(begun, 2, web(replace(mild, severity=Severity.HIGH))) == [("worsened", "web-1", "F-a")]
    assert save(begun, 3, web(replace(mild, severity=Severity.LOW))) == []
    assert save(begun, 4, web(replace(mild, action=Action.REPLACE))) == [("worsened", "web-1", "F-a")]


def test_what_is_accepted_is_told_when_it_is_no_more(begun: Store) -> None:
    waived = replace(mutation("F-a"), state=State.WAIVED)
    assert save(begun, 1, web(waived)) == []
    assert save(begun, 2, web(mutation("F-a"))) == [("worsened", "web-1", "F-a")]
    assert save(begun, 3, web(waived)) == []
    assert save(begun, 4, web()) == []


def test_a_host_falls_silent_and_answers(begun: Store) -> None:
    assert save(begun, 1, unreachable()) == [("coverage-lost", "web-1", "")]
    assert save(begun, 2, unreachable()) == []
    assert save(begun, 3, unreachable()) == [("silent", "web-1", "")]
    assert save(begun, 4, unreachable()) == []
    assert save(begun, 5, web()) == [("answers", "web-1", ""), ("coverage-restored", "web-1", "")]


def test_a_host_that_is_no_longer_a_target_is_missed_by_the_same_scan_alone(begun: Store) -> None:
    save(begun, 1, web(), web(name="web-2"))
    other = replace(FLEET, scope="other")
    for hour in (2, 3, 4, 5):
        result = ScanResult(id=f"o{hour}", started_at=at(hour), finished_at=at(hour), mode="full", hosts=(web(),))
        assert begun.save(result, b"", replace(other, scope="")) == ()
    assert [save(begun, hour, web()) for hour in (6, 7)] == [[], []]
    assert save(begun, 8, web()) == [("silent", "web-2", "")]
    assert save(begun, 9, web(), web(name="web-2")) == [("answers", "web-2", "")]


def test_an_interrupted_scan_misses_nobody(begun: Store) -> None:
    assert [save(begun, hour, unreachable(), cut=True) for hour in (1, 2, 3, 4)] == [[]] * 4


def test_a_scan_that_was_overtaken_tells_nothing(begun: Store) -> None:
    save(begun, 3, web(mutation("F-a")))
    late = ScanResult(id="late", started_at=at(2), finished_at=at(3), mode="full", hosts=(unreachable(),))
    assert begun.save(late, b"", FLEET) == ()
    late = replace(late, id="later", hosts=(web(mutation("F-b")),))
    assert begun.save(late, b"", FLEET) == ()
    assert save(begun, 4, web(mutation("F-a"))) == []


def test_a_clock_that_goes_back_repeats_nothing(begun: Store) -> None:
    save(begun, 20, web(mutation("F-a")))
    assert [save(begun, hour, web(mutation("F-a"))) for hour in (5, 6, 21)] == [[]] * 3
    assert save(begun, 7, web()) == [("resolved", "web-1", "F-a")]
    assert save(begun, 22, web()) == []


def test_a_scan_that_is_stored_twice_tells_nothing(begun: Store) -> None:
    result = ScanResult(id="s", started_at=at(1), finished_at=at(1), mode="full", hosts=(web(mutation("F-a")),))
    assert len(begun.save(result, b"", FLEET)) == 1
    with pytest.raises(IncompleteError):
        begun.save(result, b"", FLEET)
    pending = begun.claim("ops", at(1))
    assert pending is not None
    assert [each.kind for each in pending.events] == [EventKind.ADOPTED, EventKind.NEW]


def test_a_waiver_is_told_of_once_each(begun: Store) -> None:
    waiver = Waiver(finding="F-a", hosts=("*",), reason="r", owner="ops", expires=date(2026, 12, 20), origin="w:1")
    days = {1: [], 7: ["waiver-expiring"], 8: [], 21: ["waiver-expired"], 5: [], 22: []}
    for hour, (day, kinds) in enumerate(days.items(), 1):
        assert [kind for kind, *_ in save(begun, hour, web(), waivers=(waiver,), day=day)] == kinds
    longer = replace(waiver, expires=date(2027, 1, 1))
    assert save(begun, 9, web(), waivers=(longer,), day=22) == [("waiver-expiring", "", "F-a")]


def test_a_host_that_is_gone_ends_its_findings_and_is_missed_no_more(begun: Store) -> None:
    save(begun, 1, web(mutation("F-a")))
    assert save(begun, 2, replace(web(), verdict=Verdict.GONE)) == [("resolved", "web-1", "F-a")]
    assert [save(begun, hour, web(name="web-2")) for hour in (3, 4, 5, 6)] == [[]] * 4


def claimed(store: Store, hour: int, name: str = "ops") -> list[str]:
    pending = store.claim(name, at(hour))
    if pending is None:
        return []
    store.settle(pending)
    return [each.kind.value for each in pending.events]


def test_a_channel_is_told_once_and_not_of_the_past(begun: Store) -> None:
    save(begun, 1, web(mutation("F-a")))
    assert claimed(begun, 1) == ["adopted", "new"]
    assert claimed(begun, 1) == []
    result = ScanResult(id="s9", started_at=at(2), finished_at=at(2), mode="full", hosts=(web(),))
    begun.save(result, b"", Watching(channels=("ops", "late")))
    assert claimed(begun, 2, "late") == ["resolved"]
    assert claimed(begun, 2, "nobody") == []
    assert claimed(begun, 2) == ["resolved"]


def test_what_fails_is_tried_again_and_dropped_after_three_days(begun: Store) -> None:
    """And three times: with scans once a week, days alone say nothing."""
    save(begun, 72, web(mutation("F-a")))
    for attempt in range(3):
        pending = begun.claim("ops", at(73))
        assert pending is not None
        assert (pending.attempts, pending.error) == (attempt, "down" if attempt else "")
        assert (len(pending.events), pending.expired) == (2, 0)
        begun.settle(pending, "down")
    pending = begun.claim("ops", at(73))
    assert pending is not None
    assert ([each.kind.value for each in pending.events], pending.expired) == (["new"], 1)
    begun.settle(pending)
    save(begun, 74, web())
    assert claimed(begun, 190) == ["resolved"]


def test_two_do_not_tell_the_same_unless_one_died(begun: Store) -> None:
    first = begun.claim("ops", at(1))
    assert first is not None
    assert begun.claim("ops", at(1, 10)) is None
    second = begun.claim("ops", at(1, 11))
    assert second is not None
    begun.settle(first)  # it was only slow: the other's word counts
    begun.settle(second, "down")
    assert claimed(begun, 2) == ["adopted"]
    third = begun.claim("ops", at(1))
    assert third is None


def test_numbers_of_events_are_never_used_twice(begun: Store) -> None:
    """Old events go; a channel that was told of them all is told of the next one."""
    assert claimed(begun, 1) == ["adopted"]
    late = ScanResult(
        id="z", started_at="2027-03-01T00:00:00Z", finished_at="2027-03-01T00:01:00Z", mode="full", hosts=(web(),)
    )
    begun.save(late, b"", FLEET)
    later = replace(late, id="z2", started_at="2027-03-01T01:00:00Z", hosts=(web(mutation("F-a")),))
    begun.save(later, b"", FLEET)
    pending = begun.claim("ops", "2027-03-01T02:00:00Z")
    assert pending is not None
    assert [each.kind for each in pending.events] == [EventKind.NEW]


STANDINGS = st.builds(
    Standing,
    there=st.booleans(),
    open=st.booleans(),
    severity=st.sampled_from([Severity.LOW, Severity.HIGH]),
    action=st.sampled_from([Action.OBSERVE, Action.REPLACE]),
)


@given(st.lists(STANDINGS))
def test_news_of_an_open_finding_tell_whether_it_is_there(lives: list[Standing]) -> None:
    """Whoever heard all news knows what is there and open, unless a person accepted it meanwhile; the same twice is no
    news."""
    before: Standing | None = None
    heard = False
    for now in lives:
        kind = finding_news(before, now)
        assert finding_news(now, now) is None
        begins = {EventKind.NEW, EventKind.RETURNED, EventKind.WORSENED}
        heard = kind in begins or (heard and kind is not EventKind.RESOLVED)
        if now.open:
            assert heard == now.there or not now.there
            assert kind is not EventKind.RESOLVED or (before is not None and before.there)
        before = now


@given(st.lists(st.sampled_from(Look)), st.integers(1, 5))
def test_news_of_hosts_tell_how_much_is_known_of_them(looks: list[Look], limit: int) -> None:
    """Each rise and fall is told, once; the same twice is none."""
    now = Watch()
    counts: Counter[EventKind] = Counter()
    for look in looks:
        before = now.level
        now, kinds = host_news(now, look, limit)
        counts.update(kinds)
        assert (EventKind.COVERAGE_LOST in kinds) == (now.level < before)
        assert (EventKind.COVERAGE_RESTORED in kinds) == (now.level > before)
        assert counts[EventKind.SILENT] - counts[EventKind.ANSWERS] == now.silent
        assert now.silent == (now.missed >= limit)
        assert look is Look.ABSENT or now.level == {Look.WHOLE: 2, Look.PART: 1, Look.NOTHING: 0}[look]
        assert look is not Look.WHOLE or now == Watch()


@pytest.mark.parametrize("look", Look)
def test_a_host_that_was_known_begins_without_news(look: Look) -> None:
    assert host_news(known(look), look)[1] == ()


def test_days_of_a_fleet_are_told_as_they_were(tmp_path: Path) -> None:
    """The month of benchmarks/month.py, shorter: late scans, lost ones, a clock set back, delivery that fails."""
    world = month.World(16, 72, 2, tmp_path)
    ran = month.run(Store(tmp_path / "store"), world, reports=False)
    assert ran.delivered == ran.expected
    assert {kind for kind, *_ in ran.expected} == {kind.value for kind in EventKind}


def test_an_event_keeps_what_was_said(begun: Store) -> None:
    bad = replace(mutation("F-a"), action=Action.QUARANTINE)
    save(begun, 1, replace(web(bad), labels={"role": "web\udcff"}))
    pending = begun.claim("ops", at(1))
    assert pending is not None
    assert pending.events[-1] == Event(
        kind=EventKind.NEW,
        at=at(1),
        host="web-1",
        subject="F-a",
        title="F-a",
        severity=Severity.HIGH,
        action=Action.QUARANTINE,
        labels={"role": "web\\udcff"},
    )
