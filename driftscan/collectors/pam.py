"""The rules by which logins are decided: the stacks of PAM (pam.d(5)).

A service's rules stand in /etc/pam.d, else in /usr/lib/pam.d. That rules changed places is not seen here, only in the
file's digest; several rules of one service, type and module are told apart by their order.
"""

import re
import stat
from collections.abc import Iterator

from driftscan.collectors._base import Collector
from driftscan.collectors._closed import closed
from driftscan.collectors._gaps import few_gaps
from driftscan.collectors._text import hidden, key, lines, path_text, unique, value
from driftscan.model.resource import Attribute, Kind, Resource
from driftscan.model.source import Captures, Gap, Glob, Line, Member, Redact, Status

FILES = Glob(("/etc/pam.d/*", "/usr/lib/pam.d/*"), redact=Redact.SECRETS)
MAX_RULES = 20_000
_LEFT = ("~", ".dpkg-old", ".dpkg-dist", ".dpkg-new", ".pam-old", ".ucf-dist", ".rpmnew", ".rpmsave", ".bak")
"""What editors and package managers leave: no program asks for a service of that name."""
_TYPES = frozenset({"auth", "account", "password", "session"})
_WORDS = (*sorted(_TYPES), "include")
_WORD = re.compile(r"\S+")

KIND = Kind(
    "pam_rule",
    "A rule of a PAM stack",
    "service:type:module, such as `common-auth:auth:pam_unix.so`; `service:include:NAME` for @include; a repeated one "
    "gets `#2`, `#3`, ...",
    {
        "service": Attribute(str, "Name of the file"),
        "type": Attribute(str, ", ".join(_WORDS), words=_WORDS),
        "control": Attribute(str, "required, requisite, sufficient, optional, include, substack, or `[...]`"),
        "module": Attribute(str, "Module as it is written; of an include, the service"),
        "arguments": Attribute(tuple, "Arguments in order"),
        "if_present": Attribute(bool, "A `-` before the type: no error where the module is missing"),
        "file": Attribute(str, "The file that it stands in"),
    },
    shape=r".*:.*:.*",
)


def parse(captures: Captures) -> Iterator[Resource | Gap]:
    """A resource per rule; a file that cannot be read hides the rules of its service."""
    return few_gaps(_parse(captures), "pam", KIND.name)


def _parse(captures: Captures) -> Iterator[Resource | Gap]:
    for path in closed(captures, FILES):
        yield Gap("pam", Status.FORBIDDEN, f"{path} could not be read", (KIND.name,))
    seen: dict[str, int] = {}
    count = 0
    services: dict[str, Member] = {}
    for member in captures.members(FILES):
        name = member.path.rpartition(b"/")[2].decode("utf-8", "surrogateescape")
        if not (member.closed or stat.S_ISDIR(member.mode) or name.endswith(_LEFT)):
            services.setdefault(name, member)
    for service, member in sorted(services.items()):
        hides = (hidden(KIND.name, service, after=":*"),)
        if member.status is not Status.OK:
            yield Gap("pam", member.status, member.detail or f"{path_text(member.path)} could not be read", hides)
            continue
        for line in _joined(lines(FILES, member.data)):
            count += 1
            if count > MAX_RULES:
                yield Gap("pam", Status.TRUNCATED, f"more than {MAX_RULES} rules", (KIND.name,))
                return
            rule = _rule(service, member, line, seen)
            yield rule or Gap("pam", Status.FAILED, f"{path_text(member.path)} line {line.number}: no rule", hides)


def _joined(text: Iterator[Line]) -> Iterator[Line]:
    """Lines without comments; one that ends in a backslash goes on in the next."""
    held = ""
    for line in text:
        held += line.text.partition("#")[0].rstrip()
        if held.endswith("\\"):
            held = held[:-1] + " "
            continue
        if held.strip():
            yield Line(line.number, held.strip())
        held = ""
    if held.strip():
        yield Line(0, held.strip())


def _words(text: str) -> Iterator[str]:
    """Words, and what stands in brackets as one; a bracket within is written `\\]`."""
    start = 0
    while found := _WORD.search(text, start):
        start, end = found.span()
        if text[start] == "[":
            closing = text.find("]", start)
            while closing > 0 and text[closing - 1] == "\\":
                closing = text.find("]", closing + 1)
            end = closing + 1 if closing > 0 else len(text)
        yield text[start:end]
        start = end


def _rule(service: str, member: Member, line: Line, seen: dict[str, int]) -> Resource | None:
    """None: the line is no rule."""
    parts = list(_words(line.text))
    if parts[0] == "@include" and len(parts) == 2:
        kind, control, module, arguments = "include", "include", parts[1], []
    elif len(parts) >= 3 and parts[0].lower().removeprefix("-") in _TYPES:
        kind, control, module, arguments = parts[0].lower().removeprefix("-"), parts[1], parts[2], parts[3:]
    else:
        return None
    return Resource(
        KIND.name,
        key(unique(f"{service}:{kind}:{module}", seen)),
        {
            "service": value(service),
            "type": kind,
            "control": value(control if control.startswith("[") else control.lower()),
            "module": value(module),
            "arguments": tuple(map(value, arguments)),
            "if_present": parts[0].startswith("-"),
            "file": path_text(member.path),
        },
        {"line": line.number},
    )


collector = Collector(
    name="pam",
    version=2,
    doc="The rules by which PAM decides logins and new passwords",
    kinds=(KIND,),
    sources=(FILES,),
    parse=parse,
)
