"""What sysctl.d(5) configures, with systemd-sysctl's precedence.

Files are taken in the order of their names whatever their directory; of two files of one name the one in the earlier
directory (/etc, /run, /usr/local/lib, /usr/lib, /lib) hides the other, and a link to /dev/null hides it for good. The
last assignment of a name holds. A name with wildcards sets all parameters that it matches, except those that are named
themselves; `-name` without a value takes parameters out of what wildcards match. /etc/sysctl.conf stands where a link
to it does (Debian's 99-sysctl.conf, through which systemd reads it: `zz.conf` comes after); without one it comes last,
as procps and OpenRC have it.
"""

from collections.abc import Iterable, Iterator, Mapping
from fnmatch import fnmatchcase

from driftscan.collectors._text import key, path_text, value
from driftscan.model.source import Captures, File, Glob, Redact, Status

_DIRECTORIES = ("/etc", "/run", "/usr/local/lib", "/usr/lib", "/lib")
CONFIG = Glob(tuple(f"{directory}/sysctl.d/*.conf" for directory in _DIRECTORIES), redact=Redact.SECRETS)
SYSCTL_CONF = File("/etc/sysctl.conf", redact=Redact.SECRETS)
_TO_SYSCTL_CONF = frozenset({b"../sysctl.conf", b"/etc/sysctl.conf"})
_MAX_LINE = 4096
"""Bytes; the kernel refuses longer values anyway."""
_MAX_GLOBS = 50
"""Settings with wildcards that are looked at; there is one in Debian and three in Fedora."""


def configured(captures: Captures, live: Iterable[str]) -> Mapping[str, tuple[str, str]]:
    """Name -> (value, file that sets it)."""
    exact: dict[str, tuple[str, str]] = {}
    globs: dict[str, tuple[str, str]] = {}
    excluded: list[str] = []
    for path, text in _files(captures):
        for name, setting in _settings(text):
            if setting is None:
                excluded.append(name)
            elif any(mark in name for mark in "*?["):
                globs[name] = (setting, path)
            else:
                exact[name] = (setting, path)
    found = dict(exact)
    for name in live if globs else ():
        if name in exact or any(fnmatchcase(name, pattern) for pattern in excluded[:_MAX_GLOBS]):
            continue
        for pattern, setting_of in list(globs.items())[-_MAX_GLOBS:]:
            if fnmatchcase(name, pattern):
                found[name] = setting_of
    return found


def unreadable(captures: Captures) -> tuple[str, ...]:
    """Which of the files could not be read."""
    return tuple(path_text(member.path) for member in captures.members(CONFIG) if member.status is not Status.OK)


def _files(captures: Captures) -> Iterator[tuple[str, str]]:
    chosen: dict[bytes, tuple[int, str, str]] = {}
    for member in captures.members(CONFIG):
        directory, _, name = member.path.rpartition(b"/")
        rank = next((index for index, top in enumerate(_DIRECTORIES) if directory == f"{top}/sysctl.d".encode()), 9)
        if name not in chosen or rank < chosen[name][0]:
            path = SYSCTL_CONF.path if member.link in _TO_SYSCTL_CONF else path_text(member.path)
            chosen[name] = (rank, path, member.data.decode("utf-8", "surrogateescape"))
    for name in sorted(chosen):
        yield chosen[name][1:]
    linked = any(path == SYSCTL_CONF.path for _, path, _ in chosen.values())
    if captures.exists(SYSCTL_CONF) and not linked:
        yield SYSCTL_CONF.path, captures.text(SYSCTL_CONF)


def _settings(text: str) -> Iterator[tuple[str, str | None]]:
    for line in text.split("\n"):
        bare = line.strip()
        if not bare or bare[0] in "#;" or len(bare) > _MAX_LINE:
            continue
        name, equals, given = bare.partition("=")
        if equals:
            yield _dotted(name.strip().removeprefix("-").strip()), value(" ".join(given.split()))
        elif bare.startswith("-"):
            yield _dotted(bare.removeprefix("-").strip()), None


def _dotted(name: str) -> str:
    """If the first separator is a slash, slashes separate and dots are part of names; here it is the other way."""
    dot, slash = name.find("."), name.find("/")
    if slash >= 0 and (dot < 0 or slash < dot):
        name = name.translate(str.maketrans("./", "/."))
    return key(name)
