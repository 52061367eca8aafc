"""`bake`, `snapshot`, `diff`, `verify`, `scan` on small root file systems: the main job without a host."""

import json
from pathlib import Path

import pytest

from driftscan import yaml_strict
from driftscan.cli._packer import image_of
from driftscan.cli._zone_file import quote, zone_file, zone_lines
from driftscan.errors import UsageError
from driftscan.manifests.files import read_manifest
from driftscan.model.snapshot import ImageRef
from driftscan.model.zone import Provenance, Zone, ZoneClass
from driftscan.zones import Question, load
from tests.cli.runner import run

ROOT_FILES = {
    "etc/os-release": "ID=debian\nVERSION_ID=12\n",
    "etc/passwd": "root:x:0:0::/root:/bin/sh\n",
    "etc/group": "root:x:0:\n",
    "etc/app.conf": "level = 1\n",
    "usr/bin/tool": "#!/bin/sh\n",
}


def _tree(folder: Path, **changes: str) -> Path:
    for name, content in {**ROOT_FILES, **changes}.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return folder


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """A root file system as baked."""
    return _tree(tmp_path / "image")


@pytest.fixture
def manifest(image: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    """Its manifest."""
    path = tmp_path / "web.manifest"
    said = run(capsys, "bake", f"rootfs:{image}", "-o", str(path), "--image-id", "web", "--image-version", "1 a")
    assert said.code == 0, said.err
    assert "IMAGE_ID=web\n" in said.out
    assert 'IMAGE_VERSION="1 a"\n' in said.out
    return path


def test_the_main_job(image: Path, manifest: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    clean = run(capsys, "scan", f"rootfs:{image}", "-m", str(manifest), "-p", "immutable-core")
    assert clean.code == 0, clean.out + clean.err
    drifted = _tree(tmp_path / "drifted", **{"etc/app.conf": "level = 2\n", "usr/bin/new": "#!/bin/sh\n"})
    (drifted / "usr/bin/new").chmod(0o755)
    found = run(capsys, "scan", f"rootfs:{drifted}", "-m", str(manifest), "-p", "immutable-core", "-o", "json")
    assert found.code == 1, found.err
    mutations = json.loads(found.out)["hosts"][0]["mutations"]
    keys = {item["key"] for mutation in mutations for item in mutation["differences"]}
    assert {"/etc/app.conf", "/usr/bin/new"} <= keys
    for mutation in mutations:
        assert run(capsys, "explain", mutation["id"]).code == 0


def test_verify_says_what_it_is_and_refuses_what_was_changed(
    manifest: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = run(capsys, "verify", str(manifest))
    assert said.code == 0
    assert "web" in said.out
    data = bytearray(manifest.read_bytes())
    data[len(data) // 2] ^= 1
    manifest.write_bytes(data)
    assert run(capsys, "verify", str(manifest)).code == 2


def test_snapshot_and_diff(image: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "image.snapshot"
    said = run(capsys, "snapshot", f"rootfs:{image}", "-o", str(file))
    assert said.code == 0, said.err
    assert "resources of" in said.out
    assert run(capsys, "diff", f"rootfs:{image}", f"snapshot:{file}").code == 0
    other = _tree(tmp_path / "other", **{"etc/app.conf": "level = 2\n"})
    different = run(capsys, "diff", f"snapshot:{file}", f"rootfs:{other}")
    assert different.code == 1
    assert "-level = 1" in different.out
    assert "+level = 2" in different.out
    assert "Next:" not in different.out
    (host,) = json.loads(run(capsys, "diff", f"snapshot:{file}", f"rootfs:{other}", "-o", "json").out)["hosts"]
    counts = host["accounting"]
    assert counts["raw"] == counts["folded"] + counts["allowed"] + counts["unexplained"]
    assert {item["key"] for mutation in host["mutations"] for item in mutation["differences"]} == {"/etc/app.conf"}


def test_zones_learned_from_two_trees_are_written_beside_the_manifest(
    image: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = _tree(tmp_path / "other", **{"var/lib/app/seed": "2"})
    _tree(image, **{"var/lib/app/seed": "1"})
    path = tmp_path / "web.manifest"
    words = ("bake", f"rootfs:{image}", f"rootfs:{other}", "-o", str(path))
    said = run(capsys, *words)
    assert said.code == 0, said.err
    assert "web.manifest.zones.yaml" in said.out
    assert "in 2 of 2 something is not explained" in said.out
    assert ": file /var/lib/app/seed\n" in said.out
    assert (
        "# Each boot held against zones from the others: in 2 of 2"
        in (path.parent / f"{path.name}.zones.yaml").read_text()
    )
    asked = yaml_strict.load(tmp_path / "web.manifest.zones.yaml").data["questions"]
    in_manifest = {zone.pattern for zone in read_manifest(path).zones if zone.provenance is Provenance.LEARNED}
    assert {item["pattern"] for item in asked} == in_manifest == {"/var/lib/app/seed"}
    assert load(tmp_path / "web.manifest.zones.yaml") == ()
    (tmp_path / "web.manifest.zones.yaml").unlink()
    assert run(capsys, *words, "--zones", "none").code == 0
    assert not (tmp_path / "web.manifest.zones.yaml").exists()


def test_what_boots_agree_in_is_sealed_although_first_boot_may_write_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status = "Package: cloud-init\nStatus: install ok installed\nArchitecture: all\nVersion: 1\n"
    files = {"var/lib/dpkg/status": status, "etc/apt/sources.list": "deb http://here.ubuntu.com/ x y\n"}
    boots = [_tree(tmp_path / name, **files) for name in ("1", "2")]
    path = tmp_path / "web.manifest"
    words = [f"rootfs:{boot}" for boot in boots]
    said = run(capsys, "bake", *words, "-o", str(path))
    assert "Sealed, although" in said.out
    assert "  sealed        /etc/apt/sources.list  (" in said.out
    _tree(boots[0], **{"etc/apt/sources.list": "deb http://elsewhere.ubuntu.com/ x y\n"})
    found = run(capsys, "scan", words[0], "-m", str(path))
    assert found.code == 1
    assert "/etc/apt/sources.list" in found.out
    assert run(capsys, "bake", *words, "-o", str(path)).code == 0
    assert run(capsys, "scan", words[0], "-m", str(path)).code == 0


def test_bake_says_how_sure_one_can_be(image: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    boots = [_tree(tmp_path / name, **{"var/lib/app/seed": name}) for name in ("1", "2", "3")]
    path = tmp_path / "web.manifest"
    said = run(capsys, "bake", *(f"rootfs:{boot}" for boot in boots), "-o", str(path))
    bound = (
        "0 of 3 something is not explained. With 95% confidence that will be so in fewer than 63.2% of further boots."
    )
    assert bound in said.out
    head = (tmp_path / "web.manifest.zones.yaml").read_text().partition("zones:")[0]
    assert bound in " ".join(line.removeprefix("# ") for line in head.splitlines())
    assert "held against" not in run(capsys, "bake", f"rootfs:{image}", "-o", str(path)).out


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["bake", "local"], "-o MANIFEST is missing"),
        (["bake", "local", "-o", "/no/such/dir/x"], "there is no directory"),
        (["bake", "rootfs:/no/such/dir", "-o", "x"], "/no/such/dir"),
        (["snapshot", "local"], "-o FILE is missing"),
        (["snapshot", "local", "-o", "x", "--captures", "/no/such/dir/x"], "--captures"),
        (["bake", "local", "--packer-manifest", "p.json", "-o", "x"], "manifest:FILE"),
        (["diff", "local", "nothing"], "nothing"),
    ],
)
def test_wrong_input(words: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    said = run(capsys, *words)
    assert (said.code, said.out) == (2, "")
    assert says in said.err


def _packer(path: Path, *artifacts: str, last: str = "run-2") -> Path:
    builds = [{"artifact_id": "eu-west-1:ami-old", "packer_run_uuid": "run-1", "name": "web"}]
    builds += [{"artifact_id": artifact, "packer_run_uuid": "run-2", "name": "web"} for artifact in artifacts]
    path.write_text(json.dumps({"builds": builds, "last_run_uuid": last}))
    return path


def test_a_manifest_is_sealed_to_the_image_of_the_last_build(
    manifest: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    packer = _packer(tmp_path / "packer.json", "eu-west-1:ami-0abc")
    out = tmp_path / "sealed.manifest"
    said = run(capsys, "bake", f"manifest:{manifest}", "--packer-manifest", str(packer), "-o", str(out))
    assert said.code == 0, said.err
    sealed = read_manifest(out)
    assert sealed.image == ImageRef("ami-0abc", "1 a")
    assert sealed.provenance.build_id == "run-2"
    assert sealed.resources == read_manifest(manifest).resources


def test_an_image_in_several_regions_must_be_chosen(tmp_path: Path) -> None:
    path = str(_packer(tmp_path / "packer.json", "eu-west-1:ami-1,us-east-1:ami-2"))
    with pytest.raises(UsageError, match="ami-1, ami-2"):
        image_of(path, "")
    assert image_of(path, "ami-2") == ("ami-2", "run-2")
    with pytest.raises(UsageError, match="not ami-3"):
        image_of(path, "ami-3")


@pytest.mark.parametrize(
    "content",
    [
        "", "[]", "{}", "null", '{"builds": 1, "last_run_uuid": "x"}', '{"builds": [], "last_run_uuid": "x"}',
        '{"builds": [1, {"artifact_id": 2, "packer_run_uuid": "x"}], "last_run_uuid": "x"}', "[" * 100_000, "\x00",
    ],
)  # fmt: skip
def test_what_is_no_packer_manifest(content: str, tmp_path: Path) -> None:
    path = tmp_path / "packer.json"
    path.write_text(content)
    with pytest.raises(UsageError, match="not a manifest of Packer"):
        image_of(str(path), "")


def test_no_packer_manifest(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No such file"):
        image_of(str(tmp_path / "absent.json"), "")


def _answered(path: Path, **answers: str) -> None:
    """Writes answers below the questions about paths that end so, as a person would."""
    out, name = [], ""
    for line in path.read_text().splitlines():
        written = line
        if "- pattern: " in line:
            name = line.rpartition("/")[2].strip('"')
        elif line.strip().startswith("answer: null") and name in answers:
            written = f"    answer: {answers[name]}"
        elif line.strip() == "reason: null" and name in answers:
            written = "    reason: asked and answered"
        out.append(written)
    path.write_text("\n".join(out) + "\n")


def test_a_question_that_was_answered_is_not_asked_again(
    image: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def boot(text: str) -> dict[str, str]:
        return {f"var/lib/app/{name}": text for name in ("one", "two", "three", "open")} | {"usr/lib/app": text}

    other = _tree(tmp_path / "other", **boot("2"))
    _tree(image, **boot("1"))
    path, asked = tmp_path / "web.manifest", tmp_path / "web.manifest.zones.yaml"
    words = ("bake", f"rootfs:{image}", f"rootfs:{other}", "-o", str(path))
    said = run(capsys, *words)
    assert f"--zones {asked}" in said.out
    assert len(yaml_strict.load(asked).data["questions"]) == 5
    _answered(asked, one="accept", two="seal", three="exclude", app="seal")
    for _ in range(2):  # what is written over the file of answers keeps them
        assert run(capsys, *words, "--zones", str(asked)).code == 0
        assert [item["pattern"] for item in yaml_strict.load(asked).data["questions"]] == ["/var/lib/app/open"]
        zones = {zone.pattern: zone for zone in read_manifest(path).zones if zone.provenance is Provenance.HAND}
        assert {pattern: zone.zone.value for pattern, zone in zones.items()} == {
            "/var/lib/app/one": "free",
            "/var/lib/app/two": "sealed",
            "/var/lib/app/three": "external",
            "/usr/lib/app": "sealed",
        }
        assert {zone.reason for zone in zones.values()} == {"asked and answered"}
        assert zones["/var/lib/app/one"].attributes == ("sha256",)


def test_what_the_image_declares_is_a_zone_and_what_asks_for_too_much_is_told(
    image: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _tree(image, **{"etc/tmpfiles.d/x.conf": "d /var/lib/x - - - 1d\nD /etc/app.d\n"})
    path, snap = tmp_path / "web.manifest", tmp_path / "web.snapshot"
    said = run(capsys, "bake", f"rootfs:{image}", "-o", str(path))
    assert "3 zones declared by the image itself" in said.out
    assert "/etc/tmpfiles.d/x.conf:2: /etc/app.d/**: what lies there is executed" in said.out
    zones = [zone for zone in read_manifest(path).zones if zone.provenance is Provenance.DECLARED]
    assert ("/var/lib/x/**", "/etc/tmpfiles.d/x.conf:1") in {(zone.pattern, zone.origin) for zone in zones}
    assert run(capsys, "snapshot", f"rootfs:{image}", "-o", str(snap)).code == 0
    assert run(capsys, "bake", f"snapshot:{snap}", "-o", str(path)).code == 0
    assert [zone for zone in read_manifest(path).zones if zone.provenance is Provenance.DECLARED] == zones


def test_an_answer_needs_a_reason(tmp_path: Path) -> None:
    path = tmp_path / "zones.yaml"
    entry = "zones: []\nquestions:\n  - {{pattern: /srv/x, zone: free, answer: {}, reason: {}}}\n"
    for answer, reason in (("seal", "null"), ("seal", '" "'), ("perhaps", "because")):
        path.write_text(entry.format(answer, reason))
        with pytest.raises(UsageError, match=r"zones.yaml:3:"):
            load(path)
    path.write_text(entry.format("null", "because"))
    assert load(path) == ()


ZONES = (
    Zone(pattern="/var/lib/app/**", zone=ZoneClass.FREE, reason='data: "quoted" \\ # no comment', executables=True),
    Zone(pattern="sysctl:kernel.random.boot_id", zone=ZoneClass.IDENTITY, reason="caf\u00e9 \U0001f600 \x1b\x85\u202e"),
    Zone(
        pattern="/var/log/*.log", zone=ZoneClass.ROTATING_LOG, reason="- x: [y]", may_appear=True, may_vanish=False,
        attributes=("size", "sha256"),
    ),
)  # fmt: skip


def test_a_zone_file_is_read_back_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "zones.yaml"
    text = zone_file(ZONES, (), [Question("file", "/\x1b[31m*", ("mode",), ("a",), "?")], "web\n.manifest", "Sure.")
    path.write_text(text, "utf-8")
    assert all(line.isprintable() for line in text.splitlines())
    back = load(path)
    for zone, again in zip(ZONES, back, strict=True):
        assert (again.pattern, again.zone, again.attributes) == (zone.pattern, zone.zone, zone.attributes)
        assert again.reason == " ".join(zone.reason.split())
        assert (again.may_appear, again.may_vanish, again.executables) == (
            zone.may_appear, zone.may_vanish, zone.executables,
        )  # fmt: skip
    assert "# QUESTION: file /\\x1b[31m* differs in mode" in text


def test_no_zones_is_a_zone_file_too(tmp_path: Path) -> None:
    path = tmp_path / "zones.yaml"
    path.write_text(zone_file((), (), (), "m", ""))
    assert load(path) == ()


def test_zone_lines_are_harmless() -> None:
    assert all(line.isprintable() for line in zone_lines(ZONES))


@pytest.mark.parametrize(
    "text", ["", " ", "a\\b", '"', "\x00", "\x7f", "\u2028", "\ufeff", "\U000e0041", "null", "\u00a0"]
)
def test_quoted_text_is_read_back(text: str) -> None:
    assert yaml_strict.parse(f"a: {quote(text)}\n", "x").data == {"a": text}
