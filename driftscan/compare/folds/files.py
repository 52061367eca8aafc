"""Files that nothing else explains: whole trees and mass changes are one mutation, the rest one each. Under /var,
where programs keep their state, a change that nobody declared is called what it is: unexplained."""

from collections.abc import Iterator
from posixpath import dirname

from driftscan.compare.evidence import Evidence
from driftscan.compare.fold import Fold
from driftscan.compare.folds._parts import counted, moved, word
from driftscan.compare.folds._trees import alike, masses, trees
from driftscan.compare.pool import Pool
from driftscan.model.drift import CauseType, Change, Difference, Mutation

_CAUSE = {
    Change.ADDED: CauseType.FILE_ADDED,
    Change.REMOVED: CauseType.FILE_REMOVED,
    Change.MODIFIED: CauseType.FILE_CHANGED,
}
_STATE = ("/var/backups/", "/var/cache/", "/var/lib/", "/var/log/", "/var/spool/")


def _apply(pool: Pool, evidence: Evidence) -> Iterator[Mutation]:
    for change in (Change.ADDED, Change.REMOVED):
        items = [item for item in pool.of("file") if item.change is change]
        tops = trees(pool, items)
        yield from _many_trees(pool, change, tops)
        for top, members in tops.items():
            if members[0] not in pool:
                continue
            if len(members) > 1:
                title = f"{top} {word(change)} with {counted(len(members) - 1, 'file')} beneath it"
                heart = [item for item in members if item.key == top]
                yield pool.fold(_cause(change, top), top, title, heart, members)
    for (directory, how), members in masses(pool.of("file")).items():
        change = members[0].change
        root = pool.get("file", directory)
        if root is not None and alike(root) == how:
            members = [root, *members]  # noqa: PLW2901 - the directory with what lies in it
        attributes = f" ({', '.join(how[1:])})" if len(how) > 1 else ""
        title = f"{len(members)} files beneath {directory} {word(change)}{attributes}"
        yield pool.fold(_cause(change, directory + "/"), directory + attributes, title, [], members)
    for item in pool.of("file"):
        if item in pool:
            public = pool.get("file", f"{item.key}.pub") if item.change is not Change.MODIFIED else None
            pair = [public] if public is not None and public.change is item.change else []
            yield pool.fold(_cause(item.change, item.key), item.key, _title(item), [item], pair)


def _many_trees(pool: Pool, change: Change, tops: dict[str, list[Difference]]) -> Iterator[Mutation]:
    """Many trees of one directory (`rm -r /usr/share/doc/*`), with what else came or went in it."""
    roots = [root for top, members in tops.items() if len(members) > 1 and (root := pool.get("file", top))]
    for (directory, _), found in masses(roots).items():
        members = [item for root in found for item in tops[root.key]]
        beside = [each for top, each in tops.items() if len(each) == 1 and dirname(top) == directory]
        beneath = counted(len(members) - len(found), "file")
        title = f"{len(found)} directories of {directory} {word(change)} with {beneath} beneath them"
        following = [*members, *(item for each in beside for item in each)]
        yield pool.fold(_cause(change, directory + "/"), directory, title, [], following)


def _cause(change: Change, path: str) -> CauseType:
    return CauseType.UNEXPLAINED if path.startswith(_STATE) else _CAUSE[change]


def _title(item: Difference) -> str:
    facts = moved(item, sorted(set(item.attributes) - {"size", "nlink"})) if item.change is Change.MODIFIED else ""
    return f"{item.key} {word(item.change)}" + (f": {facts}" if facts else "")


fold = Fold("files", 900, _apply)
