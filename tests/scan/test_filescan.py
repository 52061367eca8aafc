"""Files of a target that the scanner has no room for are a gap of that target, never a part of them."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from driftscan.capture.base import TargetFacts
from driftscan.collectors import files
from driftscan.model.snapshot import CollectorStatus
from driftscan.model.source import Capture, Captures, Source, Status
from driftscan.scan.filescan import listed
from driftscan.stored import Sorter

RECORD = b"f 0644 0 0 1 1 5 6 7 8 - - -\0/%s\0\0\0"


class Told:
    """A session with a target that tells two files."""

    converses = False
    facts = TargetFacts(live=True, privileged=True, hostname="h")

    def ask(self, sources: Sequence[Source], known: Mapping[Source, str] | None = None) -> Captures:
        """The same whatever is asked."""
        return Captures([Capture(source, Status.OK, RECORD % b"a" + RECORD % b"b") for source in sources])

    def close(self) -> None:
        """Nothing to end."""


def test_what_there_is_no_room_for_is_a_gap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = listed(Told(), files.tree(()), lambda key: True)
    assert (len(whole.records), whole.coverage.status) == (2, CollectorStatus.COMPLETE)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "gone"))
    monkeypatch.setattr(Sorter.__init__, "__defaults__", (0,))
    found = listed(Told(), files.tree(()), lambda key: True)
    assert (len(found.records), found.coverage.status) == (0, CollectorStatus.FAILED)
    (gap,) = found.coverage.gaps
    assert gap.hides == ("file",)
    assert "the tree could not be walked: the records of the walk: cannot be put aside in" in gap.reason
    assert "name another directory in TMPDIR" in gap.reason
