"""`driftscan inventory list`."""

from driftscan.cli import _options as opt
from driftscan.cli._command import Argument, Call, Command
from driftscan.cli._targets import chosen
from driftscan.errors import UsageError
from driftscan.model.host import Host
from driftscan.model.names import show


def _run(call: Call) -> int:
    if not call.settings.inventory:
        raise UsageError("no inventory", "Name one: driftscan inventory list -i inventory.yaml")
    hosts = [target.host for target in chosen(call, call.settings.host) if target.host is not None]
    if call.settings.json:
        call.console.write(_json(hosts))
    else:
        call.console.write(_table(hosts))
    return 0


def _table(hosts: list[Host]) -> str:
    from driftscan.reports._terminal import table

    rows = [[show(cell) for cell in _row(host)] for host in hosts]
    return table(rows, ["HOST", "ADDRESS", "GROUPS", "LABELS", "MANIFEST"], [None] * 5) + "\n"


def _row(host: Host) -> list[str]:
    user = f"{host.options.user}@" if host.options.user else ""
    labels = " ".join(f"{name}={value}" for name, value in sorted(host.labels.items()))
    state = " (gone)" if host.gone else ""
    return [
        host.name + state,
        f"{user}{host.address}:{host.options.port}",
        ",".join(host.groups) or "-",
        labels or "-",
        host.manifest or "-",
    ]


def _json(hosts: list[Host]) -> str:
    import json
    from dataclasses import asdict

    return json.dumps([asdict(host) for host in hosts], sort_keys=True, indent=2, default=dict) + "\n"


COMMAND = Command(
    name="inventory list",
    summary="list the hosts that an inventory yields, with their options",
    examples=(
        ("driftscan inventory list -i inventory.yaml", "who would be scanned, and how reached"),
        ("driftscan inventory list -i 'ec2:?region=eu-west-1&tag:Role=web'", "hosts of a cloud"),
        ("driftscan inventory list -i inventory.yaml --json", "for machines"),
    ),
    arguments=(Argument(name="HOST", many=True, help="only these: names, groups, globs"),),
    options=(opt.JSON, *opt.CONNECT),
    run=_run,
)
commands = (COMMAND,)
