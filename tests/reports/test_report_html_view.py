"""What the HTML report is made of: which hosts have a thing alike, what is answered first, when it happened."""

from dataclasses import replace
from itertools import pairwise

import pytest

from driftscan.model.drift import Attribution, Cause, CauseType, Change, Delta, Difference, Grade
from driftscan.model.finding import Action, Cure, CureCause, State, Verdict
from driftscan.model.result import HostResult, ImageMatch, ScanResult, Since
from driftscan.model.zone import ZoneClass
from driftscan.reports import audit, html
from driftscan.reports._base import Style
from driftscan.reports._page import forms, items, timeline
from driftscan.reports._page.view import View, natural
from tests.reports import samples


def _render(result: ScanResult) -> str:
    return "".join(html.report.render(result, Style()))


def test_what_people_ask_first_is_answered_first() -> None:
    shown = _render(samples.fleet())
    assert View(samples.fleet()).answers == [
        (
            "Still the image?",
            "2 of 4 hosts are no longer the image that they were baked from; 1 still is; of 1 nothing is known",
        ),
        ("What happened?", "binary-added on 1 host, configuration-changed on 1 host, package-installed on 1 host"),
        ("What is new?", "1 finding on 1 host; 1 went; of 3 hosts no earlier scan tells"),
        ("Who?", "deploy on 1 host; mallory\\x1b[0m|x on 1 host; no log tells who made 1 of 3 mutations"),
        ("Replace?", "A replacement cures 2 hosts"),
    ]
    assert shown.index("Still the image?") < shown.index("Begin here")


def test_what_is_new_is_told_beside_earlier_scans_alone() -> None:
    host = samples.drifted()

    def said(*since: Since | None) -> str:
        hosts = (replace(host, host=f"h{number}", since=each) for number, each in enumerate(since))
        return dict(View(samples.result(*hosts)).answers).get("What is new?", "")

    assert said(None, None) == ""
    assert said(Since(), Since()) == "Nothing since earlier scans"
    assert said(Since(), None) == "Nothing since earlier scans; of 1 host no earlier scan tells"
    waived = Since(new=("F-00000001", "F-00000002", "F-00000009"))
    assert said(waived, waived, Since()) == "4 findings on 2 hosts"  # one of each is waived
    assert host.since
    shown = _render(samples.result(host))
    assert shown.count('<span class="tag new">new</span>') == 1
    assert "No longer there since earlier scans" in shown


def _stands(**changes: object) -> str:
    host = replace(samples.clean(), **changes)  # type: ignore[arg-type]
    return View(samples.result(host)).answers[0][1]


def test_how_a_host_stands_to_its_image() -> None:
    one = samples.drifted().mutations[0]
    login = replace(
        one, mutation=replace(one.mutation, cause=Cause(CauseType.INTERACTIVE_LOGIN, "alice"), differences=())
    )
    assert _stands() == "The host still is"
    assert _stands(mutations=(one,)) == "The host is no longer the image that it was baked from"
    assert _stands(mutations=(replace(one, state=State.WAIVED),)) == "The host is but for what somebody accepts"
    assert _stands(mutations=(login,)) == "The host still is"
    assert _stands(verdict=Verdict.INCOMPLETE) == "The host is as far as it could be seen"
    assert _stands(verdict=Verdict.SETTLING) == "The host is settling"
    for match in (ImageMatch.STAND_IN, ImageMatch.UNKNOWN):
        said = _stands(image=replace(samples.clean().image, match=match), mutations=(one,))
        assert said == "The host has no manifest to be held against"


def test_of_many_causes_and_people_the_first_are_named_and_cures_are_counted() -> None:
    one = samples.drifted().mutations[0]
    cures = (Cure(True, CureCause.HOST), Cure(False, CureCause.IMAGE), Cure(False, CureCause.IMAGE), Cure())
    hosts = [
        replace(
            samples.drifted(),
            host=f"h{number}",
            recommendation=replace(samples.drifted().recommendation, cure=cure),
            mutations=tuple(
                replace(
                    one,
                    mutation=replace(
                        one.mutation,
                        id=f"F-{kind}",
                        cause=Cause(kind, "x"),
                        attribution=Attribution(Grade.RECORDED, f"u{place}", "", None, ()),
                    ),
                )
                for place, kind in enumerate(list(CauseType)[:5])
            ),
        )
        for number, cure in enumerate(cures)
    ]
    said = dict(View(samples.result(*hosts)).answers)
    assert said["What happened?"].endswith("on 4 hosts and 2 more causes")
    assert said["Who?"] == "u0 on 4 hosts; u1 on 4 hosts; u2 on 4 hosts; 2 others"
    assert said["Replace?"] == (
        "A replacement cures 1 host; it does not cure 2 hosts: the fault lies with the image; of 1 host nobody knows"
    )


def test_what_differs_in_one_attribute_is_not_the_same() -> None:
    one, two = samples.drifted(), replace(samples.drifted(), host="web-9")
    judged = two.mutations[0]
    item = replace(judged.mutation.differences[0], text=samples.SETTING.replace("yes", "no"))
    changed = replace(judged, mutation=replace(judged.mutation, differences=(item, *judged.mutation.differences[1:])))
    other = replace(two, mutations=(changed, *two.mutations[1:]))
    assert len(View(samples.result(one, two)).happenings) == 3
    assert len(View(samples.result(one, other)).happenings) == 4


@pytest.mark.parametrize(
    ("actions", "headline"),
    [
        ((), "No host was scanned"),
        ((Action.NONE, Action.NONE), "Nothing to do"),
        ((Action.ROTATE,), "Rotate 1 host in the next window"),
        (
            (Action.OBSERVE, Action.REPLACE, Action.QUARANTINE, Action.REPLACE),
            "Quarantine 1 host, replace 2 and observe 1",
        ),
    ],
)
def test_headline(actions: tuple[Action, ...], headline: str) -> None:
    hosts = [replace(samples.clean(), recommendation=samples.recommendation(action, "x")) for action in actions]
    assert View(samples.result(*hosts)).headline == headline


def test_natural_order() -> None:
    names = ["AC-10", "AC-2", "AC-2(1)", "5.1.20", "5.1.3"]
    assert sorted(names, key=natural) == ["5.1.3", "5.1.20", "AC-2", "AC-2(1)", "AC-10"]


def _at(*times: str | None) -> timeline.Timeline:
    host = samples.drifted()
    judged = host.mutations[0]
    hosts = [
        replace(
            host,
            host=f"h{number}",
            mutations=(
                replace(judged, mutation=replace(judged.mutation, attribution=Attribution(Grade.RECORDED, at=time))),
            ),
        )
        for number, time in enumerate(times)
    ]
    drawn = timeline.draw(View(samples.result(*hosts)).happenings, samples.result().finished_at)
    assert drawn
    return drawn


def test_times_run_to_the_right_and_unknown_ones_stand_apart() -> None:
    drawn = _at("2026-11-14T12:00:00Z", "2026-11-19T12:00:00Z", "2026-11-20T09:00:00Z", None)
    dots = [dot for dot, _ in drawn.events]
    assert all(one.x < two.x for one, two in pairwise(dots))
    assert drawn.unknown == 1
    assert dots[-1].x > drawn.end


@pytest.mark.parametrize(
    "time", ["9999-99-99T00:00:00Z", "1970-01-01T00:00:00Z", "2031-01-01T00:00:00Z", "<b>", "0" * 99]
)
def test_a_time_that_cannot_be_is_not_known(time: str) -> None:
    drawn = _at("2026-11-20T09:00:00Z", time)
    assert drawn.unknown == 1


def test_what_is_much_older_stands_before_the_drawn_time() -> None:
    drawn = _at(*["2026-11-20T09:00:00Z"] * 9, "2019-01-01T00:00:00Z")
    assert drawn.earlier == 1
    assert drawn.begins.startswith("2026-11-20")
    assert min(dot.x for dot, _ in drawn.events) < drawn.begin


def test_nothing_open_no_timeline() -> None:
    assert timeline.draw(View(samples.result(samples.clean())).happenings, "2026-11-20T10:00:12Z") is None
    assert 'id="happened"' not in _render(samples.result(samples.clean()))


def test_a_long_text_is_cut_at_a_line() -> None:
    item = replace(samples.drifted().mutations[0].mutation.differences[0], text="+x\n" * (items.LINES + 7))
    lines = list(items.lines_of(item))
    assert len(lines) == items.LINES + 1
    assert lines[-1] == ("at", "… and 7 more lines")


@pytest.mark.parametrize(
    ("hosts", "said", "never"),
    [
        ((samples.unreachable(),), ["not known", "Nothing is known: no host was scanned."], ["No package", ">none<"]),
        ((samples.unreachable(), samples.clean()), ["none seen", "of the hosts that were scanned is affected"], []),
        ((samples.clean(),), [">none<", "No package is affected", "Every host was scanned."], ["not known"]),
        ((), ["not known", "No host was scanned."], ["Every host", "No package"]),
    ],
)
def test_nothing_found_is_worth_as_much_as_was_looked_at(
    hosts: tuple[HostResult, ...], said: list[str], never: list[str]
) -> None:
    shown = _render(replace(samples.result(*hosts), waivers=()))
    shown = shown[shown.index("<main") : shown.index("<footer")]
    assert all(each in shown for each in said)
    assert not [each for each in never if each in shown]


@pytest.mark.parametrize(
    ("hosts", "said"),
    [
        ((samples.unreachable(),), "Nothing is known: no host was scanned."),
        ((samples.unreachable(), samples.clean()), "None was seen on the hosts that were scanned."),
        ((samples.clean(),), "<p>None.</p>"),
    ],
)
def test_so_does_the_audit_report_say_it(hosts: tuple[HostResult, ...], said: str) -> None:
    assert "".join(audit.report.render(samples.result(*hosts), Style())).count(said) == 4


FILE = Difference(
    kind="file", key="/etc/x", change=Change.MODIFIED, attributes={"size": Delta(1, 2), "uid": Delta(0, 7)}
)


def _forms(*given: tuple[Difference, ...]) -> list[int]:
    """The number of the form that each of these mutations is."""
    one = samples.drifted().mutations[0]
    found = forms.Forms()
    told = [found.of(replace(one, mutation=replace(one.mutation, differences=each))) for each in given]
    return [next(place for place, form in enumerate(found.happenings) if form is each) for each in told]


@pytest.mark.parametrize(
    "other",
    [
        replace(FILE, kind="directory"),
        replace(FILE, key="/etc/y"),
        replace(FILE, change=Change.ADDED),
        replace(FILE, zone=ZoneClass.FREE),
        replace(FILE, zone_reason="x"),
        replace(FILE, why="x"),
        replace(FILE, text="+x"),
        replace(FILE, attributes={"size": Delta(1, 2)}),
        replace(FILE, attributes={"size": Delta(1, 3), "uid": Delta(0, 7)}),
        replace(FILE, attributes={"size": Delta(1, 2), "gid": Delta(0, 7)}),
    ],
)
def test_what_the_page_shows_of_a_difference_tells_forms_apart(other: Difference) -> None:
    assert _forms((FILE,), (other,), (FILE,), (other,)) == [0, 1, 0, 1]


def test_what_the_page_does_not_show_and_the_order_of_attributes_tell_no_forms_apart() -> None:
    later = replace(FILE, attributes=dict(reversed(list(FILE.attributes.items()))), observed={"mtime": 7})
    assert _forms((FILE,), (later,), (FILE, later), (later, FILE)) == [0, 0, 1, 1]


def test_many_forms_are_told_apart_by_digest() -> None:
    many = [(replace(FILE, key=f"/etc/{number}"),) for number in range(forms.COMPARED * 3)]
    again = [(replace(item, observed={"mtime": 7}),) for (item,) in many]
    assert _forms(*many, *again) == [*range(len(many)), *range(len(many))]
