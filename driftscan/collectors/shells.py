"""What shells are told when somebody logs in: when to end, what new files are closed to, where programs are found; and
which shells may be logged in with (shells(5)).

The files are not run. Every assignment is listed, whatever it stands under: of an `if` with two branches, both.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from driftscan.collectors._base import Collector, gap
from driftscan.collectors._closed import closed
from driftscan.collectors._gaps import few_gaps
from driftscan.collectors._text import hidden, key, lines, path_text, unique, value
from driftscan.model.resource import Attribute, Kind, Resource, Value
from driftscan.model.source import Captures, File, Gap, Glob, Line, Redact, Status

ENVIRONMENT = "/etc/environment"
"""What pam_env(8) gives every login; nothing runs it, all of it is handed on."""
FILES = Glob(
    (
        ENVIRONMENT,
        "/etc/profile",
        "/etc/profile.d/*.sh",
        "/etc/bash.bashrc",
        "/etc/bashrc",
        "/root/.profile",
        "/root/.bash_profile",
        "/root/.bash_login",
        "/root/.bashrc",
    ),
    redact=Redact.SECRETS,
)
SHELLS = File("/etc/shells")
MAX_RESOURCES = 5000

SETTING = Kind(
    "shell_setting",
    "Something that a file tells shells which are logged in to, or started by hand",
    "file:name, such as `/etc/profile:umask`; a repeated one gets `#2`, `#3`, ...",
    {
        "name": Attribute(str, "umask, TMOUT or PATH"),
        "value": Attribute(str, "Value without quotes; of umask four octal digits where it can be told"),
        "readonly": Attribute(bool, "The file says that it cannot be changed afterwards"),
        "exported": Attribute(bool, "The file hands it on to programs"),
        "file": Attribute(str, "The file"),
    },
)
SHELL = Kind(
    "login_shell",
    "A shell that accounts may have",
    "path, as /etc/shells has it",
    {"file": Attribute(str, "/etc/shells")},
)

_WANTED = frozenset({"TMOUT", "PATH"})
_TOKEN = re.compile(r"""[ \t]+|\#.*|[;&|()]+|(?:"(?:[^"\\]|\\.)*"|'[^']*'|\\.|[^ \t;&|()"'\\])+|.""")
_SEPARATORS = frozenset(";&|()")
_ASSIGNMENT = re.compile(r"([A-Za-z_][A-Za-z0-9_]{0,63})\+?=(.*)", re.DOTALL)
_BEFORE = frozenset({"if", "then", "else", "elif", "do", "while", "until", "!", "{", "builtin", "command"})
"""Words after which a command begins."""
_DECLARING = {"export": "x", "readonly": "r", "declare": "", "typeset": "", "local": ""}
"""Built-in commands that assign, and what they do with the name."""
_QUOTING = re.compile(r"\\(.)|[\"']", re.DOTALL)
_OCTAL = re.compile(r"[0-7]{1,4}")
_SYMBOLIC = re.compile(r"([ugoa]+)=([rwx]*)")
_BITS = {"r": 4, "w": 2, "x": 1}


@dataclass(slots=True)
class _Found:
    """What one file says. `flags`: of a name, letters of r (readonly) and x (exported)."""

    values: list[tuple[str, str]] = field(default_factory=list)
    flags: dict[str, str] = field(default_factory=dict)


def parse(captures: Captures) -> Iterator[Resource | Gap]:
    """Assignments file by file, then the shells; a file that cannot be read hides what it says."""
    return few_gaps(_parse(captures), "shells", SETTING.name, SHELL.name)


def _parse(captures: Captures) -> Iterator[Resource | Gap]:
    for path in closed(captures, FILES):
        yield Gap("shells", Status.FORBIDDEN, f"{path} could not be read", (hidden(SETTING.name, path, after="/*"),))
    count = 0
    for member in captures.members(FILES):
        path = path_text(member.path)
        if member.closed or member.mode & 0o170000 == 0o040000:
            continue
        if member.status is not Status.OK:
            hides = (hidden(SETTING.name, path, after=":*"),)
            yield Gap("shells", member.status, member.detail or f"{path} could not be read", hides)
            continue
        for resource in _settings(path, lines(FILES, member.data)):
            count += 1
            if count > MAX_RESOURCES:
                yield Gap("shells", Status.TRUNCATED, f"more than {MAX_RESOURCES} settings", (SETTING.name,))
                break
            yield resource
    yield from _shells(captures)


def _shells(captures: Captures) -> Iterator[Resource | Gap]:
    if captures[SHELLS].status not in (Status.OK, Status.ABSENT):
        yield gap("shells", captures, SHELLS, SHELL.name)
        return
    listed = (line.text.partition("#")[0].strip() for line in captures.lines(SHELLS))
    for path in sorted({path for path in listed if path.startswith("/")})[:MAX_RESOURCES]:
        yield Resource(SHELL.name, key(path), {"file": SHELLS.path})


def _settings(path: str, text: Iterable[Line]) -> Iterator[Resource]:
    found = _Found()
    for line in text:
        for words in _commands(line.text):
            _take(found, words)
    seen: dict[str, int] = {}
    for name, given in found.values:
        flags = found.flags.get(name, "")
        attributes: dict[str, Value] = {
            "name": name,
            "value": value(given),
            "readonly": "r" in flags,
            "exported": "x" in flags or path == ENVIRONMENT,
            "file": path,
        }
        yield Resource(SETTING.name, key(unique(f"{path}:{name}", seen)), attributes)


def _commands(text: str) -> Iterator[list[str]]:
    """The words of each command of a line, without what goes before it."""
    words: list[str] = []
    for match in _TOKEN.finditer(text):
        token = match[0]
        if token[0] in _SEPARATORS or token[0] == "#":
            yield words
            words = []
        elif token[0] not in " \t" and (words or token not in _BEFORE):
            words.append(token)
    yield words


def _take(found: _Found, words: list[str]) -> None:
    """A command's assignments; those before another command hold for that one alone."""
    first = words[0] if words else ""
    if first == "umask":
        found.values += [("umask", _umask(_plain(word))) for word in words[1:2] if not word.startswith("-")]
    elif first in _DECLARING:
        options = "".join(word[1:] for word in words[1:] if word.startswith("-"))
        _assign(found, [word for word in words[1:] if not word.startswith("-")], _DECLARING[first] + options)
    elif words and all(map(_ASSIGNMENT.match, words)):
        _assign(found, words, "")


def _assign(found: _Found, words: list[str], flags: str) -> None:
    for word in words:
        assignment = _ASSIGNMENT.fullmatch(word)
        name = assignment[1] if assignment else word
        if name in _WANTED:
            found.flags[name] = found.flags.get(name, "") + flags
            if assignment:
                found.values.append((name, _plain(assignment[2])))


def _plain(word: str) -> str:
    return _QUOTING.sub(lambda match: match[1] or "", word)


def _umask(text: str) -> str:
    """Four octal digits; as it is written, where it depends on what held before."""
    if _OCTAL.fullmatch(text):
        return text.zfill(4)
    allowed: dict[str, int] = {}
    for part in text.split(","):
        match = _SYMBOLIC.fullmatch(part)
        if match is None:
            return text
        for who in "ugo" if "a" in match[1] else match[1]:
            allowed[who] = sum(_BITS[letter] for letter in set(match[2]))
    return "0" + "".join(str(7 - allowed[who]) for who in "ugo") if len(allowed) == 3 else text


collector = Collector(
    name="shells",
    version=2,
    doc="What shells are told at login, and which there are",
    kinds=(SETTING, SHELL),
    sources=(FILES, SHELLS),
    parse=parse,
)
