"""Who may log in with which ssh key: the keys that each user's AuthorizedKeysFile holds."""

import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass

from driftscan.collectors._accounts import PASSWD, User, is_compat, users
from driftscan.collectors._base import Collector
from driftscan.collectors._fnmatch import compile_name
from driftscan.collectors._gaps import few_gaps
from driftscan.collectors._ssh_keys import AuthorizedKey, parse_line
from driftscan.collectors._sshd_config import SOURCES, Problem, read
from driftscan.collectors._text import hidden, key, lines, unique, value
from driftscan.model.resource import Attribute, Kind, Resource, Value
from driftscan.model.source import Captures, Gap, Glob, Member, Redact, Status

_HOMES = ("", "/root", "/home/*", "/var/lib/*", "/var/opt/*", "/srv/*", "/opt/*")
FILES = Glob(
    (
        *(f"{home}/.ssh/authorized_keys*" for home in _HOMES),
        "/etc/ssh/authorized_keys",
        "/etc/ssh/authorized_keys/*",
        "/etc/ssh/authorized_keys.d/*",
        "/etc/ssh/*/authorized_keys",
    ),
    max_bytes=1 << 20,
    redact=Redact.SECRETS,
)
"""Reduced, because options may set environment variables and commands."""

KIND = Kind(
    "authorized_key",
    "An ssh key that lets its holder in as a user",
    "user/SHA256:fingerprint; a repeated key gets `#2`, `#3`, ... (sshd takes the first that fits)",
    {
        "username": Attribute(str, "The user"),
        "type": Attribute(str, "Type, such as ssh-ed25519"),
        "bits": Attribute(int, "Size of the key; 0: the type has none"),
        "options": Attribute(
            tuple, "Options before the key, names in lower case; `cert-authority`: signs further keys"
        ),
        "comment": Attribute(str, "Comment behind the key"),
        "file": Attribute(str, "The file that it stands in"),
    },
    shape=r".*/.+",
)
DEFAULT = (".ssh/authorized_keys", ".ssh/authorized_keys2")
_TOKEN = re.compile(r"%(.)", re.DOTALL)
_NO_LOGIN = frozenset({"nologin", "false", "true", "sync", "halt", "shutdown"})


@dataclass(frozen=True, slots=True)
class _Server:
    """What sshd's configuration says of keys: file templates, and the gaps that this leaves."""

    templates: tuple[str, ...]
    gaps: tuple[Gap, ...]


def parse(captures: Captures) -> Iterator[Resource | Gap]:
    """Each user's keys. Files that belong to no user of passwd let nobody in, and are not listed."""
    return few_gaps(_parse(captures), "authorized_keys", "authorized_key")


def _parse(captures: Captures) -> Iterator[Resource | Gap]:
    server = _server(captures)
    yield from server.gaps
    members = {member.path.decode("utf-8", "surrogateescape"): member for member in captures.members(FILES)}
    seen: dict[str, int] = {}
    done: set[str] = set()
    for user in users(captures):
        if not isinstance(user, User) or is_compat(user.name) or user.name in done:
            continue
        done.add(user.name)
        for path in dict.fromkeys(_path(template, user) for template in server.templates):
            if path in members:
                yield from _keys(user.name, path, members[path], seen)
            elif not _covered(path) and posixpath.basename(user.shell) not in _NO_LOGIN:
                reason = (
                    f"keys of {value(user.name)} would lie in {value(path)}, which is not read; see the file itself"
                )
                yield Gap("authorized_keys", Status.UNSUPPORTED, reason, (_hides(user.name),))


def _server(captures: Captures) -> _Server:
    """The first AuthorizedKeysFile outside Match, and all within: a key that some connection may use counts."""
    found: dict[str, tuple[str, ...]] = {}
    gaps: list[Gap] = []
    for item in read(captures) or ():
        if isinstance(item, Problem):
            gaps.append(Gap("authorized_keys", item.status, item.reason, ("authorized_key",)))
        elif item.keyword == "authorizedkeysfile":
            found.setdefault(item.match, item.arguments)
        elif item.keyword == "authorizedkeyscommand" and item.arguments[0].lower() != "none":
            reason = "keys that AuthorizedKeysCommand gives are not seen"
            gaps.append(Gap("authorized_keys", Status.UNSUPPORTED, reason))
    found.setdefault("", DEFAULT)
    if "all" in found:
        found[""] = found["all"]
    templates = [template for arguments in found.values() for template in arguments if template.lower() != "none"]
    return _Server(tuple(dict.fromkeys(templates)), tuple(gaps))


def _path(template: str, user: User) -> str:
    """The file of a user: tokens replaced, relative to the home directory (sshd_config(5), AuthorizedKeysFile)."""
    tokens = {"%": "%", "h": user.directory, "u": user.name, "U": str(user.uid)}
    path = _TOKEN.sub(lambda match: tokens.get(match[1], match[0]), template)
    whole = path if path.startswith("/") else f"{user.directory}/{path}"
    return posixpath.normpath("/" + whole.lstrip("/"))


def _keys(user: str, path: str, member: Member, seen: dict[str, int]) -> Iterator[Resource | Gap]:
    if member.status is not Status.OK:
        yield Gap("authorized_keys", member.status, f"{value(path)} could not be read", (_hides(user),))
        return
    for line in lines(FILES, member.data):
        text = line.text.strip(" \t\r")
        if not text or text[0] == "#":
            continue
        found = parse_line(text)
        if found is None:
            reason = f"{value(path)} line {line.number}: no public key"
            yield Gap("authorized_keys", Status.FAILED, reason, (_hides(user),))
        else:
            name = unique(f"{user}/{found.fingerprint}", seen)
            yield Resource("authorized_key", key(name), _attributes(user, path, found), {"line": line.number})


def _attributes(user: str, path: str, found: AuthorizedKey) -> dict[str, Value]:
    return {
        "username": value(user),
        "type": found.type,
        "bits": found.bits,
        "options": tuple(value(option) for option in found.options),
        "comment": value(found.comment),
        "file": value(path),
    }


def _hides(user: str) -> str:
    return hidden("authorized_key", user, after="/*")


def _covered(path: str) -> bool:
    """Whether the file would have been captured, so that its absence is a fact."""
    parts = path.split("/")
    for pattern in FILES.patterns:
        wanted = pattern.split("/")
        if len(wanted) == len(parts) and all(
            compile_name(glob).fullmatch(part) for glob, part in zip(wanted, parts, strict=True)
        ):
            return True
    return False


collector = Collector(
    name="authorized_keys",
    version=1,
    doc="Public keys by which each user can log in, by fingerprint",
    kinds=(KIND,),
    sources=(PASSWD, FILES, *SOURCES),
    parse=parse,
)
