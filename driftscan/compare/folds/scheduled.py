"""A job of cron or at that came, went or changed, with the table that holds it."""

from collections.abc import Iterator

from driftscan.compare.evidence import Evidence
from driftscan.compare.fold import Fold
from driftscan.compare.folds._parts import and_more, word
from driftscan.compare.folds._trees import came_above
from driftscan.compare.pool import Pool, actual, text
from driftscan.model.drift import CauseType, Difference, Mutation

_TABLES = ("/etc/cron.d", "/etc/cron.hourly", "/etc/cron.daily", "/etc/cron.weekly", "/etc/cron.monthly")
_SPOOLS = ("/var/spool/cron", "/var/spool/at", "/var/spool/atjobs")


def _apply(pool: Pool, evidence: Evidence) -> Iterator[Mutation]:
    for path, rows in _by_table(pool).items():
        commands = [command for row in rows if (command := text(row, "command"))]
        title = f"jobs of {path} changed" if len(rows) > 1 else f"job {word(rows[0].change)} in {path}"
        title += f": {and_more(commands)}" if commands else ""
        if any(actual(row).get("passed_over") for row in rows):
            title += " (cron passes the file over for its name)"
        yield pool.fold(CauseType.SCHEDULED_JOB_CHANGED, path, title, rows, [pool.file(path)])
    tables = [pool.get("file", "/etc/crontab"), pool.get("file", "/etc/anacrontab")]
    for directory in (*_TABLES, *_SPOOLS):
        tables.extend(pool.beneath(directory))
    files_first = sorted((item for item in tables if item is not None), key=_is_directory)
    for item in files_first:
        if item in pool:
            title = f"{item.key} {word(item.change)} (scheduled jobs)"
            yield pool.fold(CauseType.SCHEDULED_JOB_CHANGED, item.key, title, [item], came_above(pool, [item]))


def _is_directory(item: Difference) -> bool:
    return text(item, "type") == "directory"


def _by_table(pool: Pool) -> dict[str, list[Difference]]:
    """A key is `path/user/digest`."""
    found: dict[str, list[Difference]] = {}
    for row in (*pool.of("cron"), *pool.of("at")):
        parts = row.key.rsplit("/", 2)
        found.setdefault(parts[0] if len(parts) == 3 and parts[0] else row.key, []).append(row)
    return found


fold = Fold("scheduled", 420, _apply)
