"""The base that hosts are copies of: a Debian 12 with what real servers carry."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

from tests.fleet.bed import authority
from tests.fleet.bed.machine import archive
from tests.fleet.bed.network import proxy_url
from tests.fleet.bed.overlay import lower_directories
from tests.fleet.bed.settings import PROXY_ADDRESS, Settings
from tests.fleet.bed.shell import locked, run

SUITE = "bookworm"
PACKAGES = (
    "openssh-server python3 systemd systemd-sysv libpam-systemd dbus iproute2 procps sudo netbase"
    " ca-certificates cloud-init unattended-upgrades rsyslog logrotate cron man-db nftables"
    " exim4-daemon-light certbot containerd"
)
# Units that have no sense in a container and would leave every host "degraded".
# The timers stay: drift by timers is what the suite looks for.
_MASKED = ("systemd-networkd.service", "systemd-resolved.service", "systemd-pstore.service")
_SEED = "var/lib/cloud/seed/nocloud"
# Locale, partitions and boot loader belong to machines, not to containers; root's login stays
# open because the tests need a root that did not come by sudo.
_USER_DATA = """#cloud-config
disable_root: false
ssh_authorized_keys:
  - {key}
users:
  - name: deploy
    gecos: Deployment
    groups: [adm, sudo]
    sudo: ["ALL=(ALL) NOPASSWD:ALL"]
    shell: /bin/bash
    lock_passwd: true
    ssh_authorized_keys:
      - {key}
write_files:
  - path: /etc/app/app.conf
    content: |
      listen = 127.0.0.1:8080
      workers = 2
    permissions: "0640"
  - path: /usr/local/bin/app-health
    content: |
      #!/bin/sh
      exit 0
    permissions: "0755"
runcmd:
  - [install, -d, -m, "0755", /srv/app]
  - |
    authority="https://$(ip route show default | cut -d ' ' -f 3):{port}/dir"
    certbot certonly -q --standalone --agree-tos --register-unsafely-without-email --server "$authority" -d shop.example
manage_etc_hosts: true
timezone: Etc/UTC
ssh_genkeytypes: [ed25519, ecdsa, rsa]
locale: false
resize_rootfs: false
growpart: {{mode: "off"}}
grub_dpkg: {{enabled: false}}
"""
# The hosts' links are made from outside, as a cloud's network would be.
# The bed's authority shows a certificate of its own making.
_CERTBOT = "no-verify-ssl = True\n"
_CLOUD_CONFIG = """datasource_list: [NoCloud, None]
network: {config: disabled}
"""


def ensure_key(settings: Settings) -> str:
    """The key that opens every host, made once for a state directory."""
    settings.state.mkdir(parents=True, exist_ok=True)
    with locked(settings.state / "lock"):
        if not settings.key.exists():
            run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "testbed",
                "-f", str(settings.key))  # fmt: skip
    return settings.key.with_suffix(".pub").read_text().strip()


def ensure_base(settings: Settings) -> Path:
    """The directory of the base, built when it is missing or its recipe has changed."""
    key = ensure_key(settings)
    recipe = hashlib.sha256(Path(__file__).read_bytes() + key.encode()).hexdigest()[:12]
    base = settings.state / f"base-{recipe}"
    with locked(settings.state / "lock"):
        if not base.exists():
            _discard_other_bases(settings)
            _build(base, key)
    return base


def write_instance(root: Path, name: str) -> None:
    """What a cloud would tell this one instance about itself."""
    text = f"instance-id: i-{name}\nlocal-hostname: {name}\n"
    (root / _SEED / "meta-data").write_text(text)


def _build(base: Path, key: str) -> None:
    building = base.with_name("building")
    if building.exists():
        shutil.rmtree(building)
    run("mmdebstrap", "-q", "--variant=minbase", "--skip=cleanup/apt/lists",
        f"--include={PACKAGES.replace(' ', ',')}", SUITE, str(building), archive(),
        timeout=900)  # fmt: skip
    _configure(building, key)
    building.rename(base)


def _configure(root: Path, key: str) -> None:
    """Takes away what must differ from host to host, and adds what an image builder adds."""
    for stale in (*root.glob("etc/ssh/ssh_host_*"), root / "var/lib/dbus/machine-id"):
        stale.unlink(missing_ok=True)
    (root / "etc/machine-id").write_text("")
    (root / "etc/hostname").write_text("localhost\n")
    (root / "etc/hostname").chmod(0o644)
    (root / "etc/resolv.conf").write_text(f"nameserver {PROXY_ADDRESS}\n")
    (root / "etc/resolv.conf").chmod(0o644)
    # Hosts ask the proxy by http; the proxy asks the archive as this machine does.
    sources = root / "etc/apt/sources.list"
    sources.write_text(sources.read_text().replace("https://", "http://"))
    proxy = f'Acquire::http::Proxy "{proxy_url()}";\n'
    (root / "etc/apt/apt.conf.d/95proxy").write_text(proxy)
    (root / "etc/cloud/cloud.cfg.d/90-image.cfg").write_text(_CLOUD_CONFIG)
    with (root / "etc/letsencrypt/cli.ini").open("a") as certbot:
        certbot.write(_CERTBOT)
    seed = root / _SEED
    seed.mkdir(parents=True)
    (seed / "user-data").write_text(_USER_DATA.format(key=key, port=authority.PORT))
    write_instance(root, "image")
    for unit in _MASKED:
        (root / "etc/systemd/system" / unit).symlink_to("/dev/null")


def _discard_other_bases(settings: Settings) -> None:
    """Removes bases of older recipes, but for those that a running bed stands on."""
    used = lower_directories()
    for other in settings.state.glob("base-*"):
        if str(other) not in used:
            shutil.rmtree(other)
