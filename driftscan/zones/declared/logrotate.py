"""logrotate.conf(5): which logs are rotated, and where their rotated copies go.

A log that is named may come (with its first message) and is a rotating log; its rotated copies beside it are known by
their names (`rotating-log`), those of `olddir` are declared. logrotate reads its main file and what that includes:
without it nothing is rotated. What a glob names may come under each name that matches, as logrotate takes them.
"""

import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from driftscan.model.source import Captures, Glob, Line, Member, Redact, Status, lines
from driftscan.model.zone import Zone
from driftscan.zones.declared._base import Declarer, log, origin_of, rotated
from driftscan.zones.declared._paths import globs

MAIN = ("/etc/logrotate.conf", "/usr/etc/logrotate.conf")
"""The second is where distributions have it that keep /etc for the administrator."""
CONFIG = Glob((*MAIN, "/etc/logrotate.d/*", "/usr/etc/logrotate.d/*"), redact=Redact.SECRETS, public=True)
_TABOO = (
    *(",v", ".bak", ".cfsaved", ".disabled", ".dpkg-bak", ".dpkg-del", ".dpkg-dist", ".dpkg-new", ".dpkg-old"),
    *(".dpkg-tmp", ".new", ".old", ".orig", ".rhn-cfg-tmp-", ".rpmnew", ".rpmorig", ".rpmsave", ".swp", ".ucf-dist"),
    *(".ucf-new", ".ucf-old", "~"),
)
"""Ends of names that are passed over in directories that are included (directive `tabooext`)."""
_SCRIPTS = frozenset({"prerotate", "postrotate", "preremove", "firstaction", "lastaction"})
_WORD = re.compile(r"\"([^\"]*)\"|'([^']*)'|((?:\\.|[^\s\"'])+)")
_MOST_INCLUDES = 100


@dataclass(frozen=True, slots=True)
class _Options:
    """What decides how rotated copies are called."""

    olddir: str = ""
    dateext: bool = False
    extension: str = ""

    def told(self, name: str, value: str) -> "_Options":
        """With one more directive."""
        changed: dict[str, _Options] = {
            "olddir": replace(self, olddir=value),
            "noolddir": replace(self, olddir=""),
            "dateext": replace(self, dateext=True),
            "nodateext": replace(self, dateext=False),
            "extension": replace(self, extension=value),
        }
        return changed.get(name, self)


@dataclass(slots=True)
class _Reader:
    """Reads files in the order in which logrotate does; global options hold for what follows."""

    members: Mapping[str, Member]
    options: _Options = field(default_factory=_Options)
    read: int = 0

    def zones(self, path: str) -> Iterator[Zone]:
        """The zones of a file and what it includes."""
        member = self.members.get(path)
        self.read += 1
        if member is None or member.status is not Status.OK or self.read > _MOST_INCLUDES:
            return
        paths: list[tuple[str, int]] = []
        inside: _Options | None = None
        for line in _statements(member.data):
            text = line.text
            if inside is None and text.endswith("{"):
                paths.extend((word, line.number) for word in _words(text[:-1]))
                inside = self.options
            elif inside is None and text.startswith(("/", '"', "'", "~")):
                paths.extend((word, line.number) for word in _words(text))
            elif inside is not None and text.startswith("}"):
                yield from _section(path, paths, inside)
                paths, inside = [], None
            else:
                name, value = _directive(text)
                if inside is not None:
                    inside = inside.told(name, value)
                elif name == "include":
                    yield from self._included(value)
                else:
                    self.options = self.options.told(name, value)

    def _included(self, path: str) -> Iterator[Zone]:
        if path in self.members:
            yield from self.zones(path)
            return
        inside = [name for name in self.members if posixpath.dirname(name) == path.rstrip("/")]
        for name in sorted(inside):
            if not name.endswith(_TABOO):
                yield from self.zones(name)


def parse(captures: Captures) -> Iterator[Zone]:
    """The zones of all logs that are rotated."""
    members = {member.path.decode("utf-8", "surrogateescape"): member for member in captures.members(CONFIG)}
    main = next((path for path in MAIN if path in members), None)
    if main is not None:
        yield from _Reader(members).zones(main)


def _statements(data: bytes) -> Iterator[Line]:
    """Lines that say something; scripts, which end at `endscript`, are passed over. A brace that follows a path or a
    directive on its line ends a statement of its own."""
    script = False
    for line in lines(data.decode("utf-8", "surrogateescape")):
        text = line.text.strip()
        if script:
            script = text.split()[:1] != ["endscript"]
            continue
        if not text or text.startswith("#"):
            continue
        script = text.split()[0] in _SCRIPTS
        if script:
            continue
        before, brace, after = _at_brace(text)
        yield Line(line.number, before + brace)
        if after:
            yield from (Line(line.number, piece) for piece in _pieces(after))


def _at_brace(text: str) -> tuple[str, str, str]:
    """A line up to the brace that opens a section, and the rest. Braces inside a word belong to its glob."""
    found = re.search(r"(?<![^\s\"'])\{(?=\s|$)", text) or re.search(r"\{$", text)
    return (text[: found.start()], "{", text[found.end() :].strip()) if found else (text, "", "")


def _pieces(text: str) -> Iterator[str]:
    """What stands on the line of an opening brace: one directive, and perhaps the closing brace."""
    inner, brace, _ = text.partition("}")
    if inner.strip():
        yield inner.strip()
    if brace:
        yield brace


def _words(text: str) -> Iterator[str]:
    for match in _WORD.finditer(text):
        yield next(group for group in match.groups() if group is not None)


def _directive(text: str) -> tuple[str, str]:
    name, _, value = text.replace("=", " ", 1).partition(" ")
    return name.strip(), next(_words(value), "")


def _section(file: str, paths: Iterable[tuple[str, int]], options: _Options) -> Iterator[Zone]:
    reason = "logrotate rotates it"
    for text, number in paths:
        for pattern in globs(text):
            origin = origin_of(file, number)
            yield log(pattern, reason, origin)
            for copy in _copies(pattern, options):
                yield (log if options.olddir else rotated)(copy, f"rotated copies of {pattern}", origin)


def _copies(pattern: str, options: _Options) -> Iterator[str]:
    """The patterns of rotated copies: `.1` (`-20261120` with `dateext`), before an `extension` or at the end."""
    directory, _, name = pattern.rpartition("/")
    if options.olddir:
        old = options.olddir if options.olddir.startswith("/") else f"{directory}/{options.olddir}"
        directory = next(iter(globs(old)), "")
        if not directory:
            return
    mark = "-" if options.dateext else "."
    if options.extension and name.endswith(options.extension):
        yield f"{directory}/{name.removesuffix(options.extension)}{mark}*{options.extension}*"
    else:
        yield f"{directory}/{name}{mark}*"


declarer = Declarer(
    name="logrotate",
    doc="Logs that logrotate rotates",
    sources=(CONFIG,),
    parse=parse,
)
