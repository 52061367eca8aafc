"""What belongs to the process and not to a command: streams, its end, and the last Ctrl-C."""

import os
import sys
from collections.abc import Callable


def run_process(main: Callable[[list[str]], int]) -> None:
    """Run `main` on the command line and end the process with its code."""
    for stream in (sys.stdout, sys.stderr):
        if stream is not None and hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    code = _guarded(main)
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    except OSError as error:
        sys.stderr.write(f"driftscan: error: standard output: {error.strerror}\n")
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        code = code or 3
    sys.exit(code)


def _guarded(main: Callable[[list[str]], int]) -> int:
    """Ctrl-C outside any scan, or the second one: threads may hang on dead hosts, so nothing is waited for."""
    try:
        return main(sys.argv[1:])
    except BrokenPipeError:
        return 0
    except KeyboardInterrupt:
        sys.stderr.write("\ndriftscan: interrupted\n")
        sys.stderr.flush()
        os._exit(130)
