"""Stores of both kinds: one suite runs on SQLite and on PostgreSQL."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from driftscan.model.place import Place
from driftscan.store import HostStates, Store
from tests.store.cluster import Cluster, cluster, programs


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Cluster]:
    """A server; started by the first test that asks, in each process of the tests."""
    found = programs()
    if found is None:
        pytest.skip("PostgreSQL is not installed (Debian: apt install postgresql)")
    with cluster(found) as made:
        yield made


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """Where nothing was ever stored."""
    directory = tmp_path / "state" / "driftscan"
    if request.param == "sqlite":
        return Place(directory)
    server: Cluster = request.getfixturevalue("postgresql")
    return Place(directory, server.schema())


@pytest.fixture
def store(place: Place) -> Store:
    """The scans of that place."""
    return Store(place)


@pytest.fixture
def states(place: Place) -> Iterator[HostStates]:
    """The states of that place."""
    found = HostStates(place)
    yield found
    found.close()
