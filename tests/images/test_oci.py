"""OCI layouts as targets: the facts that the unpacked image gives, and no image is taken that cannot be read whole."""

import hashlib
import io
import json
import os
import random
import shutil
import tarfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from driftscan.capture.image import headers
from driftscan.capture.image.layers import Unpacker
from driftscan.capture.image.layout import layers_of
from driftscan.capture.image.tree import Tree
from driftscan.capture.oci import open_oci
from driftscan.errors import HostError, IncompleteError, UsageError
from driftscan.model.lines import Held
from driftscan.model.snapshot import Snapshot
from driftscan.model.source import Command, File, Glob, Status
from driftscan.scan.observe import take_snapshot
from driftscan.scan.options import ScanOptions
from driftscan.scan.targets import resolve, split_layout
from tests.images import layouts
from tests.images.layouts import Layout, member, tar

RECORDED = Path(__file__).parent / "recorded"
DIR, LINK, HARD = tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE
Members = Iterable[tuple[tarfile.TarInfo, bytes]]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A tree with files of every type that this user can make, and names of any bytes."""
    root = tmp_path / "root"
    for path, text in {
        "etc/passwd": "root:x:0:0:root:/root:/bin/bash\nwww:x:33:33::/var/www:/usr/sbin/nologin\n",
        "etc/group": "root:x:0:\nwww:x:33:\n",
        "etc/shadow": "root:$y$secret:1:0:99999:7:::\n",
        "etc/os-release": 'ID=debian\nVERSION_ID="12"\n',
        "etc/crontab": "5 4 * * * root /usr/bin/curl x\n",
        "etc/empty": "",
        "usr/bin/curl": "binary" * 100_000,
        "var/lib/dpkg/status": "Package: curl\nStatus: install ok installed\nArchitecture: amd64\nVersion: 7\n\n",
        "var/lib/dpkg/info/curl.list": "/.\n/usr\n/usr/bin\n/usr/bin/curl\n",
        f"opt/{'d' * 90}/{'e' * 90}/{'f' * 200}": "long",
    }.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    (root / "usr/bin/curl").chmod(0o4755)
    (root / "etc/shadow").chmod(0o640)
    os.link(root / "usr/bin/curl", root / "usr/bin/wget")
    (root / "bin").symlink_to("usr/bin")
    (root / "etc/absolute").symlink_to("/etc/passwd")
    (root / "etc/outside").symlink_to("../../../../../../etc/hostname")
    (root / "etc/loop").symlink_to("loop")
    os.mkfifo(root / "etc/fifo")
    os.setxattr(root / "etc/empty", "user.note", b"a=b,c\n\xff")
    os.utime(root / "etc/passwd", ns=(1, 1_700_000_000_123_456_789))
    for name in (b"new\nline", b"bad\xff\xfe", b"esc\x1b[31m", b"back\\slash", b" "):
        Path(os.fsdecode(os.fsencode(root) + b"/etc/" + name)).write_bytes(name)
    if os.geteuid() == 0:
        os.mknod(root / "etc/null", 0o020666, os.makedev(1, 3))
        os.chown(root / "etc/empty", 1000, 70_000)
        os.setxattr(
            root / "usr/bin/curl", "security.capability", bytes.fromhex("0100000200200000000000000000000000000000")
        )
    return root


def taken(word: str) -> Snapshot:
    return take_snapshot(resolve([word], ())[0], ScanOptions())


def seen(snapshot: Snapshot) -> dict[tuple[str, str], tuple[object, object]]:
    """All facts with the times of files."""
    return {
        (item.kind, item.key): (dict(item.attributes), item.observed.get("mtime"))
        for kind in snapshot.resources.kinds()
        for item in snapshot.resources.of(kind)
    }


def tree_of(*layers: Members) -> Tree:
    tree = Tree()
    for number, members in enumerate(layers):
        tree.add(Held("layer", tar(members)), f"sha256:{number}")
    tree.finish()
    return tree


def names(tree: Tree, where: bytes = b"") -> list[str]:
    """All paths of a tree."""
    found = []
    for name in tree.names(where or b"/"):
        found.append(os.fsdecode(where + b"/" + name))
        if tree.find(where + b"/" + name).kind == "d":
            found += names(tree, where + b"/" + name)
    return found


@pytest.mark.parametrize("compression", ["gzip", "zstd", ""])
def test_an_image_gives_the_facts_that_its_unpacked_tree_gives(root: Path, tmp_path: Path, compression: str) -> None:
    layouts.of_tree(tmp_path / "image", root, compression=compression)
    image, unpacked = taken(f"oci:{tmp_path}/image"), taken(f"rootfs:{root}")
    assert seen(image) == seen(unpacked)
    assert image.files == unpacked.files
    assert [(each.name, each.status, each.gaps) for each in image.coverage] == [
        (each.name, each.status, each.gaps) for each in unpacked.coverage
    ]
    assert image.source_digests == unpacked.source_digests
    assert (image.texts, image.package_files) == (unpacked.texts, unpacked.package_files)
    assert not image.live


def test_what_umoci_wrote_is_as_umoci_unpacked_it() -> None:
    """But for times, of which it writes seconds."""
    expected = [json.loads(line) for line in (RECORDED / "umoci.rows").read_text().splitlines()]
    found = taken(f"oci:{RECORDED}/umoci:next").resources.of("file")
    rows = [{"key": item.key, "attributes": dict(item.attributes)} for item in found]
    assert rows == expected


def test_upper_layers_take_away_replace_and_add() -> None:
    lower = [
        member("etc", DIR), member("etc/keep", data=b"1"), member("etc/gone"), member("etc/d", DIR), member("etc/d/x"),
        member("opt", DIR), member("opt/old"), member("opt/sub", DIR), member("opt/sub/deep"), member("bin", DIR),
        member("bin/sh", mode=0o755), member("lib", LINK, linkname="usr/lib"), member("usr/lib/a", data=b"a"),
    ]  # fmt: skip
    upper = [
        member("etc/.wh.gone"), member("etc/.wh.d"), member("etc/d", DIR, mode=0o700), member("etc/d/y"),
        member("opt/sub", DIR), member("opt/sub/fresh"), member("opt/.wh..wh..opq"), member("bin"),
        member("lib/b", data=b"b"), member("usr/hard", HARD, linkname="usr/lib/a"), member(".wh..wh.plnk/1.2"),
        member("no/.wh.where"),
    ]  # fmt: skip
    tree = tree_of(lower, upper)
    assert names(tree) == [
        "/bin", "/etc", "/etc/d", "/etc/d/y", "/etc/keep", "/lib", "/opt", "/opt/sub", "/opt/sub/fresh", "/usr",
        "/usr/hard", "/usr/lib", "/usr/lib/a", "/usr/lib/b",
    ]  # fmt: skip
    assert tree.lstat(b"/etc/d").st_mode == 0o040700
    assert tree.lstat(b"/bin").st_mode == 0o100644
    assert tree.lstat(b"/usr/hard").st_nlink == 2
    assert tree.read(b"/lib/../hard", 10)[0] == b"a"


def test_a_name_of_a_file_is_taken_away_and_its_others_stay() -> None:
    """Hard links within a layer and to a lower one; the upper layer gives the file another mode and a capability."""
    capability = {"SCHILY.xattr.security.capability": "\x01\x00\x00\x02"}
    lower = [member("a", data=b"1"), member("b", HARD, linkname="a"), member("null", tarfile.CHRTYPE, devmajor=1)]
    middle = [member(".wh.a"), member("c", HARD, linkname="./b", mode=0o4755, pax_headers=capability)]
    tree = tree_of(lower, middle, [member(".wh.b"), member("a", data=b"other")])
    assert names(tree) == ["/a", "/c", "/null"]
    status = tree.lstat(b"/c")
    assert (tree.read(b"/c", 9)[0], status.st_mode, status.st_nlink) == (b"1", 0o104755, 1)
    assert b"security.capability" in tree.find(b"/c").extended()
    assert tree.lstat(b"/null").st_mode == 0o020644
    assert tree.read(b"/a", 9)[0] == b"other"


def test_the_last_of_several_members_of_one_name_counts() -> None:
    tree = tree_of([member("a", data=b"1"), member("a", data=b"22"), member("./a", data=b"333", uid=7)])
    assert (tree.read(b"/a", 9)[0], tree.lstat(b"/a").st_uid, names(tree)) == (b"333", 7, ["/a"])


def test_no_name_and_no_link_leads_out(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("outside")
    members = [
        member(f"{tmp_path}/absolute"), member("out", LINK, linkname=str(secret)),
        member("up", LINK, linkname="../../.."), member("up/inside", data=b"in"),
        member("etc", LINK, linkname=str(tmp_path)), member("etc/new", data=b"new"),
    ]  # fmt: skip
    tree = tree_of(members)
    assert tree.read(b"/inside", 9)[0] == b"in"
    assert tree.find(os.fsencode(f"{tmp_path}/new")).size == 3
    layouts.of_layers(tmp_path / "image", [members])
    session = open_oci(str(tmp_path / "image"), "", time.monotonic() + 600)
    assert session.ask([File("/out")])[File("/out")].status is Status.ABSENT
    session.close()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["image", "secret"]


CUT = tar([member("a", data=b"1" * 600), member("é" * 60, data=b"2")])
FIRST, LAST = 512 + 600, len(CUT.rstrip(b"\0"))
"""Where the content of each member ends."""


@pytest.mark.parametrize("size", [0, 1, 511, 512, 513, FIRST - 1, *range(FIRST + 512, LAST, 256), LAST - 1, LAST + 512])
def test_a_layer_cut_short_within_a_member_is_refused(tmp_path: Path, size: int) -> None:
    assert "cut short" in refused(tmp_path, CUT[:size])


@pytest.mark.parametrize(("size", "there"), [(FIRST, 1), (1536, 1), (LAST, 2), (LAST + 511, 2)])
def test_a_layer_that_has_its_digest_needs_no_mark_of_an_end(tmp_path: Path, size: int, there: int) -> None:
    """`umoci insert` writes none, and not even the rest of the last block."""
    layout = Layout(tmp_path / "image")
    layout.add(layout.image([CUT[:size]], ""))
    assert names(Unpacker().tree(layers_of(str(layout.path), ""))) == ["/a", "/" + "é" * 60][:there]


@pytest.mark.parametrize("size", [FIRST, 1536, LAST])
def test_an_archive_without_a_digest_needs_one(size: int) -> None:
    with pytest.raises(headers.TarError, match="cut short"):
        list(headers.members(Held("archive", CUT[:size])))


def test_damage_anywhere_is_refused_or_changes_what_is_told(tmp_path: Path) -> None:
    """Of headers; what stands in content is checked by digests alone."""
    random.seed(7)
    for at in random.sample(range(500), 60):
        data = bytearray(CUT)
        data[at] ^= 0x15
        with pytest.raises(ValueError, match=r"damaged|checksum|type"):
            Tree().add(Held("layer", bytes(data)), "")


def header(name: str, flag: bytes, data: bytes = b"", **more: object) -> bytes:
    """A member of any type, as tarfile would not write it."""
    info, _ = member(name, flag, data, **more)
    block = bytearray(info.tobuf(tarfile.USTAR_FORMAT))
    return bytes(block) + data + bytes(-len(data) % 512)


def extended(flag: bytes, *records: bytes) -> bytes:
    """An extended header."""
    out = b""
    for record in records:
        size = len(record) + 3
        size += len(str(size)) - 1
        out += b"%d %s\n" % (size, record)
    return header("pax", flag, out)


END = bytes(1024)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (tar([member("../etc/passwd")]), "with .."),
        (tar([member("a/../../b")]), "with .."),
        (tar([member("h", HARD, linkname="../../etc/passwd")]), "with .."),
        (tar([member("h", HARD, linkname="/etc/passwd")]), "is not there"),
        (tar([member("d", DIR), member("h", HARD, linkname="d")]), "hard link to a directory"),
        (tar([member("f"), member("f/x")]), "no directory"),
        (tar([member("l", LINK, linkname="l"), member("l/x")]), "no end"),
        (tar([member("l", LINK, linkname="")]), "leads nowhere"),
        (tar([member("d/.wh.")]), "passes"),
        (tar([member("d", DIR), member("d/.wh...")]), "whiteout of nothing"),
        (tar([member("d/.wh.x/y")]), "below a whiteout"),
        (tar([member("x"), member(".wh.x")]), "adds before"),
        (tar([member("n" * 256)]), "longer name"),
        (tar([member("/".join(["n" * 200] * 21))]), "longer name"),
        (tar([member(".")]), "root is no directory"),
        (header("s", b"S") + END, "sparse"),
        (header("v", b"V") + END, "type"),
        (extended(b"x", b"GNU.sparse.major=1") + header("s", b"0") + END, "sparse"),
        (extended(b"g", b"uid=0") + header("f", b"0") + END, "differently"),
        (extended(b"x", b"path=a\0b") + header("f", b"0") + END, "NUL"),
        (extended(b"x", b"uid=-1") + header("f", b"0") + END, "no number"),
        (extended(b"x", b"uid=99999999999") + header("f", b"0") + END, "owner"),
        (extended(b"x", b"mtime=now") + header("f", b"0") + END, "no time"),
        (extended(b"x", b"size=9999999999999") + header("f", b"0") + END, "cut short"),
        (header("x", b"x", b"12 short") + END, "record"),
        (header("x", b"x", b"9999999 a=b\n") + END, "record"),
        (extended(b"x", b"path=a") + END, "no member"),
        (header("x", b"x", b"z" * (1 << 21)) + END, "the most"),
        (b"\xff" * 1024, "damaged"),
        (b"", "cut short"),
    ],
)
def test_hostile_layers_are_refused_by_name(tmp_path: Path, data: bytes, why: str) -> None:
    if why == "passes":
        assert not names(tree_of([member("d/.wh.")]))
        return
    assert why in refused(tmp_path, data)


def refused(tmp_path: Path, data: bytes) -> str:
    """What is said of an image with such a layer."""
    layout = Layout(tmp_path / "image")
    layout.add(layout.image([tar([member("fine")]), data], ""))
    with pytest.raises(IncompleteError) as caught:
        Unpacker().tree(layers_of(str(layout.path), ""))
    assert caught.value.message.startswith("layer 2 of 2 (sha256:")
    return caught.value.message


def test_what_unpacks_to_more_than_is_read_is_refused(tmp_path: Path) -> None:
    layouts.of_layers(tmp_path / "image", [[member("zeros", data=bytes(30 << 20))]])
    layers = layers_of(str(tmp_path / "image"), "")
    assert layers[0].place.size < 1 << 20
    with pytest.raises(IncompleteError, match="unpacks to more than 10 MiB"):
        Unpacker(limit=10 << 20).tree(layers)
    with pytest.raises(IncompleteError, match="no room"):
        Unpacker(reserve=1 << 60).tree(layers)


def test_too_many_names_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("driftscan.capture.image.tree.MAX_ENTRIES", 10)
    with pytest.raises(ValueError, match="more than 10 names"):
        tree_of([member(f"f{number}") for number in range(11)])


def test_deep_trees_and_many_links_end() -> None:
    deep = "/".join(["d"] * 1900)
    chain = [member(f"l{number}", LINK, linkname=f"l{number + 1}") for number in range(40)]
    tree = tree_of([member(deep), *chain, member("l40", LINK, linkname=deep.rpartition("/")[0])])
    assert tree.lstat(b"/" + deep.encode()).st_size == 0
    with pytest.raises(OSError, match="too many links"):
        tree.resolve(b"/l0/l0/d")


@pytest.mark.parametrize("compression", ["gzip", "zstd", ""])
def test_every_blob_is_what_its_digest_says(tmp_path: Path, compression: str) -> None:
    image = layouts.of_layers(tmp_path / "image", [[member("a", data=os.urandom(5000))]], compression=compression)
    for path in sorted((image / "blobs/sha256").iterdir()):
        data = path.read_bytes()
        for changed in (data[:-1], data + b"\0", data[:60] + bytes([data[60] ^ 1]) + data[61:], b""):
            path.write_bytes(changed)
            with pytest.raises((UsageError, IncompleteError)) as caught:
                Unpacker().tree(layers_of(str(image), ""))
            assert path.name[:10] in caught.value.message
        path.write_bytes(data)
    Unpacker().tree(layers_of(str(image), ""))


def test_a_layer_is_what_the_configuration_says(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "image")
    good, other = tar([member("a")]), tar([member("b")])
    image = layout.image([good])
    manifest = json.loads(blob(layout, image))
    manifest["layers"] = [layout.blob(layouts.pressed(other, "gzip"), f"{layouts.LAYER}+gzip")]
    layout.add(layout.blob(json.dumps(manifest).encode(), layouts.MANIFEST))
    with pytest.raises(IncompleteError, match="its tar is not that of its digest"):
        Unpacker().tree(layers_of(str(layout.path), ""))


def blob(layout: Layout, descriptor: dict[str, str]) -> bytes:
    return (layout.path / "blobs" / descriptor["digest"].replace(":", "/")).read_bytes()


def test_an_image_is_chosen_by_tag_by_digest_and_by_platform(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "image")
    images = {name: layout.image([tar([member(name)])]) for name in ("one", "amd64", "arm64", "attested")}
    of_platforms = layout.index(
        {**images["amd64"], "platform": {"os": "linux", "architecture": "amd64"}},
        {**images["arm64"], "platform": {"os": "linux", "architecture": "arm64", "variant": "v8"}},
        {**images["attested"], "annotations": {"vnd.docker.reference.type": "attestation-manifest"}},
    )
    layout.add(images["one"], "v1")
    layout.add(of_platforms, "registry/app:v2")

    def chosen(tag: str) -> list[str]:
        return names(Unpacker().tree(layers_of(str(layout.path), tag)))

    assert chosen("v1") == ["/one"]
    assert chosen(images["arm64"]["digest"]) == ["/arm64"]
    assert split_layout(f"{layout.path}:registry/app:v2") == (str(layout.path), "registry/app:v2")
    machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(os.uname().machine)
    if machine:
        layout.add({**layout.index(of_platforms), "annotations": {}}, "nested")
        assert chosen("nested") == [f"/{machine}"]
        assert chosen("registry/app:v2") == [f"/{machine}"]
    with pytest.raises(UsageError, match="several images") as caught:
        chosen("")
    assert "nested, registry/app:v2, v1" in caught.value.hint
    with pytest.raises(UsageError, match="no such image"):
        chosen("v3")


def test_of_an_index_what_was_saved_is_meant_and_nothing_that_is_said_of_an_image(tmp_path: Path) -> None:
    """`docker save` keeps the index of all platforms and one image of it; cosign, notation and BuildKit put manifests
    beside it that are no images."""
    layout = Layout(tmp_path / "image")
    own = {"x86_64": "amd64", "aarch64": "arm64"}.get(os.uname().machine, os.uname().machine)
    other = {"os": "linux", "architecture": "riscv64"}
    saved, said = (layout.image([tar([member(name)])]) for name in ("saved", "said"))
    missing = {**saved, "digest": "sha256:" + "0" * 64, "platform": {"os": "linux", "architecture": own}}
    index = layout.index(
        missing,
        {**saved, "platform": other},
        {**said, "platform": {"os": "unknown", "architecture": "unknown"}},
        {**said, "artifactType": "application/vnd.dev.cosign.artifact.sig.v1+json", "platform": other},
    )
    layout.add(index, "app:1")
    assert names(Unpacker().tree(layers_of(str(layout.path), ""))) == ["/saved"]
    layout.add({**said, "artifactType": "application/vnd.oci.image.config.v1+json"}, "image")
    assert names(Unpacker().tree(layers_of(str(layout.path), "image"))) == ["/said"]


def test_layers_that_can_be_read_in_pieces_are_read_whole(tmp_path: Path) -> None:
    """eStargz (several gzip members) and zstd:chunked (several frames, and one that is to be skipped)."""
    layout, data = Layout(tmp_path / "image"), tar([member("a", data=b"1"), member("b", data=b"2")])
    skipped = bytes.fromhex("502a4d18") + (4).to_bytes(4, "little") + b"toc!"
    for compression, end in (("gzip", b""), ("zstd", skipped)):
        packed = b"".join(layouts.pressed(data[at : at + 512], compression) for at in range(0, len(data), 512)) + end
        blob_of = layout.blob(packed, f"{layouts.LAYER}+{compression}")
        layout.add(layout.image_of([(blob_of, f"sha256:{hashlib.sha256(data).hexdigest()}")]), compression)
        assert names(Unpacker().tree(layers_of(str(layout.path), compression))) == ["/a", "/b"]


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda index: "{", "is no JSON"),
        (lambda index: "[" * 100_000, "is no JSON"),
        (lambda index: "[]", "no JSON object"),
        (lambda index: "{}", "manifests is no list"),
        (lambda index: index.replace("sha256:", "md5:"), "no valid digest"),
        (lambda index: index.replace("sha256:", "sha256:../../"), "no valid digest"),
        (lambda index: index.replace('"size": ', '"size": -'), "no valid digest"),
        (lambda index: index.replace('"size": ', '"size": 1'), "are announced"),
        (lambda index: index.replace(layouts.MANIFEST, "text/plain"), "no such image"),
        (lambda index: " " * (5 << 20), "larger than 4 MiB"),
    ],
)
def test_a_broken_index_is_wrong_input(tmp_path: Path, change: Callable[[str], str], why: str) -> None:
    image = layouts.of_layers(tmp_path / "image", [[member("a")]])
    index = image / "index.json"
    index.write_text(change(index.read_text()))
    with pytest.raises(UsageError, match=why):
        layers_of(str(image), "")


def test_a_tar_of_a_layout_is_a_layout(tmp_path: Path) -> None:
    image = layouts.of_layers(tmp_path / "image", [[member("a", data=b"1")]])
    with tarfile.open(tmp_path / "image.tar", "w") as archive:
        archive.add(image, ".")
    session = open_oci(str(tmp_path / "image.tar"), "latest", time.monotonic() + 600)
    assert session.ask([File("/a")])[File("/a")].data == b"1"
    session.close()
    (tmp_path / "image.tar.gz").write_bytes(layouts.pressed((tmp_path / "image.tar").read_bytes(), "gzip"))
    for path, why in (
        ("image.tar.gz", "is compressed"),
        ("image/oci-layout", "no tar"),
        ("image/blobs", "no index.json"),
    ):
        with pytest.raises(UsageError, match=why):
            layers_of(str(tmp_path / path), "")


def test_a_session_says_why_an_image_cannot_be_read(tmp_path: Path) -> None:
    layouts.of_layers(tmp_path / "image", [[member("../x\x1b[31m")]])
    with pytest.raises(HostError, match=r"layer 1 of 1 .*x\\x1b\[31m: a name with \.\.") as caught:
        open_oci(str(tmp_path / "image"), "", time.monotonic() + 600)
    assert "ended early" not in caught.value.message


def test_programs_of_the_scanner_see_a_copy_of_the_package_database(tmp_path: Path) -> None:
    """As rpm is asked: `--root DIRECTORY` at the end of its arguments."""
    layouts.of_layers(
        tmp_path / "image",
        [[member("var/lib/rpm", LINK, linkname="../../usr/lib/sysimage/rpm"), member("etc/passwd", data=b"no"),
          member("usr/lib/sysimage/rpm/rpmdb.sqlite", data=b"rows", uid=7, mode=0o4777)]],
    )  # fmt: skip
    session = open_oci(str(tmp_path / "image"), "", time.monotonic() + 600)
    command = Command(("sh", "-c", 'cd "$1" && find . -type f -exec cat {} + && echo " $1"', "--"), rooted="")
    asked = Command(
        (*command.argv[:2], 'cd "$2" && find . -type f | sort && cat usr/lib/sysimage/rpm/* && echo " $2"', "x"),
        rooted="--root",
    )
    answer = session.ask([command, asked])
    session.close()
    assert answer[command].status is Status.UNSUPPORTED
    *files, last = answer[asked].data.decode().splitlines()
    assert files == ["./usr/lib/sysimage/rpm/rpmdb.sqlite", "./var/lib/rpm/rpmdb.sqlite"]
    content, directory = last.split()
    assert content == "rows"
    assert not Path(directory).exists()


def test_sources_are_answered_as_of_any_root(root: Path, tmp_path: Path) -> None:
    layouts.of_tree(tmp_path / "image", root)
    session = open_oci(str(tmp_path / "image"), "", time.monotonic() + 600)
    absolute, fifo, missing, loop = File("/etc/absolute"), File("/etc/fifo"), File("/etc/passwd/x"), File("/etc/loop")
    short, glob = File("/usr/bin/wget", max_bytes=5), Glob(("/bin/*", "/etc/b*"), max_bytes=100)
    answer = session.ask([absolute, fifo, missing, loop, short, glob])
    session.close()
    assert answer[absolute].data.startswith(b"root:x:0:0")
    assert [answer[source].status for source in (fifo, missing, loop)] == [Status.FAILED, Status.ABSENT, Status.FAILED]
    assert (answer[short].status, answer[short].data) == (Status.TRUNCATED, b"binar")
    assert [item.path for item in answer.members(glob)] == [
        b"/bin/curl",
        b"/bin/wget",
        b"/etc/back\\slash",
        b"/etc/bad\xff\xfe",
    ]


@pytest.mark.parametrize("number", range(5))
def test_random_layers_are_as_if_unpacked_one_after_the_other(tmp_path: Path, number: int) -> None:
    """Against tarfile, which unpacks into a directory, and the whiteouts done by hand."""
    generator = random.Random(number)
    place, layers = tmp_path / "unpacked", []
    place.mkdir()
    for _ in range(6):
        members: list[tuple[tarfile.TarInfo, bytes]] = []
        made: set[str] = set()
        for _ in range(30):
            path = "/".join(generator.choice("abc") for _ in range(generator.randint(1, 4)))
            top = place / path
            if any(parent.is_file() for parent in top.parents if parent != place) or any(made_below(made, path)):
                continue
            made.add(path)
            kind = generator.choice("fffdw")
            if kind == "w":
                if top.is_dir():
                    shutil.rmtree(top)
                top.unlink(missing_ok=True)
                if top.parent.is_dir():
                    folder, _, name = f"/{path}".rpartition("/")
                    members.append(member(f"{folder}/.wh.{name}"))
                continue
            if top.is_dir() and kind == "f":
                shutil.rmtree(top)
            elif top.is_file():
                top.unlink()
            info, data = member(
                path, DIR if kind == "d" else tarfile.REGTYPE, b"x" * generator.randint(0, 9) * (kind == "f")
            )
            with tarfile.open(fileobj=io.BytesIO(tar([(info, data)]))) as archive:
                archive.extractall(place, filter="tar")
            members.append((info, data))
        layers.append(members)
    tree = tree_of(*layers)
    found = sorted(f"/{path.relative_to(place)}" for path in place.rglob("*"))
    assert sorted(names(tree)) == found
    for path in found:
        if (place / path[1:]).is_file():
            assert tree.read(path.encode(), 10)[0] == (place / path[1:]).read_bytes()


def made_below(made: set[str], path: str) -> Iterable[bool]:
    """Whether this layer has touched a path, or one above or below it, already."""
    return (each == path or each.startswith(f"{path}/") or path.startswith(f"{each}/") for each in made)
