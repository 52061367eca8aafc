"""`driftscan --help` is as fast as an empty Python: it imports nothing that it does not need."""

import subprocess
import sys
from pathlib import Path

import pytest

from driftscan.manifests.files import write_manifest, write_snapshot
from driftscan.model.manifest import Manifest, Provenance
from driftscan.model.records import Records
from driftscan.model.snapshot import CollectorCoverage, CollectorStatus, ImageRef, Resources, Snapshot
from tests.cli.runner import environment

HEAVY = {
    "argparse",
    "dataclasses",
    "difflib",
    "enum",
    "importlib.metadata",
    "inspect",
    "json",
    "logging",
    "re",
    "typing",
}
LIBRARIES = {"boto3", "botocore", "cryptography", "deepdiff", "jsonschema", "paramiko", "tabulate", "yaml"}
LIBRARIES |= {"alembic", "jinja2", "psycopg", "sqlalchemy", "sqlite3"}


def _imported(home: Path, *argv: str, code: int = 0, bare: bool = True) -> set[str]:
    program = (
        "import sys; before = set(sys.modules); from driftscan.cli.main import main; code = main(sys.argv[1:]);"
        " sys.stderr.write(' '.join(sorted(set(sys.modules) - before))); sys.exit(code)"
    )
    # -S: site may import what it likes; only what driftscan asks for counts. Without it libraries can be imported.
    done = subprocess.run(
        [sys.executable, *(["-S"] if bare else []), "-c", program, *argv],
        env=environment(home),
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == code
    return set(done.stderr.split())


@pytest.mark.parametrize("argv", [["--help"], ["--version"], []])
def test_the_top_level_imports_next_to_nothing(home: Path, argv: list[str]) -> None:
    imported = _imported(home, *argv)
    assert "driftscan.cli.main" in imported
    assert not imported & HEAVY
    assert {name for name in imported if name.startswith("driftscan")} <= {
        "driftscan",
        "driftscan.cli",
        "driftscan.cli._commands",
        "driftscan.cli.main",
    }


@pytest.mark.parametrize("command", ["scan", "bake", "explain", "diff", "doctor", "policy lint", "inventory list"])
def test_the_help_of_a_command_imports_no_heavy_library(home: Path, command: str) -> None:
    imported = _imported(home, *command.split(), "--help")
    assert f"driftscan.cli.{command.partition(' ')[0]}" in imported
    assert not imported & LIBRARIES


def test_to_compare_two_manifests_needs_no_heavy_library(home: Path) -> None:
    table = Records(("/a",), (b'{"attributes":{},"key":"/a","kind":"file"}',))
    covers = (CollectorCoverage("files", 1, ("file",), CollectorStatus.COMPLETE, 1),)
    made = Provenance(baked_at="", tool="")
    for name, files in (("old", table), ("new", Records())):
        manifest = Manifest(image=ImageRef(), provenance=made, resources=Resources({}, files), coverage=covers)
        write_manifest(manifest, home / name)
    imported = _imported(home, "diff", f"manifest:{home}/old", f"manifest:{home}/new", "-o", "json", code=1)
    assert not imported & (LIBRARIES | {"importlib.metadata"})
    assert not {name for name in imported if name.startswith(("driftscan.policy", "driftscan.capture"))}


def test_to_judge_recordings_of_the_past_needs_no_database(home: Path) -> None:
    covers = (CollectorCoverage("mounts", 1, ("mount",), CollectorStatus.COMPLETE),)
    taken = Snapshot(host="a", target="a", taken_at="", resources=Resources(), coverage=covers)
    write_snapshot(taken, home / "a.snapshot")
    imported = _imported(home, "scan", f"snapshot:{home}/*.snapshot", "-p", "access", code=3, bare=False)
    assert "driftscan.scan.host" in imported
    assert not imported & {"alembic", "boto3", "paramiko", "psycopg", "sqlalchemy", "sqlite3"}
