"""What an inventory source is."""

from collections.abc import Callable
from dataclasses import dataclass

from driftscan.model.host import Host


@dataclass(frozen=True, slots=True, kw_only=True)
class InventorySource:
    """One way to name hosts. `accepts` looks at the text after `-i` alone; no two sources accept the same.
    `load` raises UsageError, with file:line:column where there is a file."""

    name: str
    accepts: Callable[[str], bool]
    load: Callable[[str], tuple[Host, ...]]
