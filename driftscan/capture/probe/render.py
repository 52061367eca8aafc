"""Renders the probe: one script for the target, and requests as lines for its standard input.

Requests, one a line, words separated by a blank, each word with unusual bytes as `\\0ooo` (`-` is empty):

    file K MAX REDACT PATH                 glob K MAXFILES MAX REDACT CONTENT PATTERN...
    command K MAX TIMEOUT REDACT ROOTED ARG...    processes K
    tree K DIGEST, then lines `top PATH` and `rule ACTION SIZE PREFIX REGEX HEAD GLOB`
    go                                     answer all of the above, then wait for the next round

K numbers the sources of a round. `frames.py` describes the answers.
"""

import hashlib
import os
import shlex
from collections.abc import Iterable, Sequence
from functools import cache
from importlib.resources import files

from driftscan.capture.probe.words import escape
from driftscan.model.glob import literal_prefix, to_regex
from driftscan.model.names import decode_name
from driftscan.model.source import Command, File, Glob, Processes, Source, Tree, WalkRule


@cache
def script() -> str:
    """The probe's program: `sh -c SCRIPT driftscan NONCE ROOT SECONDS [PYTHON]`."""
    folder = files("driftscan.capture.probe")
    worker = "".join((folder / name).read_text("utf-8") for name in ("redact.py", "walk.py", "worker.py"))
    prologue = (folder / "prologue.sh").read_text("utf-8")
    fallback = (folder / "worker.sh").read_text("utf-8")
    return f"DRIFTSCAN_WORKER={shlex.quote(worker)}\n{prologue}{fallback}"


def probe_digest() -> str:
    """`sha256:` of the program, by which snapshots say what looked."""
    return "sha256:" + hashlib.sha256(script().encode()).hexdigest()


def requests(sources: Sequence[Source]) -> bytes:
    """All requests of a round and the word to go."""
    lines = [line for number, source in enumerate(sources) for line in _request(str(number), source)]
    return b"".join(line + b"\n" for line in [*lines, b"go"])


def _request(number: str, source: Source) -> Iterable[bytes]:
    match source:
        case File(path, limit, redact):
            yield _words("file", number, str(limit), redact, path)
        case Glob(patterns, count, limit, redact, content, public):
            kept = "public" if public else "all" if content else "none"
            yield _words("glob", number, str(count), str(limit), redact, kept, *patterns)
        case Command(argv, _, limit, timeout, redact, rooted):
            yield _words("command", number, str(limit), str(timeout), redact, rooted, *argv)
        case Processes():
            yield _words("processes", number)
        case Tree(roots, rules, digest):
            yield _words("tree", number, digest)
            yield from (_words("top", decode_name(root)) for root in roots)
            yield from (_rule(rule) for rule in rules)


def _rule(rule: WalkRule) -> bytes:
    head = to_regex(rule.pattern.removesuffix("/**")) if rule.action == "prune" and rule.pattern.endswith("/**") else ""
    return _words(
        "rule",
        rule.action,
        str(rule.size),
        decode_name(literal_prefix(rule.pattern)),
        os.fsencode(to_regex(rule.pattern)),
        os.fsencode(head),
        decode_name(rule.pattern),
    )


def _words(*parts: str | bytes) -> bytes:
    return b" ".join(escape(part if isinstance(part, bytes) else part.encode()) for part in parts)
