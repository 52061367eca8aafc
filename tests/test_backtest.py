"""The commands of docs/backtest.md, as they stand there, on two servers and two policies."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.runner import REPOSITORY, environment
from tests.policy.support import HEAD

PAGE = (REPOSITORY / "docs/backtest.md").read_text()
COMMANDS = re.findall(r"^```sh\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
RULE = """
  - id: uids
    title: Ids are low
    over: user
    require: {uid: {lt: %d}}
    missing: pass
    severity: %s
    recommendation: observe
    why: w
"""


@pytest.mark.skipif(shutil.which("jq") is None, reason="the page's commands need jq")
def test_the_commands_of_the_page_find_what_a_new_policy_would_say(tmp_path: Path) -> None:
    for host, uid in (("web-1", 1000), ("web-2", 50)):
        etc = tmp_path / host / "etc"
        etc.mkdir(parents=True)
        (etc / "passwd").write_text(f"root:x:0:0:root:/root:/bin/bash\nu:x:{uid}:0::/:/bin/sh\n")
    head = HEAD + "rules:"
    (tmp_path / "old.yaml").write_text(head + RULE % (2000, "medium"))
    (tmp_path / "new.yaml").write_text(head + RULE % (1000, "high"))
    keeping, *others = COMMANDS
    assert "ssh://root@$host" in keeping
    _shell(tmp_path, keeping.replace("ssh://root@$host", "rootfs:$host"))
    output = _shell(tmp_path, "\n".join(others))
    assert (tmp_path / "only-old.txt").read_text() == ""
    (line,) = (tmp_path / "only-new.txt").read_text().splitlines()
    target, *rest, finding, title = line.split("\t")
    assert re.fullmatch(r"snapshot:history/[0-9-]+/web-1\.snapshot", target)
    assert (rest, finding[:2], title) == (["high", "observe"], "C-", "Ids are low")
    assert f"1 high\t{finding}\tIds are low" in output


def _shell(place: Path, text: str) -> str:
    program = f'driftscan() {{ {sys.executable} -m driftscan "$@"; }}\n'
    known = environment(place, HOSTS="web-1 web-2")
    argv = ["bash", "-e", "-o", "pipefail", "-c", program + text]
    ran = subprocess.run(argv, cwd=place, env=known, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout
