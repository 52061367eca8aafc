"""`driftscan report`: past scans in any format, the same bytes as the scan itself gave; and bills of materials."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cyclonedx.model.bom import Bom
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from driftscan.manifests import files
from driftscan.model.manifest import Manifest, Provenance
from driftscan.model.resource import Resource, Value
from driftscan.model.result import ScanResult
from driftscan.model.snapshot import CollectorCoverage, CollectorStatus, ImageRef, Resources, Snapshot
from driftscan.plugins import discover
from driftscan.reports import json as json_report
from driftscan.reports._base import Report, Style
from driftscan.store import Store
from tests.cli.runner import run
from tests.reports import samples

FORMATS = discover("driftscan.reports", "report", Report)
Capture = pytest.CaptureFixture[str]


def _render(name: str, result: ScanResult) -> str:
    return "".join(FORMATS[name].render(result, Style(width=100)))


def _store(folder: Path, *results: ScanResult) -> Store:
    store = Store(folder)
    for result in results:
        store.save(result, _render("json", result).encode())
    return store


@pytest.fixture
def kept(tmp_path: Path) -> str:
    """A store with two scans."""
    earlier = replace(samples.result(samples.clean()), id="abc1", started_at="2026-11-19T10:00:00Z")
    _store(tmp_path / "store", earlier, samples.fleet())
    return str(tmp_path / "store")


def test_the_last_scan_in_every_format_is_what_the_scan_gave(kept: str, tmp_path: Path, capsys: Capture) -> None:
    words = [f"{name}:{tmp_path / name}" for name in FORMATS]
    ran = run(capsys, "report", *words, "--store", kept)
    assert (ran.code, ran.out, ran.err) == (0, "", "")
    for name in FORMATS:
        assert (tmp_path / name).read_bytes().decode() == _render(name, samples.fleet()), name


def test_without_a_format_it_is_text_and_an_earlier_scan_is_named(kept: str, capsys: Capture) -> None:
    assert "4 hosts scanned" in run(capsys, "report", "--store", kept).out
    ran = run(capsys, "report", "markdown", "--scan", "abc", "--store", kept)
    assert ran.out.startswith("# driftscan\n\n1 host,")


def test_a_date_in_a_file_that_there_is_none_is_an_error_for_people(tmp_path: Path, capsys: Capture) -> None:
    path = tmp_path / "a.json"
    path.write_text(_render("json", samples.fleet()).replace('"2027-01-31"', '"2027-02-31"'))
    ran = run(capsys, "report", "text", "--from", str(path))
    assert (ran.code, ran.out) == (2, "")
    assert f"{path}: " in ran.err
    assert "write the report again" in ran.err


def test_from_a_file(tmp_path: Path, capsys: Capture) -> None:
    path = tmp_path / "drift.json"
    path.write_text("".join(json_report.report.render(samples.fleet(), Style())))
    assert run(capsys, "report", "gitlab", "--from", str(path)).out == _render("gitlab", samples.fleet())


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["text", "json"], "only one format goes to the screen"),
        (["junit"], "this format is for files"),
        (["xml:r.xml"], "FORMAT is one of"),
        (["--scan", "nothing"], "no scan 'nothing'"),
        (["--from", "/no/such/file"], "No such file"),
        (["cyclonedx:bom.json"], "is of a manifest or a snapshot"),
        (["text", "--from", "manifest:web.manifest"], "cyclonedx alone"),
        (["cyclonedx", "--from", "manifest:/no/such"], "no such"),
    ],
)
def test_wrong_input(words: list[str], says: str, kept: str, capsys: Capture) -> None:
    ran = run(capsys, "report", *words, "--store", kept)
    assert (ran.code, ran.out) == (2, "")
    assert says in ran.err.lower() or says in ran.err


def test_an_empty_store_says_what_to_do(tmp_path: Path, capsys: Capture) -> None:
    ran = run(capsys, "report", "--store", str(tmp_path))
    assert ran.code == 2
    assert f"no scan is kept in {tmp_path}" in ran.err


def test_an_empty_database_is_named(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not the directory beside it."""
    monkeypatch.setattr(Store, "last_scan", lambda _: None)
    ran = run(capsys, "report", "--store", "postgresql://scanner:hunter2@db/scans")
    assert ran.code == 2
    assert "no scan is kept in postgresql://db/scans" in ran.err


def test_a_report_that_cannot_be_written_is_said(kept: str, capsys: Capture) -> None:
    ran = run(capsys, "report", "json:/dev/full", "--store", kept)
    assert ran.code == 3
    assert "cannot be written" in ran.err


def test_a_scan_has_no_bill_of_materials_and_says_who_has(capsys: Capture) -> None:
    ran = run(capsys, "scan", "local", "--report", "cyclonedx:bom.json")
    assert ran.code == 2
    assert "driftscan report cyclonedx:FILE --from manifest:web.manifest" in ran.err


def _resource(kind: str, key: str, **attributes: Value) -> Resource:
    return Resource(kind, key, attributes)


def _package(system: str, name: str, version: str, arch: str, **more: Value) -> Resource:
    return _resource("package", f"{name}/{arch}", name=name, version=version, arch=arch, type=system, **more)


DEBIAN = (
    _resource("os_version", "-", platform="debian", version_id="12", pretty_name="Debian GNU/Linux 12"),
    _package("deb", "libc6", "2.36-9+u9", "amd64", status="installed", source="glibc", source_version="2.36-9+u9"),
    _package("deb", "login", "1:4.13-1+b1", "amd64", source="shadow", source_version="1:4.13-1", maintainer="Shadow"),
    _package("deb", "gone", "1", "all", status="config-files"),
    _package("deb", "odd\x1b[31m<x>", "1?a#b@c", "all", source="odd"),
    _package("deb", "slash/../x", "1", "all"),
    _resource("python_package", "Foo_Bar@/opt", name="Foo_Bar", version="1.0", directory="/opt", installer="pip"),
    _resource("python_package", "two@/opt", name="two", version="1,2", directory="/opt"),
    _resource("npm_package", "@a/b@/usr", name="@a/b", version="2.0.0", directory="/usr", license="MIT"),
    _resource("file", "/usr/bin/login", type="regular", sha256="a" * 64),
    _resource("file", "/usr/bin/a\\x0a", type="regular", sha256="b" * 64),
    _resource("file", "/usr/bin", type="directory"),
    _resource("file", "/etc/login.secret", type="regular"),
    _resource("file", "/usr/bin/own", type="regular", sha256="c" * 64),
)
LISTED = {
    "gone/all": ("/usr/bin/own",),
    "login/amd64": ("/", "/bin", "/bin/login", "/bin/a\\x0a", "/bin/l", "/etc/login.secret"),
}
RPM = (
    _resource("os_version", "-", platform="rocky", version_id="9.4", pretty_name="Rocky"),
    _package("rpm", "bash", "1:5.1-9.el9", "x86_64", source="bash-5.1-9.el9.src.rpm"),
)
APK = (
    _resource("os_version", "-", platform="alpine", version_id="3.20.3"),
    _package("apk", "musl", "1.2.5-r0", "x86_64", source="musl"),
)


def _bom(tmp_path: Path, capsys: Capture, found: tuple[Resource, ...], status: CollectorStatus) -> dict[str, Any]:
    resources = Resources({(one.kind, one.key): one for one in found})
    coverage = (CollectorCoverage("packages", 1, ("package",), status, len(found)),)
    manifest = Manifest(
        image=ImageRef("web", "2026.11.20"),
        provenance=Provenance(baked_at="2026-11-20T10:00:00Z", tool="driftscan 0.1.0"),
        resources=resources,
        package_files=LISTED,
        coverage=coverage,
    )
    files.write_manifest(manifest, tmp_path / "web.manifest")
    out = tmp_path / "bom.json"
    ran = run(capsys, "report", f"cyclonedx:{out}", "--from", f"manifest:{tmp_path / 'web.manifest'}")
    assert (ran.code, ran.err) == (0, "")
    shown = run(capsys, "report", "cyclonedx", "--from", f"manifest:{tmp_path / 'web.manifest'}")
    assert shown.out == out.read_text("utf-8")
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(shown.out) is None
    loaded: dict[str, Any] = json.loads(shown.out)
    return loaded


@pytest.mark.parametrize(
    ("found", "purls"),
    [
        (
            DEBIAN,
            [
                "pkg:deb/debian/libc6@2.36-9%2Bu9?arch=amd64&distro=debian-12&upstream=glibc",
                "pkg:deb/debian/login@1:4.13-1%2Bb1?arch=amd64&distro=debian-12&upstream=shadow%401:4.13-1",
                "pkg:deb/debian/odd%1B%5B31m%3Cx%3E@1%3Fa%23b%40c?arch=all&distro=debian-12&upstream=odd",
                "",
                "pkg:pypi/foo-bar@1.0",
                "",
                "pkg:npm/%40a/b@2.0.0",
            ],
        ),
        (RPM, ["pkg:rpm/rocky/bash@5.1-9.el9?arch=x86_64&distro=rocky-9.4&epoch=1&upstream=bash-5.1-9.el9.src.rpm"]),
        (APK, ["pkg:apk/alpine/musl@1.2.5-r0?arch=x86_64&distro=alpine-3.20.3"]),
    ],
    ids=["deb", "rpm", "apk"],
)
def test_a_bill_of_materials_of_a_manifest(
    found: tuple[Resource, ...], purls: list[str], tmp_path: Path, capsys: Capture
) -> None:
    bom = _bom(tmp_path, capsys, found, CollectorStatus.COMPLETE)
    components = bom["components"]
    assert isinstance(components, list)
    assert components[0]["type"] == "operating-system"
    assert [one.get("purl", "") for one in components[1:]] == purls
    assert bom["compositions"] == [{"aggregate": "complete", "assemblies": ["driftscan:subject"]}]


@pytest.mark.parametrize(
    ("package", "source"),
    [
        (
            _package("deb", "login", "1:4.13-1+b1", "amd64", source="shadow", source_version="1:4.13-1"),
            {"Name": "shadow", "Version": "4.13", "Release": "1", "Epoch": "1"},
        ),
        (
            _package("deb", "tzdata", "2024a-0+deb12u1", "all", source="tzdata", source_version="2024a-0+deb12u1"),
            {"Name": "tzdata", "Version": "2024a", "Release": "0+deb12u1"},
        ),
        (
            _package("deb", "native", "3.1", "all", source="native", source_version="3.1"),
            {"Name": "native", "Version": "3.1"},
        ),
        (
            _package("rpm", "bash-doc", "1:5.1-9.el9", "x86_64", source="bash-5.1-9.el9.src.rpm"),
            {"Name": "bash", "Version": "5.1", "Release": "9.el9", "Epoch": "1"},
        ),
        (_package("rpm", "gpg-pubkey", "1-2", "", source="(none)"), {}),
        (
            _package("apk", "libssl3", "3.1.4-r5", "x86_64", source="openssl"),
            {"Name": "openssl", "Version": "3.1.4-r5"},
        ),
    ],
)
def test_trivy_is_told_the_source_package(
    package: Resource, source: dict[str, str], tmp_path: Path, capsys: Capture
) -> None:
    (found,) = _components(_bom(tmp_path, capsys, (package,), CollectorStatus.COMPLETE))
    prefix = "aquasecurity:trivy:Src"
    told = {one["name"]: one["value"] for one in found["properties"] if one["name"].startswith(prefix)}
    assert told == {prefix + name: value for name, value in source.items()}


def test_files_of_packages_have_the_digest_that_they_have_in_the_image(tmp_path: Path, capsys: Capture) -> None:
    bom = _bom(tmp_path, capsys, DEBIAN, CollectorStatus.COMPLETE)
    of = {one["name"]: one.get("components") for one in bom["components"]}
    assert of["login"] == [
        {"type": "file", "name": name, "hashes": [{"alg": "SHA-256", "content": digest}]}
        for name, digest in (("/usr/bin/a\\x0a", "b" * 64), ("/usr/bin/login", "a" * 64))
    ]
    assert [name for name, files in of.items() if files] == ["login"]
    again = Bom.from_json(bom)  # type: ignore[attr-defined]
    assert [len(one.components) for one in again.components if one.name == "login"] == [2]
    assert next(one for one in bom["components"] if one["name"] == "@a/b")["evidence"] == {
        "occurrences": [{"location": "/usr"}]
    }


def _components(bom: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = bom["components"]
    return found


def test_packages_are_the_systems_and_others_the_images(tmp_path: Path, capsys: Capture) -> None:
    """Trivy takes for packages of the system what that depends on, whatever their type; what has no URL is no library
    to it, or it refuses the whole."""
    bom = _bom(tmp_path, capsys, (*DEBIAN, _package("rpm", "alien", "1-1", "noarch")), CollectorStatus.COMPLETE)
    relations = {one["ref"]: one["dependsOn"] for one in bom["dependencies"]}
    refs = [one["bom-ref"] for one in _components(bom)]
    assert sorted(refs) == sorted(name for names in relations.values() for name in names)
    assert all(name.startswith("package:") for name in relations["os_version:-"])
    assert relations["driftscan:subject"][0] == "os_version:-"
    assert {one["type"] for one in _components(bom)[1:] if not one.get("purl")} == {"application"}


@pytest.mark.parametrize(
    ("platform", "namespace"), [("rhel", "redhat"), ("opensuse-leap", "opensuse"), ("fedora", "fedora")]
)
def test_a_package_url_has_the_namespace_that_others_write(
    platform: str, namespace: str, tmp_path: Path, capsys: Capture
) -> None:
    system = _resource("os_version", "-", platform=platform, version_id="9")
    found = _bom(tmp_path, capsys, (system, _package("rpm", "bash", "5.1-9", "x86_64")), CollectorStatus.COMPLETE)
    assert _components(found)[1]["purl"] == f"pkg:rpm/{namespace}/bash@5.1-9?arch=x86_64&distro={platform}-9"


@pytest.mark.parametrize(
    ("cpe", "told"),
    [
        ("cpe:/o:redhat:enterprise_linux:9::baseos", True),
        ("cpe:2.3:o:amazon:amazon_linux:2023", False),
        ("cpe:/o:x\n\x1b", False),
    ],
)
def test_only_a_cpe_that_is_one_is_told(cpe: str, told: bool, tmp_path: Path, capsys: Capture) -> None:
    system = _resource("os_version", "-", platform="x", version_id="9", cpe_name=cpe)
    (found,) = _components(_bom(tmp_path, capsys, (system,), CollectorStatus.COMPLETE))
    assert found.get("cpe") == (cpe if told else None)


def test_a_bill_with_gaps_says_that_it_is_incomplete(tmp_path: Path, capsys: Capture) -> None:
    bom = _bom(tmp_path, capsys, DEBIAN, CollectorStatus.PARTIAL)
    assert bom["compositions"] == [{"aggregate": "incomplete", "assemblies": ["driftscan:subject"]}]


def test_a_bill_of_a_snapshot(tmp_path: Path, capsys: Capture) -> None:
    resources = Resources({(one.kind, one.key): one for one in APK})
    taken = Snapshot(host="a", target="a", taken_at="2026-11-20T10:00:00Z", resources=resources, coverage=())
    files.write_snapshot(taken, tmp_path / "a.snapshot")
    ran = run(capsys, "report", "cyclonedx", "--from", f"snapshot:{tmp_path / 'a.snapshot'}")
    assert json.loads(ran.out)["metadata"]["component"]["name"] == "a"
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(ran.out) is None
