"""Real hosts of the test bed over ssh: a whole snapshot beside `ssh host true`, and what one more host costs the
scanner beside paramiko's connect and exec of `true`. Needs root; raises a bed of its own and removes it."""

import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from measure import Cost, Row, paired, program, row, spend

from tests.fleet.bed.host import Host
from tests.fleet.bed.settings import Settings, state_directory
from tests.fleet.bed.testbed import Testbed

_PARAMIKO = """\
import sys
from concurrent.futures import ThreadPoolExecutor
import paramiko
key, known_hosts, *addresses = sys.argv[1:]
def visit(address):
    client = paramiko.SSHClient()
    client.load_host_keys(known_hosts)
    client.connect(address, username="root", key_filename=key, allow_agent=False, look_for_keys=False)
    status = client.exec_command("true")[1].channel.recv_exit_status()
    client.close()
    return status
with ThreadPoolExecutor(16) as pool:
    sys.exit(any(pool.map(visit, addresses)))
"""


def measure(count: int, number: int, runs: int) -> Iterator[Row]:
    """Figures of `count` hosts (at least 2) of bed `number`."""
    bed = Testbed(Settings(state_directory(), number))
    try:
        hosts = bed.up([f"h{index + 1}" for index in range(count)])
        with tempfile.TemporaryDirectory() as folder:
            yield from _measured(bed.settings, hosts, Path(folder), runs)
    finally:
        bed.down()


def _measured(settings: Settings, hosts: Sequence[Host], folder: Path, runs: int) -> Iterator[Row]:
    inventory = folder / "inventory.yaml"
    defaults = f"{{user: root, identity: {settings.key}, known_hosts: {settings.known_hosts}}}"
    rows = "".join(f"  {host.name}: {{address: {host.address}}}\n" for host in hosts)
    inventory.write_text(f"defaults: {defaults}\nhosts:\n{rows}")
    with_inventory = ("-i", str(inventory))
    manifest = str(folder / "image.manifest")
    spend(program("bake", *(host.name for host in hosts[:3]), "-o", manifest, *with_inventory))
    scan = program("scan", "-m", manifest, *with_inventory, "--store", str(folder / "state"))
    first = hosts[0]
    snapshot = program("snapshot", first.name, "-o", str(folder / "one.snapshot"), *with_inventory)
    ssh = ["ssh", "-F", str(settings.ssh_config), first.name, "true"]
    costs = paired({"snapshot of one host": lambda: spend(snapshot), "ssh host true": lambda: spend(ssh)}, runs)
    yield row(costs, "snapshot of one host", "ssh host true")
    paramiko = [sys.executable, "-c", _PARAMIKO, str(settings.key), str(settings.known_hosts)]
    ours, theirs = "one more host scanned", "paramiko: one more connect and exec of true"
    costs = paired(
        {
            ours: lambda: _marginal([*scan, first.name], scan, len(hosts)),
            theirs: lambda: _marginal(
                [*paramiko, first.address], [*paramiko, *(host.address for host in hosts)], len(hosts)
            ),
        },
        runs,
    )
    yield row(costs, ours, theirs, "CPU <= 3")
    print(f"\nOne scan of one host: {_sessions(first, [*scan, first.name])} exec requests on it\n")


def _marginal(one: Sequence[str], every: Sequence[str], count: int) -> Cost:
    """What each host but the first adds. A scan that finds something has done its work, too."""
    single, whole = spend(one, ok=(0, 1)), spend(every, ok=(0, 1))
    return Cost((whole.wall - single.wall) / (count - 1), (whole.cpu - single.cpu) / (count - 1))


def _sessions(host: Host, command: Sequence[str]) -> int:
    """How many exec requests sshd of a host logs while a command runs."""
    host.must("sh", "-c", "echo 'LogLevel VERBOSE' >/etc/ssh/sshd_config.d/verbose.conf; systemctl reload ssh")
    time.sleep(1)
    before = _logged(host)
    spend(command, ok=(0, 1))
    time.sleep(1)  # for the journal
    return _logged(host) - before


def _logged(host: Host) -> int:
    return host.must("journalctl", "--no-pager", "--output=cat").count("Starting session:")
