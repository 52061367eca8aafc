"""Files of waivers: every mistake at its place; what is added can be read, and taken out again without a trace."""

from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftscan.errors import UsageError
from driftscan.model.finding import Severity
from driftscan.model.waiver import Waiver, WaiverState
from driftscan.policy.waive import LONGEST
from driftscan.waivers import added, parse, pruned

GOOD = """\
waivers:
  - finding: F-3fa9c1d2e4b5
    content: 0123456789abcdef0123
    hosts: [web-1, web-2]
    reason: the agent of OPS-12
    owner: ops@example.net
    expires: 2027-01-31
    added: 2026-11-26
    ticket: OPS-12
  - rule: ssh-root-login
    labels: {role: [web, db]}
    image: "web 2026*"
    reason: >
      until the
      next bake
    owner: ops
    expires: 2026-12-31
"""


def test_what_is_written_is_read() -> None:
    first, second = parse(GOOD, "w.yaml")
    assert first == Waiver(
        finding="F-3fa9c1d2e4b5",
        content="0123456789abcdef0123",
        hosts=("web-1", "web-2"),
        reason="the agent of OPS-12",
        owner="ops@example.net",
        expires=date(2027, 1, 31),
        added=date(2026, 11, 26),
        ticket="OPS-12",
        origin="w.yaml:2",
    )
    assert (second.rule, second.reason, second.image) == ("ssh-root-login", "until the next bake", ("web 2026*",))
    assert second.labels == {"role": ("web", "db")}
    assert second.origin == "w.yaml:10"


ONE = "waivers:\n  - {finding: F-3fa9c1d2e4b5, hosts: '*', reason: r, owner: o, expires: 2027-01-31}\n"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("finding: F-3fa9c1d2e4b5, ", "", "w.yaml:2:5: a waiver is of one `finding` or one `rule`"),
        ("finding: ", "rule: x, finding: ", "w.yaml:2:5: a waiver is of one `finding` or one `rule`"),
        ("F-3fa9c1d2e4b5", "F-3fa9c1", "w.yaml:2:15: "),
        ("hosts: '*', ", "", "w.yaml:2:5: neither `hosts` nor `labels` says for which hosts"),
        ("reason: r, ", "", "reason"),
        ("reason: r", "reason: ' '", "w.yaml:2:51: ' ': expected a text"),
        ("owner: o, ", "", "owner"),
        (", expires: 2027-01-31", "", "expires"),
        ("2027-01-31", "2027-02-31", "w.yaml:2:73: '2027-02-31' is no day of the calendar"),
        ("2027-01-31", "31.1.2027", "a day such as 2027-01-31"),
        ("2027-01-31", "2027-01-31, added: 2027-02-01", "it expires before it was added"),
        ("expires", "expire", "did you mean 'expires'"),
        ("F-3fa9c1d2e4b5", "C-3fa9c1d2e4b5, content: 0123456789abcdef0123", "only a mutation (F-...) has a content"),
        ("hosts", "resources: /etc/x, hosts", "the id of a mutation (F-...) says of which resources it is"),
        ("waivers:", "waiver:", "did you mean 'waivers'"),
        ("'*'", "[]", "w.yaml:2:38: must not be empty"),
    ],
)
def test_mistakes(old: str, new: str, message: str) -> None:
    assert old in ONE
    with pytest.raises(UsageError) as caught:
        parse(ONE.replace(old, new, 1), "w.yaml")
    assert message in str(caught.value)


words = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), min_size=1, max_size=12).filter(
    str.strip
)
waivers = st.builds(
    Waiver,
    finding=st.from_regex(r"[FC]-[0-9a-f]{12}", fullmatch=True),
    hosts=st.lists(words, min_size=1, max_size=3).map(tuple),
    labels=st.dictionaries(words, st.lists(words, min_size=1, max_size=2).map(tuple), max_size=2),
    image=st.lists(words, max_size=2).map(tuple),
    reason=words.map(lambda text: " ".join(text.split())),
    owner=words.map(str.strip),
    expires=st.dates(date(2026, 1, 1), date(2100, 1, 1)),
    ticket=words,
)


@given(
    st.sampled_from(["", "waivers: []\n", GOOD, GOOD + "# the end"]),
    st.lists(waivers, min_size=1, max_size=3),
    st.text() | st.sampled_from(["x\n  - finding: y", "x\u2028y", "x\x85y", "\ufffe", "\ud800", "#", " "]),
)
def test_what_is_added_is_read_back_and_taken_out_without_a_trace(text: str, more: list[Waiver], title: str) -> None:
    before = parse(text, "w.yaml") if text else ()
    now = added(text, more, {waiver.finding: title for waiver in more})
    found = parse(now, "w.yaml")
    assert found[: len(before)] == before
    assert [replace(waiver, origin="") for waiver in found[len(before) :]] == more
    lines = {int(waiver.origin.rpartition(":")[2]) for waiver in found[len(before) :]}
    assert parse(pruned(now, "w.yaml", lines), "w.yaml") == before


def test_comments_go_with_what_they_are_above_of_and_nothing_else_changes() -> None:
    text = """\
# ours
waivers:
  # of the agent
  - {finding: F-000000000001, hosts: a, reason: r, owner: o, expires: 2027-01-31}  # one

  # of the other
  - {finding: F-000000000002, hosts: a, reason: r, owner: o, expires: 2027-01-31}
"""
    kept = pruned(text, "w.yaml", {4})
    assert kept.startswith("# ours\nwaivers:\n")
    assert "of the agent" not in kept
    assert "# of the other\n  - {finding: F-000000000002" in kept
    assert pruned(text, "w.yaml", set()) == text
    assert parse(pruned(text, "w.yaml", {4, 7}), "w.yaml") == ()


SECTIONS = """\
# waivers: what we accept, see the wiki
waivers:   # by team
- {finding: F-000000000001, hosts: a, reason: r, owner: o, expires: 2027-01-31}
  # said by Ann

# --- team B ---

# of the other
- {finding: F-000000000002, hosts: a, reason: r, owner: o, expires: 2027-01-31}

# reviewed each quarter
"""


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_list_that_is_not_indented_is_added_to_as_it_is_written(end: str) -> None:
    text = SECTIONS.replace("\n", end)
    more = replace(parse(text, "w.yaml")[0], finding="F-000000000003", origin="")
    now = added(text, [more])
    assert now.startswith(text)
    assert now.count("\n") == now.count(end)
    assert [waiver.finding[-1] for waiver in parse(now, "w.yaml")] == ["1", "2", "3"]
    lines = {int(waiver.origin.rpartition(":")[2]) for waiver in parse(now, "w.yaml") if waiver.finding[-1] == "3"}
    assert pruned(now, "w.yaml", lines) == text + end


def test_headings_and_what_stands_behind_the_last_stay_when_all_is_taken_out() -> None:
    assert (
        pruned(SECTIONS, "w.yaml", {3, 9})
        == """\
# waivers: what we accept, see the wiki
waivers: []   # by team
# --- team B ---

# reviewed each quarter
"""
    )
    assert "# of the other\n- {finding: F-000000000002" in pruned(SECTIONS, "w.yaml", {3})


@pytest.mark.parametrize("text", ["waivers: [ ]  # waivers: [] is none\n", "waivers: []", "waivers:\n  []\n"])
def test_an_empty_list_is_added_to(text: str) -> None:
    assert len(parse(added(text, parse(GOOD, "w.yaml")), "w.yaml")) == 2


def test_what_each_is_stands_above_it_on_a_line_of_its_own() -> None:
    control = Waiver(
        finding="C-000000000001",
        resources=tuple(f"/srv/with a long name/{number}" for number in range(9)),
        hosts=tuple(f"web-{number}" for number in range(200)),
        reason="r",
        owner="o",
        expires=date(2027, 1, 31),
    )
    text = added("", [control], {control.finding: "high: /srv/\nwaivers: []\u2028 is open\ufffe to all"})
    (read,) = parse(text, "w.yaml")
    assert replace(read, origin="") == control
    assert max(map(len, text.splitlines())) <= 120
    assert "\n  # high: /srv/\\U0000000awaivers: []\\U00002028 is open" in text
    assert parse(pruned(text, "w.yaml", {int(read.origin.rpartition(":")[2])}), "w.yaml") == ()
    assert "is open" not in pruned(text, "w.yaml", {int(read.origin.rpartition(":")[2])})


def test_a_list_in_brackets_cannot_be_added_to_and_the_place_is_told() -> None:
    text = "waivers: [{finding: F-000000000002, hosts: a, reason: r, owner: o, expires: 2027-01-31}]\n"
    with pytest.raises(UsageError, match="do not stand one below the other"):
        added(text, parse(text, "w.yaml"))


def test_the_documented_file_is_read() -> None:
    page = (Path(__file__).parents[2] / "docs/formats/waivers.md").read_text()
    example = page.partition("```yaml\n")[2].partition("```")[0]
    first, second = parse(example, "w.yaml")
    assert (first.exact, second.rule) == (True, "ssh-root-login")
    assert all(f"| `{state.value}` |" in page for state in WaiverState)
    assert all(
        f"{days} for `{severity.word}`" in page or f"{days} days for what is" in page
        for severity, days in LONGEST.items()
        if severity > Severity.LOW
    )
