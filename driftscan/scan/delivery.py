"""What `driftscan birth` brings of one host."""

from dataclasses import dataclass
from enum import StrEnum

from driftscan.errors import DriftscanError
from driftscan.model.birth import Birth
from driftscan.model.finding import JudgedMutation
from driftscan.model.state import History
from driftscan.scan.targets import Target


class Outcome(StrEnum):
    """What came of one host."""

    RECORDED = "recorded"
    KNOWN = "known"
    """It was recorded before, and is left as it is."""
    SETTLING = "settling"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One host: its birth, and what was there and nothing accounts for."""

    target: Target
    outcome: Outcome
    birth: Birth | None = None
    undeclared: tuple[JudgedMutation, ...] = ()
    accepted: tuple[str, ...] = ()
    """The ids of findings that were accepted by hand."""
    history: History | None = None
    """What the first scan of its machine found, which this one is."""
    error: DriftscanError | None = None
    """Why it was not recorded."""
