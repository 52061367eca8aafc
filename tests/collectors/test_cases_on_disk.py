"""The captures that cases are made into are those that the scanner takes of the same files as a root file system."""

import os
import time
from pathlib import Path

import pytest

from driftscan.capture.live import open_rootfs
from driftscan.collectors._base import Collector
from driftscan.model.source import File, Glob, Redact, Source
from driftscan.plugins import discover
from tests.collectors.casefiles import Case, all_cases
from tests.collectors.test_collector_cases import outcome

COLLECTORS = discover("driftscan.collectors", "collector", Collector)


def _verbatim(source: Source) -> bool:
    """Cases hold reduced files already reduced, and a second reduction is another file."""
    return isinstance(source, File | Glob) and source.redact is Redact.NONE


CASES = [
    case
    for case in all_cases()
    if all(_verbatim(source) for source in COLLECTORS[case.collector].sources)
    and COLLECTORS[case.collector].sources
    and "status" not in case.about
]


def _write(case: Case, root: Path) -> None:
    for name, entry in case.entries.items():
        path = os.fsencode(root) + name
        os.makedirs(os.path.dirname(path), exist_ok=True)
        if entry.link is not None:
            os.symlink(entry.link, path)
        elif (case.about.get("files") or {}).get(name.decode("utf-8", "replace"), {}).get("directory"):
            os.makedirs(path, exist_ok=True)
        else:
            Path(os.fsdecode(path)).write_bytes(entry.data)


def test_there_are_such_cases() -> None:
    assert len(CASES) > 20


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.collector}/{case.folder.name}")
def test_same_outcome_from_disk(case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    collector = COLLECTORS[case.collector]
    expected = outcome(collector, case)
    root = tmp_path / "root"
    root.mkdir()
    _write(case, root)
    session = open_rootfs(str(root), time.monotonic() + 600)
    try:
        captures = session.ask(collector.sources)
    finally:
        session.close()
    monkeypatch.setattr(Case, "captures", lambda *_: captures)
    assert outcome(collector, case) == expected
