"""A file system that never answers: nobody waits for it, and what lies behind it is said to be unseen."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.fleet.bed.host import Host
from tests.fleet.bed.shell import wait_for
from tests.fleet.driver import Driftscan, Json, Outcome, matching

# Collectors look for keys below it, and the walk comes to it.
POINT = "/home"
# A FUSE server that greets, and then takes requests without an answer: who waits for one can't be killed.
SERVER = """
import ctypes, os, struct, sys
handle = os.open("/dev/silent", os.O_RDWR)
os.unlink("/dev/silent")
options = b"fd=%d,rootmode=40000,user_id=0,group_id=0,allow_other" % handle
libc = ctypes.CDLL(None, use_errno=True)
if libc.mount(b"silent:/export", sys.argv[1].encode(), b"fuse.sshfs", 6, options):
    sys.exit(os.strerror(ctypes.get_errno()))
length, opcode, unique = struct.unpack_from("IIQ", os.read(handle, 1 << 20))
assert opcode == 26
answer = struct.pack("IIIIHHIIHHIIII", 7, 31, 0, 0, 8, 8, 4096, 1, 0, 0, 0, 0, 0, 0) + bytes(16)
os.write(handle, struct.pack("IiQ", 16 + len(answer), 0, unique) + answer)
while True:
    os.read(handle, 1 << 20)
"""


@pytest.fixture(scope="module")
def options(driftscan: Driftscan, spare: Host) -> tuple[str, ...]:
    """With a manifest of the host before the file system was mounted."""
    inventory = driftscan.inventory("hung.yaml", [spare], timeout=240)
    manifest = driftscan.home / "hung.manifest"
    baked = driftscan.run("bake", spare.name, "-i", str(inventory), "-o", str(manifest))
    assert baked.code == 0, baked.stderr
    return ("-i", str(inventory), "-m", str(manifest))


def mounted(host: Host) -> bool:
    return f" {POINT} fuse.sshfs " in host.must("cat", "/proc/self/mounts")


@pytest.fixture
def silent(spare: Host, options: tuple[str, ...]) -> Iterator[Host]:
    """The host with a mount over its homes that nobody serves."""
    assert options
    spare.must("mknod", "-m", "600", "/dev/silent", "c", "10", "229")
    spare.must("systemd-run", "--quiet", "--collect", "--unit=silent", "/usr/bin/python3", "-c", SERVER, POINT)
    wait_for("it is mounted", lambda: mounted(spare), 60)
    yield spare
    # With its server the file system is gone: who waits for it gets an error.
    spare.must("systemctl", "kill", "-s", "KILL", "silent.service")
    spare.must("umount", "--lazy", POINT)


def gaps(outcome: Outcome, name: str) -> list[Json]:
    found: list[Json] = outcome.host("spare")["coverage"]["collectors"][name]["gaps"]
    return found


@pytest.mark.parametrize("mode", ["--full", "--quick"])
def test_nobody_waits(driftscan: Driftscan, silent: Host, options: tuple[str, ...], mode: str) -> None:
    outcome = driftscan.scan(*options, mode)
    host = outcome.host(silent.name)
    assert "did not answer in time" not in str(host)
    assert host["coverage"]["files"]["hashed" if mode == "--full" else "seen"] > 1000
    assert matching(host, "mount", POINT, "added"), outcome.explain()
    # Unseen is not gone.
    for kind, key in (("file", f"{POINT}*"), ("authorized_key", "deploy/*")):
        assert matching(host, kind, key, "removed") == [], outcome.explain()
    unseen = str(host["errors"])
    assert f"file {POINT}/deploy" in unseen, unseen
    assert "authorized_key deploy/SHA256:" in unseen
    assert any("authorized_key" in gap["hides"] for gap in gaps(outcome, "authorized_keys"))
