"""Reports in S3, for scanners on several machines that share a database."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from driftscan.errors import IncompleteError
from driftscan.model.event import EventKind
from driftscan.model.place import Place
from driftscan.store import Retention, Store, _bucket, _database
from driftscan.store._blobs import Old
from driftscan.store._bucket import Bucket
from tests import awsserver
from tests.store.cluster import Cluster
from tests.store.scans import host, scan

LATER = time.time() + 10 * 86400
BASE = "s3://reports/fleet"


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with awsserver.running() as url:
        yield url


@pytest.fixture
def s3(server: str) -> Any:
    awsserver.reset(server)
    client: Any = boto3.client("s3", endpoint_url=server)
    client.create_bucket(Bucket="reports", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    return client


def keys(s3: Any) -> list[str]:
    return [item["Key"] for item in s3.list_objects_v2(Bucket="reports").get("Contents", ())]


def test_what_comes_out_went_in(s3: Any) -> None:
    bucket = Bucket(BASE)
    digest = bucket.put(b"hello\n")
    assert bucket.put(b"hello\n") == digest
    assert bucket.has(digest)
    assert Bucket(BASE).get(digest) == b"hello\n"
    name = "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03"  # sha256sum of it
    assert keys(s3) == [f"fleet/{name[:2]}/{name[2:]}"]


def test_one_that_is_damaged_or_gone(s3: Any) -> None:
    bucket = Bucket(BASE)
    digest = bucket.put(b"data")
    s3.put_object(Bucket="reports", Key=keys(s3)[0], Body=b"daft")
    with pytest.raises(IncompleteError, match=r"s3://reports/fleet/.*: the blob is damaged"):
        bucket.get(digest)
    s3.delete_object(Bucket="reports", Key=keys(s3)[0])
    assert not bucket.has(digest)
    with pytest.raises(IncompleteError, match=r"s3://reports/fleet/.*: no such blob"):
        bucket.get(digest)


def test_no_such_bucket_is_no_wrong_input(s3: Any) -> None:
    """A scan goes on without its store."""
    with pytest.raises(IncompleteError, match="s3://nobodys/x: AWS refuses s3:PutObject: NoSuchBucket"):
        Bucket("s3://nobodys/x").put(b"x")
    with pytest.raises(IncompleteError, match="s3://nobodys/x: AWS refuses s3:ListObjectsV2: NoSuchBucket"):
        list(Bucket("s3://nobodys/x").old(LATER))


def test_what_is_not_ours_is_never_old(s3: Any) -> None:
    bucket = Bucket(BASE)
    bucket.put(b"x")
    (ours,) = keys(s3)
    others = ["fleet-2/" + ours.removeprefix("fleet/"), "fleet/readme", "fleet/" + ours.removeprefix("fleet/")[3:]]
    for key in others:
        s3.put_object(Bucket="reports", Key=key, Body=b"x")
    assert [[each.name for each in part] for part in bucket.old(LATER)] == [[ours]]
    assert list(bucket.old(time.time() - 3600)) == []


def test_what_s3_does_not_remove_is_said(s3: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    bucket = Bucket(BASE)
    refused = {"Errors": [{"Key": "fleet/ab/c", "Code": "AccessDenied", "Message": "Access Denied"}]}
    monkeypatch.setattr(bucket._brief, "delete_objects", lambda **_: refused)
    with pytest.raises(IncompleteError, match="fleet/ab/c: cannot be removed: AccessDenied: Access Denied"):
        bucket.remove([Old("sha256:x", "fleet/ab/c", 1)], 0)


@pytest.fixture
def shared(s3: Any, postgresql: Cluster, tmp_path: Path) -> tuple[Store, Store]:
    """Two scanners on machines of their own."""
    url = postgresql.schema()
    return Store(Place(tmp_path / "one", url, BASE)), Store(Place(tmp_path / "two", url, BASE))


def test_one_scanner_reads_and_prunes_what_another_stored(shared: tuple[Store, Store], s3: Any) -> None:
    one, two = shared
    for number in range(1, 4):
        one.save(scan(number, host("web-1", "F-1")), b"report %d" % number)
    two.blobs.put(b"of a scan that is about to be stored")
    assert two.report(two.scans()[-1]) == b"report 1"
    assert two.prune(Retention(scans=1), time.time()).reports == 0
    gone = two.prune(Retention(scans=1), LATER)
    assert (gone.reports, len(keys(s3))) == (3, 1)
    assert one.report(one.scans()[0]) == b"report 3"
    assert not list(one.directory.rglob("*"))


def test_a_report_that_is_pruned_while_its_scan_waits_is_put_again(
    shared: tuple[Store, Store], s3: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = shared
    put = one.blobs.put

    def pruned(data: bytes) -> str:
        monkeypatch.setattr(one.blobs, "put", put)
        digest = put(data)
        assert two.prune(Retention(), LATER).reports == 1
        return digest

    monkeypatch.setattr(one.blobs, "put", pruned)
    one.save(scan(1, host("web-1", "F-1")), b"report")
    assert two.report(two.scans()[0]) == b"report"


def test_nobody_waits_while_s3_is_asked(shared: tuple[Store, Store], monkeypatch: pytest.MonkeyPatch) -> None:
    """It may be slow, or dead; what was committed before it died is kept."""
    one, two = shared
    monkeypatch.setattr(_database, "BUSY_SECONDS", 0.2)
    asked = []

    def put(data: bytes, put: Callable[[bytes], str] = one.blobs.put) -> str:
        with two._database.write():
            asked.append("put")
        return put(data)

    def has(_digest: str) -> bool:
        with two._database.write():
            asked.append("has")
        raise IncompleteError("s3 died meanwhile")

    monkeypatch.setattr(one.blobs, "put", put)
    monkeypatch.setattr(one.blobs, "has", has)
    (told,) = one.save(scan(1, host("web-1", "F-1")), b"report")
    assert asked == ["put", "has"]
    assert told.kind is EventKind.ADOPTED
    assert two.report(two.scans()[0]) == b"report"


def test_a_report_that_cannot_be_put_is_referred_to_by_nothing(
    shared: tuple[Store, Store], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = shared
    monkeypatch.setattr(one.blobs, "_bucket", "nobodys")
    with pytest.raises(IncompleteError, match="NoSuchBucket"):
        one.save(scan(1, host("web-1", "F-1")), b"report")
    assert two.scans() == []


def test_a_prune_asks_s3_for_less_time_than_others_wait_for_it() -> None:
    assert (_bucket._BRIEF.connect + _bucket._BRIEF.read) * _bucket._BRIEF.attempts < _database.BUSY_SECONDS
