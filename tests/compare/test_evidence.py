"""What a host tells about causes: apt's history, dpkg's lists, install scripts."""

from datetime import timedelta, timezone
from zoneinfo import ZoneInfo

from driftscan.compare.apt_history import parse
from driftscan.compare.evidence import Evidence, dpkg_files
from driftscan.compare.transaction import Item
from driftscan.model.names import spellings

# The first entry is what apt 2.6 of Debian 12 wrote for `apt-get install nginx` (without Requested-By, which it adds
# under sudo); the others are in its form.
HISTORY = """
Start-Date: 2026-11-20  06:12:33
Commandline: apt-get install -qy nginx
Requested-By: deploy (1000)
Install: nginx:amd64 (1.22.1-9+deb12u9), nginx-common:amd64 (1.22.1-9+deb12u9, automatic)
End-Date: 2026-11-20  06:12:36

Start-Date: 2026-11-20  06:40:01
Commandline: /usr/bin/unattended-upgrade
Upgrade: libssl3:amd64 (3.0.15-1~deb12u1, 3.0.17-1~deb12u2), openssl:amd64 (3.0.15-1~deb12u1, 3.0.17-1~deb12u2)
End-Date: 2026-11-20  06:40:09

Start-Date: 2026-11-20  07:00:00
Commandline: apt-get purge -y nginx
Purge: nginx:amd64 (1.22.1-9+deb12u9)
Error: Sub-process /usr/bin/dpkg returned an error code (1)
End-Date: 2026-11-20  07:00:02
"""


def test_history_of_apt() -> None:
    install, upgrade, purge = parse(HISTORY, timezone(timedelta(hours=1)))
    assert (install.start, install.end) == ("2026-11-20T05:12:33Z", "2026-11-20T05:12:36Z")
    assert (install.command, install.requested_by) == ("apt-get install -qy nginx", "deploy (1000)")
    assert install.install == (
        Item("nginx", "amd64", "", "1.22.1-9+deb12u9"),
        Item("nginx-common", "amd64", "", "1.22.1-9+deb12u9", automatic=True),
    )
    assert upgrade.upgrade[1] == Item("openssl", "amd64", "3.0.15-1~deb12u1", "3.0.17-1~deb12u2")
    assert purge.remove == (Item("nginx", "amd64", "1.22.1-9+deb12u9"),)


def test_times_from_before_the_clocks_were_changed() -> None:
    text = "Start-Date: 2026-10-24  03:10:00\nUpgrade: a:amd64 (1, 2)\n\n" + HISTORY
    entries = parse(text, ZoneInfo("Europe/Berlin"))
    assert [each.start for each in entries[:2]] == ["2026-10-24T01:10:00Z", "2026-11-20T05:12:33Z"]


def test_a_damaged_history_costs_only_what_is_damaged() -> None:
    broken = (
        "\x00\xff garbage\n\nStart-Date: never\nInstall: (((\n\n" + HISTORY + "\nStart-Date: 9999-99-99  99:99:99\n"
    )
    entries = parse(broken, timezone(timedelta(hours=-23)))
    assert len(entries) == 5
    assert entries[0].start == entries[-1].start == ""
    assert entries[1].install[0].name == "nginx"


def test_files_of_a_package() -> None:
    listing = "/.\n/etc\n/etc/x.conf\n/usr\n/usr/bin\n/usr/bin/x y\n"
    sums = "0" * 32 + "  usr/bin/x y\n" + "nonsense\n" + "1" * 31 + "  usr/short\n"
    assert dpkg_files(listing, sums, {"/etc/x.conf": "2" * 32, "/etc/odd": "newconffile"}) == {
        "/etc": "",
        "/etc/x.conf": "2" * 32,
        "/usr": "",
        "/usr/bin": "",
        "/usr/bin/x y": "0" * 32,
    }


def test_paths_through_the_links_of_a_merged_usr() -> None:
    assert spellings("/usr/bin/x") == ("/usr/bin/x", "/bin/x")
    assert spellings("/bin/x") == ("/bin/x", "/usr/bin/x")
    assert spellings("/usr/share/x") == ("/usr/share/x",)
    evidence = Evidence(
        package_files={"x/amd64": {"/bin/x": "0" * 32, "/usr/share/x": ""}, "y/all": {"/usr/bin/x": ""}}
    )
    assert evidence.owners_of("/usr/bin/x") == ("x/amd64", "y/all")
    assert evidence.shipped("x/amd64", "/usr/bin/x") == "0" * 32
    assert evidence.shipped("x/amd64", "/usr/share/x") == ""
    assert evidence.shipped("x/amd64", "/usr/share/y") is None


def test_what_install_scripts_make() -> None:
    scripts = {"a": "adduser --system postfix\nmkdir -p /var/www/html/\n", "b": 'echo "postfix"'}
    evidence = Evidence(package_scripts=scripts)
    assert evidence.scripts_make_account("a", "postfix")
    assert not evidence.scripts_make_account("a", "postfi")
    assert not evidence.scripts_make_account("b", "postfix")
    assert {"/var/www/html", "/var/www"} == evidence.scripts_name("a")
