"""What belongs to the process and not to a command: streams, its end, and the last Ctrl-C."""

import gc
import os
import sys
from collections.abc import Callable

INCOMPLETE, INTERRUPTED = 3, 130
COLLECT_AFTER = 10_000
"""New objects after which Python looks for cycles. Its own 700 cost a small scan a tenth: what is imported stays."""


def run_process(main: Callable[[list[str]], int]) -> None:
    """Run `main` on the command line and end the process with its code."""
    closed = sys.stdout is None
    if closed:
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 - open until the process ends
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 - as above
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    gc.set_threshold(COLLECT_AFTER)
    code = _flushed(_guarded(main))
    if closed:
        code = code or _lost("it is closed")
    sys.exit(code)


def _guarded(main: Callable[[list[str]], int]) -> int:
    """Ctrl-C outside any scan, or the second one: threads may hang on dead hosts, so nothing is waited for. Commands
    deal with their own errors; what comes through is of the few lines that are printed before there is a command."""
    try:
        return main(sys.argv[1:])
    except BrokenPipeError:
        return 0
    except OSError as error:
        return _lost(error.strerror or str(error))
    except KeyboardInterrupt:
        sys.stderr.write("\ndriftscan: interrupted\n")
        sys.stderr.flush()
        os._exit(INTERRUPTED)


def _flushed(code: int) -> int:
    """Nothing is left for the interpreter's own last flush, whose complaint and exit code are not ours."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        pass
    except OSError as error:
        code = code or _lost(error.strerror or str(error))
    else:
        return code
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return code


def _lost(why: str) -> int:
    sys.stderr.write(f"driftscan: error: standard output: {why}\n")
    return INCOMPLETE
