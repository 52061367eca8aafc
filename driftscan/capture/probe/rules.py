"""What the walk is to do with a path, and what a comparison accepts of it. Standard library of Python 3.6 to 3.14; imports
nothing of driftscan."""

import re
from typing import TYPE_CHECKING

from driftscan.model.glob import literal_prefix, to_regex

if TYPE_CHECKING:
    Zone = tuple[frozenset[str], bool, bool, bool, bool, bool]
    # columns that may differ, may one appear, is what is dangerous told all the same, is any change told, must it grow,
    # is content not read

REMEMBERED = 4096
"""Directories of which the rules are kept in mind."""


class Rule:
    """One rule: what to do with paths that match (`action`, `size`), and what a comparison with a reference accepts of
    them; `zone` is None for what is sealed."""

    def __init__(self, action: str, size: int, glob: str, zone: "Zone | None" = None) -> None:
        self.action = action
        self.size = size
        self.glob = glob
        self.prefix = literal_prefix(glob)
        self.zone = zone
        self.regex: "re.Pattern[str] | None" = None
        self.head: "re.Pattern[str] | None" = None

    def covers(self, path: str) -> bool:
        """Whether a path matches. Most rules are never asked, and not compiled."""
        if self.regex is None:
            self.regex = re.compile(to_regex(self.glob), re.DOTALL)
        return self.regex.fullmatch(path) is not None

    def covers_all_below(self, directory: str) -> bool:
        """Whether everything below a directory matches."""
        if self.covers(directory):
            return True
        if not self.glob.endswith("/**"):
            return False
        if self.head is None:
            self.head = re.compile(to_regex(self.glob[:-3]), re.DOTALL)
        return self.head.fullmatch(directory) is not None


class Rules:
    """What to do with a path: the first rule that matches. Rules are found by the directory that their literal
    prefix lies in, so that most directories look at none."""

    def __init__(self, rules: "list[Rule]") -> None:
        self.rules = rules
        self.by_directory: "dict[str, list[int]]" = {}
        for index, rule in enumerate(rules):
            self.by_directory.setdefault(rule.prefix[: rule.prefix.rfind("/")], []).append(index)
        self.known: "dict[str, list[int]]" = {}

    def inside(self, directory: str) -> "list[Rule]":
        """The rules that can match an entry of a directory, in order."""
        numbers = self.numbers(directory)
        return [self.rules[index] for index in numbers] if numbers else []

    def numbers(self, directory: str) -> "list[int]":
        """Their numbers; a directory in which no prefix lies has those of its parent."""
        found = self.known.get(directory)
        if found is None:
            above = self.numbers(directory[: directory.rfind("/")]) if directory else []
            own = self.by_directory.get(directory)
            found = sorted(above + own) if own else above
            if len(self.known) > REMEMBERED:
                self.known.clear()
            self.known[directory] = found
        return found

    def of(self, path: str) -> "Rule | None":
        """The rule for a path."""
        return first_of(self.inside(path[: path.rfind("/")]), path)

    def prunes(self, directory: str) -> bool:
        """Whether a directory is not to be entered: the first rule that covers all below it prunes, and no earlier one is
        inside."""
        for rule in self.inside(directory):
            if rule.covers_all_below(directory):
                earlier = self.rules[: self.rules.index(rule)]
                return rule.action == "prune" and not any(other.prefix.startswith(directory + "/") for other in earlier)
        return False


def first_of(rules: "list[Rule]", path: str) -> "Rule | None":
    """The first rule that covers a path."""
    for rule in rules:
        if rule.covers(path):
            return rule
    return None
