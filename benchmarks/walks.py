"""The probe's walk, run as on a target, beside a walker in C that gives the same records, AIDE, and GNU find."""

import contextlib
import os
import shutil
import stat
import struct
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from measure import ROOT, Cost, Item, LeftOutError, RefusedError, paired, row, spend

from driftscan.capture.probe import render
from driftscan.capture.probe.frames import Decoder, Splitter
from driftscan.model.digests import pack
from driftscan.model.source import Source, Status, Step, Tree
from driftscan.transports.program import TAKE, framed

FULL = "walk + sha256"
QUICK = "quick scan"
START = "walk of an empty directory"
BOUND, BOUND_QUICK = "walker.c, sha256", "walker.c, metadata"
INIT, CHECK = "aide --init", "aide --check, nothing changed"
FIND = "find -printf"
COLD_RUNS = 3
"""At most: a cold run of all sides takes half a minute and slows whatever else the machine does."""
_NONCE = "0" * 32
_AUDITED = struct.pack(">4H", 1, 100, 200, 500)
"""Four of 512 buckets: what a scan reads again of an unchanged tree, 1/168 and a random one."""
_AIDE = """\
database_in=file:{folder}/aide.db
database_out=file:{folder}/aide.db
gzip_dbout=no
num_workers={workers}
report_url=file:{folder}/report
All = p+u+g+s+n+i+m+c+ftype+l+acl+xattrs+selinux+caps+e2fsattrs+sha256
{selections}
"""
_FIND = "%y %m %U %G %s %n %T@ %C@ %i %D\\0%p\\0%l\\0"
_DROP_CACHES = "/proc/sys/vm/drop_caches"

Side = Callable[[], Cost]


def full(tops: Sequence[str]) -> Tree:
    """What the probe is asked for a full scan: every file's content hashed."""
    return Tree(tuple(tops), (), "sha256")


def quick() -> Step:
    """What the probe is asked for a quick scan of an unchanged tree: the metadata of all, the content of a share. That
    nothing moved is what the scanner sees in the answer, so there is no second question."""
    sections = {"mode": b"quick", "whole": b"0", "salt": bytes(16), "rules": b"", "known": b"", "audit": _AUDITED}
    return Step("walk", pack(sections))


def probe(source: Source, root: str = "/") -> tuple[list[str], bytes]:
    """The probe's whole program as a target runs it (shell prologue, its Python, lowered priorities, workers), and what
    it reads: itself, since it is longer than an argument may be, one question about what is below `root`, and the
    end."""
    asked = render.start(_NONCE, root, 600) + render.requests([source])
    return ["sh", "-c", f'{TAKE}; eval "$s"'], framed(render.script(), ()) + asked


def walk(source: Source, root: str = "/") -> Cost:
    """The probe answers one question, to nobody."""
    return spend(*probe(source, root))


def measure(tops: Sequence[str], runs: int) -> Iterator[Item]:
    """All rows of one tree, warm and cold. RefusedError if the walker in C gives other records than the probe."""
    tops = [os.path.abspath(top) for top in tops]
    yield describe(tops)
    with tempfile.TemporaryDirectory(prefix="driftscan-walks-") as folder:
        peers = Peers.of(Path(folder), tops)
        yield from peers.left_out
        yield from _rows(_sides(peers, tops, folder), runs)
        if any(_file_system(top) == "tmpfs" for top in tops):
            yield "Left out: cold runs, since a tmpfs has no disk (TMPDIR says where the tree is made)."
            return
        cool, how = _cooling(tops)
        yield f"Cold: {how}."
        yield from _cold_rows(peers, tops, min(runs, COLD_RUNS), cool)


def describe(tops: Sequence[str]) -> str:
    """How many entries, regular files and bytes there are, and on what."""
    entries = regular = size = 0
    for top in tops:
        for folder, below, names in os.walk(top):
            entries += len(below) + len(names)
            for name in names:
                status = os.lstat(os.path.join(folder, name))
                if stat.S_ISREG(status.st_mode):
                    regular += 1
                    size += status.st_size
    where = ", ".join(sorted({_file_system(top) for top in tops}))
    return f"Tree: {entries:,} entries, {regular:,} regular files, {size / 1e6:,.0f} MB, on {where}."


def _file_system(top: str) -> str:
    try:
        command = ["findmnt", "--noheadings", "--output=FSTYPE", f"--target={top}"]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()[-1]
    except (OSError, subprocess.CalledProcessError):
        return "an unknown file system"


@dataclass(frozen=True)
class Peers:
    """Command lines of the peers that this machine has; `left_out` names the others and why."""

    commands: Mapping[str, Sequence[str]]
    left_out: tuple[str, ...]

    @classmethod
    def of(cls, folder: Path, tops: Sequence[str]) -> "Peers":
        """Those for some trees; databases and programs go to `folder`. RefusedError: see `check`."""
        commands: dict[str, Sequence[str]] = {FIND: ["find", *tops, "-printf", _FIND]}
        left_out = []
        for make in (_bound, _aide):
            try:
                commands |= make(folder, tops)
            except LeftOutError as missing:
                left_out.append(f"Left out: {missing}.")
        return cls(commands, tuple(left_out))


def _bound(folder: Path, tops: Sequence[str]) -> dict[str, Sequence[str]]:
    walker = folder / "walker"
    compiler = shutil.which("cc")
    if not compiler:
        raise LeftOutError("the walker in C, since there is no cc (Debian: gcc)")
    command = [compiler, "-O2", "-pthread", "-o", str(walker), str(ROOT / "benchmarks/walker.c"), "-lcrypto"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        said = next((line for line in done.stderr.splitlines() if "error" in line), done.stderr.strip()[:200])
        raise LeftOutError(f"the walker in C, which does not compile (Debian: libssl-dev, libc6-dev): {said}")
    threads = str(min(2, len(os.sched_getaffinity(0))))
    commands = {
        BOUND: [str(walker), "sha256", threads, *tops],
        BOUND_QUICK: [str(walker), "stat", threads, *tops],
    }
    for name, source in ((BOUND, full(tops)), (BOUND_QUICK, Tree(tuple(tops), (), ""))):
        check(commands[name], source)
    return dict(commands)


def _aide(folder: Path, tops: Sequence[str]) -> dict[str, Sequence[str]]:
    if not shutil.which("aide"):
        raise LeftOutError("AIDE, which is not installed (Debian: aide)")
    selections = "\n".join(f"{top} All" for top in tops)
    configuration = folder / "aide.conf"
    # As many workers as processors: its own default is one, which costs it the same CPU and a quarter more time.
    workers = len(os.sched_getaffinity(0))
    configuration.write_text(_AIDE.format(folder=folder, workers=workers, selections=selections))
    aide = ["aide", f"--config={configuration}"]
    return {INIT: [*aide, "--init"], CHECK: [*aide, "--check"]}


def check(command: Sequence[str], source: Tree) -> None:
    """That a peer prints the records that the probe sends, in any order. RefusedError if it does not."""
    output = subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout
    theirs, ours = _split(output), _split(_records(source))
    if theirs == ours:
        return
    missing, added = sorted(ours - theirs)[:1], sorted(theirs - ours)[:1]
    raise RefusedError(
        f"the walkers' records differ ({len(ours - theirs)} of {len(ours)}); one of the probe: {missing},"
        f" one of walker.c: {added}. Does the tree change, or hold mounts of other file systems?"
    )


def _records(source: Tree) -> bytes:
    """The records of one walk, as a scanner decodes them."""
    command, stdin = probe(source)
    done = subprocess.run(command, input=stdin, stdout=subprocess.PIPE, check=True)
    decoder = Decoder([source])
    for frame in Splitter(_NONCE).feed(done.stdout):
        if frame.words[:1] != (b"hello",):
            decoder.take(frame)
    (capture,) = decoder.captures()
    if capture.status is not Status.OK:
        raise RefusedError(f"the probe's walk ended as {capture.status}: {capture.detail}")
    return capture.content.read(0, capture.content.size)


def _split(output: bytes) -> set[tuple[bytes, ...]]:
    """Records of four strings each."""
    parts = output.split(b"\0")[:-1]
    found = list(zip(*(iter(parts),) * 4, strict=True))
    if len(set(found)) != len(found):
        raise RefusedError("a walker gives a record twice")
    return set(found)


def _sides(peers: Peers, tops: Sequence[str], folder: str) -> dict[str, Side]:
    empty = Path(folder, "empty")
    empty.mkdir()
    sides: dict[str, Side] = {
        FULL: lambda: walk(full(tops)),
        QUICK: lambda: walk(quick(), tops[0]),
        START: lambda: walk(full([str(empty)])),
    }
    return sides | {name: _run(command) for name, command in peers.commands.items()}


def _run(command: Sequence[str]) -> Side:
    # AIDE's statuses up to 7 say what it found: a scratch directory's own times, for one.
    return lambda: spend(command, ok=range(8) if command[0] == "aide" else (0,))


def _rows(sides: Mapping[str, Side], runs: int) -> Iterator[Item]:
    costs = paired(sides, runs)
    if BOUND in costs:
        yield row(costs, FULL, BOUND, cpu=1.25)
    if INIT in costs:
        yield row(costs, FULL, INIT, cpu=0.25, wall=0.25)
    yield row(costs, QUICK, FIND, cpu=2.5)
    if CHECK in costs:
        yield row(costs, QUICK, CHECK, cpu=0.05)
    if BOUND_QUICK in costs:
        yield row(costs, QUICK, BOUND_QUICK, "none")
    yield from _possible(costs, BOUND, INIT)
    yield row(costs, START, FULL, "none: the share of the full walk that is start-up")
    yield row(costs, START, QUICK, "none: the share of the quick one")


def _cold_rows(peers: Peers, tops: Sequence[str], runs: int, cool: Callable[[], None]) -> Iterator[Item]:
    ours, bound, init = (f"{name}, cold" for name in (FULL, BOUND, INIT))
    sides: dict[str, Side] = {ours: lambda: walk(full(tops))}
    sides |= {f"{name}, cold": _run(peers.commands[name]) for name in (BOUND, INIT) if name in peers.commands}
    costs = paired(sides, runs, cool, warm=False)
    if bound in costs:
        yield row(costs, ours, bound, cpu=1.25)
    if init in costs:
        yield row(costs, ours, init, cpu=0.25, wall=0.25)
    yield from _possible(costs, bound, init)


def _possible(costs: Mapping[str, Sequence[Cost]], bound: str, init: str) -> Iterator[Item]:
    if bound in costs and init in costs:
        yield row(costs, bound, init, "none: what is possible")


def _cooling(tops: Sequence[str]) -> tuple[Callable[[], None], str]:
    """What makes the tree cold again, and what it does."""
    try:
        _drop_caches()
    except OSError as error:
        why = f"since {_DROP_CACHES} is closed here ({error.strerror})"
        return lambda: _forget(tops), f"files' pages dropped (posix_fadvise), but neither names nor inodes, {why}"
    return _drop_caches, f"sync, then all pages, names and inodes, those of programs too, dropped ({_DROP_CACHES})"


def _drop_caches() -> None:
    os.sync()
    with open(_DROP_CACHES, "w", encoding="ascii") as control:
        control.write("3\n")


def _forget(tops: Sequence[str]) -> None:
    os.sync()
    for top in tops:
        for folder, _, names in os.walk(top):
            for name in names:
                path = os.path.join(folder, name)
                if stat.S_ISREG(os.lstat(path).st_mode):
                    with contextlib.suppress(OSError), open(path, "rb") as file:
                        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
