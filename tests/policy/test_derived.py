"""Facts that follow from several facts: what they are, and that what hides one of their parts hides them."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from driftscan import policy
from driftscan.model.finding import Result
from driftscan.model.resource import Resource, Value
from driftscan.model.snapshot import Resources
from driftscan.policy.derived import DERIVED
from driftscan.policy.tables import Single
from tests.policy import support

RULE = """\
policy: ours
version: 1
title: Ours
rules:
  - id: asked
    title: Asked
    over: {over}
    {demand}
    missing: pass
    severity: low
    recommendation: observe
    why: a test
"""
USERS: Mapping[str, Mapping[str, Value]] = {
    "root": {"uid": 0, "gid": 0, "directory": "/root", "shell": "/bin/bash"},
    "eve": {"uid": 1000, "gid": 1000, "directory": "/home/eve/", "shell": ""},
    "mallory": {"uid": 1000, "gid": 7777, "directory": "/nonexist", "shell": "/bin/sh"},
    "web": {"uid": 33, "gid": 33, "directory": "/nowhere", "shell": "/usr/sbin/nologin"},
}
GROUPS: Mapping[str, Mapping[str, Value]] = {"root": {"gid": 0}, "eve": {"gid": 1000}, "web": {"gid": 33}}


def of(path: str, uid: int, gid: int = 0, kind: str = "regular", mode: str = "0644") -> tuple[str, Mapping[str, Value]]:
    return path, {"type": kind, "uid": uid, "gid": gid, "mode": mode}


FILES = dict(
    [
        of("/", 0, kind="directory"),
        of("/home/eve", 1000, 1000, "directory", "0750"),
        of("/home/eve/.bashrc", 0),
        of("/home/eve/.config", 1000, 1000, "directory", "0775"),
        of("/home/eve/.config/.deep", 0),
        of("/home/eve/.netrc", 1000, 1000),
        of("/home/eve/plain", 0, mode="0666"),
        of("/root", 0, kind="directory", mode="0700"),
        of("/srv/orphan", 4321, 4322),
        of("/srv/orphan2", 4321, 0),
    ]
)
FACTS = {"user": USERS, "group": GROUPS, "file": FILES}


def made(kind: str, facts: support.Facts = FACTS) -> dict[str, Mapping[str, Value]]:
    resources = support.snapshot(facts).resources
    return {each.key: each.attributes for each in DERIVED[kind].make(resources, Single(resources.files))}


def test_numbers_of_accounts() -> None:
    found = made("account_id")
    assert found["user/1000"] == {"id": 1000, "names": ("eve", "mallory"), "primary_of": ()}
    assert found["group/7777"] == {"id": 7777, "names": (), "primary_of": ("mallory",)}
    assert found["group/1000"]["primary_of"] == ("eve",)
    assert sorted(found) == ["group/0", "group/1000", "group/33", "group/7777", "user/0", "user/1000", "user/33"]


def test_owners_of_files() -> None:
    found = made("file_owner")
    assert found["user/4321"] == {"id": 4321, "names": (), "files": 2, "example": "/srv/orphan"}
    assert found["group/4322"] == {"id": 4322, "names": (), "files": 1, "example": "/srv/orphan"}
    assert found["user/1000"]["names"] == ("eve", "mallory")
    assert sorted(found) == ["group/0", "group/1000", "group/4322", "user/0", "user/1000", "user/4321"]


def test_homes_of_who_can_log_in() -> None:
    found = made("home")
    assert sorted(found) == ["eve", "mallory", "root"]
    assert found["eve"] == {
        "path": "/home/eve/",
        "present": True,
        "owned": True,
        "mode": "0750",
        "dot_files_of_others": ("/home/eve/.bashrc",),
        "dot_files_of_other_groups": ("/home/eve/.bashrc",),
        "dot_files_open": ("/home/eve/.config", "/home/eve/.netrc"),
    }
    assert found["mallory"]["present"] is False
    assert found["root"]["owned"] is True


def test_a_home_beneath_a_mount_that_was_not_entered_is_not_known_to_be_missing() -> None:
    found = made("home", {**FACTS, "mount": {"/": {"type": "ext4"}, "/nonexist": {"type": "nfs"}}})
    assert found["mallory"]["present"] is False
    users = {"mallory": {**USERS["mallory"], "directory": "/mnt/nfs/mallory"}}
    assert made("home", {"user": users, "file": FILES, "mount": {"/mnt/nfs": {"type": "nfs"}}}) == {
        "mallory": {"path": "/mnt/nfs/mallory"}
    }


def test_who_has_logs() -> None:
    logs = dict(
        [
            of("/var/log/app/a.log", 33, 33),
            of("/var/log/app/b.log", 1000, 33),
            of("/var/log/app/c.log", 33, 1000),
            of("/var/log/gone.log", 4321, 4322),
            of("/var/log/app", 33, kind="directory"),
            of("/var/logs", 33),
        ]
    )
    found = made("log_file", {"user": USERS, "group": GROUPS, "file": logs})
    assert found == {
        "/var/log/app/a.log": {"mode": "0644", "user": "web", "group": "web", "service": True, "own_group": True},
        "/var/log/app/b.log": {"mode": "0644", "user": "eve", "group": "web", "service": False, "own_group": False},
        "/var/log/app/c.log": {"mode": "0644", "user": "web", "group": "eve", "service": True, "own_group": False},
        "/var/log/gone.log": {"mode": "0644", "user": "4321", "group": "4322", "service": False, "own_group": False},
    }


def test_when_passwords_were_changed() -> None:
    days: Mapping[str, Mapping[str, Value]] = {
        "eve": {"last_change": 20000},
        "odd": {"last_change": 10**17},
        "none": {},
    }
    rows = [Resource("password", name, {"password_status": "set"}, seen) for name, seen in days.items()]
    resources = Resources({each.id: each for each in rows})
    found = {each.key: each.attributes for each in DERIVED["password_change"].make(resources, Single(resources.files))}
    assert found == {
        "eve": {"changed": "2024-10-04T00:00:00Z", "password_status": "set"},
        "odd": {"changed": "9999-12-31T00:00:00Z", "password_status": "set"},
    }


def test_whether_shells_may_be_logged_in_with() -> None:
    shells = {"eve": "/bin/bash", "root": "", "menu": "/opt/menu", "web": "/usr/sbin/nologin", "gone": None}
    passwords: support.Facts = {
        "password": {name: {"password_status": "set", "shell": it} for name, it in shells.items()}
    }
    listed = made("account_shell", {**passwords, "login_shell": {"/bin/bash": {}, "/usr/sbin/nologin": {}}})
    assert {name: row["usable"] for name, row in listed.items()} == {
        "eve": True,
        "root": False,
        "menu": False,
        "web": False,
    }
    assert listed["root"]["shell"] == "/bin/sh"
    no_file = made("account_shell", passwords)
    assert {name for name, row in no_file.items() if row["usable"]} == {"root"}


def test_where_root_finds_programs() -> None:
    def path(value: str, file: str) -> Mapping[str, Value]:
        return {"name": "PATH", "value": value, "file": file}

    files = dict(
        [
            of("/usr/bin", 0, kind="directory", mode="0755"),
            of("/opt/x", 1000, kind="directory", mode="0777"),
            of("/opt/file", 0),
        ]
    )
    facts: support.Facts = {
        "file": {
            **files,
            "/bin": {"type": "symlink", "target": "usr/bin"},
            "/opt/y": {"type": "symlink", "target": "x"},
        },
        "mount": {"/mnt/tools": {}},
        "shell_setting": {
            "/etc/environment:PATH": path("/opt/y:/gone/:$HOME/bin:.:", "/etc/environment"),
            "/etc/profile:PATH": path("/bin:/opt/file:/mnt/tools/bin", "/etc/profile"),
            "/etc/profile:TMOUT": {"name": "TMOUT", "value": "/elsewhere", "file": "/etc/profile"},
        },
        "setting": {"login.defs:ENV_SUPATH": {"value": "PATH=/gone", "file": "/etc/login.defs"}},
    }
    assert made("root_path", facts) == {
        "/gone": {"present": False, "uid": None, "mode": None, "files": ("/etc/environment", "/etc/login.defs")},
        "/mnt/tools/bin": {"files": ("/etc/profile",)},
        "/opt/file": {"present": False, "uid": None, "mode": None, "files": ("/etc/profile",)},
        "/opt/x": {"present": True, "uid": 1000, "mode": "0777", "files": ("/etc/environment",)},
        "/usr/bin": {"present": True, "uid": 0, "mode": "0755", "files": ("/etc/profile",)},
    }


PROGRAMS: Mapping[str, Mapping[str, Value]] = {
    "/bin": {"type": "symlink", "target": "usr/bin"},
    "/loop": {"type": "symlink", "target": "/loop"},
    **dict(
        [
            of("/media/su", 0, mode="4755"),
            of("/opt/app/bin/helper", 0, mode="6755"),
            of("/srv/new", 0, mode="2755"),
            of("/usr/bin/su", 0, mode="4755"),
            of("/usr/bin/ls", 0, mode="0755"),
            of("/usr/bin/mount", 0, mode="4755"),
            of("/usr/bin/passwd", 0, mode="4755"),
            of("/var/mail", 0, kind="directory", mode="2775"),
        ]
    ),
}


def watch(path: str, permissions: str = "x", *fields: str, action: str = "always,exit") -> Mapping[str, Value]:
    return {
        "type": "watch",
        "path": path,
        "permissions": tuple(permissions),
        "fields": fields,
        "action": action,
    }


def test_privileged_programs_and_the_rules_that_record_their_use() -> None:
    rules: Mapping[str, Mapping[str, Value]] = {
        "a": watch("/bin/su", "x", "auid!=unset", "auid>=1000"),
        "b": watch("/usr/bin/mount", "x", "auid=1001"),
        "c": watch("/srv/new", "wa"),
        "d": watch("/opt/app", "rwxa"),
        "e": watch("/usr/bin/passwd", action="exit,never"),
        "f": watch("/loop/x"),
        "g": {"type": "control", "value": "2"},
        "h": {
            "type": "syscall",
            "syscall": "execve",
            "path": "/usr/bin/passwd",
            "fields": (),
            "action": "always,exit",
        },
    }
    mounts: Mapping[str, Mapping[str, Value]] = {
        "/": {"type": "ext4", "options": ("rw",)},
        "/media": {"type": "vfat", "options": ("nosuid", "rw")},
        "/opt": {"config_type": "ext4", "config_options": ("nosuid",)},
    }
    found = made("privileged_program", {"file": PROGRAMS, "audit_rule": rules, "mount": mounts})
    assert {path: columns["rule"] for path, columns in found.items()} == {
        "/opt/app/bin/helper": "d",
        "/srv/new": "",
        "/usr/bin/mount": "",
        "/usr/bin/passwd": "h",
        "/usr/bin/su": "a",
    }
    assert found["/srv/new"]["mode"] == "2755"


def test_whether_audit_rules_were_merged_is_known_where_it_was_observed() -> None:
    seen: Mapping[str, Value] = {"unmerged": ("-w /x",), "stray": (), "reordered": False}
    rows = [Resource("audit_compiled", "/a", {}, seen), Resource("audit_compiled", "/b", {})]
    resources = Resources({each.id: each for each in rows})
    found = list(DERIVED["audit_merge"].make(resources, Single(resources.files)))
    assert found == [Resource("audit_merge", "/a", seen)]


def judged(directory: Path, over: str, demand: str, facts: support.Facts = FACTS, gaps: Iterable[str] = ()) -> Result:
    policies = support.loaded(directory, RULE.format(over=over, demand=demand))
    (found,) = policy.judge_controls(policies, support.snapshot(facts, gaps=gaps), policy.Context())
    return found.result


def test_what_hides_a_part_hides_what_is_made_of_it(tmp_path: Path) -> None:
    same = "forbid: {names: {count: {ge: 3}}}"
    assert judged(tmp_path, "account_id", same) is Result.PASS
    assert judged(tmp_path, "account_id", same, gaps=["user:x"]) is Result.UNKNOWN
    assert judged(tmp_path, "account_id", same, gaps=["/srv/**"]) is Result.PASS
    assert judged(tmp_path, "file_owner", same, gaps=["/srv/**"]) is Result.UNKNOWN
    assert judged(tmp_path, "account_id", same, {"user": USERS}) is Result.UNKNOWN
    assert judged(tmp_path, "account_id", "forbid: {names: {count: {ge: 2}}}", gaps=["user:x"]) is Result.FAIL


def test_a_policy_that_asks_for_them_asks_for_their_parts(tmp_path: Path) -> None:
    (found,) = support.loaded(tmp_path, RULE.format(over="home", demand="require: {owned: true}"))
    assert found.kinds() == {"user", "file"}
