"""A package of Python or npm that came, went or changed, with its files."""

import re
from collections.abc import Iterator

from driftscan.compare.evidence import Evidence
from driftscan.compare.fold import Fold
from driftscan.compare.folds._parts import moved, said, word
from driftscan.compare.folds._trees import came_above
from driftscan.compare.pool import Pool, text, value
from driftscan.model.drift import CauseType, Change, Difference, Mutation

_BYTECODE = re.compile(r"\.[a-z]+-[0-9]+(?:\.opt-[12])?\.pyc\Z")
"""With what a compiled module's name ends (PEP 3147)."""


def _apply(pool: Pool, evidence: Evidence) -> Iterator[Mutation]:
    for kind, manager in (("python_package", "Python"), ("npm_package", "npm")):
        for row in pool.of(kind):
            name = row.key.rpartition("@")[0] or row.key
            facts = moved(row) if row.change is Change.MODIFIED else said(value(row, "version"))
            title = f"{manager} package {name} {word(row.change)} ({facts})"
            files = list(_files(pool, row, name))
            yield pool.fold(CauseType.LANGUAGE_PACKAGE, row.key, title, [row], [*files, *came_above(pool, files)])


def _files(pool: Pool, row: Difference, name: str) -> Iterator[Difference]:
    """Its folder and, for Python, its metadata folder beside it. Executables stay a matter of their own."""
    directory = text(row, "directory") or row.key.rpartition("@")[2]
    if not directory.startswith("/"):
        return
    plain = name.replace("-", "_").replace(".", "_").lower()
    for item in pool.beneath(directory):
        first = item.key[len(directory.rstrip("/")) + 1 :].removeprefix("__pycache__/").partition("/")[0]
        first = _BYTECODE.sub(".py", first)
        stem = first.partition("-")[0].removesuffix(".py").replace("-", "_").replace(".", "_").lower()
        if stem == plain or first == name:
            yield item


fold = Fold("language", 200, _apply)
