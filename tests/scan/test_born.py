"""The reference that a birth makes of an image's manifest, what hosts launched alike have in common, and siblings."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftscan.compare.diff import diff
from driftscan.model.birth import Birth, BirthRecord, Ground
from driftscan.model.codec import encode_resource
from driftscan.model.host import Host
from driftscan.model.matching import Matcher
from driftscan.model.resource import Resource
from driftscan.model.snapshot import CollectorCoverage, CollectorStatus
from driftscan.model.zone import ZoneClass
from driftscan.scan.born import reference, template
from driftscan.scan.delivery import Delivery, Outcome
from driftscan.scan.siblings import compared
from driftscan.scan.targets import Target
from tests.compare import building
from tests.compare.building import A, B, file, thing, zone


def record(item: Resource, ground: Ground = Ground.DECLARED) -> BirthRecord:
    return BirthRecord(kind=item.kind, key=item.key, line=encode_resource(item), ground=ground, why="because")


def gone(kind: str, key: str) -> BirthRecord:
    return BirthRecord(kind=kind, key=key, line=None, ground=Ground.ZONE, why="because")


def birth(*records: BirthRecord, user_data: str = "u" * 64, **more: object) -> Birth:
    return Birth(
        machine={"file:/etc/machine-id": "m"},
        manifest="sha256:aa",
        taken_at="2026-11-26T07:00:00Z",
        user_data=user_data,
        records=records,
        digest="sha256:bb",
        **more,  # type: ignore[arg-type]
    )


things = st.dictionaries(
    st.sampled_from(["/etc/a", "/etc/b", "/srv/c", "user a", "user b"]), st.sampled_from([A, B]), max_size=5
).map(
    lambda found: tuple(
        file(name, sha256=text) if name.startswith("/") else thing("user", name[5:], shell=text)
        for name, text in sorted(found.items())
    )
)


@given(things, things)
def test_a_host_that_is_as_at_birth_differs_in_nothing_whatever_the_image_was(
    baked: tuple[Resource, ...], found: tuple[Resource, ...]
) -> None:
    manifest, taken = building.manifest(*baked), building.snapshot(*found)
    have = {item.id: item for item in found}
    records = [
        record(have[item.id]) if item.id in have else gone(item.kind, item.key)
        for item in diff(manifest, taken).differences
    ]
    own = reference(manifest, birth(*records))
    assert diff(own, taken, born=True).differences == ()
    assert own.digest != manifest.digest


@given(things, things, things)
def test_every_later_change_is_found(
    baked: tuple[Resource, ...], found: tuple[Resource, ...], later: tuple[Resource, ...]
) -> None:
    manifest, taken = building.manifest(*baked), building.snapshot(*found)
    have = {item.id: item for item in found}
    records = [
        record(have[item.id]) if item.id in have else gone(item.kind, item.key)
        for item in diff(manifest, taken).differences
    ]
    own = reference(manifest, birth(*records))
    expected = {item.id for item in diff(building.manifest(*found), building.snapshot(*later)).differences}
    assert {item.id for item in diff(own, building.snapshot(*later), born=True).differences} == expected


def test_what_first_boot_may_change_is_sealed_by_a_birth() -> None:
    baked = building.manifest(file("/etc/net"), zones=[zone("/etc/net", ZoneClass.BOOT_ONCE)])
    at_birth, later = file("/etc/net", sha256=B), file("/etc/net", sha256="c" * 64)
    own = reference(baked, birth(record(at_birth, Ground.ZONE)))
    assert diff(own, building.snapshot(at_birth), born=True).differences == ()
    assert [item.allowed for item in diff(own, building.snapshot(later), born=True).differences] == [False]


def test_texts_and_answers_of_what_changed_are_not_those_of_the_image() -> None:
    baked = building.manifest(file("/etc/a"), texts={"/etc/a": "old", "/etc/b": "kept"})
    baked = replace(baked, source_digests={"passwd": "1", "group": "2"})
    own = reference(baked, birth(record(file("/etc/a", sha256=B)), sources={"passwd": "", "group": "3"}))
    assert dict(own.texts) == {"/etc/b": "kept"}
    assert own.source_digests == {"group": "3"}


def test_kinds_of_which_an_image_that_did_not_run_says_nothing_are_of_the_birth() -> None:
    stored = (CollectorCoverage("files", 1, ("file",), CollectorStatus.COMPLETE),)
    baked = replace(building.manifest(covered=stored), live=False)
    port = thing("listen", "tcp/0.0.0.0:22")
    own = reference(baked, birth(record(port, Ground.RUNNING), coverage=(("rest", 1, ("listen",)),)))
    other = thing("listen", "tcp/0.0.0.0:80")
    found = diff(own, building.snapshot(other), born=True).differences
    assert [(item.key, item.change.value) for item in found] == [
        ("tcp/0.0.0.0:22", "removed"),
        ("tcp/0.0.0.0:80", "added"),
    ]


def test_a_template_is_what_all_have_alike_and_nobody_accepted_by_hand() -> None:
    user, other, made = thing("user", "a"), thing("user", "b"), file("/srv/a")
    rows = file("/etc/keys")
    zones = Matcher([zone("/etc/keys", ZoneClass.DERIVED)])
    first = birth(
        *(record(user), record(other), record(made, Ground.FIRST_BOOT)),
        *(record(thing("cron", "x"), Ground.HAND), record(rows), record(file("/etc/net"), Ground.ZONE)),
    )
    second = birth(record(user), record(made, Ground.FIRST_BOOT), record(file("/etc/keys", sha256=B)))
    found = template([first, second], zones)
    assert found is not None
    assert [item.key for item in found.records] == ["a", "/srv/a", "/etc/keys"]
    alone = template([first], zones)
    assert alone is not None
    assert [item.key for item in alone.records] == ["a", "b", "/etc/keys"]


def test_births_in_doubt_make_no_template() -> None:
    assert template([birth(record(thing("user", "a")), doubts=("late",))], Matcher([])) is None
    assert template([], Matcher([])) is None


def delivery(name: str, *records: BirthRecord, user_data: str = "u" * 64) -> Delivery:
    host = Host(name=name, address=name, labels={})
    target = Target("ssh", name, f"ssh://{name}", host=host)
    return Delivery(target=target, outcome=Outcome.RECORDED, birth=birth(*records, user_data=user_data))


def doubts(*deliveries: Delivery) -> list[str]:
    found = compared(deliveries, {})
    return [each.birth.doubts[0].partition(": ")[2] if each.birth and each.birth.doubts else "" for each in found]


MADE = record(file("/srv/a"), Ground.FIRST_BOOT)


def test_siblings_that_agree_are_in_no_doubt() -> None:
    assert doubts(delivery("a", MADE), delivery("b", MADE), delivery("c", MADE)) == ["", "", ""]


def test_what_one_host_alone_has_is_in_doubt_and_not_accepted() -> None:
    found = compared([delivery("a"), delivery("b", MADE), delivery("c")], {})
    assert [bool(each.birth and each.birth.doubts) for each in found] == [False, True, False]
    assert found[1].birth is not None
    assert found[1].birth.records == ()


def test_what_one_host_alone_lacks_is_in_doubt() -> None:
    assert doubts(delivery("a", MADE), delivery("b", MADE), delivery("c")) == ["", "", "no file /srv/a"]


def test_of_two_that_differ_neither_is_believed() -> None:
    assert doubts(delivery("a", MADE), delivery("b")) == ["file /srv/a", "no file /srv/a"]


@pytest.mark.parametrize(("texts", "told"), [("aab", ["", "", "file /srv/a"]), ("abc", ["", "", ""])])
def test_other_content_than_all_others_is_in_doubt_unless_each_has_its_own(texts: str, told: list[str]) -> None:
    made = [record(file("/srv/a", sha256=text * 64), Ground.FIRST_BOOT) for text in texts]
    assert doubts(*(delivery(str(number), each) for number, each in enumerate(made))) == told


def test_what_is_declared_needs_no_sibling() -> None:
    assert doubts(delivery("a", record(thing("user", "a"))), delivery("b"), delivery("c")) == ["", "", ""]


def test_a_port_that_one_host_alone_has_open_is_in_doubt() -> None:
    port = record(thing("listen", "tcp/0.0.0.0:8099"), Ground.RUNNING)
    assert doubts(delivery("a", port), delivery("b"), delivery("c")) == ["listen tcp/0.0.0.0:8099", "", ""]


def test_other_user_data_make_no_sibling() -> None:
    others = [delivery("b", user_data="v" * 64), delivery("c", user_data="")]
    assert doubts(delivery("a", MADE), *others) == ["", "", ""]


def test_births_on_record_are_siblings_and_those_in_doubt_only_where_there_are_no_others() -> None:
    stored = {"u" * 64: {"x": birth(MADE), "y": birth(MADE), "z": birth(doubts=("late",))}}
    (found,) = compared([delivery("a")], stored)
    assert found.birth is not None
    assert len(found.birth.doubts) == 1
    (found,) = compared([delivery("a", MADE)], stored)
    assert found.birth is not None
    assert found.birth.doubts == ()
