"""dnf 4's logs. /var/log/dnf.rpm.log has what each run did, a line for each package (dnf/yum/rpmtrans.py of dnf 4.14):

    2026-11-26T07:27:48+0000 INFO --- logging initialized ---
    2026-11-26T07:27:48+0000 SUBDEBUG Upgrade: tool-libs-1:1.1-1.el9.x86_64
    2026-11-26T07:27:48+0000 SUBDEBUG Upgraded: tool-libs-1:1.0-1.el9.x86_64

the first of a pair is the version after, the second the one before. /var/log/dnf.log has the command line, as
`TIME DDEBUG Command: dnf -y upgrade`. dnf 5 writes neither.
"""

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from driftscan.compare.transaction import Item, Transaction
from driftscan.model.times import SECOND, nanoseconds, utc

MAX_LINES = 50_000
LOG = "dnf.rpm.log"
_TIME = r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:Z|[+-]\d{4}))"
_LINE = re.compile(rf"{_TIME} (?:SUBDEBUG ([A-Z][a-z]{{3,12}}): (\S{{3,400}})|INFO (---.*))\s*")
_COMMAND = re.compile(rf"{_TIME} DDEBUG Command: (.{{1,4000}}?)\s*")
_NEVRA = re.compile(r"(?P<name>\S+)-(?P<version>(?:\d{1,10}:)?[^-\s]+-[^-\s]+)\.(?P<arch>[a-z0-9_]{1,20})")
_CHANGES = re.compile(
    r"\s(?:install|localinstall|reinstall|upgrade|update|upgrade-minimal|distro-sync|dsync|downgrade|remove|erase|swap"
    r"|autoremove|group|module|history|system-upgrade|offline-upgrade|offline-distrosync|builddep|debuginfo-install)\b"
)
_NEW, _OLD = {"Upgrade", "Downgrade", "Reinstall"}, {"Upgraded", "Downgraded", "Reinstalled"}
_GONE = {"Erase", "Erased", "Removed", "Obsoleted"}
_PAUSE = 900 * SECOND
"""Between lines of one run: no package takes longer."""
_BEFORE = 3600 * SECOND
"""By so much a command may be older than the first package it brings: it fetches them, and asks."""


@dataclass(slots=True)
class _Run:
    """Lines of one run: (what, name, architecture, version)."""

    begun: int
    last: int
    lines: list[tuple[str, str, str, str]] = field(default_factory=list)


def parse(packages: str, commands: str) -> tuple[Transaction, ...]:
    """The runs that changed something, in the order of the log. `packages`: text of dnf.rpm.log, `commands` of
    dnf.log. What is not in the format is passed over."""
    told = sorted(
        (at, match[2])
        for line in commands.split("\n")[-MAX_LINES:]
        if (match := _COMMAND.fullmatch(line)) and _CHANGES.search(match[2]) and (at := nanoseconds(match[1]))
    )
    return tuple(_transaction(run, told) for run in _runs(packages))


def _runs(text: str) -> Iterator[_Run]:
    run: _Run | None = None
    for row in text.split("\n")[-MAX_LINES:]:
        match = _LINE.fullmatch(row[:600])
        at = nanoseconds(match[1]) if match else 0
        if match is None or not at:
            continue
        if run is not None and (match[4] or at > run.last + _PAUSE):
            yield from [run] if run.lines else []
            run = None
        found = _NEVRA.fullmatch(match[3] or "")
        if found is None:
            continue
        run = run or _Run(at, at)
        run.last = at
        run.lines.append((match[2], found["name"], found["arch"], found["version"]))
    if run is not None and run.lines:
        yield run


def _transaction(run: _Run, told: Sequence[tuple[int, str]]) -> Transaction:
    begun, command = _command(run.begun, told)
    words = frozenset(command.split())
    asked = {name for _, name, _, _ in run.lines if name in words}
    before = {(what, name, arch): version for what, name, arch, version in run.lines if what in _OLD}
    found: dict[str, list[Item]] = {}
    for what, name, arch, version in run.lines:
        if what in _OLD:
            continue
        gone = what in _GONE
        old = version if gone else before.get((f"{what}{'d' if what.endswith('e') else 'ed'}", name, arch), "")
        item = Item(name, arch, old, "" if gone else version, bool(asked) and name not in asked)
        found.setdefault("Erase" if gone else what, []).append(item)
    return Transaction(
        log=LOG,
        start=utc(begun),
        end=utc(run.last),
        command=command,
        install=tuple(found.get("Installed", ())),
        upgrade=tuple(found.get("Upgrade", ())),
        downgrade=tuple(found.get("Downgrade", ())),
        reinstall=tuple(found.get("Reinstall", ())),
        remove=tuple(found.get("Erase", ())),
    )


def _command(begun: int, told: Sequence[tuple[int, str]]) -> tuple[int, str]:
    """The last command that changes something before the first package was; else that time, and no command: what uses
    dnf as a library logs none."""
    index = bisect_right(told, begun, key=lambda each: each[0]) - 1
    return told[index] if index >= 0 and told[index][0] >= begun - _BEFORE else (begun, "")
