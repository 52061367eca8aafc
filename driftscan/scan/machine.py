"""Which machine answers, told before its files are walked: a birth is of one machine, not of a name."""

import hashlib
from collections.abc import Mapping

from driftscan.compare.identities import HOST_KEY, MACHINE_ID
from driftscan.compare.lineage import machine_of, replaced
from driftscan.model.source import Captures, Glob, Source, Status

_FILES = Glob(
    (MACHINE_ID.removeprefix("file:"), f"{HOST_KEY.removeprefix('file:')}*_key.pub"),
    max_files=100,
    max_bytes=1 << 16,
    public=True,
)
SOURCES: tuple[Source, ...] = (_FILES,)


def shown(captures: Captures, labels: Mapping[str, str]) -> Mapping[str, str]:
    """The values by which a machine is told, as `lineage.machine_of` has them, of those that every user may read."""
    capture = captures[_FILES]
    found = {
        f"file:{member.path.decode('ascii', 'replace')}": hashlib.sha256(member.data).hexdigest()
        for member in capture.members
        if member.status is Status.OK and member.data
    }
    return machine_of(found, labels)


def is_same(born: Mapping[str, str], now: Mapping[str, str]) -> bool:
    """Whether the machine that was born is the one that answers now."""
    return not replaced(born, now)
