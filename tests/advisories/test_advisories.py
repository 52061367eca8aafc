"""Advisories: what is read from files, which versions they affect, what is kept, what is refused."""

import gzip
import json
import lzma
import zipfile
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from driftscan.advisories import Matcher, load
from driftscan.advisories.match import affected, merged
from driftscan.compressed import ZstdFile
from driftscan.errors import UsageError
from driftscan.model.advisory import Advisory, Fix, Known, Span
from driftscan.model.resource import Resource, Value
from driftscan.model.snapshot import Resources

RECORDS = Path(__file__).parent / "records"
TRACKER = RECORDS / "debian-tracker.json"
DEBIAN = {"platform": "debian", "version_id": "12", "codename": "bookworm"}


def osv(
    name: str = "CVE-2026-1", ecosystem: str = "Debian:12", package: str = "openssl", **more: Any
) -> dict[str, Any]:
    events = more.pop("events", [{"introduced": "0"}, {"fixed": "3.0.15-1~deb12u1"}])
    affected = {
        "package": {"ecosystem": ecosystem, "name": package},
        "ranges": [{"type": "ECOSYSTEM", "events": events}],
        **more.pop("affected", {}),
    }
    return {"id": name, "affected": [affected], **more}


def deb(name: str, version: str, source: str = "", **more: Value) -> Resource:
    attributes: dict[str, Value] = {
        "name": name,
        "version": version,
        "arch": "amd64",
        "source": source or name,
        "source_version": version,
        "status": "installed",
        "type": "deb",
    }
    return Resource("package", f"{name}/amd64", attributes | more)


def host(*resources: Resource, **os: Value) -> Resources:
    version = Resource("os_version", "-", os or DEBIAN)
    return Resources({each.id: each for each in (version, *resources)})


def found(records: object, resources: Resources, tmp_path: Path) -> dict[str, Known]:
    path = tmp_path / "given.json"
    path.write_text(json.dumps(records))
    return {f"{known.advisory.id}/{known.package}": known for known in Matcher(load([str(path)])).of(resources)}


def test_the_tracker_tells_fixed_none_and_ignored() -> None:
    resources = host(
        deb("libssl3", "3.0.11-1~deb12u2", "openssl"), deb("bash", "5.2.15-2+b2", source_version="5.2.15-2")
    )
    known = {item.advisory.id: item for item in Matcher(load([str(TRACKER)])).of(resources)}
    assert {name: item.fix for name, item in known.items()} == {
        "CVE-2023-5678": Fix.FIXED,
        "CVE-2024-2511": Fix.NONE,
        "CVE-2022-3715": Fix.IGNORED,
        "CVE-2026-0002": Fix.IGNORED,
    }
    mended = known["CVE-2023-5678"]
    assert (mended.package, mended.source, mended.fixed) == ("libssl3", "openssl", "3.0.13-1~deb12u1")
    assert (mended.severity, mended.score, mended.key) == ("unknown", None, "libssl3/amd64")
    assert known["CVE-2024-2511"].severity == "low"
    assert known["CVE-2026-0002"].advisory.ignored == "Too intrusive to backport"


def test_what_is_mended_or_only_leftover_is_not_affected() -> None:
    matcher = Matcher(load([str(TRACKER)]))
    mended = deb("openssl", "3.0.13-1~deb12u1")
    assert {item.advisory.id for item in matcher.of(host(mended))} == {"CVE-2024-2511"}
    assert not matcher.of(host(deb("openssl", "3.0.11-1", status="config-files")))
    assert not matcher.of(host(deb("openssl", "3.0.11-1"), platform="fedora", version_id="40"))


def test_records_of_osv_are_read() -> None:
    index = load([str(RECORDS)])
    assert index.systems >= {"debian:9", "debian:bookworm", "alpine:3.19", "pypi", "npm"}
    (musl,) = index.of("alpine:3.19", "musl")
    assert musl.spans == (Span("0.9.13", fixed="1.2.4_git20230717-r5"),)
    assert (musl.published, musl.aliases) == ("2025-02-14", ("CVE-2025-26519",))
    (requests,) = index.of("pypi", "requests")
    assert requests.spans == (Span("2.3.0", fixed="2.31.0"),)
    assert not index.of("pypi", "request")
    assert not index.of("pypi", "zzz")


@pytest.mark.parametrize("kept", [True, False])
def test_an_index_says_of_what_it_is_made(tmp_path: Path, kept: bool) -> None:
    folder = tmp_path / "given"
    folder.mkdir()
    for path in (RECORDS / "PYSEC-2023-74.json", TRACKER):
        (folder / path.name).write_bytes(path.read_bytes())
    digests = [sha256(path.read_bytes()) for path in sorted(folder.iterdir())]
    both = sha256(b"".join(each.digest() for each in digests)).hexdigest()
    for _ in range(2):  # the second is read from what was kept
        used = load([str(TRACKER), str(folder)], tmp_path / "kept" if kept else None).used
        assert [(each.given, each.files) for each in used] == [(str(TRACKER), 1), (str(folder), 2)]
        assert used[0].digest == f"sha256:{sha256(TRACKER.read_bytes()).hexdigest()}"
        assert used[1].digest == f"sha256:{both}"


def apk(version: str) -> Resource:
    attributes: dict[str, Value] = {"name": "musl", "version": version, "source": "musl", "status": "installed"}
    return Resource("package", "musl/x86_64", attributes | {"type": "apk", "arch": "x86_64"})


def test_alpine_goes_by_its_minor_release() -> None:
    matcher = Matcher(load([str(RECORDS)]))
    known = matcher.of(host(apk("1.2.4_git20230717-r4"), platform="alpine", version_id="3.19.1"))
    assert [(item.fixed, item.severity, item.score) for item in known] == [("1.2.4_git20230717-r5", "high", 70)]
    assert not matcher.of(host(apk("1.2.4_git20230717-r5"), platform="alpine", version_id="3.19.1"))


def python(directory: str, installer: str = "", version: str = "2.28.1", name: str = "Requests") -> Resource:
    columns: dict[str, Value] = {"name": name, "version": version, "directory": directory, "installer": installer}
    return Resource("python_package", f"{name}@{directory}", columns)


def test_python_packages_of_the_distribution_are_the_distributions() -> None:
    matcher = Matcher(load([str(RECORDS)]))
    assert not matcher.of(host(python("/usr/lib/python3/dist-packages")))
    own = python("/usr/local/lib/python3.11/dist-packages", "pip")
    (known,) = matcher.of(host(own))
    assert (known.key, known.fixed, known.system) == (own.key, "2.31.0", "pypi")
    assert matcher.of(host(python("/usr/lib/python3/dist-packages", "pip")))
    assert not matcher.of(host(python("/opt/x/lib/python3.11/site-packages", version="2.31.0")))
    assert not matcher.of(host(python("/opt/x/lib/python3.11/site-packages", version="no version")))


def test_npm_packages() -> None:
    matcher = Matcher(load([str(RECORDS)]))
    columns: dict[str, Value] = {"name": "ansi-html", "version": "0.0.7", "directory": "/usr/local/lib/node_modules"}
    (known,) = matcher.of(host(Resource("npm_package", "ansi-html@/usr/local/lib/node_modules", columns)))
    assert (known.fixed, known.severity, known.score) == ("0.0.8", "high", 75)
    debians = columns | {"directory": "/usr/share/nodejs"}
    assert not matcher.of(host(Resource("npm_package", "ansi-html@/usr/share/nodejs", debians)))


def rpm(name: str, version: str, source: str) -> Resource:
    columns: dict[str, Value] = {"name": name, "version": version, "source": source, "status": "installed"}
    return Resource("package", f"{name}/x86_64", columns | {"type": "rpm", "arch": "x86_64"})


def test_rpm_by_epoch_and_rockys_by_source(tmp_path: Path) -> None:
    fixed = [{"introduced": "0"}, {"fixed": "1:3.0.7-27.el9"}]
    record = osv("RLSA-2024:1", "Rocky Linux:9", events=fixed, summary="Important: openssl security update")
    libs = rpm("openssl-libs", "1:3.0.7-24.el9", "openssl-3.0.7-24.el9.src.rpm")
    known = found(record, host(libs, platform="rocky", version_id="9.3"), tmp_path)
    assert known["RLSA-2024:1/openssl-libs"].severity == "high"
    newer = rpm("openssl-libs", "1:3.0.7-27.el9", "openssl-3.0.7-27.el9.src.rpm")
    assert not found(record, host(newer, platform="rocky", version_id="9.3"), tmp_path)
    assert not found(record, host(libs, platform="rocky", version_id="8.9"), tmp_path)


def test_a_fix_in_a_module_is_for_builds_of_the_module(tmp_path: Path) -> None:
    fixed = [{"introduced": "0"}, {"fixed": "1:20.15.1-1.module_el9.4.0+123+abcdef12"}]
    record = osv("ALSA-1", "AlmaLinux:9", "nodejs", events=fixed)
    for version, hit in (
        ("1:16.20.2-4.el9", False),
        ("1:18.19.1-1.module_el9.3.0+90+aa", False),
        ("1:20.11.1-1.module_el9.3.0+90+aa", True),
    ):
        node = rpm("nodejs", version, "nodejs-x.src.rpm")
        assert bool(found(record, host(node, platform="almalinux", version_id="9.4"), tmp_path)) is hit, version


@pytest.mark.parametrize(
    ("events", "version", "fixed"),
    [
        ([{"introduced": "0"}, {"fixed": "2"}], "1", "2"),
        ([{"introduced": "0"}, {"fixed": "2"}], "2", None),
        ([{"fixed": "2"}, {"introduced": "0"}], "1", "2"),
        ([{"introduced": "1"}, {"fixed": "2"}, {"introduced": "3"}, {"fixed": "4"}], "2.5", None),
        ([{"introduced": "1"}, {"fixed": "2"}, {"introduced": "3"}, {"fixed": "4"}], "3.1", "4"),
        ([{"introduced": "3"}, {"introduced": "1"}, {"fixed": "4"}, {"fixed": "2"}], "3.1", "4"),
        ([{"introduced": "3"}, {"introduced": "1"}, {"fixed": "4"}, {"fixed": "2"}], "0.9", None),
        ([{"introduced": "0"}, {"last_affected": "2"}], "2", ""),
        ([{"introduced": "0"}, {"last_affected": "2"}], "2.1", None),
        ([{"introduced": "0"}], "99", ""),
    ],
)
def test_spans(events: object, version: str, fixed: str | None, tmp_path: Path) -> None:
    known = found(osv(events=events), host(deb("openssl", version)), tmp_path)
    assert [item.fixed for item in known.values()] == ([] if fixed is None else [fixed])


def test_versions_that_are_named_count_where_no_range_is() -> None:
    named = Advisory(id="A", versions=("1.0",))
    assert affected(named, "1.0", "pypi") is not None
    assert affected(named, "1.1", "pypi") is None


def test_a_withdrawn_record_says_nothing(tmp_path: Path) -> None:
    records = [osv("CVE-2026-1", withdrawn="2026-01-01T00:00:00Z"), osv("CVE-2026-2")]
    assert list(found(records, host(deb("openssl", "1")), tmp_path)) == ["CVE-2026-2/openssl"]


def test_records_of_one_cve_are_one(tmp_path: Path) -> None:
    vector = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"
    own = osv("CVE-2026-1000", events=[{"introduced": "0"}])
    other = osv(
        "DEBIAN-CVE-2026-1000",
        upstream=["CVE-2026-1000"],
        severity=[{"type": "CVSS_V3", "score": vector}],
        published="2026-02-03T00:00:00Z",
    )
    notice = osv("DSA-1-1", upstream=["CVE-2026-1000", "CVE-2026-7000"])
    known = found([own, other], host(deb("openssl", "1")), tmp_path)
    (one,) = known.values()
    assert (one.advisory.id, one.fix, one.fixed) == ("CVE-2026-1000", Fix.FIXED, "3.0.15-1~deb12u1")
    assert (one.severity, one.score, one.advisory.published) == ("critical", 98, "2026-02-03")
    assert one.advisory.aliases == ("DEBIAN-CVE-2026-1000",)
    both = [own, other, osv("CVE-2026-7000")]
    assert "DSA-1-1/openssl" in found([own, other, notice], host(deb("openssl", "1")), tmp_path)
    assert "DSA-1-1/openssl" not in found([*both, notice], host(deb("openssl", "1")), tmp_path)


def test_the_tracker_and_osv_are_merged_although_they_name_the_release_differently(tmp_path: Path) -> None:
    tracker = {
        "openssl": {
            "CVE-2026-1111": {"releases": {"bookworm": {"status": "open", "urgency": "not yet assigned"}}},
            "CVE-2026-2222": {"releases": {"bookworm": {"status": "resolved", "fixed_version": "4"}}},
        }
    }
    names = ["CVE-2026-1111", "CVE-2026-2222"]
    records = [
        osv("DEBIAN-CVE-2026-1111", upstream=names[:1], affected={"ecosystem_specific": {"urgency": "high**"}}),
        osv("DSA-1-1", upstream=names),
    ]
    paths = (tmp_path / "osv.json", tmp_path / "tracker.json")
    for path, content in zip(paths, (records, tracker), strict=True):
        path.write_text(json.dumps(content))

    def told(*given: Path) -> list[tuple[str, str, str, str]]:
        matcher = Matcher(load([str(path) for path in given]))
        return [
            (known.advisory.id, known.system, known.fixed, known.severity)
            for known in matcher.of(host(deb("openssl", "3.0.11-1")))
        ]

    mended = ("CVE-2026-1111", "debian:12", "3.0.15-1~deb12u1", "high")
    assert told(*paths) == [mended, ("CVE-2026-2222", "debian:12", "4", "unknown")]
    assert told(paths[0]) == [mended, ("DSA-1-1", "debian:12", "3.0.15-1~deb12u1", "unknown")]
    assert told(paths[1])[1] == ("CVE-2026-2222", "debian:bookworm", "4", "unknown")


def test_nothing_is_merged_of_different_cves() -> None:
    hits = [affected(Advisory(id=f"CVE-2026-{number}", spans=(Span(),)), "1", "deb") for number in (1000, 1001)]
    assert len(merged(hit for hit in hits if hit)) == 2


def kernel(release: str, version: str, **more: Value) -> Resource:
    return deb(f"linux-image-{release}", version, "linux-signed-amd64", source_version=f"{version}+1", **more)


def test_of_kernels_the_running_and_the_newest_count(tmp_path: Path) -> None:
    releases = {"6.1.0-10-amd64": "6.1.37-1", "6.1.0-13-amd64": "6.1.55-1", "6.1.0-15-amd64": "6.1.66-1"}
    record = osv("CVE-2024-1086", package="linux", events=[{"introduced": "0"}, {"fixed": "6.1.76-1"}])
    packages = [kernel(release, version) for release, version in releases.items()]
    headers = deb("linux-libc-dev", "6.1.55-1", "linux")
    running = Resource("kernel_info", "-", {"version": "6.1.0-10-amd64", "build": "#1 SMP Debian 6.1.37-1"})
    known = found(record, host(*packages, headers, running), tmp_path)
    names = {item.package for item in known.values()}
    assert names == {"linux-image-6.1.0-10-amd64", "linux-image-6.1.0-15-amd64"}
    assert not found(record, host(headers), tmp_path)
    other = osv("CVE-2024-2", package="linux-base", events=[{"introduced": "0"}])
    assert found(other, host(deb("linux-base", "4.9")), tmp_path)


def packed(path: Path, data: bytes) -> None:
    if path.suffix == ".gz":
        path.write_bytes(gzip.compress(data))
    elif path.suffix == ".xz":
        path.write_bytes(lzma.compress(data))
    elif path.suffix == ".zst":
        with ZstdFile(path, "wb") as stream:
            stream.write(data)
    elif path.suffix == ".zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("CVE-2026-1.json", data)
            archive.writestr("README", b"\xff")
    else:
        path.write_bytes(data)


@pytest.mark.parametrize("name", ["a.json", "a.json.gz", "a.json.xz", "a.json.zst", "all.zip", "a"])
def test_every_packing(name: str, tmp_path: Path) -> None:
    packed(tmp_path / name, json.dumps(osv()).encode())
    assert load([str(tmp_path / name)]).count == 1


def test_lists_lines_and_folders(tmp_path: Path) -> None:
    records = [osv(f"CVE-2026-{number}") for number in range(3)]
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "lines.jsonl").write_text("\n".join(map(json.dumps, records)) + "\n")
    (tmp_path / "list.json").write_text(json.dumps(records))
    (tmp_path / "notes.txt").write_text("no JSON")
    index = load([str(tmp_path)])
    assert index.count == 6
    assert len(index.of("debian:12", "openssl")) == 3


def test_an_index_is_kept_by_content_and_made_anew_if_broken(tmp_path: Path) -> None:
    given, cache = tmp_path / "a.json", tmp_path / "cache"
    given.write_text(json.dumps(osv()))
    assert load([str(given)], cache).count == 1
    (kept,) = cache.iterdir()
    (tmp_path / "b.json").write_text(given.read_text())
    assert load([str(tmp_path / "b.json")], cache).of("debian:12", "openssl")
    assert list(cache.iterdir()) == [kept]
    kept.write_bytes(b"{}\n")
    assert load([str(given)], cache).count == 1
    given.write_text(json.dumps([osv("CVE-2026-1"), osv("CVE-2026-2")]))
    assert load([str(given)], cache).count == 2
    assert len(list(cache.iterdir())) == 2


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"", "none of these files"),
        (b"[]", "none of these files"),
        (b"\xff\xfe{}", "byte 0 is no UTF-8"),
        (b"{", "a.json:1:2: no JSON"),
        (b'{"id": "CVE-2026-1", "affected": 3}', "CVE-2026-1: 'affected' is not a list"),
        (b'{"id": "CVE-2026-1", "affected": [3]}', "affected[0]: not an object"),
        (b'{"affected": []}', "a record without 'id'"),
        (b'{"id": ["x"]}', "'id' is not text"),
        (b"[1]", "a.json: [0]: not an object"),
        (json.dumps(osv(events=[{"introduced": 0}])).encode(), "events[0]: 'introduced' is not text"),
        (json.dumps(osv(events=[{"begun": "0"}])).encode(), "events[0]: an event is one of"),
        (json.dumps(osv(events=[{"introduced": "1" * 600}])).encode(), "longer than 512 characters"),
        (
            b'{"openssl": {"CVE-2026-1": {"releases": {"bookworm": {"status": "odd"}}}}}',
            "CVE-2026-1: bookworm: 'status'",
        ),
        (b'{"openssl": {"CVE-2026-1": {"releases": []}}}', "openssl: CVE-2026-1: 'releases' is not an object"),
        (b'{"openssl": []}', "openssl: not a source package"),
        (b'{"openssl": {}} x', "something stands behind"),
        (b'{"openssl": {}\n x', "a.json:2:2: expected '}'"),
        (b"[" * 100_000, "no JSON that can be read"),
        (b'{"openssl": ' + b"[" * 100_000, "no JSON that can be read"),
        (b"\x1f\x8b\x08\x00garbage", "a.json:"),
        (b"PK\x03\x04garbage", "a.json:"),
        (b"\x28\xb5\x2f\xfdgarbage", "a.json:"),
    ],
)
def test_what_is_broken_is_named(data: bytes, told: str, tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(data)
    with pytest.raises(UsageError) as caught:
        load([str(path)])
    assert told in caught.value.message


def test_what_unfolds_to_too_much_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("driftscan.advisories._files.MAX_TEXT", 1000)
    monkeypatch.setattr("driftscan.advisories._files.MAX_MEMBER", 1000)
    for name in ("a.json.gz", "all.zip"):
        packed(tmp_path / name, b" " * 2000)
        with pytest.raises(UsageError, match="unfolds to more than"):
            load([str(tmp_path / name)])


def test_a_path_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such file or folder"):
        load([str(tmp_path / "missing")])
    with pytest.raises(UsageError, match="no advisories in this folder"):
        load([str(tmp_path)])
