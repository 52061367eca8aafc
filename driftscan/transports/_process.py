"""Tools of this machine that are asked for a fact (`ssh -G`): short-lived, bounded, and never a shell."""

import os
import subprocess


def run_tool(argv: list[str], timeout: float) -> tuple[int, bytes]:
    """Run a program without input and return its exit status and standard output; standard error is dropped.
    127 where it cannot be started, 124 where it did not end within `timeout` seconds (it is killed)."""
    try:
        ended = subprocess.run(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=timeout,
            check=False,
            env={**os.environ, "LC_ALL": "C"},
        )
    except subprocess.TimeoutExpired:
        return 124, b""
    except OSError:
        return 127, b""
    return ended.returncode, ended.stdout
