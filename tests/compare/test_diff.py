"""What differs, what is not known, and what the manifest never spoke of."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftscan.compare import diff
from driftscan.compare.diff import Diff, reasons
from driftscan.model.drift import Change, Delta, Difference, Uncompared
from driftscan.model.resource import Resource
from driftscan.model.snapshot import CollectorCoverage, CollectorStatus
from tests.compare.building import (
    A,
    B,
    C,
    coverage,
    directory,
    file,
    gap,
    link,
    manifest,
    snapshot,
    thing,
    zone,
)


def told(found: Diff) -> list[tuple[str, str, str]]:
    return [(item.kind, item.key, item.change.value) for item in found.differences]


def only(found: Diff) -> Difference:
    assert len(found.differences) == 1, told(found)
    return found.differences[0]


def test_added_removed_modified() -> None:
    image = manifest(file("/same"), file("/gone"), file("/other"), thing("user", "root", uid=0, shell="/bin/sh"))
    host = snapshot(
        file("/same"), file("/other", sha256=B), file("/new"), thing("user", "root", uid=0, shell="/bin/bash")
    )
    found = diff(image, host)
    assert told(found) == [
        ("file", "/gone", "removed"),
        ("file", "/new", "added"),
        ("file", "/other", "modified"),
        ("user", "root", "modified"),
    ]
    assert found.raw == 4
    assert found.differences[2].attributes == {"sha256": Delta(A, B)}
    assert found.differences[3].attributes == {"shell": Delta("/bin/sh", "/bin/bash")}
    assert not any(item.allowed for item in found.differences)


def test_added_expects_nothing_and_removed_has_nothing() -> None:
    added, removed = diff(manifest(link("/b", "/x")), snapshot(link("/a", "/x"))).differences
    assert {delta.expected for delta in added.attributes.values()} == {None}
    assert {delta.actual for delta in removed.attributes.values()} == {None}


def test_another_type_has_other_attributes() -> None:
    item = only(diff(manifest(file("/a")), snapshot(link("/a", "/b"))))
    assert item.attributes["type"] == Delta("regular", "symlink")
    assert item.attributes["target"] == Delta(None, "/b")
    assert item.attributes["sha256"] == Delta(A, None)
    assert item.telling == {"type": Delta("regular", "symlink"), "target": Delta(None, "/b")}


def test_observed_values_are_evidence_and_never_compared() -> None:
    found = diff(manifest(file("/a", {"mtime": 1})), snapshot(file("/a", {"mtime": 2})))
    assert found.differences == ()
    item = only(diff(manifest(file("/a", {"mtime": 1})), snapshot(file("/a", {"mtime": 2}, sha256=B))))
    assert item.observed == {"mtime": 2}


def test_a_kind_that_the_manifest_does_not_cover_is_not_baselined() -> None:
    image = manifest(file("/a"), covered=coverage(["user"]))
    found = diff(image, snapshot(file("/a"), thing("listen", "tcp/0.0.0.0:80"), thing("user", "eve")))
    assert told(found) == [("user", "eve", "added")]
    assert found.not_baselined == ("listen",)


def test_an_attribute_that_one_side_does_not_know_is_not_baselined() -> None:
    image = manifest(thing("service", "a.service", enabled=True))
    found = diff(image, snapshot(thing("service", "a.service", enabled=True, active_state="active")))
    assert (found.differences, found.not_baselined) == ((), ("service.active_state",))
    both = diff(image, snapshot(thing("service", "a.service", enabled=False, active_state="active")))
    assert only(both).attributes == {"enabled": Delta(True, False)}
    assert both.not_baselined == ("service.active_state",)


def test_content_that_a_zone_frees_is_not_missed_where_it_was_not_read() -> None:
    freed = [zone("/var/x", "free")]
    unread = Resource("file", "/var/x", {k: v for k, v in file("/var/x").attributes.items() if k != "sha256"})
    assert diff(manifest(file("/var/x"), zones=freed), snapshot(unread)).not_baselined == ()
    assert diff(manifest(file("/var/x")), snapshot(unread)).not_baselined == ("file.sha256",)


@pytest.mark.parametrize(
    ("of", "born", "missed"),
    [
        (None, False, {"flags", "sha256"}),
        ("sealed", False, {"flags", "sha256"}),
        ("boot-once", False, set()),
        ("boot-once", True, {"flags", "sha256"}),
        ("free", False, set()),
        ("secret", False, set()),
        ("rotating-log", False, set()),
        ("identity", False, {"flags"}),
    ],
)
def test_what_is_not_known_is_missed_unless_it_may_differ(of: str | None, born: bool, missed: set[str]) -> None:
    """Flags are seen of what is opened: nobody misses them of files that are not read."""
    image = manifest(file("/x", flags=""), zones=[zone("/x", of)] if of else [])
    unread = Resource("file", "/x", {k: v for k, v in file("/x").attributes.items() if k != "sha256"})
    found = diff(image, snapshot(unread), born=born)
    assert found.uncompared == tuple(Uncompared(f"file.{name}", 1, "/x", True) for name in sorted(missed))


def test_what_was_not_compared_is_counted_for_either_side() -> None:
    image = manifest(file("/a", flags=""), file("/b"), file("/c"))
    found = diff(image, snapshot(file("/a"), file("/b", flags=""), file("/c", flags="")))
    assert found.uncompared == (
        Uncompared("file.flags", 2, "/b", False),
        Uncompared("file.flags", 1, "/a", True),
    )


def test_what_a_gap_hides_is_unknown_and_never_removed() -> None:
    image = manifest(file("/root/a"), file("/root/b"), file("/c"), thing("user", "root", uid=0))
    host = snapshot(file("/root/b"), covered=coverage(gaps=[gap("file:/root/**", "user")]))
    found = diff(image, host)
    assert told(found) == [("file", "/c", "removed"), ("file", "/root/a", "unknown"), ("user", "root", "unknown")]
    assert found.raw == 1
    assert [item.key for item in found.unknown] == ["/root/a", "root"]
    assert "gap" in found.unknown[0].why


def test_content_that_a_gap_hides_is_unknown() -> None:
    unread = Resource("file", "/a", {k: v for k, v in file("/a").attributes.items() if k != "sha256"})
    image = manifest(file("/a"))
    item = only(diff(image, snapshot(unread, covered=coverage(gaps=[gap("file:/a")]))))
    assert (item.change, item.attributes) == (Change.UNKNOWN, {"sha256": Delta(A, None)})
    wider = Resource("file", "/a", {**unread.attributes, "mode": "0777"})
    known = only(diff(image, snapshot(wider, covered=coverage(gaps=[gap("file:/a")]))))
    assert known.change is Change.MODIFIED


def test_a_zone_excuses_what_a_gap_hides_there() -> None:
    image = manifest(file("/tmp/a"), zones=[zone("/tmp/**", "free")])
    found = diff(image, snapshot(covered=coverage(gaps=[gap("file:/tmp/**")])))
    assert only(found).allowed
    assert found.unknown == ()


def test_a_failed_collector_hides_its_kinds() -> None:
    failed = (*coverage(["user"]), CollectorCoverage("net", 1, ("listen",), CollectorStatus.FAILED))
    found = diff(manifest(thing("listen", "tcp/0.0.0.0:22")), snapshot(covered=failed))
    assert told(found) == [("listen", "tcp/0.0.0.0:22", "unknown")]


def test_what_does_not_run_cannot_have_what_only_running_targets_have() -> None:
    image = manifest(file("/a"), thing("listen", "tcp/0.0.0.0:22"))
    found = diff(image, snapshot(file("/a"), covered=coverage(["user"]), live=False))
    assert (found.differences, found.not_baselined) == ((), ("listen",))
    none = CollectorCoverage("net", 1, ("listen",), CollectorStatus.NOT_APPLICABLE)
    found = diff(image, snapshot(file("/a"), covered=(*coverage(["user"]), none)))
    assert told(found) == [("listen", "tcp/0.0.0.0:22", "removed")]


def test_what_the_manifest_itself_could_not_see_is_not_added() -> None:
    image = manifest(covered=coverage(gaps=[gap("file:/root/**")]))
    found = diff(image, snapshot(file("/root/x"), file("/new")))
    assert told(found) == [("file", "/new", "added")]
    assert found.not_baselined == ("file:/root/**",)


@pytest.mark.parametrize(("then", "expected"), [(1, []), (2, [("setting", "apt:x", "added")])])
def test_what_collectors_did_not_tell_yet_is_not_added(then: int, expected: list[tuple[str, str, str]]) -> None:
    baked = CollectorCoverage("settings", then, ("setting",), CollectorStatus.COMPLETE)
    now = replace(baked, version=3, since=(("setting:apt:*", 2),))
    image = manifest(thing("setting", "login:y"), covered=(baked,))
    found = diff(image, snapshot(thing("setting", "apt:x"), thing("setting", "login:y"), covered=(now,)))
    assert told(found) == expected
    assert bool(found.not_baselined) is not bool(expected)


def test_the_reason_of_most_unknowns_is_told_first() -> None:
    whys = ["a", "b", "b", "c", "c", "c", "d", "e", ""]
    unknown = [
        Difference(kind="file", key=f"/{index}", change=Change.UNKNOWN, why=why) for index, why in enumerate(whys)
    ]
    assert reasons(unknown) == "c; b; a; 3 more reasons"
    assert reasons(unknown[-1:]) == "a gap hides it"


def test_a_new_mount_hides_what_lies_beneath() -> None:
    image = manifest(directory("/opt"), file("/opt/a"), file("/opt/b"), file("/b"))
    host = snapshot(directory("/opt"), file("/opt/b", sha256=B), file("/b"), thing("mount", "/opt", type="ext4"))
    found = diff(image, host)
    assert told(found) == [("file", "/opt/a", "unknown"), ("file", "/opt/b", "modified"), ("mount", "/opt", "added")]
    assert "beneath the mount on /opt" in found.differences[0].why


def test_a_mount_that_is_not_read_is_unseen_itself() -> None:
    """Also where the image has nothing beneath: what its server makes of the directory is not known."""
    image = manifest(directory("/mnt"), directory("/srv"))
    found = diff(image, snapshot(directory("/srv"), thing("mount", "/mnt", type="nfs4")))
    assert told(found) == [("file", "/mnt", "unknown"), ("mount", "/mnt", "added")]


def test_a_mount_of_the_image_hides_nothing_that_the_walk_entered() -> None:
    var = thing("mount", "/var", type="ext4")
    image = manifest(file("/var/a"), file("/var/b"), var)
    assert told(diff(image, snapshot(file("/var/b"), var))) == [("file", "/var/a", "removed")]
    assert {row[2] for row in told(diff(image, snapshot(var)))} == {"unknown"}


def test_a_row_of_fstab_hides_nothing() -> None:
    image = manifest(file("/data/a"))
    host = snapshot(thing("mount", "/data", type=None, config_type="ext4"))
    assert ("file", "/data/a", "removed") in told(diff(image, host))


def test_external_is_not_compared_at_all() -> None:
    zones = [zone("/srv/**", "external"), zone("/srv/etc/**", "sealed")]
    image = manifest(file("/srv/a"), file("/srv/etc/x"), zones=zones)
    found = diff(image, snapshot(file("/srv/b", mode="4755")))
    assert told(found) == [("file", "/srv/etc/x", "removed")]


def test_a_changed_setting_is_shown_as_a_diff() -> None:
    before = "".join(f"line {n}\n" for n in range(20))
    after = before.replace("line 10\n", "line \x1b[31mten\n")
    image = manifest(file("/etc/x"), texts={"/etc/x": before})
    item = only(diff(image, snapshot(file("/etc/x", sha256=B), texts={"/etc/x": after})))
    lines = item.text.split("\n")
    assert lines[0] == "@@ -8,7 +8,7 @@"
    assert lines[4:6] == ["-line 10", "+line \\x1b[31mten"]


def test_texts_that_share_nothing_are_not_aligned() -> None:
    image = manifest(file("/etc/x"), texts={"/etc/x": "a\nb\n" * 2000})
    item = only(diff(image, snapshot(file("/etc/x", sha256=B), texts={"/etc/x": "b\nc\n" * 2000})))
    assert "too many to show" in item.text


def test_nested_values_are_told_leaf_by_leaf() -> None:
    image = manifest(thing("container", "x", limits={"cpu": 1, "names": ("a", "b")}))
    item = only(diff(image, snapshot(thing("container", "x", limits={"cpu": 2, "names": ("a", "b")}))))
    assert item.text == "limits['cpu']: 1 -> 2"


CONTENTS = st.sampled_from([A, B, C])
TREES = st.dictionaries(st.text("ab/", min_size=1, max_size=6).map(lambda name: "/" + name), CONTENTS, max_size=12)


@given(TREES, TREES)
def test_the_difference_is_what_two_dictionaries_differ_in(before: dict[str, str], after: dict[str, str]) -> None:
    image = manifest(*(file(path, sha256=digest) for path, digest in before.items()))
    host = snapshot(*(file(path, sha256=digest) for path, digest in after.items()))
    expected = {
        *(("file", path, "removed") for path in before.keys() - after.keys()),
        *(("file", path, "added") for path in after.keys() - before.keys()),
        *(("file", path, "modified") for path in before.keys() & after.keys() if before[path] != after[path]),
    }
    assert told(diff(image, host)) == sorted(expected)
    assert diff(image, snapshot(*(file(path, sha256=digest) for path, digest in before.items()))).differences == ()
