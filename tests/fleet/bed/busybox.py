"""A small host of another kind: busybox, dropbear and an apk database; no Python, no systemd."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from tests.fleet.bed import cgroups, network
from tests.fleet.bed.host import Host
from tests.fleet.bed.shell import ENVIRONMENT, BedError, run, wait_for

# Rows as apk writes them, shortened: nothing of Alpine's archive is needed to make them.
_APK_INSTALLED = """C:Q1Yh3zs0hBGBFsFqYxQ6Vd4mQz1nU=
P:busybox
V:1.36.1-r15
A:x86_64
T:Size optimized toolbox of many common UNIX utilities
L:GPL-2.0-only
o:busybox
F:bin
R:busybox
a:0:0:755

C:Q1b0lQ3m1nT9m1b2u0e7yJr2n0X5k=
P:musl
V:1.2.4_git20230717-r4
A:x86_64
T:the musl c library (libc) implementation
L:MIT
o:musl
F:lib

"""
_FILES = {
    "etc/passwd": "root:x:0:0:root:/root:/bin/ash\nnobody:x:65534:65534:nobody:/:/sbin/nologin\n",
    "etc/group": "root:x:0:\nnobody:x:65534:\n",
    "etc/shadow": "root:*:19000::::::\nnobody:!:19000::::::\n",
    "etc/shells": "/bin/ash\n",
    "etc/os-release": 'NAME="Alpine Linux"\nID=alpine\nVERSION_ID=3.19.1\nPRETTY_NAME="Alpine Linux v3.19"\n',
    "etc/alpine-release": "3.19.1\n",
    "etc/apk/world": "busybox\nmusl\n",
    "lib/apk/db/installed": _APK_INSTALLED,
}
_DIRECTORIES = "bin sbin usr/bin usr/sbin etc/dropbear proc sys dev run tmp var/log root/.ssh"
# Device nodes and terminals that a login needs, then dropbear as the host's first process.
_BOOT = """
hostname "$2"
mount -t proc proc "$1/proc"
mount -t sysfs -o ro sysfs "$1/sys"
mount -t tmpfs -o mode=0755 dev "$1/dev"
mkdir "$1/dev/pts"
mount -t devpts -o newinstance,ptmxmode=0666 devpts "$1/dev/pts"
ln -s pts/ptmx "$1/dev/ptmx"
mknod -m 666 "$1/dev/null" c 1 3; mknod -m 666 "$1/dev/zero" c 1 5
mknod -m 666 "$1/dev/random" c 1 8; mknod -m 666 "$1/dev/urandom" c 1 9
mknod -m 666 "$1/dev/tty" c 5 0
exec chroot "$1" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root \
    /usr/sbin/dropbear -F -E -s -r /etc/dropbear/host_key -p 22
"""


class BusyboxHost(Host):
    """Started with the same commands as a Debian host; it has no first boot to wait for."""

    def create(self, base: Path, last: int) -> None:
        self.root.mkdir(parents=True)
        (self.place / "last").write_text(str(last))
        (self.place / "busybox").touch()
        for directory in _DIRECTORIES.split():
            (self.root / directory).mkdir(parents=True, exist_ok=True)
        for path, text in {**_FILES, "etc/hostname": f"{self.name}\n"}.items():
            target = self.root / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text)
        (self.root / "etc/shadow").chmod(0o640)
        self._install_programs()
        self._install_key()

    def _install_programs(self) -> None:
        busybox = _program("busybox")
        shutil.copy(busybox, self.root / "bin/busybox")
        for applet in run(busybox, "--list").split():
            if applet != "busybox":
                (self.root / "bin" / applet).symlink_to("/bin/busybox")
        (self.root / "usr/bin/env").symlink_to("/bin/busybox")
        for name in ("dropbear", "dropbearkey"):
            shutil.copy(_program(name), self.root / "usr/sbin" / name)
        for library in set(re.findall(r"/\S+", run("ldd", _program("dropbear")).split(":")[-1])):
            copy = self.root / library.lstrip("/")
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(library, copy)

    def _install_key(self) -> None:
        keys = self.root / "root/.ssh/authorized_keys"
        shutil.copy(self.settings.key.with_suffix(".pub"), keys)
        for path, mode in ((keys, 0o600), (keys.parent, 0o700), (self.root / "root", 0o700)):
            path.chmod(mode)
        made = run("chroot", str(self.root), "/usr/sbin/dropbearkey", "-t", "ed25519",
                   "-f", "/etc/dropbear/host_key")  # fmt: skip
        public = next(line for line in made.splitlines() if line.startswith("ssh-ed25519"))
        (self.place / "host_key.pub").write_text(public)

    def start(self) -> None:
        if self.leader() is not None:
            return
        self.kill()
        network.connect(self.settings, self.name, self.last)
        namespace = network.namespace(self.settings, self.name)
        own = ["unshare", "--mount", "--pid", "--uts", "--ipc", "--fork", "--kill-child"]
        boot = ["/bin/sh", "-ec", _BOOT, "boot", str(self.root), self.name]
        cgroups.spawn(self.group, ["ip", "netns", "exec", namespace, *own, *boot], self.log)

    def leader(self) -> int | None:
        listed = ((pid, cgroups.process(pid)) for pid in sorted(cgroups.members(self.group)))
        return next((pid for pid, found in listed if found and found[0] == "dropbear"), None)

    def settle(self, seconds: float = 30) -> None:
        wait_for(f"{self.name}: dropbear answers", self.answers, seconds)

    def stop(self) -> None:
        self.kill()

    def reboot(self) -> None:
        self.kill()
        self.start()
        self.settle()

    def host_keys(self) -> list[str]:
        words = (self.place / "host_key.pub").read_text().split()
        return [f"{self.address} {words[0]} {words[1]}"]


def _program(name: str) -> str:
    found = shutil.which(name, path=ENVIRONMENT["PATH"])
    if found is None:
        raise BedError(f"{name} is not installed on this machine")
    return found
