"""Runs the command line in this process, or as a process of its own."""

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from driftscan.cli.main import main

REPOSITORY = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Ran:
    """What one run said."""

    code: int
    out: str
    err: str


def run(capsys: pytest.CaptureFixture[str], *argv: str) -> Ran:
    """In this process; standard output and error are no terminals."""
    capsys.readouterr()
    code = main(list(argv))
    said = capsys.readouterr()
    return Ran(code, said.out, said.err)


def environment(home: Path, **extra: str) -> dict[str, str]:
    """An environment in which nothing of this machine's user is seen."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("DRIFTSCAN_", "XDG_"))}
    return {**kept, "HOME": str(home), "PYTHONPATH": str(REPOSITORY), "NO_COLOR": "1", **extra}


def process(home: Path, *argv: str, extra: Mapping[str, str] | None = None) -> Ran:
    """As a process with its own home, in it."""
    done = subprocess.run(
        [sys.executable, "-m", "driftscan", *argv],
        cwd=home,
        env=environment(home, **(extra or {})),
        capture_output=True,
        stdin=subprocess.DEVNULL,
        timeout=600,
        check=False,
    )
    return Ran(done.returncode, done.stdout.decode(), done.stderr.decode())
