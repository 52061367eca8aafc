"""Mutations that are parts of one act become one: a unit with the program that it starts and the port which that
opens, an edit with the copy that the editor kept, the names of one file. Nothing is lost: the differences of the part
are told with the whole, and the title says what came along. A part is never graver than its whole: where a policy
could judge it more severely, it stays by itself, or the policy's rules name both causes."""

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

from driftscan.compare.copies import kept, one_file, other_names
from driftscan.compare.evidence import Evidence
from driftscan.compare.folds._parts import and_more
from driftscan.compare.folds._trees import led_along
from driftscan.compare.joining import Joined, single
from driftscan.compare.pool import text, value
from driftscan.model.drift import CauseType, Change, Difference, Mutation

_MOST_WORDS = 100
_BETWEEN = re.compile(r"[\s;\"'=]+")
_PATH = re.compile(r"[-@:+!|]*(/.+)")
"""A path in ExecStart=, after what systemd.service(5) lets stand before it."""
_MANAGER = re.compile(r"(?:/usr)?/lib/systemd/systemd")
_SSHD = re.compile(r"(?:/usr(?:/local)?)?/s?bin/sshd|(?:/usr)?/lib(?:exec)?/openssh/sshd[^/]*")
_PORT_SETTINGS = ("listenaddress", "port")
_PROCESS = re.compile(r"/proc/[0-9]+(?:/.*)?")
_HOLDER = frozenset({"process", "unit", "user"})
_SWAP = "none:"
"""How the key of a mount without a directory begins: swap, of which fstab(5) tells."""
_BIN = re.compile(r".*/s?bin/[^/]+")
_SYSTEM = re.compile(r"/(?:usr|bin|sbin|lib|etc|boot|root)")
"""As what `mount-over-system` judges most severely begins."""
_OF_FILES = (
    *(CauseType.FILE_ADDED, CauseType.FILE_CHANGED, CauseType.FILE_REMOVED, CauseType.BINARY_ADDED),
    CauseType.BINARY_CHANGED,
)
_ADDED_FILES = frozenset({CauseType.FILE_ADDED, CauseType.BINARY_ADDED})


def joined(mutations: Iterable[Mutation], evidence: Evidence) -> tuple[Mutation, ...]:
    """The same differences in as many mutations as there were acts, as far as that can be told."""
    found = Joined(mutations)
    for step in (_started, _running, _covered, _mounted, _beneath, _led):
        step(found)
    steps: tuple[Callable[[Joined, Evidence], None], ...] = (one_file, other_names, kept)
    for each in steps:
        each(found, evidence)
    return found.whole()


def _started(found: Joined) -> None:
    """What the command line of a new unit names and came with it."""
    for unit in found.of(CauseType.SERVICE_ADDED):
        for path in _named(unit):
            part = found.with_("file", path)
            if part is not None and part.cause.type in _ADDED_FILES and _is_whole(found, part, path):
                found.join(part, unit, f"with {part.cause.subject}")


def _named(unit: Mutation) -> Iterator[str]:
    rows = [item for item in unit.differences if item.kind == "service"]
    lines = [line for row in rows if isinstance(lines := value(row, "exec_start"), tuple) for line in lines]
    words = [word for line in lines if isinstance(line, str) for word in _BETWEEN.split(line)]
    for word in words[:_MOST_WORDS]:
        if match := _PATH.fullmatch(word):
            yield match[1]


def _is_whole(found: Joined, part: Mutation, path: str) -> bool:
    """Whether it is about this file, or the tree that it came in, not about many things of which this is one."""
    top = part.cause.subject
    return path == top or (path.startswith(f"{top}/") and found.with_("file", top) is part)


def _running(found: Joined) -> None:
    """Ports of a unit that was added, of a program that came, and of sshd's settings; and that the program runs."""
    for part in found.of(CauseType.LISTENER_OPENED, CauseType.PROCESS_FOREIGN):
        rows = [item for item in part.differences if item.kind in {"listen", "process"}]
        if any(item.change is not Change.ADDED for item in rows):
            continue
        sockets = [item for item in rows if item.kind == "listen"]
        whole = _unit_of(found, sockets) or _program_of(found, part) or _sshd_of(found, sockets, rows)
        if whole is not None:
            words = f"it listens on {and_more([item.key for item in sockets])}" if sockets else "it runs"
            found.join(part, whole, words)


def _unit_of(found: Joined, sockets: Sequence[Difference]) -> Mutation | None:
    """The new unit that all of these sockets belong to; those of systemd itself to the one new unit of a socket."""
    units = {text(item, "unit") for item in sockets}
    unit = units.pop() if len(units) == 1 else ""
    if unit and found.came("service", unit) and (whole := found.with_("service", unit)):
        return whole if whole.cause.type is CauseType.SERVICE_ADDED else None
    if not sockets or not all(_MANAGER.fullmatch(text(item, "process")) for item in sockets):
        return None
    new = [each for each in found.of(CauseType.SERVICE_ADDED) if any(map(_is_socket, each.differences))]
    return new[0] if len(new) == 1 else None


def _is_socket(item: Difference) -> bool:
    return item.kind == "service" and item.key.endswith(".socket") and item.change is Change.ADDED


def _program_of(found: Joined, part: Mutation) -> Mutation | None:
    """What came with the program that listens or runs."""
    program = part.cause.subject
    whole = found.with_("file", program) if found.came("file", program) else None
    if whole is None or whole.cause.type is CauseType.SERVICE_ADDED:
        return whole
    return whole if whole.cause.type is CauseType.BINARY_ADDED and _is_whole(found, whole, program) else None


def _sshd_of(found: Joined, sockets: Sequence[Difference], rows: Sequence[Difference]) -> Mutation | None:
    """The change of sshd's settings that names all of these ports."""
    if not sockets or len(sockets) != len(rows) or not all(_SSHD.fullmatch(text(row, "process")) for row in sockets):
        return None
    for name in _PORT_SETTINGS:
        row = found.get("sshd_setting", name)
        ports = set(re.findall(r"[0-9]+", str(value(row, "value")))) if row is not None else set()
        if ports.issuperset(str(value(socket, "port")) for socket in sockets):
            return found.with_("sshd_setting", name)
    return None


def _covered(found: Joined) -> None:
    """Sockets of which it can no longer be told who holds them, since something is mounted over a process."""
    mounts = [
        whole
        for whole in found.of(CauseType.MOUNT_CHANGED)
        if any(item.change is Change.ADDED and _PROCESS.fullmatch(item.key) for item in whole.differences)
    ]
    hidden = [
        part
        for part in (found.of(CauseType.LISTENER_OPENED) if mounts else ())
        if all(item.change is Change.MODIFIED and set(item.attributes) <= _HOLDER for item in part.differences)
    ]
    for part in hidden:
        keys = and_more([each.differences[0].key for each in hidden])
        found.join(part, mounts[0], f"it hides who holds {keys}" if part is hidden[0] else "")


def _mounted(found: Joined) -> None:
    """The directory that came for a mount, or the file that came as memory to swap to; what came to be mounted over
    directories of the system (mount(8), --bind)."""
    for whole in found.of(CauseType.MOUNT_CHANGED):
        for row in [item for item in whole.differences if item.kind == "mount"]:
            path = row.key.removeprefix(_SWAP)
            part = found.with_("file", path)
            item = single(part, Change.ADDED) if part is not None and part.cause.type is CauseType.FILE_ADDED else None
            fits = "regular" if row.key.startswith(_SWAP) else "directory"
            if part is not None and item is not None and text(item, "type") == fits:
                found.join(part, whole, f"with {path}")
            source = text(row, "root")
            shown = found.with_("file", source) if _SYSTEM.match(row.key) and found.came("file", source) else None
            if shown is not None and shown.cause.type in _ADDED_FILES and shown.cause.subject == source:
                found.join(shown, whole, f"{source} lies there now")


def _beneath(found: Joined) -> None:
    """What differs beneath a mount over directories of the system: it is what was mounted; the files of the image are
    still there."""
    mounts = {
        item.key: whole
        for whole in found.of(CauseType.MOUNT_CHANGED)
        for item in whole.differences
        if item.kind == "mount" and item.change is Change.ADDED and _SYSTEM.match(item.key)
    }
    for part in found.of(*_OF_FILES) if mounts else ():
        over = {_over(item.key, mounts) for item in part.differences if item.kind == "file"}
        whole = mounts[over.pop()] if len(over) == 1 and "" not in over else None
        if whole is not None and all(item.kind == "file" for item in part.differences):
            found.join(part, whole, f"{part.title} by it")


def _over(path: str, mounts: Collection[str]) -> str:
    """The mount at or above a path."""
    while path and path not in mounts:
        path = path.rpartition("/")[0]
    return path


def _led(found: Joined) -> None:
    """A link that came to what came, too; a command of a package of npm leads into it."""
    for part in found.of(*_ADDED_FILES):
        item = single(part, Change.ADDED)
        led = led_along(item) if item is not None else ""
        whole = found.with_("file", led) if led and found.came("file", led) else None
        if item is None or whole is None:
            continue
        of_package = whole.cause.type is CauseType.LANGUAGE_PACKAGE and _BIN.fullmatch(item.key)
        if of_package or whole.cause.type is part.cause.type:
            found.join(part, whole, f"{part.cause.subject} leads to it")
