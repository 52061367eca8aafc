"""First seen, last seen, resolved, returned: what each scan may say of findings that it does not have, and what not."""

from dataclasses import dataclass, replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from driftscan.model.drift import Cause, CauseType, Change, Difference, Mutation
from driftscan.model.finding import Action, JudgedControl, JudgedMutation, Result, RuleRef, Severity, Verdict
from driftscan.model.result import (
    HostErrorRecord,
    HostImage,
    HostResult,
    ImageMatch,
    PolicyUse,
    Resolved,
    ScanResult,
    Since,
)
from driftscan.model.snapshot import CollectorCoverage, CollectorStatus
from driftscan.model.source import Gap, Status
from driftscan.store import FindingRow, Store
from driftscan.store._life import Life, Newer, seen, unseen
from tests.store.scans import host

FILES = CollectorCoverage("files", 1, ("file",), CollectorStatus.COMPLETE)
IMAGE = HostImage(id="ami-1", version="1", manifest_digest="sha256:00", match=ImageMatch.GIVEN)


def at(hour: int, minute: int = 0) -> str:
    return f"2026-11-{21 + hour // 24:02}T{hour % 24:02}:{minute:02}:00Z"


def mutation(name: str, *keys: str, cause: CauseType = CauseType.FILE_ADDED, kind: str = "file") -> JudgedMutation:
    items = tuple(Difference(kind=kind, key=key, change=Change.ADDED) for key in keys or (f"/{name}",))
    made = Mutation(id=name, title=name, cause=Cause(cause, name), differences=items)
    return JudgedMutation(mutation=made, severity=Severity.HIGH, action=Action.REPLACE, rule=RuleRef("r"))


def control(name: str, result: Result) -> JudgedControl:
    return JudgedControl(
        id=f"rule-{name}",
        finding=name,
        title=name,
        severity=Severity.LOW,
        action=Action.OBSERVE,
        result=result,
        rule=RuleRef("r"),
    )


def web(*found: JudgedMutation, name: str = "web-1") -> HostResult:
    """A host that was seen wholly."""
    return replace(host(name), mutations=found, coverage=(FILES,), image=IMAGE, target="ssh://web-1")


def gap(*hides: str) -> tuple[CollectorCoverage, ...]:
    hidden = Gap("files", Status.FORBIDDEN, "no right to look", hides)
    return (replace(FILES, status=CollectorStatus.PARTIAL, gaps=(hidden,)),)


def scan(number: int, hour: int, *hosts: HostResult, minutes: int = 1, policies: str = "a") -> ScanResult:
    used = tuple(PolicyUse(name, 1, "sha256:00", "f") for name in policies)
    ended = at(hour + minutes // 60, minutes % 60)
    return ScanResult(id=f"s{number}", started_at=at(hour), finished_at=ended, mode="full", hosts=hosts, policies=used)


def save(store: Store, hour: int, *hosts: HostResult, minutes: int = 1, policies: str = "a") -> None:
    number = len(store.scans(1000))
    made = scan(number, hour, *hosts, minutes=minutes, policies=policies)
    foreseen = store.spells_with(made, "")
    store.save(made, b"")
    if number:  # of no store nothing is foreseen
        assert sorted(map(repr, foreseen)) == sorted(map(repr, store.spells("")))


def one(store: Store, name: str = "F-a") -> FindingRow:
    (row,) = store.find_finding(name)
    return row


def test_a_life(store: Store) -> None:
    save(store, 1, web(mutation("F-a")))
    save(store, 2, web(mutation("F-a")))
    assert (one(store).first_seen, one(store).last_seen, one(store).resolved_at) == (at(1), at(2), None)
    save(store, 3, web())
    save(store, 4, web())
    row = one(store)
    assert (row.last_seen, row.resolved_at, row.resolved_why, row.scan) == (at(2), at(3), "gone", "s1")
    save(store, 5, web(mutation("F-a")))
    row = one(store)
    assert (row.first_seen, row.opened_at, row.last_seen, row.resolved_at) == (at(1), at(5), at(5), None)
    assert (row.returned, row.returned_at) == (1, at(5))


def test_what_is_new_beside_earlier_scans(store: Store) -> None:
    def beside(hour: int, *found: JudgedMutation, **more: Any) -> Since | None:
        return store.since_known(scan(99, hour, replace(web(*found), **more))).get("web-1")

    assert beside(1, mutation("F-a")) is None
    save(store, 1, replace(web(mutation("F-a"), mutation("F-b")), controls=(control("F-c", Result.FAIL),)))
    passed = (control("F-c", Result.PASS),)
    worse = replace(mutation("F-b"), severity=Severity.CRITICAL)
    gone = Resolved(id="F-c", title="F-c", severity=Severity.LOW, why="gone")
    assert beside(2, mutation("F-a"), worse, mutation("F-d"), controls=passed) == Since(
        new=("F-d",), updated=("F-b",), resolved=(gone,)
    )
    assert beside(2, torn=("dpkg ran",)) == Since()
    save(store, 2, replace(web(mutation("F-b")), controls=passed))
    assert beside(3, mutation("F-a"), mutation("F-b")) == Since(new=("F-a",))
    assert store.since_known(scan(99, 3, web(name="another"))) == {}
    assert len(store.scans()) == 2


@pytest.mark.parametrize(
    "unseeing",
    [
        replace(web(), verdict=Verdict.UNREACHABLE, coverage=()),
        replace(web(), verdict=Verdict.SETTLING),
        replace(web(), torn=("dpkg ran",)),
        replace(web(), coverage=()),
        replace(web(), coverage=(replace(FILES, status=CollectorStatus.FAILED),)),
        replace(web(), coverage=gap("file")),
        replace(web(), coverage=gap("file:/F-*")),
        replace(web(), not_baselined=("file",)),
        replace(web(), image=HostImage(match=ImageMatch.STAND_IN)),
        replace(web(), image=HostImage(match=ImageMatch.UNKNOWN)),
        web(name="another"),
    ],
    ids=["unreachable", "settling", "torn", "not-looked", "failed", "gap", "gap-over-it", "not-baselined", "stand-in",
         "unknown-image", "not-reached"],
)  # fmt: skip
def test_what_a_scan_could_not_see_is_not_resolved(store: Store, unseeing: HostResult) -> None:
    save(store, 1, web(mutation("F-a")))
    save(store, 2, unseeing)
    assert one(store).resolved_at is None
    save(store, 3, web())
    assert one(store).resolved_at == at(3)


def test_a_gap_elsewhere_hides_nothing_of_it(store: Store) -> None:
    save(store, 1, web(mutation("F-a")))
    save(store, 2, replace(web(), coverage=gap("file:/root/*"), verdict=Verdict.INCOMPLETE))
    assert one(store).resolved_at == at(2)


def test_of_a_mutation_of_many_files_any_gap_may_hide_some(store: Store) -> None:
    save(store, 1, web(mutation("F-a", *(f"/usr/{number}" for number in range(60)))))
    save(store, 2, replace(web(), coverage=gap("file:/root/*")))
    assert one(store).resolved_at is None


def test_another_image_that_has_it_ends_it(store: Store) -> None:
    save(store, 1, web(mutation("F-a")))
    save(store, 2, replace(web(), image=replace(IMAGE, manifest_digest="sha256:11")))
    assert (one(store).resolved_at, one(store).resolved_why) == (at(2), "image")


def test_a_host_that_is_no_more_has_no_findings(store: Store) -> None:
    save(store, 1, web(mutation("F-a")))
    save(store, 2, replace(web(), verdict=Verdict.GONE, coverage=()))
    assert (one(store).resolved_at, one(store).resolved_why) == (at(2), "host-gone")


@pytest.mark.parametrize(
    ("later", "resolved"),
    [(Result.PASS, True), (Result.NOT_APPLICABLE, True), (Result.UNKNOWN, False), (Result.FAIL, False), (None, False)],
)
def test_a_rule_that_was_not_run_or_could_not_tell_ends_nothing(
    store: Store, later: Result | None, resolved: bool
) -> None:
    save(store, 1, replace(web(), controls=(control("F-a", Result.FAIL),)))
    save(store, 2, replace(web(), controls=(control("F-a", later),) if later else ()))
    assert (one(store).resolved_at == at(2)) == resolved
    save(store, 3, replace(web(), verdict=Verdict.UNREACHABLE))
    assert (one(store).resolved_at is not None) == resolved


def test_a_login_is_not_gone_because_nobody_asked_for_logins(store: Store) -> None:
    login = mutation("F-a", cause=CauseType.INTERACTIVE_LOGIN, kind="login")
    save(store, 1, web(login), policies="ab")
    save(store, 2, web(), policies="a")
    assert one(store).resolved_at is None
    save(store, 3, web(), policies="abc")
    assert one(store).resolved_at == at(3)


def test_a_shared_identity_is_not_gone_because_fewer_were_compared(store: Store) -> None:
    shared = mutation("F-a", cause=CauseType.IDENTITY_SHARED)
    save(store, 1, web(shared), web(name="web-2"))
    save(store, 2, web())
    assert one(store).resolved_at is None
    save(store, 3, web(), web(name="web-2"))
    assert one(store).resolved_at == at(3)


@pytest.mark.parametrize("cause", [CauseType.COVERAGE_FELL, CauseType.HOST_KEY_CHANGED, CauseType.IMAGE_UNKNOWN])
def test_what_any_scan_would_tell_is_gone_when_one_does_not(store: Store, cause: CauseType) -> None:
    verdict = Verdict.UNREACHABLE if cause is CauseType.HOST_KEY_CHANGED else Verdict.FINDINGS
    save(store, 1, replace(web(mutation("F-a", cause=cause, kind="collector")), verdict=verdict, coverage=()))
    save(store, 2, replace(web(), coverage=gap("file")))
    assert one(store).resolved_at == at(2)


def test_a_scan_that_was_overtaken_tells_of_the_past(store: Store) -> None:
    """It began first and was stored last: what it saw was so, and what it did not see says nothing of now."""
    save(store, 3, web(mutation("F-a"), mutation("F-c")))
    save(store, 2, web(mutation("F-a"), mutation("F-b")), minutes=62)
    assert (one(store).first_seen, one(store).last_seen, one(store).resolved_at) == (at(2), at(3), None)
    assert (one(store, "F-b").last_seen, one(store, "F-b").resolved_at) == (at(2), at(3))
    assert one(store, "F-c").resolved_at is None
    assert store.last_of_each()[0].started_at == at(3)


def test_an_overtaken_scan_does_not_bring_back_what_was_resolved(store: Store) -> None:
    save(store, 1, web(mutation("F-a")))
    save(store, 3, web())
    save(store, 2, web(mutation("F-a")), minutes=62)
    row = one(store)
    assert (row.last_seen, row.resolved_at, row.returned) == (at(2), at(3), 0)


def test_that_a_host_was_gone_ends_nothing_of_a_newer_scan(store: Store) -> None:
    save(store, 3, web(mutation("F-a")))
    save(store, 2, replace(web(), verdict=Verdict.GONE, coverage=()), minutes=62)
    assert one(store).resolved_at is None


def test_a_clock_that_was_set_back(store: Store) -> None:
    """One scan came from the future. What is stored after it is newer, whatever its clock says."""
    save(store, 30, web(mutation("F-a"), mutation("F-b")))
    save(store, 2, web(mutation("F-a")))
    assert one(store).resolved_at is None
    assert one(store).first_seen <= one(store).last_seen == at(2)
    row = one(store, "F-b")
    assert row.resolved_at is not None
    assert row.first_seen <= row.last_seen <= row.resolved_at
    assert store.last_of_each()[0].started_at == at(2)
    save(store, 3, web())
    assert one(store).resolved_at == at(3)


HOURS = st.lists(
    st.tuples(st.sampled_from(["whole", "unreachable", "gap", "torn"]), st.sets(st.sampled_from("abc"))), max_size=8
)


@dataclass
class Told:
    """The same, told in the plainest way: from the list of all scans that saw the host."""

    first: int | None = None
    last: int | None = None
    resolved: int | None = None
    returned: int = 0

    def scan(self, hour: int, *, there: bool) -> None:
        if there:
            if self.resolved is not None:
                self.returned += 1
            self.first = hour if self.first is None else self.first
            self.last, self.resolved = hour, None
        elif self.last is not None and self.resolved is None:
            self.resolved = hour


@settings(max_examples=12, deadline=None)
@given(HOURS)
def test_any_sequence_of_scans(tmp_path_factory: pytest.TempPathFactory, hours: list[tuple[str, set[str]]]) -> None:
    store = Store(tmp_path_factory.mktemp("lives"))
    told = {name: Told() for name in "abc"}
    for hour, (kind, there) in enumerate(hours):
        found = web(*(mutation(f"F-{name}") for name in sorted(there)))
        if kind == "unreachable":
            refused = HostErrorRecord(kind="refused", message="")
            found = replace(web(), verdict=Verdict.UNREACHABLE, errors=(refused,))
        elif kind == "gap":
            found = replace(found, coverage=gap("file:/F-a"))
        elif kind == "torn":
            found = replace(found, torn=("raced",))
        save(store, hour, found)
        for name, each in told.items():
            hidden = kind in {"unreachable", "torn"} or (kind == "gap" and name == "a")
            if kind != "unreachable" and (name in there or not hidden):
                each.scan(hour, there=name in there)
    for name, each in told.items():
        rows = store.find_finding(f"F-{name}")
        assert len(rows) == (each.first is not None)
        for row in rows:
            assert each.first is not None
            assert each.last is not None
            assert (row.first_seen, row.last_seen, row.returned) == (at(each.first), at(each.last), each.returned)
            assert row.resolved_at == (None if each.resolved is None else at(each.resolved))


EVENTS = st.lists(st.tuples(st.integers(0, 9), st.sampled_from(["seen", "unseen", "late", "late-whole"])), max_size=20)


@given(EVENTS)
def test_times_are_in_order_whatever_the_clock(events: list[tuple[int, str]]) -> None:
    life: Life | None = None
    for hour, kind in events:
        if kind == "unseen":
            life = unseen(life, at(hour), "gone") if life else None
        else:
            newer = Newer(at(hour + 1), whole=kind == "late-whole") if kind.startswith("late") else None
            life = seen(life, at(hour), newer)
        if life is not None:
            assert life.first_seen <= life.opened_at <= life.last_seen <= (life.resolved_at or life.last_seen)
            assert (life.returned > 0) == (life.returned_at is not None)
