"""An account that came, went or changed: the user's row, groups, password state, home with its skeleton, mail spool,
and the account files that hold the rows."""

from collections.abc import Iterator

from driftscan.compare.evidence import Evidence
from driftscan.compare.fold import Fold
from driftscan.compare.folds._parts import ACCOUNT_FILES, account_files, files, moved, said, word
from driftscan.compare.pool import Pool, text, value
from driftscan.model.drift import CauseType, Change, Difference, Mutation
from driftscan.model.resource import Value

_CAUSE = {
    Change.ADDED: CauseType.ACCOUNT_ADDED,
    Change.REMOVED: CauseType.ACCOUNT_REMOVED,
    Change.MODIFIED: CauseType.ACCOUNT_CHANGED,
}
_SKELETON = frozenset(
    {".bash_logout", ".bash_profile", ".bashrc", ".cache", ".config", ".cshrc", ".emacs", ".face", ".face.icon"}
    | {".kshrc", ".local", ".login", ".logout", ".mkshrc", ".profile", ".ssh", ".zprofile", ".zshrc"}
    | {".sudo_as_admin_successful"}
)


def _apply(pool: Pool, evidence: Evidence) -> Iterator[Mutation]:
    by_member: dict[str, list[Difference]] = {}
    for group in pool.of("group"):
        for name in {group.key, *_members(group)}:
            by_member.setdefault(name, []).append(group)
    for old, new in _renamed(pool):
        yield _rename(pool, old, new, [*by_member.get(old.key, []), *by_member.get(new.key, [])])
    for row in pool.of("user"):
        yield _user(pool, row, by_member.get(row.key, []))
    for row in pool.of("password"):
        title = f"password of {row.key} {moved(row) or word(row.change)}"
        yield pool.fold(CauseType.ACCOUNT_CHANGED, row.key, title, [row], account_files(pool))
    for row in pool.of("group"):
        if row in pool:
            title = f"group {row.key} {word(row.change)}" + (
                f" ({moved(row)})" if row.change is Change.MODIFIED else ""
            )
            yield pool.fold(_CAUSE[row.change], row.key, title, [row], account_files(pool))


def _renamed(pool: Pool) -> list[tuple[Difference, Difference]]:
    """Users that have another name now: the same id and the same home."""
    users = pool.of("user")
    gone = {(value(row, "uid"), text(row, "directory", "home")): row for row in users if row.change is Change.REMOVED}
    come = [row for row in users if row.change is Change.ADDED]
    pairs = [(gone.get((value(row, "uid"), text(row, "directory", "home"))), row) for row in come]
    return [(old, new) for old, new in pairs if old is not None]


def _rename(pool: Pool, old: Difference, new: Difference, groups: list[Difference]) -> Mutation:
    """With the keys that it has kept."""
    keys = {row.key: row for row in pool.of("authorized_key")}
    kept = []
    for key, row in keys.items():
        user, _, print_of = key.partition("/")
        other = keys.get(f"{old.key}/{print_of}") if user == new.key else None
        if other is not None and other.change is Change.REMOVED and row.change is Change.ADDED:
            kept += [row, other]
    passwords = [pool.get("password", old.key), pool.get("password", new.key)]
    title = f"user {old.key} renamed to {new.key} (uid {said(value(new, 'uid'))}; shell {said(text(new, 'shell'))})"
    following = [*groups, *passwords, *kept, *account_files(pool)]
    return pool.fold(CauseType.ACCOUNT_CHANGED, new.key, title, [new, old], following)


def _user(pool: Pool, row: Difference, groups: list[Difference]) -> Mutation:
    name = row.key
    home = text(row, "directory", "home")
    password = pool.get("password", name)
    held = [path for path in ACCOUNT_FILES if row.change is not Change.MODIFIED or not path.startswith("/etc/sub")]
    following = [*groups, password, *account_files(pool, held)]
    following += _keys(pool, row)
    following += [*files(pool, f"/var/mail/{name}", f"/var/spool/mail/{name}"), *_home(pool, home, row.change)]
    return pool.fold(_CAUSE[row.change], name, _title(row, groups, home), [row], following)


def _keys(pool: Pool, row: Difference) -> Iterator[Difference]:
    """Of a second root that came to a home that was there: the keys that lay in it. They grant nothing more; to any
    other account they open a door of its own."""
    for key in pool.of("authorized_key") if row.change is Change.ADDED and value(row, "uid") == 0 else ():
        lies = text(key, "key_file", "file", "path")
        if key.key.partition("/")[0] == row.key and lies and pool.file(lies) is None:
            yield key


def _title(row: Difference, groups: list[Difference], home: str) -> str:
    if row.change is Change.MODIFIED:
        return f"user {row.key} changed: {moved(row)}"
    facts = [f"uid {said(value(row, 'uid'))}"]
    others = [group.key for group in groups if group.key != row.key]
    if others:
        facts.append("groups " + ", ".join(others))
    if shell := text(row, "shell"):
        facts.append(f"shell {shell}")
    if home:
        facts.append(f"home {home}")
    return f"user {row.key} {word(row.change)} ({'; '.join(facts)})"


def _members(group: Difference) -> frozenset[str]:
    """Those who joined or left; of a whole new group, its members."""
    found: set[str] = set()
    for name in ("members", "users"):
        delta = group.attributes.get(name)
        if delta is not None:
            found |= _names(delta.expected) ^ _names(delta.actual)
    return frozenset(found)


def _names(members: Value) -> frozenset[str]:
    if isinstance(members, str):
        return frozenset(members.split(","))
    return frozenset(part for part in members if isinstance(part, str)) if isinstance(members, tuple) else frozenset()


def _home(pool: Pool, home: str, change: Change) -> Iterator[Difference | None]:
    """The home and what useradd(8) puts into it; all that went with it. Whatever else came stays to be explained."""
    if not home.startswith("/") or home.count("/") < 2:
        return
    yield pool.get("file", home)
    for item in pool.beneath(home) if change in {Change.ADDED, Change.REMOVED} else ():
        first = item.key[len(home) + 1 :]
        if item.change is change is Change.REMOVED or first in _SKELETON:
            yield item


fold = Fold("account", 300, _apply)
