"""The hosts that the suite shares, raised once. Nothing here is skipped: what can't run fails."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

import pytest

from tests.fleet import servers
from tests.fleet.bed import machine
from tests.fleet.bed.host import Host
from tests.fleet.bed.settings import Settings, state_directory
from tests.fleet.bed.shell import locked
from tests.fleet.bed.testbed import Testbed
from tests.fleet.driver import Driftscan

# A bed of its own (test_bed.py uses the next one, too): a developer's hosts are left alone. Each worker of pytest-xdist
# has its own: most of the suite's time is waiting for hosts.
WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
SUITE_BED = int(os.environ.get("DRIFTSCAN_SUITE_BED", "90")) + 2 * WORKER
BAKED = ("baked-1", "baked-2", "baked-3")
CLEAN = ("clean-1", "clean-2", "clean-3", "clean-4", "clean-5")
DRIFTED = ("drifted", "altered", "crooked")


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt(f"signal {number}")


@pytest.fixture(scope="session")
def bed() -> Iterator[Testbed]:
    machine.prepare()
    testbed = Testbed(Settings(state_directory(), SUITE_BED))
    # A CI runner that gives up sends SIGTERM: the hosts must go then, too.
    before = signal.signal(signal.SIGTERM, _interrupt)
    # A second run of the suite, whatever its state directory, waits for the first to end: bridges,
    # namespaces and groups are the machine's.
    with locked(Path(f"/run/{testbed.settings.name}-suite.lock")):
        testbed.down()
        try:
            yield testbed
        finally:
            testbed.down()
            signal.signal(signal.SIGTERM, before)


@pytest.fixture(scope="session")
def fleet(bed: Testbed) -> dict[str, Host]:
    """Every shared host, straight after its first boot has settled."""
    return {host.name: host for host in bed.up([*BAKED, *CLEAN, *DRIFTED])}


@pytest.fixture(scope="session")
def spare(bed: Testbed) -> Host:
    """A host for what can't be done to the others. Who changes it bakes a manifest of it first, and sets it back."""
    return bed.up(["spare"])[0]


@pytest.fixture(scope="session")
def tiny(bed: Testbed) -> Host:
    """A host with busybox and dropbear alone."""
    return bed.up_busybox("tiny")


@pytest.fixture(scope="session")
def driftscan(bed: Testbed, tmp_path_factory: pytest.TempPathFactory) -> Driftscan:
    return Driftscan(bed, tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="session")
def inventory(driftscan: Driftscan, fleet: dict[str, Host]) -> Path:
    return driftscan.inventory("fleet.yaml", fleet.values())


@pytest.fixture(scope="session")
def manifest(driftscan: Driftscan, inventory: Path, bed: Testbed, fleet: dict[str, Host]) -> Path:
    """The manifest of the image, baked from three boots of it, each with a certificate for its own name, of which one
    has renewed its certificates."""
    bed.each([fleet[name] for name in BAKED], servers.certify)
    servers.renew(fleet[BAKED[0]])
    path = driftscan.home / "image.manifest"
    baked = driftscan.run("bake", *BAKED, "-i", str(inventory), "-o", str(path))
    assert baked.code == 0, f"exit status {baked.code}\n{baked.stdout}\n{baked.stderr}"
    assert path.is_file(), baked.stdout
    return path


@pytest.fixture(scope="session")
def scan_options(inventory: Path, manifest: Path) -> tuple[str, ...]:
    return ("-i", str(inventory), "-m", str(manifest))


@pytest.fixture
def clean_hosts(fleet: dict[str, Host]) -> list[Host]:
    return [fleet[name] for name in CLEAN]
