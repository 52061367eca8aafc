"""The gate's result as text and JSON: nothing of a host reaches a terminal raw, and JSON is what its schema says."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from driftscan.model.declared import FileEntry
from driftscan.model.drift import Cause, CauseType, Change, Delta, Difference, Mutation, Uncompared
from driftscan.model.finding import Action, JudgedMutation, RuleRef, Severity
from driftscan.model.gate import (
    Explained,
    Fate,
    Fleet,
    GateResult,
    GateVerdict,
    Ground,
    HandFix,
    ImageChange,
    Open,
    PartFate,
    ScannedHost,
)
from driftscan.model.names import encode_name
from driftscan.model.result import HostImage
from driftscan.model.source import Gap, Status
from driftscan.reports import _gate, _gate_markdown
from driftscan.reports._base import Style
from driftscan.reports._build import difference as written
from driftscan.reports._gate_text import fleet_line, render, section_of
from driftscan.reports._mutations import difference, mutation
from driftscan.reports.json import report
from tests.reports import samples

EVIL = tuple(encode_name(name) for name in samples.HOSTILE)
ENTRY = FileEntry(paths=("/opt/\x1b[31m**",), reason="be\x1bcause", origin="changes\x07.yaml:1:2")


def changed(key: str) -> Difference:
    attributes = {"target": Delta(key, key + "\x1b]0;x\x07")}
    return Difference(
        kind="file", key=key, change=Change.MODIFIED, attributes=attributes, text=f"-{key}\n+\x9bx", why=key
    )


def result() -> GateResult:
    """A result in which everything that a host could name is hostile."""
    items = [changed(key) for key in EVIL]
    cause = Cause(CauseType.CONFIGURATION_CHANGED, EVIL[0], EVIL[1])
    judged = JudgedMutation(
        mutation=Mutation(id="F-00000001", title=EVIL[1], cause=cause, differences=tuple(items)),
        severity=Severity.HIGH,
        action=Action.REPLACE,
        rule=RuleRef("r"),
    )
    fix = HandFix(
        id="F-00000002",
        title=EVIL[2],
        cause=cause,
        action="replace",
        actors=(EVIL[1],),
        hosts=EVIL,
        fate=Fate.OTHER,
        parts=tuple(PartFate(item, Fate.OTHER, {"target": EVIL[1]}) for item in items),
        build=("rm -f -- x",),
    )
    return GateResult(
        candidate=EVIL[1],
        image=HostImage(id=EVIL[1], version="7"),
        approved=EVIL[0],
        started_at="2026-11-20T10:00:00Z",
        verdict=GateVerdict.FAILED,
        reasons=(EVIL[1],),
        raw=3 * len(items),
        zoned=0,
        changes=(
            ImageChange(
                judged=judged,
                explained=tuple(Explained(item, ENTRY.origin, Ground.NAMED) for item in items),
                residual=tuple(Open(item, EVIL[1]) for item in items),
                unproved=tuple(Open(item, EVIL[1]) for item in items),
            ),
        ),
        identities=(judged,),
        controls=samples.drifted().controls,
        entries=(ENTRY,),
        unused=(ENTRY,),
        unknown=tuple(items),
        uncompared=tuple(Uncompared(text, 3, text, baked) for text in EVIL for baked in (True, False)),
        gaps=(Gap("files", Status.FORBIDDEN, EVIL[1], EVIL),),
        torn=EVIL,
        notes=EVIL,
        fleet=Fleet(
            hosts=(ScannedHost(EVIL[1], "2026-11-20T10:00:00Z", "incomplete"),),
            never_scanned=EVIL,
            fixes=(fix,),
            suspicious=(fix,),
            by_image=(fix,),
        ),
    )


@pytest.mark.parametrize("verbose", [0, 1])
def test_nothing_of_a_host_reaches_the_terminal_raw(verbose: int) -> None:
    text = "".join(render(result(), Style(width=80, verbose=verbose)))
    assert not {char for char in text if char != "\n" and not char.isprintable()}


def test_markdown_is_inert() -> None:
    """As the report's own Markdown: what a host says cannot leave its code span or be taken for HTML or a mention."""
    text = "".join(_gate_markdown.render(result())).replace("\\`", "")  # an escaped one begins no span
    assert not {char for char in text if char != "\n" and not char.isprintable()}
    # A text that changed stands in a fence, in which each line begins with a mark and so none can end it.
    text, fences = re.subn(r"^```diff\n(?:[-+ @\\…].*\n)*```$", "", text, flags=re.MULTILINE)
    assert fences
    assert "<script" not in text
    assert "@root" not in "".join(text.split("`")[::2])
    assert all(line.count("`") % 2 == 0 for line in text.split("\n"))


def test_colours_are_all_that_is_added() -> None:
    plain = "".join(render(result(), Style(width=80)))
    colored = "".join(render(result(), Style(width=80, color=True)))
    assert colored != plain
    for code in ("\x1b[0m", *(f"\x1b[{number}m" for number in ("1", "2", "31", "32", "33", "36", "1;31"))):
        colored = colored.replace(code, "")
    assert colored == plain


def test_json_fits_its_schema_and_is_ascii() -> None:
    text = _gate.render(result())
    assert text.isascii()
    assert list(Draft202012Validator(_gate.schema()).iter_errors(json.loads(text))) == []


def test_every_field_ground_and_fate_is_documented() -> None:
    page = (Path(__file__).parents[2] / "docs/formats/gate.md").read_text()
    built = _gate.build(result())
    names = [*built, *built["accounting"], *built["changes"][0], *built["fleet"], *built["fleet"]["fixes"][0]]
    words = [*names, *(ground.value for ground in Ground), *(fate.value for fate in Fate)]
    assert [word for word in words if word not in page] == []


def test_what_is_cut_on_the_screen_is_whole_in_json() -> None:
    many = tuple(Open(changed(f"/x/{n}"), "") for n in range(100))
    change = replace(result().changes[0], unproved=many)
    told = replace(result(), changes=(change,))
    assert "… and 80 more" in "".join(render(told, Style()))
    assert len(_gate.build(told)["changes"][0]["unproved"]) == 100


@pytest.mark.parametrize("cause", CauseType)
def test_every_cause_has_a_place_in_the_changelog(cause: CauseType) -> None:
    alone = {CauseType.UNEXPLAINED, CauseType.IDENTITY_SHARED, CauseType.IMAGE_UNKNOWN, CauseType.HOST_KEY_CHANGED,
             CauseType.COVERAGE_FELL, CauseType.LOG_MISSING, CauseType.INTERACTIVE_LOGIN}  # fmt: skip
    assert (section_of(cause) == "Other") is (cause in alone)


@pytest.mark.parametrize(
    ("fates", "says"),
    [
        ([], "Replacing these 2 hosts reverts no hand fix"),
        ([Fate.LOST], "Replacing these 2 hosts reverts 1 hand fix: 1 would be lost"),
        (
            [Fate.LOST, Fate.CONTAINED, Fate.CONTAINED],
            "Replacing these 2 hosts reverts 3 hand fixes: 2 are in the candidate, 1 would be lost",
        ),
    ],
)
def test_the_fleet_in_one_sentence(fates: list[Fate], says: str) -> None:
    (fix,) = result().fleet.fixes
    hosts = tuple(ScannedHost(name, "2026-11-20T10:00:00Z", "findings") for name in ("a", "b"))
    assert fleet_line(Fleet(hosts=hosts, fixes=tuple(replace(fix, fate=fate) for fate in fates))) == says


def test_mutations_of_a_report_are_what_they_were() -> None:
    drifted = samples.drifted()
    (host,) = json.loads("".join(report.render(samples.result(drifted), Style())))["hosts"]
    read = [mutation(each) for each in host["mutations"]]
    assert read == [replace(judged.mutation, content="") for judged in drifted.mutations]
    assert read


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=3).map(tuple) | st.dictionaries(st.text("ab"), inner, max_size=3),
    max_leaves=6,
)


@given(st.dictionaries(st.text("xyz"), st.tuples(VALUES, VALUES)), st.sampled_from(Change), st.booleans())
def test_a_difference_comes_back_as_it_went(
    deltas: dict[str, tuple[object, object]], change: Change, allowed: bool
) -> None:
    attributes = {name: Delta(*delta) for name, delta in deltas.items()}  # type: ignore[arg-type]
    item = Difference(kind="k", key="x", change=change, attributes=attributes, allowed=allowed, why="w", text="t")
    assert difference(json.loads(json.dumps(written(item)))) == item
