"""sshd_config(5) as sshd reads it: Include in place, the first value holds, Match blocks apart.

Rules taken from the manual and measured against `sshd -T` of OpenSSH 9.2: keywords are case-insensitive and may be
followed by `=`; arguments are split as a shell would, `#` at an argument's start ends the line; a Match of an
included file ends with that file; an Include within Match is read under that Match; relative includes are
relative to /etc/ssh; a pattern that matches nothing is no error.
"""

import re
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

from driftscan.collectors._fnmatch import compile_name
from driftscan.collectors._text import lines, value
from driftscan.model.source import Captures, File, Glob, Line, Member, Status

MAIN = File("/etc/ssh/sshd_config", max_bytes=1 << 20)
VENDOR = File("/usr/etc/ssh/sshd_config", max_bytes=1 << 20)
"""Read where /etc/ssh/sshd_config is absent, as openSUSE builds it."""
FILES = Glob(
    (
        "/etc/ssh/sshd_config.d/*",
        "/etc/ssh/*.conf",
        "/usr/etc/ssh/sshd_config.d/*",
        "/etc/crypto-policies/back-ends/opensshserver.config",
    ),
    max_bytes=1 << 20,
)
"""No redaction: it would take `PasswordAuthentication=no` for a secret."""
SOURCES = (MAIN, VENDOR, FILES)

MAX_DEPTH = 16
"""sshd's own limit of nested includes."""
MAX_LINES = 100_000
_KEYWORD = re.compile(r"[ \t]*([^ \t=\"]+)(?:[ \t]*=[ \t]*|[ \t]+)(.*)", re.DOTALL)
_ARGUMENT = re.compile(r"""[ \t]*((?:"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|\\.|\\$|[^ \t"'\\])+)""", re.DOTALL)
_END = re.compile(r"[ \t]*(?:#|$)")
_ALIASES = {
    "challengeresponseauthentication": "kbdinteractiveauthentication",
    "skeyauthentication": "kbdinteractiveauthentication",
    "dsaauthentication": "pubkeyauthentication",
    "keepalive": "tcpkeepalive",
    "hostbasedacceptedkeytypes": "hostbasedacceptedalgorithms",
    "pubkeyacceptedkeytypes": "pubkeyacceptedalgorithms",
    "gssapicleanupcreds": "gssapicleanupcredentials",
}


_VERBATIM = frozenset({"forcecommand", "versionaddendum"})
"""Their argument is the rest of the line, quotes and `#` included."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One line that sets something. `match`: the criteria of the Match it stands in, empty outside."""

    keyword: str
    arguments: tuple[str, ...]
    match: str
    path: str
    line: int


@dataclass(frozen=True, slots=True)
class Problem:
    """What could not be read, or is not of the format."""

    status: Status
    reason: str


Item: TypeAlias = Setting | Problem


def read(captures: Captures) -> Iterator[Item] | None:
    """All settings in the order in which sshd meets them; None where there is no configuration, thus no sshd.
    Raises UnavailableError if the main file could not be read."""
    main = MAIN if captures.exists(MAIN) else VENDOR
    if not captures.exists(main):
        return None
    capture = captures[FILES]
    problem = "" if capture.status in (Status.OK, Status.ABSENT) else capture.detail or "included files"
    members = {member.path.decode("utf-8", "surrogateescape"): member for member in capture.members}
    return _Reader(members, capture.status, problem).file(main.path, captures.lines(main), "")


@dataclass(slots=True)
class _Reader:
    members: dict[str, Member]
    status: Status
    problem: str
    open: list[str] = field(default_factory=list)
    lines: int = 0

    def file(self, path: str, content: Iterable[Line], match: str) -> Iterator[Item]:
        outer = match
        self.open.append(path)
        for line in content:
            self.lines += 1
            if self.lines > MAX_LINES:
                yield Problem(Status.TRUNCATED, f"more than {MAX_LINES} lines")
                break
            found = split(line.text)
            if found is None:
                yield Problem(Status.FAILED, f"{value(path)} line {line.number}: no keyword with arguments")
            elif found[0] == "match":
                match = f"{outer} {_criteria(found[1])}".strip()
            elif found[0] == "include":
                for pattern in found[1]:
                    yield from self.include(pattern, match)
            elif found[0]:
                yield Setting(found[0], found[1], match, path, line.number)
        self.open.pop()

    def include(self, pattern: str, match: str) -> Iterator[Item]:
        pattern = pattern if pattern.startswith("/") else f"/etc/ssh/{pattern}"
        paths = [path for path in self._matching(pattern) if not stat.S_ISDIR(self.members[path].mode)]
        if self.problem or not _covered(pattern):
            status = self.status if self.problem else Status.UNSUPPORTED
            yield Problem(status, f"{value(pattern)} is included and could not be looked at")
        for path in paths:
            member = self.members[path]
            if path in self.open or len(self.open) > MAX_DEPTH:
                yield Problem(Status.FAILED, f"{value(path)} is included too deeply, or by itself")
            elif member.status is Status.OK:
                yield from self.file(path, lines(FILES, member.data), match)
            else:
                yield Problem(member.status, f"{value(path)} could not be read")

    def _matching(self, pattern: str) -> list[str]:
        """Sorted, as glob(3) gives them; wildcards in directories are refused by `_covered`."""
        directory, _, name = pattern.rpartition("/")
        expression = compile_name(name)
        found = []
        for path in sorted(self.members):
            parent, _, last = path.rpartition("/")
            if parent == directory and expression.fullmatch(last):
                found.append(path)
        return found


def _covered(pattern: str) -> bool:
    """Whether all files that the pattern can match were asked for."""
    directory, _, name = pattern.rpartition("/")
    return (
        f"{directory}/*" in FILES.patterns
        or (directory == "/etc/ssh" and name.endswith(".conf"))
        or pattern in FILES.patterns
    )


def split(text: str) -> tuple[str, tuple[str, ...]] | None:
    """Keyword in lower case (its modern name) and arguments; ("", ()) for a blank line or comment, None if the line is
    neither."""
    text = text.rstrip(" \t\r\n\f").lstrip(" \t")
    if not text or text[0] == "#":
        return "", ()
    match = _KEYWORD.fullmatch(text)
    if match is None:
        return None
    keyword = match[1].lower()
    arguments = (match[2],) if keyword in _VERBATIM else _arguments(match[2])
    return (_ALIASES.get(keyword, keyword), arguments) if arguments and arguments != ("",) else None


def _arguments(text: str) -> tuple[str, ...] | None:
    found: list[str] = []
    end = 0
    while end < len(text):
        if _END.match(text, end):
            break
        match = _ARGUMENT.match(text, end)
        if match is None:  # a quote that is not closed
            return None
        found.append(_unquote(match[1]))
        end = match.end()
    return tuple(found)


def _unquote(raw: str) -> str:
    """Quotes are removed; a backslash escapes a quote, itself, and outside quotes a blank; else it stands."""
    out: list[str] = []
    quote = ""
    index = 0
    while index < len(raw):
        char, following = raw[index], raw[index + 1 : index + 2]
        if char == "\\" and following and following in ("\"'\\" if quote else "\"'\\ "):
            out.append(following)
            index += 1
        elif char in "\"'" and quote in {"", char}:
            quote = "" if quote else char
        else:
            out.append(char)
        index += 1
    return "".join(out)


def _criteria(arguments: Iterable[str]) -> str:
    """`User a,b Address 10.0.0.0/8` with its keywords in lower case; `User=a` is the same as `User a`."""
    words: list[str] = []
    for argument in arguments:
        name, equals, rest = argument.partition("=")
        words.extend((name, rest) if equals and len(words) % 2 == 0 else (argument,))
    return " ".join(word if index % 2 else word.lower() for index, word in enumerate(words))
