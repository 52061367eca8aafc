"""Zones learned from several boots: as strict as the boots allow, and never about what runs or who gets in."""

from collections.abc import Iterable, Sequence

import pytest

from driftscan.compare import diff
from driftscan.model.drift import Difference
from driftscan.model.manifest import Manifest
from driftscan.model.resource import Resource, Value
from driftscan.model.snapshot import Snapshot
from driftscan.model.zone import Provenance, Zone, ZoneClass
from driftscan.zones import Boots, Learned, merge
from driftscan.zones.shapes import shape
from tests.compare.building import A, B, C, directory, file, link, manifest, snapshot, thing, zone


def compare(image: Manifest, host: Snapshot, zones: Sequence[Zone]) -> Iterable[Difference]:
    return diff(image, host, zones).differences


def boots(*each: Sequence[Resource]) -> list[Snapshot]:
    return [snapshot(*items, host=f"boot{number}") for number, items in enumerate(each, 1)]


def taught(*each: Sequence[Resource], zones: Sequence[Zone] = ()) -> Learned:
    return Boots(boots(*each), zones, compare).learn()


def patterns(found: Learned) -> dict[str, ZoneClass]:
    return {item.pattern: item.zone for item in found.zones}


def test_boots_that_agree_teach_nothing() -> None:
    assert taught([file("/a")], [file("/a")]) == Learned()
    assert taught([file("/a")]) == Learned()


def test_what_zones_accept_already_is_not_learned() -> None:
    assert taught([file("/a")], [file("/a", sha256=B)], zones=[zone("/a", "free")]) == Learned()


def test_content_alone_is_freed_where_content_alone_differs() -> None:
    (found,) = taught([file("/var/lib/x")], [file("/var/lib/x", sha256=B, size=9)]).zones
    assert (found.pattern, found.zone, found.attributes) == ("/var/lib/x", ZoneClass.FREE, ("sha256", "size"))
    assert (found.may_appear, found.may_vanish, found.provenance) == (False, False, Provenance.LEARNED)
    assert found.reason == "boots differ in sha256, size"
    assert found.origin == "learned from boot1, boot2"


def test_a_value_of_its_own_in_each_boot_is_an_identity() -> None:
    found = taught(*([file("/etc/id", sha256=digest)] for digest in (A, B, C)))
    assert patterns(found) == {"/etc/id": ZoneClass.IDENTITY}
    assert patterns(taught(*([file("/etc/id", sha256=digest)] for digest in (A, B, B)))) == {"/etc/id": ZoneClass.FREE}
    assert patterns(taught(*([file("/var/id", sha256=digest)] for digest in (A, B, C)))) == {"/var/id": ZoneClass.FREE}


def test_what_only_some_boots_have_may_come_and_go() -> None:
    (found,) = taught([file("/var/lib/x")], []).zones
    assert (found.pattern, found.zone, found.attributes) == ("/var/lib/x", ZoneClass.FREE, ())
    assert found.reason == "1 of 2 boots have it"


def test_names_of_one_shape_are_generalised() -> None:
    trees = [
        [directory(f"/var/lib/x/{name}"), file(f"/var/lib/x/{name}/data"), file(f"/var/lib/x/{name}/more")]
        for name in ("0123456789abcdef", "fedcba9876543210", "00112233445566aa")
    ]
    assert set(patterns(taught(*trees))) == {"/var/lib/x/*", "/var/lib/x/*/**"}


def test_names_of_one_shape_that_a_boot_lacks_are_not() -> None:
    found = taught([file("/var/x/1000")], [file("/var/x/2000")], [])
    assert set(patterns(found)) == {"/var/x/1000", "/var/x/2000"}


@pytest.mark.parametrize(
    ("path", "host", "expected"),
    [
        ("/var/log/journal/0123456789abcdef0123456789abcdef", "", "/var/log/journal/*"),
        ("/x/123e4567-e89b-12d3-a456-426614174000.dat", "", "/x/*.dat"),
        ("/var/lib/cloud/instances/i-0123456789abcdef0", "", "/var/lib/cloud/instances/*"),
        ("/var/lib/web-1/state", "web-1", "/var/lib/*/state"),
        ("/x/web-10", "web-1", None),
        ("/x/run-1234-5678", "", "/x/run-*"),
        ("/x/deadbeef", "", None),
        ("/x/plain", "", None),
        ("/x/a*b1234", "", None),
        ("/1234/1234/1234/1234/1234", "", None),
    ],
)
def test_shapes(path: str, host: str, expected: str | None) -> None:
    assert shape(path, host) == expected


SEALED = [
    file("/usr/bin/x"),
    file("/usr/lib/x.so.1"),
    file("/boot/x"),
    file("/etc/passwd"),
    file("/etc/sudoers.d/x"),
    file("/etc/pam.d/x"),
    file("/etc/ld.so.preload"),
    file("/etc/systemd/system/x.service"),
    file("/etc/cron.d/x"),
    file("/etc/ssh/sshd_config"),
    file("/etc/profile.d/x.sh"),
    file("/var/spool/cron/crontabs/x"),
    file("/home/x/.ssh/authorized_keys"),
    file("/root/.bashrc"),
    file("/var/lib/x/tool.py"),
    file("/var/lib/x/tool", mode="0755"),
    file("/var/lib/x/tool", mode="2644"),
    file("/var/lib/x/tool", capabilities="cap_net_raw=ep"),
    file("/var/lib/x/disk", type="block"),
    thing("user", "eve", uid=0),
    thing("group", "sudo", members=()),
    thing("password", "eve", password_status="set"),
    thing("sudo_rule", "x", rule_details="a"),
    thing("authorized_key", "x", options=()),
    thing("service", "x.service", digest="a"),
    thing("package", "x/amd64", version="1"),
    thing("listen", "tcp/0.0.0.0:1", process="a"),
]


@pytest.mark.parametrize("item", SEALED, ids=lambda item: f"{item.kind}:{item.key}")
def test_what_runs_and_who_gets_in_is_asked_and_never_relaxed(item: Resource) -> None:
    differ: dict[str, Value] = {"sha256": B, "uid": 9}
    if item.kind != "file":
        differ = dict.fromkeys(item.attributes, "other")
    for other in ([], [Resource(item.kind, item.key, {**item.attributes, **differ})]):
        found = taught([item], other)
        assert found.zones == ()
        (question,) = found.questions
        assert (question.kind, question.key) == item.id
        assert "zone with a reason" in question.text


def test_whether_a_unit_is_active_can_be_learned() -> None:
    def unit(state: str) -> list[Resource]:
        return [thing("service", "x.service", active_state=state, digest="a")]

    (found,) = taught(unit("active"), unit("inactive")).zones
    assert (found.pattern, found.attributes) == ("service:x.service", ("active_state",))


def test_another_type_is_asked() -> None:
    found = taught([file("/var/x")], [link("/var/x", "/y")])
    assert found.zones == ()
    assert "different types" in found.questions[0].why


def test_other_things_that_come_and_go_are_asked() -> None:
    (question,) = taught([thing("interface", "eth1", mtu=1500)], []).questions
    assert question.text.startswith("interface eth1 is only on boot1; ")


def boot_once(pattern: str, provenance: Provenance = Provenance.PACK) -> Zone:
    return Zone(pattern=pattern, zone=ZoneClass.BOOT_ONCE, reason="x", provenance=provenance)


SOURCES = "/etc/apt/sources.list"


def test_what_runs_and_boots_agree_in_is_not_left_to_first_boot() -> None:
    zones = [boot_once(SOURCES), boot_once("/etc/apt/more/*"), boot_once("/etc/hostname")]
    boot = [file(SOURCES, observed={"mtime": 1}), file("/etc/apt/more/x"), file("/etc/hostname")]
    other = [file(SOURCES, observed={"mtime": 2}), file("/etc/apt/more/x", sha256=B), file("/etc/hostname")]
    found = taught(boot, other, zones=zones)
    assert [(each.pattern, each.zone, each.provenance) for each in found.agreed] == [
        (SOURCES, ZoneClass.SEALED, Provenance.LEARNED)
    ]
    image = manifest(*boot, zones=[*zones, *found.agreed])
    changed = {
        item.key: item.allowed for item in diff(image, snapshot(*(file(f.key, sha256=C) for f in boot))).differences
    }
    assert changed == {SOURCES: False, "/etc/apt/more/x": True, "/etc/hostname": True}


def test_one_boot_a_missing_file_and_a_persons_word_seal_nothing() -> None:
    assert taught([file(SOURCES)], zones=[boot_once(SOURCES)]).agreed == ()
    assert taught([file(SOURCES)], [], zones=[boot_once(SOURCES)]).agreed == ()
    assert taught([], [], zones=[boot_once(SOURCES)]).agreed == ()
    assert taught([file(SOURCES)], [file(SOURCES)], zones=[boot_once(SOURCES, Provenance.HAND)]).agreed == ()
    by_hand = [boot_once("/etc/apt/*"), zone(SOURCES, "free")]
    assert taught([file(SOURCES)], [file(SOURCES)], zones=by_hand).agreed == ()


def test_the_baseline_is_what_all_boots_have() -> None:
    first = [file("/a"), file("/b"), thing("user", "x", uid=1), thing("user", "y", uid=2)]
    second = [file("/b", sha256=B), file("/c"), thing("user", "x", uid=1)]
    merged = merge(boots(first, second))
    assert tuple(merged.files.keys) == ("/b",)
    assert set(merged.small) == {("user", "x")}
    kept = merged.get("file", "/b")
    assert kept is not None
    assert kept.attributes["sha256"] == A


def test_the_baseline_keeps_one_address_for_each() -> None:
    def address(*keys: str) -> list[Resource]:
        return [thing("address", key) for key in keys]

    assert set(merge(boots(address("eth0/10.0.0.1/24"), address("eth0/10.0.0.2/24"))).small) == {
        ("address", "eth0/10.0.0.1/24")
    }
    assert merge(boots(address("eth0/10.0.0.1/24"), address())).small == {}


def test_learned_zones_explain_all_boots() -> None:
    taken = boots(
        *(
            [
                file("/etc/own", sha256=digest),
                file("/var/state", sha256=digest, size=size),
                file(f"/var/lib/{name}", mode="0600"),
                *([file("/var/some")] if size == 1 else []),
            ]
            for digest, size, name in ((A, 1, "0123456789ab"), (B, 2, "ba9876543210"), (C, 3, "0000000000aa"))
        )
    )
    found = Boots(taken, (), compare).learn()
    assert found.questions == ()
    image = manifest(*merge(taken).of("file"), zones=found.zones)
    for boot in taken:
        assert all(item.allowed for item in diff(image, boot).differences)
