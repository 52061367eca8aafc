"""What a cloud's user data declare, told by the target without any secret of it.

Runs on the target, as a program of its own (`scan/launch.py` asks for it): user data hold passwords and keys, so they are
read and reduced there. What leaves: names, public keys, sudo rules, paths with digests of the content to be written, whether
a password is given. Needs Python 3.6 and the PyYAML that cloud-init itself needs; reads files alone.

The files: cloud-init's documentation, "instance metadata" and "important files". The keys: its "module reference" (users
and groups, write files, ssh, set passwords, package update upgrade install, runcmd, bootcmd, timezone).
"""

import base64
import hashlib
import importlib
import json
import os
import re
import sys
import zlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any

INSTANCE = "/var/lib/cloud/instance/"
CONFIGS = ("vendor-cloud-config.txt", "vendor2-cloud-config.txt", "cloud-config.txt")
"""The weakest first, as cloud-init merges them; each as it was run, after includes and templates."""
MOST = 16 << 20
MOST_ITEMS = 2000
COMMANDS = ("runcmd", "bootcmd")
SETUP = frozenset(
    [
        "apk_repos",
        "apt",
        "byobu_by_default",
        "ca-certs",
        "ca_certs",
        "chef",
        "disk_setup",
        "drivers",
        "fs_setup",
        "growpart",
        "keyboard",
        "landscape",
        "locale",
        "lxd",
        "mcollective",
        "mounts",
        "network",
        "ntp",
        "package_reboot_if_required",
        "phone_home",
        "power_state",
        "puppet",
        "random_seed",
        "resize_rootfs",
        "rh_subscription",
        "rsyslog",
        "salt_minion",
        "snap",
        "spacewalk",
        "ssh_import_id",
        "swap",
        "ubuntu_advantage",
        "wireguard",
        "yum_repos",
        "zypper",
        "ansible",
    ]
)
"""Keys by which cloud-init changes a host in ways that are not foretold here."""


def read(path: str, most: int = MOST) -> "bytes | None":
    """The bytes of a file; none if there is no such file, ValueError if it is too long."""
    try:
        with open(path, "rb") as file:
            data = file.read(most + 1)
    except (FileNotFoundError, NotADirectoryError):
        return None
    if len(data) > most:
        raise ValueError("%s is longer than %d bytes" % (path, most))
    return data


def texts(value: object, split: "str | None" = None) -> "list[str]":
    """Text, a list of texts, or nothing, as a list of texts; `split`: by which one text is taken apart."""
    if isinstance(value, str):
        parts = value.split(split) if split else [value]
        return [part.strip() for part in parts if part.strip()]
    if isinstance(value, (list, tuple, dict)):
        return [item.strip() for item in list(value)[:MOST_ITEMS] if isinstance(item, str) and item.strip()]
    return []


def text(value: object) -> str:
    """A text, or the text of a number; else empty."""
    return str(value) if isinstance(value, (str, int)) and not isinstance(value, bool) else ""


def spelled(mapping: "dict[str, Any]", name: str) -> "Any":
    """A value whose key may be written with dashes."""
    return mapping.get(name, mapping.get(name.replace("_", "-")))


def user(entry: object) -> "dict[str, Any] | None":
    """One item of `users`."""
    if isinstance(entry, str):
        return {"name": entry.strip()}
    if not isinstance(entry, dict) or not isinstance(entry.get("name"), str):
        return None
    given = [spelled(entry, name) for name in ("passwd", "hashed_passwd", "plain_text_passwd")]
    sudo = entry.get("sudo")
    return {
        "name": entry["name"].strip(),
        "gecos": text(entry.get("gecos")),
        "groups": texts(entry.get("groups"), ","),
        "primary_group": text(spelled(entry, "primary_group")),
        "no_user_group": bool(spelled(entry, "no_user_group")),
        "sudo": texts(sudo) if not isinstance(sudo, bool) else [],
        "keys": texts(spelled(entry, "ssh_authorized_keys")),
        "shell": text(entry.get("shell")),
        "homedir": text(entry.get("homedir")),
        "uid": text(entry.get("uid")),
        "lock_passwd": bool(spelled(entry, "lock_passwd") if spelled(entry, "lock_passwd") is not None else True),
        "password": any(given),
        "expires": bool(entry.get("expiredate") or entry.get("inactive")),
        "system": bool(entry.get("system")),
        "no_create_home": bool(spelled(entry, "no_create_home")),
    }


def unpacked(data: bytes) -> bytes:
    """What gzip made, within the limit."""
    inflate = zlib.decompressobj(16 + zlib.MAX_WBITS)
    found = inflate.decompress(data, MOST + 1)
    if len(found) > MOST or not inflate.eof:
        raise ValueError("content that is too long, or no gzip")
    return found


def content(entry: "dict[str, Any]") -> bytes:
    """The bytes that an item of `write_files` writes; ValueError where that cannot be told."""
    value = entry.get("content", "")
    data = value if isinstance(value, bytes) else text(value).encode("utf-8")
    encoding = text(entry.get("encoding")).lower().replace("base64", "b64").replace("gzip", "gz")
    if encoding not in ("", "text/plain", "b64", "gz", "gz+b64", "b64+gz"):
        raise ValueError("an encoding that is not known")
    if "b64" in encoding:
        data = base64.b64decode(data)
    return unpacked(data) if "gz" in encoding else data


def permissions(value: object) -> str:
    """A mode as four octal digits."""
    if isinstance(value, str) and re.match("(0o?)?[0-7]{3,4}$", value):
        return "%04o" % int(value.replace("o", ""), 8)
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 0o10000:
        return "%04o" % value
    return "0644" if value is None else ""


def written(entry: object) -> "dict[str, Any] | None":
    """One item of `write_files`; none where what it comes to is not told by it alone."""
    if (
        not isinstance(entry, dict)
        or not isinstance(entry.get("path"), str)
        or entry.get("append")
        or entry.get("source")
    ):
        return None
    try:
        data = content(entry)
    except (ValueError, zlib.error):
        return None
    return {
        "path": os.path.abspath(entry["path"].strip()),
        "sha256": hashlib.sha256(data).hexdigest(),
        "size": len(data),
        "mode": permissions(entry.get("permissions")),
        "owner": text(entry.get("owner")) or "root:root",
    }


def groups(value: object) -> "dict[str, list[str]]":
    """`groups`: name -> members."""
    found: "dict[str, list[str]]" = {}
    for entry in value if isinstance(value, list) else [value]:
        if isinstance(entry, str):
            found.update((name, []) for name in texts(entry, ","))
        elif isinstance(entry, dict):
            found.update((text(name), texts(members, ",")) for name, members in entry.items())
    return {name: members for name, members in list(found.items())[:MOST_ITEMS] if name}


def with_password(config: "dict[str, Any]") -> "list[str]":
    """Names of those that `chpasswd` gives a password."""
    given = config.get("chpasswd")
    given = given if isinstance(given, dict) else {}
    rows = given.get("list")
    rows = rows.splitlines() if isinstance(rows, str) else rows if isinstance(rows, list) else []
    names = [row.partition(":")[0].strip() for row in rows if isinstance(row, str) and ":" in row]
    users = given.get("users")
    names += [text(item.get("name")) for item in users if isinstance(item, dict)] if isinstance(users, list) else []
    return [name for name in names if name]


def flag(config: "dict[str, Any]", name: str) -> "bool | None":
    """A yes or no; none where it is not said."""
    value = spelled(config, name)
    return value if isinstance(value, bool) else None


def reduced(config: "dict[str, Any]") -> "dict[str, Any]":
    """What a cloud-config says, without secrets."""
    users = config.get("users")
    users = texts(users, ",") if isinstance(users, str) else users if isinstance(users, list) else None
    files = config.get("write_files")
    files = files if isinstance(files, list) else []
    told = [item for item in map(written, files[:MOST_ITEMS]) if item]
    return {
        "users": None if users is None else [item for item in map(user, users[:MOST_ITEMS]) if item],
        "groups": groups(config.get("groups")),
        "keys": texts(spelled(config, "ssh_authorized_keys")),
        "disable_root": flag(config, "disable_root"),
        "files": told,
        "packages": [text(item) for item in config.get("packages") or [] if isinstance(item, str)]
        if isinstance(config.get("packages"), list)
        else [],
        "upgrade": bool(flag(config, "package_upgrade") or flag(config, "apt_upgrade")),
        "timezone": text(config.get("timezone")),
        "passwords": with_password(config),
        "password": bool(config.get("password")),
        "ssh_pwauth": flag(config, "ssh_pwauth"),
        "commands": sum(len(config[name]) for name in COMMANDS if isinstance(config.get(name), list)),
        "setup": sorted(SETUP.intersection(text(name) for name in config)) + ["write_files"] * (len(told) < len(files)),
    }


def image_config(yaml: "Any") -> "tuple[dict[str, Any], dict[str, Any] | None]":
    """What the image itself says of users, from cloud.cfg and what is laid over it."""
    names = ["/etc/cloud/cloud.cfg"]
    try:
        names += sorted("/etc/cloud/cloud.cfg.d/" + name for name in os.listdir("/etc/cloud/cloud.cfg.d"))
    except OSError:
        pass
    found: "dict[str, Any]" = {}
    for name in names:
        config = yaml.safe_load((read(name) if name.endswith(".cfg") else None) or b"") or {}
        if isinstance(config, dict):
            found.update((key, config[key]) for key in ("users", "disable_root", "system_info") if key in config)
    info = found.pop("system_info", None)
    default = info.get("default_user") if isinstance(info, dict) else None
    return reduced(found), user(default) if isinstance(default, dict) else None


def metadata_keys() -> "list[str]":
    """The public keys that the cloud gave beside the user data."""
    try:
        data = json.loads((read("/run/cloud-init/instance-data.json") or b"{}").decode("utf-8"))
    except ValueError:
        return []
    said = data.get("v1") if isinstance(data, dict) else None
    return texts(said.get("public_ssh_keys")) if isinstance(said, dict) else []


def ended() -> int:
    """When the last thing was done that is done once for each instance; nanoseconds since 1970, 0: not known."""
    places = (
        [INSTANCE + "sem/" + name for name in os.listdir(INSTANCE + "sem")] if os.path.isdir(INSTANCE + "sem") else []
    )
    return max([os.stat(place).st_mtime_ns for place in places] or [0])


def scripts() -> int:
    """How many scripts user data bring."""
    place = INSTANCE + "scripts"
    return len([name for name in os.listdir(place) if name != "runcmd"]) if os.path.isdir(place) else 0


def tell() -> "dict[str, Any]":
    """Everything, or why it could not be told."""
    raw = read(INSTANCE + "user-data.txt")
    if raw is None:
        return {"cloud_init": False}
    yaml = importlib.import_module("yaml")  # cloud-init has it

    told = []
    for name in CONFIGS:
        config = yaml.safe_load(read(INSTANCE + name) or b"") or {}
        if isinstance(config, dict):
            told.append(reduced(config))
    image, default = image_config(yaml)
    return {
        "cloud_init": True,
        "user_data": hashlib.sha256(raw).hexdigest() if raw.strip() else "",
        "ended": ended(),
        "scripts": scripts(),
        "image": image,
        "default_user": default,
        "metadata_keys": metadata_keys(),
        "configs": told,
    }


if __name__ == "__main__":
    try:
        sys.stdout.write(json.dumps(tell(), sort_keys=True) + "\n")
    except Exception as error:
        # The error's text may quote what was read; its type cannot.
        sys.stdout.write(json.dumps({"error": "%s while reading what cloud-init keeps" % type(error).__name__}) + "\n")
