"""Registries: the right manifest, or a word about why there is none."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from driftscan.errors import UsageError
from driftscan.manifests import files, registry
from driftscan.manifests._places import Bucket
from driftscan.model.manifest import Manifest, Provenance
from driftscan.model.resource import Resource
from driftscan.model.snapshot import ImageRef, Resources
from tests import awsserver


def manifest(image: str, version: str = "", build: str = "") -> Manifest:
    user = Resource("user", "root", {"uid": 0})
    return Manifest(
        image=ImageRef(image, version),
        provenance=Provenance(baked_at="2026-11-20T10:00:00Z", tool="driftscan 0.1.0", build_id=build),
        resources=Resources({user.id: user}),
        coverage=(),
    )


Put = Callable[[str, Manifest | bytes], object]


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with awsserver.running() as url:
        yield url


@pytest.fixture
def s3(server: str) -> Any:
    awsserver.reset(server)
    client: Any = boto3.client("s3", endpoint_url=server)
    client.create_bucket(Bucket="images", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    return client


@pytest.fixture(params=["directory", "s3"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, Put]:
    """A registry's location, and how to put something into it."""

    def encoded(value: Manifest | bytes) -> bytes:
        if isinstance(value, bytes):
            return value
        files.write_manifest(value, tmp_path / "one")
        return (tmp_path / "one").read_bytes()

    if request.param == "directory":
        folder = tmp_path / "manifests"
        folder.mkdir()
        return str(folder), lambda name, value: (folder / name).write_bytes(encoded(value))
    client = request.getfixturevalue("s3")
    return (
        "s3://images/prod",
        lambda name, value: client.put_object(Bucket="images", Key=f"prod/{name}", Body=encoded(value)),
    )


def test_several_versions_at_once(place: tuple[str, Put]) -> None:
    location, put = place
    put("a.manifest", manifest("web", "1"))
    put("b.manifest", manifest("web", "2"))
    put("c.manifest", manifest("ami-1"))
    put("d.manifest", manifest("", "9"))
    put("notes.txt", b"not looked at")
    held = registry.Registry(location)

    def found(image: str, version: str = "") -> ImageRef | None:
        answer = held.find(ImageRef(image, version))
        return answer.image if answer else None

    assert found("web", "1") == ImageRef("web", "1")
    assert found("web", "2") == ImageRef("web", "2")
    assert found("", "2") == ImageRef("web", "2")
    assert found("ami-1") == ImageRef("ami-1")
    assert found("ami-1", "7") == ImageRef("ami-1")
    assert found("other", "9") == ImageRef("", "9")
    assert found("web", "3") is None
    assert found("ami-2") is None
    assert found("") is None
    assert [os.path.basename(entry.name) for entry in held.entries()] == [f"{name}.manifest" for name in "abcd"]
    assert held.entries()[0].baked_at == "2026-11-20T10:00:00Z"
    with pytest.raises(UsageError, match=r"different manifests for image 'web': .*a\.manifest \(version 1\) and .*b\."):
        held.find(ImageRef("web"))


def test_an_entry_that_fits_wholly_goes_before_one_that_says_less(place: tuple[str, Put]) -> None:
    location, put = place
    put("a.manifest", manifest("web"))
    put("b.manifest", manifest("web", "1"))
    answer = registry.find(location, ImageRef("web", "1"))
    assert answer is not None
    assert answer.image.version == "1"


def test_two_different_manifests_of_one_image(place: tuple[str, Put]) -> None:
    location, put = place
    put("a.manifest", manifest("web", "1", build="x"))
    put("b.manifest", manifest("web", "1", build="y"))
    with pytest.raises(UsageError, match="different manifests for image 'web' version '1'") as caught:
        registry.find(location, ImageRef("web", "1"))
    assert caught.value.hint.startswith("Remove all but one")


def test_copies_of_one_manifest_are_no_conflict(place: tuple[str, Put]) -> None:
    location, put = place
    put("a.manifest", manifest("web", "1"))
    put("b.manifest", manifest("web", "1"))
    assert registry.find(location, ImageRef("web", "1")) is not None


def test_broken_entries_are_told(place: tuple[str, Put], caplog: pytest.LogCaptureFixture) -> None:
    location, put = place
    put("a.manifest", manifest("web", "1"))
    put("b.manifest", b"rubbish")
    put("c.manifest", b'{"format":"driftscan.manifest/7"}\n')
    put("d.manifest", b'{"format":"driftscan.manifest/1"}\n')
    put("e.manifest", b"")
    held = registry.Registry(location)
    assert held.find(ImageRef("web", "1")) is not None
    assert [
        record.getMessage().partition("passed over: ")[2]
        for record in caplog.records
        if record.name.startswith("driftscan")
    ] == [entry.problem for entry in held.entries() if entry.problem]
    problems = [entry.problem for entry in held.entries()]
    assert problems[0] == ""
    assert "b.manifest: is not driftscan.manifest/1" in problems[1]
    assert "c.manifest: is 'driftscan.manifest/7'; this driftscan" in problems[2]
    assert "d.manifest: its first line names no image" in problems[3]
    assert "e.manifest: is not driftscan.manifest/1" in problems[4]
    with pytest.raises(UsageError) as caught:
        held.find(ImageRef("web", "2"))
    assert caught.value.message.startswith("no manifest for image 'web' version '2' in ")
    assert len(caught.value.message.split("\n")) == 5


def test_a_manifest_that_is_damaged_below_its_first_line(place: tuple[str, Put], tmp_path: Path) -> None:
    location, put = place
    files.write_manifest(manifest("web", "1"), tmp_path / "m")
    put("a.manifest", (tmp_path / "m").read_bytes().replace(b'"uid":0', b'"uid":1'))
    with pytest.raises(UsageError, match=r"a\.manifest: was changed or damaged"):
        registry.find(location, ImageRef("web", "1"))


def test_an_empty_registry(place: tuple[str, Put]) -> None:
    location, _ = place
    assert registry.entries(location) == ()
    assert registry.find(location, ImageRef("web", "1")) is None


def test_one_file_is_a_registry_of_one(tmp_path: Path) -> None:
    files.write_manifest(manifest("web", "1"), tmp_path / "any name")
    assert registry.find(str(tmp_path / "any name"), ImageRef("web", "1")) is not None


def test_what_is_no_registry(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="none: no registry: No such file"):
        registry.entries(str(tmp_path / "none"))
    with pytest.raises(UsageError, match="'https://x/y' is no registry"):
        registry.entries("https://x/y")


def test_a_dangling_link_a_directory_and_a_pipe_are_told(tmp_path: Path) -> None:
    (tmp_path / "a.manifest").symlink_to("nowhere")
    (tmp_path / "b.manifest").mkdir()
    os.mkfifo(tmp_path / "c.manifest")
    problems = [entry.problem.rpartition("/")[2] for entry in registry.entries(str(tmp_path))]
    assert problems == [
        "a.manifest: cannot be read: No such file or directory",
        "b.manifest: is not a regular file",
        "c.manifest: is not a regular file",
    ]


def test_what_is_too_large_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files.write_manifest(manifest("web", "1"), tmp_path / "a.manifest")
    monkeypatch.setattr(registry, "MAX_FILE", 10)
    with pytest.raises(UsageError, match=r"a\.manifest: larger than"):
        registry.find(str(tmp_path), ImageRef("web", "1"))


def test_a_manifest_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files.write_manifest(manifest("web", "1"), tmp_path / "a.manifest")
    held = registry.Registry(str(tmp_path))
    first = held.find(ImageRef("web", "1"))
    monkeypatch.setattr(files, "parse_manifest", None)
    assert held.find(ImageRef("web", "1")) is first


def test_a_prefix_is_a_folder_or_an_object(s3: Any, tmp_path: Path) -> None:
    files.write_manifest(manifest("web", "1"), tmp_path / "m")
    for key in ("web/a.manifest", "web-old/b.manifest", "web/deep/c.manifest", "web2.manifest", "web"):
        s3.put_object(Bucket="images", Key=key, Body=(tmp_path / "m").read_bytes())

    def names(location: str) -> list[str]:
        return [entry.name for entry in registry.entries(location)]

    assert names("s3://images/web/") == ["s3://images/web/a.manifest"]
    assert names("s3://images/web") == ["s3://images/web", "s3://images/web/a.manifest"]
    assert names("s3://images/web-old/b.manifest") == ["s3://images/web-old/b.manifest"]
    assert names("s3://images") == ["s3://images/web2.manifest"]
    assert names("s3://images/") == ["s3://images/web2.manifest"]


def test_objects_are_fetched_once_as_long_as_they_stay_the_same(
    s3: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetched: list[str] = []
    get = Bucket._get

    def counted(self: Bucket, item: Any, **options: str) -> bytes:
        fetched.append("head" if options else "body")
        return get(self, item, **options)

    monkeypatch.setattr(Bucket, "_get", counted)

    def look(version: str) -> Manifest | None:
        return registry.find("s3://images/", ImageRef("web", version), tmp_path / "cache")

    files.write_manifest(manifest("web", "1"), tmp_path / "m")
    s3.put_object(Bucket="images", Key="m.manifest", Body=(tmp_path / "m").read_bytes())
    assert look("1") is not None
    assert look("1") is not None
    assert fetched == ["head", "body"]
    (cached,) = (tmp_path / "cache").iterdir()
    cached.write_bytes(cached.read_bytes().replace(b'"uid":0', b'"uid":1'))
    assert look("1") is not None
    assert fetched == ["head", "body"] * 2
    files.write_manifest(manifest("web", "2"), tmp_path / "m")
    s3.put_object(Bucket="images", Key="m.manifest", Body=(tmp_path / "m").read_bytes())
    assert look("1") is None
    assert look("2") is not None
    assert fetched == ["head", "body"] * 2 + ["head", "head", "body"]


def test_a_cache_that_cannot_be_written_is_no_hindrance(s3: Any, tmp_path: Path) -> None:
    files.write_manifest(manifest("web", "1"), tmp_path / "m")
    s3.put_object(Bucket="images", Key="m.manifest", Body=(tmp_path / "m").read_bytes())
    assert registry.find("s3://images/", ImageRef("web", "1"), tmp_path / "m" / "cache") is not None


def test_no_such_bucket(s3: Any) -> None:
    with pytest.raises(UsageError, match="AWS refuses s3:ListObjectsV2: NoSuchBucket"):
        registry.entries("s3://nowhere/")
