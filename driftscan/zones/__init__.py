"""Zones: what may differ from the reference. Declared in YAML, shipped in packs, learned from boots."""

from driftscan.model.matching import Matcher
from driftscan.zones.conditions import When, in_force
from driftscan.zones.learned import Learned, Question, learn, merge
from driftscan.zones.loader import Entry, Pack, load, load_pack, packs
from driftscan.zones.walk import walk_rules

__all__ = [
    "Entry",
    "Learned",
    "Matcher",
    "Pack",
    "Question",
    "When",
    "in_force",
    "learn",
    "load",
    "load_pack",
    "merge",
    "packs",
    "walk_rules",
]
