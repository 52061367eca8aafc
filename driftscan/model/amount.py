"""Amounts as people write them."""

import re

_UNITS = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9}
_AMOUNT = re.compile(r"([1-9][0-9]{0,12})([kMG]?)", re.ASCII)


def bytes_of(text: str) -> int:
    """A number of bytes: `50M` is 50,000,000. ValueError for anything else."""
    found = _AMOUNT.fullmatch(text)
    if found is None:
        raise ValueError(f"{text[:40]!r} is no number of bytes, such as 500k, 50M or 2G")
    return int(found[1]) * _UNITS[found[2]]
