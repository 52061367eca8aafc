"""The whole bed: hosts by name, raised together and torn down without a trace."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from pathlib import Path

from tests.fleet.bed import authority, cgroups, machine, network, overlay
from tests.fleet.bed.base import ensure_base
from tests.fleet.bed.busybox import BusyboxHost
from tests.fleet.bed.host import Host
from tests.fleet.bed.settings import FIRST_HOST, LAST_HOST, Settings
from tests.fleet.bed.shell import BedError, locked, run

_NAME = re.compile(r"[a-z][a-z0-9-]{0,30}")


class Testbed:
    """One bed of this machine. Several processes may use it; a lock orders what they change."""

    __test__ = False  # the name looks like a test class to pytest

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def base(self) -> Path:
        """The base as a plain directory. Never write into it: running hosts read it."""
        machine.prepare()
        return ensure_base(self.settings)

    def names(self) -> list[str]:
        if not self.settings.hosts.is_dir():
            return []
        return sorted(p.name for p in self.settings.hosts.iterdir())

    def host(self, name: str) -> Host:
        if name not in self.names():
            raise BedError(f"no host {name!r} here; there are: {', '.join(self.names()) or 'none'}")
        busybox = (self.settings.hosts / name / "busybox").exists()
        return (BusyboxHost if busybox else Host)(self.settings, name)

    def up(self, names: Sequence[str]) -> list[Host]:
        """Raises new hosts, or starts stopped ones, and waits until each has settled.

        What it began to raise is taken down again when anything goes wrong."""
        return self._raise(names, Host)

    def up_busybox(self, name: str) -> Host:
        return self._raise([name], BusyboxHost)[0]

    def _raise(self, names: Sequence[str], kind: type[Host]) -> list[Host]:
        for name in names:
            if not _NAME.fullmatch(name):
                raise BedError(f"{name!r}: host names match {_NAME.pattern}")
        base = self.base()
        hosts = [self.host(name) if name in self.names() else kind(self.settings, name) for name in names]
        new = [host for host in hosts if not host.place.exists()]
        try:
            with locked(self.settings.directory / "lock"):
                network.raise_bridge(self.settings)
                authority.start(self.settings)
                for host in hosts:
                    self._create(host, base)
                    host.start()
            self.each(hosts, lambda host: host.settle())
            self._publish()
        except BaseException:
            self.each([host for host in new if host.place.exists()], Host.destroy)
            raise
        return hosts

    def _create(self, host: Host, base: Path) -> None:
        if not host.place.exists():
            taken = {self.host(name).last for name in self.names()}
            free = (n for n in range(FIRST_HOST, LAST_HOST) if n not in taken)
            host.create(base, next(free))

    def each(self, hosts: Sequence[Host], action: Callable[[Host], None]) -> None:
        """Does the same to many hosts at once; the first error is raised when all are done."""
        pool = ThreadPoolExecutor(max_workers=max(1, len(hosts)))
        try:
            tasks = [pool.submit(action, host) for host in hosts]
            wait(tasks)
        finally:
            # Whoever is interrupted here takes the hosts down, and with them what is waited for.
            pool.shutdown(wait=False)
        for task in tasks:
            task.result()

    def reset(self, name: str) -> Host:
        """The same host as a new instance: a fresh disk, a new first boot."""
        old = self.host(name)
        old.destroy()
        return self._raise([name], type(old))[0]

    def remove(self, names: Sequence[str]) -> None:
        self.each([self.host(name) for name in names], Host.destroy)
        self._publish()

    def down(self) -> None:
        """Removes everything of this bed, also what a killed run has left behind."""
        with locked(self.settings.state / f"{self.settings.name}.lock"):
            cgroups.reap(self.settings.name)
            for namespace in network.namespaces(self.settings):
                run("ip", "netns", "delete", namespace)
            network.drop_bridge(self.settings)
            overlay.discard(self.settings.directory)

    def _publish(self) -> None:
        """Writes known_hosts and ssh_config, with which strict host key checking works."""
        hosts = [self.host(name) for name in self.names()]
        keys = [row for host in hosts for row in host.host_keys()]
        self.settings.known_hosts.write_text("".join(f"{row}\n" for row in keys))
        rows = [
            "Host *",
            "  User root",
            f"  IdentityFile {self.settings.key}",
            "  IdentitiesOnly yes",
            f"  UserKnownHostsFile {self.settings.known_hosts}",
            "  StrictHostKeyChecking yes",
            "  BatchMode yes",
            "  LogLevel ERROR",
        ]
        for host in hosts:
            rows += [f"Host {host.name}", f"  HostName {host.address}"]
        self.settings.ssh_config.write_text("\n".join(rows) + "\n")

    @contextmanager
    def copy_of_base(self, name: str) -> Iterator[Path]:
        """A writable copy of the base that no host boots, for tests on plain trees."""
        place = self.settings.trees / name
        overlay.discard(place)
        try:
            yield overlay.mount(self.base(), place, f"{self.settings.name}-tree-{name}")
        finally:
            overlay.discard(place)
