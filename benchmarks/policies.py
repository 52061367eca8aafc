"""Judging hosts by 500 rules, the shipped ones and made ones, on facts of a real host, varied as hosts of one image
are; beside the filters of Cloud Custodian on the same facts, if pip can install it into an environment of its own."""

import json
import re
import subprocess
import sys
import tempfile
import time
import zlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any, TypeVar

import judging
import varied
from measure import ROOT, Item, LeftOutError, RefusedError, Table, program, spend, spread

from driftscan import policy
from driftscan.manifests.files import read_snapshot, write_snapshot
from driftscan.model.differing import differing
from driftscan.model.patched import Patched
from driftscan.model.records import Records, Row
from driftscan.model.snapshot import Snapshot
from driftscan.scan.on_file import as_manifest
from driftscan.scan.parsing import kinds

T = TypeVar("T")

RULES = 500
HOSTS = 10_000
_SHIPPED = ("server-hardening", "access", "exposure", "image-hygiene")
_SAMPLE = 100
"""Hosts whose facts both engines judge in a run."""
_FILES = 20
"""Whole snapshots, with their file tables, that are judged and scanned."""


def measure(source: str, runs: int) -> Iterator[Item]:
    """Both engines on the small kinds, then ours with all shipped rules on whole snapshots, and the command. `source`:
    a snapshot of a real host."""
    if not source:
        raise LeftOutError("--snapshot FILE names a snapshot of a real host, by `driftscan snapshot`")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        first = read_snapshot(source)
        yield from _engines(first, folder, runs)
        yield from _whole(first, folder, runs)


def _engines(first: Snapshot, folder: Path, runs: int) -> Iterator[Item]:
    facts = _facts(first)
    made = varied.rules(facts, RULES)
    facts = {kind: facts[kind] for kind in {rule["kind"] for rule in made}}
    path = folder / "facts.json"
    path.write_text(json.dumps({"facts": facts, "rules": made}), "utf-8")
    resources = sum(map(len, facts.values()))
    asked = sum(len(facts[rule["kind"]]) for rule in made)
    yield f"{len(made)} made rules, {resources:,} resources and {asked:,} questions a host; {_SAMPLE} hosts a run."
    try:
        peer = _peer(folder)
    except LeftOutError as missing:
        yield f"Cloud Custodian is left out: {missing}."
        peer = None
    ours, alone, theirs = [], [], []
    for _ in range(runs):
        mine = _ran(sys.executable, "judging.py", path)
        ours.append(mine["seconds"] / _SAMPLE * 1000)
        alone.append(mine["alone"] / _SAMPLE * 1000)
        if peer:
            its = _ran(peer, "peer_c7n.py", path)
            theirs.append(its["seconds"] / _SAMPLE * 1000)
            if its["taken"] != mine["taken"]:
                raise RefusedError("the engines do not find the same resources")
    rows = {
        "driftscan, judge_controls, hosts together": ours,
        "driftscan, judge_controls, each by itself": alone,
        "Cloud Custodian, ValueFilter.process": theirs,
    }
    table = [
        (name, spread(each), spread([one / its for one, its in zip(each, theirs, strict=True)]) if theirs else "")
        for name, each in rows.items()
        if each
    ]
    yield Table(("engine", "ms of CPU a host", "ratio to Custodian's"), tuple(table))


def _facts(first: Snapshot) -> varied.Facts:
    found: varied.Facts = {}
    for (kind, key), resource in sorted(first.resources.small.items()):
        found.setdefault(kind, {})[key] = json.loads(json.dumps(dict(resource.attributes)))
    return found


def _ran(interpreter: str, script: str, path: Path) -> dict[str, Any]:
    argv = [interpreter, str(ROOT / "benchmarks" / script), str(path), str(_SAMPLE)]
    told = subprocess.run(argv, capture_output=True, text=True, check=False)
    if told.returncode:
        raise RefusedError(f"{script} failed: {told.stderr[-300:]}")
    found: dict[str, Any] = json.loads(told.stdout)
    return found


def _peer(folder: Path) -> str:
    """An interpreter that has Cloud Custodian."""
    subprocess.run([sys.executable, "-m", "venv", f"{folder}/c7n"], check=True)
    argv = [f"{folder}/c7n/bin/pip", "install", "-q", "c7n"]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode:
        raise LeftOutError(f"pip cannot install c7n: {done.stderr.strip()[-200:]}")
    return f"{folder}/c7n/bin/python"


def _whole(first: Snapshot, folder: Path, runs: int) -> Iterator[Item]:
    """All shipped rules and as many made ones as make them 500, on snapshots with their file tables."""
    facts = _facts(first)
    shipped = [rule for each in policy.load(_SHIPPED, kinds()) for rule in each.controls]
    made = folder / "made.yaml"
    made.write_text(json.dumps(judging.as_policy(varied.rules(facts, RULES - len(shipped)))), "utf-8")
    names = [*_SHIPPED, str(made)]
    begun = time.perf_counter()
    policies = policy.load(names, kinds())
    loading = time.perf_counter() - begun
    snapshots = [_written(first, facts, folder, number) for number in range(_FILES)]
    baked = replace(as_manifest(first), digest="the image")
    reading, alone, beside, live = [], [], [], []
    for _ in range(runs):
        together, of_image = policy.Together(), policy.Together()
        for number, path in enumerate(snapshots):
            taken, cost = _timed(partial(read_snapshot, path))
            reading.append(cost)
            context = _context(taken)
            judge = partial(policy.judge_controls, policies, taken, context)
            by_itself, cost = _timed(judge)
            alone.append(cost)
            with_others, cost = _timed(partial(judge, together))
            if with_others != by_itself:
                raise RefusedError("hosts that are judged together are not judged as each by itself")
            told = _as_told(taken, first)
            _, quick = _timed(
                partial(policy.judge_controls, policies, told, replace(context, manifest=baked), of_image)
            )
            if number:  # the first stands for the others
                beside.append(cost)
                live.append(quick)
    count = sum(len(each.controls) for each in policies)
    yield f"{count} rules, {len(first.resources.files):,} files a host; loading the rules takes {loading:.2f} s."
    scanned = [(_scan(snapshots, names, folder) - _scan(snapshots[:1], names, folder)) for _ in range(runs)]
    each = [1000 * cpu / (len(snapshots) - 1) for cpu in scanned]
    costs = {
        "read a snapshot": reading,
        "judge it by itself": alone,
        "judge one more of its image": beside,
        "judge one more that was told by its manifest, and the image": live,
        "`scan`: one more snapshot": each,
    }
    table = tuple((work, spread(cost), f"{median(cost) * HOSTS / 60_000:,.0f} min") for work, cost in costs.items())
    yield Table(("work", "ms of CPU a host", f"{HOSTS:,} hosts by this"), table)


def _written(first: Snapshot, facts: varied.Facts, folder: Path, number: int) -> Path:
    """The snapshot of a host of the same image."""
    files = Records(*zip(*(_other(row, number) for row in first.resources.files.rows()), strict=True))
    resources = replace(judging.snapshot(varied.host(facts, number)).resources, files=files)
    path = folder / f"host-{number:02}.snapshot"
    write_snapshot(replace(first, host=path.stem, resources=resources), path)
    return path


def _other(row: Row, number: int) -> Row:
    """A file of another host: when it was changed and where it lies differs of each, its owner of one in a hundred."""
    key, line, observed = row
    if number and zlib.crc32(f"{key} {number}".encode()) % varied.OTHER_IN == 0:
        line = re.sub(rb'"uid":([0-9]+)', lambda uid: b'"uid":%d' % (int(uid[1]) + number), line)
    return (
        key,
        line,
        re.sub(rb'"(ctime|inode)":([0-9]+)', lambda at: b'"%s":%d' % (at[1], int(at[2]) + number), observed),
    )


def _as_told(taken: Snapshot, first: Snapshot) -> Snapshot:
    """The snapshot as a scan has it that told the host what its manifest has: what differs, and the manifest's rows."""
    changed = [(key, new) for key, _, new in differing(first.resources.files, taken.resources.files) if new]
    files = Patched(first.resources.files, (), Records([key for key, _ in changed], [line for _, line in changed]))
    return replace(taken, resources=replace(taken.resources, files=files))


def _timed(work: Callable[[], T]) -> tuple[T, float]:
    """What it gives, and milliseconds of CPU."""
    begun = time.process_time()
    found = work()
    return found, (time.process_time() - begun) * 1000


def _scan(snapshots: list[Path], names: list[str], folder: Path) -> float:
    """Seconds of CPU of the whole command."""
    words = program("scan", *(f"snapshot:{path}" for path in snapshots), "-o", "json", *(f"-p{name}" for name in names))
    return spend(words, ok=(0, 1, 3, 4), settings={"DRIFTSCAN_STATE_DIR": f"{folder}/state"}).cpu


def _context(taken: Snapshot) -> policy.Context:
    system = taken.resources.get("os_version", "-")
    return policy.Context(os=system.attributes if system else None)
