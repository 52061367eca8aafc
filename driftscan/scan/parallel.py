"""Several targets at once, in threads."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from driftscan.scan.targets import Target

MOST_WORKERS = 32

T = TypeVar("T")


def each(targets: Sequence[Target], work: Callable[[Target], T], wanted: int) -> tuple[T, ...]:
    """Do the same with all targets at once; the first error is raised when all have ended."""
    with ThreadPoolExecutor(workers(wanted, targets), thread_name_prefix="each") as pool:
        futures = [pool.submit(work, target) for target in targets]
    return tuple(future.result() for future in futures)


def workers(wanted: int, targets: Sequence[Target]) -> int:
    """How many targets are looked at at the same time: as many as wanted, or, for 0, as there are, up to 32."""
    return wanted or min(MOST_WORKERS, max(1, len(targets)))
