"""Who did it: mutations beside what the host's logs tell of acts and sessions.

Grades. `recorded`: a log names the thing, and the time at which it changed is that of the act. `consistent`: a log
names it and nothing tells when it changed; or a shell with the rights for it was opened before. `guessed`: somebody was
there at that time. `contradicted`: a package manager's log claims the change, and the content is not the package's.
Nothing that a host alone says is proved.
"""

import re
from bisect import bisect_left
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from posixpath import basename, dirname, join, normpath

from driftscan.compare import listening
from driftscan.compare.command_lines import words
from driftscan.compare.evidence import Evidence
from driftscan.compare.logs import TOOLS
from driftscan.compare.mutation import make
from driftscan.compare.witness import BEFORE, LASTS, Act, Deed, Session, Witness, between
from driftscan.model.drift import Attribution, CauseType, Change, Delta, Difference, Grade, Mutation
from driftscan.model.names import show
from driftscan.model.times import SECOND, nanoseconds, utc

SHELL_LASTS = 3600 * SECOND
MOST_FILES = 200
_LONGEST = 300
_ACCOUNTS = frozenset({"user", "group", "password"})
_SET_BY = {
    "host_entry": "/etc/hosts",
    "dns": "/etc/resolv.conf",
    "mount": "/etc/fstab",
    "user": "/etc/passwd",
    "group": "/etc/group",
    "password": "/etc/shadow",
    "package": "/var/lib/dpkg/status",
}
"""Files that a zone may accept because the facts in them are compared: a command names the file, not the fact."""
_SET_WITH = {
    "firewall_chain": frozenset({"nft", "iptables", "iptables-restore", "ip6tables", "ip6tables-restore", "ufw"}),
    "interface": frozenset({"ip", "ifconfig", "ifup", "ifdown", "nmcli", "networkctl", "brctl"}),
    "address": frozenset({"ip", "ifconfig", "dhclient", "nmcli"}),
    "route": frozenset({"ip", "route", "nmcli"}),
    "mount": frozenset({"mount", "umount"}),
    "sysctl": frozenset({"sysctl"}),
    "kernel_module": frozenset({"modprobe", "insmod", "rmmod"}),
}
"""Programs by which facts are changed that no file has; a command seldom calls a chain or a route by its key."""
_WRITES = {
    "hostnamectl": "/etc/hostname",
    "timedatectl": "/etc/localtime",
    "localectl": "/etc/locale.conf",
    "update-locale": "/etc/default/locale",
    "systemd-machine-id-setup": "/etc/machine-id",
    "update-ca-certificates": "/etc/ssl/certs",
    "ldconfig": "/etc/ld.so.cache",
    "visudo": "/etc/sudoers",
    "vipw": "/etc/passwd",
}
"""Programs that write one file, which their command line does not name."""
_BEGINS = re.compile(r"(?:^|[;&|('\"]\s*|\b(?:sudo|then|do|else|exec|nohup|xargs)\s+)([A-Za-z0-9_./+-]+)")
"""Where a command begins in a line of a shell."""
_LOOKS = frozenset({"show", "list", "ls", "-L", "-S", "-n", "-a", "-l", "--list", "monitor", "status"})
"""Words of commands that only look."""
_SHARED = frozenset(
    {
        *("/usr/bin", "/usr/sbin", "/usr/lib", "/usr/share", "/usr/local", "/usr/local/bin", "/usr/local/sbin"),
        *("/var/lib", "/var/log", "/etc/ssh", "/etc/systemd", "/etc/systemd/system"),
    }
)
"""Directories of many owners' files: to name one of them is not to name all that lies in it."""
_FRONTS = frozenset({"adduser", "deluser", "addgroup"})
"""Commands that run account tools."""
_RUNNERS = TOOLS | _FRONTS | {"crontab"}
_CONVERGERS = re.compile(r"AnsiballZ_\w+\.py|puppet|puppet-agent|chef-client|chef-solo|cinc-client|salt-call|cf-agent")
"""Programs that bring a host into the state that is written elsewhere: their command lines name nothing of it."""
_CONVERGING = 600 * SECOND
_SHELLS = frozenset({"sh", "bash", "dash", "zsh", "ksh", "env"})
_MOST_RUNNERS = 100
"""A log may be made to hold thousands of lines of one second."""
_PACKAGES = frozenset(
    {
        CauseType.PACKAGE_INSTALLED,
        CauseType.PACKAGE_REMOVED,
        CauseType.PACKAGE_UPGRADED,
        CauseType.PACKAGE_DOWNGRADED,
    }
)
_PACKAGE_TOOLS = re.compile(
    r"(?:^|[\s/;&|'\"(])(?:apt|apt-get|aptitude|dpkg|dnf|yum|rpm|apk|unattended-upgrades?)(?:\s|$)"
)


@dataclass(frozen=True, slots=True)
class _Thing:
    """What a log may name of a mutation, and when its files last changed (ctime, nanoseconds)."""

    paths: frozenset[str]
    names: frozenset[str]
    accounts: frozenset[str]
    times: tuple[int, ...]


def attribute(mutations: Iterable[Mutation], evidence: Evidence) -> tuple[Mutation, ...]:
    """The same mutations with what is known of who made them. One that has an attribution (a package operation has it
    from its package manager's log) keeps its grade and gains the session in which it was done."""
    acts = _whole(evidence.witness.acts)
    return tuple(_claimed(mutation, evidence) or _attributed(mutation, evidence, acts) for mutation in mutations)


def _claimed(mutation: Mutation, evidence: Evidence) -> Mutation | None:
    """What changed while a package manager wrote files of that package, and is not what the package shipped: its log
    would have it that this was all. None: no log claims it."""
    if mutation.cause.type is not CauseType.BINARY_CHANGED or not (thing := _thing(mutation)).times:
        return None
    owners = sorted({key.partition("/")[0] for path in thing.paths for key in evidence.owners_of(path)})
    for name in owners:
        entry = evidence.under_way(name, thing.times[-1])
        if entry is not None:
            line = f"{entry.log}: {entry.start} to {entry.end}: {entry.command or 'no command'}"
            claim = f"it handled {name}, which shipped another content"
            given = Attribution(Grade.CONTRADICTED, None, entry.command or None, entry.start, (line, claim))
            return replace(mutation, attribution=given)
    return None


def missing(witness: Witness) -> tuple[Mutation, ...]:
    """A mutation for each log that is not there, or not as far back as it should be."""
    found: dict[str, list[str]] = {}
    for each in witness.missing:
        found.setdefault(each.log, []).append(each.why)
    return tuple(_missing(log, "; ".join(why)) for log, why in sorted(found.items()))


def _missing(log: str, why: str) -> Mutation:
    item = Difference(kind="log", key=log, change=Change.MODIFIED, attributes={"told": Delta("", why)})
    detail = "whoever did something may have taken away what tells of it"
    return make(CauseType.LOG_MISSING, log, f"{log}: {why}", [item], detail=detail)


def _attributed(mutation: Mutation, evidence: Evidence, acts: Sequence[Act]) -> Mutation:
    sessions = evidence.witness.sessions
    if mutation.cause.type in _PACKAGES and mutation.attribution.grade is not Grade.NONE:
        return _operation(mutation, evidence, acts)
    if heard := listening.opened(mutation, acts):
        return _by(mutation, *heard, sessions)
    thing = _thing(mutation)
    if not thing.times:
        named = _told(mutation, acts, thing)
        made = all(item.change is Change.ADDED for item in mutation.differences if item.kind in _ACCOUNTS)
        return _by(mutation, named[0 if made else -1], Grade.CONSISTENT, sessions) if named else mutation
    near = [act for act in reversed(acts) if _at_that_time(act, thing.times)]
    of_account = replace(thing, paths=frozenset())  # its files are those of all accounts
    for each in (of_account, thing) if thing.accounts else (thing,):
        for act in near:
            if _names(act, each):
                return _by(mutation, act, Grade.RECORDED, sessions)
    for act in reversed(acts):
        lasts = SHELL_LASTS if act.deed is Deed.SHELL else _CONVERGING if _converges(act) else 0
        if lasts and _at_that_time(act, thing.times, lasts):
            return _by(mutation, act, Grade.CONSISTENT, sessions)
    return _present(mutation, thing, sessions)


def _told(mutation: Mutation, acts: Sequence[Act], thing: _Thing) -> list[Act]:
    """Acts that may have done what has no time of its own. An address is named for many reasons, an account for few."""
    kinds = {item.kind for item in mutation.differences}
    named = [act for act in acts if _names(act, thing)]
    if kinds <= _ACCOUNTS:  # who is named by a tool of accounts, is named for that; by another, for any reason
        named = [
            act for act in named if act.deed is Deed.ACCOUNT or not TOOLS.isdisjoint(_programs(act.command))
        ] or named
    if kinds <= {"host_entry", "dns"}:
        return _writers(kinds, acts) or named
    return named or _writers(kinds, acts) or _by_tools(kinds, acts)


def _is_of_accounts(act: Act) -> bool:
    return act.deed is Deed.ACCOUNT or not TOOLS.isdisjoint(_programs(act.command))


def _writers(kinds: Iterable[str], acts: Sequence[Act]) -> list[Act]:
    """Acts that name the files in which the facts stand; none if they are of several people."""
    files = frozenset(_SET_BY[kind] for kind in kinds if kind in _SET_BY)
    nothing: frozenset[str] = frozenset()
    return _of_one([act for act in acts if _names(act, _Thing(files, nothing, nothing, ()))])


def _by_tools(kinds: Iterable[str], acts: Sequence[Act]) -> list[Act]:
    """Acts that ran what changes such facts; none if they are of several people."""
    tools = frozenset(tool for kind in kinds for tool in _SET_WITH.get(kind, ()))
    return _of_one([act for act in acts if act.deed is Deed.COMMAND and _runs(act.command, tools)])


def _runs(command: str, tools: frozenset[str]) -> bool:
    """Whether a command line runs one of these programs, and not only to look. `nft add table ip nat` runs no ip."""
    told = words(command)
    if not _LOOKS.isdisjoint(told):
        return False
    begun = {basename(name) for name in _BEGINS.findall(command)}
    return not tools.isdisjoint(begun)


def _of_one(acts: list[Act]) -> list[Act]:
    return acts if len({act.actor for act in acts}) == 1 else []


def _thing(mutation: Mutation) -> _Thing:
    items = mutation.differences
    files = [item for item in items if item.kind == "file"]
    times = _times(files) or listening.times(items)
    paths = {item.key for item in files[:MOST_FILES]} | {mutation.cause.subject}
    names = {name for item in items if item.kind not in {"file", *_ACCOUNTS} for name in _words_of(item)}
    accounts = {item.key for item in items if item.kind in _ACCOUNTS}
    return _Thing(
        frozenset(path for path in paths if path.startswith("/")), frozenset(names), frozenset(accounts), times
    )


def _words_of(item: Difference) -> Iterator[str]:
    """What a command calls a thing: a unit also without its suffix, a package without its architecture."""
    key = item.key
    yield key
    if item.kind == "service":
        yield key.removesuffix(".service")
    elif item.kind == "package":
        yield key.partition("/")[0]
    elif item.kind in {"python_package", "npm_package"}:
        yield key.partition("@")[0]
    elif item.kind == "cron":
        yield key.rsplit("/", 2)[0]
    elif item.kind == "mount":
        yield key.removeprefix("none:")


def _times(files: Sequence[Difference]) -> tuple[int, ...]:
    """When they changed. A directory changes with whatever comes and goes in it, so it tells nothing of itself."""
    told = [item for item in files if item.attributes and not _is_directory(item)] or files
    found = [item.observed.get("ctime") for item in told]
    return tuple(sorted(time for time in found if isinstance(time, int) and time > 0))


def _is_directory(item: Difference) -> bool:
    delta = item.attributes.get("type")
    return delta is not None and delta.actual == "directory"


def _whole(acts: Sequence[Act]) -> tuple[Act, ...]:
    """Acts of account tools and of crontab with who ran the tool, as far as sudo tells that."""
    found: list[Act] = []
    ran_lately: deque[Act] = deque(maxlen=_MOST_RUNNERS)
    for act in acts:
        ran = next((each for each in reversed(ran_lately) if _ran(each, act)), None) if act.names else None
        by = replace(act, actor=ran.actor, command=ran.command, line=f"{ran.line}; {act.line}") if ran else act
        found.append(by)
        if by.deed is Deed.COMMAND and (_converges(by) or not _RUNNERS.isdisjoint(_programs(by.command))):
            ran_lately.append(by)
    return tuple(found)


def _ran(earlier: Act, act: Act) -> bool:
    """Whether this is the command of sudo that ran an account tool, or crontab."""
    ran, options = _programs(earlier.command), earlier.command.split()
    since = act.at - earlier.at
    if _converges(earlier) and 0 <= since <= 5 * SECOND:
        return True
    if act.deed is Deed.ACCOUNT:
        return 0 <= since <= 5 * SECOND and not ran.isdisjoint({act.command, *_FRONTS})
    if "crontab" not in ran or "-l" in options:
        return False
    return 0 <= since <= (SHELL_LASTS if "-e" in options else 5 * SECOND)  # an editor may be open for long


def _converges(act: Act) -> bool:
    """Whether a command brings the host into a state that is written elsewhere (Ansible, Puppet)."""
    return act.deed is Deed.COMMAND and any(map(_CONVERGERS.fullmatch, _programs(act.command)))


@lru_cache(maxsize=1 << 15)
def _programs(command: str) -> frozenset[str]:
    """The names of what a command line runs: of a shell's script, of all its words."""
    first = basename(command.partition(" ")[0])
    return frozenset(map(basename, words(command))) if first in _SHELLS else frozenset({first})


def _names(act: Act, thing: _Thing) -> bool:
    """Whether an act speaks of a thing by its own name."""
    if act.names:
        return bool(act.names & (thing.accounts | thing.names | thing.paths))
    told = words(act.command)
    accounts = thing.accounts - {"root"}  # whom commands name for other reasons
    rows = {word.partition(":")[0] for word in told} if accounts else told
    if not accounts.isdisjoint(rows) or not thing.names.isdisjoint(told):
        return True
    places = _places(act.directory, act.command)
    if not thing.paths.isdisjoint(places):
        return True
    # `cp helper /usr/local/bin`, `tar -x -C /opt/tool`, `rm -r /opt/tool`: its directory, and its own name or one above
    deep = {place.removesuffix("/*") for place in places if place.count("/") >= 2}
    return any((dirname(path) in deep and _comes_with(path, told)) or _above(path, deep) for path in thing.paths)


def _comes_with(path: str, told: Iterable[str]) -> bool:
    return basename(path) in {basename(word) for word in told}


def _above(path: str, places: Iterable[str]) -> bool:
    return any(path.startswith(f"{place}/") and place not in _SHARED for place in places)


@lru_cache(maxsize=1 << 15)
def _places(directory: str, command: str) -> frozenset[str]:
    """The words of a command line as paths from where it was run."""
    told = words(command)
    named = {normpath(join(directory or "/", word)) for word in told if not word.startswith("-")}
    return frozenset(named | {_WRITES[tool] for word in told if (tool := basename(word)) in _WRITES})


def _at_that_time(act: Act, times: Sequence[int], lasts: int = LASTS) -> bool:
    """Whether any of these times, which are sorted, is one at which the act may have been at work."""
    index = bisect_left(times, act.at - BEFORE)
    return index < len(times) and times[index] <= act.at + lasts


def _by(mutation: Mutation, act: Act, grade: Grade, sessions: Sequence[Session]) -> Mutation:
    evidence = [show(act.line)[:_LONGEST]]
    session = _only(each for each in sessions if each.user == act.actor and each.open_at(act.at))
    if session is not None:
        evidence.append(show(session.words))
    actor = act.actor or (session.user if session else None)
    if not actor and (root := _only(each for each in sessions if each.user == "root" and each.open_at(act.at))):
        actor = "root"
        evidence.append(show(root.words))
    return replace(
        mutation,
        attribution=Attribution(grade, actor or None, act.command or None, utc(act.at), tuple(evidence)),
    )


def _present(mutation: Mutation, thing: _Thing, sessions: Sequence[Session]) -> Mutation:
    """Nobody is named: who was there when it last changed."""
    if not thing.times or mutation.attribution.grade is not Grade.NONE:
        return mutation
    time = thing.times[-1]
    there = [each for each in sessions if each.open_at(time)]
    if not there:
        return mutation
    actor = there[0].user if len({(each.user, each.address, each.key) for each in there}) == 1 else None
    evidence = tuple(f"changed while there was: {show(each.words)}" for each in there[:5])
    return replace(mutation, attribution=Attribution(Grade.GUESSED, actor, None, utc(time), evidence))


def _operation(mutation: Mutation, known: Evidence, acts: Sequence[Act]) -> Mutation:
    """A package operation, whose own log may lack who stood behind root, or tell of another time than its files."""
    given, sessions = mutation.attribution, known.witness.sessions
    if given.grade is Grade.NONE or not given.at:
        return mutation
    begun = nanoseconds(given.at)
    if other := _at_another_time(mutation, known, given.at):
        line = f"its files changed at {utc(other)}: not when the log has it"
        contradicted = replace(given, grade=Grade.CONTRADICTED, evidence=(*given.evidence, line))
        return replace(mutation, attribution=contradicted)
    near = between(acts, begun - 30 * SECOND, begun + BEFORE)
    ran = [act for act in near if _PACKAGE_TOOLS.search(act.command)]
    actor, command, evidence = given.actor, given.command, list(given.evidence)
    if ran and ran[-1].actor:
        evidence.append(show(ran[-1].line)[:_LONGEST])
        actor = ran[-1].actor if actor in {None, "root"} else actor
        command = command or ran[-1].command  # dpkg's own log names none
    session = _only(each for each in sessions if each.user == actor and each.open_at(begun))
    if session is not None:
        evidence.append(show(session.words))
    return replace(mutation, attribution=replace(given, actor=actor, command=command, evidence=tuple(evidence)))


def _at_another_time(mutation: Mutation, known: Evidence, at: str) -> int:
    """When the files of its packages last changed, if none of them did while the operation ran that a log tells of; 0:
    some did, or nothing is known of their times."""
    owned = [item for item in mutation.differences if item.kind == "file" and known.owners_of(item.key)]
    times = _times(owned)
    spans = [span for entry in known.history if entry.start == at and (span := entry.span)]
    during = any(first <= time <= last for time in times for first, last in spans)
    return times[-1] if times and spans and not during else 0


def _only(sessions: Iterable[Session]) -> Session | None:
    """The one session; of several nobody can say which it was."""
    found = list(sessions)
    return found[0] if len({(each.address, each.key) for each in found}) == 1 else None
