"""What figures rest on: the same tree everywhere, two walkers with the same records, judged goals, counted bytes."""

import hashlib
import os
import sys
from pathlib import Path

import pytest

from driftscan.transports.base import Channel, Ended, Login

sys.path.append(str(Path(__file__).parent.parent / "benchmarks"))  # programs, not a package
import counted
import measure
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
