"""How a program gets to a shell through its standard input: a size, a newline, that many bytes; what follows is the
program's own input. So no limit on arguments applies (MAX_ARG_STRLEN of execve(2) is 128 KiB)."""

import gzip
import shlex
from functools import lru_cache

from driftscan.errors import ProbeError
from driftscan.model.names import show

MAX_SCRIPT = 1 << 20
"""Bytes. The shell holds the program in memory; ours has some hundred KiB, so more is a mistake."""
# GNU, busybox and toybox dd read a pipe in one go with iflag=fullblock; another dd refuses that before it reads. One
# that a signal ended (above 128: nobody took what it read) has read.
_READ = 'dd bs="$n" count=1 iflag=fullblock 2>/dev/null || [ "$?" -gt 128 ] || dd bs=1 count="$n" 2>/dev/null'
TAKE = f"IFS= read -r n; s=$({_READ})"
"""Shell text that reads a framed program into `s`."""
TAKE_PACKED = f"IFS= read -r n; s=$({{ {_READ}; }} | $z)"
"""The same for one that comes as `z` unpacks it: `gzip -dc`, or `cat` where there is no gzip."""


@lru_cache(maxsize=4)
def framed(script: str, arguments: tuple[str, ...], *, packed: bool = False) -> bytes:
    """A program with its arguments, as TAKE reads it; `packed`: by gzip. ProbeError for one that no shell takes."""
    words = " ".join(shlex.quote(argument) for argument in arguments)
    program = f"set -- {words}\n{script}".encode("utf-8", "surrogateescape")
    if len(program) > MAX_SCRIPT:
        raise ProbeError(
            f"the probe has {len(program)} bytes; at most {MAX_SCRIPT} are sent", "Report this: it is a bug."
        )
    if b"\0" in program:
        raise ProbeError("the probe contains a NUL byte, which no shell takes", "Report this: it is a bug.")
    sent = gzip.compress(program, 6, mtime=0) if packed else program
    return f"{len(sent)}\n".encode() + sent


def trusted(path: str, where: str, owner: int, mode: int) -> None:
    """ProbeError unless a file with this owner and these permissions is root's alone to change."""
    if owner != 0 or mode & 0o022:
        raise ProbeError(
            f"{where}: {show(path)} is not root's alone (owner {owner}, mode {mode:04o}), and is not run",
            f"On the image: chown root:root {show(path)}; chmod 0755 {show(path)}. Then find out who changed it.",
        )


def missing(path: str, where: str) -> ProbeError:
    """There is no such file."""
    return ProbeError(
        f"{where}: there is no {show(path)} whose digest can be taken",
        "Put the probe into the image (driftscan probe --write FILE), or leave out --probe.",
    )
