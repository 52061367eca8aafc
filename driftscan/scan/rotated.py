"""Logs with what logrotate(8) made of them: as one text, decompressed on the target.

There, since that is where secrets in command lines are taken out (docs/adr/0008). How much a file may become, how much
leaves, and how long that may take, is bounded there; what arrives is bounded on the scanner once more.
"""

from collections.abc import Sequence

from driftscan.model.source import Command, Redact

MOST = 4 << 20
"""Bytes of text that are asked for."""
_GROWN = 64 << 20
"""Bytes that one compressed file may become."""
_READ = f"""
for file in "$@"; do
  [ -f "$file" ] || continue
  case $file in
    *.gz) gzip -dc < "$file" | head -c {_GROWN} ;;
    *) tail -c {_GROWN} < "$file" ;;
  esac
  echo
done 2>/dev/null"""


def older(path: str, first: int, last: int) -> tuple[str, ...]:
    """The names of a log's rotations of these numbers, the oldest first."""
    return tuple(f"{path}.{number}{suffix}" for number in range(last, first - 1, -1) for suffix in (".gz", ""))


def text(files: Sequence[str], lines: str = "", without: str = "") -> Command:
    """The end of all these files (globs of sh(1) are none the worse), the oldest first; of them only the lines that an
    extended expression finds, and another does not."""
    chosen = (f" | grep -aE '{lines}'" if lines else "") + (f" | grep -avE '{without}'" if without else "")
    program = f"set -- {' '.join(files)}{_READ}{chosen} | tail -c {MOST}"
    return Command(("sh", "-c", program), ok=(0, 1), max_bytes=MOST, timeout=20, redact=Redact.SECRETS)
