"""What each zone class accepts, and what it refuses whatever it is told."""

import pytest

from driftscan.compare import diff
from driftscan.compare.rotation import base_of
from driftscan.model.drift import Difference
from driftscan.model.resource import Resource
from driftscan.model.zone import Zone, ZoneClass
from tests.compare.building import A, B, directory, file, link, manifest, snapshot, thing, zone


def verdict(rule: Zone, old: Resource | None, new: Resource | None, *, born: bool = False) -> Difference:
    image = manifest(*([old] if old else []), zones=[rule])
    found = diff(image, snapshot(*([new] if new else [])), born=born).differences
    assert len(found) == 1
    return found[0]


OLD = file("/x")
CONTENT = file("/x", sha256=B, size=12)
MODE = file("/x", mode="0600")
OWNER = file("/x", uid=7)
ACCEPTED = {
    # class: content changed, mode changed, appeared, vanished
    "sealed": (False, False, False, False),
    "boot-once": (True, True, True, True),
    "identity": (True, False, False, False),
    "derived": (True, False, False, False),
    "rotating-log": (True, False, False, False),
    "renewing": (True, False, False, False),
    "secret": (True, False, False, False),
    "free": (True, False, True, True),
}


@pytest.mark.parametrize("name", ACCEPTED)
def test_what_each_class_accepts_of_a_file(name: str) -> None:
    rule = zone("/x", name)
    pairs = ((OLD, CONTENT), (OLD, MODE), (None, OLD), (OLD, None))
    assert tuple(verdict(rule, old, new).allowed for old, new in pairs) == ACCEPTED[name]
    assert verdict(rule, OLD, OWNER).allowed is ACCEPTED[name][1]


def test_every_class_is_spoken_of() -> None:
    assert {*ACCEPTED, "append-only", "external"} == {item.value for item in ZoneClass}


def test_what_is_refused_is_told_without_what_is_free() -> None:
    item = verdict(zone("/x", "derived"), OLD, file("/x", sha256=B, mode="0666"))
    assert set(item.attributes) == {"mode"}
    assert item.zone is ZoneClass.DERIVED


def test_after_birth_nothing_is_boot_once() -> None:
    assert not verdict(zone("/x", "boot-once"), OLD, CONTENT, born=True).allowed


def test_names_are_freed_or_kept_when_the_zone_says_so() -> None:
    assert verdict(zone("/x", "identity", may_appear=True), None, OLD).allowed
    assert verdict(zone("/x", "derived", may_vanish=True), OLD, None).allowed
    assert not verdict(zone("/x", "free", may_appear=False), None, OLD).allowed
    assert not verdict(zone("/x", "free", may_vanish=False), OLD, None).allowed


def test_a_zone_of_named_attributes_frees_these_alone() -> None:
    rule = zone("/x", "free", attributes=("uid",))
    assert verdict(rule, OLD, OWNER).allowed
    refused = verdict(rule, OLD, CONTENT)
    assert not refused.allowed
    assert refused.zone is ZoneClass.SEALED
    assert not verdict(rule, None, OLD).allowed
    assert not verdict(rule, OLD, None).allowed


DANGERS = [
    (file("/x", mode="4755"), "set-id"),
    (file("/x", mode="2755"), "set-id"),
    (file("/x", capabilities="cap_net_raw=ep"), "capabilities"),
    (file("/x", type="block", device="8:0"), "device"),
    (file("/x", type="character", device="1:1"), "device"),
    (file("/x", mode="0755"), "executable"),
    (file("/x", mode="0654"), "executable"),
]


@pytest.mark.parametrize("name", sorted({item.value for item in ZoneClass} - {"sealed", "external"}))
@pytest.mark.parametrize(("new", "why"), DANGERS)
def test_what_is_dangerous_is_refused_where_content_is_free(name: str, new: Resource, why: str) -> None:
    item = verdict(zone("/x", name, may_appear=True), None, new)
    assert not item.allowed
    assert why in item.why
    became = verdict(zone("/x", name), OLD, new)
    assert not became.allowed
    assert why in became.why


def test_executables_are_allowed_where_the_zone_says_so() -> None:
    assert verdict(zone("/x", "free", executables=True), None, file("/x", mode="0755")).allowed


def test_directories_and_links_are_no_executables() -> None:
    assert verdict(zone("/x", "free"), None, directory("/x", mode="2755")).allowed
    assert verdict(zone("/x", "free"), None, link("/x", "/bin/sh")).allowed


def test_an_executable_of_the_image_may_change_in_a_free_zone() -> None:
    assert verdict(zone("/x", "free"), file("/x", mode="0755"), file("/x", mode="0755", sha256=B)).allowed


APPENDED = [
    ({"prefix_sha256": A}, 12, "", True),
    ({"prefix_sha256": B}, 12, "not the beginning", False),
    ({}, 12, "not the beginning", False),
    ({"prefix_sha256": A}, 9, "shrunk", False),
]


@pytest.mark.parametrize(("observed", "size", "why", "allowed"), APPENDED)
def test_append_only_proves_that_the_old_bytes_are_still_there(
    observed: dict[str, str], size: int, why: str, allowed: bool
) -> None:
    item = verdict(zone("/x", "append-only"), OLD, file("/x", observed, size=size, sha256=B))
    assert item.allowed is allowed
    assert why in item.why


def test_append_only_to_an_empty_file_needs_no_proof() -> None:
    assert verdict(zone("/x", "append-only"), file("/x", size=0), file("/x", size=5, sha256=B)).allowed


def test_an_identity_is_never_empty() -> None:
    assert "empty" in verdict(zone("/x", "identity"), OLD, file("/x", size=0, sha256=B)).why
    assert verdict(zone("/x", "identity"), file("/x", size=0), CONTENT).allowed


@pytest.mark.parametrize(
    ("name", "base"),
    [
        ("/l/syslog.1", "/l/syslog"),
        ("/l/syslog.12.gz", "/l/syslog"),
        ("/l/app.log.2.xz", "/l/app.log"),
        ("/l/app-20261120", "/l/app"),
        ("/l/app.log-20261120.zst", "/l/app.log"),
        ("/l/app.log-2026112013", "/l/app.log"),
        ("/l/app-2026-11-20.log", "/l/app.log"),
        ("/l/app.1.log", "/l/app.log"),
        ("/l/app.log.old", "/l/app.log"),
        ("/l/app.log", None),
        ("/l/app.log.gz", None),
        ("/l/.1", None),
        ("/l/app-2026", None),
        ("/l/" + "a" * 300 + ".1", None),
    ],
)
def test_names_of_rotated_logs(name: str, base: str | None) -> None:
    assert base_of(name) == base


LOGS = zone("/l/**", "rotating-log")


def logs(old: list[Resource], new: list[Resource]) -> dict[str, tuple[bool, str]]:
    found = diff(manifest(*old, zones=[LOGS]), snapshot(*new)).differences
    return {item.key: (item.allowed, item.why) for item in found}


def test_rotated_copies_come_and_go() -> None:
    old = [file("/l/a.log", mode="0640", gid=4), file("/l/a.log.1", mode="0640", gid=4), file("/l/b.log")]
    new = [file("/l/a.log", mode="0640", gid=4, size=0), file("/l/a.log.2.gz", mode="0640", gid=4), file("/l/b.log.1")]
    assert {key: allowed for key, (allowed, _) in logs(old, new).items()} == {
        "/l/a.log": True, "/l/a.log.1": True, "/l/a.log.2.gz": True, "/l/b.log": True, "/l/b.log.1": True,
    }  # fmt: skip


def test_a_rotated_copy_must_be_as_closed_as_its_log() -> None:
    old = [file("/l/a.log", mode="0640", gid=4)]
    found = logs(old, [*old, file("/l/a.log.1", mode="0644", gid=4), file("/l/a.log.2", mode="0640", gid=0)])
    assert not found["/l/a.log.1"][0]
    assert not found["/l/a.log.2"][0]
    assert logs(old, [*old, file("/l/a.log.1", mode="0600", gid=4)])["/l/a.log.1"] == (True, "")


@pytest.mark.parametrize(
    ("key", "mode", "allowed"),
    [
        ("/var/log/exim/mainlog.1", "0640", True),
        ("/var/log/exim/mainlog.2.gz", "0640", True),
        ("/var/log/exim/mainlog.1", "0755", False),
        ("/var/log/exim/other.1", "0640", False),
        ("/var/log/exim/mainlog.x", "0640", False),
    ],
)
def test_a_copy_of_a_log_that_may_come_may_outlive_it(key: str, mode: str, allowed: bool) -> None:
    """The image never ran; since the log was rotated nothing was logged (seen with exim's on Debian 12)."""
    rules = [zone("/var/log/**", "rotating-log"), zone("/var/log/exim/*log", "rotating-log", may_appear=True)]
    (item,) = diff(manifest(zones=rules), snapshot(file(key, mode=mode))).differences
    assert item.allowed is allowed


def test_what_is_no_copy_of_a_log_does_not_appear() -> None:
    found = logs([file("/l/a.log")], [file("/l/a.log"), file("/l/evil.sh"), file("/l/x.log.1")])
    assert found == {"/l/evil.sh": (False, ""), "/l/x.log.1": (False, "")}


def test_a_log_that_vanished_without_a_copy_is_told() -> None:
    assert logs([file("/l/a.log")], []) == {"/l/a.log": (False, "")}


def addresses(*keys: str) -> list[Resource]:
    return [thing("address", key, prefix=24) for key in keys]


def test_another_address_is_the_hosts_own_one_more_is_not() -> None:
    rule = [zone("address:*/*.*", "identity")]
    image = manifest(*addresses("eth0/10.0.0.5/24", "lo/127.0.0.1/8"), zones=rule)
    moved = diff(image, snapshot(*addresses("eth0/10.0.0.6/24", "lo/127.0.0.1/8"))).differences
    assert [item.allowed for item in moved] == [True, True]
    more = diff(image, snapshot(*addresses("eth0/10.0.0.6/24", "eth0/10.0.0.7/24", "lo/127.0.0.1/8"))).differences
    assert [item.allowed for item in more] == [False, False, False]


def test_attributes_of_other_kinds() -> None:
    old, new = thing("interface", "eth0", mac="a", mtu=1500), thing("interface", "eth0", mac="b", mtu=1500)
    assert verdict(zone("interface:*", "identity", attributes=("mac",)), old, new).allowed
    jumbo = thing("interface", "eth0", mac="b", mtu=9000)
    assert set(verdict(zone("interface:*", "identity", attributes=("mac",)), old, jumbo).attributes) == {"mtu"}
    assert verdict(zone("interface:*", "free"), old, jumbo).allowed


def test_a_renewed_certificate_ends_later() -> None:
    rule = zone("ca_certificate:*", "renewing")
    old = thing("ca_certificate", "k", subject="x", not_valid_after="2026-01-01T00:00:00Z")
    later = thing("ca_certificate", "k", subject="x", not_valid_after="2027-01-01T00:00:00Z")
    assert verdict(rule, old, later).allowed
    assert not verdict(rule, later, old).allowed
    other = thing("ca_certificate", "k", subject="y", not_valid_after="2027-01-01T00:00:00Z")
    assert set(verdict(rule, old, other).attributes) == {"subject"}


LIVE = "/etc/letsencrypt/live/shop"


@pytest.mark.parametrize(
    ("target", "allowed"),
    [
        ("../../archive/shop/cert2.pem", True),
        ("../../archive/shop/cert10.pem", True),
        ("../../archive/other/cert2.pem", False),
        ("../../archive/shop/fullchain2.pem", False),
        ("../../archive/shop/cert2.pem.x", False),
        ("/tmp/cert2.pem", False),
        ("", False),
    ],
)
def test_a_renewed_link_leads_to_a_successor(target: str, allowed: bool) -> None:
    old = link(f"{LIVE}/cert.pem", "../../archive/shop/cert1.pem")
    item = verdict(zone("/etc/letsencrypt/live/**", "renewing"), old, link(f"{LIVE}/cert.pem", target))
    assert item.allowed is allowed
    assert allowed or "successor" in item.why


@pytest.mark.parametrize("number", [2, 6])
def test_a_renewed_key_is_as_closed_as_the_one_before(number: int) -> None:
    rule = zone("/a/*.pem", "renewing", may_appear=True)
    known = file("/a/privkey1.pem", mode="0600", uid=0, gid=4)

    def next_one(mode: str, gid: int) -> Difference:
        new = file(f"/a/privkey{number}.pem", mode=mode, uid=0, gid=gid)
        (item,) = diff(manifest(known, zones=[rule]), snapshot(known, new)).differences
        return item

    assert next_one("0600", 4).allowed
    assert next_one("0400", 4).allowed
    assert "more may read" in next_one("0640", 4).why
    assert "another owner" in next_one("0600", 0).why


def test_the_first_of_its_name_has_none_to_be_measured_by() -> None:
    rule = zone("/a/*.pem", "renewing", may_appear=True)
    assert verdict(rule, None, file("/a/privkey1.pem", mode="0640")).allowed
    assert verdict(rule, None, file("/a/privkey.pem", mode="0640")).allowed


def test_of_what_is_known_to_be_the_hosts_own_no_other_is_as_good() -> None:
    rule = zone("dns:nameserver:*", "identity")
    image = manifest(thing("dns", "nameserver:192.0.2.1"), zones=[rule])
    now = snapshot(thing("dns", "nameserver:192.0.2.9"))
    assert all(item.allowed for item in diff(image, now).differences)
    assert not any(item.allowed for item in diff(image, now, own=frozenset({"dns"})).differences)
