"""One host: an overlay copy of the base, booted by systemd-nspawn in its own network."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from pathlib import Path

from tests.fleet.bed import cgroups, network, overlay
from tests.fleet.bed.base import write_instance
from tests.fleet.bed.settings import Settings
from tests.fleet.bed.shell import ENVIRONMENT, BedError, attempt, wait_for

# nspawn ends with 133 when its host has asked for a reboot.
_LIFE = 'while :; do "$@"; rc=$?; [ $rc = 133 ] || exit $rc; done'
_SYSTEM_IS_UP = {"running", "degraded"}


class Host:
    """Made by Testbed, which alone gives out names and addresses."""

    def __init__(self, settings: Settings, name: str) -> None:
        self.settings = settings
        self.name = name
        self.place = settings.hosts / name
        self.root = self.place / "root"

    @property
    def last(self) -> int:
        """The last number of the host's address."""
        return int((self.place / "last").read_text())

    @property
    def address(self) -> str:
        return self.settings.address(self.last)

    @property
    def group(self) -> str:
        return f"{self.settings.name}/host-{self.name}"

    @property
    def log(self) -> Path:
        return self.place / "console.log"

    def create(self, base: Path, last: int) -> None:
        """A disk that has never booted."""
        self.place.mkdir(parents=True)
        (self.place / "last").write_text(str(last))
        overlay.mount(base, self.place, f"{self.settings.name}-{self.name}")
        write_instance(self.root, self.name)

    def start(self) -> None:
        if self.leader() is not None:
            return
        self.kill()
        network.connect(self.settings, self.name, self.last)
        namespace = network.namespace(self.settings, self.name)
        nspawn = [
            "systemd-nspawn", "--quiet", "--boot", "--register=no", "--keep-unit",
            f"--directory={self.root}", f"--machine={namespace}", f"--hostname={self.name}",
            f"--network-namespace-path=/run/netns/{namespace}", "--capability=CAP_NET_ADMIN",
            "--resolv-conf=off", "--timezone=off", "--link-journal=no", "--console=pipe",
        ]  # fmt: skip
        cgroups.spawn(self.group, ["/bin/sh", "-c", _LIFE, "life", *nspawn], self.log)

    def leader(self) -> int | None:
        """The host's process 1, as this machine numbers it."""
        for pid in cgroups.members(self.group):
            found = cgroups.process(pid)
            if found and found[0] == "systemd-nspawn":
                return next((p for p, name in cgroups.children(pid) if name == "systemd"), None)
        return None

    def settle(self, seconds: float = 600) -> None:
        """Waits until the boot is over: systemd idle, cloud-init done, sshd answering."""
        end = time.monotonic() + seconds
        wait_for(f"{self.name}: systemd is up", self._systemd_is_idle, seconds)
        done = self.execute("cloud-init", "status", "--wait", "--long", timeout=seconds)
        if "status: done" not in done.stdout:
            raise BedError(f"{self.name}: cloud-init: {done.stdout}{done.stderr} (see {self.log})")
        left = max(1.0, end - time.monotonic())
        wait_for(f"{self.name}: sshd answers", self.answers, left)

    def _systemd_is_idle(self) -> bool:
        if self.leader() is None:
            if not cgroups.members(self.group):
                raise BedError(f"{self.name} does not run (see {self.log})")
            return False
        state = self.execute("systemctl", "is-system-running", "--wait", timeout=600)
        return state.stdout.strip() in _SYSTEM_IS_UP

    def answers(self) -> bool:
        try:
            with socket.create_connection((self.address, 22), timeout=2) as peer:
                peer.settimeout(2)
                return peer.recv(4) == b"SSH-"
        except OSError:
            return False

    def execute(
        self, *command: str, stdin: str | None = None, timeout: float = 600
    ) -> subprocess.CompletedProcess[str]:
        """Runs a command inside as root, without ssh: it leaves no trace of a login."""
        leader = self.leader()
        if leader is None:
            raise BedError(f"{self.name} does not run (see {self.log})")
        inside = ["env", "-i", *(f"{k}={v}" for k, v in ENVIRONMENT.items())]
        return attempt("nsenter", "-t", str(leader), "-m", "-u", "-i", "-n", "-p", "-C", "-r",
                       "-w", "--", *inside, *command, stdin=stdin, timeout=timeout)  # fmt: skip

    def must(self, *command: str, stdin: str | None = None, timeout: float = 600) -> str:
        """Like execute, for commands that have to succeed."""
        done = self.execute(*command, stdin=stdin, timeout=timeout)
        if done.returncode:
            said = f"{done.stdout}{done.stderr}"[-2000:]
            raise BedError(f"{self.name}: {' '.join(command)}: status {done.returncode}: {said}")
        return done.stdout

    def shell(self, script: str, timeout: float = 600) -> str:
        return self.must("/bin/sh", "-ec", script, timeout=timeout)

    def reboot(self) -> None:
        before = self.leader()
        # The command may be cut short by what it asks for.
        self.execute("systemctl", "reboot")
        wait_for(f"{self.name} goes down", lambda: self.leader() != before, 300)
        self.settle()

    def stop(self) -> None:
        """An orderly shutdown; the disk stays."""
        for pid in cgroups.members(self.group):
            found = cgroups.process(pid)
            if found and found[0] == "systemd-nspawn":
                os.kill(pid, signal.SIGTERM)
        wait_for(f"{self.name} shuts down", lambda: not cgroups.members(self.group), 300)
        self.kill()

    def kill(self) -> None:
        """Ends the host at once and removes its processes, link and namespace."""
        cgroups.reap(self.group)
        network.disconnect(self.settings, self.name, self.last)

    def destroy(self) -> None:
        self.kill()
        overlay.discard(self.place)

    def host_keys(self) -> list[str]:
        """The host's public keys as known_hosts rows."""
        found = sorted(self.root.glob("etc/ssh/ssh_host_*_key.pub"))
        return [f"{self.address} {' '.join(p.read_text().split()[:2])}" for p in found]
