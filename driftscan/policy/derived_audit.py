"""What follows from the rules of auditd: which privileged programs' uses are recorded, and whether the file that is
loaded is what the rules on disk make."""

import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import PurePosixPath

from driftscan.model.resource import Attribute, Kind, Resource, Value
from driftscan.model.snapshot import Resources
from driftscan.policy.conditions import Condition, Predicate, Row
from driftscan.policy.tables import Table, everything

PRIVILEGED_PROGRAM = Kind(
    "privileged_program",
    "A set-uid or set-gid program that can be run as such: not where a mount says nosuid or noexec; made of the kinds "
    "file, audit_rule and mount.",
    "its path",
    {
        "mode": Attribute(str, "Its mode"),
        "rule": Attribute(
            str,
            "The audit_rule that records each use by a person: on the program or a directory above it; empty: none",
        ),
    },
)
AUDIT_MERGE = Kind(
    "audit_merge",
    "Whether augenrules(8) would leave /etc/audit/audit.rules as it is; made of the kind audit_compiled.",
    "path of the file",
    {
        "unmerged": Attribute(tuple, "Lines of rules.d that it lacks"),
        "stray": Attribute(tuple, "Lines of it that rules.d does not have"),
        "reordered": Attribute(bool, "Its lines are those of rules.d in another order"),
    },
)
_SET_ID = 0o6000
_LINKS = 16
"""Symbolic links on the way to a directory that are followed."""
_PERSONS = re.compile(r"auid>=([0-9]{1,3}|1000)|auid!=(unset|-1|4294967295)", re.ASCII)
"""Conditions of a rule that leave out the system alone."""
_EXECUTING = frozenset({"all", "execve", "execveat"})


_PROGRAMS = Predicate((
    ("type", Condition("regular", lambda value, row: value == "regular")),
    ("mode", Condition("set-uid or set-gid", lambda value, row: bool(bits(value) & _SET_ID))),
))  # fmt: skip


def bits(mode: Value) -> int:
    """The bits of a mode; none of what is no mode."""
    return int(mode, 8) if isinstance(mode, str) and re.fullmatch("[0-7]{4}", mode) else 0


def privileged_programs(resources: Resources, table: Table) -> Iterator[Resource]:
    """See `PRIVILEGED_PROGRAM`."""
    rules = dict(_recording(resources.of("audit_rule"), table))
    mounts = {each.key: each.attributes.get("options") for each in resources.of("mount") if each.attributes.get("type")}
    for file in table.matching((everything("file"),), (_PROGRAMS,)):
        if _PROGRAMS.holds(Row(file.key, file.attributes)) is not True:
            continue
        options = next((mounts[path] for path in _above(file.key) if path in mounts), ())
        if isinstance(options, tuple) and {"nosuid", "noexec"} & set(options):
            continue
        rule = next((rules[path] for path in (file.key, *_above(file.key)) if path in rules), "")
        yield Resource(PRIVILEGED_PROGRAM.name, file.key, {"mode": file.attributes.get("mode"), "rule": rule})


def _recording(rules: Iterable[Resource], table: Table) -> Iterator[tuple[str, str]]:
    """Path and key of each rule that records all uses of what lies there."""
    known: dict[str, str] = {}
    for rule in rules:
        has = rule.attributes
        path, fields = has.get("path"), has.get("fields")
        if not isinstance(path, str) or not isinstance(fields, tuple) or has.get("action") != "always,exit":
            continue
        letters = has.get("permissions")
        if has.get("syscall") not in _EXECUTING and not (isinstance(letters, tuple) and "x" in letters):
            continue
        if all(isinstance(field, str) and _PERSONS.fullmatch(field) for field in fields):
            directory, name = posixpath.split(path)
            yield posixpath.join(_followed(directory, table, known), name), rule.key


def _followed(directory: str, table: Table, known: dict[str, str]) -> str:
    """A directory without symbolic links on its way: /bin is /usr/bin where the two are merged."""
    if directory not in known:
        known[directory] = resolved(directory, table)
    return known[directory]


def resolved(directory: str, table: Table) -> str:
    """A path without symbolic links on its way, as far as its files are known; after many links, the rest as it is."""
    done, rest, left = "/", [part for part in reversed(directory.split("/")) if part], _LINKS
    while rest:
        done = posixpath.normpath(posixpath.join(done, rest.pop()))
        found = table.get(done) if left else None
        target = found.attributes.get("target") if found else None
        if found and found.attributes.get("type") == "symlink" and isinstance(target, str):
            left -= 1
            done = posixpath.dirname(done)
            rest += [part for part in reversed(target.split("/")) if part]
            done = "/" if target.startswith("/") else done
    return done


def _above(path: str) -> Iterator[str]:
    """The directories above a path, the nearest first."""
    return map(str, PurePosixPath(path).parents)


def merges(resources: Resources, _table: Table) -> Iterator[Resource]:
    """See `AUDIT_MERGE`; nothing where what it is made of was not kept, as in manifests."""
    for each in resources.of("audit_compiled"):
        seen: Mapping[str, Value] = each.observed
        if AUDIT_MERGE.attributes.keys() <= seen.keys():
            yield Resource(AUDIT_MERGE.name, each.key, {name: seen[name] for name in AUDIT_MERGE.attributes})
