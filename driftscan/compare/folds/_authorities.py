"""Certificate authorities that an operation on ca-certificates brought or took, and what update-ca-certificates(8)
makes of them. Each that is trusted is a row, so that nothing in bundle or links is trusted that was not asked here."""

import re
from collections.abc import Collection, Iterable, Iterator, Sequence

from driftscan.compare.evidence import Evidence
from driftscan.compare.pool import Pool, actual
from driftscan.model.drift import Change, Difference

SHIPPED = "/usr/share/ca-certificates/"
"""Where packages have certificates: being there makes none trusted."""
_ROW = "ca_certificate"
_BUNDLE = "/etc/ssl/certs/ca-certificates.crt"
_LINK = re.compile(r"/etc/ssl/certs/(?:[0-9a-f]{8}\.\d|[^/]+\.pem)")
_CHOICE = ("/etc/ca-certificates.conf", "/etc/ca-certificates.conf.dpkg-old")
"""Which of them are chosen: what was chosen is a row, too."""


def authorities(
    pool: Pool, paths: Collection[str], following: Sequence[Difference], evidence: Evidence
) -> Iterator[Difference]:
    """What follows from an operation on packages that have these paths; `following`: files of theirs that came, changed
    and went as the packages have it. An authority that came must be in a file of theirs that is as it should be; as
    many may have gone as files went. If one of the bundle is left, so is the bundle."""
    if not any(path.startswith(SHIPPED) for path in paths):
        return
    taken = {item.key: item for item in following if item.key.startswith(SHIPPED)}
    rows = pool.of(_ROW)
    own = [row for row in rows if row.change is not Change.REMOVED and _is_shipped(row, pool, paths, taken, evidence)]
    gone = [row for row in rows if row.change is Change.REMOVED]
    room = sum(item.change is not Change.ADDED for item in taken.values())
    own += gone if len(gone) <= room else ()
    yield from own
    bundle = () if any(_in_bundle(row) for row in rows if row not in own) else (_BUNDLE,)
    yield from (item for path in (*_CHOICE, *bundle) if (item := pool.get("file", path)) is not None)
    yield from (item for item in pool.beneath("/etc/ssl/certs") if _LINK.fullmatch(item.key) and _is_link(item))


def _is_shipped(row: Difference, pool: Pool, paths: Collection[str], taken: Iterable[str], evidence: Evidence) -> bool:
    """Whether the packages have a file of this certificate that did not change, or changed as they have it."""
    of_row = (path for path, keys in evidence.authorities.items() if row.key in keys and path in paths)
    return any(path in taken or pool.get("file", path) is None for path in of_row)


def _in_bundle(row: Difference) -> bool:
    """Whether it is, or was, trusted by the bundle."""
    delta = row.attributes.get("trusted_by")
    return delta is not None and any(
        "bundle" in value for value in (delta.expected, delta.actual) if isinstance(value, tuple)
    )


def _is_link(item: Difference) -> bool:
    kind = item.attributes.get("type")
    kept = kind is None or kind.expected in {None, "symlink"}
    return kept and actual(item).get("type", "symlink") in {"symlink", None}
