"""A scanner that is killed, a disk that is full: what was stored stays stored, and nothing is half stored."""

import os
import re
import subprocess
import sys
from pathlib import Path

from driftscan.model.place import Place
from driftscan.store import Store
from tests.store.killed import made

ROOT = Path(__file__).parents[2]
FULL = """
import resource, signal, sys
from pathlib import Path
from driftscan.errors import IncompleteError
from driftscan.store import Store
from tests.store.killed import made
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
store = Store(Path(sys.argv[1]))
store.save(made(0), b"0")
resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))
try:
    for number in range(1, 200):
        store.save(made(number), b"%d" % number)
        print(number, flush=True)
except IncompleteError as error:
    print(error.message)
"""


def run(*words: str) -> subprocess.CompletedProcess[str]:
    # By itself, since a process with threads (that of the tests) must not fork.
    return subprocess.run(
        [sys.executable, *words],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def test_kill_9_at_any_moment_loses_nothing(place: Place) -> None:
    """A few; `python -m tests.store.killed 100` kills a hundred."""
    done = run("-m", "tests.store.killed", "6", *([place.database] if place.database else []))
    assert re.fullmatch(
        r"6 killed, \d of them after commits; \d+ scans stored, \d+ of them untold; nothing lost\n", done.stdout
    ), done


def test_a_disk_that_fills_up(tmp_path: Path) -> None:
    """A bound on the size of files, as a disk without room: the scan that does not fit is not stored, and says so."""
    done = run("-c", FULL, str(tmp_path))
    *stored, said = done.stdout.splitlines()
    assert re.search("disk", said), done
    store = Store(tmp_path)
    assert {row.id for row in store.scans(1000)} == {"scan-0", *(f"scan-{number}" for number in stored)}
    store.save(made(1000), b"later")
    last = store.last_scan()
    assert last is not None
    assert last.id == "scan-1000"
