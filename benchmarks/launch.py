"""Runs one program and prints what it cost, as JSON. The smallest Python there is, since Linux counts the memory of
the process that starts a program as the program's own (getrusage(2): ru_maxrss is kept over execve(2))."""

import json
import os
import sys
import time


def main() -> None:
    """The program's arguments are ours; its input is ours, and nobody looks at its output."""
    nothing = os.open(os.devnull, os.O_WRONLY)
    quiet = [(os.POSIX_SPAWN_DUP2, nothing, 1), (os.POSIX_SPAWN_DUP2, nothing, 2)]
    started = time.monotonic()
    child = os.posix_spawnp(sys.argv[1], sys.argv[1:], os.environ, file_actions=quiet)
    _, status, used = os.wait4(child, 0)
    wall = time.monotonic() - started
    cost = {"wall": wall, "cpu": used.ru_utime + used.ru_stime, "peak": used.ru_maxrss / 1024}
    print(json.dumps({"status": os.waitstatus_to_exitcode(status), "cost": cost}))


if __name__ == "__main__":
    main()
