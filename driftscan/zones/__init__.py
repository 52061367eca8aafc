"""Zones: what may differ from the reference. Declared in YAML, shipped in packs, learned from boots."""

from driftscan.model.matching import Matcher
from driftscan.zones.conditions import before_walk, in_force
from driftscan.zones.held_out import HeldOut, hold_out
from driftscan.zones.learned import Boots, Learned, Question, merge
from driftscan.zones.loader import load, load_pack, packs
from driftscan.zones.pack import Entry, Pack, When
from driftscan.zones.walk import walk_rules

__all__ = [
    "Boots",
    "Entry",
    "HeldOut",
    "Learned",
    "Matcher",
    "Pack",
    "Question",
    "When",
    "before_walk",
    "hold_out",
    "in_force",
    "load",
    "load_pack",
    "merge",
    "packs",
    "walk_rules",
]
