"""Who can get in and become root: ssh keys and sudo rules, with the files that hold them."""

from collections.abc import Iterator

from driftscan.compare.evidence import Evidence
from driftscan.compare.fold import Fold
from driftscan.compare.folds._parts import counted, files, moved, said
from driftscan.compare.pool import Pool, text, value
from driftscan.model.drift import CauseType, Change, Difference, Mutation

_CAUSE = {
    Change.ADDED: CauseType.ACCESS_GRANTED,
    Change.REMOVED: CauseType.ACCESS_REVOKED,
    Change.MODIFIED: CauseType.ACCESS_CHANGED,
}
_RULES_LIE = ("/etc/sudoers", "/usr/etc/sudoers", "/usr/local/etc/sudoers")
"""How paths begin that sudo reads by itself. What lies elsewhere is no file of rules, whatever a key says, and stays a
change of its own."""
_VERB = {Change.ADDED: "added", Change.REMOVED: "removed", Change.MODIFIED: "changed"}


def _apply(pool: Pool, evidence: Evidence) -> Iterator[Mutation]:
    for (user, change), rows in _grouped(pool.of("authorized_key"), "/").items():
        held = [_file_of(row, evidence) for row in rows]
        homes = [path.rpartition("/")[0] for path in held if path]
        names = rows[0].key.partition("/")[2] if len(rows) == 1 else ""
        if names and change is Change.MODIFIED:
            names += f" ({moved(rows[0])})"
        title = f"{counted(len(rows), 'ssh key')} {_VERB[change]} for {user}" + (f": {names}" if names else "")
        yield pool.fold(_CAUSE[change], user, title, rows, files(pool, *held, *homes))
    for (path, change), rows in _grouped(pool.of("sudo_rule"), ":").items():
        rule = _rule(rows[0]) if len(rows) == 1 else ""
        title = f"{counted(len(rows), 'sudo rule')} {_VERB[change]} in {path}" + (f": {rule}" if rule else "")
        yield pool.fold(_CAUSE[change], path, title, rows, files(pool, path) if path.startswith(_RULES_LIE) else ())


def _file_of(row: Difference, evidence: Evidence) -> str:
    """Where a key lies: a changed one's row tells but what changed."""
    known = evidence.resources.get(row.kind, row.key) if row.change is Change.MODIFIED else None
    lies = known.attributes.get("file") if known else None
    return lies if isinstance(lies, str) else text(row, "key_file", "file", "path")


def _grouped(rows: tuple[Difference, ...], separator: str) -> dict[tuple[str, Change], list[Difference]]:
    found: dict[tuple[str, Change], list[Difference]] = {}
    for row in rows:
        found.setdefault((row.key.partition(separator)[0], row.change), []).append(row)
    return found


def _rule(row: Difference) -> str:
    header = row.key.partition(":")[2]
    details = value(row, "rule_details") or value(row, "rules") or value(row, "rule")
    return f"{header} {said(details)}" if details else header


fold = Fold("access", 310, _apply)
