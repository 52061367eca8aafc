"""A path that something else took, or that lies under another name now: a link where a file or a directory was, with
what it leads to and what went from beneath it; an alternative (update-alternatives(1)) with the links that lead
through it; and what was moved, known by its content."""

from collections.abc import Iterable, Iterator

from driftscan.compare.evidence import Evidence
from driftscan.compare.fold import Fold
from driftscan.compare.folds._parts import counted, said, shorter, word
from driftscan.compare.folds._trees import came_above, led_to, trees
from driftscan.compare.pool import Pool, text
from driftscan.model.drift import CauseType, Change, Difference, Mutation

_CHOICES = "/etc/alternatives/"
_DATABASE = "/var/lib/dpkg/alternatives/"
_DIVERSIONS = ("/var/lib/dpkg/diversions", "/var/lib/dpkg/diversions-old")
_CODE = ("/usr/", "/lib", "/bin", "/sbin", "/opt/", "/boot/")


def _apply(pool: Pool, evidence: Evidence) -> Iterator[Mutation]:
    yield from _alternatives(pool)
    for item in pool.of("file"):
        if item in pool and item.change is Change.MODIFIED and {"type", "target"} & set(item.attributes):
            yield from _otherwise(pool, item)
    for old, new in _moved(pool):
        following = [*pool.beneath(old.key), new, *pool.beneath(new.key)]
        if new.key == f"{old.key}.distrib":  # dpkg-divert(1)
            following += [found for path in _DIVERSIONS if (found := pool.file(path))]
        yield pool.fold(CauseType.FILE_REMOVED, old.key, f"{old.key} moved to {new.key}", [old], following)


def _alternatives(pool: Pool) -> Iterator[Mutation]:
    """All links of one group, where it is known which group changed: its slaves have names of their own."""
    chosen = list(pool.beneath(_CHOICES))
    groups = {item.key.removeprefix(_DATABASE) for item in pool.beneath(_DATABASE)}
    for items in [chosen] if len(groups) == 1 and chosen else [[item] for item in chosen]:
        named = next((item for item in items if item.key.removeprefix(_CHOICES) in groups), items[0])
        through = {item.key for item in items}
        links = [item for item in pool.of("file") if text(item, "target") in through]
        held = [pool.file(_DATABASE + item.key.removeprefix(_CHOICES)) for item in items]
        title = f"alternative {named.key.removeprefix(_CHOICES)} {_choice(named)}"
        yield pool.fold(CauseType.CONFIGURATION_CHANGED, named.key, title, [named], [*items, *links, *held])


def _choice(item: Difference) -> str:
    delta = item.attributes.get("target")
    if delta is None or item.change is Change.REMOVED:
        return word(item.change)
    if item.change is Change.ADDED:
        return f"added: {said(delta.actual)}"
    return f"changed: {said(delta.expected)} -> {said(delta.actual)}"


def _otherwise(pool: Pool, item: Difference) -> Iterator[Mutation]:
    """What is of another type now, or a link that leads elsewhere; nothing where nothing came or went with it. Under a
    directory of code all that it leads to is as grave as itself; elsewhere it takes but copies of what was there."""
    cause = _cause(item.key)
    gone = [each for each in pool.beneath(item.key) if each.change is Change.REMOVED]
    led = led_to(pool, item)
    came = [led, *pool.beneath(led.key)] if led else []
    if led and cause is not CauseType.BINARY_CHANGED:
        before = {each.key.removeprefix(item.key): text(each, "sha256") for each in gone}
        was = item.attributes.get("sha256")
        before[""] = was.expected if was is not None and isinstance(was.expected, str) else ""
        came = [each for each in came if before.get(each.key.removeprefix(led.key)) == text(each, "sha256")]
    if gone or came:
        came += came_above(pool, came)
        yield pool.fold(cause, item.key, _became(item, gone), [item], [*gone, *came])


def _cause(path: str) -> CauseType:
    if path.startswith(_CODE):
        return CauseType.BINARY_CHANGED
    return CauseType.CONFIGURATION_CHANGED if path.startswith("/etc/") else CauseType.FILE_CHANGED


def _became(item: Difference, gone: list[Difference]) -> str:
    kind, target = item.attributes.get("type"), item.attributes.get("target")
    to = f" to {said(target.actual)}" if target is not None and target.actual else ""
    if kind is None:
        return f"{item.key} leads{to}, no longer to {said(target.expected) if target else ''}"
    title = f"{item.key} is a {said(kind.actual)}{to} now, and was a {said(kind.expected)}"
    return title + (f" with {counted(len(gone), 'file')}" if gone else "")


def _moved(pool: Pool) -> Iterator[tuple[Difference, Difference]]:
    """Files and trees that were put aside where they lay, under their name with something at its end. What was moved
    to another place may mean something else there."""
    gone = dict(_trees(pool, Change.REMOVED))
    for top, members in _trees(pool, Change.ADDED):
        old = next((name for name in shorter(top) if name in gone), "")
        content = _content(top, members)
        if old in gone and content == _content(old, gone[old]) and any(digest for _, digest in content):
            item, new = pool.get("file", old), pool.get("file", top)
            if item is not None and new is not None:
                yield item, new


def _trees(pool: Pool, change: Change) -> Iterable[tuple[str, list[Difference]]]:
    return trees(pool, [item for item in pool.of("file") if item.change is change]).items()


def _content(top: str, members: Iterable[Difference]) -> frozenset[tuple[str, str]]:
    """What lies where beneath a top. Links and directories alone are no content to know a tree by."""
    return frozenset((item.key.removeprefix(top), text(item, "sha256")) for item in members)


fold = Fold("replaced", 560, _apply)
