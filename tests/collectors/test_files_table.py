"""The walk's table: canonical lines, ACLs and capabilities as the system's tools show them, damage refused, gaps."""

import struct
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftscan.collectors import files
from driftscan.errors import IncompleteError, ParseError
from driftscan.model import lines
from driftscan.model.codec import canonical, decode_resource, encode_resource
from driftscan.model.columns import UNSEEN
from driftscan.model.names import encode_name
from driftscan.model.patterns import matches
from driftscan.model.source import Capture, Status, Tree
from driftscan.stored import Sorter
from tests.collectors.casefiles import CASES

RECORDED = (CASES / "files/ordinary/captures/tree.bin").read_bytes()
ALL = sorted((CASES / "files").glob("*/captures/tree.bin"))
HEAD = b"f 0644 0 0 1 1 5 6 7 8 "

# Written by setcap 2.66 (libcap) on Debian 12: the attribute as getfattr -e hex shows it, and what getcap -n says
CAPABILITIES = (
    ("0100000200200000000000000000000000000000", "cap_net_raw=ep"),
    ("0000000200200000000000000000000000000000", "cap_net_raw=p"),
    ("0000000200000000200000000000000000000000", "cap_kill=i"),
    ("0000000201000000200000008000000000000000", "cap_kill=i cap_chown,cap_bpf+p"),
    ("0100000201000000200000000000000000000000", "cap_kill=ei cap_chown+ep"),
    ("0100000201000000010000008000000080000000", "cap_chown,cap_bpf=eip"),
    ("0000000200000000000000000000000000000000", "="),
    ("0100000300200000000000000000000000000000e8030000", "cap_net_raw=ep [rootid=1000]"),
)
# Written by setfacl 2.3.1 on Debian 12: attribute, and entries as getfacl -n shows them
ACLS = (
    (
        "0200000001000700ffffffff02000700e803000004000500ffffffff10000700ffffffff20000500ffffffff",
        "user::rwx user:1000:rwx group::r-x mask::rwx other::r-x",
    ),
    (
        "0200000001000700ffffffff04000500ffffffff080005002a00000010000400ffffffff20000500ffffffff",
        "user::rwx group::r-x group:42:r-x mask::r-- other::r-x",
    ),
    (
        "0200000001000700ffffffff020000000000000002000100feffffff04000400ffffffff10000500ffffffff20000500ffffffff",
        "user::rwx user:0:--- user:4294967294:--x group::r-- mask::r-x other::r-x",
    ),
)


def table(data: bytes, digest: str = "sha256") -> files.FileTable:
    return files.table(Capture(Tree(digest=digest), Status.OK, data))


def attributes(data: bytes) -> dict[str, object]:
    (line,) = table(data).records.lines
    return dict(decode_resource(line).attributes)


def record(path: bytes, digest: bytes = b"-", extended: bytes = b"", flags: bytes = b"-") -> bytes:
    return HEAD + digest + b" - " + flags + b"\0" + path + b"\0\0" + extended + b"\0"


@pytest.mark.parametrize(("value", "shown"), CAPABILITIES)
def test_capabilities_say_what_getcap_says(value: str, shown: str) -> None:
    """getcap writes `+` from the second clause on, and sorts clauses otherwise; both mean the same."""
    found = attributes(record(b"/f", extended=b"security.capability=" + value.encode()))["capabilities"]
    assert sorted(str(found).split(" ")) == sorted(shown.replace("+", "=").split(" "))


def test_all_capabilities_are_named() -> None:
    """`=ep` to getcap, from the same recording; spelt out, so that a kernel with more of them changes nothing."""
    value = struct.pack("<5I", 0x02000001, 0xFFFFFFFF, 0, 0x1FF, 0)
    names, _, letters = str(
        attributes(record(b"/f", extended=b"security.capability=" + value.hex().encode()))["capabilities"]
    ).partition("=")
    assert (len(names.split(",")), letters) == (41, "ep")
    assert names.endswith(",cap_checkpoint_restore")


@pytest.mark.parametrize("value", [b"", b"0000", b"00000009" * 5, struct.pack("<2I", 0x02000001, 1)])
def test_malformed_capabilities_show(value: bytes) -> None:
    found = attributes(record(b"/f", extended=b"security.capability=" + value.hex().encode()))
    assert found["capabilities"] == "malformed:" + value.hex()


@pytest.mark.parametrize(("value", "shown"), ACLS)
@pytest.mark.parametrize("name", ["access", "default"])
def test_acls_say_what_getfacl_says(value: str, shown: str, name: str) -> None:
    found = attributes(record(b"/d", extended=b"system.posix_acl_" + name.encode() + b"=" + value.encode()))["acl"]
    assert found == ("" if name == "access" else ";default:") + shown.replace(" ", ",")


@pytest.mark.parametrize("value", ["", "02000000ff", "03000000" + "0100070000000000"])
def test_malformed_acls_show(value: str) -> None:
    assert attributes(record(b"/f", extended=b"system.posix_acl_access=" + value.encode()))["acl"] == (
        "malformed:" + value
    )


def test_known_to_be_none_is_not_unknown() -> None:
    read = attributes(record(b"/f", b"ab" * 32))
    assert (read["acl"], read["capabilities"], read["flags"], read["xattrs"]) == ("", "", "", {})
    assert not {"acl", "capabilities", "flags", "xattrs"} & set(attributes(record(b"/f", b"ab" * 32, UNSEEN)))


@pytest.mark.parametrize("digest", [b"-", b"!forbidden", b"!failed"])
def test_flags_of_a_file_that_was_not_opened_are_unknown(digest: bytes) -> None:
    assert "flags" not in attributes(record(b"/f", digest))
    assert attributes(record(b"/f", digest, flags=b"i"))["flags"] == "i"


@pytest.mark.parametrize("file", ALL, ids=lambda file: file.parent.parent.name)
def test_lines_are_canonical(file: Path) -> None:
    """The table writes lines by hand, for speed; they must be the bytes that the codec gives."""
    try:
        found = table(file.read_bytes())
    except ParseError:
        assert "broken" in str(file)
        return
    for key, line, observed in zip(found.records.keys, found.records.lines, found.records.observed, strict=True):
        resource = decode_resource(line, observed)
        assert (resource.key, encode_resource(resource)) == (key, line)
        assert canonical(dict(resource.observed)) == observed


@given(st.binary(max_size=30).filter(lambda name: b"\0" not in name), st.binary(max_size=30))
def test_lines_of_any_name_are_canonical(name: bytes, value: bytes) -> None:
    extended = b"user.%s=%s" % (b"".join(name.split(b"=")).replace(b",", b""), value.hex().encode())
    (line,) = table(record(b"/" + name, extended=extended)).records.lines
    assert encode_resource(decode_resource(line)) == line


def test_one_path_twice_is_refused() -> None:
    with pytest.raises(ParseError, match="twice"):
        table(record(b"/a") + record(b"/b") + record(b"/a", b"ab" * 32))


@given(st.integers(0, len(RECORDED)))
def test_a_cut_stream_is_refused_or_ends_with_a_record(cut: int) -> None:
    data = RECORDED[:cut]
    whole = data.count(b"\0") % 4 == 0 and (not data or data.endswith(b"\0"))
    if whole:
        assert len(table(data).records) == data.count(b"\0") // 4
    else:
        with pytest.raises(ParseError):
            table(data)


@given(st.integers(0, len(RECORDED) - 1), st.integers(0, 255))
def test_damage_is_refused_or_a_record(at: int, byte: int) -> None:
    damaged = RECORDED[:at] + bytes([byte]) + RECORDED[at + 1 :]
    try:
        found = table(damaged)
    except ParseError:
        return
    for line in found.records.lines:
        assert encode_resource(decode_resource(line)) == line


@pytest.mark.parametrize(
    "head",
    [
        b"f 0644 0 0 1 1 5 6 7 8 - -",
        b"z 0644 0 0 1 1 5 6 7 8 - - -",
        b"f 644 0 0 1 1 5 6 7 8 - - -",
        b"f 0644 x 0 1 1 5 6 7 8 - - -",
        b"f 0644 0 0 " + b"9" * 21 + b" 1 5 6 7 8 - - -",
        b"c 0644 0 0 1 1 5 6 7 8 - - -",
        b"f 0644 0 0 1 1 5 6 7 8 " + b"AB" * 32 + b" - -",
        b"f 0644 0 0 1 1 5 6 7 8 - - i;rm",
    ],
)
def test_malformed_fields_are_refused(head: bytes) -> None:
    with pytest.raises(ParseError):
        table(head + b"\0/f\0\0\0")


def test_digests_of_the_other_kind_are_refused() -> None:
    with pytest.raises(ParseError):
        table(record(b"/f", b"ab" * 32), digest="md5")
    assert b'"md5"' in table(record(b"/f", b"ab" * 16), digest="md5").records.lines[0]


def test_very_many_unreadable_files_are_summed_up() -> None:
    """200 are named; beyond, the directories stand for them. Each of the files is hidden by some gap."""
    paths = [b"/srv/%d/%04d" % (number % 3, number) for number in range(500)]
    found = table(b"".join(record(path, b"!forbidden") for path in paths))
    assert len(found.gaps) == 201
    assert "300 more files" in found.gaps[-1].reason
    assert found.gaps[-1].hides == ("file:/srv/1/*", "file:/srv/2/*")
    assert found.coverage.unreadable == 500
    hides = [pattern for gap in found.gaps for pattern in gap.hides]
    assert all(any(matches(pattern, "file", path.decode()) for pattern in hides) for path in paths)


def test_a_gap_hides_its_own_file_whatever_its_name() -> None:
    """A host may name a file `**`; its gap must not excuse everything beside it."""
    (unread,) = table(record(b"/etc/**", b"!forbidden")).gaps
    (barred,) = table(b"X forbidden\0/srv/*\0\0\0").gaps
    assert any(matches(pattern, "file", "/etc/**") for pattern in unread.hides)
    assert not any(matches(pattern, "file", "/etc/passwd") for pattern in unread.hides)
    assert any(matches(pattern, "file", "/srv/*/below/deep") for pattern in barred.hides)
    assert not any(matches(pattern, "file", "/srv/data/below") for pattern in barred.hides)


def test_coverage_counts_each_way_of_looking() -> None:
    skipped = b"".join(
        b"X %s\0/%s\0\0\0" % (why, why) for why in (b"rule", b"pseudo", b"remote", b"forbidden", b"raced")
    )
    found = table(
        record(b"/a", b"ab" * 32) + record(b"/b") + record(b"/c", b"!raced") + record(b"/d", b"!limit") + skipped
    )
    wanted = replace(found.coverage, seen=4, hashed=1, stat_only=1, unreadable=1, excluded=1, raced=1, over_limit=1)
    assert found.coverage == wanted
    assert (found.raced, found.hidden) == (("/c",), ("/pseudo", "/remote"))


@given(st.permutations(range(30)), st.integers(0, 5000))
def test_neither_order_nor_little_memory_changes_the_table(order: list[int], limit: int) -> None:
    names = [b"/\xff%d" % number if number % 7 == 3 else b"/d\xc3\xa9/%d" % number for number in range(30)]
    records = [record(name, b"!forbidden" if number % 5 == 0 else b"ab" * 32) for number, name in enumerate(names)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Sorter.__init__, "__defaults__", (limit,))
        patch.setattr(lines, "BLOCK", 1 + limit % 50)
        patch.setattr(lines, "_READ", 2 + 2 * (limit % 50))
        found = table(b"".join(records[number] for number in order))
        rows = list(found.records.rows())
    whole = table(b"".join(records))
    assert rows == list(whole.records.rows())
    assert [key for key, _, _ in rows] == sorted(encode_name(name) for name in names)
    assert (found.gaps, found.coverage) == (whole.gaps, whole.coverage)


def test_one_path_twice_is_refused_also_in_other_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Sorter.__init__, "__defaults__", (0,))
    with pytest.raises(ParseError, match="twice"):
        table(record(b"/a") + record(b"/b") + record(b"/a", b"ab" * 32))


def test_a_table_for_which_there_is_no_room_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "gone"))
    monkeypatch.setattr(Sorter.__init__, "__defaults__", (0,))
    with pytest.raises(IncompleteError, match="cannot be put aside"):
        table(record(b"/a"))
