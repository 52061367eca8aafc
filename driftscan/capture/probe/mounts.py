"""Where disks are mounted on the target, and which of them are walked. Runs there: see `walk.py`."""

import os
import re

PSEUDO = frozenset((
    "autofs", "binfmt_misc", "bpf", "cgroup", "cgroup2", "configfs", "debugfs", "devpts", "devtmpfs", "efivarfs",
    "fusectl", "hugetlbfs", "mqueue", "nsfs", "proc", "pstore", "rpc_pipefs", "securityfs", "selinuxfs", "sysfs",
    "tracefs",
))  # fmt: skip
REMOTE = frozenset((
    "9p", "afs", "ceph", "cifs", "glusterfs", "lustre", "ncpfs", "nfs", "nfs4", "smb3", "smbfs", "virtiofs",
))  # fmt: skip
LOCAL_FUSE = frozenset(("fuse.lxcfs", "fuseblk"))


def mount_points() -> "dict[str, str]":
    """Mount point -> type of its file system, as proc_pid_mountinfo(5) lists them."""
    found: "dict[str, str]" = {}
    try:
        with open("/proc/self/mountinfo", "rb") as mountinfo:
            lines = mountinfo.read().split(b"\n")
    except OSError:
        return found
    for line in lines:
        left, _, right = line.partition(b" - ")
        words = left.split(b" ")
        if len(words) > 4 and right:
            path = re.sub(rb"\\([0-7]{3})", lambda match: bytes([int(match.group(1), 8)]), words[4])
            # A later mount on the same point hides the earlier one.
            found[os.fsdecode(path)] = right.split(b" ", 1)[0].decode("ascii", "replace")
    return found


def is_remote(kind: str) -> bool:
    """Whether a file system of this type lies on another machine, or behind a program that may not answer."""
    return kind in REMOTE or (kind.startswith("fuse.") and kind not in LOCAL_FUSE)


def islands(mounts: "dict[str, str]", foreign: "dict[str, str]") -> "list[str]":
    """Mount points that are walked though they lie in one that is not: /dev/shm in /dev."""
    found = []
    for path in mounts:
        above = path
        while above and path not in foreign:
            above = above[: above.rfind("/")]
            if above in mounts:
                found.extend([path] if above in foreign else [])
                break
    return sorted(found)


def foreign_mounts(mounts: "dict[str, str]") -> "dict[str, str]":
    """Those of these mount points that are not walked, with the reason: (path, `pseudo` or `remote`)."""
    return {
        path: "pseudo" if kind in PSEUDO else "remote"
        for path, kind in mounts.items()
        if kind in PSEUDO or is_remote(kind)
    }
