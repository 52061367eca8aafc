"""Debian's AIDE as the judge of what differs between two trees."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.fleet.bed.shell import attempt, run

# A directory's size is how the file system stores it, not something that anybody changed; an
# overlay answers differently for the same directory once something in it was copied up.
_CONFIGURATION = """\
database_in=file:{database}
database_out=file:{database}
gzip_dbout=no
root_prefix={root}
report_format=json
report_level=list_entries
report_url=stdout
{excluded}Directory = ftype+p+u+g+acl+xattrs
Other = ftype+p+u+g+s+l+acl+xattrs+caps+sha256
/ d Directory
/ f,l,c,b,p,s Other
"""
# AIDE's exit status is the sum of these when differences are all it found.
_DIFFERENT = {0, 1, 2, 3, 4, 5, 6, 7}


@dataclass(frozen=True)
class Sets:
    added: frozenset[str]
    removed: frozenset[str]
    modified: frozenset[str]


class Aide:
    """`excluded`: trees that it leaves out, as absolute paths below the root."""

    def __init__(self, work: Path, excluded: Sequence[str] = ()) -> None:
        self.work = work
        self.excluded = excluded

    def record(self, root: Path) -> None:
        run("aide", "--config", self._configuration(root), "--init")

    def check(self, root: Path) -> Sets:
        done = attempt("aide", "--config", self._configuration(root), "--check")
        assert done.returncode in _DIFFERENT, done.stderr
        report = json.loads(done.stdout)
        return Sets(*(frozenset(map(_key, report.get(part, {}))) for part in ("added", "removed", "changed")))

    def _configuration(self, root: Path) -> str:
        path = self.work / "aide.conf"
        excluded = "".join(f"!{tree}/\n" for tree in self.excluded)
        text = _CONFIGURATION.format(database=self.work / "aide.db", root=root, excluded=excluded)
        path.write_text(text)
        return str(path)


def _key(path: str) -> str:
    """AIDE's path, in the contract's spelling: a backslash doubled, stray bytes as hex."""
    spelt = path.replace("\\", "\\\\")
    return "".join(f"\\x{ord(c) - 0xDC00:02x}" if 0xDC80 <= ord(c) <= 0xDCFF else c for c in spelt)
