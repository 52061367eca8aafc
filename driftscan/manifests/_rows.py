"""Resources as lines and back. The lines of files are cut, not decoded: a tree has a hundred thousand of them."""

import json
from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise

from driftscan.manifests._container import Container
from driftscan.model.codec import canonical, decode_resource, encode_resource
from driftscan.model.records import Records
from driftscan.model.resource import Resource, ResourceId
from driftscan.model.snapshot import Resources
from driftscan.schema_check import quoted

_HEAD = b'{"attributes":{'
_KEY = b'},"key":"'
_FILE = b'","kind":"file"'
_OBSERVED = b',"observed":'


def encode(resources: Resources, *, observed: bool) -> Iterator[bytes]:
    """One line for each resource, by kind and key; `observed`: with what was seen beside the compared part."""
    small = sorted(resources.small)
    before = [rid for rid in small if rid[0] < "file"]
    for rid in before:
        yield _line(resources.small[rid], observed)
    yield from _file_lines(resources.files, observed)
    for rid in small[len(before) :]:
        yield _line(resources.small[rid], observed)


def counts(resources: Resources) -> dict[str, int]:
    """How many resources there are of each kind."""
    found: dict[str, int] = {"file": len(resources.files)} if len(resources.files) else {}
    for kind, _ in resources.small:
        found[kind] = found.get(kind, 0) + 1
    return dict(sorted(found.items()))


def decode(container: Container, lines: Iterable[bytes], first: int) -> Resources:
    """The resources of lines, the first of which is line `first` of the file. UsageError for a line that is not a
    resource, or that does not stand in order of kind and key."""
    small: dict[ResourceId, Resource] = {}
    keys: list[str] = []
    compared: list[bytes] = []
    observed: list[bytes] = []
    last: ResourceId = ("", "")
    for number, line in enumerate(lines, first):
        cut = cut_file(line)
        if cut is None:
            resource = _decode(container, number, line)
            rid = resource.id
            if resource.kind == "file":
                cut = resource.key, encode_resource(resource), _observed_bytes(resource.observed)
            else:
                small[rid] = resource
        else:
            rid = "file", cut[0]
        if rid <= last:
            what = "stands twice" if rid == last else "is not in order of kind and key"
            raise container.error(number, f"{rid[0]} {quoted(rid[1])} {what}")
        last = rid
        if cut is not None:
            keys.append(cut[0])
            compared.append(cut[1])
            observed.append(cut[2])
    return Resources(small, Records(tuple(keys), tuple(compared), tuple(observed) if any(observed) else ()))


def cut_file(line: bytes) -> tuple[str, bytes, bytes] | None:
    """(key, compared line, observed) of a canonical line of kind `file`; None for any other line, and wherever a
    cut could be misled. A quote inside a JSON string is always escaped, so the separators stand nowhere else but
    in an attribute that holds a mapping with these very keys: then there are two."""
    if not line.startswith(_HEAD) or line.count(_KEY) != 1:
        return None
    start = line.index(_KEY) + len(_KEY)
    end = line.find(_FILE, start)
    if end < 0:
        return None
    raw = line[start:end]
    try:
        key = json.loads(b'"' + raw + b'"') if b"\\" in raw else raw.decode("ascii")
    except ValueError:
        return None
    rest = line[end + len(_FILE) :]
    if rest == b"}":
        return key, line, b""
    if not rest.startswith(_OBSERVED + b"{") or not rest.endswith(b"}}"):
        return None
    return key, line[: end + len(_FILE)] + b"}", rest[len(_OBSERVED) : -1]


def _decode(container: Container, number: int, line: bytes) -> Resource:
    try:
        return decode_resource(line)
    except (ValueError, RecursionError):
        raise container.error(number, "is not a resource") from None


def _line(resource: Resource, observed: bool) -> bytes:
    row = {"attributes": dict(resource.attributes), "key": resource.key, "kind": resource.kind}
    if observed and resource.observed:
        row["observed"] = dict(resource.observed)
    return canonical(row)


def _observed_bytes(observed: Mapping[str, object]) -> bytes:
    return canonical(dict(observed)) if observed else b""


def _file_lines(files: Records, observed: bool) -> Iterator[bytes]:
    if any(left >= right for left, right in pairwise(files.keys)):
        raise ValueError("records are not sorted by key")
    if not observed or not files.observed:
        yield from files.lines
        return
    for line, seen in zip(files.lines, files.observed, strict=True):
        yield line if seen in {b"", b"{}"} else line[:-1] + _OBSERVED + seen + b"}"
