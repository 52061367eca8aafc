"""Manifests and snapshots as files: what is written is read, and nothing else is."""

import dataclasses
import hashlib
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from driftscan import __version__
from driftscan.errors import UsageError
from driftscan.manifests import _envelope, _rows, files
from driftscan.model import packed
from driftscan.model.codec import canonical, decode_resource, encode_resource
from driftscan.model.lines import Held
from driftscan.model.manifest import Manifest, Provenance
from driftscan.model.records import Records
from driftscan.model.resource import Resource
from driftscan.model.snapshot import (
    CollectorCoverage,
    CollectorStatus,
    FileCoverage,
    ImageRef,
    Reference,
    Resources,
    Snapshot,
)
from driftscan.model.source import Gap, Status
from driftscan.model.zone import Provenance as ZoneProvenance
from driftscan.model.zone import Zone, ZoneClass

HOSTILE = [
    "/a\nb",
    '/"},"kind":"file"',
    '/x","kind":"file"',
    "/\\\\x",
    "/\\xff",
    "/\u202e<b>",
    "/é",
    "/\U0001f600",
    "/\x00",
]


def records(found: list[Resource]) -> Records:
    found = sorted(found, key=lambda resource: resource.key)
    observed = tuple(canonical(dict(resource.observed)) if resource.observed else b"" for resource in found)
    lines = tuple(encode_resource(resource) for resource in found)
    return Records(tuple(resource.key for resource in found), lines, observed if any(observed) else ())


def resources(*, observed: bool = True) -> Resources:
    seen: dict[str, Any] = {"mtime": 1700000000, "xattrs": {"key": "x", "kind": "file"}} if observed else {}
    tree = [Resource("file", key, {"mode": "0644", "acl": ("u::rw", "g::r"), "size": 1}, seen) for key in HOSTILE]
    small = [
        Resource("address", "eth0/10.0.0.1/24", {"family": "inet"}),
        Resource("package", "bash/amd64", {"version": "5.2", "held": False}, {"installed": 3} if observed else {}),
        Resource("user", "root", {"uid": 0, "shell": None, "groups": ("a", "b"), "more": {"deep": (1, {"x": True})}}),
    ]
    return Resources({resource.id: resource for resource in small}, records(tree))


COVERAGE = (
    CollectorCoverage("files", 3, ("file",), CollectorStatus.COMPLETE, len(HOSTILE)),
    CollectorCoverage(
        "users",
        1,
        ("user", "group"),
        CollectorStatus.PARTIAL,
        1,
        (Gap("users", Status.FORBIDDEN, "no root", ("user:*",)),),
    ),
)
MANIFEST = Manifest(
    image=ImageRef("ami-1", "2026.11.20"),
    provenance=Provenance(
        baked_at="2026-11-20T10:00:00Z", tool="driftscan 0.1.0", build_id="b7", source_commit="c0ffee", stand_in=True
    ),
    resources=resources(observed=False),
    coverage=COVERAGE,
    zones=(
        Zone(pattern="/var/log/**", zone=ZoneClass.ROTATING_LOG, reason="logs", provenance=ZoneProvenance.PACK),
        Zone(
            pattern="sysctl:net.*",
            zone=ZoneClass.FREE,
            reason="tuned",
            attributes=("value",),
            may_appear=True,
            may_vanish=False,
            executables=True,
            provenance=ZoneProvenance.LEARNED,
            origin="boots a, b",
        ),
    ),
    references=(
        Reference(host="h1", taken_at="2026-11-20T09:00:00Z", identities={"file:/etc/machine-id": "sha256:00"}),
    ),
    texts={"/etc/motd": "hi\nthere\n", "/etc/é": ""},
    package_files={"bash/amd64": ("/bin/bash", "/etc")},
    source_digests={"File('/etc/passwd')": "sha256:11"},
    live=False,
)
SNAPSHOT = Snapshot(
    host="web-1",
    target="ssh://web-1",
    taken_at="2026-11-21T00:00:00Z",
    resources=resources(),
    coverage=COVERAGE,
    files=FileCoverage(9, 8, 7, 6, 5, 4, 3, 2),
    image=ImageRef("ami-1", ""),
    live=False,
    privileged=False,
    settled=False,
    torn=("dpkg ran",),
    probe_digest="sha256:22",
    boot_id="b-1",
    texts={"/etc/motd": "x"},
    package_files={"bash/amd64": ("/bin/bash",)},
    source_digests={"/etc/passwd": "sha256:" + "4" * 64},
    declared=MANIFEST.zones[:1],
)


def test_a_manifest_comes_back_whole(tmp_path: Path) -> None:
    digest = files.write_manifest(MANIFEST, tmp_path / "m")
    read = files.read_manifest(tmp_path / "m")
    assert read == dataclasses.replace(MANIFEST, digest=digest)
    assert read.resources.files.lines == MANIFEST.resources.files.lines


def test_a_snapshot_comes_back_whole_with_its_evidence(tmp_path: Path) -> None:
    files.write_snapshot(SNAPSHOT, tmp_path / "s")
    read = files.read_snapshot(tmp_path / "s")
    assert read == SNAPSHOT
    assert read.resources.files.observed == SNAPSHOT.resources.files.observed
    assert read.resources.small["package", "bash/amd64"].observed == {"installed": 3}


@pytest.mark.parametrize("value", [MANIFEST, MANIFEST.provenance, *MANIFEST.zones[1:], SNAPSHOT, SNAPSHOT.files])
def test_the_round_trip_covers_every_field(value: Any) -> None:
    """A field that is added to the model and forgotten here would be lost: each has a value that is not its default."""
    for field in dataclasses.fields(value):
        default = field.default_factory() if callable(field.default_factory) else field.default
        assert field.name == "digest" or getattr(value, field.name) != default, field.name


def test_manifests_hold_no_evidence_and_equal_ones_are_equal_bytes(tmp_path: Path) -> None:
    with_evidence = dataclasses.replace(MANIFEST, resources=SNAPSHOT.resources, digest="sha256:old")
    one = files.write_manifest(with_evidence, tmp_path / "one")
    two = files.write_manifest(MANIFEST, tmp_path / "two")
    assert one == two
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    assert b"mtime" not in (tmp_path / "one").read_bytes()


def test_the_documented_shape(tmp_path: Path) -> None:
    digest = files.write_manifest(MANIFEST, tmp_path / "m")
    lines = (tmp_path / "m").read_bytes().split(b"\n")
    assert lines.pop() == b""
    trailer = json.loads(lines.pop())
    body = b"".join(line + b"\n" for line in lines)
    assert trailer == {"lines": len(lines), "sha256": hashlib.sha256(body).hexdigest()}
    assert digest == "sha256:" + trailer["sha256"]
    rows = [json.loads(line) for line in lines]
    assert all(canonical(row) == line for row, line in zip(rows, lines, strict=True))
    assert rows[0]["format"] == "driftscan.manifest/1"
    assert rows[0]["counts"]["resources"] == {"address": 1, "file": len(HOSTILE), "package": 1, "user": 1}
    tags = [next(iter(row)) for row in rows[1:]]
    assert (
        tags
        == ["coverage"] * 2 + ["package", "reference", "source"] + ["text"] * 2 + ["zone"] * 2 + ["attributes"] * 12
    )
    ids = [(row["kind"], row["key"]) for row in rows if "kind" in row]
    assert ids == sorted(ids)


def test_lines_of_files_are_cut_and_not_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files.write_manifest(MANIFEST, tmp_path / "m")
    decode = Mock(side_effect=decode_resource)
    monkeypatch.setattr(_rows, "decode_resource", decode)
    files.read_manifest(tmp_path / "m")
    assert decode.call_count == len(MANIFEST.resources.small)


_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3).map(tuple) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
_names = st.sampled_from(["key", "kind", "observed", "attributes", "file", "a"]) | st.text(max_size=5)
_resources = st.builds(
    Resource,
    st.sampled_from(["file", "file", "user", "zone", "a"]),
    st.text(max_size=12) | st.sampled_from(HOSTILE),
    st.dictionaries(_names, _values, max_size=3),
    st.dictionaries(_names, _values, max_size=2),
)


@settings(max_examples=100)
@given(st.lists(_resources, max_size=8, unique_by=lambda resource: resource.id))
def test_any_resources_come_back(tmp_path_factory: pytest.TempPathFactory, found: list[Resource]) -> None:
    small = {resource.id: resource for resource in found if resource.kind != "file"}
    body = Resources(small, records([resource for resource in found if resource.kind == "file"]))
    path = tmp_path_factory.getbasetemp() / "any.snapshot"
    files.write_snapshot(dataclasses.replace(SNAPSHOT, resources=body), path)
    read = files.read_snapshot(path).resources
    assert read == body
    assert list(read.files.rows()) == list(body.files.rows())
    files.verify(path)


@given(_resources.filter(lambda resource: resource.kind == "file"))
def test_a_cut_line_says_what_decoding_says(resource: Resource) -> None:
    row = {"attributes": dict(resource.attributes), "key": resource.key, "kind": "file"}
    line = canonical(row | ({"observed": dict(resource.observed)} if resource.observed else {}))
    cut = packed.cut(line)
    if cut is not None:
        key, compared, observed = cut
        assert key == resource.key
        assert compared == encode_resource(resource)
        assert decode_resource(compared, observed) == resource


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("whole") / "m"
    files.write_manifest(MANIFEST, path)
    return path.read_bytes()


def refusal(data: bytes) -> str:
    """What is said of bytes that are no manifest, at the latest when somebody looks at all of it."""
    with pytest.raises(UsageError) as caught:
        look_at_all(data)
    return caught.value.message


def look_at_all(data: bytes) -> Manifest:
    read = files.parse_manifest(Held("m", data))
    texts, owned = dict(read.texts), dict(read.package_files)
    list(read.resources.files.rows())
    return dataclasses.replace(read, texts=texts, package_files=owned)


def test_every_truncation_is_refused(whole: bytes) -> None:
    ends = [whole.rfind(b"\n", 0, -1) + 1, len(whole) - 1, *random.Random(1).sample(range(len(whole)), 200)]
    for end in ends:
        message = refusal(whole[:end])
        first = whole.find(b"\n")
        expected = "m: is empty" if not end else "m: is not driftscan" if end <= first else "m: truncated or damaged"
        assert message.startswith(expected), (end, message)


def test_every_flipped_bit_is_refused(whole: bytes) -> None:
    numbers = random.Random(2)
    for index in [*range(60), *range(len(whole) - 90, len(whole)), *numbers.sample(range(len(whole)), 300)]:
        flipped = bytearray(whole)
        flipped[index] ^= 1 << numbers.randrange(8)
        assert refusal(bytes(flipped)).startswith("m")


@given(st.data())
def test_any_other_bytes_are_refused(whole: bytes, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(whole)))
    end = data.draw(st.integers(start, len(whole)))
    other = whole[:start] + data.draw(st.binary(max_size=20)) + whole[end:]
    if other != whole:
        assert refusal(other)


@given(st.binary(max_size=200))
def test_any_bytes_at_all_are_refused(data: bytes) -> None:
    assert refusal(data)


def sealed(lines: list[bytes]) -> bytes:
    body = b"".join(line + b"\n" for line in lines)
    return body + canonical({"lines": len(lines), "sha256": hashlib.sha256(body).hexdigest()}) + b"\n"


def test_a_removed_line_and_a_changed_one_are_told_apart(whole: bytes) -> None:
    lines = whole.split(b"\n")
    assert "lines are missing or were added" in refusal(b"\n".join(lines[:5] + lines[6:]))
    assert "line ends were converted to CRLF" in refusal(whole.replace(b"\n", b"\r\n"))
    assert "was changed or damaged" in refusal(whole.replace(b'"5.2"', b'"5.3"'))


def test_other_formats_and_versions(whole: bytes, tmp_path: Path) -> None:
    later = whole.replace(b"driftscan.manifest/1", b"driftscan.manifest/2", 1)
    assert refusal(later) == f"m: is 'driftscan.manifest/2'; this driftscan ({__version__}) reads version 1"
    files.write_snapshot(SNAPSHOT, tmp_path / "s")
    assert refusal((tmp_path / "s").read_bytes()) == "m: is 'driftscan.snapshot/1', not driftscan.manifest/1"
    assert refusal(b"hosts: {}\n") == "m: is not driftscan.manifest/1"
    assert refusal(sealed([b"{}"])) == "m: is not driftscan.manifest/1"
    (tmp_path / "m").write_bytes(whole)
    with pytest.raises(UsageError, match=r"m: is 'driftscan\.manifest/1', not driftscan\.snapshot/1"):
        files.read_snapshot(tmp_path / "m")


BAD_ZONE = b'{"zone":{"pattern":"x","reason":"","provenance":"pack","zone":"fre"}}'
HUGE_NUMBER = b'{"attributes":{"a":' + b"9" * 5000 + b'},"key":"z","kind":"z"}'
Edit = Callable[[list[bytes]], list[bytes]]


def _head(change: dict[str, Any], *, without: str = "") -> Edit:
    def edit(lines: list[bytes]) -> list[bytes]:
        head = json.loads(lines[0]) | change
        head.pop(without, None)
        return [canonical(head), *lines[1:]]

    return edit


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (_head({}, without="image"), "m:1: manifest: manifest lacks the key 'image'"),
        (_head({"image": {"id": 1, "version": ""}}), "m:1: image.id: expected text, found a number"),
        (_head({"live": "yes"}), "m:1: live: expected true or false, found the text 'yes'"),
        (lambda lines: [*lines[:8], BAD_ZONE, *lines[9:]],
         "m:9: zones.0.zone: 'fre' is not known here; did you mean 'free'?"),
        (lambda lines: [line.replace(b'["/bin/bash"', b"[7") for line in lines],
         "m: the files of package 'bash/amd64' are not text"),
        (lambda lines: [*lines[:-1]], "m:1: the counts in the envelope are not those of the lines"),
        (lambda lines: [*lines, lines[-1]], "m:23: user 'root' stands twice"),
        (lambda lines: [*lines[:-2], lines[-1], lines[-2]], "m:22: package 'bash/amd64' is not in order"),
        (lambda lines: [*lines, b"[]"], "m:23: is not a resource"),
        (lambda lines: [*lines, b'{"attributes":{"a":1.5},"key":"z","kind":"z"}'], "m:23: is not a resource"),
        (lambda lines: [*lines, b'{"attributes":{},"key":1,"kind":"file"}'], "m:23: is not a resource"),
        (lambda lines: [*lines, b"[" * 100_000], "m:23: is not a resource"),
        (lambda lines: [*lines, HUGE_NUMBER], "m:23: is not a resource"),
        (lambda lines: [*lines, b""], "m:23: is not a resource"),
    ],
)  # fmt: skip
def test_sealed_and_yet_wrong(whole: bytes, edit: Edit, message: str) -> None:
    assert refusal(sealed(edit(whole.split(b"\n")[:-2]))).startswith(message)


def _swap(first: int, second: int) -> Edit:
    def edit(lines: list[bytes]) -> list[bytes]:
        lines = list(lines)
        lines[first], lines[second] = lines[second], lines[first]
        return lines

    return edit


COUNTS = {"coverage": 2, "packages": 1, "references": 1, "sources": 1, "texts": 2, "zones": 2}
RESOURCES = {"address": 1, "file": len(HOSTILE), "package": 1, "user": 1}
FIRST_FILE = 11
BAD_TEXT = b'{"text":{"path":"/x","text":7}}'


def _counted(**resources: int) -> Edit:
    return _head({"counts": {**COUNTS, "resources": {**RESOURCES, **resources}}})


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (_counted(file=len(HOSTILE) - 1), "m:1: the counts in the envelope are not those of the lines"),
        (_counted(file=len(HOSTILE) + 1), "m:1: the counts in the envelope are not those of the lines"),
        (_counted(address=2), "m:1: the counts in the envelope are not those of the lines"),
        (_counted(address=0, package=2), "m:1: the counts in the envelope are not those of the lines"),
        (_counted(file=10**30), "m:1: the counts in the envelope are not those of the lines"),
        (_swap(10, FIRST_FILE), "m:1: the counts in the envelope are not those of the lines"),
        (_swap(FIRST_FILE - 1 + len(HOSTILE), FIRST_FILE + len(HOSTILE)), "m:1: the counts"),
        (_swap(FIRST_FILE + 2, FIRST_FILE + 3), "m:15: file "),
        (lambda lines: [*lines[:12], lines[11], *lines[13:]], "m:13: file '/\\x00' stands twice"),
        (lambda lines: [*lines[:12], b"{}", *lines[13:]], "m:13: is not a resource"),
        (lambda lines: [*lines[:12], b'{"attributes":{},"key":"/","kind":"group"}', *lines[13:]],
         "m:13: is not the row of a file"),
        (lambda lines: [*lines[:6], BAD_TEXT, *lines[7:]], "m:7: texts.0.text: expected text, found a number"),
        (lambda lines: [*lines[:3], b'{"package":{"key":"a","files":{}}}', *lines[4:]],
         "m:4: packages.0.files: expected a list, found a mapping"),
        (lambda lines: [*lines[:3], b'{"package":{"key":"a","files":[]},"x":1}', *lines[4:]], "m:4: packages.0"),
        (lambda lines: [*lines[:3], b'{"package":{"key":', *lines[4:]], "m:4: packages.0"),
    ],
)  # fmt: skip
def test_sealed_and_yet_wrong_where_few_look(whole: bytes, tmp_path: Path, edit: Edit, message: str) -> None:
    """Found at the latest when somebody looks, and always by `verify`."""
    lines = whole.split(b"\n")[:-2]
    assert lines[FIRST_FILE].endswith(b'"kind":"file"}')
    data = sealed(edit(lines))
    assert refusal(data).startswith(message)
    (tmp_path / "m").write_bytes(data)
    with pytest.raises(UsageError, match=r"m:[0-9]+: "):
        files.verify(tmp_path / "m")


def test_what_is_seldom_needed_is_not_looked_at_before(whole: bytes) -> None:
    lines = [BAD_TEXT if line.startswith(b'{"text"') else line for line in whole.split(b"\n")[:-2]]
    read = files.parse_manifest(Held("m", sealed(lines)))
    assert dict(read.package_files) == MANIFEST.package_files
    for _ in range(2):
        with pytest.raises(UsageError, match=r"m:7: texts\.0\.text: expected text"):
            len(read.texts)


def test_a_manifest_that_is_truncated_while_it_is_used_is_an_error(tmp_path: Path) -> None:
    files.write_manifest(MANIFEST, tmp_path / "m")
    read = files.read_manifest(tmp_path / "m")
    with (tmp_path / "m").open("r+b") as stream:
        stream.truncate(100)
    with pytest.raises(UsageError, match="m: was changed while it was read"):
        list(read.resources.files.rows())


def test_a_manifest_that_is_replaced_while_it_is_used_stays_what_it_was(tmp_path: Path) -> None:
    files.write_manifest(MANIFEST, tmp_path / "m")
    read = files.read_manifest(tmp_path / "m")
    files.write_manifest(dataclasses.replace(MANIFEST, resources=Resources()), tmp_path / "m")
    assert dataclasses.replace(read, digest="") == MANIFEST


def test_rows_that_are_not_canonical_are_made_so(whole: bytes) -> None:
    lines = whole.split(b"\n")[:-2]
    loose = [json.dumps(json.loads(line), ensure_ascii=False).encode() for line in lines]
    read = files.parse_manifest(Held("m", sealed(loose)))
    assert dataclasses.replace(read, digest="") == MANIFEST
    assert read.resources.files.lines == MANIFEST.resources.files.lines


def test_unknown_keys_are_for_later_versions(whole: bytes) -> None:
    lines = _head({"signatures": [{"by": "x"}], "new": 1})(whole.split(b"\n")[:-2])
    assert dataclasses.replace(files.parse_manifest(Held("m", sealed(lines))), digest="") == MANIFEST


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="m: no such file"):
        files.read_manifest(tmp_path / "m")
    with pytest.raises(UsageError, match="is a directory"):
        files.read_manifest(tmp_path)
    with pytest.raises(UsageError, match="embedded null byte"):
        files.read_manifest("a\x00")


def test_unsorted_records_are_never_written(tmp_path: Path) -> None:
    tree = Records(("/b", "/a"), (b"{}", b"{}"))
    with pytest.raises(ValueError, match="not sorted"):
        files.write_manifest(dataclasses.replace(MANIFEST, resources=Resources({}, tree)), tmp_path / "m")
    assert list(tmp_path.iterdir()) == []


def test_verify_tells_what_a_file_is(tmp_path: Path) -> None:
    digest = files.write_manifest(MANIFEST, tmp_path / "m")
    facts = dict(files.verify(tmp_path / "m"))
    assert facts["digest"] == digest
    assert facts["image"] == "ami-1 version 2026.11.20"
    assert facts["baked"] == "2026-11-20T10:00:00Z by driftscan 0.1.0"
    assert facts["zones"] == "learned 1, pack 1"
    assert facts["resources"] == f"address 1, file {len(HOSTILE)}, package 1, user 1"
    assert facts["collectors"] == "complete 1, partial 1; gaps: 1"
    assert facts["size"] == f"{(tmp_path / 'm').stat().st_size} bytes, 23 lines"
    files.write_snapshot(SNAPSHOT, tmp_path / "s")
    facts = dict(files.verify(tmp_path / "s"))
    assert (facts["host"], facts["torn"], facts["planes"]) == ("web-1 (ssh://web-1)", "dpkg ran", "image")


def test_verify_decodes_what_reading_only_cuts(whole: bytes, tmp_path: Path) -> None:
    lines = [line.replace(b'"size":1}', b'"size":1.5}') for line in whole.split(b"\n")[:-2]]
    (tmp_path / "m").write_bytes(sealed(lines))
    files.read_manifest(tmp_path / "m")
    with pytest.raises(UsageError, match=":12: is not a resource"):
        files.verify(tmp_path / "m")


@pytest.mark.parametrize("name", ["manifest", "snapshot"])
def test_the_schemas_know_the_models_words(name: str) -> None:
    parts = _envelope.schema(name)["$defs"]
    assert parts["gap"]["properties"]["status"]["enum"] == [status.value for status in Status]
    assert parts["coverage"]["properties"]["status"]["enum"] == [status.value for status in CollectorStatus]
    if name == "manifest":
        assert parts["zone"]["properties"]["zone"]["enum"] == [zone.value for zone in ZoneClass]
        assert parts["zone"]["properties"]["provenance"]["enum"] == [item.value for item in ZoneProvenance]


@pytest.mark.parametrize("name", ["manifest", "snapshot"])
def test_the_schemas_are_schemas(name: str) -> None:
    jsonschema.Draft202012Validator.check_schema(_envelope.schema(name))
