"""What is worked out of a manifest is kept, and made again where it does not fit."""

import os
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from driftscan.compare import grouping
from driftscan.compare.grouping import Grouping
from driftscan.model.manifest import Manifest
from driftscan.model.records import Records
from driftscan.model.zone import Zone
from driftscan.scan.filescan import Plan
from driftscan.scan.plans import KEPT, Plans
from tests.compare.building import directory, file, manifest, zone

IMAGE = replace(
    manifest(directory("/"), directory("/etc"), file("/etc/a"), file("/etc/b"), zones=[zone("/etc/b", "free")]),
    digest="sha256:" + "a" * 64,
)


@pytest.fixture
def groupings(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How large the tables were of which a grouping was worked out."""
    made: list[int] = []
    worked_out = grouping.group

    def counted(records: Records, kind_of: Callable[[str], bool | None]) -> Grouping:
        made.append(len(records))
        return worked_out(records, kind_of)

    monkeypatch.setattr("driftscan.compare.reference.group", counted)
    return made


def plan(state: Path | None, image: Manifest = IMAGE, zones: tuple[Zone, ...] = ()) -> Plan:
    """As another run makes it."""
    return Plans(zones, state).of(image)


def kept(state: Path) -> list[Path]:
    return sorted((state / "plans").iterdir())


def test_what_is_kept_need_not_be_worked_out_again(tmp_path: Path, groupings: list[int]) -> None:
    first, second = plan(tmp_path), plan(tmp_path)
    assert groupings == [4]
    assert second.reference.grouping == first.reference.grouping
    assert second.reference.buckets == first.reference.buckets
    assert second.salt != first.salt, "which no host may have seen"
    assert kept(tmp_path)[0].stat().st_mode & 0o077 == 0


def test_hosts_of_one_run_share_a_plan(tmp_path: Path) -> None:
    every = Plans((), tmp_path)
    found: list[Plan] = []
    threads = [threading.Thread(target=lambda: found.append(every.of(IMAGE))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({id(each) for each in found}) == 1


def test_other_zones_are_another_plan(tmp_path: Path, groupings: list[int]) -> None:
    own = plan(tmp_path)
    other = plan(tmp_path, zones=(zone("/etc/a", "free"),))
    assert groupings == [4, 4]
    assert len(kept(tmp_path)) == 2
    assert list(own.reference.grouping.zoned) == [3]
    assert list(other.reference.grouping.zoned) == [2, 3]
    stricter = plan(tmp_path, zones=(zone("/etc/a", "free", executables=True),))
    assert len(groupings) == 3
    assert stricter.zones != other.zones


def test_another_manifest_is_another_plan(tmp_path: Path, groupings: list[int]) -> None:
    plan(tmp_path)
    plan(tmp_path, replace(IMAGE, digest="sha256:" + "b" * 64))
    assert groupings == [4, 4]


def test_a_manifest_that_has_no_digest_is_not_known_again(tmp_path: Path, groupings: list[int]) -> None:
    for _ in range(2):
        plan(tmp_path, replace(IMAGE, digest=""))
    assert groupings == [4, 4]
    assert not (tmp_path / "plans").exists()


@pytest.mark.parametrize("damage", [b"", b"x", b"driftscan.grouping/1" * 9, None])
def test_damage_is_made_good(tmp_path: Path, groupings: list[int], damage: bytes | None) -> None:
    whole = plan(tmp_path)
    (path,) = kept(tmp_path)
    path.write_bytes(path.read_bytes()[:-1] if damage is None else damage)
    assert plan(tmp_path).reference.root == whole.reference.root
    assert groupings == [4, 4]
    plan(tmp_path)
    assert groupings == [4, 4], "it was written anew"


def test_another_version_is_made_anew(tmp_path: Path, groupings: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(grouping, "FORMAT", b"driftscan.grouping/0")
        plan(tmp_path)
    plan(tmp_path)
    assert groupings == [4, 4]


def test_a_directory_that_cannot_be_written_costs_no_scan(tmp_path: Path, groupings: list[int]) -> None:
    (tmp_path / "state").write_bytes(b"a file")
    for state in (tmp_path / "state", None):
        assert plan(state).reference.root == plan(None).reference.root
    assert len(groupings) == 4


def test_the_oldest_beyond_the_limit_go(tmp_path: Path) -> None:
    plan(tmp_path)
    (first,) = kept(tmp_path)
    for number in range(KEPT):
        path = first.with_name(f"old-{number:02}")
        path.write_bytes(b"x")
        os.utime(path, (number, number))
    plan(tmp_path, zones=(zone("/etc/a", "free"),))
    names = {path.name for path in kept(tmp_path)}
    assert len(names) == KEPT
    assert first.name in names
    assert {name for name in names if name.startswith("old-")} == {f"old-{number:02}" for number in range(2, KEPT)}
