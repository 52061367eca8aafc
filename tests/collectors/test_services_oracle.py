"""Enabled states of units, against systemctl's own answers for the same root file system."""

import random
import shutil
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from driftscan.capture.live import open_rootfs
from driftscan.collectors import _unit_state
from driftscan.model import unit_files
from driftscan.model.unit_files import UnitFiles

SYSTEMCTL = shutil.which("systemctl")
pytestmark = pytest.mark.skipif(SYSTEMCTL is None, reason="there is no systemctl to compare with")

NAMES = ("a.service", "b.service", "foo-bar.service", "t@.service", "s.socket", "w.timer", "x.target")
INSTANCES = ("t@one.service", "t@two.service")
TOPS = ("etc/systemd/system", "usr/local/lib/systemd/system", "usr/lib/systemd/system", "run/systemd/system")


def systemctl(root: Path, *arguments: str) -> str:
    assert SYSTEMCTL is not None
    command = [SYSTEMCTL, f"--root={root}", "--no-pager", "--no-legend", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=600).stdout


def read(root: Path) -> UnitFiles:
    session = open_rootfs(str(root), time.monotonic() + 600)
    try:
        return unit_files.read(session.ask(unit_files.SOURCES))
    finally:
        session.close()


def states(files: UnitFiles) -> Mapping[str, str]:
    return {name: _unit_state.state(files, name) for name in files.units}


def listed(root: Path) -> Mapping[str, str]:
    rows = (line.split() for line in systemctl(root, "list-unit-files").splitlines())
    return {row[0]: row[1] for row in rows}


def test_this_machine(tmp_path: Path) -> None:
    if not any(Path("/usr/lib/systemd/system").glob("*.service")):
        pytest.skip("this machine has no units")
    for top in ("/etc/systemd", "/usr/lib/systemd/system", "/usr/local/lib/systemd/system"):
        if Path(top).is_dir():
            shutil.copytree(top, f"{tmp_path}{top}", symlinks=True)
    (tmp_path / "lib").symlink_to("usr/lib")
    assert states(read(tmp_path)) == listed(tmp_path)


@pytest.mark.parametrize("seed", range(25))
def test_random_roots(tmp_path: Path, seed: int) -> None:
    build(tmp_path, random.Random(seed))
    files = read(tmp_path)
    assert states(files) == listed(tmp_path)
    for name in INSTANCES:  # for what it calls bad in a list, `is-enabled` prints nothing
        expected = systemctl(tmp_path, "is-enabled", name).strip() or "bad"
        assert _unit_state.state(files, name) == expected, name


def build(root: Path, chance: random.Random) -> None:
    """A root with units, links, masks and drop-ins that contradict each other as such things do."""
    for top in (*TOPS, "dev"):
        (root / top).mkdir(parents=True)
    (root / "dev/null").touch()  # systemctl --root follows masks inside the root
    for name in NAMES:
        for top in chance.sample(TOPS, chance.choice((0, 1, 1, 1, 2))):
            MAKERS[chance.choice(("unit",) * 6 + ("mask", "empty", "alias", "linked"))](root / top / name, chance)
    for _ in range(chance.randrange(6)):
        wanted = chance.choice((*NAMES, *INSTANCES))
        parent = root / chance.choice(TOPS) / chance.choice(("multi-user.target.wants", "x.target.requires"))
        parent.mkdir(exist_ok=True)
        link(parent / wanted, f"/usr/lib/systemd/system/{_file_of(wanted)}")
    for _ in range(chance.randrange(8)):
        kind = chance.choice(("a.service", "foo-bar.service", "foo-.service", "t@.service", "t@one.service", "service"))
        parent = root / chance.choice(TOPS) / f"{kind}.d"
        parent.mkdir(exist_ok=True)
        drop_in = parent / chance.choice(("10-x.conf", "20-y.conf"))
        if chance.random() < 0.15:
            link(drop_in, "/dev/null")
        elif not drop_in.is_symlink():
            drop_in.write_text("[Service]\nNice=1\n" + chance.choice(("", "[Install]\nWantedBy=x.target\n")))


def _file_of(name: str) -> str:
    return "t@.service" if name in INSTANCES else name


def unit(path: Path, chance: random.Random) -> None:
    install = [
        line
        for line in ("WantedBy=multi-user.target", "Alias=other.service", "Also=b.service", "RequiredBy=x.target")
        if chance.random() < 0.3
    ]
    if "@" in path.name and chance.random() < 0.5:
        install.append("DefaultInstance=one")
    body = "ListenStream=/run/x" if path.suffix == ".socket" else "OnCalendar=daily"
    section = {".service": "[Service]\nExecStart=/bin/x", ".target": "[Unit]"}.get(
        path.suffix, f"[{path.suffix[1:].title()}]\n{body}"
    )
    path.write_text("\n".join([section, *(["[Install]", *install] if install else []), ""]))


def mask(path: Path, _: random.Random) -> None:
    link(path, "/dev/null")


def empty(path: Path, _: random.Random) -> None:
    path.write_text("")


def alias(path: Path, chance: random.Random) -> None:
    target = chance.choice(
        [name for name in NAMES if Path(name).suffix == path.suffix and ("@" in name) == ("@" in path.name)]
    )
    link(path, f"/usr/lib/systemd/system/{target}")


def linked(path: Path, chance: random.Random) -> None:
    """A unit file outside of the directories that systemd searches."""
    root = next(parent for parent in path.parents if (parent / "usr").is_dir() and parent.name != "usr")
    (root / "opt").mkdir(exist_ok=True)
    unit(root / "opt" / path.name, chance)
    link(path, f"/opt/{path.name}")


def link(path: Path, target: str) -> None:
    if not path.is_symlink() and not path.exists():
        path.symlink_to(target)


MAKERS: Mapping[str, Callable[[Path, random.Random], None]] = {
    "unit": unit, "mask": mask, "empty": empty, "alias": alias, "linked": linked,
}  # fmt: skip
