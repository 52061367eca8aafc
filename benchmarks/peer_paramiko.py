"""The least that a scanner in Python can do to a host: paramiko connects, checks its key, logs in, and runs `true`.

    python peer_paramiko.py shared|plain KEY KNOWN_HOSTS WORKERS ADDRESS...

Both trust no key that is not in known_hosts, and offer this one key alone. `shared` reads the key and known_hosts once
for all hosts, as ours does; `plain` has each client read them, as paramiko's own demonstrations do."""

import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import paramiko


def visitor(key_file: str, known_hosts: str) -> Callable[[str], int]:
    """What visits an address and returns the exit status of `true` there."""
    key = paramiko.Ed25519Key.from_private_key_file(key_file)
    known = paramiko.HostKeys(known_hosts)

    def visit(address: str) -> int:
        with paramiko.SSHClient() as client:  # it rejects unknown keys unless told otherwise
            for kind, host_key in (known.lookup(address) or {}).items():
                client.get_host_keys().add(address, kind, host_key)
            client.connect(address, username="root", pkey=key, allow_agent=False, look_for_keys=False)
            return client.exec_command("true")[1].channel.recv_exit_status()

    return visit


def plain(key_file: str, known_hosts: str) -> Callable[[str], int]:
    """The same with nothing shared."""

    def visit(address: str) -> int:
        with paramiko.SSHClient() as client:
            client.load_host_keys(known_hosts)
            client.connect(address, username="root", key_filename=key_file, allow_agent=False, look_for_keys=False)
            return client.exec_command("true")[1].channel.recv_exit_status()

    return visit


def main() -> int:
    """Visit all addresses."""
    how, key_file, known_hosts, workers, *addresses = sys.argv[1:]
    visit = (plain if how == "plain" else visitor)(key_file, known_hosts)
    with ThreadPoolExecutor(int(workers)) as pool:
        return int(any(pool.map(visit, addresses)))


if __name__ == "__main__":
    sys.exit(main())
