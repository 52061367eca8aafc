"""One of each kind of change that a person or an intruder makes, and what it must be called."""

from __future__ import annotations

from dataclasses import dataclass

from tests.fleet.bed import network
from tests.fleet.bed.host import Host
from tests.fleet.bed.shell import run

ANY = "*"


@dataclass(frozen=True)
class Alteration:
    """A shell script for the host, and the difference that it must lead to."""

    name: str
    kind: str
    key: str  # a glob, where a part of the key is not known beforehand
    change: str
    script: str
    attribute: str = ANY  # a glob over the names of the attributes that differ


ALTERATIONS = (
    Alteration(
        "program runs from a deleted file", "process", "/usr/local/bin/miner", "added",
        "cp /usr/bin/sleep /usr/local/bin/miner;"
        " setsid --fork /usr/local/bin/miner 1000000 </dev/null >/dev/null 2>&1;"
        " sleep 0.5; rm /usr/local/bin/miner",
    ),
    Alteration(
        "library loaded and removed", "library", "/usr/lib/libhook.so", "added",
        "cp /usr/lib/x86_64-linux-gnu/libz.so.1 /usr/lib/libhook.so;"
        " LD_PRELOAD=/usr/lib/libhook.so setsid --fork sleep 1000000 </dev/null >/dev/null 2>&1;"
        " sleep 0.5; rm /usr/lib/libhook.so",
    ),
    Alteration("set-uid bit", "file", "/usr/bin/find", "modified", "chmod u+s /usr/bin/find", "mode"),
    Alteration(
        "content changed, size and time kept", "file", "/usr/bin/who", "modified",
        "touch -r /usr/bin/who /root/.t; printf X | dd of=/usr/bin/who bs=1 seek=4000 conv=notrunc status=none;"
        " touch -r /root/.t /usr/bin/who; rm /root/.t", "sha256",
    ),
    Alteration(
        "owner changed", "file", "/usr/bin/head", "modified", "chown deploy /usr/bin/head", "*",
    ),
    Alteration("file removed", "file", "/usr/bin/tac", "removed", "rm /usr/bin/tac"),
    Alteration(
        "link redirected", "file", "/usr/bin/awk", "modified", "ln -sfn /usr/bin/mawk /usr/bin/awk", "*",
    ),
    Alteration(
        "new listener", "listen", "tcp/0.0.0.0:8088", "added",
        "setsid --fork python3 -m http.server 8088 --directory /srv </dev/null >/dev/null 2>&1; sleep 1",
    ),
    Alteration(
        "setting of the kernel, for the next boot", "file", "/etc/sysctl.d/90-forward.conf", "added",
        "echo net.ipv4.ip_forward=1 > /etc/sysctl.d/90-forward.conf",
    ),
    Alteration(
        "module, for the next boot", "file", "/etc/modules-load.d/dccp.conf", "added",
        "echo dccp > /etc/modules-load.d/dccp.conf",
    ),
    Alteration(
        "cron job", "cron", "/etc/cron.d/sync/root/*", "added",
        "echo '*/5 * * * * root /usr/bin/true --sync' > /etc/cron.d/sync",
    ),
    Alteration(
        "user's crontab", "cron", "/var/spool/cron/crontabs/deploy/deploy/*", "added",
        "echo '@daily /usr/bin/true --own' | crontab -u deploy -",
    ),
    Alteration(
        "sudo rule", "sudo_rule", "/etc/sudoers.d/zz-www:*", "added",
        "echo 'www-data ALL=(ALL) NOPASSWD: ALL' > /etc/sudoers.d/zz-www; chmod 440 /etc/sudoers.d/zz-www",
    ),
    Alteration(
        "authorized key", "authorized_key", "root/SHA256:*", "added",
        "ssh-keygen -q -t ed25519 -N '' -C intruder -f /root/k;"
        " cat /root/k.pub >> /root/.ssh/authorized_keys; rm /root/k /root/k.pub",
    ),
    Alteration(
        "enabled unit with a drop-in", "service", "beacon.service", "added",
        "printf '[Service]\\nExecStart=/usr/bin/sleep infinity\\n[Install]\\nWantedBy=multi-user.target\\n'"
        " > /etc/systemd/system/beacon.service; mkdir -p /etc/systemd/system/beacon.service.d;"
        " printf '[Service]\\nRestart=always\\n' > /etc/systemd/system/beacon.service.d/10-restart.conf;"
        " systemctl daemon-reload; systemctl enable -q --now beacon.service",
    ),
    Alteration(
        "drop-in on a baked unit", "service", "cron.service", "modified",
        "mkdir -p /etc/systemd/system/cron.service.d;"
        " printf '[Service]\\nEnvironment=LD_PRELOAD=/tmp/x.so\\n' > /etc/systemd/system/cron.service.d/env.conf;"
        " systemctl daemon-reload",
    ),
    Alteration("unit disabled", "service", "rsyslog.service", "modified", "systemctl disable -q --now rsyslog.service"),
    Alteration(
        "new timer", "service", "beacon.timer", "added",
        "printf '[Timer]\\nOnCalendar=hourly\\n[Install]\\nWantedBy=timers.target\\n'"
        " > /etc/systemd/system/beacon.timer; systemctl daemon-reload; systemctl enable -q --now beacon.timer",
    ),
    Alteration("password set", "password", "root", "modified", "echo root:correct-horse | chpasswd"),
    Alteration("group added", "group", "wheel", "added", "groupadd wheel"),
    Alteration("user in a group", "group", "sudo", "modified", "usermod -aG sudo www-data"),
    Alteration(
        "sshd setting by a drop-in", "sshd_setting", "permittunnel", ANY,
        "echo 'PermitTunnel yes' > /etc/ssh/sshd_config.d/50-tunnel.conf",
    ),
    Alteration("name redirected", "host_entry", "192.0.2.1", "added", "echo '192.0.2.1 archive.example' >> /etc/hosts"),
    Alteration(
        "resolver added", "dns", "nameserver:192.0.2.53", "added",
        "echo nameserver 192.0.2.53 >> /etc/resolv.conf",
    ),
    Alteration(
        "authority trusted", "ca_certificate", "SHA256:*", "added",
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj /CN=Interceptor"
        " -keyout /dev/null -out /usr/local/share/ca-certificates/interceptor.crt 2>/dev/null;"
        " update-ca-certificates >/dev/null 2>&1",
    ),
    Alteration(
        "Python package beside the package manager", "python_package",
        "evil@/usr/local/lib/python3.11/dist-packages", "added",
        "d=/usr/local/lib/python3.11/dist-packages/evil-1.0.dist-info; mkdir -p $d;"
        " printf 'Metadata-Version: 2.1\\nName: evil\\nVersion: 1.0\\n' > $d/METADATA; echo pip > $d/INSTALLER",
    ),
    Alteration("package removed", "package", "logrotate/amd64", "removed", "dpkg --purge logrotate >/dev/null"),
    Alteration(
        "firewall chain", "firewall_chain", "inet/guard/input", "added",
        "nft add table inet guard;"
        " nft add chain inet guard input '{ type filter hook input priority 0; policy accept; }'",
    ),
    Alteration("route added", "route", "*/192.0.2.0/24/eth0/*", "added", "ip route add 192.0.2.0/24 dev eth0"),
    Alteration("address added", "address", "lo/192.0.2.9/32", "added", "ip address add 192.0.2.9/32 dev lo"),
)  # fmt: skip

# Made from outside the host: its programs can't.
CAPABILITY = Alteration("capability", "file", "/usr/bin/nice", "modified", "", "*capabilit*")
ACCESS_LIST = Alteration("access list", "file", "/etc/crontab", "modified", "", "*acl*")
LIVE_SYSCTL = Alteration("setting of the running kernel", "sysctl", "net.ipv4.ip_forward", "modified", "")
FROM_OUTSIDE = (CAPABILITY, ACCESS_LIST, LIVE_SYSCTL)


def apply_all(host: Host) -> None:
    for alteration in ALTERATIONS:
        host.shell(alteration.script)
    run("setcap", "cap_net_raw,cap_net_admin+ep", f"{host.root}/usr/bin/nice")
    run("setfacl", "-m", "u:1000:rw", f"{host.root}/etc/crontab")
    # A container sees /proc/sys read-only; its network namespace can be entered from here.
    namespace = network.namespace(host.settings, host.name)
    run("ip", "netns", "exec", namespace, "sysctl", "-qw", "net.ipv4.ip_forward=1")
