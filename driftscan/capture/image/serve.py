"""The probe, looking at an image: the program of `capture/probe/worker.py` with another root, in a process of the
scanner's that holds the tree and its limits. It speaks the same protocol, and is told the layers as its argument."""

import json
import os
import resource
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING, NoReturn

from driftscan.capture.image.layers import Unpacker
from driftscan.capture.image.layout import Layer
from driftscan.capture.image.tree import Node, Tree
from driftscan.capture.live import REFUSED
from driftscan.capture.probe.crew import HungUp
from driftscan.capture.probe.manners import Pace
from driftscan.capture.probe.rules import Rule, Rules, first_of
from driftscan.capture.probe.walk import BUFFER, Walker
from driftscan.capture.probe.worker import Probe
from driftscan.errors import DriftscanError

if TYPE_CHECKING:
    from driftscan.capture.probe.walk import Entry
    from driftscan.capture.probe.worker import Answer

MEMORY = 4 << 30
"""Bytes of address space that the process may have."""
MOST_FORKED = 300_000
"""Entries up to which the walk is shared among processes: each has the tree in its own, smaller, address space."""
DATABASES = (b"/var/lib/rpm", b"/usr/lib/sysimage/rpm")
"""Directories that programs of the scanner are shown of an image: rpm reads no other."""
MAX_EXPORTED = 2 << 30


class ImageWalker(Walker):
    """The walk of a tree that is no directory of this machine."""

    def __init__(self, tree: Tree, rules: Rules, algorithm: str, pace: Pace) -> None:
        """As Walker; nothing is mounted in an image."""
        super().__init__("/", rules, algorithm, {}, pace)
        self.tree = tree

    def directory(self, path: str, shallow: bool = False) -> "Iterator[Entry]":
        """See Walker."""
        node = self.tree.find(os.fsencode(path))
        own = self.rules.of(path or "/")
        if own is None or own.action != "prune":
            yield (path or "/", "d", node.status(), "-", "-", "", b"", node.extended(), own)
        rules = self.rules.inside(path)
        for name, child in (node.children or {}).items():
            if child.kind != "d":
                below = f"{path}/{os.fsdecode(name)}"
                yield from self.seen(below, child, shallow, rules)
        self.paced(0)

    def directories_in(self, path: str) -> list[str]:
        """See Walker."""
        children = self.tree.find(os.fsencode(path)).children or {}
        return [os.fsdecode(name) for name, child in children.items() if child.kind == "d"]

    def lstat(self, path: str) -> os.stat_result:
        """See Walker."""
        return self.tree.lstat(os.fsencode(path))

    def single(self, path: str) -> "list[Entry]":
        """See Walker."""
        return list(
            self.seen(path, self.tree.find(os.fsencode(path)), False, self.rules.inside(path.rpartition("/")[0]))
        )

    def seen(self, path: str, node: Node, shallow: bool, rules: list[Rule]) -> "Iterator[Entry]":
        """One entry, if it is not left out."""
        rule = first_of(rules, path)
        if rule is not None and rule.action == "prune":
            self.skipped.append((path, "rule"))
            return
        status = node.status()
        if shallow and (rule is None or rule.zone is None):
            yield path, node.kind, status, "-", "-", "", b"", b"", rule
            return
        digest, head = "-", "-"
        if node.kind == "f" and self.algorithm and (rule is None or rule.action != "stat"):
            digest, head = self.digested(node, rule.size if rule is not None else 0)
        yield path, node.kind, status, digest, head, "", node.target, node.extended(), rule

    def digested(self, node: Node, prefix: int) -> tuple[str, str]:
        """(digest of all, digest of the first `prefix` bytes) of a file's content."""
        total, head = self.digest(), "-"
        for start in range(0, node.size, BUFFER):
            data = node.read(start, min(start + BUFFER, node.size))
            if prefix and head == "-" and start + len(data) >= prefix:
                partial = total.copy()
                partial.update(data[: prefix - start])
                head = partial.hexdigest()
            total.update(data)
            self.paced(len(data))
        return total.hexdigest(), ("!short" if prefix and head == "-" else head)


class ImageProbe(Probe):
    """Answers what is asked of an image."""

    def __init__(self, nonce: str, tree: Tree, share: float, rate: float) -> None:
        """As Probe."""
        super().__init__(nonce, tree, share, rate)
        self.tree = tree

    def do_command(self, limit: bytes, timeout: bytes, redact: bytes, rooted: bytes, *argv: bytes) -> "Answer":
        """A program of the scanner sees a copy of what it may read of the image, for as long as it runs."""
        if not rooted:
            return "unsupported", "-", "commands need a running target"
        with exported(self.tree) as directory:
            return self.ran(int(limit), int(timeout), redact, (*argv, rooted, os.fsencode(directory)))

    def walkers(self, rules: Rules, algorithm: str) -> Callable[[int], Walker]:
        """See Probe."""
        return lambda workers: ImageWalker(self.tree, rules, algorithm, self.pace(workers))

    def workers(self) -> int:
        """See Probe."""
        return super().workers() if self.tree.entries <= MOST_FORKED else 1


@contextmanager
def exported(tree: Tree) -> Iterator[str]:
    """A directory with the regular files of DATABASES, the scanner's own, removed afterwards. OSError if they are too
    large."""
    left = MAX_EXPORTED
    with tempfile.TemporaryDirectory(prefix="driftscan-") as directory:
        for path in DATABASES:
            for name in tree.names(path):
                node = tree.find(tree.resolve(path + b"/" + name))
                if node.kind != "f":
                    continue
                left -= node.size
                if left < 0:
                    raise OSError(f"the package database has more than {MAX_EXPORTED >> 30} GiB")
                target = os.fsencode(directory) + path + b"/" + name
                os.makedirs(os.path.dirname(target), exist_ok=True)
                with open(target, "xb") as file:
                    file.writelines(
                        node.read(start, min(start + BUFFER, node.size)) for start in range(0, node.size, BUFFER)
                    )
        yield directory


def main() -> None:
    """Read the layers, then serve. Exits with REFUSED where they cannot be read."""
    for number in (signal.SIGTERM, signal.SIGALRM):
        signal.signal(number, _leave)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, resource.getrlimit(resource.RLIMIT_AS)[1]))
    _, nonce, _, seconds, share, rate = sys.stdin.buffer.readline().decode().split()
    signal.alarm(int(seconds))
    try:
        tree = Unpacker().tree(tuple(map(Layer.from_words, json.loads(sys.argv[1]))))
    except DriftscanError as error:
        refuse(f"{error.message}\n{error.hint}" if error.hint else error.message)
    except MemoryError:
        refuse(f"the image needs more than {MEMORY >> 30} GiB of memory to be read")
    try:
        ImageProbe(nonce, tree, int(share) / 100, int(rate)).serve()
    except HungUp:
        sys.exit(95)


def refuse(why: str) -> NoReturn:
    """End with what the scanner is to say."""
    sys.stderr.write(why)
    sys.stderr.flush()
    os._exit(REFUSED)


def _leave(number: int, frame: FrameType | None) -> None:
    """End, and let what stands on disk be removed."""
    sys.exit(128 + number)
