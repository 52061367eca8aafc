"""How what is known of a file is written as one canonical line: the one home of that form.

The scanner's collector writes lines with it, and targets do, as a part of the probe: two sides that compare digests of
lines must write the same bytes. Standard library of Python 3.6 to 3.14; imports nothing of driftscan.

ACLs: acl(5) and linux/posix_acl_xattr.h; capabilities: capabilities(7) and linux/capability.h.
"""

import re
import struct

TYPES = {
    "f": "regular",
    "d": "directory",
    "l": "symlink",
    "p": "fifo",
    "s": "socket",
    "b": "block",
    "c": "character",
}
UNSEEN = b"?"
"""In the place of extended attributes: the target has no tool that shows them, nor ACLs, capabilities and flags."""
UNOPENED = frozenset({"-", "!forbidden", "!failed"})
"""Digests of regular files that the walk has not opened, or may not have: their flags were not seen."""
SAFE = re.compile(r"[ !#-\[\]-~]*")
"""Text that JSON writes as it is."""

_UNSAFE = re.compile(r'["\\]|[^ -~]')
_SHORT = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\f": "\\f", "\b": "\\b"}
_INVALID = re.compile("[\udc80-\udcff]")
_HEXADECIMAL = re.compile(b"(?:[0-9a-f]{2})*")
_ACL_TAGS = {0x01: "user", 0x02: "user", 0x04: "group", 0x08: "group", 0x10: "mask", 0x20: "other"}
# fmt: off
_CAPABILITIES = (
    "chown", "dac_override", "dac_read_search", "fowner", "fsetid", "kill", "setgid", "setuid", "setpcap",
    "linux_immutable", "net_bind_service", "net_broadcast", "net_admin", "net_raw", "ipc_lock", "ipc_owner",
    "sys_module", "sys_rawio", "sys_chroot", "sys_ptrace", "sys_pacct", "sys_admin", "sys_boot", "sys_nice",
    "sys_resource", "sys_time", "sys_tty_config", "mknod", "lease", "audit_write", "audit_control", "setfcap",
    "mac_override", "mac_admin", "syslog", "wake_alarm", "block_suspend", "audit_read", "perfmon", "bpf",
    "checkpoint_restore",
)
# fmt: on
_SHORTEST_DIGEST = 32
_NO_EXTENDED = {"acl": '""', "capabilities": '""', "selinux": '""', "xattrs": "{}"}
_PLAIN_FILE = (
    '{"attributes":{"acl":"","capabilities":"","flags":"%s","gid":%d,"mode":"%04o","nlink":%d,"selinux":"",'
    '"%s":"%s","size":%s,"type":"regular","uid":%d,"xattrs":{}},"key":%s,"kind":"file"}'
)


def encode_name(raw: bytes) -> str:
    """The key text of a name: see model.names."""
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        text = raw.decode("utf-8", "surrogateescape").replace("\\", "\\\\")
        return _INVALID.sub(lambda match: "\\x%02x" % (ord(match.group(0)) - 0xDC00), text)
    return text.replace("\\", "\\\\") if "\\" in text else text


def quoted(text: str) -> str:
    """Text as a JSON string in ASCII, as json.dumps writes it."""
    return '"%s"' % (text if SAFE.fullmatch(text) else _UNSAFE.sub(_escaped, text))


def line(columns: "dict[str, str]", key: str) -> str:
    """The canonical line of a file; all values are JSON."""
    body = ",".join('"%s":%s' % (name, columns[name]) for name in sorted(columns))
    return '{"attributes":{%s},"key":%s,"kind":"file"}' % (body, key)


def columns(
    kind: str,
    mode: int,
    uid: int,
    gid: int,
    size: str,
    nlink: int,
    digest: "tuple[str, str]",
    flags: str,
    target: bytes,
    extended: bytes,
) -> "dict[str, str]":
    """Column -> JSON. `kind` to `extended` as the walk's records have them; `digest` is (name of the column, word).
    Columns that a type of file does not have are left out; for those that it has, an empty value means known to be
    none, a missing one not known. ValueError if the extended attributes are not hexadecimal."""
    values = {"type": '"%s"' % TYPES[kind], "uid": "%d" % uid, "gid": "%d" % gid}
    if kind == "l":
        values["target"] = quoted(encode_name(target))
        return values
    values["mode"] = '"%04o"' % mode
    if extended != UNSEEN:
        values.update(_extended(extended) if extended else _NO_EXTENDED)
        if not (kind == "f" and flags == "-" and digest[1] in UNOPENED):
            values["flags"] = '"%s"' % ("" if flags == "-" else flags)
    if kind == "f":
        values["size"] = size
        values["nlink"] = "%d" % nlink
        if digest[1] != "-" and not digest[1].startswith("!"):
            values[digest[0]] = '"%s"' % digest[1]
    elif kind in "bc" and size != "?":
        values["device"] = '"%s"' % size
    return values


def record_line(
    kind: str,
    mode: int,
    uid: int,
    gid: int,
    size: str,
    nlink: int,
    digest: "tuple[str, str]",
    flags: str,
    target: bytes,
    extended: bytes,
    key: str,
) -> str:
    """The line of a record of the walk; `key` is JSON, all else as for `columns`."""
    if kind == "f" and not extended and len(digest[1]) >= _SHORTEST_DIGEST:  # nearly every file of a tree
        name, value = digest
        return _PLAIN_FILE % ("" if flags == "-" else flags, gid, mode, nlink, name, value, size, uid, key)
    return line(columns(kind, mode, uid, gid, size, nlink, digest, flags, target, extended), key)


def _escaped(match: "re.Match[str]") -> str:
    char = match.group(0)
    code = ord(char)
    if char in _SHORT:
        return _SHORT[char]
    if code > 0xFFFF:
        code -= 0x10000
        return "\\u%04x\\u%04x" % (0xD800 | code >> 10, 0xDC00 | code & 0x3FF)
    return "\\u%04x" % code


def _extended(raw: bytes) -> "dict[str, str]":
    acl, capabilities, label = "", "", ""
    other: "dict[str, str]" = {}
    for pair in raw.split(b","):
        name, _, value = pair.partition(b"=")
        if not _HEXADECIMAL.fullmatch(value):
            raise ValueError("an extended attribute is not hexadecimal")
        data = bytes.fromhex(value.decode())
        if name == b"system.posix_acl_access":
            acl = _acl(data) + acl
        elif name == b"system.posix_acl_default":
            acl += ";default:" + _acl(data)
        elif name == b"security.capability":
            capabilities = _capability(data)
        elif name == b"security.selinux":
            label = encode_name(data.rstrip(b"\0"))
        else:
            other[encode_name(name)] = value.decode()
    pairs = ",".join("%s:%s" % (quoted(name), quoted(other[name])) for name in sorted(other))
    return {
        "acl": quoted(acl),
        "capabilities": quoted(capabilities),
        "selinux": quoted(label),
        "xattrs": "{%s}" % pairs,
    }


def _acl(data: bytes) -> str:
    """`user::rwx,user:1000:r--,...` of a posix_acl_xattr value; its digits where it is malformed."""
    if len(data) % 8 != 4 or struct.unpack_from("<I", data)[0] != 2:
        return "malformed:" + data.hex()
    entries = []
    for tag, permissions, number in struct.iter_unpack("<HHI", data[4:]):
        who = str(number) if tag in (0x02, 0x08) else ""
        bits = "".join(letter if permissions & bit else "-" for letter, bit in (("r", 4), ("w", 2), ("x", 1)))
        entries.append("%s:%s:%s" % (_ACL_TAGS.get(tag, hex(tag)), who, bits))
    return ",".join(entries)


def _capability(data: bytes) -> str:
    """`cap_net_raw,cap_net_admin=ep` of a vfs_cap_data value (revisions 1 to 3); its digits where it is malformed. An
    empty set is `=`, not nothing: it takes from a set-id program what it would have without."""
    if len(data) < 4:
        return "malformed:" + data.hex()
    magic = struct.unpack_from("<I", data)[0]
    pairs = {0x01000000: 1, 0x02000000: 2, 0x03000000: 2}.get(magic & 0xFF000000, 0)
    if not pairs or len(data) < 4 + 8 * pairs:
        return "malformed:" + data.hex()
    words = struct.unpack_from("<%dI" % (2 * pairs), data, 4)
    permitted = sum(word << (32 * index) for index, word in enumerate(words[0::2]))
    inheritable = sum(word << (32 * index) for index, word in enumerate(words[1::2]))
    effective = "e" if magic & 1 else ""
    by_flags: "dict[str, list[str]]" = {}
    for bit in range(32 * pairs):
        letters = ("i" if inheritable >> bit & 1 else "") + ("p" if permitted >> bit & 1 else "")
        if letters:
            by_flags.setdefault(effective + letters, []).append(
                "cap_" + (_CAPABILITIES[bit] if bit < len(_CAPABILITIES) else str(bit))
            )
    text = " ".join("%s=%s" % (",".join(names), flags) for flags, names in sorted(by_flags.items())) or "="
    rootid = struct.unpack_from("<I", data, 20)[0] if magic & 0xFF000000 == 0x03000000 and len(data) >= 24 else 0
    return "%s [rootid=%d]" % (text, rootid) if rootid else text
