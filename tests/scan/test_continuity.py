"""One scan after the other: what the next reads, and what is said when less is seen than before."""

import os
import sqlite3
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from driftscan.collectors import at
from driftscan.manifests.files import write_manifest
from driftscan.model.drift import CauseType
from driftscan.model.finding import Verdict
from driftscan.model.place import Place
from driftscan.model.resource import Resource
from driftscan.model.result import HostResult, Mode
from driftscan.model.snapshot import ImageRef
from driftscan.model.source import Captures, Gap, Status
from driftscan.model.state import Visit
from driftscan.scan import facts, fleet, parsing, program, torn
from driftscan.scan.audit import audit
from driftscan.scan.bake import bake
from driftscan.scan.continuity import States, name_of
from driftscan.scan.judgement import NO_LOGINS
from driftscan.scan.options import ScanOptions
from driftscan.scan.progress import Silent
from driftscan.scan.targets import Target, resolve
from driftscan.store import HostStates
from tests.scan.test_exchange import PATIENT


@dataclass
class Host:
    """A root file system, its manifest, and what scans of it keep."""

    root: Path
    manifest: Path
    state: Path

    @property
    def target(self) -> tuple[Target, ...]:
        return resolve([f"rootfs:{self.root}"], ())

    def bake(self, zones: str = "") -> None:
        baked = bake(self.target, image=ImageRef(), zones=zones, options=ScanOptions(), progress=Silent())
        write_manifest(baked.manifest, self.manifest)

    def scan(self, mode: str = "auto", zones: str = "") -> HostResult:
        options = ScanOptions(manifest=str(self.manifest), state_dir=self.state, mode=mode, zones=zones, cycle=600)
        (result,) = fleet.scan(self.target, options, Silent(), threading.Event()).hosts
        return result

    def kept(self, statement: str, *values: object) -> None:
        """Change what is kept of it."""
        connection = sqlite3.connect(self.state / "driftscan.sqlite3")
        assert connection.execute(statement, values).rowcount == 1
        connection.commit()
        connection.close()


@pytest.fixture
def host(tmp_path: Path) -> Host:
    root = tmp_path / "host"
    for path, text in {"etc/os-release": "ID=debian\n", "etc/motd": "hello\n", "usr/bin/a": "binary"}.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    found = Host(root, tmp_path / "web.manifest", tmp_path / "state")
    found.bake()
    return found


def causes(result: HostResult) -> set[str]:
    return {judged.mutation.cause.type for judged in result.mutations}


def fallen(result: HostResult) -> list[str]:
    every = (judged.mutation for judged in result.mutations if judged.mutation.cause.type is CauseType.COVERAGE_FELL)
    return [item.key for mutation in every for item in mutation.differences]


def test_the_first_scan_is_full_and_later_ones_are_quick(host: Host) -> None:
    first, second = host.scan(), host.scan()
    assert [each.verdict for each in (first, second)] == [Verdict.CLEAN] * 2
    assert [each.reading.mode for each in (first, second)] == [Mode.FULL, Mode.QUICK]
    assert second.reading.since == first.reading.since != ""
    assert (first.reading.probability, first.reading.within) == (1, 1)
    drawn = audit(b"whatever key", 1, 600)
    assert (second.reading.probability, second.reading.within) == (drawn.probability, 600)
    assert host.scan("full").reading.mode is Mode.FULL


def test_what_a_quick_scan_knew_it_tells_again(host: Host) -> None:
    (host.root / "usr/bin/a").unlink()
    (host.root / "etc/motd").write_text("owned\n")
    first, second = host.scan(), host.scan()
    assert second.reading.mode is Mode.QUICK
    assert causes(first) == causes(second) != set()
    assert second.accounting == first.accounting


def other_manifest(host: Host) -> None:
    (host.root / "etc/new").write_text("x")
    host.bake()


def torn_apart(host: Host) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torn, "disturbed", lambda before, session: ("dpkg ran",))
        patch.setattr(torn, "wait", lambda session, deadline: None)
        assert host.scan().verdict is Verdict.INCOMPLETE


def foreign_file(host: Host) -> None:
    for path in host.state.glob("driftscan.sqlite3*"):
        path.unlink()
    (host.state / "driftscan.sqlite3").write_bytes(b"no database " * 400)


LOSSES: dict[str, Callable[[Host], None]] = {
    "another manifest": other_manifest,
    "a torn scan": torn_apart,
    "a foreign file": foreign_file,
    "another format": lambda host: host.kept("UPDATE host_files SET format = 99"),
    "damaged records": lambda host: host.kept("UPDATE host_files SET told = ?", b"x"),
    "damaged keys": lambda host: host.kept("UPDATE host_files SET removed = ?", '["/etc/motd"]'),
    "damaged coverage": lambda host: host.kept("UPDATE host_state SET coverage = ?", "{"),
    "no state": lambda host: host.kept("DELETE FROM host_state"),
}


@pytest.mark.parametrize("loss", LOSSES)
def test_where_the_state_is_lost_everything_is_read(host: Host, loss: str) -> None:
    (host.root / "usr/bin/a").unlink()
    before = host.scan()
    assert host.scan().reading.mode is Mode.QUICK
    if loss != "another manifest":
        assert before.verdict is Verdict.FINDINGS
    (host.root / "usr/bin/a").write_text("binary")
    LOSSES[loss](host)
    again = host.scan()
    assert again.reading.mode is Mode.FULL
    assert again.reading.since >= before.reading.since
    assert again.verdict is Verdict.CLEAN
    if loss != "a foreign file":
        assert host.scan().reading.mode is Mode.QUICK, "and what it leaves is good again"


def test_other_zones_make_another_question(host: Host, tmp_path: Path) -> None:
    (host.root / "etc/motd").write_text("other\n")
    zones = tmp_path / "zones.yaml"
    zones.write_text("zones:\n- {pattern: /etc/motd, zone: free, reason: x}\n")
    host.scan()
    assert host.scan().verdict is Verdict.FINDINGS
    first, second = host.scan(zones=str(zones)), host.scan(zones=str(zones))
    assert [each.reading.mode for each in (first, second)] == [Mode.FULL, Mode.QUICK]
    assert [each.verdict for each in (first, second)] == [Verdict.CLEAN] * 2
    assert host.scan().verdict is Verdict.FINDINGS


@pytest.fixture
def blind(monkeypatch: pytest.MonkeyPatch) -> Callable[[bool], None]:
    """Whether jobs of at(1) cannot be looked for."""

    def failing(captures: Captures) -> Iterator[Resource | Gap]:
        yield Gap("at", Status.FORBIDDEN, "no rights", ("at",))

    everything = {**parsing.collectors(), "at": replace(at.collector, parse=failing, version=99)}

    def switch(on: bool) -> None:
        if not on:
            monkeypatch.undo()
            return
        monkeypatch.setattr(facts, "collectors", lambda: everything)
        monkeypatch.setattr(facts, "units", facts.units.__wrapped__)

    return switch


def test_coverage_that_falls_is_a_finding_until_it_is_back(host: Host, blind: Callable[[bool], None]) -> None:
    assert fallen(host.scan()) == []
    blind(True)
    for _ in range(2):
        result = host.scan()
        assert fallen(result) == ["at"]
        assert result.verdict is Verdict.FINDINGS
    blind(False)
    assert host.scan().verdict is Verdict.CLEAN


def test_the_first_scan_has_nothing_to_fall_from(host: Host, blind: Callable[[bool], None]) -> None:
    blind(True)
    first, second = host.scan(), host.scan()
    assert fallen(first) == fallen(second) == []
    assert first.verdict is Verdict.INCOMPLETE
    blind(False)
    assert fallen(host.scan()) == [], "more than before"
    blind(True)
    assert fallen(host.scan()) == ["at"]


def test_files_that_can_no_longer_be_read_are_a_finding(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where quick scans between did not try to: as when they are not of the last two seconds."""
    monkeypatch.setattr(program, "text", lambda: PATIENT)

    def hole(name: str) -> None:
        with (host.root / name).open("wb") as stream:
            os.truncate(stream.fileno(), 1 << 40)

    hole("always")
    first, quick = host.scan(), host.scan()
    assert fallen(first) == fallen(quick) == []
    assert quick.files.hashed + quick.files.stat_only == first.files.hashed, "some are read by chance (scan/audit.py)"
    assert quick.files.stat_only
    assert quick.files.over_limit == first.files.over_limit == 1
    hole("more")
    assert fallen(host.scan()) == ["files", "files read"]
    (host.root / "more").unlink()
    assert fallen(host.scan()) == []


def test_nothing_is_kept_without_a_directory(host: Host) -> None:
    options = ScanOptions(manifest=str(host.manifest))
    for _ in range(2):
        (result,) = fleet.scan(host.target, options, Silent(), threading.Event()).hosts
        assert result.reading.mode is Mode.FULL


def test_a_visit_of_a_scan_that_was_cut_off_is_kept_and_is_no_scan(host: Host) -> None:
    """The host's log tells of it; and the next scan is still the first."""
    (target,) = host.target
    states = States(Place(host.state))
    for start in (100, 100, 50, 300):
        states.visited(target, Visit(start, start + 10, "scan", "SHA256:x"))
    states.visited(target, Visit(900, 910, ""))  # this machine: there is no login
    known = states.load(target)
    states.close()
    assert known is not None
    assert [visit.start for visit in known.visits] == [100, 300]
    result = host.scan()
    assert result.reading.mode is Mode.FULL
    assert result.mutations == ()
    history = HostStates(Place(host.state)).history(name_of(target))
    assert history is not None
    assert history.young


def test_where_logins_are_not_looked_for_the_report_says_so(host: Host) -> None:
    for names, expected in ((("immutable-core",), False), (("immutable-core", "no-logins"), True)):
        options = ScanOptions(manifest=str(host.manifest), state_dir=host.state, policies=names)
        (result,) = fleet.scan(host.target, options, Silent(), threading.Event()).hosts
        assert (NO_LOGINS in result.notes) is expected
        assert result.verdict is Verdict.CLEAN
