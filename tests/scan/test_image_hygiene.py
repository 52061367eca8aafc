"""The pack `image-hygiene` over unpacked images: a clean one passes, and each thing left in it is found by its rule."""

import threading
from collections.abc import Mapping
from pathlib import Path

import pytest

from driftscan.model.finding import Result
from driftscan.scan import fleet
from driftscan.scan.options import ScanOptions
from driftscan.scan.progress import Silent
from driftscan.scan.targets import resolve

CLEAN = {
    "etc/os-release": 'ID=debian\nVERSION_ID="12"\n',
    "etc/passwd": "root:x:0:0:root:/root:/bin/bash\n",
    "etc/shadow": "root:*:19700:0:99999:7:::\n",
    "etc/group": "root:x:0:\n",
    "etc/hosts": "127.0.0.1 localhost\n::1 localhost ip6-localhost\n",
    "etc/machine-id": "uninitialized\n",
    "etc/resolv.conf": "",
    "etc/ssh/sshd_config": "PermitRootLogin no\n",
    "etc/ssl/certs/ca-certificates.pem": "public\n",
    "root/.bashrc": "umask 022\n",
    "var/log/wtmp": "",
    "var/log/dpkg.log": "2026-01-01 install curl\n",
    "var/lib/dpkg/status": "Package: base-files\nStatus: install ok installed\nArchitecture: amd64\nVersion: 12\n\n",
}
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFaUp9VlTzCU0a3ZS7Ly2vwB6m6m0cXpl9UAxqIqLSkC packer\n"


def failed(root: Path, files: Mapping[str, str]) -> set[str]:
    """The rules that fail of an image with these files; none may be unknown."""
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    for folder in (root.parent, root, root / "etc"):
        folder.chmod(0o755)
    options = ScanOptions(policies=("image-hygiene",))
    (host,) = fleet.scan(resolve([f"rootfs:{root}"], ()), options, Silent(), threading.Event()).hosts
    assert len(host.controls) > 20
    assert [control.id for control in host.controls if control.result is Result.UNKNOWN] == []
    return {control.id for control in host.controls if control.result is Result.FAIL}


def test_a_clean_image_passes(tmp_path: Path) -> None:
    assert failed(tmp_path / "image", CLEAN) == set()


@pytest.mark.parametrize(
    ("path", "text", "rules"),
    [
        ("etc/ssh/ssh_host_ed25519_key", "private\n", {"image-ssh-host-keys"}),
        ("etc/machine-id", "0123456789abcdef0123456789abcdef\n", {"image-machine-id"}),
        ("var/lib/systemd/random-seed", "x" * 512, {"image-random-seed"}),
        ("etc/krb5.keytab", "key", {"image-registrations"}),
        ("var/lib/cloud/instances/i-0abc/user-data.txt", "#cloud-config\n", {"image-cloud-init-state"}),
        ("var/lib/dhcp/dhclient.eth0.leases", "lease {}\n", {"image-network-state"}),
        ("etc/resolv.conf", "nameserver 10.0.0.2\n", {"image-resolver"}),
        ("etc/hosts", "10.0.0.5 mirror\n", {"image-hosts-file"}),
        ("root/.ssh/authorized_keys", KEY, {"image-authorized-keys"}),
        ("etc/shadow", "root:$y$j9T$abc$def:19700:0:99999:7:::\n", {"image-passwords"}),
        ("root/.ssh/id_ed25519", "private\n", {"image-user-keys", "image-private-keys"}),
        ("home/build/.aws/credentials", "[default]\n", {"image-credentials"}),
        ("srv/app/.env", "TOKEN=1\n", {"image-private-keys"}),
        ("root/.bash_history", "make\n", {"image-histories"}),
        ("var/log/wtmp", "x" * 384, {"image-login-records"}),
        ("var/log/journal/0123/system.journal", "x", {"image-login-records"}),
        ("var/log/syslog", "build: done\n", {"image-logs"}),
        ("var/cache/apt/archives/curl_7.88_amd64.deb", "deb", {"image-package-caches"}),
        ("var/lib/apt/lists/archive.example.net_dists_bookworm_InRelease", "x", {"image-package-lists"}),
        ("tmp/script.sh", "true\n", {"image-scratch-files"}),
        ("root/install.sh", "true\n", {"image-scratch-files"}),
        ("usr/sbin/policy-rc.d", "exit 101\n", {"image-build-tools"}),
    ],
)
def test_what_is_left_is_found(tmp_path: Path, path: str, text: str, rules: set[str]) -> None:
    assert failed(tmp_path / "image", {**CLEAN, path: text}) == rules
