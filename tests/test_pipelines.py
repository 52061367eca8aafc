"""The files in examples/pipelines: valid by the schemas of those who read them, and the shell in them run."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import hcl2
import pytest
from check_jsonschema.builtin_schemas import get_builtin_schema
from check_jsonschema.transforms import TRANSFORM_LIBRARY
from jsonschema import validators

from driftscan.manifests.files import read_manifest
from driftscan.yaml_strict import parse
from tests.cli.runner import environment
from tests.cli.test_cli_gate import DECLARED, install_curl, write
from tests.images import layouts

REPOSITORY = Path(__file__).resolve().parents[1]
FOLDER = REPOSITORY / "examples/pipelines"
GITHUB = parse((FOLDER / "github-actions.yml").read_text(), "github-actions.yml").data
GITLAB = parse((FOLDER / "gitlab-ci.yml").read_text(), "gitlab-ci.yml").data
JENKINS = (FOLDER / "Jenkinsfile").read_text()
with (FOLDER / "web.pkr.hcl").open() as _stream:
    PACKER = hcl2.load(_stream)
STEP = "bake-and-gate.sh"


@pytest.mark.parametrize(("name", "data"), [("github-workflows", GITHUB), ("gitlab-ci", GITLAB)])
def test_the_official_schema_accepts_the_file(name: str, data: Any) -> None:
    schema = get_builtin_schema(f"vendor.{name}")
    transform = TRANSFORM_LIBRARY.get(name)
    validator = validators.validator_for(schema)(schema)
    assert list(validator.iter_errors(transform(data) if transform else data)) == []


@pytest.mark.parametrize("name", ["github-workflows", "gitlab-ci"])
def test_the_official_schema_refuses_another_file(name: str) -> None:
    """So that the test above can fail."""
    schema = get_builtin_schema(f"vendor.{name}")
    data: Any = {"jobs": {"x": {"script": 3}}, "x": {"script": 3}}
    assert list(validators.validator_for(schema)(schema).iter_errors(data))


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository as the examples expect it, with the image that its build wrote, and the approved manifest."""
    tmp_path = tmp_path_factory.mktemp("built")
    root = tmp_path / "image"
    write(root, "etc/os-release", 'ID=debian\nVERSION_ID="12"\nIMAGE_ID=web\nIMAGE_VERSION=7\n')
    write(root, "etc/passwd", "root:x:0:0:root:/root:/bin/bash\n")
    write(root, "etc/group", "root:x:0:\n")
    install_curl(root, "7.1")
    place = tmp_path / "checkout"
    shutil.copytree(FOLDER, place / "pipelines")
    (place / "manifests").mkdir()
    (place / "changes.yaml").write_text(DECLARED)
    assert shell(place, f"driftscan bake rootfs:{root} -o manifests/approved.manifest").returncode == 0
    install_curl(root, "7.2")
    layout = layouts.of_tree(tmp_path / "layout", root)
    subprocess.run(["tar", "-C", layout, "-cf", place / "image.tar", "."], check=True)
    return place


@pytest.fixture
def checkout(built: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    return shutil.copytree(built, tmp_path / "checkout")


def shell(place: Path, text: str, extra: Mapping[str, str] | None = None) -> "subprocess.CompletedProcess[str]":
    """A step of a pipeline, with this driftscan as the one that is installed."""
    programs = place.parent / "programs"
    programs.mkdir(exist_ok=True)
    (programs / "driftscan").write_text(f'#!/bin/sh\nexec {sys.executable} -m driftscan "$@"\n')
    (programs / "driftscan").chmod(0o755)
    known = environment(place.parent / "home", **(extra or {}))
    known["PATH"] = f"{programs}:{os.environ['PATH']}"
    return subprocess.run(["sh", "-ec", text], cwd=place, env=known, capture_output=True, text=True, check=False)


def gate_steps() -> Iterator[Any]:
    github = GITHUB["jobs"]["image"]
    for step in github["steps"]:
        if STEP in step.get("run", ""):
            yield pytest.param(step["run"], github["env"], id="github")
    yield pytest.param(
        "\n".join(line for line in GITLAB["gate"]["script"] if "pip install" not in line),
        GITLAB["gate"]["variables"],
        id="gitlab",
    )
    for line in re.findall(r"sh '([^']*)'", JENKINS):
        if STEP in line:
            named = dict(re.findall(r"(DRIFTSCAN_\w+) = '([^']*)'", JENKINS))
            yield pytest.param(line, named, id="jenkins")


@pytest.mark.parametrize(("step", "variables"), list(gate_steps()))
def test_the_gate_of_a_pipeline_passes_a_declared_upgrade_and_bakes_it(
    checkout: Path, step: str, variables: dict[str, str]
) -> None:
    ran = shell(checkout, step, variables)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert json.loads((checkout / "out/gate.json").read_text())["verdict"] == "passed"
    assert "| `curl` | upgraded | `7.1` | `7.2` | security | `curl` |" in (checkout / "out/gate.md").read_text()
    assert read_manifest(checkout / "out/candidate.manifest").image.version == "7"


def test_the_gate_of_a_pipeline_fails_what_nobody_declared_and_still_reports(checkout: Path) -> None:
    (checkout / "changes.yaml").write_text("packages: []\n")
    step, variables = next(gate_steps()).values
    ran = shell(checkout, step, variables)
    assert ran.returncode == 1
    assert "not declared" in (checkout / "out/gate.md").read_text()
    assert not (checkout / "out/candidate.manifest").exists()
    summary = next(step for step in GITHUB["jobs"]["image"]["steps"] if "GITHUB_STEP_SUMMARY" in step.get("run", ""))
    assert summary["if"] == "always()"
    told = checkout / "summary.md"
    assert shell(checkout, summary["run"], {"GITHUB_STEP_SUMMARY": str(told)}).returncode == 0
    assert told.read_text() == (checkout / "out/gate.md").read_text()
    (checkout / "out/gate.md").write_text("x" * (1 << 20))
    told.unlink()
    assert shell(checkout, summary["run"], {"GITHUB_STEP_SUMMARY": str(told)}).returncode == 0
    assert told.stat().st_size < 1 << 20


def test_jenkins_runs_what_the_shell_can_read() -> None:
    lines = re.findall(r"^ *sh '([^']*)'$", JENKINS, re.MULTILINE)
    assert len(lines) == JENKINS.count("sh '")
    assert JENKINS.count("{") == JENKINS.count("}")
    for line in lines:
        subprocess.run(["sh", "-n", "-c", line], check=True)


def test_packer_bakes_from_the_instance_and_seals_the_manifest(checkout: Path) -> None:
    """The scripts that the template names, with what Packer gives them; what is asked of the instance is looked at."""
    (build,) = PACKER["build"]
    bake = next(block['"shell-local"'] for block in build["provisioner"] if '"shell-local"' in block)
    (chain,) = build["post-processors"]
    seal = next(block['"shell-local"'] for block in chain["post-processor"] if '"shell-local"' in block)
    names = {text.strip('"').partition("=")[0] for text in bake["environment_vars"]}
    script = (checkout / "pipelines" / bake["script"].strip('"')).read_text()
    assert names == set(re.findall(r"\$([A-Z]+)\b", script))
    asked = checkout / "asked"
    fake = 'driftscan() { (echo "$*"; stat -c %a "$4"; cat "$4"; echo "$DRIFTSCAN_STATE_DIR") >"$ASKED"; }\n'
    given = {"HOST": "h", "PORT": "22", "LOGIN": "admin", "VERSION": "8", "KEY": "-----BEGIN\nkey\n-----END"}
    ran = shell(checkout, fake + script, {**given, "ASKED": str(asked)})
    assert ran.returncode == 0, ran.stderr
    words, mode, *key, work = asked.read_text().splitlines()
    assert words.startswith("bake ssh://admin@h:22 --identity ")
    assert (mode, "\n".join(key)) == ("600", given["KEY"])
    assert not Path(work).exists()
    (checkout / "build").mkdir(exist_ok=True)
    shutil.copy(checkout / "manifests/approved.manifest", checkout / "build/web.manifest")
    (checkout / "packer-manifest.json").write_text(
        json.dumps({"builds": [{"artifact_id": "eu-west-1:ami-0abc", "packer_run_uuid": "r"}], "last_run_uuid": "r"})
    )
    ran = shell(checkout, (checkout / "pipelines" / seal["script"].strip('"')).read_text(), {"VERSION": "8"})
    assert ran.returncode == 0, ran.stderr
    assert read_manifest(checkout / "manifests/web-8.manifest").image.id == "ami-0abc"


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.sh")), ids=lambda path: path.name)
def test_scripts_can_be_read_and_run(path: Path) -> None:
    assert os.access(path, os.X_OK)
    subprocess.run(["sh", "-n", path], check=True)
