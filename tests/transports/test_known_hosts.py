"""known_hosts files against sshd(8)'s description of them, and against ssh-keygen where there is one."""

import base64
import fnmatch
import hmac
import shutil
import subprocess
import threading
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from driftscan.transports import known_hosts
from driftscan.transports.known_hosts import Cache, HostKey, KnownHosts
from tests.transports.sshkeys import host_key

KEY = host_key("ed25519")
OTHER = host_key("ed25519", 1)
TEXT = base64.b64encode(KEY.blob).decode()
SSH_KEYGEN = shutil.which("ssh-keygen")


def parsed(*lines: str) -> KnownHosts:
    return KnownHosts((known_hosts.parse("\n".join(lines).encode(), "file"),))


def hashed(name: str, salt: bytes = b"\1" * 20) -> str:
    digest = hmac.digest(salt, name.encode(), "sha1")
    return f"|1|{base64.b64encode(salt).decode()}|{base64.b64encode(digest).decode()}"


@pytest.mark.parametrize(
    ("hosts", "address", "port", "found"),
    [
        ("web-1", "web-1", 22, True),
        ("web-1", "WEB-1", 22, True),
        ("WEB-1", "web-1", 22, True),
        ("web-1", "web-10", 22, False),
        ("web-1,10.0.0.1", "10.0.0.1", 22, True),
        ("web-1", "web-1", 2222, False),
        ("[web-1]:2222", "web-1", 2222, True),
        ("[web-1]:2222", "web-1", 22, False),
        ("[web-1]:22", "web-1", 22, False),
        ("web-?", "web-1", 22, True),
        ("web-?", "web-", 22, False),
        ("*.example.com", "a.b.example.com", 22, True),
        ("*.example.com,!bad.example.com", "bad.example.com", 22, False),
        ("!bad.example.com,*.example.com", "bad.example.com", 22, False),
        ("!bad.example.com", "good.example.com", 22, False),
        ("[*.example.com]:2222", "a.example.com", 2222, True),
        ("*", "anything", 22, True),
        ("*", "anything", 2222, True),
        ("2001:db8::1", "2001:db8::1", 22, True),
        ("[2001:db8::1]:2222", "2001:db8::1", 2222, True),
        (hashed("web-1"), "web-1", 22, True),
        (hashed("web-1"), "Web-1", 22, True),
        (hashed("web-1"), "web-2", 22, False),
        (hashed("[web-1]:2222"), "web-1", 2222, True),
        (hashed("[web-1]:2222"), "web-1", 22, False),
    ],
)
def test_hosts_that_a_line_is_for(hosts: str, address: str, port: int, found: bool) -> None:
    record = parsed(f"{hosts} ssh-ed25519 {TEXT} a comment").find(address, port)
    assert [entry.key for entry in record.keys] == ([KEY] if found else [])


def test_markers_part_authorities_and_revoked_keys_from_keys() -> None:
    known = parsed(
        f"@cert-authority *.example.com ssh-ed25519 {TEXT}",
        f"@revoked * ssh-ed25519 {TEXT}",
        f"a.example.com ssh-ed25519 {TEXT}",
    )
    record = known.find("a.example.com", 22)
    assert [entry.origin for entry in record.authorities] == ["file:1"]
    assert [entry.origin for entry in record.revoked] == ["file:2"]
    assert [entry.origin for entry in record.keys] == ["file:3"]


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("web-1 ssh-ed25519", "file:1: fewer than three fields (hosts, key type, key)"),
        ("web-1 ssh-dss AAAA", "file:1: key type ssh-dss is not supported"),
        ("web-1 ssh-ed25519 !!!!", "file:1: the key is not base64"),
        ("web-1 ssh-ed25519 é", "file:1: the key is not base64"),
        ("web-1 ssh-rsa KEY", "file:1: the key is not of the type that the line names"),
        ("@trusted web-1 ssh-ed25519 KEY", "file:1: unknown marker @trusted"),
        ("@revoked", "file:1: fewer than three fields (hosts, key type, key)"),
        ("|1|xx ssh-ed25519 KEY", "file:1: the hashed name is not |1|salt|hash"),
        ("|1|AAAA|AAAA ssh-ed25519 KEY", "file:1: the hashed name is not |1|salt|hash"),
        ("|2|AAAA|AAAA ssh-ed25519 KEY", "file:1: the hashed name is not |1|salt|hash"),
    ],
)
def test_bad_lines_are_noted_and_the_others_count(line: str, why: str) -> None:
    known = parsed(line.replace("KEY", TEXT), f"web-1 ssh-ed25519 {TEXT}")
    assert known.notes == [why]
    assert [entry.origin for entry in known.find("web-1", 22).keys] == ["file:2"]


def test_comments_blank_lines_and_carriage_returns_are_no_lines() -> None:
    known = parsed("# a comment", "", "   ", f"web-1 ssh-ed25519 {TEXT}\r")
    assert known.notes == []
    assert known.find("web-1", 22).keys


@given(st.binary(max_size=300))
def test_no_bytes_make_the_parser_fail(data: bytes) -> None:
    known = known_hosts.parse(data + b"\nweb-1 ssh-ed25519 " + TEXT.encode(), "file")
    assert known.find_name("web-1").keys


@given(st.text("ab*?", max_size=12), st.text("ab", max_size=12))
def test_patterns_are_those_of_the_shell_without_brackets(pattern: str, name: str) -> None:
    assert known_hosts.wildcard_match(pattern, name) == fnmatch.fnmatchcase(name, pattern)


def test_brackets_in_patterns_are_themselves() -> None:
    assert known_hosts.wildcard_match("[ab]:*", "[ab]:22")
    assert not known_hosts.wildcard_match("[ab]", "a")


def test_a_pattern_of_many_stars_takes_no_exponential_time() -> None:
    assert not known_hosts.wildcard_match("*a" * 200 + "b", "a" * 2000)


_NAMES = st.sampled_from(["web-1", "web-2", "WEB-1", "a.example.com", "10.0.0.1", "[web-1]:2222", "x"])
_PATTERNS = st.one_of(
    _NAMES, st.sampled_from(["*", "web-*", "web-?", "!web-1", "!web-2", "*.example.com", "10.*", "[*]:2222"])
)
_LINES = st.lists(
    st.tuples(
        st.sampled_from(["", "", "@revoked ", "@cert-authority "]),
        st.one_of(
            st.lists(_PATTERNS, min_size=1, max_size=3).map(",".join), _NAMES.map(lambda name: hashed(name.lower()))
        ),
    ),
    min_size=1,
    max_size=5,
)


@pytest.mark.skipif(SSH_KEYGEN is None, reason="ssh-keygen, which is the judge here, is not installed")
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lines=_LINES, name=_NAMES.map(str.lower))
def test_the_lines_found_are_those_that_ssh_keygen_finds(
    tmp_path: Path, lines: list[tuple[str, str]], name: str
) -> None:
    path = tmp_path / "judged"
    path.write_text("".join(f"{marker}{hosts} ssh-ed25519 {TEXT}\n" for marker, hosts in lines))
    told = subprocess.run([str(SSH_KEYGEN), "-F", name, "-f", str(path)], capture_output=True, text=True, check=False)
    expected = sorted(
        int(line.split("line ")[1].split()[0]) for line in told.stdout.splitlines() if line.startswith("# Host")
    )
    record = known_hosts.load([str(path)]).find_name(name)
    found = (*record.keys, *record.authorities, *record.revoked)
    assert sorted(int(entry.origin.rpartition(":")[2]) for entry in found) == expected


def test_several_files_are_one_and_missing_ones_are_empty(tmp_path: Path) -> None:
    (tmp_path / "one").write_text(f"web-1 ssh-ed25519 {TEXT}\n")
    (tmp_path / "two").write_text(f"web-1 ssh-rsa {base64.b64encode(host_key('rsa').blob).decode()}\n")
    known = known_hosts.load([str(tmp_path / "one"), str(tmp_path / "none"), str(tmp_path / "two")])
    assert [entry.key.type for entry in known.find("web-1", 22).keys] == ["ssh-ed25519", "ssh-rsa"]
    assert known.notes == []


def test_a_file_that_cannot_be_read_is_noted(tmp_path: Path) -> None:
    assert known_hosts.load([str(tmp_path)]).notes == [f"{tmp_path}: Is a directory"]


def test_the_cache_reads_again_what_has_changed(tmp_path: Path) -> None:
    path = tmp_path / "known_hosts"
    cache = Cache()
    assert not cache.load([str(path)]).find("web-1", 22).keys
    path.write_text(f"web-1 ssh-ed25519 {TEXT}\n")
    known = cache.load([str(path)])
    assert known.find("web-1", 22).keys
    assert cache.load([str(path)]).files[0] is known.files[0]


def test_recording_keeps_what_was_there_and_is_private(tmp_path: Path) -> None:
    path = tmp_path / "state" / "known_hosts"
    known_hosts.record(str(path), "web-1", KEY)
    path.write_bytes(path.read_bytes().rstrip(b"\n"))
    record = known_hosts.record(str(path), "[web-2]:2222", OTHER)
    assert [entry.key for entry in record.keys] == [OTHER]
    assert path.read_text().splitlines()[0] == f"web-1 ssh-ed25519 {TEXT}"
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_the_first_recorded_key_stays(tmp_path: Path) -> None:
    path = str(tmp_path / "known_hosts")
    known_hosts.record(path, "web-1", KEY)
    assert [entry.key for entry in known_hosts.record(path, "web-1", OTHER).keys] == [KEY]


def test_many_threads_record_without_losing_any(tmp_path: Path) -> None:
    path = str(tmp_path / "known_hosts")
    threads = [threading.Thread(target=known_hosts.record, args=(path, f"web-{number}", KEY)) for number in range(24)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    known = known_hosts.load([path])
    assert all(known.find(f"web-{number}", 22).keys for number in range(24))
    assert len(known.files[0].entries) == 24


@pytest.mark.skipif(SSH_KEYGEN is None, reason="ssh-keygen, which is the judge here, is not installed")
def test_fingerprints_are_those_of_ssh_keygen(tmp_path: Path) -> None:
    for shown in (host_key("ed25519"), host_key("ecdsa"), host_key("rsa")):
        path = tmp_path / "key.pub"
        path.write_text(f"{shown.type} {base64.b64encode(shown.blob).decode()} x\n")
        told = subprocess.run([str(SSH_KEYGEN), "-l", "-f", str(path)], capture_output=True, text=True, check=True)
        assert told.stdout.split()[1] == HostKey(shown.type, shown.blob).fingerprint
