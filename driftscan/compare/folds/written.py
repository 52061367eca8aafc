"""Settings and rules that stand in files: all that changed in one file is one mutation, with the file itself."""

from collections.abc import Iterator

from driftscan.compare.evidence import Evidence
from driftscan.compare.fold import Fold
from driftscan.compare.folds._parts import and_more, files, said, word
from driftscan.compare.folds._trees import came_above
from driftscan.compare.pool import Pool
from driftscan.compare.written import KINDS, written_in
from driftscan.model.drift import CauseType, Change, Difference, Mutation


def _apply(pool: Pool, evidence: Evidence) -> Iterator[Mutation]:
    found: dict[str, list[Difference]] = {}
    for kind in KINDS:
        for row in pool.of(kind):
            found.setdefault(written_in(row, evidence), []).append(row)
    for path, rows in sorted(found.items()):
        subject = path or rows[0].kind
        of_file = len(rows) == 1 and rows[0].key == path  # a banner is the text of the file
        title = (
            f"{path} {word(rows[0].change)}" if of_file else f"{subject} changed: {and_more(list(map(_fact, rows)))}"
        )
        held = [item for item in files(pool, path, *_before(rows)) if item]
        yield pool.fold(CauseType.CONFIGURATION_CHANGED, subject, title, rows, [*held, *came_above(pool, held)])


def _before(rows: list[Difference]) -> Iterator[str]:
    """Files that set it before another one did."""
    for row in rows:
        delta = row.attributes.get("file")
        if delta is not None and isinstance(delta.expected, str):
            yield delta.expected


def _fact(row: Difference) -> str:
    delta = row.attributes.get("value")
    if row.change is Change.MODIFIED and delta is not None:
        return f"{row.key} {said(delta.expected)} -> {said(delta.actual)}"
    return f"{row.key} {word(row.change)}"


fold = Fold("written", 490, _apply)
