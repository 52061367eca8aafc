"""The bed's network: one bridge, and for each host a namespace with one link into it.

No route leads out of it; the only thing hosts reach is apt's proxy on the bridge."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.fleet.bed import cgroups
from tests.fleet.bed.machine import archive
from tests.fleet.bed.settings import PROXY_ADDRESS, PROXY_PORT, Settings
from tests.fleet.bed.shell import BedError, attempt, run, wait_for


def proxy_url() -> str:
    return f"http://{PROXY_ADDRESS}:{PROXY_PORT}"


def raise_bridge(settings: Settings) -> None:
    bridge = settings.name
    if attempt("ip", "link", "show", bridge).returncode:
        run("ip", "link", "add", bridge, "type", "bridge")
        run("ip", "address", "add", f"{settings.gateway}/24", "dev", bridge)
        run("ip", "address", "add", f"{PROXY_ADDRESS}/32", "dev", bridge)
        run("ip", "link", "set", bridge, "up")
    group = f"{bridge}/proxy"
    if not cgroups.members(group):
        log = settings.directory / "proxy.log"
        program = Path(__file__).with_name("aptproxy.py")
        cache = settings.state / "packages"
        command = [sys.executable, str(program), bridge, PROXY_ADDRESS, str(PROXY_PORT),
                   str(cache), archive()]  # fmt: skip
        cgroups.spawn(group, command, log)
        wait_for("apt's proxy listens", lambda: _listens(settings), 300)


def _listens(settings: Settings) -> bool:
    wanted = f"{PROXY_ADDRESS}%{settings.name}:{PROXY_PORT}"
    return wanted in run("ss", "-ltnH")


def drop_bridge(settings: Settings) -> None:
    cgroups.reap(f"{settings.name}/proxy")
    if attempt("ip", "link", "show", settings.name).returncode == 0:
        run("ip", "link", "delete", settings.name)


def namespace(settings: Settings, host: str) -> str:
    return f"{settings.name}-{host}"


def connect(settings: Settings, host: str, last: int) -> None:
    """A fresh namespace whose eth0 has the host's address."""
    inside = namespace(settings, host)
    outside = f"dsb{settings.number}-{last}"
    # The address stays the same over restarts, so that no neighbour keeps a stale entry.
    mac = f"02:d5:00:00:{settings.number:02x}:{last:02x}"
    run("ip", "netns", "add", inside)
    run("ip", "link", "add", outside, "type", "veth",
        "peer", "name", "eth0", "address", mac, "netns", inside)  # fmt: skip
    run("ip", "link", "set", outside, "master", settings.name, "up")
    run("ip", "-n", inside, "link", "set", "lo", "up")
    run("ip", "-n", inside, "address", "add", f"{settings.address(last)}/24", "dev", "eth0")
    run("ip", "-n", inside, "link", "set", "eth0", "up")
    run("ip", "-n", inside, "route", "add", "default", "via", settings.gateway)


def disconnect(settings: Settings, host: str, last: int) -> None:
    inside = namespace(settings, host)
    if inside in namespaces(settings):
        run("ip", "netns", "delete", inside)
    # A namespace lives on while the kernel still tidies its last process: its link might too.
    attempt("ip", "link", "delete", f"dsb{settings.number}-{last}")


def namespaces(settings: Settings) -> set[str]:
    listed = attempt("ip", "netns", "list")
    if listed.returncode:
        raise BedError(f"ip netns list: {listed.stderr.strip()}")
    names = {line.split()[0] for line in listed.stdout.splitlines() if line}
    return {name for name in names if name.startswith(f"{settings.name}-")}
