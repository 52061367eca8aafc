"""What a worker without Python tells of a tree in parts is put together as a dictionary would do it, in whatever order
it comes and however little memory there is."""

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftscan.capture.probe import shell_walk
from driftscan.model.lines import Held

HEAD = b"f 644 0 0 1 1 5.5 6.25 7 8 - - -"
RECORD = b"f 0644 0 0 1 1 5500000000 6250000000 7 8 %s - -\0%s\0\0?\0"
ENTRY = b"81a4 0 0 1 1 5 6 7 0:0 "
LINE = b"f 0644 0 0 1 1 5000000000 6000000000 7 0 %s - -\0%s\0%s\0?\0"
names = st.binary(min_size=1, max_size=4).map(lambda name: b"/" + name.replace(b"\0", b""))
plain = st.text("abc \\é", min_size=1, max_size=4).map(lambda name: b"/" + name.encode())
limits = st.sampled_from([0, 700, 1 << 20])


def records(found: bytes, limit: int, **others: bytes) -> list[bytes]:
    """The records one by one."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shell_walk, "RUN", 4 * limit)
        parts = {name: Held(name, data) for name, data in others.items()}
        whole = b"".join(shell_walk.records(Held("", found), parts)).split(b"\0")
    assert whole.pop() == b""
    return [b"\0".join(whole[index : index + 4]) + b"\0" for index in range(0, len(whole), 4)]


@given(
    st.lists(names, unique=True, max_size=9), st.dictionaries(names, st.sampled_from([b"aa", b"bb"])), limits, st.data()
)
def test_digests_find_the_records_of_find(
    paths: list[bytes], digests: Mapping[bytes, bytes], limit: int, data: st.DataObject
) -> None:
    known = {**digests} | dict.fromkeys(paths[::2], b"cc")
    found = b"".join(b"%s\0%s\0\0\0" % (HEAD, path) for path in paths)
    hashes = b"".join(b"%s  %s\0" % (known[path], path) for path in data.draw(st.permutations(sorted(known))))
    skipped = b"X forbidden\0/away\0\0\0"
    expected = [RECORD % (known.get(path, b"-"), path) for path in paths] + [skipped]
    assert sorted(records(skipped + found, limit, hashes=hashes)) == sorted(expected)


@given(st.lists(plain, unique=True, max_size=9), limits, st.data())
def test_digests_and_targets_find_the_lines_of_busybox(paths: list[bytes], limit: int, data: st.DataObject) -> None:
    digests = {path: b"%02x" % index for index, path in enumerate(paths) if index % 3}
    links = {path: b"to %d" % index for index, path in enumerate(paths) if index % 2}

    def shuffled(rows: Mapping[bytes, bytes]) -> list[bytes]:
        return list(data.draw(st.permutations(sorted(rows))))

    parts = {
        "entries": b"".join(ENTRY + path + b"\n" for path in paths),
        "links": b"".join(escaped(path) + b" " + escaped(links[path]) + b"\n" for path in shuffled(links)),
        "hashes": b"".join(b"%s  %s\n" % (digests[path], path) for path in shuffled(digests)),
    }
    skipped = b"X rule\0/away\0\0\0"
    expected = [LINE % (digests.get(path, b"-"), path, links.get(path, b"")) for path in paths] + [skipped]
    assert sorted(records(skipped, limit, **parts)) == sorted(expected)


def escaped(word: bytes) -> bytes:
    return b"".join(b"\\%04o" % byte for byte in word)


def test_a_record_that_is_cut_off_is_refused() -> None:
    for found in (HEAD + b"\0/a\0", HEAD + b"\0/a\0\0\0" + HEAD, HEAD):
        with pytest.raises(ValueError, match="cut off"):
            records(found + b"\0", 0, hashes=b"")
