"""What launch inputs account for among the differences of a host from its image: exactly these users, groups, keys,
sudo rules and files, as cloud-init makes them, and nothing beside them.

Formats and defaults: cloud-init's "module reference" (users and groups, ssh, write files, timezone), useradd(8),
subuid(5).
"""

import hashlib
import re
from collections.abc import Callable, Mapping
from functools import cached_property

from driftscan.collectors._ssh_keys import parse_line
from driftscan.collectors._sudoers import Rule, rules
from driftscan.collectors._text import value
from driftscan.model.drift import Change, Difference
from driftscan.model.manifest import Manifest
from driftscan.model.names import encode_name
from driftscan.model.resource import Resource, Value
from driftscan.model.snapshot import Snapshot
from driftscan.model.source import Line
from driftscan.scan.launch import Launch, LaunchFile, LaunchUser

SUDOERS = "/etc/sudoers.d/90-cloud-init-users"
SSHD_CONFIG = "/etc/ssh/sshd_config.d/50-cloud-init.conf"
_SHELLS = frozenset({"", "/bin/sh", "/bin/bash"})
"""What useradd takes where nothing is said."""
_CLOSED = ("no-agent-forwarding", "no-port-forwarding", "no-x11-forwarding")
_REFUSAL = "command=\"echo 'Please login as the user "
"""How cloud-init writes root's keys where root may not log in: who comes with one is told so and sent away."""
_SUBORDINATE = {"/etc/subuid": "", "/etc/subgid": "", "/etc/subuid-": "/etc/subuid", "/etc/subgid-": "/etc/subgid"}
_PLAIN: Mapping[str, Value] = {"acl": "", "capabilities": "", "xattrs": {}}
"""Attributes of a file that nothing was added to."""


class Foretold:
    """What one host's launch inputs say of it."""

    def __init__(self, launch: Launch, manifest: Manifest, taken: Snapshot) -> None:
        """`taken`: the host at birth, with the texts of what changed in /etc."""
        self.launch = launch
        self.manifest = manifest
        self.taken = taken
        self._users = {user.name: user for user in launch.users}
        self._written = {encode_name(written.path.encode()): written for written in launch.files}
        self._rules: Mapping[str, Callable[[Resource], str]] = {
            "user": self._user,
            "group": self._group,
            "password": self._password,
            "sudo_rule": self._sudo_rule,
            "authorized_key": self._key,
            "sshd_setting": self._sshd_setting,
            "file": self._file,
        }

    def why(self, difference: Difference) -> str:
        """What in user data a difference is what it says; empty: nothing there accounts for it."""
        rule = self._rules.get(difference.kind)
        resource = self.taken.resources.get(*difference.id)
        if rule is None or resource is None or difference.change in (Change.REMOVED, Change.UNKNOWN):
            return ""
        return rule(resource)

    def absent(self) -> list[str]:
        """What user data declare and the host has not."""
        have = self.taken.resources
        wanted = [(user.name, ("user", user.name)) for user in self.launch.users]
        told = [f"user {name}" for name, (kind, key) in wanted if have.get(kind, key) is None]
        told += [f"file {path}" for path in self._written if have.get("file", path) is None]
        present = {(str(row.attributes.get("username")), _fingerprint(row.key)) for row in have.of("authorized_key")}
        told += [f"key SHA256:{fingerprint} of {name}" for name, fingerprint in sorted(set(self._keys) - present)]
        granted = {_sudo_row(row) for row in have.of("sudo_rule")}
        return [*told, *(f"sudo rule of {header}" for _, header, _ in sorted(self._sudo - granted))]

    def _user(self, found: Resource) -> str:
        user, mine = self._users.get(found.key), found.attributes
        if user is None or ("user", found.key) in self.manifest.resources.small:
            return ""
        uid = mine.get("uid")
        wanted = {
            "description": mine.get("description") == value(user.gecos),
            "directory": mine.get("directory") == value(_home(user)),
            "shell": mine.get("shell") == value(user.shell) if user.shell else mine.get("shell") in _SHELLS,
            "uid": str(uid) == user.uid if user.uid else bool(uid) and uid not in self._numbers("user", "uid"),
            "gid": mine.get("gid") == self._gid(user),
            "groups": frozenset(_texts(mine.get("groups"))) == frozenset(user.groups) - {user.primary_group},
        }
        return f"users: {found.key}" if all(wanted.values()) else ""

    def _group(self, found: Resource) -> str:
        baked = self.manifest.resources.get("group", found.key)
        members = frozenset(_texts(found.attributes.get("members")))
        expected = self.launch.members(found.key)
        if baked is not None:
            same = {**baked.attributes, "members": ()} == {**found.attributes, "members": ()}
            had = frozenset(_texts(baked.attributes.get("members")))
            return f"users: members of {found.key}" if same and members == had | expected else ""
        gid = found.attributes.get("gid")
        own = bool(gid) and gid not in self._numbers("group", "gid") and found.attributes.get("password") == "locked"
        known = found.key in (self.launch.groups or {}) or any(
            found.key in (*user.groups, user.primary_group) or (user.user_group and user.name == found.key)
            for user in self.launch.users
        )
        # A member that did not exist yet when the group was made is not in it.
        return f"users: group {found.key}" if own and known and members <= expected else ""

    def _password(self, found: Resource) -> str:
        user = self._users.get(found.key)
        if user is None:
            return ""
        mine = found.attributes
        matches = user.chpasswd or (user.password and not user.locked)
        fits = mine.get("password_status") in ({"disabled", "locked", "set"} if matches else {"disabled", "locked"})
        ages = user.expires or all(mine.get(name) is None for name in ("inactive", "expire"))
        change = user.password or user.chpasswd or not mine.get("must_change")
        return f"users: password of {found.key}" if fits and ages and change else ""

    def _sudo_rule(self, found: Resource) -> str:
        return f"users: sudo of {found.attributes.get('header')}" if _sudo_row(found) in self._sudo else ""

    @cached_property
    def _sudo(self) -> frozenset[tuple[str, str, str]]:
        """(file, header, rest) of every rule, in the form in which the collector has it."""
        lines = [
            Line(number, f"{user.name} {rule}")
            for number, (user, rule) in enumerate(((user, rule) for user in self.launch.users for rule in user.sudo), 1)
            if "\n" not in rule
        ]
        told = (rule for rule in rules(lines) if isinstance(rule, Rule) and rule.type == "user_spec")
        return frozenset((SUDOERS, value(rule.header), value(rule.details)) for rule in told)

    def _key(self, found: Resource) -> str:
        mine = found.attributes
        name = str(mine.get("username"))
        home = self._home_of(name)
        fingerprint = _fingerprint(found.key)
        keys = self._keys.get((name, fingerprint), frozenset())
        options = _texts(mine.get("options"))
        if mine.get("file") != value(f"{home}/.ssh/authorized_keys") or not home:
            return ""
        given = (mine.get("comment"), options) in keys
        if name == "root" and keys and self.launch.root_disabled and "root" not in self._users:
            refused = [option for option in options if option.startswith(_REFUSAL)]
            given = len(refused) == 1 and sorted(set(options) - set(refused)) == sorted(_CLOSED)
        return f"ssh_authorized_keys: SHA256:{fingerprint} for {name}" if given else ""

    @cached_property
    def _keys(self) -> Mapping[tuple[str, str], frozenset[tuple[str, tuple[str, ...]]]]:
        """(user, fingerprint) -> (comment, options) of each line that says so."""
        found: dict[tuple[str, str], set[tuple[str, tuple[str, ...]]]] = {}
        given = [(user.name, key) for user in self.launch.users for key in user.keys]
        given += [("root", key) for key in self.launch.root_keys]
        for name, text in given:
            for line in text.split("\n"):
                key = parse_line(" ".join(line.split()))
                if key is not None:
                    options = tuple(value(option) for option in key.options)
                    found.setdefault((name, key.fingerprint.partition(":")[2]), set()).add(
                        (value(key.comment), options)
                    )
        return {name: frozenset(lines) for name, lines in found.items()}

    def _sshd_setting(self, found: Resource) -> str:
        fits = found.key == "passwordauthentication" and found.attributes.get("value") == self._passwords
        return f"ssh_pwauth: {self._passwords}" if self._passwords and fits else ""

    @property
    def _passwords(self) -> str:
        said = self.launch.ssh_passwords
        return "" if said is None else "yes" if said else "no"

    def _file(self, found: Resource) -> str:
        path = found.key
        if path in self._written:
            return f"write_files: {path}" if self._is_written(found, self._written[path]) else ""
        if path == SSHD_CONFIG:
            line = f"PasswordAuthentication {self._passwords}\n".encode()
            wanted = LaunchFile(path, hashlib.sha256(line).hexdigest(), "0600", "root:root")
            return f"ssh_pwauth: {self._passwords}" if self._passwords and self._is_written(found, wanted) else ""
        if path in _SUBORDINATE:
            return "users: subordinate ids" if self._is_subordinate(path) else ""
        return (
            self._above(found)
            or self._of_rows(found)
            or self._in_home(found)
            or (f"timezone: {self.launch.timezone}" if self._is_timezone(found) else "")
        )

    def _is_written(self, found: Resource, wanted: LaunchFile) -> bool:
        mine = found.attributes
        owner, _, group = wanted.owner.partition(":")
        return (
            mine.get("type") == "regular"
            and mine.get("sha256") == wanted.sha256
            and mine.get("mode") == wanted.mode
            and mine.get("uid") == self._id("user", owner)
            and mine.get("gid") == self._id("group", group or owner)
            and mine.get("nlink") == 1
            and _is_plain(mine)
        )

    def _above(self, found: Resource) -> str:
        """A directory that was made so that a declared file has a place."""
        mine = found.attributes
        plain = (mine.get("type"), mine.get("mode"), mine.get("uid"), mine.get("gid")) == ("directory", "0755", 0, 0)
        inside = next((path for path in self._written if path.startswith(f"{found.key}/")), "")
        return f"write_files: {inside}" if plain and inside and _is_plain(mine) and not self._baked(found.key) else ""

    def _of_rows(self, found: Resource) -> str:
        """A file of keys or sudo rules all of whose rows are declared, or in the image."""
        mine = found.attributes
        if found.key == SUDOERS:
            rows = [row for row in self.taken.resources.of("sudo_rule") if row.attributes.get("source") == found.key]
            owned = (mine.get("mode"), mine.get("uid"), mine.get("gid")) == ("0440", 0, 0)
        else:
            rows = [row for row in self.taken.resources.of("authorized_key") if row.attributes.get("file") == found.key]
            names = {str(row.attributes.get("username")) for row in rows}
            owned = mine.get("mode") == "0600" and all(mine.get("uid") == self._id("user", name) for name in names)
        regular = mine.get("type") == "regular" and mine.get("nlink") == 1 and _is_plain(mine)
        known = all(self._rules[row.kind](row) or row == self.manifest.resources.get(*row.id) for row in rows)
        return f"users: {found.key}" if rows and owned and regular and known else ""

    def _in_home(self, found: Resource) -> str:
        """The home of a declared user, with what /etc/skel of the image puts there, and the directory of its keys."""
        mine = found.attributes
        for user in self.launch.users:
            home = encode_name(_home(user).encode())
            uid, gid = self._id("user", user.name), self._gid(user)
            inside = found.key[len(home) :] if f"{found.key}/".startswith(f"{home}/") else None
            if inside is None or not user.has_home or uid is None or (mine.get("uid"), mine.get("gid")) != (uid, gid):
                continue
            if self._baked(found.key) or not _is_plain(mine):
                continue
            folder = mine.get("type") == "directory"
            if (folder and not inside and _closed_to_others(mine)) or (
                folder and inside == "/.ssh" and mine.get("mode") == "0700"
            ):
                return f"users: home of {user.name}"
            if inside and self._is_skeleton(f"/etc/skel{inside}", found):
                return f"users: home of {user.name}, from /etc/skel"
        return ""

    def _is_skeleton(self, path: str, found: Resource) -> bool:
        baked = self._baked(path)
        own = {"uid": 0, "gid": 0}
        return baked is not None and {**baked.attributes, **own} == {**found.attributes, **own}

    def _is_subordinate(self, path: str) -> bool:
        """Ranges of ids for declared users, and no other line; a backup is older than what it is of."""
        now = self.taken.texts.get(_SUBORDINATE[path] or path)
        mine = self.taken.texts.get(path)
        if now is None or mine is None:
            return False
        before = self.manifest.texts.get(_SUBORDINATE[path] or path, "").splitlines()
        more = [line for line in mine.splitlines() if line not in before]
        kept = bool(_SUBORDINATE[path]) or set(before) <= set(mine.splitlines())
        ours = all(re.fullmatch(r"[^:]+:\d+:\d+", line) and line.partition(":")[0] in self._users for line in more)
        resource = self.taken.resources.get("file", path)
        owned = resource is not None and [resource.attributes.get(name) for name in ("mode", "uid")] == ["0644", 0]
        return kept and ours and owned and set(more) <= set(now.splitlines())

    def _is_timezone(self, found: Resource) -> bool:
        zone, mine = self.launch.timezone, found.attributes
        if not zone or mine.get("uid") != 0:
            return False
        if found.key == "/etc/localtime":
            return mine.get("target") == f"/usr/share/zoneinfo/{zone}"
        return found.key == "/etc/timezone" and self.taken.texts.get(found.key, "").strip() == zone

    def _baked(self, path: str) -> Resource | None:
        return self.manifest.resources.get("file", path)

    def _home_of(self, name: str) -> str:
        user = self.taken.resources.get("user", name)
        return str(user.attributes.get("directory")) if user is not None else ""

    def _id(self, kind: str, name: str) -> Value:
        """The number of a user or group of the host."""
        found = self.taken.resources.get(kind, name)
        number = found.attributes.get("uid" if kind == "user" else "gid") if found is not None else None
        return number if number is not None or not name.isdigit() else int(name)

    def _gid(self, user: LaunchUser) -> Value:
        """The number of a user's own group; None where there is none that it may be."""
        if user.primary_group or user.user_group:
            return self._id("group", user.primary_group or user.name)
        return 100

    def _numbers(self, kind: str, name: str) -> frozenset[Value]:
        """The ids of the image, none of which a new account may share."""
        return frozenset(each.attributes.get(name) for each in self.manifest.resources.of(kind))


def _sudo_row(found: Resource) -> tuple[str, str, str]:
    source, header, rest = (str(found.attributes.get(name)) for name in ("source", "header", "rule_details"))
    return source, header, rest


def _fingerprint(key: str) -> str:
    """Of an authorized_key, which may stand in a file more than once. Base64 has a slash, too."""
    return key.partition("/SHA256:")[2].partition("#")[0]


def _home(user: LaunchUser) -> str:
    return user.home or f"/home/{user.name}"


def _texts(found: Value) -> tuple[str, ...]:
    return tuple(map(str, found)) if isinstance(found, tuple) else ()


def _is_plain(mine: Mapping[str, Value]) -> bool:
    return all(mine.get(name, plain) == plain for name, plain in _PLAIN.items())


def _closed_to_others(mine: Mapping[str, Value]) -> bool:
    mode = mine.get("mode")
    return isinstance(mode, str) and mode in {"0700", "0711", "0750", "0751", "0755"}
