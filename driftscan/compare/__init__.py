"""What differs between a manifest and a snapshot, and what happened. Pure: no files, no clock, no log."""

from driftscan.compare.accounting import accounting
from driftscan.compare.diff import Diff, diff
from driftscan.compare.evidence import Evidence
from driftscan.compare.fold import fold
from driftscan.compare.identities import changed_identities, identities, is_reference, shared_identities
from driftscan.compare.transaction import Transaction

__all__ = [
    "Diff",
    "Evidence",
    "Transaction",
    "accounting",
    "changed_identities",
    "diff",
    "fold",
    "identities",
    "is_reference",
    "shared_identities",
]
