"""Blobs: what comes out is what went in, or an error."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftscan import atomic
from driftscan.errors import IncompleteError, UsageError
from driftscan.store import Blobs


@given(st.binary(max_size=300))
def test_round_trip(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    blobs = Blobs(tmp_path_factory.getbasetemp() / "blobs")
    digest = blobs.put(data)
    assert blobs.put(data) == digest
    assert blobs.has(digest)
    assert blobs.get(digest) == data


def test_where_a_blob_lies(tmp_path: Path) -> None:
    Blobs(tmp_path / "blobs").put(b"hello\n")
    name = "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03"  # sha256sum of it
    assert (tmp_path / "blobs" / name[:2] / name[2:]).read_bytes() == b"hello\n"


def test_a_damaged_blob_is_refused_and_mended_by_the_next_put(tmp_path: Path) -> None:
    blobs = Blobs(tmp_path)
    digest = blobs.put(b"data")
    (path,) = (path for path in tmp_path.rglob("*") if path.is_file())
    path.write_bytes(b"daft")
    with pytest.raises(IncompleteError, match="the blob is damaged"):
        blobs.get(digest)
    blobs.put(b"data")
    assert blobs.get(digest) == b"data"


def test_no_such_blob(tmp_path: Path) -> None:
    blobs = Blobs(tmp_path)
    assert not blobs.has("sha256:" + "0" * 64)
    with pytest.raises(IncompleteError, match="no such blob"):
        blobs.get("sha256:" + "0" * 64)


@pytest.mark.parametrize(
    "digest", ["", "sha256:../../etc/passwd", "sha256:" + "0" * 63, "md5:" + "0" * 64, "sha256:" + "A" * 64]
)
def test_what_is_not_a_digest_names_no_file(tmp_path: Path, digest: str) -> None:
    with pytest.raises(UsageError, match="is not a digest"):
        Blobs(tmp_path).get(digest)


def test_what_cannot_be_written_is_incomplete(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> None:
        raise UsageError("f: cannot be written: Permission denied", "hint")

    monkeypatch.setattr(atomic, "write", refused)
    with pytest.raises(IncompleteError, match="Permission denied"):
        Blobs(tmp_path).put(b"x")
