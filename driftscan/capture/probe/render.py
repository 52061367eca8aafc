"""Renders the probe: one program for targets, and requests as lines for its standard input.

The first line is `start NONCE ROOT SECONDS SHARE RATE`: 32 hexadecimal digits, the root to look at, how long all may
take, at most how much of a processor in percent (0: any) and how many bytes a second (0: any) it may use. Requests, one a line,
words separated by a blank, each word with unusual bytes as `\\0ooo` (`-` is empty):

    file K MAX REDACT PATH
    glob K MAXFILES MAX REDACT CONTENT !PATH... ~PROGRAM PATTERN...    (!PATH: its content is not read; ~PROGRAM:
                                                                     nothing is looked for where there is such a one)
    command K MAX TIMEOUT REDACT ROOTED ARG...    processes K    locks K PATH...
    tree K DIGEST, then lines `top PATH` and `rule ACTION SIZE GLOB ZONE`
    step K NAME SIZE, then SIZE bytes      a step of a comparison: comparison.py
    same DIGEST                            what the answer to the request before it is expected to be
    go                                     answer all of the above, then wait for the next round

K numbers the sources of a round. `frames.py` describes the answers.
"""

import hashlib
import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from functools import cache, lru_cache
from importlib.resources import files

from driftscan.capture.probe.words import escape
from driftscan.model.names import decode_name
from driftscan.model.source import Command, File, Glob, Locks, Processes, Source, Step, Tree, WalkRule

SHARED = ("columns.py", "digests.py", "glob.py")
"""Of driftscan.model: what the scanner and its targets must do alike."""
OWN = (
    "redact.py",
    "manners.py",
    "rules.py",
    "crew.py",
    "mounts.py",
    "walk.py",
    "listing.py",
    "comparison.py",
    "dialogue.py",
    "commands.py",
    "loaded.py",
    "root.py",
    "worker.py",
)
_NOT_FOR_TARGETS = re.compile(
    r"^from driftscan\.[\w.]+ import (?:\([^)]*\)|[^\n]*)\n"
    r"|^from typing import TYPE_CHECKING\n"
    r"|^if TYPE_CHECKING:\n(?:(?:    [^\n]*)?\n)+(?=\S)",
    re.MULTILINE,
)
ANNOUNCES = "driftscan-probe"
"""The line with which the program begins to run, where it is a file of the host."""
_AS_FILE = f"""\
#!/bin/sh
# This is a part of driftscan that images may hold, for accounts that may scan and do nothing else: `driftscan probe`.
set --
DRIFTSCAN_BAKED=1
echo {ANNOUNCES}
"""


@cache
def script(permitted: frozenset[str] = frozenset()) -> str:
    """The probe's program, for `sh -c`. `permitted`: the requests that it answers (of `permit`), and besides them
    those alone that tell no more than every user of the target may know; empty: all."""
    folder = files("driftscan.capture.probe")
    parts = [files("driftscan.model") / name for name in SHARED] + [folder / name for name in OWN]
    worker = "".join(_for_targets(part.read_text("utf-8")) for part in parts)
    listing = "\n".join(sorted(permitted))
    prologue = (folder / "prologue.sh").read_text("utf-8")
    fallback = (folder / "worker.sh").read_text("utf-8")
    return f"DRIFTSCAN_PERMITTED={shlex.quote(listing)}\nDRIFTSCAN_WORKER={shlex.quote(worker)}\n{prologue}{fallback}"


def as_file(program: str) -> str:
    """The program as a file for images. What it is called with is of no account; it says ANNOUNCES before it reads its
    input, and looks at no root but the host's own, in which alone it knows what it must not tell."""
    return _AS_FILE + program


def _for_targets(text: str) -> str:
    """A part of the program without its imports of other parts, which stand before it there, and of types."""
    return _NOT_FOR_TARGETS.sub("", text)


@lru_cache(maxsize=16)
def digest(program: str) -> str:
    """`sha256:` of a program, by which snapshots say what looked."""
    return "sha256:" + hashlib.sha256(program.encode()).hexdigest()


def permit(sources: Iterable[Source]) -> frozenset[str]:
    """The requests for sources, without their numbers, as `script` takes them."""
    return frozenset(next(iter(_request(source))).decode() for source in sources)


def start(nonce: str, root: str, seconds: int, share: int = 0, rate: int = 0) -> bytes:
    """The first line."""
    return _words("start", nonce, root, str(seconds), str(share), str(rate)) + b"\n"


def requests(sources: Sequence[Source], known: Mapping[Source, str] | None = None) -> bytes:
    """All requests of a round and the word to go. `known`: source -> digest of the answer that is expected; only the
    Python worker makes use of it."""
    parts: list[bytes] = []
    for number, source in enumerate(sources):
        if isinstance(source, Step):  # of no use to another host
            parts.append(_words("step", str(number), source.name, str(len(source.data))) + b"\n" + source.data)
        else:
            word, rest, more = _lines(source)
            parts.append(b"%s %d%s\n%s" % (word, number, rest, more))
        if known and (expected := known.get(source)):
            parts.append(b"same " + expected.encode() + b"\n")
    return b"".join([*parts, b"go\n"])


@lru_cache(maxsize=4096)
def _lines(source: Source) -> tuple[bytes, bytes, bytes]:
    """The word of a request, what follows its number, and the lines after it: the same for every host."""
    first, *rest = _request(source)
    word, blank, arguments = first.partition(b" ")
    return word, blank + arguments, b"".join(line + b"\n" for line in rest)


def _request(source: Source) -> Iterable[bytes]:
    match source:
        case File(path, limit, redact):
            yield _words("file", str(limit), redact, path)
        case Glob(patterns, count, limit, redact, content, public, unread, unless):
            kept = "public" if public else "all" if content else "none"
            left = (*(f"!{path}" for path in unread), *((f"~{unless}",) if unless else ()))
            yield _words("glob", str(count), str(limit), redact, kept, *left, *patterns)
        case Command(argv, _, limit, timeout, redact, rooted):
            yield _words("command", str(limit), str(timeout), redact, rooted, *argv)
        case Processes():
            yield _words("processes")
        case Locks(paths):
            yield _words("locks", *paths)
        case Step():
            raise ValueError("a step is not asked alone")
        case Tree(roots, rules, algorithm):
            yield _words("tree", algorithm)
            yield from (_words("top", decode_name(root)) for root in roots)
            yield from (_words("rule", *rule_words(rule)) for rule in rules)


def rules_section(rules: Iterable[WalkRule]) -> bytes:
    """The rules of a walk as the section of that name of the step `walk`: a line of words each."""
    return b"\n".join(_words(*rule_words(rule)) for rule in rules)


def rule_words(rule: WalkRule) -> tuple[str | bytes, ...]:
    """ACTION SIZE GLOB ZONE."""
    zone = ""
    if (given := rule.tolerance) is not None:
        letters = (
            ("c", given.comes),
            ("g", given.guarded),
            ("e", given.exact),
            ("a", given.grows),
            ("u", given.unread),
        )
        zone = ",".join(given.frees) + ":" + "".join(letter for letter, flag in letters if flag)
    return rule.action, str(rule.size), decode_name(rule.pattern), zone


def _words(*parts: str | bytes) -> bytes:
    return b" ".join(escape(part if isinstance(part, bytes) else part.encode()) for part in parts)
