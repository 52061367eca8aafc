"""Hosts of an inventory, with their connection options, already merged and checked."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectOptions:
    """How to reach a host; every field is an inventory key and a command-line option. Paths are absolute."""

    user: str = ""
    """Empty: as ssh would (the local user)."""
    port: int = 22
    identity: tuple[str, ...] = ()
    """Private key files; empty: the agent, then the default keys."""
    known_hosts: tuple[str, ...] = ()
    """Empty: the user's and the system's files, and the scanner's own."""
    ssh_config: str = ""
    jump: str = ""
    """[user@]host[:port] of one jump host."""
    sudo: str = "auto"
    """auto, always, never."""
    timeout: int = 300
    """Seconds for the whole host."""
    connect_timeout: int = 15
    accept_new_host_keys: bool = False
    max_cpu: int = 0
    """Per cent of one processor that the probe may use on the host; 0: what the host does not need itself."""
    max_read: int = 0
    """Bytes of files that it reads there in a second; 0: any."""
    probe: str = ""
    """The probe as a file of the host's image, an absolute path there; empty: it is sent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """One host of an inventory or of the command line."""

    name: str
    address: str
    options: ConnectOptions = ConnectOptions()
    manifest: str = ""
    """File or registry; absolute path or URL. Empty: as the command says."""
    policy: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    groups: tuple[str, ...] = ()
    origin: str = ""
    """file:line of the entry."""
    gone: bool = False
    """The inventory's cloud says that it no longer exists."""
