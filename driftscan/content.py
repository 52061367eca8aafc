"""Where driftscan's own content (policies, zone packs) lies: `policies/` of a source tree, `_policies/` in a wheel."""

from pathlib import Path

from driftscan.errors import UsageError


def folder() -> Path:
    """The directory of shipped content. UsageError if the installation lacks it."""
    package = Path(__file__).resolve().parent
    for candidate in (package / "_policies", package.parent / "policies"):
        if candidate.is_dir():
            return candidate
    raise UsageError(f"{package}: this installation has no policies", "Install driftscan again.")
