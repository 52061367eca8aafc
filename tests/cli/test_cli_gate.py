"""`driftscan gate`: unpacked images against each other, and the hand fixes of the fleet."""

import hashlib
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from driftscan.manifests.files import read_manifest, write_manifest
from driftscan.model.cohort import Cohort, CohortClass
from driftscan.model.drift import Attribution, Cause, CauseType, Change, Delta, Difference, Grade, Mutation
from driftscan.model.finding import Action, JudgedMutation, Recommendation, RuleRef, Severity, State, Verdict
from driftscan.model.result import HostImage, HostResult, ImageMatch
from driftscan.reports._base import Style
from driftscan.reports._gate import schema
from driftscan.reports.json import report
from driftscan.store import Store
from tests.archives.building import control, deb, entry, put
from tests.cli.runner import Ran, run
from tests.reports import golden, samples

Gate = Callable[..., Ran]
OTHER = ("a" * 64, "c" * 64)
DECLARED = """\
packages:
  - {name: curl, from: "7.1", to: "7.2", reason: security}
"""


def md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def write(root: Path, path: str, text: str, mode: int = 0o644) -> None:
    place = root / path
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(text)
    place.chmod(mode)


def install_curl(root: Path, version: str) -> None:
    binary, conffile = f"curl {version}", "proxy = none\n"
    write(root, "usr/bin/curl", binary, 0o755)
    write(root, "etc/curlrc", conffile)
    write(
        root,
        "var/lib/dpkg/status",
        f"Package: curl\nStatus: install ok installed\nArchitecture: amd64\nVersion: {version}\n"
        f"Conffiles:\n /etc/curlrc {md5(conffile)}\n\n",
    )
    write(root, "var/lib/dpkg/info/curl.list", "/.\n/usr\n/usr/bin\n/usr/bin/curl\n/etc\n/etc/curlrc\n")
    write(root, "var/lib/dpkg/info/curl.md5sums", f"{md5(binary)}  usr/bin/curl\n")


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """The approved image, unpacked."""
    root = tmp_path / "image"
    write(root, "etc/os-release", 'ID=debian\nVERSION_ID="12"\nIMAGE_ID=web\nIMAGE_VERSION=7\n')
    write(root, "etc/passwd", "root:x:0:0:root:/root:/bin/bash\n")
    write(root, "etc/group", "root:x:0:\n")
    write(root, "etc/motd", "hello\n")
    install_curl(root, "7.1")
    for folder in (tmp_path, root, root / "etc"):
        folder.chmod(0o755)
    return root


@pytest.fixture
def candidate(image: Path, tmp_path: Path) -> Path:
    """A rebuild of the same inputs."""
    copy = tmp_path / "candidate"
    shutil.copytree(image, copy, symlinks=True)
    return copy


@pytest.fixture
def manifest(image: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    path = tmp_path / "web.manifest"
    baked = run(capsys, "bake", f"rootfs:{image}", "-o", str(path))
    assert baked.code == 0, baked.err
    return path


@pytest.fixture
def gate(candidate: Path, manifest: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Gate:
    """Gates the candidate, with declared changes if any are given."""

    def go(*words: str, declared: str = "", target: str = "") -> Ran:
        more = []
        if declared:
            (tmp_path / "changes.yaml").write_text(declared)
            more = ["--declared", str(tmp_path / "changes.yaml")]
        return run(capsys, "gate", target or f"rootfs:{candidate}", "--against", str(manifest), *more, *words)

    return go


def checked(said: Ran) -> dict[str, Any]:
    """The JSON of a run, which fits its schema and loses nothing."""
    data: dict[str, Any] = json.loads(said.out)
    assert list(Draft202012Validator(schema()).iter_errors(data)) == []
    counts = data["accounting"]
    assert counts["raw"] == counts["zoned"] + counts["declared"] + counts["residual"] + counts["unproved"]
    return data


def test_a_rebuild_of_the_same_inputs_passes(gate: Gate, candidate: Path) -> None:
    said = gate()
    assert said.code == 0, said.out
    assert "PASSED\n" in said.out
    assert f"Next: driftscan bake rootfs:{candidate} -o NEW.manifest" in said.out


def test_an_upgrade_passes_if_it_is_declared_and_only_then(gate: Gate, candidate: Path) -> None:
    install_curl(candidate, "7.2")
    undeclared = gate()
    assert undeclared.code == 1
    assert "curl 7.1 -> 7.2 upgraded" in undeclared.out
    said = gate(declared=DECLARED)
    assert said.code == 0, said.out
    assert "curl 7.1 -> 7.2 upgraded" in said.out
    assert "security  (changes.yaml:2:5)" in said.out


def test_the_images_own_name_needs_no_declaration_but_its_file_does(gate: Gate, candidate: Path) -> None:
    write(candidate, "etc/os-release", 'ID=debian\nVERSION_ID="12"\nIMAGE_ID=web\nIMAGE_VERSION=8\n')
    data = checked(gate("-o", "json"))
    assert [(item["kind"], item["key"]) for change in data["changes"] for item in change["residual"]] == [
        ("file", "/etc/os-release")
    ]
    assert gate(declared="files: [{path: /etc/os-release, reason: its own name}]\n").code == 0


def test_a_file_in_the_paths_of_a_declared_package_that_is_not_its_content_fails(gate: Gate, candidate: Path) -> None:
    install_curl(candidate, "7.2")
    write(candidate, "usr/bin/curl", "trojan", 0o755)
    said = gate(declared=DECLARED)
    assert said.code == 1
    assert "/usr/bin/curl is not what package curl/amd64 shipped" in said.out
    assert "1 difference not explained by declared changes" in said.err


def test_archives_tell_a_file_that_was_changed_together_with_its_row(
    gate: Gate, candidate: Path, tmp_path: Path
) -> None:
    install_curl(candidate, "7.2")
    write(candidate, "usr/bin/curl", "trojan", 0o755)
    write(candidate, "var/lib/dpkg/info/curl.md5sums", f"{md5('trojan')}  usr/bin/curl\n")
    forged = gate("-o", "json", declared=DECLARED)
    assert forged.code == 0
    archives = ("--packages", str(tmp_path / "debs"), "-o", "json")
    files = entry("./usr/bin/curl", b"curl 7.2", mode=0o755), entry("./etc/curlrc", b"proxy = none\n")
    put(tmp_path / "debs", "curl_7.2_amd64.deb", deb(*files, head=control("curl", "7.2", "amd64")))
    told = checked(gate(*archives, declared=DECLARED))
    assert {item["key"] for change in told["changes"] for item in change["residual"]} == {"/usr/bin/curl"}
    write(candidate, "usr/bin/curl", "curl 7.2", 0o755)
    said = gate(*archives, declared=DECLARED)
    grounds = {item["key"]: item["ground"] for change in checked(said)["changes"] for item in change["explained"]}
    assert (said.code, grounds["/usr/bin/curl"]) == (0, "archive")
    (tmp_path / "debs/curl_7.2_amd64.deb").rename(tmp_path / "debs/curl_7.1_amd64.deb")
    install_curl(candidate, "7.2")
    (note,) = [text for text in checked(gate(*archives, declared=DECLARED))["notes"] if "--packages" in text]
    assert note.startswith("1 file of declared packages stand")


INFO = "var/lib/dpkg/info/"


@pytest.mark.parametrize(
    "change",
    [
        ("curl.postinst", "curl 7.2; nc -e sh", 0o755),
        ("curl.postinst", "curl 7.2", 0o4755),
        ("curl.postinst", "curl 7.2", 0o757),
        ("curl.prerm", "evil", 0o755),
        ("curl.conffiles", "/etc/curlrc\n/etc/shadow\n", 0o644),
        ("curl.triggers", "activate evil\n", 0o644),
        ("curl.md5sums", "", 0o644),
        ("curl:amd64.postinst", "curl 7.2", 0o755),
    ],
)
def test_archives_tell_what_dpkg_keeps_of_a_package(
    gate: Gate, candidate: Path, tmp_path: Path, change: tuple[str, str, int]
) -> None:
    name, text, mode = change
    install_curl(candidate, "7.2")
    write(candidate, f"{INFO}curl.postinst", "curl 7.2", 0o755)
    write(candidate, f"{INFO}curl.conffiles", "/etc/curlrc\n")
    about = (
        entry("./conffiles", b"/etc/curlrc\n"),
        entry("./md5sums", (candidate / f"{INFO}curl.md5sums").read_bytes()),
    )
    files = entry("./usr/bin/curl", b"curl 7.2", mode=0o755), entry("./etc/curlrc", b"proxy = none\n")
    archive = deb(*files, head=control("curl", "7.2", "amd64"), postinst=b"curl 7.2", about=about)
    put(tmp_path / "debs", "curl_7.2_amd64.deb", archive)
    archives = ("--packages", str(tmp_path / "debs"), "-o", "json")
    said = gate(*archives, declared=DECLARED)
    grounds = {item["key"]: item["ground"] for change in checked(said)["changes"] for item in change["explained"]}
    told = {key.rpartition("curl.")[2]: ground for key, ground in grounds.items() if INFO in key}
    assert said.code == 0
    assert told == {"postinst": "archive", "conffiles": "archive", "md5sums": "archive"}
    write(candidate, INFO + name, text, mode)
    said = gate(*archives, declared=DECLARED)
    left = {item["key"] for change in checked(said)["changes"] for item in change["residual"]}
    assert (said.code, left) == (1, {f"/{INFO}{name}"})


def test_a_script_that_was_taken_away_is_told_by_the_archive(
    gate: Gate, candidate: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The approved image's curl had scripts; the candidate's has none, and its archive has one of two."""
    for name in ("prerm", "preinst"):
        write(tmp_path / "image", f"{INFO}curl.{name}", "7.1", 0o755)
    assert run(capsys, "bake", f"rootfs:{tmp_path / 'image'}", "-o", str(tmp_path / "web.manifest")).code == 0
    install_curl(candidate, "7.2")
    files = entry("./usr/bin/curl", b"curl 7.2", mode=0o755), entry("./etc/curlrc", b"proxy = none\n")
    about = (entry("./prerm", b"7.2", mode=0o755), entry("./md5sums", b""))
    put(tmp_path / "debs", "curl_7.2_amd64.deb", deb(*files, head=control("curl", "7.2", "amd64"), about=about))
    said = gate("--packages", str(tmp_path / "debs"), "-o", "json", declared=DECLARED)
    left = {item["key"] for change in checked(said)["changes"] for item in change["residual"]}
    assert left == {f"/{INFO}curl.prerm", f"/{INFO}curl.md5sums"}


def test_what_code_is_loaded_from_and_nothing_vouches_for_is_noted(gate: Gate, candidate: Path) -> None:
    install_curl(candidate, "7.2")
    write(candidate, "boot/initrd.img-6.1", "made by update-initramfs")
    said = gate("-o", "json", declared=DECLARED)
    (note,) = [text for text in checked(said)["notes"] if "code is loaded" in text]
    assert (said.code, note.partition(":")[0]) == (
        0,
        "1 file from which code is loaded, written by the operations on declared packages",
    )
    assert "/boot/initrd.img-6.1" in note


def test_an_edited_conffile_of_a_declared_package_fails(gate: Gate, candidate: Path) -> None:
    install_curl(candidate, "7.2")
    write(candidate, "etc/curlrc", "proxy = evil\n")
    said = gate(declared=DECLARED)
    assert said.code == 1
    assert "+proxy = evil" in said.out


def test_a_mode_that_came_with_a_declared_package_fails(gate: Gate, candidate: Path) -> None:
    install_curl(candidate, "7.2")
    (candidate / "usr/bin/curl").chmod(0o757)
    said = gate(declared=DECLARED)
    assert said.code == 1
    assert "no package database vouches for mode 0755 -> 0757" in " ".join(said.out.split())


def test_files_of_the_build_repository_are_compared_with_it(gate: Gate, candidate: Path, tmp_path: Path) -> None:
    write(tmp_path, "repo/rootfs/etc/app.conf", "port = 80\n")
    write(candidate, "etc/app.conf", "port = 80\n")
    declared = "files: [{path: /etc/**, tree: repo/rootfs, reason: the app}]\n"
    assert gate(declared=declared).code == 0
    write(candidate, "etc/app.conf", "port = 81\n")
    said = gate(declared=declared)
    assert said.code == 1
    assert "changes.yaml:1:9 names it, but it is not what repo/rootfs has" in " ".join(said.out.split())


def test_what_is_declared_and_not_there_is_a_warning(gate: Gate) -> None:
    said = gate(declared=DECLARED)
    assert said.code == 0
    assert "warning: declared, and not in the candidate: package curl (changes.yaml:2:5)" in said.err
    (entry,) = checked(gate("-o", "json", declared=DECLARED))["declared"]
    assert not entry["used"]


def test_of_a_manifest_the_package_database_cannot_be_asked(
    gate: Gate, candidate: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    install_curl(candidate, "7.2")
    newer = tmp_path / "newer.manifest"
    assert run(capsys, "bake", f"rootfs:{candidate}", "-o", str(newer)).code == 0
    said = gate(declared=DECLARED, target=f"manifest:{newer}")
    assert said.code == 3
    assert "1 file of declared packages could not be compared with the package database" in said.err
    captured = ("snapshot", f"rootfs:{candidate}", "-o", str(tmp_path / "x"), "--captures", str(tmp_path / "captured"))
    assert run(capsys, *captured).code == 0
    replayed = gate(declared=DECLARED, target=f"capture:{tmp_path / 'captured'}")
    assert (replayed.code, replayed.err) == (3, said.err)
    with_file = DECLARED + "files: [{path: /usr/bin/curl, reason: checked by the build}]\n"
    assert gate(declared=with_file, target=f"manifest:{newer}").code == 0


POLICY = """\
policy: mine
version: 1
title: Mine
rules:
  - id: greeting
    title: The image greets nobody
    over: file
    key: [/etc/motd]
    forbid: present
    severity: %s
    recommendation: rebake
    why: It tells.
    tests:
      - {expect: pass, facts: {file: {}}}
      - {expect: fail, facts: {file: {/etc/motd: {type: regular}}}}
"""


@pytest.mark.parametrize(
    ("severity", "words", "code"),
    [("high", [], 1), ("low", [], 0), ("low", ["--fail-on", "low"], 1), ("high", ["--fail-on", "quarantine"], 0)],
)
def test_a_policy_judges_the_candidate(gate: Gate, tmp_path: Path, severity: str, words: list[str], code: int) -> None:
    policy = tmp_path / "policy.yaml"
    policy.write_text(POLICY % severity)
    said = gate("-p", str(policy), *words)
    assert said.code == code, said.out + said.err
    assert "1 control failed" in said.out
    assert ("1 control of the policies failed" in said.err) is bool(code)


def test_without_p_no_policy_judges(gate: Gate) -> None:
    assert checked(gate("-o", "json"))["controls"] == []


def test_host_keys_that_equal_the_approved_images_fail(
    image: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(image, "etc/machine-id", "0123456789abcdef0123456789abcdef\n")
    write(image, "etc/ssh/ssh_host_rsa_key", "key of the reference\n", 0o600)
    manifest = tmp_path / "own.manifest"
    assert run(capsys, "bake", f"rootfs:{image}", "-o", str(manifest)).code == 0
    write(image, "etc/machine-id", "fedcba9876543210fedcba9876543210\n")
    said = run(capsys, "gate", f"rootfs:{image}", "--against", str(manifest))
    assert said.code == 1
    assert "/etc/ssh/ssh_host_rsa_key equal to that of the reference" in said.out
    assert "1 identity equal to the approved image's" in said.err


def test_an_image_that_has_not_booted_may_lack_what_first_boot_makes_and_not_hold_anothers(
    image: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(image, "etc/machine-id", "0123456789abcdef0123456789abcdef\n")
    write(image, "etc/ssh/ssh_host_rsa_key", "key of the reference\n", 0o600)
    write(image, "var/log/syslog", "booted\n", 0o640)
    path, booted = tmp_path / "own.manifest", tmp_path / "booted.manifest"
    assert run(capsys, "bake", f"rootfs:{image}", "-o", str(path)).code == 0
    write_manifest(replace(read_manifest(path), live=True), booted)
    (image / "etc/machine-id").write_text("")
    (image / "var/log/syslog").unlink()
    words = ("gate", f"rootfs:{image}", "--against", str(booted))
    said = run(capsys, *words)
    assert said.code == 1
    assert "1 identity equal to the approved image's" in said.err
    assert checked(run(capsys, *words, "-o", "json"))["accounting"]["residual"] == 0
    (image / "etc/ssh/ssh_host_rsa_key").unlink()
    said = run(capsys, *words)
    assert said.code == 0, said.out
    assert "Compare like with like" in said.out


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["gate", "local", "--against", "/"], "directory"),
        (["gate", "local"], "--against is missing"),
        (["gate"], "CANDIDATE is missing"),
        (["gate", "local", "--against", "no.manifest"], "no.manifest"),
        (["gate", "rootfs:/no/such", "--against", "MANIFEST"], "no such file or directory"),
        (
            ["gate", "oci:registry.example/web:8", "--against", "MANIFEST"],
            "skopeo copy docker://registry.example/web:8",
        ),
        (["gate", "docker://web:8", "--against", "MANIFEST"], "skopeo copy docker://web:8 oci:DIR:TAG"),
        (["gate", "registry.example/web@sha256:1", "--against", "MANIFEST"], "No registry is read"),
        (["gate", "local", "--against", "MANIFEST", "--declared", "no.yaml"], "no.yaml"),
        (["gate", "local", "--against", "MANIFEST", "-p", "no-such-policy"], "no-such-policy"),
        (["gate", "local", "--against", "MANIFEST", "-o", "xml"], "not one of text, json, markdown"),
    ],
)
def test_wrong_input_is_told_before_anything_is_looked_at(
    words: list[str], says: str, manifest: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = run(capsys, *(str(manifest) if word == "MANIFEST" else word for word in words))
    assert (said.code, said.out) == (2, "")
    assert says in said.err


def test_a_directory_that_is_no_root_is_no_candidate(gate: Gate, tmp_path: Path) -> None:
    (tmp_path / "bundle/rootfs").mkdir(parents=True)
    said = gate(target=f"rootfs:{tmp_path / 'bundle'}")
    assert (said.code, said.out) == (2, "")
    assert "bundle: holds neither /etc nor /usr, which the approved image has" in said.err


def fixed(number: int, *items: Difference, action: Action = Action.REPLACE, **more: object) -> JudgedMutation:
    cause = Cause(CauseType.PACKAGE_UPGRADED if items[0].kind == "package" else CauseType.CONFIGURATION_CHANGED, "x")
    mutation = Mutation(
        id=f"F-{number:08}",
        title=f"fix {number}",
        cause=cause,
        differences=items,
        attribution=Attribution(Grade.RECORDED, "deploy", "sudo vi", "2026-11-20T09:00:00Z"),
    )
    return JudgedMutation(mutation=mutation, severity=Severity.HIGH, action=action, rule=RuleRef("r"), **more)  # type: ignore[arg-type]


def changed(kind: str, key: str, **deltas: tuple[str, str]) -> Difference:
    attributes = {name: Delta(*delta) for name, delta in deltas.items()}
    return Difference(kind=kind, key=key, change=Change.MODIFIED, attributes=attributes)


@pytest.fixture
def fleet(home: Path, manifest: Path) -> None:
    """Two hosts of the approved image with hand fixes, one of another image, one that was not reached again."""
    approved = read_manifest(manifest)
    motd = hashlib.sha256(b"hello\n").hexdigest()
    image = HostImage(id="web", version="7", manifest_digest=approved.digest, match=ImageMatch.GIVEN)
    upgrade = fixed(1, changed("package", "curl/amd64", version=("7.1", "7.2")))
    greeting = changed("file", "/etc/motd", sha256=(motd, "b" * 64))
    setting = fixed(2, replace(greeting, text="@@ -1 +1 @@\n-hello\n+go away"))
    trojan = fixed(3, changed("file", "/usr/bin/curl", sha256=OTHER), action=Action.QUARANTINE)
    waived = fixed(4, changed("file", "/etc/group", sha256=OTHER), state=State.WAIVED)
    cohort = Cohort(kind=CohortClass.ALL_AT_FIRST, hosts=3, of=3)
    first_boot = fixed(5, changed("file", "/etc/passwd", sha256=OTHER), cohort=cohort)

    def host(name: str, *mutations: JudgedMutation, of: HostImage = image) -> HostResult:
        return HostResult(
            host=name,
            target=f"ssh://{name}",
            verdict=Verdict.FINDINGS,
            recommendation=Recommendation(action=Action.REPLACE, sentence="Replace it."),
            image=of,
            mutations=mutations,
        )

    other = replace(image, id="db", version="1", manifest_digest="sha256:" + "0" * 64)
    hosts = (
        host("web-1", upgrade, setting, trojan, waived, first_boot),
        host("web-2", upgrade),
        host("db-1", setting, of=other),
    )
    result = samples.result(*hosts)
    kept = "".join(report.render(result, Style())).encode()
    Store(home / ".local/state/driftscan").save(result, kept)


@pytest.mark.usefixtures("fleet")
def test_hand_fixes_that_the_candidate_lacks_are_listed_and_fail_nothing(gate: Gate, candidate: Path) -> None:
    install_curl(candidate, "7.2")
    said = gate(declared=DECLARED)
    assert said.code == 0, said.out
    assert "Replacing these 2 hosts reverts 2 hand fixes: 1 is in the candidate, 1 would be lost." in said.out
    assert "warning: 1 hand fix of the fleet would not survive a replacement with this image" in said.err
    assert "Next: driftscan explain F-00000002" in said.out
    fleet = checked(gate("-o", "json", declared=DECLARED))["fleet"]
    assert [host["host"] for host in fleet["hosts"]] == ["web-1", "web-2"]
    assert [(fix["id"], fix["fate"], fix["hosts"]) for fix in fleet["fixes"]] == [
        ("F-00000002", "lost", ["web-1"]),
        ("F-00000001", "contained", ["web-1", "web-2"]),
    ]
    assert [(fix["id"], fix["build"]) for fix in fleet["suspicious"]] == [("F-00000003", [])]
    assert [fix["id"] for fix in fleet["by_image"]] == ["F-00000005"]


@pytest.mark.usefixtures("fleet")
def test_with_an_inventory_its_hosts_are_the_fleet(gate: Gate, tmp_path: Path) -> None:
    inventory = tmp_path / "inventory.yaml"
    inventory.write_text("hosts: {web-2: {}, web-9: {}}\n")
    fleet = checked(gate("-o", "json", "-i", str(inventory)))["fleet"]
    assert [host["host"] for host in fleet["hosts"]] == ["web-2"]
    assert fleet["never_scanned"] == ["web-9"]
    assert [(fix["id"], fix["fate"], fix["build"]) for fix in fleet["fixes"]] == [
        ("F-00000001", "lost", ["apt-get install -y -- curl=7.2"])
    ]


def test_reports_are_written_beside_what_is_said(gate: Gate, candidate: Path, tmp_path: Path) -> None:
    write(candidate, "usr/bin/new", "x", 0o755)
    said = gate("--report", f"json:{tmp_path}/g.json", "--report", f"markdown:{tmp_path}/g.md")
    assert said.code == 1
    assert "Not explained: 1 difference" in said.out
    assert json.loads((tmp_path / "g.json").read_text())["accounting"]["residual"] == 1
    assert "## Not explained (1)" in (tmp_path / "g.md").read_text()
    for word in ("html:x", "json", f"json:{tmp_path}/no/g.json"):
        assert gate("--report", word).code == 2


def test_the_changelog_tells_packages_by_source_and_settings_by_their_text(gate: Gate, candidate: Path) -> None:
    install_curl(candidate, "7.2")
    status = candidate / "var/lib/dpkg/status"
    more = "".join(
        f"Package: {name}\nStatus: install ok installed\nArchitecture: amd64\nSource: curl\nVersion: 7.2\n\n"
        for name in ("libcurl4", "libcurl|dev")
    )
    status.write_text(status.read_text() + more)
    write(candidate, "etc/motd", "hello\n@all <b>\n")
    write(candidate, "etc/passwd", "root:x:0:0:root:/root:/bin/bash\napp:x:7:7::/:/bin/sh\n")
    text = gate("-o", "markdown", declared=DECLARED).out
    assert "In short: 2 packages installed, 1 upgraded; 1 user added; 1 text of settings changed" in text
    assert "| `curl` | upgraded | `7.1` | `7.2` | security | `curl` |" in text
    assert "| `curl` | installed |  | `7.2` | **not declared** | `libcurl4`, `libcurl\\x7cdev` |" in text
    assert "- added user `app`" in text
    assert "`/etc/motd`\n\n```diff\n" in text
    assert "+@all \\x3cb>\n" in text
    assert text.index("In short") < text.index("## Packages") < text.index("## Changed texts")


def test_a_store_that_is_damaged_stops_no_build(gate: Gate, home: Path) -> None:
    folder = home / ".local/state/driftscan"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "driftscan.sqlite3").write_bytes(b"no database, but long enough to be taken for one" * 100)
    said = gate()
    assert said.code == 0
    assert "the hand fixes of the fleet are not known" in said.err


@pytest.mark.usefixtures("fleet")
@pytest.mark.parametrize(
    ("words", "name"), [((), "gate.txt"), (("-v",), "gate-verbose.txt"), (("-o", "markdown"), "gate.md")]
)
def test_golden(gate: Gate, candidate: Path, update_expected: bool, words: tuple[str, ...], name: str) -> None:
    install_curl(candidate, "7.2")
    write(candidate, "usr/local/bin/undeclared", "#!/bin/sh\n", 0o755)
    declared = DECLARED + "  - {name: nginx, reason: never}\n"
    said = gate(*words, declared=declared)
    assert said.code == 1
    text = said.out.replace(str(candidate.parent), "")
    golden.compare(name, text, update_expected)


@pytest.mark.usefixtures("fleet")
def test_explain_says_what_the_next_image_has(
    candidate: Path, tmp_path: Path, manifest: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    install_curl(candidate, "7.3")
    registry = tmp_path / "registry"
    registry.mkdir()
    newer = registry / "newer.manifest"
    bake = ("bake", f"rootfs:{candidate}", "-o", str(newer), "--image-id", "web", "--image-version", "8")
    assert run(capsys, *bake).code == 0

    def told(finding: str, *words: str) -> str:
        said = run(capsys, "explain", finding, *words)
        assert said.code == 0, said.err
        return " ".join(said.out.split()) + said.err

    assert "replacing it" not in told("F-00000001")
    assert "contains this" in told("F-00000001", "-m", str(newer))
    assert "would lose this" in told("F-00000002", "-m", str(registry))
    assert "its own image, web 7" in told("F-00000001", "-m", str(manifest))
    asked = run(capsys, "explain", "F-00000001", "-m", str(newer), "-o", "json")
    assert json.loads(asked.out)["next_image"].endswith("contains this")
    assert "next_image" not in json.loads(run(capsys, "explain", "F-00000001", "-o", "json").out)
    assert "what the next image has is not known" in told("F-00000001", "-m", "none.manifest")
    (tmp_path / "empty").mkdir()
    assert "what the next image has is not known" in told("F-00000001", "-m", str(tmp_path / "empty"))
