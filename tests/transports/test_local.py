"""Programs on this machine: what they leave behind does no harm."""

import os
import time
from pathlib import Path

from driftscan.transports.local import LocalChannel


def test_what_has_left_the_session_may_write_after_the_end(tmp_path: Path) -> None:
    """A daemon keeps the standard error that it was started with. (An exception in a thread would fail this test.)"""
    os.mkfifo(tmp_path / "over")
    daemon = f"echo begun; exec >&2; read x <{tmp_path}/over; echo late"
    channel = LocalChannel(["/bin/sh", "-c", f"setsid sh -c '{daemon}' & exec cat"])
    assert channel.read(time.monotonic() + 60) == b"begun\n"
    channel.close()
    (tmp_path / "over").write_text("\n")
    channel._drainer.join(60)
    assert channel._stderr == b"late\n"
