"""Comparing two manifests of files, one file in a thousand changed, beside comm(1) on the same records as sorted lines,
and beside AIDE on databases of the same files. Reading, checking and reporting are in it."""

import base64
import compileall
import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from measure import ROOT, Cost, Item, judged, paired, program, row, spend

from driftscan.manifests.files import write_manifest
from driftscan.model.codec import encode_resource
from driftscan.model.manifest import Manifest, Provenance
from driftscan.model.resource import Resource, Value
from driftscan.model.snapshot import CollectorCoverage, CollectorStatus, ImageRef, Resources
from driftscan.stored import pack

_EVERY = 1000
_MOST_FOR_AIDE = 100_000
"""Records that AIDE compares in less than a minute; ten times as many take it ten times as long."""
_AIDE = """\
database_in=file:{folder}/old.aide
database_new=file:{folder}/new.aide
report_url=file:{folder}/report
All = p+u+g+s+n+ftype+acl+xattrs+selinux+caps+e2fsattrs+sha256
/usr All
"""
_AIDE_HEAD = (
    "@@begin_db\n@@db_spec name perm uid gid size inode lcount attr acl sha256 selinux xattrs e2fsattrs capabilities\n"
)
_AIDE_ROW = "{name} 100644 0 0 {size} {number} 1 112744990781 POSIX,{acl},0 {digest} 0 0 0 0\n"
"""As AIDE 0.18.3 writes its database for these attributes (the number is their mask)."""
_ACL = base64.b64encode(b"user::rw-\ngroup::r--\nother::r--\n").decode()


def name_of(number: int) -> str:
    """The path of a file of the table; in the order of numbers they are sorted."""
    return f"/usr/lib/package-{number // 50:05d}/part-{number % 50:02d}/file-{number:07d}.so"


def digest_of(number: int, *, changed: bool) -> bytes:
    """The SHA-256 of its content, which of every thousandth file is another if `changed`."""
    return hashlib.sha256(f"{number}{'!' if changed and number % _EVERY == 7 else ''}".encode()).digest()


def table(count: int, *, changed: bool) -> Iterator[bytes]:
    """Records as the collector writes them."""
    for number in range(count):
        attributes: dict[str, Value] = {
            "acl": "", "capabilities": "", "flags": "", "gid": 0, "mode": "0644", "nlink": 1, "selinux": "",
            "sha256": digest_of(number, changed=changed).hex(), "size": number % 65536, "type": "regular", "uid": 0,
            "xattrs": {},
        }  # fmt: skip
        yield encode_resource(Resource("file", name_of(number), attributes))


def measure(count: int, runs: int) -> Iterator[Item]:
    """The whole command beside comm, and where it is installed and not too slow, AIDE."""
    compileall.compile_dir(ROOT / "driftscan", quiet=1)  # as whoever installs it has it
    with tempfile.TemporaryDirectory() as folder:
        names = [_written(count, Path(folder), name, changed=name == "new") for name in ("old", "new")]
        ours = f"driftscan diff of two manifests of {count:,} records"
        arguments = [f"manifest:{name}.manifest" for name in names]

        def compare() -> Cost:
            return spend(program("diff", *arguments, "-o", "json"), ok=(1,))

        lines = [f"{name}.lines" for name in names]
        costs = paired({ours: compare, "comm -3": lambda: spend(["comm", "-3", *lines])}, runs)
        yield row(costs, ours, "comm -3", cpu=2)
        if count >= 1_000_000:
            peak = max(cost.peak for cost in costs[ours])
            yield f"Memory, {count:,} records: {judged(peak, 400, ' MiB')}."
        if count <= _MOST_FOR_AIDE and shutil.which("aide"):
            aide = ["aide", f"--config={folder}/aide.conf", "--compare"]
            costs = paired({ours: compare, "aide --compare": lambda: spend(aide, ok=(4,))}, min(runs, 2))
            yield row(costs, ours, "aide --compare", cpu=1 / 400)


def _written(count: int, folder: Path, name: str, *, changed: bool) -> Path:
    """The table as a manifest, as lines sorted by bytes, which is what comm needs, and as AIDE's database."""
    path = folder / name
    records = pack(table(count, changed=changed), "the table", observed=False)
    coverage = (CollectorCoverage("files", 1, ("file",), CollectorStatus.COMPLETE, count),)
    provenance = Provenance(baked_at="2026-01-01T00:00:00Z", tool="driftscan")
    resources = Resources(files=records)
    manifest = Manifest(image=ImageRef(), provenance=provenance, coverage=coverage, resources=resources)
    write_manifest(manifest, f"{path}.manifest")
    with open(f"{path}.unsorted", "wb") as stream:
        stream.writelines(line + b"\n" for line in records.lines)
    subprocess.run(["sort", "-o", f"{path}.lines", f"{path}.unsorted"], check=True, env=os.environ | {"LC_ALL": "C"})
    Path(f"{path}.unsorted").unlink()
    (folder / "aide.conf").write_text(_AIDE.format(folder=folder))
    with open(f"{path}.aide", "w", encoding="ascii") as database:
        database.write(_AIDE_HEAD)
        database.writelines(_aide_row(number, changed=changed) for number in range(min(count, _MOST_FOR_AIDE)))
        database.write("@@end_db\n")
    return path


def _aide_row(number: int, *, changed: bool) -> str:
    digest = base64.b64encode(digest_of(number, changed=changed)).decode()
    size, name = number % 65536, name_of(number)
    return _AIDE_ROW.format(name=name, size=size, number=number + 1, acl=_ACL, digest=digest)
