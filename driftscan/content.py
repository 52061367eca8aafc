"""Where driftscan's own content (policies, zone packs) lies: `policies/` of a source tree, `_policies/` in a wheel; and
where it keeps its state."""

import os
from collections.abc import Mapping
from pathlib import Path

from driftscan.errors import UsageError


def folder() -> Path:
    """The directory of shipped content. UsageError if the installation lacks it."""
    package = Path(__file__).resolve().parent
    for candidate in (package / "_policies", package.parent / "policies"):
        if candidate.is_dir():
            return candidate
    raise UsageError(f"{package}: this installation has no policies", "Install driftscan again.")


def state_directory(environment: Mapping[str, str] = os.environ) -> Path:
    """$DRIFTSCAN_STATE_DIR, else $XDG_STATE_HOME/driftscan, else ~/.local/state/driftscan (XDG base directory
    specification: a relative XDG_STATE_HOME does not count)."""
    if own := environment.get("DRIFTSCAN_STATE_DIR"):
        return Path(own).expanduser()
    shared = environment.get("XDG_STATE_HOME", "")
    base = Path(shared) if os.path.isabs(shared) else Path.home() / ".local" / "state"
    return base / "driftscan"
