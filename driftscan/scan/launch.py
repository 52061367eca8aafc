"""Launch inputs: what a cloud's user data declare of a host, as cloud-init has them there.

The target reads and reduces them itself (`capture/probe/launch_inputs.py`): user data hold secrets, and none leaves.
All of it is the host's own testimony; that hosts with the same user data say the same is what is asked of siblings.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from typing import Any

from driftscan.capture.base import Session
from driftscan.model.source import Captures, Command, Status

_PYTHON = (
    "for python in python3 /usr/libexec/platform-python; do"
    ' command -v "$python" >/dev/null && exec "$python" -I -c "$1"; done; exit 127'
)
_NAME = re.compile(r"[^:\s/\x00-\x1f]{1,256}")
_DIGEST = re.compile(r"[0-9a-f]{64}")
USER_DATA = "/var/lib/cloud/instance/user-data.txt"
DIGEST = Command(("sha256sum", USER_DATA), ok=(0, 1), max_bytes=4096, timeout=20)
"""Of user data: by which hosts are known that were launched alike."""
EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
MOST_ITEMS = 2000
DEFAULT = "default"


@cache
def source() -> Command:
    """What is asked: a program that reads files alone and prints JSON."""
    program = files("driftscan.capture.probe").joinpath("launch_inputs.py").read_text("utf-8")
    return Command(("sh", "-c", _PYTHON, "sh", program), ok=(0,), max_bytes=8 << 20, timeout=60)


@dataclass(frozen=True, slots=True, kw_only=True)
class LaunchUser:
    """One account that user data ask for. `shell`, `home`, `uid`: empty where they leave it to the system."""

    name: str
    gecos: str = ""
    groups: tuple[str, ...] = ()
    primary_group: str = ""
    user_group: bool = True
    sudo: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()
    shell: str = ""
    home: str = ""
    uid: str = ""
    locked: bool = True
    password: bool = False
    """`users` gives one; where it is to be locked, nothing matches it."""
    chpasswd: bool = False
    """One is set afterwards."""
    expires: bool = False
    has_home: bool = True


@dataclass(frozen=True, slots=True)
class LaunchFile:
    """One file that user data write: the digest of its content, its mode (four octal digits), `user:group`."""

    path: str
    sha256: str
    mode: str
    owner: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """What user data declare. `digest`: SHA-256 of them, empty where there are none; `ended`: when first boot had ended
    (nanoseconds since 1970; 0: not known); `commands`: whether they run commands or do what is not foretold here;
    `unread`: why they could not be read."""

    digest: str = ""
    ended: int = 0
    users: tuple[LaunchUser, ...] = ()
    groups: Mapping[str, tuple[str, ...]] | None = None
    root_keys: tuple[str, ...] = ()
    root_disabled: bool = True
    files: tuple[LaunchFile, ...] = ()
    packages: tuple[str, ...] = ()
    upgrade: bool = False
    ssh_passwords: bool | None = None
    """Whether sshd is to take passwords; None: as the image has it."""
    timezone: str = ""
    commands: bool = False
    unread: str = ""

    def members(self, group: str) -> frozenset[str]:
        """Who is put into a group."""
        listed = (self.groups or {}).get(group, ())
        return frozenset(listed) | {user.name for user in self.users if group in user.groups}


def ask(session: Session) -> Launch:
    """The launch inputs of a target."""
    command = source()
    capture = session.ask([command])[command]
    if capture.status is Status.UNSUPPORTED:
        return Launch()  # not a running target
    if capture.status is not Status.OK:
        if capture.exit_code == 127:
            return Launch()  # without Python there is no cloud-init
        return Launch(unread=f"user data could not be read: {capture.detail or capture.status.value}")
    return parse(capture.data)


def digest_of(captures: Captures) -> str:
    """The digest of a host's user data; empty where there are none, or it was not asked."""
    if DIGEST not in captures:
        return ""
    found = captures[DIGEST].data[:64].decode("ascii", "replace")
    return found if _DIGEST.fullmatch(found) and found != EMPTY else ""


def parse(data: bytes) -> Launch:
    """What the program printed. Whatever is not of the form it has is passed over: it accounts for nothing then."""
    try:
        told = json.loads(data)
    except (ValueError, RecursionError):
        return Launch(unread="user data could not be read: the answer is not JSON")
    if not isinstance(told, dict) or told.get("error"):
        why = told.get("error") if isinstance(told, dict) else "the answer is no mapping"
        return Launch(unread=f"user data could not be read: {str(why)[:200]}")
    return _launch(told) if told.get("cloud_init") is True else Launch()


def _launch(told: Mapping[str, Any]) -> Launch:
    configs = [_mapping(each) for each in _list(told.get("configs"))]
    image = _mapping(told.get("image"))
    default = _user(_mapping(told.get("default_user")))
    users = _accounts([image, *configs], default)
    keys = tuple(key for each in configs for key in _texts(each.get("keys"))) + _texts(told.get("metadata_keys"))
    named = next((user for user in users if default is not None and user.name == default.name), None)
    with_password = {name for each in configs for name in _texts(each.get("passwords"))}
    if named is not None and any(each.get("password") is True for each in configs):
        with_password.add(named.name)
    users = tuple(_completed(user, keys if user is named else (), with_password) for user in users)
    disabled = _last([image, *configs], "disable_root")
    return Launch(
        digest=_matching(_DIGEST, told.get("user_data")),
        ended=ended if isinstance(ended := told.get("ended"), int) and 0 <= ended < 1 << 63 else 0,
        users=users,
        groups={
            name: _texts(members)
            for each in [image, *configs]
            for name, members in _mapping(each.get("groups")).items()
            if _NAME.fullmatch(name)
        },
        root_keys=keys,
        root_disabled=disabled is not False,
        files=tuple(_files(configs)),
        packages=tuple(name for each in configs for name in _texts(each.get("packages"))),
        ssh_passwords=said if isinstance(said := _last(configs, "ssh_pwauth"), bool) else None,
        upgrade=any(each.get("upgrade") is True for each in configs),
        timezone=next((zone for each in reversed(configs) if (zone := _text(each.get("timezone")))), ""),
        commands=bool(_number(told.get("scripts")))
        or any(_number(each.get("commands")) or _list(each.get("setup")) for each in configs),
    )


def _accounts(configs: Sequence[Mapping[str, Any]], default: LaunchUser | None) -> tuple[LaunchUser, ...]:
    """The users of the last configuration that lists any; `default` stands for the image's default user."""
    listed: list[Any] = next((each["users"] for each in reversed(configs) if isinstance(each.get("users"), list)), [])
    found: dict[str, LaunchUser] = {}
    for raw in listed[:MOST_ITEMS]:
        user = _user(_mapping(raw))
        if user is not None and user.name == DEFAULT:
            user = default
        if user is not None:
            found[user.name] = user
    return tuple(found.values())


def _user(raw: Mapping[str, Any]) -> LaunchUser | None:
    name = raw.get("name")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        return None
    return LaunchUser(
        name=name,
        gecos=_text(raw.get("gecos")),
        groups=_texts(raw.get("groups")),
        primary_group=_text(raw.get("primary_group")),
        user_group=raw.get("no_user_group") is not True,
        sudo=_texts(raw.get("sudo")),
        keys=_texts(raw.get("keys")),
        shell=_text(raw.get("shell")),
        home=_text(raw.get("homedir")),
        uid=_text(raw.get("uid")),
        locked=raw.get("lock_passwd") is not False,
        password=raw.get("password") is True,
        expires=raw.get("expires") is True,
        has_home=raw.get("no_create_home") is not True and raw.get("system") is not True,
    )


def _completed(user: LaunchUser, keys: tuple[str, ...], with_password: set[str]) -> LaunchUser:
    """With what is said of a user elsewhere than in `users`."""
    return replace(user, keys=(*user.keys, *keys), chpasswd=user.name in with_password)


def _files(configs: Sequence[Mapping[str, Any]]) -> Iterator[LaunchFile]:
    for config in configs:
        for raw in map(_mapping, _list(config.get("files"))[:MOST_ITEMS]):
            path, mode = _text(raw.get("path")), _matching(re.compile("[0-7]{4}"), raw.get("mode"))
            sha256, owner = _matching(_DIGEST, raw.get("sha256")), _text(raw.get("owner"))
            if path.startswith("/") and mode and sha256 and owner:
                yield LaunchFile(path, sha256, mode, owner)


def _last(configs: Sequence[Mapping[str, Any]], name: str) -> object:
    return next((each[name] for each in reversed(configs) if each.get(name) is not None), None)


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _text(value: object) -> str:
    return value if isinstance(value, str) and len(value) <= 4096 else ""


def _texts(value: object) -> tuple[str, ...]:
    return tuple(item for item in _list(value)[:MOST_ITEMS] if isinstance(item, str) and len(item) <= 1 << 16)


def _number(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0


def _matching(pattern: re.Pattern[str], value: object) -> str:
    return value if isinstance(value, str) and pattern.fullmatch(value) else ""
