"""What the kernel is told to record: rules of auditctl(8) that are loaded at boot.

augenrules(8) joins /etc/audit/rules.d/*.rules by their names; where there are none, /etc/audit/audit.rules holds. A
rule on several system calls is one resource for each of them, so that a policy can ask for a call whatever rules name
it.

The file that it makes of them is loaded by auditd. Whether it still is what they make is observed, not compared: each
start writes it anew, so an image may be baked before it was written.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from driftscan.collectors._base import Collector, gap
from driftscan.collectors._closed import closed
from driftscan.collectors._gaps import few_gaps
from driftscan.collectors._text import key, lines, path_text, unique, value
from driftscan.model.resource import Attribute, Kind, Resource, Value
from driftscan.model.source import Captures, File, Gap, Glob, Line, Status

RULES = Glob(("/etc/audit/rules.d/*.rules",))
COMPILED = File("/etc/audit/audit.rules")
MAX_RESOURCES = 20_000
_CONTROLS = {
    "-e": "enabled", "-b": "backlog", "-f": "failure", "-r": "rate", "--backlog_wait_time": "backlog_wait_time",
    "--loginuid-immutable": "loginuid_immutable", "-c": "continue", "-i": "ignore",
}  # fmt: skip
_BARE = frozenset({"--loginuid-immutable", "-c", "-i"})
_DIGITS = re.compile(r"(\d{1,18})")

KIND = Kind(
    "audit_rule",
    "Something that the kernel is told to record, or how to record",
    "`watch PATH`, `syscall ARCH NAME` (ARCH is `any` where none is named), `control NAME`, such as `control enabled`; "
    "other rules as they are written; a repeated one gets `#2`, `#3`, ...",
    {
        "type": Attribute(str, "watch, syscall, control, other", words=("watch", "syscall", "control", "other")),
        "action": Attribute(str, "`always,exit` and the like; empty for controls"),
        "path": Attribute(str, "The file or directory of a watch, without a final slash"),
        "permissions": Attribute(tuple, "Of a watch: letters of r, w, x, a in order of the alphabet"),
        "syscall": Attribute(str, "The system call"),
        "arch": Attribute(str, "b64, b32 or as it is written; empty: none is named"),
        "fields": Attribute(tuple, "Further conditions (-F, -C), sorted"),
        "tag": Attribute(str, "The key by which records are found (-k)"),
        "value": Attribute(str, "Of a control: its argument"),
        "file": Attribute(str, "The file that it stands in"),
    },
)

MERGED = Kind(
    "audit_compiled",
    "The file that augenrules(8) makes of the rules, which is loaded; observed is in what it differs from what "
    "augenrules would make now",
    "path of the file",
    {},
)
_ONCE = re.compile(r"-(?:D\s*$|[bfe])")
"""Of these only the last holds, and has a place of its own."""
_MAX_LINES = 100
"""Lines of each sort that are told of a file that differs."""


@dataclass(slots=True)
class _Rule:
    """What the options of one line say."""

    action: str = ""
    path: str = ""
    permissions: str = ""
    arch: str = ""
    tag: str = ""
    syscalls: list[str] = field(default_factory=list)
    fields: list[str] = field(default_factory=list)
    controls: list[tuple[str, str]] = field(default_factory=list)


def parse(captures: Captures) -> Iterator[Resource | Gap]:
    """The rules in the order in which they are loaded, and whether the file that is loaded is made of them."""
    return few_gaps(_parse(captures), "audit_rules", KIND.name, MERGED.name)


def _parse(captures: Captures) -> Iterator[Resource | Gap]:
    for shut in closed(captures, RULES):
        yield Gap("audit_rules", Status.FORBIDDEN, f"{shut} could not be read", (KIND.name, MERGED.name))
        return
    members = sorted(captures.members(RULES), key=lambda member: _natural(path_text(member.path)))
    if not members and captures[COMPILED].status not in (Status.OK, Status.ABSENT):
        yield gap("audit_rules", captures, COMPILED, KIND.name)
        return
    files = [(path_text(member.path), member.data) for member in members if member.status is Status.OK]
    for member in members:
        if member.status is not Status.OK:
            reason = member.detail or f"{path_text(member.path)} could not be read"
            yield Gap("audit_rules", member.status, reason, (KIND.name, MERGED.name))
    yield from _merged(captures, files if len(files) == len(members) else None)
    if not members and captures.exists(COMPILED):
        files = [(COMPILED.path, captures[COMPILED].data)]
    seen: dict[str, int] = {}
    count = 0
    for path, data in files:
        for line in lines(RULES, data):
            for resource in _resources(path, line, seen):
                count += 1
                if count > MAX_RESOURCES:
                    yield Gap("audit_rules", Status.TRUNCATED, f"more than {MAX_RESOURCES} rules", (KIND.name,))
                    return
                yield resource


def _merged(captures: Captures, files: list[tuple[str, bytes]] | None) -> Iterator[Resource | Gap]:
    """What augenrules --check says, from the files of rules.d in their order; None: not all could be read."""
    if captures[COMPILED].status not in (Status.OK, Status.ABSENT):
        yield gap("audit_rules", captures, COMPILED, MERGED.name)
    elif files is not None and (files or captures.exists(COMPILED)):
        wanted = _joined(line for _, data in files for line in lines(RULES, data))
        found = _joined(captures.lines(COMPILED))
        unmerged, stray = Counter(wanted) - Counter(found), Counter(found) - Counter(wanted)
        observed: dict[str, Value] = {
            "unmerged": tuple(value(text) for text in sorted(unmerged)[:_MAX_LINES]),
            "stray": tuple(value(text) for text in sorted(stray)[:_MAX_LINES]),
            "reordered": wanted != found and not unmerged and not stray,
        }
        yield Resource(MERGED.name, COMPILED.path, {}, observed)


def _joined(given: Iterable[Line]) -> list[str]:
    """Lines as augenrules puts them: without comments; of `-D`, `-b`, `-f` and `-e` the last, apart from the rest."""
    once: dict[str, str] = {}
    rest: list[str] = []
    for line in given:
        text = line.text.strip()
        if _ONCE.match(text):
            once[text[:2]] = text
        elif text and not text.startswith("#"):
            rest.append(text)
    return [*(once[name] for name in sorted(once)), *rest]


def _resources(path: str, line: Line, seen: dict[str, int]) -> Iterator[Resource]:
    text = line.text.strip()
    if not text or text.startswith("#") or text.split() == ["-D"]:
        return
    rule = _read(text.split())
    shared: dict[str, Value] = {"file": path, "tag": value(rule.tag), "fields": tuple(sorted(map(value, rule.fields)))}
    what = shared | {"action": value(rule.action), "arch": value(rule.arch)}
    for name, given in rule.controls:
        yield _made(f"control {name}", {"type": "control", "value": value(given), "file": path}, line, seen)
    if rule.syscalls:
        for call in rule.syscalls:
            more: dict[str, Value] = {"type": "syscall", "syscall": value(call)}
            if rule.path:
                more["path"] = value(rule.path)
            yield _made(f"syscall {rule.arch or 'any'} {call}", what | more, line, seen)
    elif rule.path:
        letters = tuple(sorted(set(rule.permissions or "rwxa")))
        watch: dict[str, Value] = {"type": "watch", "path": value(rule.path), "permissions": letters}
        yield _made(f"watch {rule.path}", what | watch, line, seen)
    elif not rule.controls:
        yield _made(" ".join(text.split()), what | {"type": "other"}, line, seen)


def _made(name: str, attributes: dict[str, Value], line: Line, seen: dict[str, int]) -> Resource:
    return Resource(KIND.name, key(unique(name, seen)), attributes, {"line": line.number})


def _read(parts: list[str]) -> _Rule:
    """Options with their arguments; what is not known is left to the rule's text."""
    rule = _Rule()
    rest = iter(parts)
    for option in rest:
        if option in _CONTROLS:
            rule.controls.append((_CONTROLS[option], "yes" if option in _BARE else next(rest, "")))
            continue
        given = next(rest, "")
        match option:
            case "-w":
                rule.path, rule.action = given.rstrip("/") or "/", "always,exit"
            case "-p":
                rule.permissions = given
            case "-a" | "-A":
                rule.action = ",".join(sorted(given.split(",")))
            case "-S":
                rule.syscalls += [call for call in given.split(",") if call]
            case "-k":
                rule.tag = given
            case "-F" | "-C":
                _condition(rule, given)
            case _:
                pass
    return rule


def _condition(rule: _Rule, given: str) -> None:
    name, mark, wanted = given.partition("=")
    if not mark or name.endswith(("!", "<", ">", "&")):
        rule.fields.append(given)
    elif name in {"path", "dir"}:
        rule.path = wanted.rstrip("/") or "/"
    elif name == "perm":
        rule.permissions = wanted
    elif name == "arch":
        rule.arch = wanted
    elif name == "key":
        rule.tag = wanted
    else:
        rule.fields.append(given)


def _natural(path: str) -> list[tuple[int, str]]:
    """As `ls -v` sorts: runs of digits by their number."""
    return [(int(part), "") if part.isdigit() and part.isascii() else (-1, part) for part in _DIGITS.split(path)]


collector = Collector(
    name="audit_rules",
    version=2,
    doc="What the kernel is told to record (auditd)",
    kinds=(KIND, MERGED),
    sources=(RULES, COMPILED),
    parse=parse,
)
