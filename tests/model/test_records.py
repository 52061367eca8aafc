"""Tables of records in all their forms: what is found in them, and what differs between two, is what a dictionary of
the same rows says."""

import json
from bisect import bisect_left
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeAlias

import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftscan.errors import UsageError
from driftscan.model import differing as module
from driftscan.model import lines
from driftscan.model.codec import canonical, decode_resource, encode_resource
from driftscan.model.differing import differing
from driftscan.model.lines import Buffer, Held, Lines
from driftscan.model.packed import Packed, cut, joined
from driftscan.model.patched import Patched
from driftscan.model.records import Records, Row
from driftscan.model.resource import Resource, Value
from driftscan.stored import Spool, pack_rows

Form: TypeAlias = Callable[[list[Row]], Records]
HOSTILE = [
    "/a\nb", '/"},"kind":"file"', '/x","kind":"file"}', '/"},"key":"', "/},\\", "/\\\\x", "/\\xff", "/\u202e<b>", "/é",
    "/\U0001f600", "/\ud800", "/\udcff", "/\uffff", "/\x00", "/\x7f", "/a", "/a/", "/a/b", "/a0", "/",
    "", "/\U0010ffff", "/\U0010ffffa",
]  # fmt: skip
"""Names that a host may choose to mislead whoever reads lines, or that sort oddly."""


def memory(rows: list[Row]) -> Records:
    seen = tuple(row[2] for row in rows)
    return Records(tuple(row[0] for row in rows), tuple(row[1] for row in rows), seen if any(seen) else ())


def text(rows: list[Row]) -> bytes:
    return b"".join(joined(line, seen) + b"\n" for _, line, seen in rows)


def between_others(rows: list[Row], buffer: Callable[[bytes], Buffer] = lambda data: Held("m", data)) -> Records:
    """As in a manifest: the first row is not the first line, nor the last the last."""
    data = b'{"envelope":1}\n' + text(rows) + b'{"attributes":{},"key":"x","kind":"zzz"}\n'
    found = buffer(data)
    return Packed(Lines(found, found.size), 1, 1 + len(rows), observed=any(row[2] for row in rows))


def on_disk(rows: list[Row]) -> Records:
    def spooled(data: bytes) -> Buffer:
        spool = Spool("m", small=0)
        spool.write(data[:10])
        spool.write(data[10:])
        return spool.buffer()

    return between_others(rows, spooled)


def patched(rows: list[Row]) -> Records:
    """As a host is known by its manifest: every third row is told, another is gone, the rest are the manifest's."""
    other = [(key, line + b" ", b"") for key, line, _ in rows[::3]]
    gone = ("/gone", encode_resource(Resource("file", "/gone", {})), b"")
    known = [entry for number, entry in enumerate(rows) if number % 3]
    present = {entry[0] for entry in rows}
    base = sorted([*known, *other, *([] if gone[0] in present else [gone])])
    return Patched(memory(base), ["/gone", "/never"] if gone[0] not in present else [], memory(rows[::3]))


FORMS: list[Form] = [patched, memory, between_others, on_disk, lambda rows: pack_rows(rows, memory(rows), "m")]
PAIRS = [(old, new) for old in range(len(FORMS)) for new in range(len(FORMS))]


@pytest.fixture(
    autouse=True, scope="module", params=[16, 200, 0], ids=["shorter than lines", "about a line", "as shipped"]
)
def sizes(request: pytest.FixtureRequest) -> Iterator[None]:
    """Blocks and windows of a byte or a line's size, so that small tables have many."""
    with pytest.MonkeyPatch.context() as patch:
        if request.param:
            patch.setattr(lines, "BLOCK", request.param)
            patch.setattr(lines, "_READ", 2 * request.param)
            patch.setattr(lines, "_FIRST_READ", request.param)
            patch.setattr(module, "_FIRST_WINDOW", request.param)
            patch.setattr(module, "_LARGEST_WINDOW", 4 * request.param)
            patch.setattr(module, "_MOST_LINES", 3)
        yield


def row(key: str, size: int, seen: int) -> Row:
    extra: dict[str, Value] = {'},"key":"': "x", "key": "y", "kind": "file", "observed": {}} if size == 3 else {}
    line = encode_resource(Resource("file", key, {"size": size, "xattrs": extra}))
    more: dict[str, Value] = {"n": {"observed": {"kind": "file"}}} if seen == 3 else {}
    return key, line, canonical({"mtime": seen, **more}) if seen else b""


keys = st.sampled_from(HOSTILE) | st.text(max_size=4).map(lambda name: f"/{name}")
tables = st.dictionaries(keys, st.builds(tuple, st.lists(st.integers(0, 3), min_size=2, max_size=2)), max_size=12).map(
    lambda found: [row(key, size, seen) for key, (size, seen) in sorted(found.items())]
)


@st.composite
def two_tables(draw: st.DrawFn) -> tuple[list[Row], list[Row]]:
    """Tables that have most rows in common, as those of two looks at one host."""
    old = draw(tables)
    new = {entry[0]: entry for entry in old}
    for entry in draw(tables)[: draw(st.integers(0, 4))]:
        new[entry[0]] = entry
    for key in draw(st.lists(st.sampled_from([entry[0] for entry in old]), max_size=3)) if old else ():
        new.pop(key, None)
    return old, [new[key] for key in sorted(new)]


def naive(old: list[Row], new: list[Row]) -> list[tuple[str, bytes | None, bytes | None]]:
    before, after = ({key: line for key, line, _ in table} for table in (old, new))
    every = sorted(before.keys() | after.keys())
    return [(key, before.get(key), after.get(key)) for key in every if before.get(key) != after.get(key)]


@given(two_tables(), st.sampled_from(PAIRS), st.booleans(), st.booleans())
def test_what_differs_is_what_a_dictionary_says(
    pair: tuple[list[Row], list[Row]], forms: tuple[int, int], old_bare: bool, new_bare: bool
) -> None:
    old, new = (
        [(key, line, b"") for key, line, _ in table] if bare else table
        for table, bare in zip(pair, (old_bare, new_bare), strict=True)
    )
    assert list(differing(FORMS[forms[0]](old), FORMS[forms[1]](new))) == naive(old, new)


@given(two_tables(), st.sampled_from(FORMS), st.lists(keys, max_size=3))
def test_what_differs_from_its_own_base(pair: tuple[list[Row], list[Row]], form: Form, removed: list[str]) -> None:
    """Found without looking at the base, and the same as by looking."""
    base, (_, told) = form(pair[0]), pair
    kept = {entry[0]: entry for entry in pair[0] if entry[0] not in removed} | {entry[0]: entry for entry in told[:3]}
    table = Patched(base, removed, memory(told[:3]))
    wanted = [kept[key] for key in sorted(kept)]
    assert [entry[:2] for entry in table.rows()] == [entry[:2] for entry in wanted]
    assert list(differing(base, table)) == naive(pair[0], wanted)


@given(tables, keys, st.sampled_from(FORMS))
def test_what_is_found_is_what_a_dictionary_says(rows: list[Row], key: str, form: Form) -> None:
    table = form(rows)
    every = [entry[0] for entry in rows]
    known = {entry[0]: entry for entry in rows}
    assert len(table) == len(rows)
    assert list(table.keys) == every
    assert list(table.lines) == [entry[1] for entry in rows]
    assert list(table.observed) == ([entry[2] for entry in rows] if any(entry[2] for entry in rows) else [])
    for wanted in {key, *every}:
        assert table.place(wanted) == bisect_left(every, wanted)
        assert table.find(wanted) == (every.index(wanted) if wanted in known else None)
        assert (wanted in table) is (wanted in known)
        assert table.line(wanted) == (known[wanted][1] if wanted in known else None)
        assert table.observed_of(wanted) == (known[wanted][2] if wanted in known else b"")
        found = table.resource(wanted)
        assert (found and encode_resource(found)) == table.line(wanted)
        assert (found and canonical(dict(found.observed))) in {None, table.observed_of(wanted) or b"{}"}
        assert list(table.beneath(wanted)) == [each for each in every if each.startswith(wanted)]
        assert [every[index] for index in table.span(wanted)] == list(table.beneath(wanted))


@given(tables, st.sampled_from(FORMS), st.integers(0, 12), st.integers(0, 12))
def test_a_part_of_a_table_is_a_part_of_its_rows(rows: list[Row], form: Form, start: int, stop: int) -> None:
    table = form(rows)
    assert list(table.rows(start, min(stop, len(rows)))) == rows[start:stop]
    assert list(table.keys[start:stop]) == [entry[0] for entry in rows[start:stop]]
    assert list(table.lines[stop:start:-1]) == [entry[1] for entry in rows[stop:start:-1]]
    for index, entry in enumerate(rows):
        assert (table.keys[index], table.lines[index - len(rows)]) == entry[:2]
    with pytest.raises(IndexError):
        table.keys[len(rows)]
    assert list(table.bare().rows()) == [(key, line, b"") for key, line, _ in rows]


@given(tables, tables, st.sampled_from(PAIRS))
def test_tables_are_equal_if_their_compared_lines_are(old: list[Row], new: list[Row], forms: tuple[int, int]) -> None:
    bare = [(key, line, b"") for key, line, _ in old]
    assert FORMS[forms[0]](old) == FORMS[forms[1]](bare)
    assert (FORMS[forms[0]](old) == FORMS[forms[1]](new)) is ([r[:2] for r in old] == [r[:2] for r in new])


@given(st.lists(st.binary(max_size=9).map(lambda line: line.replace(b"\n", b"")), max_size=9))
def test_lines_are_found_by_number_and_by_byte(wanted: list[bytes]) -> None:
    data = b"".join(line + b"\n" for line in wanted)
    found = Lines(Held("t", data), len(data))
    assert (len(found), list(found)) == (len(wanted), wanted)
    place = 0
    for number, line in enumerate(wanted):
        assert (found[number], found.offset(number)) == (line, place)
        for byte in range(place, place + len(line) + 1):
            assert (found.begin(byte), found.number(byte)) == (place, number)
        assert list(found.onward(place)) == wanted[number:]
        assert list(found.between(number, number + 2)) == wanted[number : number + 2]
        place += len(line) + 1
    assert found.offset(len(wanted)) == found.begin(place) == place
    with pytest.raises(IndexError):
        found[len(wanted)]


@given(tables)
def test_rows_that_are_not_canonical_are_made_so(rows: list[Row]) -> None:
    loose = [json.dumps(json.loads(joined(line, seen)), ensure_ascii=True).encode() + b"\n" for _, line, seen in rows]
    data = b"".join(loose)
    table = Packed(Lines(Held("m", data), len(data)), observed=True)
    assert list(table.rows()) == rows
    assert list(differing(memory(rows), table.bare())) == []
    assert list(differing(between_others([(key, line, b"") for key, line, _ in rows]), Packed(table.text))) == []


def packed(rows: list[Row]) -> Packed:
    table = between_others(rows)
    assert isinstance(table, Packed)
    return table


@pytest.mark.parametrize("form", [memory, between_others])
@pytest.mark.parametrize("order", ["/a /c /b /d", "/a /b /b /d", "/c /a /b /d"])
def test_what_is_not_in_order_is_an_error_where_the_tables_differ(form: Form, order: str) -> None:
    bad = packed([row(key, 1, 0) for key in order.split()])
    good = form([row(key, 1, 0) for key in ("/a", "/b", "/c", "/d")])
    for old, new in ((bad, good), (good, bad)):
        with pytest.raises(UsageError, match=r"m:[345]: .*(order|twice)") as caught:
            list(differing(old, new))
        assert caught.value.hint == "Write the file again with this driftscan."


def test_what_is_not_in_order_is_an_error_where_it_is_walked_through() -> None:
    bad = [row(key, 1, 0) for key in ("/a", "/c", "/b")]
    with pytest.raises(UsageError, match="m:4: file '/b' is not in order"):
        list(packed(bad).rows())
    with pytest.raises(ValueError, match="not sorted"):
        list(memory(bad).rows())


@pytest.mark.parametrize(
    "line",
    [
        b"", b"[]", b"nonsense", b"{" * 100_000, b'{"attributes":{},"key":"/b","kind":"user"}', b'{"kind":"file"}',
        b'{"attributes":{"size":1.5},"key":"/b","kind":"file" }', b'{"attributes":{},"key":"/\\uZZZZ","kind":"file"}',
        b'{"attributes":{},"key":"/\xff","kind":"file"}', b'{"attributes":{},"key":7,"kind":"file"}',
    ],
)  # fmt: skip
def test_a_line_that_is_no_row_is_an_error_that_names_it(line: bytes) -> None:
    rows = [row(key, 1, 0) for key in ("/a", "/b", "/c")]
    data = text(rows[:1]) + line + b"\n" + text(rows[2:])
    table = Packed(Lines(Held("m", data), len(data)))
    looks: list[Callable[[], object]] = [
        lambda: list(table.rows()), lambda: list(differing(memory(rows), table)), lambda: table.lines[1],
        lambda: list(differing(packed(rows), table)), table.check,
    ]  # fmt: skip
    for look in looks:
        with pytest.raises(UsageError, match=r"m:2: is not (a resource|the row of a file)"):
            look()


@pytest.mark.parametrize("value", [b"1.5", b"[}", b"9" * 5000])
def test_a_row_whose_attributes_are_wrong_is_an_error_when_it_is_decoded(value: bytes) -> None:
    """It can be cut, so nobody has looked at its attributes before."""
    rows = [row(key, 1, 0) for key in ("/a", "/b", "/c")]
    data = text(rows).replace(rows[1][1], rows[1][1].replace(b'"size":1', b'"size":' + value))
    table = Packed(Lines(Held("m", data), len(data)))
    ((_, _, line),) = differing(packed(rows), table)
    assert line is not None
    looks: list[Callable[[], object]] = [lambda: table.decode(line), lambda: table.resource("/b"), table.check]
    for look in looks:
        with pytest.raises(UsageError, match="m:2: is not a resource"):
            look()


def test_a_row_that_says_two_things_is_found_by_whoever_looks_closely() -> None:
    line = b'{"attributes":{},"key":"/b","kind":"file","observed":{},"kind":"user","x":{}}'
    assert cut(line)
    table = Packed(Lines(Held("m", line + b"\n"), len(line) + 1))
    with pytest.raises(UsageError, match="m:1: is not the row of a file"):
        table.check()


PARTS = [
    b'"attributes":{"size":1}', b'"attributes":{"x":{"kind":"file","observed":{"a":1}}}',
    b'"attributes":{"x":{"kind":"file","observed":{"a":2}}}', b'"key":"/b"', b'"key":"/\\"},{"', b'"kind":"file"',
    b'"kind":"user"', b'"observed":{"a":1}', b'"observed":{"a":2}', b'"observed":{"a":"}"}', b'"observed":{"a":{}}',
    b'"observed":5',
]  # fmt: skip


@given(st.lists(st.lists(st.sampled_from(PARTS), max_size=6), min_size=2, max_size=2))
def test_lines_that_pass_for_alike_say_the_same(parts: list[list[bytes]]) -> None:
    """Whatever order their parts have, and whatever is said twice."""
    ours, theirs = (b"{" + b",".join(each) + b"}" for each in parts)
    if module._alike(ours, theirs):
        assert compared(ours) == compared(theirs)


def compared(line: bytes) -> bytes | None:
    try:
        return encode_resource(decode_resource(line))
    except ValueError:
        return None


def test_lines_are_alike_whatever_was_observed() -> None:
    line = canonical({"attributes": {"size": 1}, "key": "/a", "kind": "file"})
    seen = [b"", b'{"mtime":1}', b'{"ctime":1,"mtime":22}']
    lines = [joined(line, one) for one in seen]
    assert all(module._alike(one, other) for one in lines for other in lines)
    changed = line.replace(b"1", b"2")
    assert not any(module._alike(joined(line, one), joined(changed, other)) for one in seen for other in seen)


def test_a_table_needs_no_more_memory_than_is_looked_at(tmp_path: Path) -> None:
    """Blocks have a number each; lines have nothing."""
    if lines.BLOCK < 1000:
        pytest.skip("these are not the blocks as shipped")
    rows = [row(f"/{number:06}", number, 0) for number in range(20_000)]
    table = between_others(rows)
    assert isinstance(table, Packed)
    assert len(table.text._marks) < 100
    assert table.find("/010000") == 10_000
    assert len(table._signposts) < 10
