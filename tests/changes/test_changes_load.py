"""Files of declared changes: what they say, and what is wrong with bad ones, with its place."""

import hashlib
import os
from pathlib import Path

import pytest

from driftscan.changes import load
from driftscan.errors import UsageError
from driftscan.model.declared import ANY, Content, PackageChange
from driftscan.model.drift import Change
from driftscan.model.names import encode_name

KINDS = frozenset({"file", "package", "service", "sysctl"})
GOOD = """\
title: web 12
packages:
  - name: [openssl, "libssl*"]
    from: 3.0.11-1
    to: 3.0.15-1
    change: upgraded
    reason: DSA-5764
  - {name: jq, reason: for   the
      health checks}
files:
  - path: /etc/app/**
    tree: rootfs
    reason: the app's settings
  - path: /usr/local/bin/app
    sha256: "%s"
    privileged: true
    reason: the app
resources:
  - pattern: service:app.service
    change: [added, modified]
    attributes: [unit_file_state]
    reason: it is enabled
""" % ("a" * 64)


def declared(folder: Path, text: str) -> Path:
    path = folder / "changes.yaml"
    path.write_text(text)
    return path


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A build repository with a directory that goes into the image."""
    (tmp_path / "rootfs/etc/app").mkdir(parents=True)
    (tmp_path / "rootfs/etc/app/app.conf").write_text("port = 80\n")
    (tmp_path / "rootfs/etc/other").write_text("not named")
    (tmp_path / "rootfs/etc/app/link").symlink_to("/etc/shadow")
    (tmp_path / "rootfs/etc/app/.git").mkdir()
    (tmp_path / "rootfs/etc/app/.git/HEAD").write_text("ref")
    (tmp_path / os.fsdecode(b"rootfs/etc/app/\xff\n")).write_text("")
    os.mkfifo(tmp_path / "rootfs/etc/app/pipe")
    return tmp_path


def test_what_a_file_says(repository: Path) -> None:
    found = load(declared(repository, GOOD), KINDS)
    openssl, jq = found.packages
    assert (openssl.names, openssl.before, openssl.after) == (("openssl", "libssl*"), "3.0.11-1", "3.0.15-1")
    assert openssl.changes == {PackageChange.UPGRADED}
    assert openssl.origin == "changes.yaml:3:5"
    assert (jq.before, jq.after, jq.reason) == (ANY, ANY, "for the health checks")
    assert jq.changes == {PackageChange.INSTALLED, PackageChange.REMOVED, PackageChange.UPGRADED}
    assert found.files[1].sha256 == "a" * 64
    assert found.files[1].privileged
    assert found.facts[0].changes == {Change.ADDED, Change.MODIFIED}
    assert found.facts[0].attributes == {"unit_file_state"}
    assert len({entry.origin for entry in found.entries}) == len(found.entries) == 5


def test_a_tree_is_what_the_repository_has_and_no_link_is_followed(repository: Path) -> None:
    entry = load(declared(repository, GOOD), KINDS).files[0]
    assert entry.contents == {
        "/etc/app/app.conf": Content("regular", hashlib.sha256(b"port = 80\n").hexdigest()),
        "/etc/app/link": Content("symlink", "/etc/shadow"),
        encode_name(b"/etc/app/\xff\n"): Content("regular", hashlib.sha256(b"").hexdigest()),
    }
    assert entry.changes == {Change.ADDED, Change.MODIFIED}


def test_two_entries_on_one_line_are_two(tmp_path: Path) -> None:
    text = "packages: [{name: a, reason: x}, {name: b, reason: x}]\n"
    first, second = load(declared(tmp_path, text), KINDS).packages
    assert first.origin != second.origin


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("packages: [{nam: a, reason: x}]", "did you mean 'name'"),
        ("package: []", "did you mean 'packages'"),
        ("packages: [{name: a}]", "reason"),
        ("packages: [{name: a, reason: ' '}]", "expected a reason"),
        ("packages: [{name: a, change: upgrade, reason: x}]", "upgraded"),
        ("packages: [{name: a, to: 3.0, reason: x}]", "changes.yaml:1:26"),
        ("files: [{path: etc/x, reason: x}]", "paths are absolute"),
        ("files: [{path: /etc/../x, reason: x}]", "never stand in a key"),
        ("files: [{path: /etc/a**, reason: x}]", "a component of its own"),
        ("files: [{path: /a*b*c*d*e*f*g*, reason: x}]", "more than 6 wildcards"),
        ("files: [{path: /x, sha256: ABC, reason: x}]", "64 hexadecimal digits"),
        ("files: [{path: /x, tree: nowhere, reason: x}]", "changes.yaml:1:26: no directory"),
        (f"files: [{{path: /x, tree: ., sha256: '{'a' * 64}', reason: x}}]", "exclude each other"),
        ("resources: [{pattern: 'servise:x', reason: x}]", "did you mean 'service'"),
        ("resources: [{pattern: 'file:/x', reason: x}]", "a file stands under `files`"),
        ("resources: [{pattern: '/x', reason: x}]", "a file stands under `files`"),
        ("resources: [{pattern: 'package:x', reason: x}]", "a package stands under `packages`"),
        ("{}", "changes.yaml:1:1"),
    ],
)
def test_what_is_wrong_and_where(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(UsageError) as caught:
        load(declared(tmp_path, text), KINDS)
    assert says in f"{caught.value.message} {caught.value.hint}"
    assert "changes.yaml:1:" in caught.value.message


def test_a_tree_that_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "tree").mkdir()

    def refuse(_path: bytes) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("driftscan.changes.tree.os.scandir", refuse)
    with pytest.raises(UsageError, match="Permission denied"):
        load(declared(tmp_path, "files: [{path: /x, tree: tree, reason: x}]"), KINDS)


def test_the_example_of_the_documentation_is_read(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs/formats/declared.md").read_text()
    example = page.partition("```yaml\n")[2].partition("```")[0]
    (tmp_path / "rootfs").mkdir()
    found = load(declared(tmp_path, example), KINDS | {"sshd_setting"})
    assert len(found.entries) == 7
