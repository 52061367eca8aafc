"""A PostgreSQL server of the tests' own: on a socket in a directory, as a user without rights, gone with the tests."""

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg

USER = "postgres"
_SETTINGS = ("fsync=off", "full_page_writes=off", "listen_addresses=", "max_connections=40", "shared_buffers=16MB")


def programs() -> Path | None:
    """Where PostgreSQL's programs are: Debian keeps a folder for each version."""
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    found = shutil.which("initdb")
    return next((folder for folder in folders if (folder / "initdb").exists()), Path(found).parent if found else None)


class Cluster:
    """A running server."""

    def __init__(self, folder: Path, programs: Path) -> None:
        """An empty folder that the server's user can reach."""
        self.folder = folder
        self._data = folder / "data"
        self._programs = programs
        # The server refuses to be run by root.
        root = os.geteuid() == 0
        self._user = "nobody" if root else None
        self._group = "nogroup" if root else None
        self._schemas = 0
        self._server: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Make the files if there are none, and start the server."""
        if self._user:
            shutil.chown(self.folder, self._user, self._group)
        if not self._data.exists():
            self._make()
        settings = [word for setting in _SETTINGS for word in ("-c", setting)]
        command = [f"{self._programs}/postgres", "-D", f"{self._data}", "-k", f"{self.folder}", *settings]
        with (self.folder / "log").open("ab") as log:
            self._server = subprocess.Popen(
                command, stdout=log, stderr=log, cwd=self.folder, user=self._user, group=self._group
            )
        for _ in range(5000):
            if subprocess.run([self._programs / "pg_isready", "-q", "-h", self.folder], check=False).returncode == 0:
                return
            time.sleep(0.02)
        raise AssertionError((self.folder / "log").read_text())

    def stop(self) -> None:
        """End the server at once; what was committed is there when it starts again."""
        if self._server is not None:
            self._server.send_signal(3)  # SIGQUIT: immediate shutdown
            self._server.wait()
            self._server = None

    def schema(self) -> str:
        """The URL of an empty schema."""
        self._schemas += 1
        name = f"test_{self._schemas}"
        with psycopg.connect(self.url()) as connection:
            connection.execute(f"CREATE SCHEMA {name}")
        return f"{self.url()}&options=-csearch_path%3D{name}"

    def url(self, database: str = "postgres") -> str:
        """The URL of a database."""
        return f"postgresql:///{database}?host={self.folder}&user={USER}"

    def _make(self) -> None:
        words = ["--auth=trust", f"--username={USER}", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"]
        done = subprocess.run(
            [f"{self._programs}/initdb", "-D", f"{self._data}", *words],
            capture_output=True,
            cwd=self.folder,
            check=False,
            user=self._user,
            group=self._group,
        )
        assert done.returncode == 0, done.stderr.decode()


@contextmanager
def cluster(programs: Path) -> Iterator[Cluster]:
    """A server, for the time of the context."""
    # A socket's name must be short, and pytest's directories are closed to others.
    with TemporaryDirectory(prefix="driftscan-pg-") as folder:
        made = Cluster(Path(folder), programs)
        try:
            made.start()
            yield made
        finally:
            made.stop()
