"""What figures rest on: the same tree everywhere, two walkers with the same records, judged goals, counted bytes,
and which finding belongs to which act."""

import hashlib
import os
import re
import sys
from pathlib import Path

import pytest

from driftscan import content
from driftscan.transports.base import Channel, Ended, Login
from driftscan.yaml_strict import load
from tests.fleet.audited import BREAKAGES

sys.path.append(str(Path(__file__).parent.parent / "benchmarks"))  # programs, not a package
import acts
import auditors
import counted
import measure
import tally
import trees
import walks

SMALL = trees.Shape(400, 3_000_000)


def _content(top: Path) -> dict[str, str]:
    files = (Path(folder, name) for folder, _, names in os.walk(top) for name in names)
    return {
        str(path.relative_to(top)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files
        if path.is_file() and not path.is_symlink()
    }


def test_a_tree_is_the_same_wherever_it_is_made(tmp_path: Path) -> None:
    for name in ("one", "two"):
        trees.make(tmp_path / name, SMALL)
    first = _content(tmp_path / "one")
    assert first == _content(tmp_path / "two")
    named = [name for name in first if os.path.basename(name).startswith("file-")]
    assert len(named) == SMALL.files
    size = sum((tmp_path / "one" / name).stat().st_size for name in named)
    assert size == pytest.approx(SMALL.size, rel=0.01)


def test_the_walker_in_c_gives_the_records_of_the_probe(tmp_path: Path) -> None:
    trees.make(tmp_path / "tree", SMALL)
    tops = [str(tmp_path / "tree")]
    peers = walks.Peers.of(tmp_path, tops)
    if walks.BOUND not in peers.commands:
        pytest.skip(" ".join(peers.left_out))
    command = peers.commands[walks.BOUND]
    (tmp_path / "tree/odd/-n").write_bytes(b"changed")
    walks.check(command, walks.full(tops))
    with pytest.raises(measure.RefusedError, match="records differ"):
        walks.check([*command[:-1], str(tmp_path / "tree/odd")], walks.full(tops))


@pytest.mark.parametrize(("cpu", "said"), [(1.5, "CPU <= 1.5: reached"), (1.4, "CPU <= 1.4: **missed**")])
def test_goals_are_judged_by_the_median_of_paired_ratios(cpu: float, said: str) -> None:
    ours = [measure.Cost(1, seconds) for seconds in (3, 1, 9)]
    theirs = [measure.Cost(1, seconds) for seconds in (2, 1, 1)]
    found = measure.row({"a": ours, "b": theirs}, "a", "b", cpu=cpu)
    assert found.cpu_ratio == 1.5
    assert found.goal == said


class _Channel:
    """See transports.base.Channel: answers three bytes for each read."""

    def write(self, data: bytes) -> None:
        """Nothing."""

    def read(self, deadline: float) -> bytes:
        """Three bytes."""
        return b"abc"

    def ended(self, deadline: float) -> Ended:
        """At once."""
        return Ended(0, b"")

    def end_input(self) -> None:
        """Nothing."""

    def close(self) -> None:
        """Nothing."""


class _Transport:
    """See transports.base.Transport."""

    elevated = True
    login = Login()

    def run(self, script: str, arguments: tuple[str, ...] = ()) -> Channel:
        """A channel."""
        return _Channel()

    def run_file(self, path: str) -> tuple[Channel, str]:
        """Not of this host."""
        raise NotImplementedError(path)

    def close(self) -> None:
        """Nothing."""


def test_bytes_are_counted_by_part() -> None:
    counts = counted.Counts()
    channel = counted.CountingTransport(_Transport(), counts).run("pr\u00f6gram", ("to",))
    channel.read(0)
    counts.rounds.append(counted.Round("Tree"))
    channel.write(b"question")
    assert channel.read(0) + channel.read(0) == b"abcabc"
    assert counts.program == 10
    assert counts.rounds == [counted.Round(counted.GREETING, 0, 3), counted.Round("Tree", 8, 6)]


USER = tally.Act("user", "useradd eve", ("/etc/passwd",), ("user eve",), ("/etc/*-",), ("useradd",))
NOTES = tally.Act("notes", "cp a /srv/notes", ("/srv/notes/*",), says=("cp a",))
PACKAGE = tally.Act("package", "apt", ("/bin/p",), ("package p/*",), package_files=frozenset({"/usr/share/p"}))
ACTS = (USER, NOTES, PACKAGE)


def test_a_finding_belongs_to_the_acts_that_it_names_then_to_the_one_it_follows_from() -> None:
    findings = [
        {"user eve", "file /etc/passwd-"},
        {"file /etc/passwd-"},  # follows
        {"file /usr/share/p"},  # follows, by the package's list
        {"file /srv/notes/a", "user eve"},  # two acts in one finding
        {"listen tcp/:1", "file /usr/share/q"},
    ]
    found = tally.tally(findings, ACTS)
    assert found.naming == {"user": [0, 3], "notes": [3], "package": []}
    assert found.following == {"user": [1], "notes": [], "package": [2]}
    assert (found.strays, found.merged, found.missed) == ([4], [3], ["package"])
    assert found.of(USER) == (0, 3, 1)


def test_a_tool_of_files_has_to_name_the_files_of_an_act() -> None:
    entries = [{"file /etc/passwd"}, {"file /bin/p"}]
    assert tally.tally(entries, ACTS, lambda act: act.files).missed == ["notes"]
    assert tally.tally(entries, ACTS).missed == ["user", "notes", "package"]  # whoever can say more has to


@pytest.mark.parametrize(
    ("given", "judged"),
    [
        ([], tally.NOBODY),
        ([("alice", "/usr/sbin/useradd eve")], tally.RIGHT),
        ([("alice", "/usr/bin/vim /etc/passwd")], tally.OTHER_COMMAND),
        ([("alice", None)], tally.OTHER_COMMAND),
        ([(None, None)], tally.NOBODY),
        ([("root", "/usr/sbin/useradd eve")], tally.OTHER_ACTOR),
        ([("alice", "useradd"), (None, None)], tally.NOBODY),  # the worst of them
        ([(None, None), ("bob", "useradd"), ("alice", "useradd")], tally.OTHER_ACTOR),
    ],
)
def test_an_act_is_attributed_if_all_that_names_it_is(given: list[tuple[str | None, str | None]], judged: str) -> None:
    assert tally.judge(USER, "alice", [{"actor": actor, "command": command} for actor, command in given]) == judged


def test_acts_are_told_apart_before_anything_is_measured() -> None:
    """Each has a name of its own and a command to be known by; none expects what another does, but for a file that
    several write."""
    assert len({act.name for act in acts.ACTS}) == len(acts.ACTS) == 30
    assert all(act.says and act.resources for act in acts.ACTS)
    resources = [resource for act in acts.ACTS for resource in act.resources]
    shared = {each for each in resources if resources.count(each) > 1}
    assert not shared, shared


def test_checks_that_are_held_against_others_are_there() -> None:
    table = load(auditors.TABLE).data
    text = "\n".join(path.read_text() for path in content.folder().glob("*/*.yaml"))
    named = {breakage.name: set(breakage.fails) for breakage in BREAKAGES}
    used = {row["rule"] for row in table["same"]}.union(*named.values())
    assert used <= set(re.findall(r"^  - id: (\S+)$", text, re.MULTILINE))
    assert set(table["breakages"]) <= named.keys()
