"""Archives of `docker save` as targets, in the forms in which Docker, podman and skopeo, kaniko, and Bazel write
them."""

import hashlib
import json
import tarfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from driftscan.capture.image.layers import Unpacker
from driftscan.capture.image.saved import saved_layers
from driftscan.errors import IncompleteError, UsageError
from driftscan.scan.targets import resolve
from tests.images import layouts
from tests.images.layouts import member, tar
from tests.images.test_oci import RECORDED, names, taken

LAYERS = [tar([member("etc/one", data=b"1"), member("etc/gone")]), tar([member("etc/.wh.gone"), member("etc/two")])]
TREE = ["/etc", "/etc/one", "/etc/two"]
SAME = tarfile.SYMTYPE
Written = list[tuple[tarfile.TarInfo, bytes]]


def hex_of(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def config(tars: Sequence[bytes]) -> bytes:
    diff_ids = [f"sha256:{hex_of(data)}" for data in tars]
    return json.dumps({"os": "linux", "rootfs": {"type": "layers", "diff_ids": diff_ids}}).encode()


def image(name: str, layers: Sequence[str], *tags: str) -> dict[str, Any]:
    return {"Config": name, "RepoTags": list(tags) or None, "Layers": list(layers)}


def archive(path: Path, members: Written, *images: object) -> str:
    """An archive with a list of images; its path."""
    index = member("manifest.json", data=json.dumps(images).encode())
    path.write_bytes(tar([*members, index]))
    return str(path)


def of_docker(tars: Sequence[bytes]) -> tuple[Written, dict[str, Any]]:
    """Docker until 24: a directory for each layer; one that was there already is a link."""
    seen: dict[bytes, str] = {}
    members, paths = [], []
    for number, data in enumerate(tars):
        paths.append(f"{number:064x}/layer.tar")
        members.append(
            member(paths[-1], SAME, linkname=f"../{seen[data]}") if data in seen else member(paths[-1], data=data)
        )
        seen.setdefault(data, paths[-1])
    name = f"{hex_of(config(tars))}.json"
    return [*members, member(name, data=config(tars))], image(name, paths, "web:7")


def of_docker_25(tars: Sequence[bytes]) -> tuple[Written, dict[str, Any]]:
    """Docker since 25: blobs as in a layout, whose index stands there too."""
    blobs = [*tars, config(tars)]
    paths = [f"blobs/sha256/{hex_of(data)}" for data in blobs]
    members = [member(path, data=data) for path, data in zip(paths, blobs, strict=True)]
    return [*members, member("index.json", data=b"{}")], image(paths[-1], paths[:-1], "web:7")


def of_kaniko(tars: Sequence[bytes]) -> tuple[Written, dict[str, Any]]:
    """kaniko, crane, ko: layers of gzip, named by the digest of what is packed."""
    packed = [layouts.pressed(data, "gzip") for data in tars]
    members = [member(f"{hex_of(data)}.tar.gz", data=data) for data in packed]
    name = f"sha256:{hex_of(config(tars))}"
    found = [*members, member(name, data=config(tars))]
    return found, image(name, [info.name for info, _ in members], "index.docker.io/library/web:7")


def of_others(tars: Sequence[bytes]) -> tuple[Written, dict[str, Any]]:
    """Names that say nothing, hard links, a leading `./`."""
    members = [member("./layers/0", data=layouts.pressed(tars[0], "zstd")), member("layers/1", data=tars[1])]
    hard = member("layers/again", tarfile.LNKTYPE, linkname="layers/1")
    found = [*members, hard, member("./config", data=config(tars))]
    return found, image("config", ["layers/0", "./layers/again"], "localhost/web:7")


@pytest.mark.parametrize("form", [of_docker, of_docker_25, of_kaniko, of_others])
@pytest.mark.parametrize("name", ["", "web:7"])
def test_all_forms_give_their_tree(
    tmp_path: Path, form: Callable[[Sequence[bytes]], tuple[Written, dict[str, Any]]], name: str
) -> None:
    members, listed = form(LAYERS)
    path = archive(tmp_path / "saved.tar", members, listed)
    assert names(Unpacker().tree(saved_layers(path, name))) == TREE


def test_what_skopeo_wrote_is_as_umoci_unpacked_it() -> None:
    expected = [json.loads(line) for line in (RECORDED / "umoci.rows").read_text().splitlines()]
    found = taken(f"docker-archive:{RECORDED}/saved.tar:app:7").resources.of("file")
    assert [{"key": item.key, "attributes": dict(item.attributes)} for item in found] == expected


def test_a_layer_that_stands_twice_is_one_file_and_a_link(tmp_path: Path) -> None:
    members, listed = of_docker([LAYERS[0], LAYERS[1], LAYERS[0]])
    path = archive(tmp_path / "saved.tar", members, listed)
    assert names(Unpacker().tree(saved_layers(path, ""))) == sorted([*TREE, "/etc/gone"])


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("web:7", "/one"),
        ("team/web:7", "/one"),
        ("registry/team/web:7", "/one"),
        ("app", "/two"),
        (f"sha256:{hex_of(config([tar([member('two')])]))}", "/two"),
        (hex_of(config([tar([member("two")])])), "/two"),
        ("", "several images in the archive"),
        ("eb:7", "no such image in the archive"),
        ("web", "no such image in the archive"),
    ],
)
def test_one_of_several_images_is_named(tmp_path: Path, name: str, found: str) -> None:
    one, first = of_docker([tar([member("one")])])
    two, second = of_docker_25([tar([member("two")])])
    first["RepoTags"], second["RepoTags"] = ["registry/team/web:7"], ["app:latest", "app:2"]
    path = archive(tmp_path / "saved.tar", [*one, *two], first, second)
    if found.startswith("/"):
        assert names(Unpacker().tree(saved_layers(path, name))) == [found]
        return
    with pytest.raises(UsageError, match=found) as caught:
        saved_layers(path, name)
    assert "registry/team/web:7; app:latest, app:2" in caught.value.hint


def test_a_layer_of_another_content_is_refused(tmp_path: Path) -> None:
    for form in (of_docker, of_docker_25, of_kaniko):
        members, listed = form(LAYERS)
        other = of_docker([LAYERS[0], tar([member("etc/two", data=b"x")])])[0][1][1]
        changed = layouts.pressed(other, "gzip") if form is of_kaniko else other
        members[1][0].size, members[1] = len(changed), (members[1][0], changed)
        path = archive(tmp_path / "saved.tar", members, listed)
        with pytest.raises(IncompleteError, match=r"layer 2 of 2 \(sha256:\w+\): its tar is not that of its digest"):
            Unpacker().tree(saved_layers(path, ""))


CONFIG = f"{hex_of(config(LAYERS))}.json"


@pytest.mark.parametrize(
    ("members", "index", "why"),
    [
        ([], {}, "Layers is no list"),
        ([], "x", "no JSON object"),
        ([], image("c", ["l"], "a") | {"Layers": None}, "Layers is no list"),
        ([], image("c", ["l"], "a") | {"Layers": [1]}, "without paths"),
        ([], image("c", ["l"]) | {"RepoTags": {"a": 1}}, "RepoTags is no list"),
        ([], image("../../etc/passwd", ["l"]), "is missing"),
        ([member("c", data=b"[]")], image("c", ["l"]), "no JSON object"),
        ([member("c", data=b"{}")], image("c", ["l"]), "diff_ids is no list"),
        ([member("c", data=config(LAYERS))], image("c", ["l"]), "1 layers and its configuration 2"),
        ([member("c", data=config(LAYERS[:1]))], image("c", ["/etc/passwd"]), "/etc/passwd is missing in the archive"),
        ([member("c", data=config(LAYERS[:1])), member("l", SAME, linkname="l")], image("c", ["l"]), "is missing"),
        ([member("c", data=config(LAYERS[:1])), member("l", SAME, linkname="../../x")], image("c", ["l"]), "missing"),
        ([member(CONFIG, data=config(LAYERS) + b" ")], image(CONFIG, ["l"]), "not that of its digest"),
    ],
)
def test_a_broken_archive_is_wrong_input(tmp_path: Path, members: Written, index: object, why: str) -> None:
    path = archive(tmp_path / "saved.tar", members, index)
    with pytest.raises(UsageError, match=why):
        saved_layers(path, "")


def test_each_kind_of_file_says_how_it_is_named(tmp_path: Path) -> None:
    saved = archive(tmp_path / "saved.tar", *of_docker(LAYERS))
    layout = layouts.of_layers(tmp_path / "layout", [[member("a")]])
    with tarfile.open(tmp_path / "layout.tar", "w") as written:
        written.add(layout, ".")
    for word, hint in (
        (f"oci:{saved}", "Write docker-archive:FILE."),
        (f"docker-archive:{layout}.tar", f"write oci:{layout}.tar"),
    ):
        with pytest.raises(UsageError) as caught:
            taken(word)
        assert hint in caught.value.hint
    for word in (f"docker-archive:{layout}", "docker-archive:missing"):
        with pytest.raises(UsageError, match="directory") as caught:
            resolve([word], ())
        assert "docker-archive:FILE" in caught.value.hint
