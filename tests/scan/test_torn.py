"""A snapshot that mixes two states is looked at again, and torn if that does not help: never clean, never baked."""

import hashlib
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from driftscan.capture.base import Session, TargetFacts
from driftscan.collectors import packages_dpkg
from driftscan.errors import IncompleteError
from driftscan.manifests.files import read_snapshot, write_snapshot
from driftscan.model.snapshot import ImageRef, Snapshot
from driftscan.model.source import Capture, Captures, Source, Status, Tree
from driftscan.policy.verdict import verdict
from driftscan.scan import bake as baking
from driftscan.scan import observe, torn
from driftscan.scan.facts import Memory
from driftscan.scan.observe import ATTEMPTS, Observation
from driftscan.scan.options import ScanOptions
from driftscan.scan.progress import Silent
from driftscan.scan.targets import Target
from tests.compare import building

DPKG = packages_dpkg.STATUS
LOCK = torn.LOCKS.paths[0]
HERE = Target("local", "here", "local")
CALM = b"f 0644 0 0 1 1 5 6 7 8 - - -\0/a\0\0\0"
RACED = b"f 0644 0 0 1 1 5 6 7 8 !raced - -\0/a\0\0\0"


def package(version: int) -> bytes:
    return b"Package: a\nStatus: install ok installed\nArchitecture: all\nVersion: %d\n\n" % version


@dataclass
class Machine:
    """A running target. Each look at the locks, at dpkg's database, at the tree takes the next of what is given of it,
    the last one again and again; a status stands for what cannot be seen. All else is absent."""

    locks: Iterable[bytes | Status] = (b"",)
    database: Iterable[bytes | Status] = (package(1),)
    trees: Iterable[bytes] = (CALM,)
    converses: bool = True
    facts: TargetFacts = TargetFacts(live=True, privileged=True, hostname="h")
    looks: int = 0
    _turns: dict[object, Iterator[bytes | Status]] = field(default_factory=dict)
    _last: dict[object, bytes | Status] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._turns = {torn.LOCKS: iter(self.locks), DPKG: iter(self.database), Tree: iter(self.trees)}

    def ask(self, sources: Sequence[Source], known: Mapping[Source, str] | None = None) -> Captures:
        self.looks += any(isinstance(source, Tree) for source in sources)
        return Captures([self._answer(source, (known or {}).get(source)) for source in dict.fromkeys(sources)])

    def close(self) -> None:
        """Nothing runs."""

    def _answer(self, source: Source, known: str | None) -> Capture:
        what = Tree if isinstance(source, Tree) else source
        if what not in self._turns:
            return Capture(source, Status.ABSENT, digest="none")
        found = self._last[what] = next(self._turns[what], self._last.get(what, b""))
        if isinstance(found, Status):
            return Capture(source, found, digest="" if found is Status.FAILED else found)
        digest = hashlib.sha256(found).hexdigest()
        if digest == known:
            return Capture(source, Status.OK, digest=digest, same=True)
        return Capture(source, Status.OK, found, digest=digest)


def before(machine: Session) -> Captures:
    return machine.ask(torn.SOURCES)


@pytest.mark.parametrize(
    ("machine", "reasons"),
    [
        (Machine(), ()),
        (Machine(database=[package(1), package(2)]), ("/var/lib/dpkg/status changed while the tree was read",)),
        (Machine(database=[Status.ABSENT, package(1)]), ("/var/lib/dpkg/status changed while the tree was read",)),
        (Machine(database=[package(1), Status.ABSENT]), ("/var/lib/dpkg/status changed while the tree was read",)),
        (Machine(locks=[LOCK.encode(), b""]), (f"{LOCK} was held: a package manager is at work",)),
        (Machine(locks=[b"", LOCK.encode()]), (f"{LOCK} was held: a package manager is at work",)),
        (Machine(locks=[LOCK.encode()]), (f"{LOCK} was held: a package manager is at work",)),
        (
            Machine(database=[package(1), Status.FAILED]),
            ("not looked at again after the tree was read: /var/lib/dpkg/status",),
        ),
        (
            Machine(locks=[b"", Status.TIMED_OUT]),
            (f"not looked at again after the tree was read: locks on {LOCK} ...",),
        ),
        # What could never be seen is a gap of its own, where it hides anything, and tells nothing of two states.
        (Machine(database=[Status.FORBIDDEN], locks=[Status.UNSUPPORTED]), ()),
    ],
)
def test_what_tells_that_a_package_manager_was_at_work(machine: Machine, reasons: tuple[str, ...]) -> None:
    assert torn.disturbed(before(machine), machine) == reasons


def test_the_wait_is_for_the_lock_and_no_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torn, "PATIENCE", 3600)
    pauses: list[float] = []

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        assert len(pauses) < 9, "it waits without end"

    torn.wait(Machine(locks=[LOCK.encode(), LOCK.encode(), b""]), time.monotonic() + 60, pause)
    assert pauses == [torn.PAUSE] * 2
    torn.wait(Machine(locks=[LOCK.encode()]), time.monotonic() - 1, pause)
    assert pauses == [torn.PAUSE] * 2, "not beyond the deadline"


def looked(machine: Machine, seconds: float = 60) -> Snapshot:
    seen = Observation(HERE, machine, Memory(), time.monotonic() + seconds)
    seen.ask()
    return seen.snapshot(())


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torn, "PATIENCE", 0)


def version(taken: Snapshot) -> object:
    found = taken.resources.get("package", "a/all")
    return found.attributes["version"] if found else None


def test_a_calm_target_is_looked_at_once() -> None:
    machine = Machine()
    assert (looked(machine).torn, machine.looks) == ((), 1)


def test_what_a_package_manager_changed_is_looked_at_again_as_a_whole() -> None:
    machine = Machine(database=[package(1), package(2)], trees=[CALM, CALM.replace(b"/a", b"/b")])
    taken = looked(machine)
    assert (taken.torn, machine.looks) == ((), 2)
    assert version(taken) == "2"
    assert tuple(taken.resources.files.keys) == ("/b",)


def test_a_lock_that_is_let_go_is_waited_for() -> None:
    machine = Machine(locks=[b"", LOCK.encode(), b""])
    assert (looked(machine).torn, machine.looks) == ((), 2)


def test_what_never_calms_down_is_torn() -> None:
    machine = Machine(database=map(package, range(99)))
    taken = looked(machine)
    assert machine.looks == ATTEMPTS
    assert taken.torn == ("/var/lib/dpkg/status changed while the tree was read",)


def test_what_was_seen_is_kept_when_time_is_up() -> None:
    """A look beyond the deadline would see nothing, and put that in its place."""
    machine = Machine(database=[package(1), package(2), Status.TIMED_OUT])
    taken = looked(machine, seconds=-1)
    assert (machine.looks, version(taken)) == (1, "1")
    assert taken.torn


def test_a_listed_file_that_changes_while_it_is_read_is_told_and_not_retried() -> None:
    """It was read twice already; to list a whole tree again for it would take long and help little."""
    machine = Machine(trees=[RACED])
    taken = looked(machine)
    assert (taken.torn, machine.looks) == (("/a changed while being read",), 1)


def test_a_torn_snapshot_is_never_clean() -> None:
    assert verdict() == "clean"
    assert verdict(torn=looked(Machine(database=map(package, range(99)))).torn) == "incomplete"


def test_a_torn_snapshot_stays_so_in_a_file(tmp_path: Path) -> None:
    taken = looked(Machine(database=map(package, range(99))))
    write_snapshot(taken, tmp_path / "x.snapshot")
    assert read_snapshot(tmp_path / "x.snapshot").torn == taken.torn != ()


@pytest.mark.parametrize(
    ("machine", "reason"),
    [
        (Machine(database=map(package, range(99))), "/var/lib/dpkg/status changed"),
        (Machine(locks=[LOCK.encode()]), "was held"),
        (Machine(trees=[RACED]), "/a changed while being read"),
    ],
)
def test_a_torn_snapshot_is_not_baked(machine: Machine, reason: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(observe, "open_session", lambda target, options, recorder: machine)
    with pytest.raises(IncompleteError, match=f"here: the snapshot is torn: .*{reason}"):
        baking.bake([HERE], image=ImageRef(), zones="", options=ScanOptions(), progress=Silent())


def test_a_zoned_file_may_change_while_it_is_read() -> None:
    seen = Observation(HERE, Machine(trees=[RACED]), Memory(), time.monotonic() + 60)
    seen.ask()
    assert seen.snapshot((building.zone("/a", "free"),)).torn == ()
