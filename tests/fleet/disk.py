"""A disk of a host that is written beneath its file system, as who owns the block device can: no time moves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.fleet.bed.host import Host
from tests.fleet.bed.shell import run

BLOCK = 4096


class Disk:
    """A small ext4 image, mounted on a host. Its files have one block or more each."""

    def __init__(self, host: Host, image: Path, point: str) -> None:
        self.host = host
        self.image = image
        self.point = point

    def status(self, name: str) -> str:
        """Everything that lstat(2) and statx(2) tell, times to the nanosecond."""
        form = "%F %a %u %g %s %b %B %h %i %d %t %T | %x | %y | %z | %w"
        return self.host.must("stat", "-c", form, f"{self.point}/{name}")

    def read(self, name: str) -> bytes:
        """What a program on the host reads."""
        return self.host.must("cat", f"{self.point}/{name}").encode()

    def forge(self, name: str, content: bytes) -> None:
        """Write over the beginning of a file's first block on the disk, and have the host's kernel forget the block."""
        first = run("debugfs", "-R", f"blocks /{name}", str(self.image)).split()[0]
        with self.image.open("r+b") as disk:
            disk.seek(int(first) * BLOCK)
            disk.write(content)
        self.host.must("dd", f"if={self.point}/{name}", "iflag=nocache", "count=0", "status=none")


@contextmanager
def mounted(host: Host, place: Path, point: str, files: Mapping[str, bytes]) -> Iterator[Disk]:
    """A disk with these files at a mount point of the host."""
    image, tree = place / "disk.img", place / "tree"
    for name, content in files.items():
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_bytes(content)
    run("mkfs.ext4", "-q", "-b", str(BLOCK), "-d", str(tree), str(image), "16M")
    device = run("losetup", "--find", "--show", str(image)).strip()
    number = int(device.removeprefix("/dev/loop"))
    try:
        # A container has no nodes of this machine's devices; the mount holds the device, and needs its node no more.
        host.shell(f"mkdir -p {point}; mknod /dev/disk b 7 {number}; mount -t ext4 -o noatime /dev/disk {point}")
        host.shell("rm /dev/disk")
        yield Disk(host, image, point)
    finally:
        host.execute("umount", point)
        host.execute("rmdir", point)
        run("losetup", "--detach", device)
