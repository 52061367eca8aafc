"""Several hosts of one image in one scan, and in scans one after the other: what each is told of the others."""

import json
import shutil
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from driftscan.cli.main import main
from driftscan.errors import HostError
from driftscan.manifests.files import read_snapshot, write_manifest, write_snapshot
from driftscan.model.cohort import CohortClass
from driftscan.model.finding import Action, CureCause, JudgedMutation, Severity, Verdict
from driftscan.model.host import Host
from driftscan.model.result import HostResult
from driftscan.model.snapshot import ImageRef, Resources
from driftscan.model.source import Gap, Status
from driftscan.reports._build import report
from driftscan.reports._read import schema
from driftscan.scan import fleet, host
from driftscan.scan.bake import bake
from driftscan.scan.host import Job
from driftscan.scan.host import snapshot as take
from driftscan.scan.judgement import Assessment
from driftscan.scan.options import ScanOptions
from driftscan.scan.progress import Progress, Silent
from driftscan.scan.targets import Target, resolve
from driftscan.schema_check import problems

MOTD, TOOL = "etc/motd", "usr/bin/tool"


class Fleet:
    """Copies of one image, and scans of them that share a state directory."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.image = place / "image"
        for path, text in {
            "etc/os-release": 'ID=debian\nVERSION_ID="12"\n',
            "etc/passwd": "root:x:0:0:root:/root:/bin/bash\n",
            "etc/group": "root:x:0:\n",
            MOTD: "hello\n",
            "etc/ssh/ssh_config": "\n",
            "usr/bin/true": "",
            "var/lib/dpkg/status": "",
        }.items():
            self.write(self.image, path, text)
        for folder in (place, self.image, self.image / "etc"):
            folder.chmod(0o755)
        self.manifest = place / "web.manifest"
        self.bake()
        self.targets: dict[str, Target] = {}

    def bake(self) -> None:
        found = resolve([f"rootfs:{self.image}"], ())
        baked = bake(found, image=ImageRef("web", "7"), zones="", options=ScanOptions(), progress=Silent())
        write_manifest(baked.manifest, self.manifest)

    @staticmethod
    def write(root: Path, path: str, text: str, mode: int = 0o644) -> None:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
        (root / path).chmod(mode)

    def launch(self, name: str, machine: str = "", **labels: str) -> Path:
        """A new machine of that name, in the place of one that was there."""
        root = self.place / "hosts" / name
        shutil.rmtree(root, ignore_errors=True)
        shutil.copytree(self.image, root)
        serial = machine or f"{name}-1"
        self.write(root, "etc/machine-id", f"{serial}\n")
        self.write(root, "etc/ssh/ssh_host_ed25519_key", f"key of {serial}\n", 0o600)
        (target,) = resolve([f"rootfs:{root}"], ())
        self.targets[name] = replace(target, name=name, host=Host(name=name, address=name, labels=labels))
        return root

    def scan(self, *, keep: bool = True, targets: list[Target] | None = None) -> dict[str, HostResult]:
        options = ScanOptions(manifest=str(self.manifest), state_dir=self.place / "state" if keep else None)
        found = targets if targets is not None else list(self.targets.values())
        result = fleet.scan(found, options, Silent(), threading.Event())
        assert not problems(json.loads(json.dumps(report(result))), schema())
        return {each.host: each for each in result.hosts}


@pytest.fixture
def servers(tmp_path: Path) -> Fleet:
    return Fleet(tmp_path)


def about(result: HostResult, path: str) -> JudgedMutation:
    (found,) = [each for each in result.mutations if any(item.key == f"/{path}" for item in each.mutation.differences)]
    return found


def four(servers: Fleet, **labels: tuple[str, str, str, str]) -> dict[str, Path]:
    return {
        f"web-{number}": servers.launch(f"web-{number}", **{name: each[number] for name, each in labels.items()})
        for number in range(4)
    }


def test_one_server_is_told_to_be_alone(servers: Fleet) -> None:
    servers.write(four(servers)["web-2"], MOTD, "owned\n")
    found = servers.scan()
    cohort = about(found["web-2"], MOTD).cohort
    assert cohort is not None
    assert (cohort.kind, cohort.hosts, cohort.of) == (CohortClass.ONE, 1, 4)
    told = found["web-2"].recommendation
    assert "(on this host alone of 4 scanned hosts of this image)" in told.sentence
    assert (told.action, told.cure.cause) == (Action.REPLACE, CureCause.HOST)


def test_a_zone_that_sets_them_apart_is_named(servers: Fleet) -> None:
    roots = four(servers, az=("a", "b", "b", "a"))
    for name in ("web-1", "web-2"):
        servers.write(roots[name], MOTD, "owned\n")
    found = servers.scan()
    cohort = about(found["web-1"], MOTD).cohort
    assert cohort is not None
    assert (cohort.kind, [str(each) for each in cohort.by]) == (CohortClass.SOME, ["az b"])
    assert found["web-1"].recommendation.cure.replacement_cures is None


def test_all_and_so_at_the_first_scan_is_the_image(servers: Fleet) -> None:
    for root in four(servers).values():
        servers.write(root, MOTD, "welcome\n")
    for found in (servers.scan(), servers.scan()):
        host = found["web-0"]
        cohort = about(host, MOTD).cohort
        assert cohort is not None
        assert cohort.kind is CohortClass.ALL_AT_FIRST
        assert about(host, MOTD).action is host.recommendation.action is Action.REBAKE
        assert (host.recommendation.cure.replacement_cures, host.recommendation.cure.cause) == (False, CureCause.IMAGE)
        assert host.recommendation.because == (about(host, MOTD).mutation.id,)


def test_all_that_were_clean_is_an_incident_and_no_pardon(servers: Fleet) -> None:
    roots = four(servers)
    assert {each.verdict for each in servers.scan().values()} == {Verdict.CLEAN}
    for root in roots.values():
        servers.write(root, MOTD, "changed\n")
        servers.write(root, TOOL, "#!/bin/sh\n", 0o755)
    host = servers.scan()["web-3"]
    for path in (MOTD, TOOL):
        cohort = about(host, path).cohort
        assert cohort is not None
        assert (cohort.kind, cohort.later) == (CohortClass.ALL_LATER, 4)
    assert about(host, MOTD).action is Action.REPLACE
    assert (about(host, TOOL).severity, about(host, TOOL).action) == (Severity.CRITICAL, Action.QUARANTINE)
    assert "find first what changed all hosts of this image" in host.recommendation.sentence
    assert (host.verdict, host.recommendation.cure.cause) == (Verdict.FINDINGS, CureCause.UNKNOWN)


def test_an_executable_on_all_from_the_beginning_stays_critical(servers: Fleet) -> None:
    for root in four(servers).values():
        servers.write(root, TOOL, "#!/bin/sh\n", 0o755)
    found = about(servers.scan()["web-0"], TOOL)
    assert (found.severity, found.action) == (Severity.CRITICAL, Action.QUARANTINE)


def test_other_content_is_told_apart(servers: Fleet) -> None:
    roots = four(servers)
    for root in roots.values():
        servers.write(root, MOTD, "welcome\n")
    servers.write(roots["web-1"], MOTD, "owned\n")
    found = servers.scan()
    odd, other = about(found["web-1"], MOTD), about(found["web-2"], MOTD)
    assert odd.mutation.id == other.mutation.id
    assert odd.cohort is not None
    assert other.cohort is not None
    assert (odd.cohort.kind, odd.cohort.otherwise) == (CohortClass.ONE, 3)
    assert (other.cohort.kind, other.cohort.hosts, other.cohort.otherwise) == (CohortClass.SOME, 3, 1)
    assert other.action is Action.REPLACE


def test_where_nothing_is_kept_it_is_not_known_since_when(servers: Fleet) -> None:
    for root in four(servers).values():
        servers.write(root, MOTD, "welcome\n")
    found = about(servers.scan(keep=False)["web-0"], MOTD)
    assert found.cohort is not None
    assert (found.cohort.kind, found.action) == (CohortClass.ALL, Action.REPLACE)


def test_two_hosts_say_nothing(servers: Fleet) -> None:
    for name in ("web-0", "web-1"):
        servers.write(servers.launch(name), MOTD, "owned\n")
    assert about(servers.scan()["web-0"], MOTD).cohort is None


def test_hosts_that_were_not_reached_or_not_settled_do_not_count(
    servers: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    for root in four(servers).values():
        servers.write(root, MOTD, "welcome\n")
    servers.launch("gone")
    servers.launch("booting")

    def scan_host(job: Job, target: Target, progress: Progress) -> Assessment:
        if target.name == "gone":
            raise HostError("unreachable", "no answer")
        found = host.scan_host(job, target, progress)
        return replace(found, settled=False) if target.name == "booting" else found

    monkeypatch.setattr(fleet, "scan_host", scan_host)
    found = servers.scan()
    assert (found["gone"].verdict, found["booting"].verdict) == (Verdict.UNREACHABLE, Verdict.SETTLING)
    cohort = about(found["web-0"], MOTD).cohort
    assert cohort is not None
    assert (cohort.kind, cohort.of, cohort.unsure) == (CohortClass.ALL_AT_FIRST, 4, 0)


def test_hosts_of_another_image_are_another_cohort(servers: Fleet) -> None:
    roots = four(servers)
    for root in roots.values():
        servers.write(root, MOTD, "welcome\n")
    snapshots = [
        replace(target, name=f"old-{number}")
        for number, target in enumerate(stored(servers, [servers.targets[name] for name in ("web-0", "web-1")]))
    ]
    servers.write(servers.image, "etc/issue", "2\n")
    elsewhere = servers.place / "other.manifest"
    servers.manifest, first = elsewhere, servers.manifest
    servers.bake()
    other = [replace(each, host=Host(name=each.name, address="", manifest=str(elsewhere))) for each in snapshots]
    own = [
        replace(each, host=Host(name=each.name, address="", manifest=str(first))) for each in servers.targets.values()
    ]
    options = ScanOptions(state_dir=servers.place / "state")
    result = fleet.scan([*own, *other], options, Silent(), threading.Event())
    found = {each.host: each for each in result.hosts}
    cohort = about(found["web-0"], MOTD).cohort
    assert cohort is not None
    assert cohort.of == 4
    assert about(found["old-0"], MOTD).cohort is None


def stored(servers: Fleet, targets: list[Target]) -> Iterator[Target]:
    for target in targets:
        path = servers.place / f"{target.name}.snapshot"
        write_snapshot(take(target, ScanOptions()), path)
        yield resolve([f"snapshot:{path}"], ())[0]


def test_snapshots_are_compared_too(servers: Fleet) -> None:
    servers.write(four(servers)["web-2"], MOTD, "owned\n")
    found = servers.scan(targets=list(stored(servers, list(servers.targets.values()))))
    (odd,) = [each for each in found.values() if each.mutations]
    cohort = about(odd, MOTD).cohort
    assert cohort is not None
    assert (cohort.kind, cohort.of) == (CohortClass.ONE, 4)


def test_an_incomplete_host_does_not_count_as_one_without_it(servers: Fleet) -> None:
    for name, root in four(servers).items():
        if name != "web-3":
            servers.write(root, MOTD, "welcome\n")
    (target,) = stored(servers, [servers.targets.pop("web-3")])
    taken = read_snapshot(Path(target.path))
    gap = Gap("users_groups", Status.FORBIDDEN, "permission denied", ("user",))
    small = {rid: each for rid, each in taken.resources.small.items() if rid[0] != "user"}
    coverage = tuple(replace(each, gaps=(gap,)) if "user" in each.kinds else each for each in taken.coverage)
    write_snapshot(
        replace(taken, resources=Resources(small, taken.resources.files), coverage=coverage), Path(target.path)
    )
    found = servers.scan(targets=[*servers.targets.values(), target])
    assert found[target.name].verdict is Verdict.INCOMPLETE
    cohort = about(found["web-0"], MOTD).cohort
    assert cohort is not None
    assert (cohort.kind, cohort.of, cohort.unsure) == (CohortClass.ALL_AT_FIRST, 3, 1)


def test_the_order_of_targets_changes_nothing(servers: Fleet) -> None:
    roots = four(servers)
    servers.write(roots["web-0"], MOTD, "a\n")
    servers.write(roots["web-1"], MOTD, "b\n")
    targets = list(servers.targets.values())
    there, back = servers.scan(keep=False, targets=targets), servers.scan(keep=False, targets=targets[::-1])
    assert {name: about(there[name], MOTD).cohort for name in ("web-0", "web-1")} == {
        name: about(back[name], MOTD).cohort for name in ("web-0", "web-1")
    }


def test_what_came_back_after_a_replacement(servers: Fleet) -> None:
    root = servers.launch("web-0")
    servers.scan()
    servers.write(root, MOTD, "patched\n")
    assert not about(servers.scan()["web-0"], MOTD).returned
    root = servers.launch("web-0", "another")
    assert servers.scan()["web-0"].mutations == ()
    servers.write(root, MOTD, "patched\n")
    servers.write(root, "etc/issue", "new\n")
    host = servers.scan()["web-0"]
    assert about(host, MOTD).returned
    assert not about(host, "etc/issue").returned
    assert (about(host, MOTD).action, about(host, "etc/issue").action) == (Action.REBAKE, Action.REPLACE)
    assert host.recommendation.cure.cause is CureCause.PIPELINE
    assert "back after this host was replaced" in host.recommendation.sentence


def test_what_stays_on_one_machine_did_not_come_back(servers: Fleet) -> None:
    root = servers.launch("web-0")
    servers.write(root, MOTD, "patched\n")
    servers.scan()
    servers.write(root, "etc/machine-id", "made anew\n")
    assert not about(servers.scan()["web-0"], MOTD).returned


def test_a_manifest_that_is_baked_again_proves_no_birth(servers: Fleet) -> None:
    roots = four(servers)
    servers.scan()
    for root in roots.values():
        servers.write(root, MOTD, "changed\n")
    servers.write(servers.image, "etc/hostname", "x\n")
    servers.bake()
    cohort = about(servers.scan()["web-0"], MOTD).cohort
    assert cohort is not None
    assert cohort.kind is CohortClass.ALL


def test_a_new_host_among_known_ones_acquits_the_image(servers: Fleet) -> None:
    """Its scan is full, those of the others are quick: the report of a mixed scan fits its schema."""
    for root in four(servers).values():
        servers.write(root, MOTD, "welcome\n")
    assert about(servers.scan()["web-0"], MOTD).action is Action.REBAKE
    servers.launch("web-9")
    found = servers.scan()
    cohort = about(found["web-0"], MOTD).cohort
    assert cohort is not None
    assert (cohort.kind, cohort.hosts, cohort.of) == (CohortClass.SOME, 4, 5)
    assert about(found["web-0"], MOTD).action is Action.REPLACE


def _forget_histories(place: Path) -> None:
    with closing(sqlite3.connect(place / "state/driftscan.sqlite3")) as connection, connection:
        connection.execute("DELETE FROM host_history")


def _damage_histories(place: Path) -> None:
    with closing(sqlite3.connect(place / "state/driftscan.sqlite3")) as connection, connection:
        connection.execute("UPDATE host_history SET seal = ''")


def _damage_all(place: Path) -> None:
    _damage_histories(place)
    with closing(sqlite3.connect(place / "state/driftscan.sqlite3")) as connection, connection:
        connection.execute("UPDATE host_state SET coverage = ''")


@pytest.mark.parametrize("lose", [_forget_histories, _damage_histories, _damage_all])
def test_a_history_that_is_lost_makes_no_birth(servers: Fleet, lose: Callable[[Path], None]) -> None:
    roots = four(servers)
    servers.scan()
    for root in roots.values():
        servers.write(root, MOTD, "changed\n")
    lose(servers.place)
    for _ in range(2):
        cohort = about(servers.scan()["web-0"], MOTD).cohort
        assert cohort is not None
        assert cohort.kind is CohortClass.ALL


def test_reports_and_explain_tell_it(
    servers: Fleet, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(servers.place))
    monkeypatch.setenv("COLUMNS", "200")
    servers.write(four(servers)["web-2"], MOTD, "owned\n")
    words = [each.spec for each in servers.targets.values()]
    paths = {name: servers.place / f"r.{name}" for name in ("json", "markdown")}
    reports = [f"--report={name}:{path}" for name, path in paths.items()]
    store = ["--store", str(servers.place / "kept")]
    assert main(["scan", *words, "-m", str(servers.manifest), *reports, *store]) == 1
    told = "n this host alone of 4 scanned hosts of this image"
    assert f"            O{told}" in capsys.readouterr().out
    assert f"\nO{told}\n" in paths["markdown"].read_text()
    hosts = json.loads(paths["json"].read_text())["hosts"]
    (mutation,) = [each for host in hosts for each in host["mutations"] if "motd" in each["title"]]
    assert mutation["cohort"] == {
        "class": "one", "hosts": 1, "of": 4, "otherwise": 0, "later": 0, "unsure": 0, "by": [], "sentence": f"o{told}"
    }  # fmt: skip
    assert mutation["returned"] is False
    assert main(["explain", mutation["id"], *store]) == 0
    assert f"how common      o{told}" in capsys.readouterr().out
