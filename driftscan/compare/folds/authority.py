"""A certificate authority that came or went, with its file, its links by hash, and the bundles made of all."""

from collections.abc import Iterator

from driftscan.compare.evidence import Evidence
from driftscan.compare.fold import Fold
from driftscan.compare.folds._parts import and_more, counted, word
from driftscan.compare.pool import Pool, text
from driftscan.model.drift import CauseType, Change, Difference, Mutation

_STORES = (
    "/usr/local/share/ca-certificates",
    "/usr/share/ca-certificates",
    "/etc/ssl/certs",
    "/etc/pki/ca-trust",
    "/usr/share/pki/ca-trust-source",
    "/etc/ca-certificates",
)
_FILES = ("/etc/ca-certificates.conf", "/etc/ca-certificates.conf.dpkg-old", "/etc/ssl/cert.pem")


def _apply(pool: Pool, evidence: Evidence) -> Iterator[Mutation]:
    for change in (Change.ADDED, Change.REMOVED, Change.MODIFIED):
        rows = [row for row in pool.of("ca_certificate") if row.change is change]
        if rows:
            names = [text(row, "common_name", "subject") or row.key for row in rows]
            what = counted(len(rows), "certificate authority").replace("authoritys", "authorities")
            title = f"{what} {word(change)}: {and_more(names)}"
            subject = rows[0].key if len(rows) == 1 else "certificate authorities"
            yield pool.fold(CauseType.CERTIFICATE_AUTHORITY, subject, title, rows, _behind(pool))
    for item in _behind(pool):
        title = f"{item.key} {word(item.change)} (certificate store)"
        yield pool.fold(CauseType.CERTIFICATE_AUTHORITY, item.key, title, [item])


def _behind(pool: Pool) -> list[Difference]:
    found = [item for path in (*_STORES, *_FILES) if (item := pool.get("file", path)) is not None]
    return [*found, *(item for store in _STORES for item in pool.beneath(store))]


fold = Fold("authority", 430, _apply)
