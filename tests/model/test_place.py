"""Where a store is, as `--store` says it."""

import importlib.util
from pathlib import Path

import pytest

from driftscan.errors import UsageError
from driftscan.model.place import Place, parse

HERE = Path("/state")


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (None, Place(HERE)),
        ("", Place(HERE)),
        ("/srv/scans", Place(Path("/srv/scans"))),
        ("postgresql:odd", Place(Path("postgresql:odd"))),
        ("postgresql://db/driftscan", Place(HERE, "postgresql://db/driftscan")),
        ("postgres://db/driftscan", Place(HERE, "postgresql://db/driftscan")),
        ("postgresql+psycopg://u@db:5433/d?sslmode=require", Place(HERE, "postgresql://u@db:5433/d?sslmode=require")),
        ("postgresql:///d?host=/run/postgresql", Place(HERE, "postgresql:///d?host=/run/postgresql")),
    ],
)
def test_what_is_meant(given: str | None, expected: Place) -> None:
    assert parse(given, HERE) == expected


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("mysql://root:hunter2@db/d", r"mysql://\.\.\.: not a kind of store"),
        ("sqlite:///hunter2", "not a kind of store"),
        ("postgresql://u:hunter2@db:99999999/d", "cannot be read"),
        ("postgresql://u:hunter2@[db/d", "cannot be read"),
    ],
)
def test_what_is_not(given: str, told: str) -> None:
    with pytest.raises(UsageError, match=told) as caught:
        parse(given, HERE)
    assert "hunter2" not in f"{caught.value.message} {caught.value.hint}"


@pytest.mark.parametrize(
    ("store", "reports", "told"),
    [
        ("postgresql://db/d", "https://u:hunter2@b/x", r"https://\.\.\.: not a place for reports"),
        ("postgresql://db/d", "s3://", "not a place for reports"),
        ("postgresql://db/d", "s3://b/x?versionId=1", "not a place for reports"),
        ("/srv/scans", "s3://b/x", "only the reports of a database"),
        (None, "/srv/reports", "only the reports of a database"),
    ],
)
def test_where_reports_cannot_be(store: str | None, reports: str, told: str) -> None:
    with pytest.raises(UsageError, match=told) as caught:
        parse(store, HERE, reports)
    assert "hunter2" not in caught.value.message


def test_reports_elsewhere() -> None:
    """Below a name of the database's own there, too."""
    urls = ("postgresql://db/a", "postgresql://db/b")
    one, other = (parse(url, HERE, "s3://bucket/fleet/").bucket for url in urls)
    assert one.startswith("s3://bucket/fleet/db_a-")
    assert other.startswith("s3://bucket/fleet/db_b-")
    assert parse(urls[0], HERE, "s3://bucket").bucket == one.replace("/fleet/", "/")
    assert parse(urls[0], HERE, "").bucket == parse("/srv", HERE).bucket == ""
    folder = parse(urls[0], HERE, "/mnt/reports")
    assert folder.bucket == ""
    assert folder.blobs == Path("/mnt/reports") / one.rpartition("/")[2] / "blobs"


def test_without_its_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(UsageError, match="is not installed") as caught:
        parse("postgresql://db/d", HERE)
    assert caught.value.hint == "Install it: pip install 'driftscan[postgres]'."


def test_nobody_sees_who_and_with_what_password() -> None:
    place = Place(HERE, "postgresql://u:hunter2@db:5433/d?password=hunter3")
    assert str(place) == "postgresql://db:5433/d"
    assert "hunter" not in repr(place)
    assert str(Place(HERE)) == "/state"


def test_reports_of_each_database_lie_apart() -> None:
    """What one database does not refer to another may."""
    urls = ["//db/a", "//db/b", "//db:5433/a", "//other/a", "///a?host=/run/x", "//db/a?options=-csearch_path%3Dx"]
    places = {Place(HERE, f"postgresql:{url}").blobs for url in urls} | {Place(HERE).blobs}
    assert len(places) == len(urls) + 1
    assert all(place.is_relative_to(HERE) and ".." not in place.parts for place in places)
    same = [f"postgresql://{user}db/a?sslmode={mode}" for user in ("", "u:hunter2@") for mode in ("require", "disable")]
    assert len({Place(HERE, url).blobs for url in same}) == 1
    assert Place(HERE, "postgresql://db/../../etc").blobs.is_relative_to(HERE / "postgresql")
