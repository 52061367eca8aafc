"""What is PostgreSQL's own: a server that is away, rights, encodings, waiting for others."""

import psycopg
import pytest

from driftscan.errors import IncompleteError
from driftscan.model.place import Place
from driftscan.model.state import HostState
from driftscan.store import HostStates, Store, _database, _postgresql
from tests.store.cluster import Cluster
from tests.store.scans import host, scan


@pytest.fixture
def place(postgresql: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Place:
    return Place(tmp_path_factory.mktemp("state"), postgresql.schema())


def test_a_server_that_is_away(place: Place) -> None:
    away = Place(place.directory, "postgresql://scanner:hunter2@127.0.0.1:1/scans")
    with pytest.raises(IncompleteError, match=r"postgresql://127\.0\.0\.1:1/scans: .*refused") as caught:
        Store(away).scans()
    assert "hunter2" not in caught.value.message
    assert caught.value.hint is not None
    assert "PGPASSWORD" in caught.value.hint


@pytest.mark.parametrize(
    "url",
    [
        "postgresql:///d?host=/nowhere&user=u&password=hunter2&nonsense=1",
        "postgresql://u:hunter2@/d?host=/nowhere&nonsense=1",
        "postgresql://u:hunter2%zz@127.0.0.1:1/d",
        "postgresql://u:hunter%32@127.0.0.1:1/d",
    ],
)
def test_whatever_is_wrong_with_a_url_its_password_is_not_told(place: Place, url: str) -> None:
    with pytest.raises(IncompleteError) as caught:
        Store(Place(place.directory, url)).scans()
    told = f"{caught.value.message} {caught.value.hint}"
    assert "hunter2" not in told
    assert "hunter%32" not in told


def test_an_encoding_that_cannot_hold_every_name(place: Place, postgresql: Cluster) -> None:
    with psycopg.connect(postgresql.url(), autocommit=True) as connection:
        connection.execute("CREATE DATABASE latin ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0")
    with pytest.raises(IncompleteError, match="its encoding is LATIN1"):
        Store(Place(place.directory, postgresql.url("latin"))).save(scan(1), b"")


def test_a_user_without_rights(place: Place, postgresql: Cluster) -> None:
    with psycopg.connect(postgresql.url()) as connection:
        connection.execute("CREATE ROLE guest LOGIN")
    url = place.database.replace("user=postgres", "user=guest")
    with pytest.raises(IncompleteError, match=r"permission denied|no schema has been selected") as caught:
        Store(Place(place.directory, url)).save(scan(1), b"")
    assert caught.value.hint is not None
    assert "rights" in caught.value.hint


def test_a_writer_that_waits_too_long_is_told(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store(place)
    store.save(scan(1, host("a")), b"")
    with psycopg.connect(place.database) as connection:
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (_postgresql.LOCK,))
        monkeypatch.setattr(_database, "BUSY_SECONDS", 0.1)
        with pytest.raises(IncompleteError, match="lock timeout"):
            store.save(scan(2), b"")
    store.save(scan(2), b"")


def test_a_server_that_was_restarted_between_two_hosts(place: Place) -> None:
    """The host whose turn it was loses its state, and the next one finds the server again."""
    states = HostStates(place)
    states.save("a", HostState(key=b"k" * 32), None)
    with psycopg.connect(place.database, autocommit=True) as connection:
        ended = "SELECT pg_terminate_backend(pid, 600000) FROM pg_stat_activity WHERE application_name = 'driftscan'"
        connection.execute(ended.encode())
    with pytest.raises(IncompleteError, match="terminating connection"):
        states.load("a")
    assert states.load("a") == HostState(key=b"k" * 32)
    states.close()
