"""Where a store is: a directory, or a PostgreSQL database with a directory or a bucket beside it."""

import hashlib
import importlib.util
import re
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import SplitResult, parse_qsl, urlsplit

from driftscan.errors import UsageError
from driftscan.model.names import show

_URL = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)
_NAMING = {"host", "hostaddr", "port", "dbname", "service", "options"}
"""Parts of a URL's query that say which database it is, and (`options=-csearch_path=...`) which tables in it."""
_POSTGRESQL = {"postgresql", "postgres", "postgresql+psycopg"}
_BUCKET = re.compile(r"s3://[a-z0-9][a-z0-9.-]+(/[^?#]*)?")


@dataclass(frozen=True, slots=True)
class Place:
    """`directory`: for files of this machine, and for the SQLite file where there is no `database`: the URL of one, as
    libpq takes it, and never shown, because a password may be in it. `reports`: where the reports of a database lie:
    a directory, or `s3://bucket/prefix`; empty: in the directory."""

    directory: Path
    database: str = field(default="", repr=False)
    reports: str = ""

    @property
    def blobs(self) -> Path:
        """The directory where reports lie, unless there is a `bucket`."""
        if not self.database:
            return self.directory / "blobs"
        return (Path(self.reports) if self.reports else self.directory / "postgresql") / self._name / "blobs"

    @property
    def bucket(self) -> str:
        """Where in S3 reports lie (`s3://bucket/prefix/...`); empty if they do not."""
        return f"{self.reports.rstrip('/')}/{self._name}" if self.reports.startswith("s3://") else ""

    @property
    def _name(self) -> str:
        """Reports of a database have a place of their own, so that none is taken for one that nothing refers to because
        another database does."""
        name = str(self).removeprefix("postgresql://")
        told = sorted(pair for pair in parse_qsl(urlsplit(self.database).query) if pair[0] in _NAMING)
        digest = hashlib.sha256(repr((name, told)).encode()).hexdigest()[:8]
        return f"{re.sub('[^A-Za-z0-9.-]+', '_', name)[:80]}-{digest}"

    def __str__(self) -> str:
        """For people."""
        return _without_secrets(self.database) if self.database else str(self.directory)


def parse(given: str | None, directory: Path, reports: str | None = None) -> Place:
    """What `--store` says: a directory, or `postgresql://[user@]host[:port]/database`, whose files go to `directory`;
    none: `directory`. `reports`: what `--store-reports` says. UsageError for another kind of URL, and where the library
    for it is not installed."""
    if not given or not _URL.match(given):
        if reports:
            raise UsageError(
                "--store-reports: only the reports of a database have a place of their own",
                "Give --store postgresql://..., or --store-reports ''; a directory has its reports in blobs/.",
            )
        return Place(Path(given) if given else directory)
    parts = _parts(given)
    if parts.scheme not in _POSTGRESQL:
        raise UsageError(
            f"--store {parts.scheme}://...: not a kind of store",
            "Give a directory, or postgresql://[user@]host[:port]/database.",
        )
    if importlib.util.find_spec("psycopg") is None:
        raise UsageError(
            "--store postgresql://...: the library for PostgreSQL is not installed",
            "Install it: pip install 'driftscan[postgres]'.",
        )
    if reports and _URL.match(reports) and not _BUCKET.fullmatch(reports):
        kind = show(reports.partition("://")[0])
        raise UsageError(
            f"--store-reports {kind}://...: not a place for reports", "Give s3://bucket/prefix, or a directory."
        )
    return Place(directory, "postgresql" + given[len(parts.scheme) :], reports or "")


def _parts(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        assert parts.port is None or parts.port >= 0  # it is read only now
    except ValueError:
        raise UsageError(
            "--store: the URL cannot be read",
            "It is postgresql://[user@]host[:port]/database; %-encode what is special in a name or a password.",
        ) from None
    return parts


def _without_secrets(url: str) -> str:
    """No user, no password, no options."""
    parts = urlsplit(url)
    port = f":{parts.port}" if parts.port else ""
    return f"{parts.scheme}://{parts.hostname or ''}{port}{parts.path}"
