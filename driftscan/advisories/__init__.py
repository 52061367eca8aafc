"""Advisories from files that the user brings, and which of them the packages of a host are affected by. Offline."""

from driftscan.advisories._index import Index, load
from driftscan.advisories.match import Matcher, counts, latest, worst

__all__ = ["Index", "Matcher", "counts", "latest", "load", "worst"]
