"""What processes run although its file is gone, as the Python worker tells it; test_shell_worker.py has the other."""

import hashlib
import os
import select
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from driftscan.capture.live import ProbeSession
from driftscan.capture.probe import loaded
from driftscan.model.source import Processes, Status
from driftscan.transports.local import LocalTransport
from tests.capture.loading import EXPECTED, loader, text, told


@pytest.fixture(scope="module")
def loading() -> Iterator[tuple[int, Path]]:
    with loader() as found:
        yield found


@pytest.fixture(scope="module")
def pid(loading: tuple[int, Path]) -> int:
    return loading[0]


@pytest.mark.skipif(os.geteuid() != 0, reason="root alone may read what is mapped")
def test_python_tells_what_is_gone_and_what_it_holds(loading: tuple[int, Path]) -> None:
    pid, folder = loading
    session = ProbeSession(LocalTransport(), "/", time.monotonic() + 600)
    found = session.ask([Processes()])[Processes()]
    session.close()
    row = next(row for row in found.processes if row.pid == pid)
    assert (row.looked, row.apart) == (Status.OK, False)
    assert told(row, folder) == {
        name: (fate, hashlib.sha256(text(name)).hexdigest()) for name, fate in EXPECTED.items()
    }


@pytest.mark.parametrize(("limit", "most"), [("MOST_OF_MAPS", 100), ("MOST_LOADED", 2), ("MOST_OF_PATHS", 40)])
def test_what_is_beyond_a_limit_is_told(limit: str, most: int, pid: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loaded, limit, most)
    status, _, files = loaded.loaded_by([pid])[pid]
    assert status == b"truncated"
    assert len(files) <= 2


def test_no_more_content_is_read_than_may_be(pid: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loaded, "MOST_CONTENT", 5000)
    _, _, files = loaded.loaded_by([pid])[pid]
    assert sum(digest == b"-" for _, digest, _, _ in files) >= len(EXPECTED) - 1


def test_who_keeps_us_waiting_is_left_out(pid: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the mappings of a process do whose memory is locked while a file system does not answer."""
    look = loaded.Mappings.look
    waiting, told = os.pipe()

    def slow(self: loaded.Mappings, base: bytes, files: list[tuple[bytes, bytes, bytes, bytes]]) -> bytes:
        if base == b"/proc/%d/" % os.getppid():
            os.write(told, b".")
            time.sleep(600)
        return look(self, base, files)

    def silent(reading: list[int], _writing: object, _failed: object, seconds: float) -> tuple[list[int], ...]:
        """Silence is over once nothing is left to read and it sleeps: a busy machine keeps us waiting, too."""
        assert seconds == loaded.SILENCE
        ready = select.select([*reading, waiting], [], [])[0]
        if ready == [waiting]:
            os.read(waiting, 1)
        return [each for each in ready if each != waiting], [], []

    monkeypatch.setattr(loaded.Mappings, "look", slow)
    monkeypatch.setattr(loaded, "select", SimpleNamespace(select=silent))
    ended = 1 << 23
    found = loaded.loaded_by([os.getpid(), ended, pid])
    assert found[os.getpid()] == (b"timed_out", False, [])
    assert found[ended] == (b"ok", False, [])
    assert found[pid][0] == b"ok"
    monkeypatch.setattr(loaded, "MOST_SILENT", 1)
    assert loaded.loaded_by([os.getpid(), pid])[pid] == (b"timed_out", False, [])
    os.close(waiting)
    os.close(told)
