"""How common a mutation is among the hosts of one image, and what that says of where it comes from."""

from dataclasses import dataclass
from enum import StrEnum


class CohortClass(StrEnum):
    """The published list of classes (docs/reference/recommendations.md)."""

    ONE = "one"
    SOME = "some"
    ALL = "all"
    """On all of them, and since when is not known of each."""
    ALL_AT_FIRST = "all-at-first"
    """On all of them, and so at the first scan of each."""
    ALL_LATER = "all-later"
    """On all of them, and some were once seen without it."""


class Relation(StrEnum):
    """How a label tells hosts apart."""

    IS = "is"
    IS_NOT = "is-not"
    SINCE = "since"
    UNTIL = "until"


_WORDS = {Relation.IS: "", Relation.IS_NOT: "other than ", Relation.SINCE: "since ", Relation.UNTIL: "until "}
_MEANING = {
    CohortClass.ALL: "; since when is not known of each",
    CohortClass.ALL_AT_FIRST: ": the image or its first boot makes it, unless it came before that scan",
    CohortClass.ALL_LATER: ": an agent, a pipeline, or someone who holds the fleet changed them",
}
_URGENCY = {
    CohortClass.ALL_LATER: 0,
    CohortClass.ONE: 1,
    CohortClass.SOME: 2,
    CohortClass.ALL: 3,
    CohortClass.ALL_AT_FIRST: 4,
}
UNPLACED = 3
"""The urgency of what no cohort speaks of."""


@dataclass(frozen=True, slots=True)
class Separator:
    """A label that all hosts with a mutation have so, and no host without it."""

    label: str
    relation: Relation
    value: str

    def __str__(self) -> str:
        """`az b`, `launch_time since 2026-11-20T10:00:00Z`."""
        return f"{self.label} {_WORDS[self.relation]}{self.value}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cohort:
    """Where one mutation of a host stands among the hosts of its image. `hosts` of `of` have it with the same content.
    Those of which a scan could not tell whether they have it are not in `of`."""

    kind: CohortClass
    hosts: int
    of: int
    otherwise: int = 0
    """How many more have the same thing with other content."""
    later: int = 0
    """How many of `hosts` were once seen without it."""
    unsure: int = 0
    """Hosts of the image that were reached and could not tell."""
    by: tuple[Separator, ...] = ()

    @property
    def urgency(self) -> int:
        """What comes first of what is equally bad: what befalls the fleet, then what one host alone has."""
        return _URGENCY[self.kind]

    @property
    def everywhere(self) -> bool:
        """Whether all have it, be it with content of their own."""
        return self.hosts + self.otherwise == self.of

    @property
    def where(self) -> str:
        """`on 12 of 40 scanned hosts of this image: those with az b`."""
        scanned = f"{self.of} scanned hosts of this image"
        this = "with this content " if self.otherwise else ""
        if self.kind is CohortClass.ONE:
            return f"{this}on this host alone of {scanned}"
        if self.kind is CohortClass.SOME:
            split = f": those with {' and '.join(map(str, self.by))}" if self.by else ""
            return f"{this}on {self.hosts} of {scanned}{split}"
        when = ", and so at the first scan of each" if self.kind is CohortClass.ALL_AT_FIRST else ""
        if self.kind is CohortClass.ALL_LATER:
            when = f", on {self.later} of them not at the first scan"
        return f"on all {scanned}{when}"

    @property
    def sentence(self) -> str:
        """Where it is and what that means."""
        others = f"; {self.otherwise} of them have it with other content" if self.otherwise else ""
        unsure = f" ({self.unsure} more could not tell)" if self.unsure else ""
        return f"{self.where}{_MEANING.get(self.kind, '')}{others}{unsure}"
