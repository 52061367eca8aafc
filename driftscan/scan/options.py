"""What a scan is asked to do, checked before any connection is made."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from driftscan.model.place import Place
from driftscan.model.snapshot import ImageRef
from driftscan.scan.audit import CYCLE


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanOptions:
    """Options of `scan` that do not belong to a host."""

    manifest: str = ""
    """A manifest file, a directory of them, or s3://...; empty: as the inventory says, else the stand-in baseline."""
    policies: tuple[str, ...] = ()
    """Names of shipped packs or paths; empty: the default for the baseline."""
    mode: str = "auto"
    """full: every file is read; quick: what moved since the last scan, and a share of the rest; auto: quick where there
    was a scan before."""
    cycle: int = CYCLE
    """Quick scans in which every file is read."""
    workers: int = 0
    """Hosts at once; 0: as many as there are, at most 32."""
    waivers: tuple[str, ...] = ()
    """Files of waivers."""
    zones: str = ""
    """A file of zones written by hand, for this scan alone."""
    packages: tuple[str, ...] = ()
    """Directories of package archives, which tell what packages shipped."""
    advisories: tuple[str, ...] = ()
    """Files and folders of advisories: OSV dumps, and the Debian security tracker's."""
    state_dir: Path | None = None
    """For what this machine keeps: caches, host keys that were accepted."""
    store: Place | None = None
    """Where scans leave what the next ones need; None: in the state directory."""
    prompt: Callable[[str], str] | None = None
    """Asks a person for a secret; None: nobody is there to answer."""
    captures: Path | None = None
    """Where raw captures of a single target are written for replay."""
    image: ImageRef = ImageRef()
    by: str = ""
    """Who runs it, for the report."""

    @property
    def kept_in(self) -> Place | None:
        """Where that is, if anything is kept."""
        return self.store or (Place(self.state_dir) if self.state_dir else None)
