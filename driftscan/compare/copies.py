"""Several names and copies of one file: hard links, what was kept of a file that was edited or replaced, and what
editors leave beside it."""

import re
from collections.abc import Iterator
from posixpath import basename, dirname

from driftscan.compare.attributes import NAMES, is_regular
from driftscan.compare.evidence import Evidence
from driftscan.compare.folds._parts import and_more, counted, shorter
from driftscan.compare.joining import Joined, single
from driftscan.compare.pool import actual, text, value
from driftscan.model.drift import CauseType, Change, Difference, Mutation

NAMES_ALONE = "content and rights are those of the image"
"""The detail of a mutation of files that lost other names (hard links), which is all that changed."""
_BACKUP = re.compile(
    r"(?P<name>.+?)(?:~|[._-](?:bak|backup|orig|old|save|dpkg-(?:old|dist|new)|ucf-(?:old|dist)|rpm(?:save|new)))"
)
_SWAP = re.compile(r"\.(?P<name>.+)\.sw[a-p]")
"""Names of what editors and package managers keep beside a file (vim(1), dpkg(1), ucf(1), rpm(8))."""
_GUARDED = re.compile(r"/etc/sudoers\.d/.*|.*/\.ssh/.*|/etc/ssh/authorized_keys.*")
"""Where a file gives access whatever it is called: what lies there is told by itself unless its content is known."""


def one_file(found: Joined, evidence: Evidence) -> None:
    """Names of one file that changed alike, or came."""
    seen: dict[tuple[CauseType, int, str, str], Mutation] = {}
    for part in found:
        item = single(part, Change.MODIFIED) or _of_many_names(single(part, Change.ADDED))
        inode = item.observed.get("inode") if item is not None else None
        content = _content(item, evidence) if item is not None else ""
        if item is None or not isinstance(inode, int) or not content or set(item.attributes) <= NAMES:
            continue
        deltas = str(sorted((name, delta.expected, delta.actual) for name, delta in item.attributes.items()))
        whole = seen.setdefault((part.cause.type, inode, content, deltas), part)
        if whole is not part:
            found.join(part, whole, f"{item.key} is another name of it")


def _of_many_names(item: Difference | None) -> Difference | None:
    """What came, if it has more names than this."""
    links = value(item, "nlink") if item is not None else None
    return item if isinstance(links, int) and links > 1 else None


def other_names(found: Joined, evidence: Evidence) -> None:
    """Files of which nothing changed but how many names they have: they go with the name that came, went, or is a file
    of its own now. What lost names without such a reason (an overlay that copied one of them) is as it was."""
    parts = [part for part in found if all(_is_names_alone(item) for item in part.differences)]
    if not parts:
        return
    wholes = {digest: whole for whole in found for digest in _renamed(whole, evidence)}
    lost: dict[str, list[Mutation]] = {}
    for part in parts:
        digest = _content(part.differences[0], evidence)
        if len(part.differences) == 1 and digest in wholes:
            found.join(part, wholes[digest])
        elif all(_lost_names(item) for item in part.differences):
            lost.setdefault(digest or part.id, []).append(part)
    for group in lost.values():
        for part in group[1:]:
            found.join(part, group[0])
        items = [item for part in group for item in part.differences]
        names = and_more([item.key for item in items])
        found.say(group[0], f"{counted(len(items), 'file')} lost other names (hard links): {names}", NAMES_ALONE)


def _is_names_alone(item: Difference) -> bool:
    return item.kind == "file" and item.change is Change.MODIFIED and set(item.attributes) == NAMES


def _lost_names(item: Difference) -> bool:
    delta = item.attributes["nlink"]
    before, now = delta.expected, delta.actual
    return isinstance(before, int) and isinstance(now, int) and now < before


def _renamed(whole: Mutation, evidence: Evidence) -> Iterator[str]:
    """Contents of files in a mutation that gained or lost a name."""
    for item in whole.differences:
        if item.kind != "file" or "nlink" not in item.attributes or _is_names_alone(item):
            continue
        many = item.change is Change.MODIFIED or value(item, "nlink") not in {None, 1}
        if many and (digest := _content(item, evidence)):
            yield digest


def _content(item: Difference, evidence: Evidence) -> str:
    """The SHA-256 that a file had in the reference; of one that came, what it has."""
    delta = item.attributes.get("sha256")
    if delta is not None:
        told = delta.actual if item.change is Change.ADDED else delta.expected
    else:
        known = evidence.resources.get("file", item.key)
        told = known.attributes.get("sha256") if known else None
    return told if isinstance(told, str) else ""


def kept(found: Joined, evidence: Evidence) -> None:
    """What was there before, or what an editor kept, beside what was changed."""
    for part in found.of(CauseType.FILE_ADDED, CauseType.BINARY_ADDED):
        item = single(part, Change.ADDED)
        if item is None or not is_regular(actual(item)):
            continue
        for name in (*shorter(item.key), *_swapped(item.key)):
            whole = found.with_("file", name)
            old = found.get("file", name)
            words = _why_kept(whole, old, part) if whole and old and whole is not part else ""
            if whole is not None and words:
                found.join(part, whole, words)
                break


def _swapped(path: str) -> Iterator[str]:
    match = _SWAP.fullmatch(basename(path))
    if match:
        yield f"{dirname(path)}/{match['name']}"


def _why_kept(whole: Mutation, old: Difference, part: Mutation) -> str:
    """In words, why a new file is a copy that was kept of another one; empty: it is not."""
    delta, new = old.attributes.get("sha256"), part.differences[0]
    if delta is None:
        return ""
    code = part.cause.type is CauseType.BINARY_ADDED
    if old.change is Change.MODIFIED and delta.expected == text(new, "sha256"):
        of_code = whole.cause.type in {CauseType.BINARY_CHANGED, CauseType.CONFIGURATION_CHANGED}
        return f"the old one is {new.key} now" if of_code or not code else ""
    match = _BACKUP.fullmatch(new.key) or _SWAP.fullmatch(basename(new.key))
    named = match is not None and basename(match["name"]) == basename(old.key)
    beside = named and not code and not _GUARDED.fullmatch(new.key) and delta.actual is not None
    return f"{new.key} was kept beside it" if beside else ""
