"""Recordings that are named together, by folder or glob."""

from pathlib import Path

import pytest

from driftscan.capture.base import TargetFacts
from driftscan.capture.recording import Recorder
from driftscan.errors import UsageError
from driftscan.manifests.files import write_snapshot
from driftscan.model.snapshot import Resources, Snapshot
from driftscan.scan.targets import resolve


def keep(path: Path, host: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    taken = Snapshot(
        host=host, target=f"ssh://{host}", taken_at="2026-11-02T00:00:00Z", resources=Resources(), coverage=()
    )
    write_snapshot(taken, path)
    return path


def record(path: Path, host: str) -> None:
    Recorder().write(str(path), TargetFacts(live=True, privileged=True, hostname=host), host)


@pytest.fixture
def history(tmp_path: Path) -> Path:
    """Two days of two hosts, and on the second the captures of one of them."""
    for day in ("03", "02"):
        for host in ("web-2", "web-1"):
            keep(tmp_path / day / f"{host}.snapshot", host)
    record(tmp_path / "03/web-1.capture", "web-1")
    (tmp_path / "03/.web-3.tmp").write_text("half of it")
    return tmp_path


def named(*words: str) -> list[tuple[str, str, bool]]:
    return [(each.name, each.spec, each.past) for each in resolve(words, ())]


def test_a_folder_means_every_snapshot_in_it_by_path(history: Path) -> None:
    assert named(f"snapshot:{history}/03") == [
        ("web-1", f"snapshot:{history}/03/web-1.snapshot", True),
        ("web-2", f"snapshot:{history}/03/web-2.snapshot", True),
    ]
    assert named(f"capture:{history}/03") == [("web-1", f"capture:{history}/03/web-1.capture", True)]


def test_a_glob_means_every_snapshot_that_it_names(history: Path) -> None:
    wanted = [f"snapshot:{history}/{day}/web-1.snapshot" for day in ("02", "03")]
    assert [spec for _, spec, _ in named(f"snapshot:{history}/*/web-1.snapshot")] == wanted
    assert len(named(f"snapshot:{history}/**/*.snapshot")) == 4


def test_a_file_is_called_as_it_was_typed_whatever_signs_are_in_its_name(history: Path) -> None:
    path = keep(history / "[a].snapshot", "web-1")
    assert named(f"snapshot:{path}") == [(f"snapshot:{path}", f"snapshot:{path}", False)]


def test_one_that_does_not_say_its_host_is_called_by_its_file(history: Path) -> None:
    keep(history / "04/web-9.snapshot", "")
    assert [name for name, _, _ in named(f"snapshot:{history}/04")] == ["web-9"]


@pytest.mark.parametrize("word", ["snapshot:{}", "capture:{}", "snapshot:{}/*.snapshot", "capture:{}/03/*.cap"])
def test_none_at_all_is_an_error_that_says_what_may_be_written(history: Path, word: str) -> None:
    with pytest.raises(UsageError, match=r"there is no (snapshot|recording of captures)") as caught:
        resolve([word.format(history)], ())
    assert "history/*/web-*" in caught.value.hint


@pytest.mark.parametrize("scheme", ["snapshot", "capture"])
def test_what_is_no_recording_is_not_left_out_unsaid(history: Path, scheme: str) -> None:
    (history / "03/notes.txt").write_text("half of it")
    with pytest.raises(UsageError, match=r"notes\.txt: (is )?not? ") as caught:
        resolve([f"{scheme}:{history}/03"], ())
    assert f"{scheme}:'{history}/03/*.{scheme}'" in caught.value.hint
    with pytest.raises(UsageError, match=r"notes\.txt"):
        resolve([f"{scheme}:{history}/03/*"], ())
