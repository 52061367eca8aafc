"""The grouping of a table survives its file; whatever else is in the file is refused."""

from array import array
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftscan.compare import grouping
from driftscan.compare.grouping import Grouping, group
from driftscan.compare.reference import Reference
from driftscan.model import digests
from driftscan.model.records import Records
from tests.compare.building import directory, file, resources

NAMES = st.sampled_from(["a", "b\\xff", "\u00e9", "x y", "new\nline", "c"])
PATHS = st.lists(NAMES, min_size=1, max_size=4).map(lambda parts: "/" + "/".join(parts))
KINDS = st.sampled_from([True, True, False, None])
"""Sealed, zoned, not compared."""


@st.composite
def tables(draw: st.DrawFn) -> tuple[Records, dict[str, bool | None]]:
    paths = draw(st.sets(PATHS, max_size=12))
    items = [directory(path) if draw(st.booleans()) else file(path) for path in sorted(paths)]
    return resources([directory("/"), *items]).files, {path: draw(KINDS) for path in ["/", *sorted(paths)]}


@given(tables())
def test_a_grouping_survives_its_file(table: tuple[Records, dict[str, bool | None]]) -> None:
    records, kinds = table
    made = group(records, kinds.__getitem__)
    assert Grouping.unpack(made.pack(), len(records)) == made
    told = sorted([*made.zoned, *(index for each in made.members for index in each)])
    assert told == [index for index, key in enumerate(records.keys) if kinds[key] is not None], "each once"
    again = Reference(records, lambda key: None, grouping=Grouping.unpack(made.pack(), len(records)))
    assert again.root == Reference(records, lambda key: None, grouping=made).root


FILES = resources([directory("/"), directory("/etc"), file("/etc/a"), file("/etc/b"), file("/free")]).files
MADE = group(FILES, lambda key: key != "/free")
PACKED = MADE.pack()


def test_what_is_grouped() -> None:
    assert dict(zip(MADE.directories, MADE.members, strict=True)) == {
        "": array("I", [0]),
        "/etc": array("I", [1, 2, 3]),
    }
    assert MADE.zoned == array("I", [4])


@given(st.integers(0, len(PACKED) - 1))
def test_a_cut_off_file_is_refused(cut: int) -> None:
    with pytest.raises(ValueError):
        Grouping.unpack(PACKED[:cut], len(FILES))


@given(st.integers(0, len(PACKED) - 1), st.integers(1, 255))
def test_a_flipped_byte_is_refused_or_changes_nothing(place: int, mask: int) -> None:
    with suppress(ValueError):
        flipped = PACKED[:place] + bytes([PACKED[place] ^ mask]) + PACKED[place + 1 :]
        assert Grouping.unpack(flipped, len(FILES)) == MADE


@given(st.binary(max_size=200))
def test_noise_is_refused(noise: bytes) -> None:
    for data in (noise, digests.pack({"format": grouping.FORMAT, "order": noise})):
        with pytest.raises(ValueError):
            Grouping.unpack(data, len(FILES))


def with_section(name: str, data: bytes) -> bytes:
    return digests.pack({**digests.unpack(PACKED, 1 << 20), name: data})


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("format", b"driftscan.grouping/0"),
        ("format", b"driftscan.grouping/2"),
        ("order", b"middle"),
        ("directories", b"/etc"),
        ("directories", b"\0/etc\0/usr"),
        ("digests", MADE.digests[:16]),
        ("digests", MADE.digests + bytes(16)),
        ("counts", array("I", [1]).tobytes()),
        ("counts", array("I", [1, 2]).tobytes()),
        ("counts", array("I", [2, 3]).tobytes()),
        ("counts", b"123"),
        ("members", array("I", [0, 1, 2]).tobytes()),
        ("members", array("I", [0, 1, 2, 5]).tobytes()),
        ("zoned", array("I", [5]).tobytes()),
    ],
)
def test_what_does_not_hang_together_is_refused(name: str, data: bytes) -> None:
    with pytest.raises(ValueError):
        Grouping.unpack(with_section(name, data), len(FILES))


def test_a_grouping_of_a_larger_table_is_refused() -> None:
    with pytest.raises(ValueError, match="another table"):
        Grouping.unpack(PACKED, len(FILES) - 1)


def test_what_inflates_without_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grouping, "MOST", 100)
    with pytest.raises(ValueError, match="too large"):
        Grouping.unpack(PACKED, len(FILES))
