"""What `driftscan.model.trend` is made of."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import Connection, or_, select

from driftscan.model.result import ScanResult
from driftscan.model.trend import Spell
from driftscan.store._findings import changes_of
from driftscan.store._schema import episode, finding, host, host_label, host_result
from driftscan.store._write import storable

_OF_ONE = ("instance_id", "kubernetes_node", "launch_time", "terraform_address")
"""Labels that belong to one host each, and make no group."""


@dataclass(slots=True)
class _Known:
    """What the store knows, as far as spells are made of it."""

    findings: dict[tuple[str, str], tuple[str, str, str]]
    """(fingerprint, host) -> state, cause, actor."""
    episodes: dict[tuple[str, str, int], tuple[str, str | None]]
    """(fingerprint, host, number) -> when it began and ended."""
    images: dict[str, str]
    groups: dict[str, tuple[str, ...]]

    def spells(self, since: str) -> Iterator[Spell]:
        """Of findings that are not waived."""
        for (fingerprint, name, _), (opened_at, resolved_at) in self.episodes.items():
            state, cause, actor = self.findings[fingerprint, name]
            if state == "open" and (resolved_at is None or resolved_at >= since):
                yield Spell(
                    host=name,
                    fingerprint=fingerprint,
                    opened_at=opened_at,
                    resolved_at=resolved_at,
                    cause=cause,
                    actor=actor,
                    image=self.images.get(name, ""),
                    groups=self.groups.get(name, ()),
                )


def spells(connection: Connection, since: str) -> list[Spell]:
    """Every open finding that was there at any time from `since` on, each time that it was."""
    return list(_known(connection, since).spells(since))


def spells_with(connection: Connection, result: ScanResult, since: str) -> list[Spell]:
    """The same as it will be when a scan is kept; nothing is written."""
    known = _known(connection, since)
    changes = changes_of(connection, result)
    for row in changes.findings:
        known.findings[row["fingerprint"], row["host"]] = row["state"], row["cause"], row["actor"]
    for row in changes.episodes:
        known.episodes[row["fingerprint"], row["host"], row["number"]] = row["opened_at"], row["resolved_at"]
    for row in changes.hosts:
        found = result.hosts[row["position"]]
        known.images[row["host"]] = _image(found.image.id, found.image.version)
        known.groups[row["host"]] = tuple(
            _group(*each) for each in sorted(found.labels.items()) if each[0] not in _OF_ONE
        )
    return list(known.spells(since))


def _known(connection: Connection, since: str) -> _Known:
    same = (episode.c.fingerprint == finding.c.fingerprint) & (episode.c.host == finding.c.host)
    query = (
        select(episode, finding.c.state, finding.c.cause, finding.c.actor)
        .join(finding, same)
        .where(or_(episode.c.resolved_at.is_(None), episode.c.resolved_at >= since))
    )
    known = _Known({}, {}, _images(connection), _groups(connection))
    for row in connection.execute(query):
        known.findings[row.fingerprint, row.host] = row.state, row.cause, row.actor
        known.episodes[row.fingerprint, row.host, row.number] = row.opened_at, row.resolved_at
    return known


def _images(connection: Connection) -> dict[str, str]:
    last = (host_result.c.scan == host.c.scan) & (host_result.c.position == host.c.position)
    query = select(host.c.host, host_result.c.image_id, host_result.c.image_version).join(host_result, last)
    return {name: _image(*image) for name, *image in connection.execute(query)}


def _image(name: str, version: str) -> str:
    return " ".join(storable(each) for each in (name, version) if each)


def _groups(connection: Connection) -> dict[str, tuple[str, ...]]:
    found: defaultdict[str, tuple[str, ...]] = defaultdict(tuple)
    query = select(host_label).where(host_label.c.name.not_in(_OF_ONE)).order_by(host_label.c.host, host_label.c.name)
    for row in connection.execute(query):
        found[row.host] += (_group(row.name, row.value),)
    return found


def _group(name: str, value: str) -> str:
    return f"{storable(name)}={storable(value)}"
