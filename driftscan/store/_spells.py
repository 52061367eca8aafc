"""What `driftscan.model.trend` is made of."""

from collections import defaultdict
from collections.abc import Iterator

from sqlalchemy import Connection, or_, select

from driftscan.model.trend import Spell
from driftscan.store._schema import episode, finding, host, host_label, host_result

_OF_ONE = ("instance_id", "kubernetes_node", "launch_time", "terraform_address")
"""Labels that belong to one host each, and make no group."""


def read_spells(connection: Connection, since: str) -> Iterator[Spell]:
    """Every open finding that was there at any time from `since` on, each time that it was."""
    images, groups = _images(connection), _groups(connection)
    same = (episode.c.fingerprint == finding.c.fingerprint) & (episode.c.host == finding.c.host)
    query = (
        select(episode, finding.c.cause, finding.c.actor)
        .join(finding, same)
        .where(finding.c.state == "open", or_(episode.c.resolved_at.is_(None), episode.c.resolved_at >= since))
    )
    for row in connection.execute(query):
        yield Spell(
            host=row.host,
            fingerprint=row.fingerprint,
            opened_at=row.opened_at,
            resolved_at=row.resolved_at,
            cause=row.cause,
            actor=row.actor,
            image=images.get(row.host, ""),
            groups=groups[row.host],
        )


def _images(connection: Connection) -> dict[str, str]:
    last = (host_result.c.scan == host.c.scan) & (host_result.c.position == host.c.position)
    query = select(host.c.host, host_result.c.image_id, host_result.c.image_version).join(host_result, last)
    return {name: " ".join(each for each in image if each) for name, *image in connection.execute(query)}


def _groups(connection: Connection) -> defaultdict[str, tuple[str, ...]]:
    found: defaultdict[str, tuple[str, ...]] = defaultdict(tuple)
    query = select(host_label).where(host_label.c.name.not_in(_OF_ONE)).order_by(host_label.c.host, host_label.c.name)
    for row in connection.execute(query):
        found[row.host] += (f"{row.name}={row.value}",)
    return found
