"""What the bed needs of the machine it runs on: root, Debian, a few packages."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from tests.fleet.bed.shell import ENVIRONMENT, BedError, attempt, run

# command -> the Debian package that has it
_NEEDED = {
    "mmdebstrap": "mmdebstrap",
    "systemd-nspawn": "systemd-container",
    "ip": "iproute2",
    "nsenter": "util-linux",
    "ssh": "openssh-client",
    "ssh-keygen": "openssh-client",
    "aide": "aide",
    "busybox": "busybox-static",
    "dropbear": "dropbear-bin",
    "setcap": "libcap2-bin",
    "setfacl": "acl",
    "setfattr": "attr",
    "mkfs.ext4": "e2fsprogs",
    "debugfs": "e2fsprogs",
    "losetup": "mount",
    "faketime": "faketime",
    "openssl": "openssl",
    "pebble": "pebble",
}
# About six inotify instances a host; the kernel's default of 128 ends at twenty hosts.
_INOTIFY_INSTANCES = 4096


def require() -> None:
    """Refuses a machine on which no bed can work."""
    if os.geteuid() != 0:
        raise BedError("the test bed needs root: it mounts file systems and boots hosts")
    if shutil.which("apt-get") is None:
        raise BedError("the test bed needs a Debian machine: there is no apt-get here")


def prepare() -> None:
    """Installs what is missing."""
    require()
    missing = {p for c, p in _NEEDED.items() if shutil.which(c, path=ENVIRONMENT["PATH"]) is None}
    if missing:
        run("apt-get", "-q", "update")
        run("apt-get", "-qy", "install", "--no-install-recommends", *sorted(missing))
    limit = Path("/proc/sys/fs/inotify/max_user_instances")
    if int(limit.read_text()) < _INOTIFY_INSTANCES:
        limit.write_text(str(_INOTIFY_INSTANCES))


def archive() -> str:
    """The Debian archive that this machine itself uses."""
    for refreshed in (False, True):
        if refreshed:
            run("apt-get", "-q", "update")
        listed = attempt(
            "apt-get",
            "indextargets",
            "--format",
            "$(REPO_URI) $(ORIGIN) $(LABEL)",
            "Created-By: Packages",
        ).stdout
        for line in listed.splitlines():
            uri, _, origin = line.partition(" ")
            if origin == "Debian Debian":
                return uri
    raise BedError("apt on this machine knows no Debian archive (see /etc/apt/sources.list)")
