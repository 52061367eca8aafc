"""Where a bed keeps its state, and the names and addresses that tell two beds apart."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

# One address for apt's proxy on every bed, so that one base serves them all.
PROXY_ADDRESS = "10.204.0.1"
PROXY_PORT = 3142
FIRST_HOST = 11
LAST_HOST = 250


def state_directory() -> Path:
    given = os.environ.get("DRIFTSCAN_TESTBED_DIR")
    if given:
        return Path(given).absolute()
    cache = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(cache).absolute() / "driftscan-testbed"


@dataclass(frozen=True)
class Settings:
    """One bed. Beds with different numbers stand side by side and share the base."""

    state: Path
    number: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.number <= 99:
            raise ValueError(f"bed number {self.number} is not within 0..99")

    @property
    def name(self) -> str:
        """Name of the bridge, the cgroup, and the prefix of the namespaces."""
        return f"dsbed{self.number}"

    @property
    def directory(self) -> Path:
        return self.state / "beds" / self.name

    @property
    def hosts(self) -> Path:
        return self.directory / "hosts"

    @property
    def trees(self) -> Path:
        return self.directory / "trees"

    @property
    def key(self) -> Path:
        return self.state / "id_ed25519"

    @property
    def known_hosts(self) -> Path:
        return self.directory / "known_hosts"

    @property
    def ssh_config(self) -> Path:
        return self.directory / "ssh_config"

    @property
    def gateway(self) -> str:
        return self.address(1)

    def address(self, last: int) -> str:
        return f"10.204.{7 + self.number}.{last}"
