"""Lines of files are canonical JSON, whichever way they are written: targets and the scanner compare their digests."""

import json

from hypothesis import given
from hypothesis import strategies as st

from driftscan.model.codec import canonical
from driftscan.model.columns import TYPES, columns, line, quoted, record_line
from driftscan.model.names import decode_name, encode_name

NUMBERS = st.integers(0, 2**63)
ATTRIBUTE = st.tuples(
    st.sampled_from(
        [
            "user.a",
            "user.\\134b",
            "security.selinux",
            "security.capability",
            "system.posix_acl_access",
            "system.posix_acl_default",
        ]
    ),
    st.binary(max_size=40),
)
EXTENDED = st.lists(ATTRIBUTE, max_size=4, unique_by=lambda pair: pair[0]).map(
    lambda pairs: b",".join(name.encode() + b"=" + value.hex().encode() for name, value in pairs)
)


@given(st.text())
def test_text_is_quoted_as_json_does(text: str) -> None:
    assert quoted(text) == json.dumps(text)


@given(st.binary())
def test_lone_surrogates_too(raw: bytes) -> None:
    text = raw.decode("utf-8", "surrogateescape")
    assert quoted(text) == json.dumps(text)


@given(st.binary(), st.binary())
def test_no_two_names_share_a_key(one: bytes, other: bytes) -> None:
    assert (encode_name(one) == encode_name(other)) is (one == other)
    assert decode_name(encode_name(one)) == one


@given(
    kind=st.sampled_from(sorted(TYPES)),
    mode=st.integers(0, 0o7777),
    number=NUMBERS,
    digest=st.sampled_from(["ab" * 32, "-", "!forbidden", "!raced"]),
    flags=st.sampled_from(["-", "i", "ai"]),
    target=st.binary(max_size=20),
    extended=EXTENDED,
    name=st.binary(max_size=20),
)
def test_a_record_becomes_its_canonical_line(
    *, kind: str, mode: int, number: int, digest: str, flags: str, target: bytes, extended: bytes, name: bytes
) -> None:
    size = f"{number % 256}:{mode}" if kind in "bc" else str(number)
    fields = (kind, mode, number % 7, number % 11, size, number % 13, ("sha256", digest), flags, target, extended)
    key = encode_name(b"/" + name)
    text = record_line(*fields, quoted(key))
    row = json.loads(text)
    assert canonical(row) == text.encode()
    assert row["key"] == key
    assert row["attributes"]["type"] == TYPES[kind]
    # The quick way of writing a plain file is the same as the general one.
    assert text == line(columns(*fields), quoted(key))
