"""Which zone a key is in, and what the walk is told."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftscan.compare import diff
from driftscan.model.glob import to_regex
from driftscan.model.patterns import compile_key_glob, matches
from driftscan.model.zone import Provenance, Zone, ZoneClass
from driftscan.zones import Matcher, in_force, packs, walk_rules
from tests.compare.building import B, file, manifest, resources, snapshot, thing, zone

GLOBS = [
    ("/run/**", "/run/a", True),
    ("/run/**", "/run/a/b", True),
    ("/run/**", "/run", False),
    ("/run/**", "/runs", False),
    ("/a/**/b", "/a/b", True),
    ("/a/**/b", "/a/x/y/b", True),
    ("/a/**/b", "/a/xb", False),
    ("/**/x/**/y", "/x/y", True),
    ("/**/x/**/y", "/a/x/x/y", True),
    ("/**/x/**/y", "/a/xx/y", False),
    ("/a/*", "/a/b", True),
    ("/a/*", "/a/b/c", False),
    ("/a/*.log", "/a/.log", True),
    ("/a/?", "/a/b", True),
    ("/a/?", "/a//", False),
    ("/a*b*c", "/aXbYbZc", True),
    ("/a*b*c", "/aXc", False),
    ("/*", "/", False),
    ("/a[b]", "/a[b]", True),
    ("/a.b", "/axb", False),
    ("/a/*", "/a/new\nline", True),
]


@pytest.mark.parametrize(("glob", "key", "expected"), GLOBS)
def test_globs_of_paths(glob: str, key: str, expected: bool) -> None:
    assert (compile_key_glob("file", glob).fullmatch(key) is not None) is expected


def test_globs_of_other_keys() -> None:
    assert matches("listen:tcp/[::]:*", "listen", "tcp/[::]:80")
    assert matches("address:*/fe80:*", "address", "eth0/fe80::1/64")
    assert matches("mount:/run/user/*", "mount", "/run/user/0")
    assert matches("service", "service", "anything")
    assert not matches("service", "listen", "anything")
    assert not matches("address:lo/*", "address", "eth0/lo/")


PARTS = st.lists(st.sampled_from(["a", "b", "ab", "*", "a*", "*b*", "**", "?"]), min_size=1, max_size=5)
KEYS = st.lists(st.text("ab", min_size=1, max_size=4), min_size=1, max_size=5)


@given(PARTS, KEYS)
def test_the_walk_and_the_comparer_read_globs_alike(parts: list[str], names: list[str]) -> None:
    glob, key = "/" + "/".join(parts), "/" + "/".join(names)
    mine = compile_key_glob("file", glob).fullmatch(key) is not None
    walks = re.compile(to_regex(glob), re.DOTALL).fullmatch(key) is not None
    assert mine == walks


def test_hostile_names_do_not_slow_matching() -> None:
    slow = compile_key_glob("file", "/*a*a*a*a*b"), compile_key_glob("file", "/**/a/**/a/**/b")
    names = "/" + "a" * 60_000, "/a" * 30_000
    # An expression that tries again what a star has taken would not come back from this.
    assert [glob.fullmatch(name) for glob, name in zip(slow, names, strict=True)] == [None, None]


def test_the_most_specific_zone_wins() -> None:
    zones = [
        zone("/var/**", "free"),
        zone("/var/log/**", "rotating-log"),
        zone("/var/log/app*", "secret"),
        zone("/var/log/app.log", "append-only"),
        zone("/var/log/*.d/**", "external"),
        zone("service:*", "free"),
        zone("service:ssh.service", "sealed"),
    ]
    matcher = Matcher(zones)

    def found(kind: str, key: str) -> ZoneClass | None:
        hit = matcher.zone_of(kind, key)
        return hit.zone if hit else None

    assert found("file", "/var") is None
    assert found("file", "/var/lib/x") is ZoneClass.FREE
    assert found("file", "/var/log/syslog") is ZoneClass.ROTATING_LOG
    assert found("file", "/var/log/apple") is ZoneClass.SECRET
    assert found("file", "/var/log/app.log") is ZoneClass.APPEND_ONLY
    assert found("file", "/var/log/x.d/y/z") is ZoneClass.EXTERNAL
    assert found("service", "ssh.service") is ZoneClass.SEALED
    assert found("service", "cron.service") is ZoneClass.FREE
    assert found("listen", "ssh.service") is None


def test_one_exact_key_is_more_specific_than_a_glob_of_the_same_beginning() -> None:
    matcher = Matcher([zone("/a/b*", "free"), zone("/a/b", "secret")])
    hit = matcher.zone_of("file", "/a/b")
    assert hit is not None
    assert hit.zone is ZoneClass.SECRET


def test_of_equal_patterns_the_hand_wins() -> None:
    order = [Provenance.HAND, Provenance.LEARNED, Provenance.DECLARED, Provenance.PACK]
    zones = [
        Zone(pattern="/a/*", zone=ZoneClass.FREE, reason="x", provenance=each, origin=each.value) for each in order
    ]
    for rest in range(len(zones)):
        for arranged in (zones[rest:], zones[rest:][::-1]):
            hit = Matcher(arranged).zone_of("file", "/a/b")
            assert hit is not None
            assert hit.provenance is order[rest]


NAMES = st.sampled_from(["var", "log", "app", "a", "b"])
PATHS = st.lists(NAMES, min_size=1, max_size=4).map(lambda parts: "/" + "/".join(parts))
PATTERNS = st.lists(st.one_of(NAMES, st.sampled_from(["*", "a*", "**"])), min_size=1, max_size=4).map(
    lambda parts: "/" + "/".join(parts)
)


@given(st.lists(PATTERNS, max_size=6, unique=True), PATHS)
def test_the_index_finds_what_trying_all_finds(patterns: list[str], key: str) -> None:
    matcher = Matcher([zone(pattern, "free") for pattern in patterns])
    tried = [rule for rule in matcher.zones if compile_key_glob("file", rule.glob).fullmatch(key)]
    assert matcher.zone_of("file", key) == (tried[0] if tried else None)


def test_what_the_walk_is_told() -> None:
    zones = [
        zone("/srv/**", "external"),
        zone("/var/lib/x/**", "free"),
        zone("/var/lib/x/key", "identity"),
        zone("/var/log/audit.log", "append-only"),
        zone("/var/log/new*.log", "append-only"),
        zone("/etc/shadow", "derived"),
        zone("/etc/cert", "renewing"),
        zone("/odd/[x]/**", "secret"),
        zone("service:*", "free"),
    ]
    image = manifest(
        file("/var/log/audit.log", size=7), file("/var/log/new-1.log", size=3), file("/var/log/new.log", size=0)
    )
    rules = [(rule.pattern, rule.action, rule.size) for rule in walk_rules(zones, image)]
    assert ("/etc/shadow", "stat", 0) in rules[:4]
    assert ("/srv/**", "prune", 0) in rules
    assert ("/var/log/audit.log", "prefix", 7) in rules
    assert ("/var/log/new-1.log", "prefix", 3) in rules
    assert not any(pattern == "/var/log/new.log" for pattern, _, _ in rules)
    assert ("/odd/[[]x]/**", "stat", 0) in rules
    assert rules.index(("/var/lib/x/key", "hash", 0)) < rules.index(("/var/lib/x/**", "stat", 0))
    assert all(not pattern.startswith("service") for pattern, _, _ in rules)


def test_shadow_is_never_read_whatever_a_zone_says() -> None:
    rules = walk_rules([zone("/etc/shadow", "sealed"), zone("/etc/*", "renewing")])
    first = next(rule for rule in rules if re.fullmatch(to_regex(rule.pattern), "/etc/shadow"))
    assert first.action == "stat"


def test_a_journal_that_was_rotated_is_no_difference() -> None:
    """journald notes in user.crtime_usec when it made a file, and sets its access lists (seen on Debian 12)."""
    path = "/var/log/journal/0242990d06b24caba04d89a2d49d4cf5/system.journal"
    image = resources([thing("os_version", "-", platform="debian"), file("/usr/lib/systemd/systemd")])
    baked = manifest(
        file(path, mode="0640", acl="group:4:r--", xattrs={"user.crtime_usec": "38"}), zones=in_force(packs(), image)
    )
    new = file(path, mode="0640", acl="group:4:r-x", xattrs={"user.crtime_usec": "0b"}, sha256=B)
    archived = path.replace("system.journal", "system@0123-0045.journal")
    found = diff(baked, snapshot(new, file(archived, mode="0640")))
    assert len(found.differences) == 2
    assert all(item.allowed for item in found.differences)
    for wrong in (file(path, mode="0666"), file(path, mode="0640", uid=1000), file(archived, mode="4755")):
        refused = [item.key for item in diff(baked, snapshot(wrong)).differences if not item.allowed]
        assert refused == [wrong.key]


SOFTWARE = ("cloud-init", "certbot", "docker.io", "containerd", "exim4-base", "exim4-config", "postfix", "snapd")


def test_packs_leave_alone_what_runs_and_who_gets_in() -> None:
    image = resources(
        [
            thing("os_version", "-", platform="debian"),
            file("/usr/lib/systemd/systemd"),
            *(thing("package", f"{name}/amd64") for name in SOFTWARE),
        ]
    )
    matcher = Matcher(in_force(packs(), image))
    sealed = [
        "/usr/bin/ls", "/usr/sbin/sshd", "/usr/lib/x86_64-linux-gnu/libc.so.6", "/usr/local/bin/x", "/opt/x/bin/y",
        "/etc/systemd/system/x.service", "/usr/lib/systemd/system/x.service", "/run/systemd/system/x.service",
        "/etc/cron.d/x", "/etc/crontab", "/var/spool/cron/crontabs/root", "/etc/init.d/x", "/etc/rc.local",
        "/etc/pam.d/sshd", "/etc/ld.so.preload", "/etc/ld.so.conf.d/x.conf", "/etc/security/access.conf",
        "/etc/ssh/sshd_config", "/etc/ssh/sshd_config.d/x.conf", "/root/.ssh/config", "/root/.bashrc",
        "/etc/profile.d/x.sh", "/boot/vmlinuz", "/etc/modprobe.d/x.conf", "/etc/apt/apt.conf.d/x",
        "/var/lib/dpkg/status", "/var/lib/dpkg/info/x.postinst", "/var/lib/cloud/scripts/per-boot/x",
        "/var/lib/systemd/linger/mallory", "/etc/letsencrypt/renewal-hooks/deploy/x", "/etc/udev/rules.d/x.rules",
        "/etc/letsencrypt/cli.ini", "/etc/exim4/exim4.conf.template", "/var/lib/exim4/config.autogenerated",
        "/var/lib/cloud/seed/nocloud/user-data", "/var/lib/cloud/seed/nocloud/vendor-data", "/etc/aliases",
        "/etc/containerd/config.toml", "/opt/containerd/bin/x", "/etc/logrotate.d/x", "/etc/rsyslog.d/x.conf",
        "/etc/ssl/certs/ca-certificates.crt", "/usr/local/share/ca-certificates/x.crt",
    ]  # fmt: skip
    for key in sealed:
        hit = matcher.zone_of("file", key)
        assert hit is None or hit.zone is ZoneClass.SEALED, (key, hit)
    for key in ("/etc/passwd", "/etc/shadow", "/etc/sudoers", "/etc/sudoers.d/x", "/root/.ssh/authorized_keys"):
        hit = matcher.zone_of("file", key)
        assert hit is not None, key
        assert hit.zone is ZoneClass.DERIVED, key
    kinds = (
        "user",
        "group",
        "password",
        "sudo_rule",
        "authorized_key",
        "package",
        "cron",
        "at",
        "sshd_setting",
        "listen",
        "service",
    )
    for kind in kinds:
        assert matcher.zone_of(kind, "any") is None, kind
