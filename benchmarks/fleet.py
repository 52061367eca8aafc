"""Hosts of the project's test bed for a group of figures: raised, baked, scanned by the command line, and removed."""

import contextlib
import json
import os
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from measure import ROOT, Cost, LeftOutError, RefusedError, program, spend

from tests.fleet.bed import machine
from tests.fleet.bed.host import Host
from tests.fleet.bed.settings import Settings, state_directory
from tests.fleet.bed.shell import BedError
from tests.fleet.bed.testbed import Testbed

# 0: nothing found; 1: findings; 3: some host was not wholly scanned. Whoever needs clean hosts looks at verdicts.
_SCANNED = (0, 1)
_IDLE = 0.8
_PATIENCE = 300
"""Seconds to wait for that share of idle processors."""


@dataclass(frozen=True)
class Fleet:
    """Hosts, a scratch directory that is the scanner's home, an inventory of the hosts, and a manifest of their image
    that was baked from the first of them."""

    settings: Settings
    hosts: tuple[Host, ...]
    folder: Path

    @property
    def manifest(self) -> Path:
        """Baked from the first three hosts, or as many as there are."""
        return self.folder / "image.manifest"

    @property
    def environment(self) -> Mapping[str, str]:
        """The scanner's: no configuration, agent, keys or state of whoever measures."""
        emptied = dict.fromkeys(("SSH_AUTH_SOCK", "XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME"), "")
        return {**emptied, "HOME": str(self.folder)}

    def arguments(self, command: str, *words: str, store: str = "state") -> list[str]:
        """Arguments of driftscan. `store`: a directory of this fleet where a scan keeps what it knows of its hosts."""
        told = [command, *words, "-i", str(self.folder / "inventory.json")]
        if command == "scan":
            told += ["-m", str(self.manifest), "--store", str(self.folder / store)]
        return told

    def cost(self, command: str, *words: str, store: str = "state") -> Cost:
        """Run driftscan. RefusedError if it fails."""
        return spend(program(*self.arguments(command, *words, store=store)), ok=_SCANNED, settings=self.environment)

    def ssh(self, host: Host) -> list[str]:
        """OpenSSH that runs `true` on a host."""
        return ["ssh", "-F", str(self.settings.ssh_config), host.name, "true"]

    def verdicts(self, *words: str) -> dict[str, str]:
        """The verdict of each host of one scan."""
        return {host["host"]: host["verdict"] for host in self.report(*words)["hosts"]}

    def report(self, *words: str) -> dict[str, Any]:
        """The whole report of one scan."""
        command = program(*self.arguments("scan", *words, "-o", "json"))
        environment = {**os.environ, **self.environment}
        done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=ROOT, check=False)
        try:
            report: dict[str, Any] = json.loads(done.stdout)
        except ValueError:
            raise RefusedError(f"a scan gave no report: {done.stderr.strip()[-300:]}") from None
        return report


@contextlib.contextmanager
def raised(count: int, number: int, prepare: Callable[[Host], None] = lambda host: None) -> Iterator[Fleet]:
    """`count` hosts of bed `number`, baked; all is removed at the end. `prepare`: what the image has beyond the bed's.
    LeftOutError on a machine that can raise none, RefusedError when one that could does not."""
    try:
        machine.require()
    except BedError as missing:
        raise LeftOutError(str(missing)) from missing
    bed = Testbed(Settings(state_directory(), number))
    try:
        bed.down()  # what a killed run has left
        hosts = bed.up([f"h{index + 1}" for index in range(count)])
        with tempfile.TemporaryDirectory(prefix="driftscan-fleet-") as folder:
            fleet = Fleet(bed.settings, tuple(hosts), Path(folder))
            _write_inventory(fleet)
            for host in hosts:
                prepare(host)
            fleet.cost("bake", *(host.name for host in hosts[:3]), "-o", str(fleet.manifest))
            yield fleet
    except BedError as error:
        raise RefusedError(f"the test bed: {error}") from error
    finally:
        bed.down()


def _write_inventory(fleet: Fleet) -> None:
    defaults = {
        "user": "root",
        "identity": str(fleet.settings.key),
        "known_hosts": str(fleet.settings.known_hosts),
    }
    hosts = {host.name: {"address": host.address} for host in fleet.hosts}
    (fleet.folder / "inventory.json").write_text(json.dumps({"defaults": defaults, "hosts": hosts}))


def settled() -> str:
    """Wait until the machine has done with what raised hosts do at first, and say so; not for long, since what else
    it is doing may never end."""
    end = time.monotonic() + _PATIENCE
    idle = _idle_share()
    while idle < _IDLE and time.monotonic() < end:
        idle = _idle_share()
    return f"the processors were {idle:.0%} idle, load {os.getloadavg()[0]:.1f}"


def _idle_share() -> float:
    """The share of the processors that nobody used for three seconds (proc_stat(5))."""
    before = _processor_times()
    time.sleep(3)
    spent = [after - earlier for after, earlier in zip(_processor_times(), before, strict=True)]
    return (spent[3] + spent[4]) / max(1, sum(spent))


def _processor_times() -> list[int]:
    with open("/proc/stat", encoding="ascii") as statistics:
        return [int(word) for word in statistics.readline().split()[1:9]]
