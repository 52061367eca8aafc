"""What logging in gives: a shell, if the account has one, and where root's shells look for programs."""

from collections import defaultdict
from collections.abc import Iterator
from itertools import islice

from driftscan.model.resource import Attribute, Kind, Resource, Value
from driftscan.model.snapshot import Resources
from driftscan.policy.derived_audit import resolved
from driftscan.policy.tables import Table

ACCOUNT_SHELL = Kind(
    "account_shell",
    "The shell of a user, and whether it is one to log in with; made of the kinds password and login_shell.",
    "name of the user",
    {
        "shell": Attribute(str, "As passwd has it; /bin/sh where it has none"),
        "usable": Attribute(bool, "/etc/shells lists it, and it is not nologin or false"),
        "password_status": Attribute(str, "As `password` has it"),
    },
)
ROOT_PATH = Kind(
    "root_path",
    "A directory in which root's shells look for programs: one that all systems have, or that a file puts into PATH; "
    "made of the kinds shell_setting, setting and file.",
    "its path, without symbolic links on the way",
    {
        "present": Attribute(bool, "There is such a directory"),
        "uid": Attribute(int, "Its owner; None: it is not there"),
        "mode": Attribute(str, "Its mode; None: it is not there"),
        "files": Attribute(tuple, "The files that name it; empty: none, it is where shells look of themselves"),
    },
)
_WITHOUT_FILE = ("/bin/sh", "/bin/csh")
"""What getusershell(3) takes for shells where there is no /etc/shells."""
_REFUSING = frozenset({"nologin", "false"})
_OF_ALL = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin")
_MOST_PARTS = 10_000
"""Parts of all PATHs that are looked at; a host has some dozens."""


def account_shells(resources: Resources, _table: Table) -> Iterator[Resource]:
    """Of those that passwd has."""
    listed = {each.key for each in resources.of("login_shell")} or set(_WITHOUT_FILE)
    for password in resources.of("password"):
        shell = password.attributes.get("shell")
        if isinstance(shell, str):
            shell = shell or "/bin/sh"
            usable = shell in listed and shell.rpartition("/")[2] not in _REFUSING
            columns: dict[str, Value] = {"shell": shell, "usable": usable}
            columns["password_status"] = password.attributes.get("password_status")
            yield Resource(ACCOUNT_SHELL.name, password.key, columns)


def root_paths(resources: Resources, table: Table) -> Iterator[Resource]:
    """Parts that are relative, or hold a variable, name no directory that can be told."""
    named: defaultdict[str, set[str]] = defaultdict(set)
    for part, file in islice(_parts(resources), _MOST_PARTS):
        named[resolved(part, table)].add(file)
    for path in _OF_ALL:
        if table.get(found := resolved(path, table)) is not None:
            named.setdefault(found, set())
    for path, files in sorted(named.items()):
        there = table.get(path)
        columns: dict[str, Value] = {"files": tuple(sorted(files))}
        if there is not None or not beneath_mount(resources, path):
            has = there.attributes if there is not None and there.attributes.get("type") == "directory" else {}
            columns |= {"present": bool(has), "uid": has.get("uid"), "mode": has.get("mode")}
        yield Resource(ROOT_PATH.name, path, columns)


def beneath_mount(resources: Resources, path: str) -> bool:
    """Whether the path lies beneath a mount: what the walk did not enter may be there all the same."""
    return any(each.key != "/" and path.startswith(f"{each.key}/") for each in resources.of("mount"))


def _parts(resources: Resources) -> Iterator[tuple[str, str]]:
    """(directory, file that names it)."""
    rows = [each for each in resources.of("shell_setting") if each.attributes.get("name") == "PATH"]
    from_login = resources.get("setting", "login.defs:ENV_SUPATH")
    for row in (*rows, *((from_login,) if from_login else ())):
        value, file = row.attributes.get("value"), row.attributes.get("file")
        for part in str(value or "").removeprefix("PATH=").split(":"):
            if part.startswith("/") and "$" not in part and "`" not in part:
                yield part, str(file or "")
