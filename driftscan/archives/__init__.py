"""Package archives that the user brings: what they hold is what a package shipped, whatever a host says of it."""

from driftscan.archives._library import Archives

__all__ = ["Archives"]
