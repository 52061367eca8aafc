"""What is kept between runs: blobs by digest, and scans with their findings in SQLite or PostgreSQL.

SQLAlchemy takes 0.2 s to import: what is here is imported by those who open a store.
"""

from driftscan.store._blobs import Blobs
from driftscan.store._channels import Pending
from driftscan.store._outbox import Watching
from driftscan.store._prune import Pruned, Retention
from driftscan.store._rows import FindingRow, HostRow, LastRow, ScanRow, ScanSummary
from driftscan.store._states import HostStates
from driftscan.store._store import Store

__all__ = [
    "Blobs",
    "FindingRow",
    "HostRow",
    "HostStates",
    "LastRow",
    "Pending",
    "Pruned",
    "Retention",
    "ScanRow",
    "ScanSummary",
    "Store",
    "Watching",
]
