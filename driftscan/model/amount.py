"""Amounts as people write them."""

import re

_BYTES = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40}
_AMOUNT = re.compile(r"([1-9][0-9]{0,12}) ?([kMGT]|[KMGT]i)?B?", re.ASCII)
_SECONDS = {"minute": 60, "hour": 3600, "day": 86400, "week": 7 * 86400}
_TIME = re.compile(r"([0-9]{1,6}) (minute|hour|day|week)s?", re.ASCII)


def bytes_of(text: str) -> int:
    """A number of bytes: `50M` and `50 MB` are 50,000,000, `50 MiB` is 50 * 2**20. ValueError for anything else."""
    found = _AMOUNT.fullmatch(text)
    if found is None:
        raise ValueError(f"{text[:40]!r} is no number of bytes, such as 500k, 50M or 2G")
    return int(found[1]) * _BYTES[found[2] or ""]


def seconds_of(text: str) -> int:
    """A length of time: `90 days`, `12 hours`, `1 week`. Months and years have none. ValueError for anything else."""
    found = _TIME.fullmatch(text)
    if found is None:
        raise ValueError(f"{text[:40]!r} is no length of time, such as 90 days or 12 hours")
    return int(found[1]) * _SECONDS[found[2]]


def words_of(seconds: int) -> str:
    """A length of time for people: `5 hours`, `12 days`; the largest unit of which there are two."""
    for unit, length in sorted(_SECONDS.items(), key=lambda item: -item[1]):
        if seconds >= 2 * length:
            return f"{round(seconds / length):,} {unit}s"
    return f"{seconds} seconds"
