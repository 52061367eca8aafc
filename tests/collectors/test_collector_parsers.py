"""The parsers that collectors share, against the programs that define their formats, and by their properties."""

import base64
import ctypes
import fnmatch
import shlex
import string
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given, settings
from hypothesis import strategies as st

from driftscan.collectors import _accounts, _deb822, _fnmatch, _keyvalue, _ssh_keys, _sshd_config, _text
from driftscan.model.names import decode_name, encode_text
from driftscan.model.source import Capture, Captures, Line, Status

RAW = st.binary(max_size=40).map(lambda data: data.decode("utf-8", "surrogateescape"))


def _lines(text: str) -> list[Line]:
    return [Line(number, line) for number, line in enumerate(text.split("\n"), 1)]


@given(RAW, RAW)
def test_values_never_become_one(left: str, right: str) -> None:
    assert (encode_text(left) == encode_text(right)) == (left == right)
    encode_text(left).encode()


@pytest.mark.parametrize(
    ("raw", "shown"),
    [(b"C:\\dir", "C:\\dir"), (b"a\xffb\\", "a\\xffb\\\\"), (b"\\xff", "\\\\xff"), ("é".encode(), "é")],
)
def test_values_stand_verbatim_where_they_can(raw: bytes, shown: str) -> None:
    assert encode_text(raw.decode("utf-8", "surrogateescape")) == shown


@given(RAW)
def test_keys_give_back_the_bytes(text: str) -> None:
    assert decode_name(_text.key(text)) == text.encode("utf-8", "surrogateescape")


@given(st.lists(st.sampled_from(["a", "b", "a#2", "a#3", "a#2#2"]), max_size=30))
def test_repeated_keys_are_told_apart(names: list[str]) -> None:
    seen: dict[str, int] = {}
    found = [_text.unique(name, seen) for name in names]
    assert len(set(found)) == len(found)
    assert all(shown.startswith(name) for shown, name in zip(found, names, strict=True))


@given(st.text(string.printable.replace("\n", "").replace("\r", "").replace("\t", ""), max_size=30))
def test_single_quotes_mean_what_a_shell_takes_them_for(text: str) -> None:
    if "'" in text:
        return
    found = _keyvalue.assignments([Line(1, f"NAME='{text}'")])
    assert found.values == {"NAME": text}
    assert shlex.split(f"'{text}'") == [text]


@settings(max_examples=25, deadline=None)
@given(st.text('ab"\\$` ', max_size=12))
def test_double_quotes_mean_what_a_shell_takes_them_for(text: str) -> None:
    """Where this parser reads a value that needs no expansion, sh reads the same."""
    found = _keyvalue.unquote(f'"{text}"')
    if found is None or "$" in found or "`" in found:
        return
    script = f'NAME="{text}"; printf %s "$NAME"'
    told = subprocess.run(["sh", "-c", script], capture_output=True, check=True)
    assert told.stdout.decode() == found


def test_stanzas_keep_line_numbers_and_say_what_is_bad() -> None:
    found = list(_deb822.stanzas(_lines("\nA: 1\n b\nA: 2\n\n \nB 2\nC: 3"), frozenset({"a", "c"})))
    assert [(item.line, item.fields, item.bad_line) for item in found] == [(2, {"a": "1\nb"}, 0), (7, {"c": "3"}, 7)]


@given(st.text("ab*?[]!-.", max_size=10), st.text("ab-].!", max_size=10))
def test_wildcards_are_those_of_fnmatch(pattern: str, name: str) -> None:
    """Python's fnmatch differs in two points: a leading dot needs a dot, and an empty range is an error here."""
    if name.startswith(".") or "[!-" in pattern or "-" in pattern[1:-1]:
        return
    assert (_fnmatch.compile_name(pattern).fullmatch(name) is not None) == fnmatch.fnmatchcase(name, pattern)


def test_wildcards_need_a_dot_for_a_dot_and_survive_nonsense() -> None:
    assert not _fnmatch.compile_name("*.conf").fullmatch(".x.conf")
    assert _fnmatch.compile_name(".*").fullmatch(".x")
    assert _fnmatch.compile_name("[0-9]?").fullmatch("7x")
    assert not _fnmatch.compile_name("[9-0]").fullmatch("5")
    assert _fnmatch.compile_name("[").fullmatch("[")
    assert not _fnmatch.compile_name("a*" * 2000).fullmatch("a" * 1000 + "b")
    assert not _fnmatch.compile_name("x" * 5000).fullmatch("x" * 5000)


def _public(key: object) -> str:
    text: bytes = key.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)  # type: ignore[attr-defined]
    return text.decode()


def _dss() -> str:
    """A key of a type that cryptography no longer writes: p, q, g, y (RFC 4253, section 6.6)."""
    numbers = ((1 << 1023) + 1, 3, 5, 7)
    fields = [b"ssh-dss", *(number.to_bytes(number.bit_length() // 8 + 1, "big") for number in numbers)]
    blob = b"".join(len(field).to_bytes(4, "big") + field for field in fields)
    return f"ssh-dss {base64.b64encode(blob).decode()}"


@pytest.mark.parametrize(
    ("line", "bits"),
    [
        (_public(ed25519.Ed25519PrivateKey.generate().public_key()), 256),
        (_public(rsa.generate_private_key(65537, 2048).public_key()), 2048),
        (_public(ec.generate_private_key(ec.SECP521R1()).public_key()), 521),
        (_dss(), 1024),
    ],
    ids=["ed25519", "rsa", "ecdsa", "dsa"],
)
def test_keys_of_every_type(line: str, bits: int) -> None:
    found = _ssh_keys.parse_line(f'from="a b,c",No-PTY,command="x \\"y\\" #" {line} a comment  ')
    assert found is not None
    assert (found.type, found.bits, found.comment) == (line.partition(" ")[0], bits, "a comment")
    assert found.options == ('command="x \\"y\\" #"', 'from="a b,c"', "no-pty")
    assert _ssh_keys.parse_line(line) is not None
    assert _ssh_keys.parse_line(line.replace(" ", " A", 1)) is None


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("Port 22", ("port", ("22",))),
        ("\t port=22 ", ("port", ("22",))),
        ("Port = 22 # why", ("port", ("22",))),
        ("Banner a#b", ("banner", ("a#b",))),
        ('Banner "a b" \'c "d"\' e\\ f', ("banner", ("a b", 'c "d"', "e f"))),
        ("ForceCommand  run # 'this", ("forcecommand", ("run # 'this",))),
        ("# Port 22", ("", ())),
        (" \t", ("", ())),
        ("Port", None),
        ("Port #22", None),
        ('Banner "open', None),
    ],
)
def test_lines_of_sshd_config(line: str, expected: object) -> None:
    assert _sshd_config.split(line) == expected


class _Passwd(ctypes.Structure):
    _fields_ = (
        ("name", ctypes.c_char_p),
        ("field", ctypes.c_char_p),
        ("uid", ctypes.c_uint32),
        ("gid", ctypes.c_uint32),
        ("description", ctypes.c_char_p),
        ("directory", ctypes.c_char_p),
        ("shell", ctypes.c_char_p),
    )


def _glibc(path: Path) -> list[tuple[object, ...]]:
    libc = ctypes.CDLL(None)
    libc.fopen.restype = ctypes.c_void_p
    libc.fgetpwent.restype = ctypes.POINTER(_Passwd)
    libc.fgetpwent.argtypes = libc.fclose.argtypes = [ctypes.c_void_p]
    stream = libc.fopen(str(path).encode(), b"r")
    rows: list[tuple[object, ...]] = []
    while row := libc.fgetpwent(stream):
        rows.append(tuple(getattr(row.contents, name) for name, _ in _Passwd._fields_))
    libc.fclose(stream)
    return rows


ROW = st.lists(st.sampled_from(["a", "root", "", " ", "0", "00", "-1", "+7", " 3", "x", "1x", "4294967296", "é", "#"]))


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.lists(ROW.map(":".join), max_size=6))
def test_users_are_those_of_glibc(tmp_path_factory: pytest.TempPathFactory, rows: list[str]) -> None:
    if not hasattr(ctypes.CDLL(None), "gnu_get_libc_version"):
        pytest.skip("the C library is not glibc")
    path = tmp_path_factory.mktemp("passwd") / "passwd"
    data = "".join(f"{row}\n" for row in rows).encode()
    path.write_bytes(data)
    found = [
        (row.name, row.field, row.uid, row.gid, row.description, row.directory, row.shell)
        for row in _accounts.users(Captures([Capture(_accounts.PASSWD, Status.OK, data)]))
        if isinstance(row, _accounts.User) and not _accounts.is_compat(row.name)
    ]
    expected = [tuple(item.decode() if isinstance(item, bytes) else item for item in row) for row in _glibc(path)]
    assert found == [row for row in expected if row[0] and not _accounts.is_compat(str(row[0]))]
