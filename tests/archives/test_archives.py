"""Package archives: what they hold, which belongs to which package, and what damaged or hostile ones do."""

import hashlib
import io
import tarfile
from pathlib import Path

import pytest

from driftscan.archives import Archives, _deb
from driftscan.archives._deb import contents
from driftscan.errors import UsageError
from driftscan.model.proof import Rank, Shipped
from tests.archives.building import PACK, ar, control, deb, entry, put, tar

PROGRAM = b"#!/bin/sh\n"


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


DIGEST = sha256(PROGRAM)
FILES = (
    entry("./usr/bin/tool", PROGRAM, mode=0o755),
    entry("./usr/bin/again", type=tarfile.LNKTYPE, linkname="./usr/bin/tool"),
    entry("./usr/lib/tool", type=tarfile.DIRTYPE, mode=0o2775, gid=50),
    entry("./usr/lib/tool/l", type=tarfile.SYMTYPE, linkname="../x", mode=0o777),
    entry("./usr/share/caf\udce9\\x", b""),
)


@pytest.mark.parametrize("compression", sorted(PACK))
def test_what_an_archive_holds(compression: str) -> None:
    found = contents(io.BytesIO(deb(*FILES, postinst=b"chown x /y\n", compression=compression)), "tool.deb")
    assert (found.package, found.version, found.architecture) == ("tool", "2.0", "all")
    assert found.files == {
        "/usr/bin/tool": Shipped("regular", DIGEST, "0755", 0, 0),
        "/usr/bin/again": Shipped("regular", DIGEST, "0755", 0, 0),
        "/usr/lib/tool": Shipped("directory", None, "2775", 0, 50),
        "/usr/lib/tool/l": Shipped("symlink", "../x", None, 0, 0),
        "/usr/share/caf\\xe9\\\\x": Shipped("regular", sha256(b""), "0644", 0, 0),
        "/var/lib/dpkg/info/tool.postinst": Shipped("regular", sha256(b"chown x /y\n"), "0755", 0, 0),
    }
    assert found.scripts == "chown x /y\n"


def test_control_files_are_where_dpkg_puts_them() -> None:
    about = (
        entry("./conffiles", b"/etc/tool\n"),
        entry("./prerm", PROGRAM, mode=0o755),
        entry("./sub/triggers", b"not one: dpkg takes no directories"),
        entry("./link", type=tarfile.SYMTYPE, linkname="/etc/shadow"),
        entry("./triggers", b"activate ldconfig\n"),
    )
    of_one = contents(io.BytesIO(deb(about=about)), "tool.deb")
    assert sorted(of_one.files) == [f"/var/lib/dpkg/info/tool.{name}" for name in ("conffiles", "prerm", "triggers")]
    head = control(architecture="amd64") + b"Multi-Arch: same\n"
    of_several = contents(io.BytesIO(deb(about=about[:2], head=head)), "tool.deb")
    assert of_several.files == {
        "/var/lib/dpkg/info/tool:amd64.conffiles": Shipped("regular", sha256(b"/etc/tool\n"), "0644", 0, 0),
        "/var/lib/dpkg/info/tool:amd64.prerm": Shipped("regular", DIGEST, "0755", 0, 0),
    }


WHOLE = deb(*FILES, compression=".gz")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"not one",
        b"!<arch>\n",
        WHOLE[:200],
        WHOLE[:-300],
        WHOLE.replace(b"data.tar.gz", b"data.tar.br"),
        deb(*FILES, head=b"Package: tool\n"),
        deb(entry("./a", type=tarfile.LNKTYPE, linkname="./not-there")),
        ar({"control.tar": tar(entry("./control", control())), "data.tar.xz": b"\xfd7zXZ\0 damaged"}),
        ar({"control.tar": tar(entry("./control", control())), "data.tar.zst": b"damaged"}),
        b"!<arch>\n" + b"data.tar" + b" " * 40 + b"-1        `\n",
    ],
)
def test_damaged_ones_are_errors_that_name_the_file(data: bytes) -> None:
    with pytest.raises(UsageError, match=r"some\.deb: not a Debian package"):
        contents(io.BytesIO(data), "some.deb")


def test_what_unpacks_to_too_much_is_refused_before_it_is_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_deb, "MAX_UNPACKED", 1 << 20)
    bomb = deb(entry("./zeros", b"\0" * (2 << 20)))
    with pytest.raises(UsageError, match="more than a package holds"):
        contents(io.BytesIO(bomb), "bomb.deb")
    monkeypatch.setattr(_deb, "MAX_FILES", 3)
    with pytest.raises(UsageError, match="more than a package holds"):
        contents(io.BytesIO(deb(*FILES)), "many.deb")


def test_found_by_name_version_and_architecture_and_by_what_is_inside(tmp_path: Path) -> None:
    epoch = deb(*FILES, head=control(version="1:2.0"))
    put(tmp_path / "pool/main/t/tool", "tool_2.0_all.deb", epoch)
    put(tmp_path, "tool_1%3a2.0_all.deb", epoch)
    put(tmp_path, "tool_3.0_all.deb", deb(*FILES))  # which says 2.0 itself
    put(tmp_path, "tool-parts_1%3a2.0_all.deb", deb(*FILES))
    archives = Archives([str(tmp_path)])
    found = archives.find("tool", "all", "1:2.0")
    assert [(each.rank, each.origin) for each in found] == [
        (Rank.ARCHIVE, "tool_1%3a2.0_all.deb"), (Rank.ARCHIVE, "tool_2.0_all.deb"),
    ]  # fmt: skip
    assert "/usr/bin/tool" in found[0].files
    assert archives.find("tool", "all", "2.0") == ()
    assert archives.find("tool", "all", "3.0") == ()
    assert archives.find("tool", "amd64", "1:2.0") == ()


def test_what_was_read_is_kept_by_the_archives_digest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place, kept = tmp_path / "debs", tmp_path / "state"
    path = put(place, "tool_2.0_all.deb", deb(*FILES))
    first = Archives([str(place)], kept).find("tool", "all", "2.0")
    assert [file.stem for file in kept.iterdir()] == [hashlib.sha256(path.read_bytes()).hexdigest()]
    monkeypatch.setattr("driftscan.archives._library.contents", lambda file, name: pytest.fail("read again"))
    assert Archives([str(place)], kept).find("tool", "all", "2.0") == first
    monkeypatch.undo()
    path.write_bytes(deb(entry("./usr/bin/tool", b"other")))
    assert Archives([str(place)], kept).find("tool", "all", "2.0") != first
    for file in kept.iterdir():
        file.write_text("[1, 2")
    assert Archives([str(place)], kept).find("tool", "all", "2.0")


def test_one_that_cannot_be_read_is_told_and_says_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    put(tmp_path, "tool_2.0_all.deb", b"no")
    assert Archives([str(tmp_path)]).find("tool", "all", "2.0") == ()
    assert "tool_2.0_all.deb: not a Debian package" in caplog.text


def test_no_directory_is_wrong_input(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"--packages .*nowhere: no such directory"):
        Archives([str(tmp_path / "nowhere")])
