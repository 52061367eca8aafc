"""Bytes by their SHA-256 in S3: `s3://bucket/prefix/ab/cdef...`, checked whenever they are read."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cached_property
from itertools import islice
from typing import Any

from driftscan import aws
from driftscan.errors import IncompleteError, UsageError
from driftscan.model.codec import digest as digest_of
from driftscan.model.names import show
from driftscan.store._blobs import Old, hexadecimal

MOST_AT_ONCE = 1000
"""Keys that one DeleteObjects takes (Amazon S3 API Reference)."""
_USUAL = aws.Patience(connect=10, read=30, attempts=3)
"""A scan that has ended waits for its report to be kept: not for long, if the service is down."""
_BRIEF = aws.Patience(connect=5, read=10, attempts=1)
"""Within a turn, for which others wait `BUSY_SECONDS`."""


class Bucket:
    """What `Blobs` is, for scanners on several machines. An object is there whole or not at all."""

    def __init__(self, location: str) -> None:
        """`s3://bucket/prefix`. Nothing is asked yet."""
        self._location = location
        self._bucket, _, self._prefix = location.removeprefix("s3://").partition("/")

    @cached_property
    def _client(self) -> Any:
        return aws.client("s3", patience=_USUAL)

    @cached_property
    def _brief(self) -> Any:
        return aws.client("s3", patience=_BRIEF)

    def put(self, data: bytes) -> str:
        """See `Blobs`. It is written again where it is there, which makes it new (`old`)."""
        digest = digest_of(data)
        with self._told(), aws.explained("s3"):
            self._client.put_object(Bucket=self._bucket, Key=self._key(digest), Body=data)
        return digest

    def get(self, digest: str) -> bytes:
        """See `Blobs`."""
        key = self._key(digest)
        if not self.has(digest):
            raise IncompleteError(f"{self._named(key)}: no such blob", "It was removed from the bucket.")
        with self._told(), aws.explained("s3"):
            data: bytes = self._client.get_object(Bucket=self._bucket, Key=key)["Body"].read()
        if digest_of(data) != digest:
            raise IncompleteError(f"{self._named(key)}: the blob is damaged", "Remove it.")
        return data

    def has(self, digest: str) -> bool:
        """See `Blobs`."""
        key = self._key(digest)
        return any(item["Key"] == key for item in self._listed(key))

    def old(self, before: float) -> Iterator[list[Old]]:
        """See `Blobs`. What is no digest is somebody else's and stays."""
        found = self._old(before)
        while part := list(islice(found, MOST_AT_ONCE)):
            yield part

    def _old(self, before: float) -> Iterator[Old]:
        for item in self._listed(f"{self._prefix}/"):
            digest = "sha256:" + item["Key"].removeprefix(f"{self._prefix}/").replace("/", "")
            if item["LastModified"].timestamp() < before and self._is_ours(digest, item["Key"]):
                yield Old(digest, item["Key"], item["Size"])

    def _is_ours(self, digest: str, key: str) -> bool:
        try:
            return self._key(digest) == key
        except UsageError:
            return False

    def remove(self, unwanted: Iterable[Old], _before: float) -> tuple[int, int]:
        """See `Blobs`; at most as many as `old` gives at once, in some seconds or not at all. One that is put again
        meanwhile goes, too: who stores a scan looks after that whether its report is there (`Store.save`)."""
        named = {each.name: each for each in unwanted}
        if not named:
            return 0, 0
        wanted = {"Objects": [{"Key": name} for name in named], "Quiet": True}
        with self._told(), aws.explained("s3"):
            left = self._brief.delete_objects(Bucket=self._bucket, Delete=wanted).get("Errors", [])
        if left:
            why = f"{left[0].get('Code', '')}: {left[0].get('Message', '')}"
            hint = "Allow s3:DeleteObject in the IAM policy of these credentials; the next prune removes the rest."
            raise IncompleteError(f"{self._named(str(left[0].get('Key', '')))}: cannot be removed: {show(why)}", hint)
        return len(named), sum(each.size for each in named.values())

    def _listed(self, prefix: str) -> Iterator[dict[str, Any]]:
        with self._told():
            yield from aws.paginate(self._client, "list_objects_v2", "Contents", Bucket=self._bucket, Prefix=prefix)

    def _key(self, digest: str) -> str:
        name = hexadecimal(digest)
        return f"{self._prefix}/{name[:2]}/{name[2:]}"

    def _named(self, key: str) -> str:
        return show(f"s3://{self._bucket}/{key}")

    @contextmanager
    def _told(self) -> Iterator[None]:
        """The store cannot be read or written: that is no wrong input."""
        try:
            yield
        except UsageError as error:
            raise IncompleteError(f"{show(self._location)}: {error.message}", error.hint) from error
