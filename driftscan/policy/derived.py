"""Facts that follow from several facts of a target, or from what was observed beside them: which ids somebody has,
whose files are, what homes are like, when passwords were changed.

They are made when a control first asks for them, from what was collected, and are part of no snapshot: nothing of them
is compared with an image. What hides one of the facts that they are made of hides them.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from driftscan.model.resource import Attribute, Form, Kind, Resource, Value
from driftscan.model.snapshot import Resources
from driftscan.policy import derived_audit, derived_logins, derived_ports
from driftscan.policy.tables import Table

_ID = Attribute(int, "The number")
_NAMES = Attribute(tuple, "Who has it in /etc/passwd or /etc/group; empty: nobody")

ACCOUNT_ID = Kind(
    "account_id",
    "A number that users or groups are known by; made of the kinds user and group.",
    "`user/NUMBER` or `group/NUMBER`",
    {
        "id": _ID,
        "names": _NAMES,
        "primary_of": Attribute(tuple, "Users whose own group it is; of a user's number always empty"),
    },
)
FILE_OWNER = Kind(
    "file_owner",
    "A number that files belong to; made of the kinds file, user and group.",
    "`user/NUMBER` or `group/NUMBER`",
    {
        "id": _ID,
        "names": _NAMES,
        "files": Attribute(int, "How many files belong to it"),
        "example": Attribute(str, "The first of them"),
    },
)
HOME = Kind(
    "home",
    "The home of a user who can log in; made of the kinds user and file.",
    "name of the user",
    {
        "path": Attribute(str, "Where it is to be"),
        "present": Attribute(bool, "There is such a directory"),
        "owned": Attribute(bool, "It belongs to the user"),
        "mode": Attribute(str, "Its mode; None: it is not there"),
        "dot_files_of_others": Attribute(tuple, "Files in it whose name begins with a dot and that are not the user's"),
        "dot_files_of_other_groups": Attribute(tuple, "Such files whose group is not the user's own"),
        "dot_files_open": Attribute(
            tuple,
            "Such files that the group or everybody may write to, or that others than "
            "the user may read where they are .netrc, .rhosts or .bash_history",
        ),
    },
)
LOG_FILE = Kind(
    "log_file",
    "A regular file beneath /var/log, and who has it; made of the kinds file, user and group.",
    "its path",
    {
        "mode": Attribute(str, "Its mode"),
        "user": Attribute(str, "Name of its owner; the number where nobody has it"),
        "group": Attribute(str, "Name of its group; the number where nobody has it"),
        "service": Attribute(bool, "Its owner is a user that cannot log in, for want of a shell"),
        "own_group": Attribute(bool, "Its group is that of its owner"),
    },
)
PASSWORD_CHANGE = Kind(
    "password_change",
    "When a password was last changed, as shadow has it; made of the kind password.",
    "name of the user",
    {
        "changed": Attribute(str, "The day, as a time", form=Form.TIME),
        "password_status": Attribute(str, "As `password` has it"),
    },
)
_FIRST_DAY = datetime(1970, 1, 1, tzinfo=UTC)
_LAST_DAY = (datetime(9999, 12, 31, tzinfo=UTC) - _FIRST_DAY).days
_NO_SHELL = re.compile(r".*/(nologin|false|true|sync|shutdown|halt)", re.DOTALL)
_SECRET = frozenset({".netrc", ".rhosts", ".bash_history", ".pgpass", ".my.cnf"})


@dataclass(frozen=True, slots=True)
class Derived:
    """A kind, the kinds that it is made of, and how."""

    kind: Kind
    of: tuple[str, ...]
    make: Callable[[Resources, Table], Iterator[Resource]]


def _account_ids(resources: Resources, _table: Table) -> Iterator[Resource]:
    names = _names(resources)
    own: defaultdict[int, list[str]] = defaultdict(list)
    for user in resources.of("user"):
        if isinstance(gid := user.attributes.get("gid"), int):
            own[gid].append(user.key)
    for sort, known in names.items():
        primary: Mapping[int, list[str]] = own if sort == "group" else {}
        for number in sorted({*known, *primary}):
            columns: dict[str, Value] = {"id": number, "names": tuple(sorted(known.get(number, ())))}
            columns["primary_of"] = tuple(sorted(primary.get(number, ())))
            yield Resource(ACCOUNT_ID.name, f"{sort}/{number}", columns)


def _file_owners(resources: Resources, table: Table) -> Iterator[Resource]:
    names = _names(resources)
    for sort, name in (("user", "uid"), ("group", "gid")):
        for token, (count, first) in sorted(table.owners(name).items(), key=lambda each: (len(each[0]), each[0])):
            if not token.isdigit():
                continue
            number = int(token)
            columns: dict[str, Value] = {"id": number, "names": tuple(sorted(names[sort].get(number, ())))}
            columns |= {"files": count, "example": first}
            yield Resource(FILE_OWNER.name, f"{sort}/{number}", columns)


def _homes(resources: Resources, _table: Table) -> Iterator[Resource]:
    for user in resources.of("user"):
        path, shell, uid, gid = (user.attributes.get(name) for name in ("directory", "shell", "uid", "gid"))
        if not isinstance(path, str) or not isinstance(shell, str) or _NO_SHELL.fullmatch(shell):
            continue
        there = resources.get("file", path.rstrip("/") or "/")
        columns: dict[str, Value] = {"path": path}
        if there is None and not derived_logins.beneath_mount(resources, path):
            columns |= {"present": False, "owned": False, "mode": None}
            columns |= {"dot_files_of_others": (), "dot_files_of_other_groups": (), "dot_files_open": ()}
        elif there is not None:
            files = list(_dot_files(resources, path.rstrip("/")))
            columns |= {
                "present": there.attributes.get("type") == "directory",
                "owned": there.attributes.get("uid") == uid,
            }
            columns["mode"] = there.attributes.get("mode")
            columns["dot_files_of_others"] = tuple(each.key for each in files if each.attributes.get("uid") != uid)
            groups = tuple(each.key for each in files if each.attributes.get("gid") != gid)
            columns["dot_files_of_other_groups"] = groups
            columns["dot_files_open"] = tuple(each.key for each in files if _open(each))
        yield Resource(HOME.name, user.key, columns)


def _log_files(resources: Resources, table: Table) -> Iterator[Resource]:
    names = _names(resources)
    accounts = {each.attributes.get("uid"): each.attributes for each in reversed([*resources.of("user")])}
    for file in table.matching(("/var/log/**",), ()):
        has = file.attributes
        uid, gid = has.get("uid"), has.get("gid")
        if has.get("type") != "regular" or not isinstance(uid, int) or not isinstance(gid, int):
            continue
        account = accounts.get(uid, {})
        columns: dict[str, Value] = {"mode": has.get("mode")}
        columns["user"] = names["user"].get(uid, [str(uid)])[0]
        columns["group"] = names["group"].get(gid, [str(gid)])[0]
        columns["service"] = _NO_SHELL.fullmatch(str(account.get("shell") or "")) is not None
        columns["own_group"] = account.get("gid") == gid
        yield Resource(LOG_FILE.name, file.key, columns)


def _password_changes(resources: Resources, _table: Table) -> Iterator[Resource]:
    """Of those of whom a day is known; manifests keep none, as it is no part of an image."""
    for password in resources.of("password"):
        day = password.observed.get("last_change")
        if isinstance(day, int):
            changed = (_FIRST_DAY + timedelta(days=min(day, _LAST_DAY))).strftime("%Y-%m-%dT%H:%M:%SZ")
            columns: dict[str, Value] = {"changed": changed}
            columns["password_status"] = password.attributes.get("password_status")
            yield Resource(PASSWORD_CHANGE.name, password.key, columns)


def _names(resources: Resources) -> Mapping[str, Mapping[int, list[str]]]:
    """Of users and of groups: number -> names."""
    found: dict[str, defaultdict[int, list[str]]] = {"user": defaultdict(list), "group": defaultdict(list)}
    for kind, column in (("user", "uid"), ("group", "gid")):
        for each in resources.of(kind):
            if isinstance(number := each.attributes.get(column), int):
                found[kind][number].append(each.key)
    return found


def _dot_files(resources: Resources, home: str) -> Iterator[Resource]:
    for key in resources.files.beneath(f"{home}/."):
        found = resources.files.resource(key) if "/" not in key[len(home) + 1 :] else None
        if found is not None and found.attributes.get("type") in {"regular", "directory"}:
            yield found


def _open(file: Resource) -> bool:
    mask = 0o077 if file.key.rpartition("/")[2] in _SECRET else 0o022
    return bool(derived_audit.bits(file.attributes.get("mode")) & mask)


DERIVED: Mapping[str, Derived] = {
    each.kind.name: each
    for each in (
        Derived(ACCOUNT_ID, ("user", "group"), _account_ids),
        Derived(FILE_OWNER, ("file", "user", "group"), _file_owners),
        Derived(HOME, ("user", "file"), _homes),
        Derived(LOG_FILE, ("file", "user", "group"), _log_files),
        Derived(PASSWORD_CHANGE, ("password",), _password_changes),
        Derived(derived_logins.ACCOUNT_SHELL, ("password", "login_shell"), derived_logins.account_shells),
        Derived(derived_logins.ROOT_PATH, ("shell_setting", "setting", "file"), derived_logins.root_paths),
        Derived(derived_audit.PRIVILEGED_PROGRAM, ("file", "audit_rule"), derived_audit.privileged_programs),
        Derived(derived_ports.OPEN_PORT, ("listen", "firewall_chain"), derived_ports.open_ports),
        Derived(derived_ports.FILTER_HOOK, ("firewall_chain",), derived_ports.filter_hooks),
        Derived(derived_ports.BOOT_HOOK, ("nftables_chain",), derived_ports.boot_hooks),
        Derived(derived_audit.AUDIT_MERGE, ("audit_compiled",), derived_audit.merges),
    )
}
KINDS: Mapping[str, Kind] = {name: each.kind for name, each in DERIVED.items()}
