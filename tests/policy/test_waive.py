"""What waivers accept, what they do not, and what becomes of them."""

from dataclasses import replace
from datetime import date, timedelta

import pytest

from driftscan.compare.mutation import make
from driftscan.model.drift import CauseType
from driftscan.model.finding import Action, JudgedControl, JudgedMutation, Result, RuleRef, Severity, State
from driftscan.model.snapshot import ImageRef
from driftscan.model.waiver import Waiver, WaiverState
from driftscan.policy.model import Applies, Context, Policy
from driftscan.policy.outcome import MAX_EVIDENCE
from driftscan.policy.waive import LONGEST, Scanned, Waiving, longest, state
from tests.compare.building import added, file

TODAY = date(2026, 11, 26)
MUTATION = make(CauseType.FILE_ADDED, "/etc/x", "x", [added(file("/etc/x"))])
JUDGED = JudgedMutation(mutation=MUTATION, severity=Severity.MEDIUM, action=Action.REPLACE, rule=RuleRef("file-added"))
WAIVER = Waiver(
    finding=MUTATION.id, hosts=("web-1",), reason="r", owner="o", expires=date(2026, 12, 31), origin="w.yaml:2"
)
FAILED = JudgedControl(
    id="ssh-root-login",
    finding="C-000000000001",
    title="t",
    severity=Severity.HIGH,
    action=Action.REBAKE,
    result=Result.FAIL,
    rule=RuleRef("ssh-root-login"),
)
IMAGE = ImageRef("web", "7")


def waived(waiver: Waiver, judged: JudgedMutation = JUDGED, today: date = TODAY) -> JudgedMutation:
    mine = Waiving(waivers=(waiver,), today=today).of_host("web-1", {"role": "web"}, IMAGE)
    return mine.mutation(judged)


def test_a_waived_finding_stays_and_is_open_no_more() -> None:
    found = waived(WAIVER)
    assert (found.state, found.waiver, found.considered) == (State.WAIVED, WAIVER, ())
    assert (found.severity, found.action) == (JUDGED.severity, JUDGED.action)


def test_only_what_it_names_is_at_fault() -> None:
    def considered(judged: JudgedControl, *resources: str) -> tuple[str, ...]:
        waiver = replace(WAIVER, finding=judged.finding, resources=resources)
        found = Waiving(waivers=(waiver,), today=TODAY).control(judged)
        assert (found.state is State.WAIVED) is (found.considered == ())
        return found.considered

    failed = replace(FAILED, about=(("file", "/srv/a"), ("file", "/srv/b/c")))
    assert considered(failed, "/srv/**") == considered(failed, "/srv/a", "/srv/b/*") == ()
    assert considered(failed) == ()
    assert considered(failed, "/srv/*") == ("w.yaml:2: it does not name all that is at fault: file /srv/b/c",)
    assert considered(failed, "/x") == ("w.yaml:2: it does not name all that is at fault: file /srv/a and 1 more",)
    many = replace(FAILED, about=tuple(("file", f"/srv/{number}") for number in range(MAX_EVIDENCE)))
    assert "not all of which can be told" in considered(many, "/srv/**")[0]
    by_rule = replace(WAIVER, finding="", rule="file-added", resources=("/etc/y",))
    assert waived(by_rule).considered == ("w.yaml:2: it does not name all that is at fault: file /etc/x",)
    assert waived(replace(by_rule, resources=("/etc/*",))).state is State.WAIVED


@pytest.mark.parametrize(
    "other",
    [
        replace(WAIVER, finding="F-000000000000"),
        replace(WAIVER, hosts=("web-2",)),
        replace(WAIVER, hosts=("*",), labels={"role": ("db",)}),
        replace(WAIVER, image=("web 8",)),
        replace(WAIVER, finding="", rule="other"),
    ],
)
def test_what_it_is_not_for_it_does_not_speak_of(other: Waiver) -> None:
    assert waived(other) == JUDGED


@pytest.mark.parametrize(
    "wide",
    [
        replace(WAIVER, hosts=("web-*",)),
        replace(WAIVER, hosts=(), labels={"role": ("w*",)}),
        replace(WAIVER, image=("db", "web 7")),
        replace(WAIVER, image=("7",)),
        replace(WAIVER, finding="", rule="file-added"),
        replace(WAIVER, content=MUTATION.content),
    ],
)
def test_what_it_is_for(wide: Waiver) -> None:
    assert waived(wide).state is State.WAIVED


def test_the_last_day_counts_to_its_end() -> None:
    assert waived(WAIVER, today=WAIVER.expires).state is State.WAIVED
    over = waived(WAIVER, today=WAIVER.expires + timedelta(days=1))
    assert (over.state, over.considered) == (State.OPEN, ("w.yaml:2: expired on 2026-12-31",))


def test_other_content_is_open_again() -> None:
    found = waived(replace(WAIVER, content="0" * 20))
    assert found.state is State.OPEN
    assert "content is another" in found.considered[0]


@pytest.mark.parametrize(
    ("waiver", "accepted"),
    [
        (WAIVER, True),
        (replace(WAIVER, hosts=("web-?",)), False),
        (replace(WAIVER, hosts=("web-1", "*")), False),
        (replace(WAIVER, hosts=(), labels={"role": ("web",)}), False),
        (replace(WAIVER, finding="", rule="file-added"), False),
    ],
)
def test_quarantine_is_waived_by_id_on_named_hosts_alone(waiver: Waiver, *, accepted: bool) -> None:
    bad = replace(JUDGED, action=Action.QUARANTINE)
    assert (waived(waiver, bad).state is State.WAIVED) is accepted


@pytest.mark.parametrize("severity", Severity)
def test_nothing_is_waived_for_longer_than_its_severity_allows(severity: Severity) -> None:
    judged = replace(JUDGED, severity=severity)
    last = TODAY + timedelta(days=LONGEST[severity])
    assert waived(replace(WAIVER, expires=last), judged).state is State.WAIVED
    later = replace(WAIVER, expires=last + timedelta(days=1))
    assert waived(later, judged).state is State.OPEN
    assert waived(replace(later, added=TODAY - timedelta(days=1)), judged).state is State.OPEN
    assert waived(replace(later, added=TODAY), judged, today=TODAY + timedelta(days=1)).state is State.OPEN


def test_a_worse_severity_never_allows_more() -> None:
    days = [LONGEST[severity] for severity in sorted(Severity)]
    assert days == sorted(days, reverse=True)


def test_of_several_the_one_that_lasts_longest_is_told_and_the_others_are_explained() -> None:
    long, short = replace(WAIVER, origin="w.yaml:9"), replace(WAIVER, expires=TODAY)
    expired = replace(WAIVER, expires=date(2026, 1, 1), origin="w.yaml:20")
    mine = Waiving(waivers=(short, long, expired), today=TODAY).of_host("web-1", {}, IMAGE)
    found = mine.mutation(JUDGED)
    assert found.waiver == long
    assert found.considered == ("w.yaml:20: expired on 2026-01-01",)


def test_what_policy_allows_needs_no_waiver() -> None:
    allowed = replace(JUDGED, state=State.ALLOWED)
    assert waived(WAIVER, allowed) == allowed


def test_a_failed_control_is_waived_and_one_that_passes_is_not() -> None:
    failed = FAILED
    by_rule = replace(WAIVER, finding="", rule="ssh-root-login")
    mine = Waiving(waivers=(by_rule,), today=TODAY)
    assert mine.control(failed).state is State.WAIVED
    for result in (Result.PASS, Result.UNKNOWN, Result.NOT_APPLICABLE):
        assert mine.control(replace(failed, result=result)).state is State.OPEN
    assert Waiving(waivers=(replace(WAIVER, finding=failed.finding),), today=TODAY).control(failed).waiver is not None


def seen(host: str = "web-1", image: ImageRef = IMAGE, *used: str) -> Scanned:
    return Scanned(host=host, labels={}, image=image, used=frozenset(used))


@pytest.mark.parametrize(
    ("waiver", "scanned", "expected"),
    [
        (WAIVER, [seen("web-1", IMAGE, "w.yaml:2")], WaiverState.ACTIVE),
        (replace(WAIVER, expires=date(2026, 12, 10)), [seen("web-1", IMAGE, "w.yaml:2")], WaiverState.EXPIRING),
        (replace(WAIVER, expires=date(2026, 11, 25)), [seen("web-1", IMAGE, "w.yaml:2")], WaiverState.EXPIRED),
        (WAIVER, [seen()], WaiverState.UNUSED),
        (WAIVER, [seen("web-2")], WaiverState.ACTIVE),
        (WAIVER, [], WaiverState.ACTIVE),
        (replace(WAIVER, image=("web 6",)), [seen()], WaiverState.VOID),
        (
            replace(WAIVER, image=("web 6",), hosts=("*",)),
            [seen(), seen("b", ImageRef("web", "6"))],
            WaiverState.UNUSED,
        ),
    ],
)
def test_states(waiver: Waiver, scanned: list[Scanned], expected: WaiverState) -> None:
    assert state(waiver, TODAY, scanned) is expected


OURS = Policy(id="ours", version=1, title="t", file="ours.yaml", waiver_days={Severity.MEDIUM: 7, Severity.INFO: 0})
DATABASES = replace(OURS, applies=(Applies(role=("db",)),), waiver_days={Severity.MEDIUM: 3})
DEBIAN = replace(OURS, applies=(Applies(os=("debian",)),), waiver_days={Severity.MEDIUM: 5, Severity.HIGH: 200})


@pytest.mark.parametrize(
    ("policies", "context", "medium", "high", "info"),
    [
        ((), Context(), 180, 90, 366),
        ((OURS,), Context(), 7, 90, 0),
        ((OURS, DATABASES), Context(labels={"role": "web"}), 7, 90, 0),
        ((OURS, DATABASES), Context(labels={"role": "db"}), 3, 90, 0),
        ((DEBIAN,), Context(os={"platform": "debian"}), 5, 200, 366),
        ((DEBIAN,), Context(os={"platform": "fedora"}), 180, 90, 366),
        ((DEBIAN,), Context(), 5, 200, 366),  # which system it is is not known
    ],
)
def test_policies_say_for_how_long(
    policies: tuple[Policy, ...], context: Context, medium: int, high: int, info: int
) -> None:
    found = longest(policies, context)
    assert (found[Severity.MEDIUM], found[Severity.HIGH], found[Severity.INFO]) == (medium, high, info)


def test_what_policy_says_is_kept() -> None:
    allowed = longest([OURS], Context())
    mine = Waiving(waivers=(WAIVER,), today=TODAY).of_host("web-1", {}, IMAGE, allowed)
    assert "longer than the 7 days for which a medium" in mine.mutation(JUDGED).considered[0]
    assert "policy lets no info finding" in mine.mutation(replace(JUDGED, severity=Severity.INFO)).considered[0]


@pytest.mark.parametrize(
    ("rule", "accepted"),
    [
        ("file-added", True),
        ("immutable-core/configuration/file-added", True),
        ("immutable-core/*", True),
        ("*/file-*", True),
        ("immutable-core/configuration/file-removed", False),
        ("server-hardening/*", False),
        ("configuration/file-added", False),
    ],
)
def test_rules_by_their_policy(rule: str, *, accepted: bool) -> None:
    judged = replace(JUDGED, rule=RuleRef("file-added", policy="immutable-core/configuration"))
    assert (waived(replace(WAIVER, finding="", rule=rule), judged).state is State.WAIVED) is accepted
    bad = replace(judged, action=Action.QUARANTINE)
    assert waived(replace(WAIVER, finding="", rule=rule), bad).state is State.OPEN
