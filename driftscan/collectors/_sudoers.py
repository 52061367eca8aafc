"""sudoers(5) as sudo 1.9 reads it: logical lines, then user specifications, defaults, aliases and includes.

Only as much of the grammar as tells one rule from another is understood; the rest of a rule stays text, with its
blanks in one form.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from driftscan.model.source import Line

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|\\.|[ \t]+|[,=:]|[^"\\ \t,=:#]+|.', re.DOTALL)
_KEYWORD = re.compile(r"(User|Runas|Host|Cmnd|Cmd)_Alias\b")
_DEFAULTS = re.compile(r"Defaults(?:([@:!>])[ ]?|[ ]|$)")
_INCLUDE = re.compile(r"[@#](include|includedir)[ \t]+(.*)", re.DOTALL)
_SETTING = re.compile(r"(!*)[ ]?([A-Za-z_]+)[ ]?(?:([+-]?=)(.*))?", re.DOTALL)
_ALIAS_START = re.compile(r"[A-Z][A-Z0-9_]*$")
_UNESCAPE = re.compile(r"\\(.)", re.DOTALL)
_RUNAS = re.compile(r"\([^()]*\)")
_OPTION = re.compile(
    r"\b(?:ROLE|TYPE|APPARMOR_PROFILE|PRIVS|LIMITPRIVS|CWD|CHROOT|TIMEOUT|NOTBEFORE|NOTAFTER)=\S{1,4096} "
)
_DIGEST = re.compile(r"\bsha(?:224|256|384|512):[A-Za-z0-9+/]{1,128}={0,2}")
_TAG = re.compile(r"\b(?:NO)?(?:EXEC|FOLLOW|INTERCEPT|LOG_INPUT|LOG_OUTPUT|MAIL|PASSWD|SETENV):")
_COLON, _EQUALS = re.compile(r"(?<!\\):"), re.compile(r"(?<!\\)=")
MAX_LINE = 1 << 16


@dataclass(frozen=True, slots=True)
class Rule:
    """One row. `type`: user_spec, defaults, alias, include, includedir. `header`: what it is about; `details`: the
    rest, one form of blanks; `users`: whom a user specification or a bound default names."""

    line: int
    type: str
    header: str
    details: str
    users: tuple[str, ...] = ()
    nopasswd: bool = False
    all_commands: bool = False


@dataclass(frozen=True, slots=True)
class Unparsed:
    """A logical line outside the grammar; sudo skips it (1.9.3 and later) or refuses the whole file."""

    line: int


def rules(lines: Iterable[Line]) -> Iterator[Rule | Unparsed]:
    """All rows of one file in order."""
    for number, text in _logical(lines):
        include = _INCLUDE.fullmatch(text)
        if include:
            yield Rule(number, include[1], f"@{include[1]} {_path(include[2])}", _path(include[2]))
            continue
        if len(text) > MAX_LINE:
            yield Unparsed(number)
            continue
        tokens = _normal(text)
        line = "".join(tokens)
        if not line:
            continue
        if _KEYWORD.match(line):
            yield from _aliases(number, tokens)
        elif _DEFAULTS.match(line):
            yield from _defaults(number, line)
        else:
            yield _user_spec(number, tokens)


def _logical(lines: Iterable[Line]) -> Iterator[tuple[int, str]]:
    """Lines without comments, continuation lines joined; include directives keep their `#`. Of a line that is longer
    than MAX_LINE one character more than that is kept."""
    start, size, parts = 0, 0, list[str]()
    for line in lines:
        text = line.text.removesuffix("\r")
        if not parts:
            start = line.number
            bare = text.strip(" \t")
            if _INCLUDE.fullmatch(bare):
                yield start, bare
                continue
        text = _without_comment(text)
        more = _ends_in_backslash(text)
        text = text[:-1] + " " if more else text
        if size <= MAX_LINE:
            parts.append(text)
            size += len(text)
        if not more:
            yield start, "".join(parts)[: MAX_LINE + 1]
            size, parts = 0, []
    if parts:
        yield start, "".join(parts)[: MAX_LINE + 1]


def _without_comment(text: str) -> str:
    """A `#` begins a comment unless quoted, escaped, or before digits (`#1000` is a user id)."""
    if "#" not in text:
        return text
    for match in _TOKEN.finditer(text):
        if match[0] == "#" and not re.match(r"-?[0-9]", text[match.end() : match.end() + 2]):
            return text[: match.start()].rstrip(" \t")
    return text


def _ends_in_backslash(text: str) -> bool:
    return (len(text) - len(text.rstrip("\\"))) % 2 == 1


def _normal(text: str) -> list[str]:
    """Tokens with blanks in one form: none around `,` `=` `:`, one elsewhere, none at the ends."""
    out: list[str] = []
    for match in _TOKEN.finditer(text):
        token = match[0]
        if token[0] in " \t":
            if out and out[-1] not in {",", "=", ":", " "}:
                out.append(" ")
            continue
        if token in {",", "=", ":"} and out and out[-1] == " ":
            out.pop()
        out.append(token)
    if out and out[-1] == " ":
        out.pop()
    return out


def _path(text: str) -> str:
    """The path of an include: in quotes, or with escaped blanks."""
    text = text.strip(" \t")
    if len(text) > 1 and text[0] == text[-1] == '"':
        return text[1:-1]
    return _UNESCAPE.sub(r"\1", text)


def _split(tokens: Iterable[str], separator: str) -> list[list[str]]:
    parts: list[list[str]] = [[]]
    for token in tokens:
        if token == separator:
            parts.append([])
        else:
            parts[-1].append(token)
    return parts


def _aliases(number: int, tokens: list[str]) -> Iterator[Rule | Unparsed]:
    """`User_Alias A = x, y : B = z`. A colon separates only before `NAME=`: digests and addresses have it too."""
    keyword, rest = tokens[0], tokens[2:] if tokens[1:2] == [" "] else tokens[1:]
    starts = [0]
    for index, token in enumerate(rest):
        if token == ":" and rest[index + 2 : index + 3] == ["="] and _ALIAS_START.match(rest[index + 1]):
            starts.append(index + 1)
    for start, stop in zip(starts, [*(start - 1 for start in starts[1:]), len(rest)], strict=True):
        part = rest[start:stop]
        if len(part) < 3 or part[1] != "=":
            yield Unparsed(number)
        else:
            yield Rule(number, "alias", f"{keyword} {part[0]}", "".join(part[2:]))


def _defaults(number: int, line: str) -> Iterator[Rule | Unparsed]:
    """`Defaults[@:!>LIST] setting, setting`: a row for each setting."""
    match = _DEFAULTS.match(line)
    assert match is not None
    binding, rest = "", _TOKEN.findall(line[match.end() :])
    if match[1]:
        words = _split(rest, " ")
        binding = match[1] + "".join(words[0])
        rest = _TOKEN.findall(" ".join("".join(word) for word in words[1:]))
    users = tuple(sorted(binding[1:].split(","))) if binding[:1] == ":" else ()
    for part in _split(rest, ","):
        setting = _SETTING.fullmatch("".join(part).strip())
        if setting is None:
            yield Unparsed(number)
            continue
        negated = len(setting[1]) % 2 == 1
        text = ("!" if negated else "") + setting[2] + (f"{setting[3]}{setting[4]}" if setting[3] else "")
        header = f"Defaults{binding} " + (text if setting[3] in {"+=", "-="} else setting[2])
        yield Rule(number, "defaults", header, text, users, negated and setting[2] == "authenticate")


def _user_spec(number: int, tokens: list[str]) -> Rule | Unparsed:
    """`USERS HOSTS = COMMANDS`, possibly `: HOSTS = COMMANDS` and so on."""
    if "=" not in tokens:
        return Unparsed(number)
    left = tokens[: tokens.index("=")]
    words = ["".join(word) for word in _split((token for token in left if token), " ")]
    if len(words) > 2 and "!" in words:
        words = " ".join(words).replace("! ", "!").split(" ")
    if len(words) != 2 or not all(words) or tokens[-1] in {"=", ","}:
        return Unparsed(number)
    users = tuple(sorted(set(_items(words[0]))))
    details = words[1] + "".join(tokens[len(left) :])
    nopasswd = any(pair == ("NOPASSWD", ":") for pair in zip(map(_tag, tokens), tokens[1:], strict=False))
    return Rule(number, "user_spec", words[0], details, users, nopasswd, _grants_all(tokens[len(left) + 1 :]))


def _tag(token: str) -> str:
    """A tag may follow a closing parenthesis without a blank."""
    return token.rpartition(")")[2]


def _grants_all(tokens: list[str]) -> bool:
    """Whether one of the commands is ALL, whoever it is run as. After the first list of commands each begins with the
    hosts that it is for: `: HOSTS = COMMANDS`."""
    text = _TAG.sub("", _DIGEST.sub("", _OPTION.sub("", _RUNAS.sub(" ", "".join(tokens)))))
    first, *further = _COLON.split(text)
    lists = [first, *(_EQUALS.split(part, maxsplit=1)[-1] for part in further)]
    return any("".join(part).strip() == "ALL" for commands in lists for part in _split(_TOKEN.findall(commands), ","))


def _items(text: str) -> list[str]:
    return ["".join(part) for part in _split(_TOKEN.findall(text), ",")]
