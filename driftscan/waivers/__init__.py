"""Files of waivers: read with every problem at its place, and added to without touching what stands there."""

from driftscan.waivers.edit import added, pruned
from driftscan.waivers.load import load, parse

__all__ = ["added", "load", "parse", "pruned"]
