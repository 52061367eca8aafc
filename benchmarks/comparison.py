"""Comparing two tables of files, one in a thousand changed, beside comm(1) on the same records as sorted lines."""

import hashlib
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from measure import Cost, Row, paired, program, row, spend

from driftscan.compare.diff import diff
from driftscan.manifests.files import write_manifest
from driftscan.model.codec import encode_resource
from driftscan.model.manifest import Manifest, Provenance
from driftscan.model.records import Records
from driftscan.model.resource import Resource, Value
from driftscan.model.snapshot import CollectorCoverage, CollectorStatus, ImageRef, Resources, Snapshot

_EVERY = 1000


def table(count: int, changed: bool) -> Records:
    """Records of `count` files as the collector writes them; of every thousandth the content is other if `changed`."""
    rows: list[tuple[str, bytes]] = []
    for number in range(count):
        key = f"/usr/lib/package-{number // 50:05d}/part-{number % 50:02d}/file-{number:07d}.so"
        text = f"{number}{'!' if changed and number % _EVERY == 7 else ''}"
        attributes: dict[str, Value] = {
            "acl": "", "capabilities": "", "flags": "", "gid": 0, "mode": "0644", "nlink": 1, "selinux": "",
            "sha256": hashlib.sha256(text.encode()).hexdigest(), "size": number % 65536, "type": "regular", "uid": 0,
            "xattrs": {},
        }  # fmt: skip
        rows.append((key, encode_resource(Resource("file", key, attributes))))
    rows.sort()
    return Records([key for key, _ in rows], [line for _, line in rows])


def compared(old: Records, new: Records, expected: int) -> Cost:
    """compare.diff of two loaded tables whose digests are not yet known. RuntimeError if it finds another number."""
    coverage = (CollectorCoverage("files", 1, ("file",), CollectorStatus.COMPLETE, len(old)),)
    ours, theirs = Resources(files=_fresh(old)), Resources(files=_fresh(new))
    provenance = Provenance(baked_at="", tool="")
    manifest = Manifest(image=ImageRef(), provenance=provenance, coverage=coverage, resources=ours)
    snapshot = Snapshot(host="", target="", taken_at="", coverage=coverage, resources=theirs)
    started, used = time.monotonic(), time.process_time()
    found = diff(manifest, snapshot)
    cost = Cost(time.monotonic() - started, time.process_time() - used)
    if found.raw != expected:
        raise RuntimeError(f"{found.raw} differences instead of {expected}")
    return cost


def _fresh(records: Records) -> Records:
    return Records(records.keys, records.lines)


def measure(count: int, runs: int) -> Iterator[Row]:
    """In memory, and the whole command with reading and reporting."""
    old, new = table(count, False), table(count, True)
    changed = sum(before != after for before, after in zip(old.lines, new.lines, strict=True))
    with tempfile.TemporaryDirectory() as folder:
        names = [_written(old, Path(folder), "old"), _written(new, Path(folder), "new")]
        memory = f"compare.diff of {count:,} records in memory"
        command = f"driftscan diff of two manifests of {count:,} records"
        arguments = [f"manifest:{name}.manifest" for name in names]
        sides = {
            memory: lambda: compared(old, new, changed),
            command: lambda: spend(program("diff", *arguments, "-o", "json"), ok=(1,)),
            "comm -3": lambda: spend(["comm", "-3", *(f"{name}.lines" for name in names)]),
        }
        costs = paired(sides, runs)
    yield row(costs, memory, "comm -3", "CPU <= 2")
    yield row(costs, command, "comm -3", "CPU <= 2, <= 400 MiB at 1,000,000")


def _written(records: Records, folder: Path, name: str) -> Path:
    """The table as a manifest and as lines sorted by bytes, which is what comm needs."""
    path = folder / name
    coverage = (CollectorCoverage("files", 1, ("file",), CollectorStatus.COMPLETE, len(records)),)
    provenance = Provenance(baked_at="2026-01-01T00:00:00Z", tool="driftscan")
    resources = Resources(files=records)
    manifest = Manifest(image=ImageRef(), provenance=provenance, coverage=coverage, resources=resources)
    write_manifest(manifest, f"{path}.manifest")
    Path(f"{path}.lines").write_bytes(b"".join(line + b"\n" for line in sorted(records.lines)))
    return path
