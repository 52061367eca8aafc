"""Zones that an image declares: as narrow as the declaration, and never about what runs or who gets in."""

import re
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest

from driftscan.capture.live import open_rootfs
from driftscan.model.glob import to_regex
from driftscan.model.matching import Matcher
from driftscan.model.names import decode_name
from driftscan.model.resource import Resource
from driftscan.model.source import Capture, Captures, Glob, Member, Source, Status
from driftscan.model.zone import Provenance, Zone, ZoneClass
from driftscan.zones.declared import accept, declarations, declarers, sources
from tests.compare.building import file, link, resources, zone

REAL = Path(__file__).parent / "declared"


def captures(files: Mapping[str, str | None]) -> Captures:
    """What a root with these files answers; None: a link to /dev/null."""
    return Captures([answer(source, files) for source in sources()])


def answer(source: Source, files: Mapping[str, str | None]) -> Capture:
    assert isinstance(source, Glob)
    expressions = [re.compile(to_regex(pattern)) for pattern in source.patterns]
    found = sorted(path for path in files if any(each.fullmatch(path) for each in expressions))
    members = tuple(member(path, files[path]) for path in found)
    return Capture(source, Status.OK if members else Status.ABSENT, members=members)


def member(path: str, text: str | None) -> Member:
    if text is None:
        return Member(path.encode(), Status.OK, b"", link=b"/dev/null", mode=0o120777)
    return Member(path.encode(), Status.OK, text.encode("utf-8", "surrogateescape"), mode=0o100644)


def said(files: Mapping[str, str | None]) -> tuple[Zone, ...]:
    zones, gaps = declarations(captures(files))
    assert not gaps
    return zones


def shown(zones: Iterable[Zone]) -> set[str]:
    """Class and pattern; `+`: may come, `-`: may go, in parentheses where nothing else may differ."""
    return {f"{'(' if item.attributes else ''}{item.zone.value}{_names(item)} {item.pattern}" for item in zones}


def _names(item: Zone) -> str:
    return ("+" if item.may_appear else "") + ("-" if item.may_vanish else "") + (")" if item.attributes else "")


def tmpfiles(text: str) -> set[str]:
    return shown(said({"/usr/lib/tmpfiles.d/x.conf": text}))


def unit(text: str, name: str = "x.service") -> set[str]:
    return shown(said({f"/usr/lib/systemd/system/{name}": text}))


def logrotate(text: str, more: Mapping[str, str] | None = None) -> set[str]:
    return shown(said({"/etc/logrotate.conf": text, **(more or {})}))


def cloud(text: str, more: Mapping[str, str] | None = None) -> set[str]:
    return shown(said({"/etc/cloud/cloud.cfg": text, **(more or {})}))


def accepted(zones: Iterable[Zone], known: Iterable[Zone] = (), files: Iterable[Resource] = ()) -> set[str]:
    made = accept([tuple(zones)], tuple(known), resources(files).files).zones
    return {item for item in shown(made) if not item.startswith("sealed")}


def declared(pattern: str, wanted: str = "free", **more: object) -> Zone:
    settings = {"provenance": Provenance.DECLARED, "origin": "/x:1", **more}
    return Zone(pattern=pattern, zone=ZoneClass(wanted), reason="r", **settings)  # type: ignore[arg-type]


# Real files


def test_a_real_debian(request: pytest.FixtureRequest) -> None:
    session = open_rootfs(str(REAL / "debian-12"), time.monotonic() + 600)
    try:
        zones, gaps = declarations(session.ask(sources()))
    finally:
        session.close()
    assert not gaps
    assert {item.provenance for item in zones} == {Provenance.DECLARED}
    text = "".join(f"{line} {item.origin}\n" for item in zones for line in shown([item]))
    golden = REAL / "debian-12.zones"
    if request.config.getoption("--update-expected"):
        golden.write_text(text)
    assert text == golden.read_text()


def test_each_declarer_has_a_name_and_says_what_it_reads() -> None:
    assert [each.name for each in declarers()] == ["cloud_init", "logrotate", "systemd_units", "tmpfiles"]
    assert all(each.doc and each.sources for each in declarers())


def test_what_could_not_be_read_is_a_gap_and_declares_nothing() -> None:
    broken = Captures([Capture(source, Status.TIMED_OUT, detail="late") for source in sources()])
    zones, gaps = declarations(broken)
    assert not zones
    assert [gap.status for gap in gaps] == [Status.TIMED_OUT] * len(declarers())
    assert not any(gap.hides for gap in gaps)


# tmpfiles.d


@pytest.mark.parametrize(
    ("line", "zones"),
    [
        ("d /var/lib/x 0755 root root -", {"(free+) /var/lib/x"}),
        ("d /var/lib/x", {"(free+) /var/lib/x"}),
        ("d /var/lib/x - - - 10d", {"(free+) /var/lib/x", "free /var/lib/x/**"}),
        ("q /var/lib/x/ - - - 10d", {"(free+) /var/lib/x", "free /var/lib/x/**"}),
        ("e /var/lib/x* - - - 1h", {"free /var/lib/x*/**"}),
        ("D /var/lib/x", {"(free+) /var/lib/x", "free /var/lib/x/**"}),
        ("f+ /var/lib/x - - - - text", {"(free+) /var/lib/x"}),
        ("L+! /var/lib/x - - - - /y", {"(free+) /var/lib/x"}),
        ("C /var/lib/x - - - 10d /usr/share/x", {"(free+) /var/lib/x"}),
        ("r! /var/lib/x.[ab]", {"(free-) /var/lib/x.a", "(free-) /var/lib/x.b"}),
        ("R /var/lib/x", {"(free-) /var/lib/x", "(free-) /var/lib/x/**"}),
        ("d %S/x", {"(free+) /var/lib/x"}),
        ("d /var/lib/%%x", {"(free+) /var/lib/%x"}),
        ("d /var/log/%m", {"(free+) /var/log/" + "?" * 32}),
        ("d /var/run/x", {"(free+) /run/x"}),
        (r'd "/var/lib/a b"', {"(free+) /var/lib/a b"}),
        (r"d /var/lib/a\x20b", {"(free+) /var/lib/a b"}),
        (r"d /var/lib/a\\b", {"(free+) /var/lib/a\\\\b"}),
    ],
)
def test_a_line_of_tmpfiles(line: str, zones: set[str]) -> None:
    assert tmpfiles(line) == zones


@pytest.mark.parametrize(
    "line",
    [
        "# d /var/lib/x - - - 1d", "w /proc/sys/x - - - - 1", "z /var/lib/x 0777", "Z /var/lib/x 0777", "x /var/lib/x",
        "a+ /var/lib/x - - - - u:x:rwx", "h /var/lib/x - - - - +C", "d relative - - - 1d", "d /var/lib/../etc - - - 1d",
        "d /var/lib/* - - - 1d", "r /var/lib/[!a]x", "r /var/lib/[^a]x", "d /var/lib/%w - - - 1d", "d", "",
        "d '/var/lib/x", r"r /var/lib/\*x", "r /var/lib/[abcdefgh][abcdefgh][abcdefgh]x",
    ],
)  # fmt: skip
def test_what_declares_nothing(line: str) -> None:
    assert not tmpfiles(line)


def test_etc_counts_before_run_before_usr_and_a_link_to_nothing_masks() -> None:
    everywhere: dict[str, str | None] = {
        f"/{top}/tmpfiles.d/x.conf": f"d /var/lib/{name}"
        for top, name in [("etc", "etc"), ("run", "run"), ("usr/local/lib", "local"), ("usr/lib", "usr")]
    }
    for top, name in [("etc", "etc"), ("run", "run"), ("usr/local/lib", "local"), ("usr/lib", "usr")]:
        assert shown(said(everywhere)) == {f"(free+) /var/lib/{name}"}
        del everywhere[f"/{top}/tmpfiles.d/x.conf"]
    assert not said({"/etc/tmpfiles.d/x.conf": None, "/usr/lib/tmpfiles.d/x.conf": "d /var/lib/x - - - 1d"})


def test_the_first_line_about_a_path_counts_in_the_order_of_names() -> None:
    zones = said({"/usr/lib/tmpfiles.d/a.conf": "d /var/lib/x", "/etc/tmpfiles.d/b.conf": "d /var/lib/x - - - 1d"})
    assert shown(zones) == {"(free+) /var/lib/x"}
    assert [item.origin for item in zones] == ["/usr/lib/tmpfiles.d/a.conf:1"]


# Units


def test_directories_of_a_unit() -> None:
    text = "[Service]\nStateDirectory=a b/c\nCacheDirectory=x\nLogsDirectory=y\nRuntimeDirectory=z\n"
    assert unit(text) == {
        "(free+) /var/lib/a", "free /var/lib/a/**",
        "(free+) /var/lib/b", "(free+) /var/lib/b/c", "free /var/lib/b/c/**",
        "(free+) /var/cache/x", "free /var/cache/x/**", "(free+) /var/log/y", "rotating-log+ /var/log/y/**",
        "(free+) /run/z", "free /run/z/**",
    }  # fmt: skip


def test_a_unit_with_a_user_of_its_own_has_them_in_private_and_links_to_them() -> None:
    text = "[Service]\nDynamicUser=yes\nStateDirectory=a\nRuntimeDirectory=z\n"
    private = {"(free+) /var/lib/a", "(free+) /var/lib/private/a", "free /var/lib/private/a/**"}
    assert unit(text) == private | {"(free+) /run/z", "free /run/z/**"}


@pytest.mark.parametrize(
    ("setting", "zones"),
    [
        ("a:b", {"(free+) /var/lib/a", "free /var/lib/a/**", "(free+) /var/lib/b"}),
        ("a::ro", {"(free+) /var/lib/a"}),
        ("%n", {"(free+) /var/lib/x.service", "free /var/lib/x.service/**"}),
        ("%p", {"(free+) /var/lib/x", "free /var/lib/x/**"}),
        ("/etc", set()),
        ("../../etc", set()),
        ("%q", set()),
        ("a*", set()),
        ("a[b]-%m", set()),
        ("a\nStateDirectory=", set()),
        ("a\nStateDirectory=\nStateDirectory=b", {"(free+) /var/lib/b", "free /var/lib/b/**"}),
    ],
)
def test_how_directories_are_written(setting: str, zones: set[str]) -> None:
    assert unit(f"[Service]\nStateDirectory={setting}\n") == zones


def test_instances_of_a_template_may_have_any_name() -> None:
    assert unit("[Service]\nStateDirectory=x-%i\n", "x@.service") == {"(free+) /var/lib/x-*", "free /var/lib/x-*/**"}
    one = unit("[Service]\nStateDirectory=x-%i\n", "x@one.service")
    assert one == {"(free+) /var/lib/x-one", "free /var/lib/x-one/**"}


def test_drop_ins_add_and_take_back_and_say_where_they_stand() -> None:
    base = {"/usr/lib/systemd/system/x.service": "[Service]\nStateDirectory=a\n"}
    more = said({**base, "/etc/systemd/system/x.service.d/m.conf": "[Service]\n# more\nCacheDirectory=\\\n  b\n"})
    assert {(item.pattern, item.origin) for item in more if item.zone is ZoneClass.FREE and not item.attributes} == {
        ("/var/lib/a/**", "/usr/lib/systemd/system/x.service:2"),
        ("/var/cache/b/**", "/etc/systemd/system/x.service.d/m.conf:3"),
    }
    assert not said({**base, "/etc/systemd/system/x.service.d/m.conf": "[Service]\nStateDirectory=\n"})


def test_what_is_masked_or_of_a_run_time_unit_declares_nothing() -> None:
    text = "[Service]\nStateDirectory=a\n"
    assert not said({"/usr/lib/systemd/system/x.service": text, "/etc/systemd/system/x.service": None})
    assert not said({"/run/systemd/system/x.service": text})
    assert not said({"/usr/lib/systemd/system/x.service": "[Unit]\nStateDirectory=a\n"})
    assert not said({"/usr/lib/systemd/system/x.timer": text})


# logrotate


def log_and_copies(name: str) -> set[str]:
    return {f"rotating-log+ {name}", f"rotating-log {name}.*"}


def test_logs_and_their_rotated_copies() -> None:
    text = "/var/log/a.log /var/log/b/*.log\n'/var/log/c d'\n{\n  weekly\n}\n/srv/{e,f}.log { daily }\n"
    names = ["/var/log/a.log", "/var/log/b/*.log", "/var/log/c d", "/srv/e.log", "/srv/f.log"]
    assert logrotate(text) == set().union(*map(log_and_copies, names))


@pytest.mark.parametrize(
    ("options", "copies"),
    [
        ("dateext", {"rotating-log /srv/x.log-*"}),
        ("dateext\nnodateext", {"rotating-log /srv/x.log.*"}),
        ("extension .log", {"rotating-log /srv/x.*.log*"}),
        ("olddir old", {"rotating-log+ /srv/old/x.log.*"}),
        ("olddir /srv/past", {"rotating-log+ /srv/past/x.log.*"}),
        ("olddir old\nnoolddir", {"rotating-log /srv/x.log.*"}),
    ],
)
def test_where_rotated_copies_go(options: str, copies: set[str]) -> None:
    assert logrotate(f"/srv/x.log {{\n{options}\n}}\n") == {"rotating-log+ /srv/x.log"} | copies
    assert logrotate(f"{options}\n/srv/x.log {{\n}}\n") == {"rotating-log+ /srv/x.log"} | copies


def test_scripts_are_no_statements() -> None:
    text = "/srv/a.log {\n postrotate\n  /etc/evil {\n  }\n  /srv/b.log {\n endscript\n}\n/srv/c.log {\n}\n"
    assert logrotate(text) == log_and_copies("/srv/a.log") | log_and_copies("/srv/c.log")


def test_only_what_the_main_file_includes_counts() -> None:
    more = {"/etc/logrotate.d/x": "/srv/x.log {\n}\n", "/etc/logrotate.d/y.dpkg-old": "/srv/y.log {\n}\n"}
    assert not logrotate("weekly\n", more)
    assert logrotate("include /etc/logrotate.d\n", more) == log_and_copies("/srv/x.log")
    assert not said(dict(more))


def test_a_file_that_includes_itself_ends() -> None:
    assert logrotate("include /etc/logrotate.conf\n/srv/x.log {\n}\n") == log_and_copies("/srv/x.log")


# cloud-init


def test_modules_write_what_they_are_told() -> None:
    text = (
        "cloud_init_modules: [set_hostname, [locale, always], {name: timezone}, write-files, keyboard, users-groups]\n"
    )
    alone = {"boot-once /etc/hostname", "boot-once /etc/locale.conf"}
    assert cloud(text) == alone
    told = "timezone: UTC\nkeyboard: {layout: us}\nwrite_files:\n- path: /etc/shop.conf\n- {content: x}\n"
    assert cloud(text + told) == alone | {
        f"boot-once {name}" for name in ("/etc/timezone", "/etc/localtime", "/etc/default/keyboard", "/etc/shop.conf")
    }
    assert not cloud("cloud_init_modules: [users-groups]\n" + told)


def test_a_later_file_wins_and_what_is_no_yaml_is_passed_over() -> None:
    text = "preserve_hostname: false\ncloud_init_modules: [update_hostname]\n"
    assert cloud(text) == {"boot-once /etc/hostname"}
    assert not cloud(text, {"/etc/cloud/cloud.cfg.d/9.cfg": "preserve_hostname: true\n"})
    assert cloud(text, {"/etc/cloud/cloud.cfg.d/9.cfg": "{preserve_hostname: true\n"}) == {"boot-once /etc/hostname"}
    assert not cloud(text, {"/etc/cloud/cloud-init.disabled": ""})


# What is made of declarations


@pytest.mark.parametrize(
    "pattern",
    [
        "/**", "/etc/**", "/etc/*", "/etc/x/**", "/usr/**", "/usr/local/x", "/var/**", "/var/lib/**", "/var/*/x",
        "/var/lib/dpkg/**", "/var/lib/dpkg/status", "/var/lib/d*/**", "/var/spool/cron/**", "/var/spool/*", "/home/**",
        "/run/systemd/system/**", "/run/systemd/**", "/srv/**", "/etc/motd", "/root/.bashrc", "/root/**",
        "/var/lib/x/*.so", "/var/lib/x/*.s?", "/var/lib/x/*.??", "/opt/x/bin/*", "/var/lib/*/*/*/*/*", "/boot/x",
        "/srv/x/.ssh/authorized_keys", "/dev/x",
    ],
)  # fmt: skip
def test_a_declaration_never_relaxes_what_runs_or_decides(pattern: str) -> None:
    found = accept([[declared(pattern)]], (), resources([]).files)
    assert not found.zones
    assert len(found.refused) == 1
    assert found.refused[0].startswith(f"/x:1: {pattern}: ")


@pytest.mark.parametrize(
    "name", ["/etc/pam.d/x", "/etc/sudoers.d/x", "/etc/ld.so.preload", "/root/.ssh", "/etc/passwd"]
)
def test_nor_that_it_may_come_or_be_written_at_first_boot(name: str) -> None:
    assert not accepted([*said({"/etc/tmpfiles.d/x.conf": f"f {name}"}), declared(name, "boot-once")])


def test_within_a_declared_directory_what_is_loaded_and_what_the_image_executes_stays_sealed() -> None:
    image = [file("/var/lib/x/tool", mode="0755"), file("/var/lib/x/data"), file("/var/lib/x/lib.py")]
    zones = Matcher(accept([[declared("/var/lib/x/**")]], (), resources(image).files).zones)
    for key in ("tool", "lib.py", "new.so", "a/b/new.so.1", ".ssh/authorized_keys", "a/.ssh/id", "a/b.sh", "a/.bashrc"):
        found = zones.zone_of("file", f"/var/lib/x/{key}")
        assert found is not None, key
        assert found.zone is ZoneClass.SEALED, key
    for key in ("data", "new", "a/b/c", "a.sock"):
        found = zones.zone_of("file", f"/var/lib/x/{key}")
        assert found is not None, key
        assert found.zone is ZoneClass.FREE, key


def test_a_log_that_the_image_executes_is_no_log() -> None:
    zones = accept(
        [[declared("/srv/x.log", "rotating-log")]], (), resources([file("/srv/x.log", mode="0755")]).files
    ).zones
    assert [item.zone for item in zones] == [ZoneClass.SEALED]


def test_what_a_pack_accepts_is_not_said_again_and_what_it_seals_stays() -> None:
    pack = [
        zone("/var/log/**", "rotating-log", provenance=Provenance.PACK),
        zone("/var/lib/a/**", "free", provenance=Provenance.PACK),
        zone("/var/lib/b/**", "sealed", provenance=Provenance.PACK),
        zone("/var/lib/c/*", "secret", provenance=Provenance.PACK),
    ]
    repeated = [declared("/var/lib/a/x/**"), declared("/var/lib/b/x/**"), declared("/var/lib/c/x")]
    assert not accepted([*repeated, declared("/var/log/x/**", "rotating-log")], pack)
    assert accepted([declared("/var/log/x/**", "rotating-log", may_appear=True)], pack) == {
        "rotating-log+ /var/log/x/**"
    }


def test_a_place_that_a_person_decided_is_decided() -> None:
    assert not accepted([declared("/var/lib/x/**")], [zone("/var/lib/x/**", "sealed")])
    assert not accepted([declared("/var/lib/x/y/**")], [zone("/var/lib/x/**", "append-only")])


def test_that_something_is_made_takes_nothing_from_what_a_wider_zone_accepts() -> None:
    pack = [zone("/var/log/**", "rotating-log", provenance=Provenance.PACK)]
    made = declared("/var/log/x", "free", attributes=("nlink",), may_appear=True, may_vanish=False)
    assert accepted([made], pack) == {"rotating-log+ /var/log/x"}
    assert not accepted([made], pack, [file("/var/log/x")])
    log = declared("/var/log/*", "rotating-log", may_appear=True)
    assert accepted([made, log]) == {"rotating-log+ /var/log/*"}


def test_what_only_some_boots_declare_is_not_declared() -> None:
    both, one = declared("/var/lib/x/**"), declared("/var/lib/y/**")
    found = accept([[both, one], [both]], (), resources([]).files)
    assert {item.pattern for item in found.zones if item.zone is ZoneClass.FREE} == {"/var/lib/x/**"}
    assert found.refused == ("/x:1: /var/lib/y/**: not all boots declare it",)


def test_a_removal_is_worth_saying_only_where_the_image_has_the_file() -> None:
    gone = declared("/var/lib/x*", attributes=("nlink",), may_appear=False, may_vanish=True)
    assert not accepted([gone])
    assert accepted([gone], files=[link("/var/lib/xy", "z")]) == {"(free-) /var/lib/x*"}


def test_names_are_bytes() -> None:
    (made, *_) = said({"/etc/tmpfiles.d/x.conf": "d /var/lib/\udcff"})
    assert decode_name(made.pattern) == b"/var/lib/\xff"
