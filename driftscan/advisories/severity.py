"""How bad an advisory is: by the word of who published it, else by its CVSS vector."""

from functools import lru_cache

from driftscan.model.advisory import Advisory

ORDER = ("unknown", "low", "medium", "high", "critical")
"""From the least on."""
_BANDS = ((90, "critical"), (70, "high"), (40, "medium"), (1, "low"))
"""Qualitative severity rating scale (CVSS 3.1 and 4.0 specification), in tenths."""


def severity(advisory: Advisory) -> tuple[str, int | None]:
    """The word (`unknown` where nothing says it) and the base score in tenths. A distribution's own word goes before
    the score: it knows how it builds the package."""
    score = base_score(advisory.vector)
    return advisory.severity or (_rated(score) if score is not None else "unknown"), score


def _rated(score: int) -> str:
    return next((word for least, word in _BANDS if score >= least), "low")


@lru_cache(maxsize=65536)
def base_score(vector: str) -> int | None:
    """The base score of a CVSS vector (2, 3.0, 3.1, 4.0) in tenths; None if it is none."""
    if not vector:
        return None
    import cvss  # noqa: PLC0415 - paid only where a package is affected

    try:
        if vector.startswith("CVSS:4"):
            return round(float(cvss.CVSS4(vector).base_score) * 10)
        found = cvss.CVSS3(vector) if vector.startswith("CVSS:3") else cvss.CVSS2(vector)
        return round(float(found.base_score) * 10)
    except cvss.CVSSError:
        return None
