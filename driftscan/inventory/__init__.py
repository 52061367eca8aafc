"""Where hosts come from: one file per source, one pattern language to select among them."""

from collections.abc import Iterable

from driftscan import plugins
from driftscan.errors import UsageError
from driftscan.inventory._address import Address, parse_address
from driftscan.inventory._base import InventorySource
from driftscan.inventory._select import select
from driftscan.model.host import Host
from driftscan.schema_check import quoted

__all__ = ["Address", "InventorySource", "load", "load_all", "parse_address", "select", "sources"]


def sources() -> dict[str, InventorySource]:
    """All inventory sources by name."""
    return plugins.discover("driftscan.inventory", "source", InventorySource)


def load(spec: str) -> tuple[Host, ...]:
    """The hosts of one inventory (a path, or `ec2:?...`), in its own order, options merged and checked, those that
    are gone included. UsageError if there is none such, it is wrong, or the cloud refuses."""
    for source in sources().values():
        if source.accepts(spec):
            return source.load(spec)
    raise UsageError(
        f"{quoted(spec)} is not an inventory", "Give a .yaml file, a file with a host on each line, or ec2:?region=..."
    )


def load_all(specs: Iterable[str]) -> tuple[Host, ...]:
    """The hosts of several inventories, one after another. UsageError if two of them name one host."""
    hosts: dict[str, Host] = {}
    for spec in specs:
        for host in load(spec):
            if host.name in hosts:
                raise UsageError(
                    f"{host.origin}: the host {quoted(host.name)} is also in {hosts[host.name].origin}",
                    "Remove it from one of the inventories.",
                )
            hosts[host.name] = host
    return tuple(hosts.values())
