"""A plain list: one host on each line, `[user@]host[:port]`, `#` begins a comment."""

import os

from driftscan.errors import UsageError
from driftscan.inventory._address import parse_address
from driftscan.inventory._base import InventorySource
from driftscan.model.host import ConnectOptions, Host
from driftscan.model.names import show
from driftscan.schema_check import quoted

MAX_BYTES = 8 << 20


def accepts(spec: str) -> bool:
    """Any path that is not YAML's and has no scheme (`ec2:`)."""
    return not spec.endswith((".yaml", ".yml", ".json")) and ":" not in spec.split("/", maxsplit=1)[0]


def load(spec: str) -> tuple[Host, ...]:
    """The hosts of a list, in its order."""
    file = os.path.expanduser(spec)
    hosts: dict[str, Host] = {}
    for number, line in enumerate(_read(file).split("\n"), 1):
        entry = line.partition("#")[0].strip()
        if not entry:
            continue
        host = _host(entry, f"{show(file)}:{number}")
        if host.name in hosts:
            first = hosts[host.name].origin
            raise UsageError(f"{host.origin}: {quoted(host.name)} stands twice; first at {first}", "Remove one line.")
        hosts[host.name] = host
    if not hosts:
        raise UsageError(f"{show(file)}: the list names no host", "Write one host on each line: [user@]host[:port].")
    return tuple(hosts.values())


def _host(entry: str, origin: str) -> Host:
    try:
        address = parse_address(entry)
    except ValueError as error:
        hint = "Write [user@]host[:port] on each line; an inventory in YAML must be named .yaml."
        raise UsageError(f"{origin}: {quoted(entry)}: {error}", hint) from None
    options = ConnectOptions(user=address.user, port=address.port or ConnectOptions().port)
    return Host(name=address.name, address=address.host, options=options, origin=origin)


def _read(file: str) -> str:
    try:
        with open(file, "rb") as stream:
            raw = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise UsageError(
            f"{show(file)}: cannot be read: {error.strerror}", "Check the path of -i/--inventory."
        ) from None
    if len(raw) > MAX_BYTES:
        raise UsageError(f"{show(file)}: larger than {MAX_BYTES >> 20} MiB", "Is it a list of hosts?")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise UsageError(f"{show(file)}:{line}: not UTF-8", "Is it a list of hosts?") from None


source = InventorySource(name="host-list", accepts=accepts, load=load)
