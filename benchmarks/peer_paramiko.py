"""The least that a scanner in Python can do to a host: paramiko connects, checks its key, logs in, and runs `true`.

    python peer_paramiko.py KEY KNOWN_HOSTS WORKERS ADDRESS...

As ours does, it reads the key and known_hosts once for all hosts, trusts no key that is not there, and offers this one
key alone."""

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


def main() -> int:
    """Visit all addresses."""
    key_file, known_hosts, workers, *addresses = sys.argv[1:]
    with ThreadPoolExecutor(int(workers)) as pool:
        return int(any(pool.map(visitor(key_file, known_hosts), addresses)))


if __name__ == "__main__":
    sys.exit(main())
