"""Control groups: every process of a bed lives in the bed's own, so none escapes reaping."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.fleet.bed.shell import BedError, run

# The shell is in the groups before it starts the command, so nothing is ever outside them. The
# command gets a session of its own, out of reach of a terminal's Ctrl-C.
_ENTER = """
log=$1; shift
while [ "$1" != -- ]; do echo $$ > "$1/cgroup.procs"; shift; done
shift
exec setsid --fork "$@" </dev/null >>"$log" 2>&1
"""


def _hierarchies() -> list[Path]:
    top = Path("/sys/fs/cgroup")
    if (top / "cgroup.procs").exists():
        return [top]
    # On a machine with both versions, nspawn makes groups in each of these two.
    return [top / name for name in ("systemd", "unified") if (top / name).is_dir()]


def groups(path: str) -> list[Path]:
    return [top / path for top in _hierarchies()]


def spawn(group: str, command: Sequence[str], log: Path) -> None:
    """Starts a command in its own group; it outlives the caller."""
    places = groups(group)
    for place in places:
        place.mkdir(parents=True, exist_ok=True)
    run("/bin/sh", "-ec", _ENTER, "enter", str(log), *map(str, places), "--", *command)


def _tree(group: str) -> list[Path]:
    """The group's directories, the deepest first; they may go away while they are listed."""
    return [Path(at) for place in groups(group) for at, _, _ in os.walk(place, topdown=False)]


def members(group: str) -> set[int]:
    """Processes of a group and of the groups below it."""
    found: set[int] = set()
    for directory in _tree(group):
        try:
            found.update(map(int, (directory / "cgroup.procs").read_text().split()))
        except OSError:
            continue
    return {pid for pid in found if not _is_zombie(pid)}


def _is_zombie(pid: int) -> bool:
    state = process(pid)
    return state is None or state[2] == "Z"


def process(pid: int) -> tuple[str, int, str] | None:
    """Command name, parent and state, or None when there is no such process."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except OSError:
        return None
    name, _, rest = text.partition("(")[2].rpartition(")")
    state, parent = rest.split()[:2]
    return name, int(parent), state


def children(parent: int) -> Iterator[tuple[int, str]]:
    for entry in os.listdir("/proc"):
        if entry.isdigit() and (found := process(int(entry))) and found[1] == parent:
            yield int(entry), found[0]


def reap(group: str) -> None:
    """Kills whatever is in a group and removes the group."""
    for _ in range(1200):
        living = members(group)
        for pid in living:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        if not living and _remove(group):
            return
        time.sleep(0.05)
    raise BedError(f"control group {group}: processes {sorted(members(group))} don't die")


def _remove(group: str) -> bool:
    for directory in _tree(group):
        try:
            directory.rmdir()
        except OSError:
            return False
    return True
