"""Thirty acts of a person on a server, each as one would type it, and what it is expected to touch."""

import textwrap

from tally import Act

from tests.fleet.bed.host import Host
from tests.fleet.repository import PLACE, Package, publish

ACTOR = "alice"
_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAICspiYUS7ejZH5Qt2nhhkWJqcVsEDPg9Hz6CjMpBg964 eve@laptop"
_DPKG = (
    "/var/lib/dpkg/*", "/var/lib/apt/*", "/etc/ld.so.cache", "/etc/alternatives/*", "/var/lib/systemd/deb-systemd-*",
    "/etc/rc?.d/*", "/var/lib/ucf/*", "/var/cache/*",
)  # fmt: skip
_ACCOUNTS = tuple(
    f"/etc/{name}{suffix}"
    for name in ("passwd", "shadow", "group", "gshadow", "subuid", "subgid")
    for suffix in ("", "-")
)
_UNITS = "/etc/systemd/system"


def _written(path: str, *rows: str, append: bool = False) -> str:
    """What writes rows into a file as root."""
    words = " ".join(f"'{row}'" for row in rows)
    return f"printf '%s\\n' {words} | sudo tee {'-a ' if append else ''}{path} >/dev/null"


ACTS = (
    Act(
        "package with dependencies installed", "sudo apt-get install -qy nginx", ("/usr/sbin/nginx",),
        ("package nginx/*",), (*_DPKG, "/var/lib/nginx*", "/var/www*", "/etc/nginx/*", f"{_UNITS}/*/nginx.service"),
        ("apt-get install -qy nginx",),
    ),
    Act(
        "packages upgraded", "sudo apt-get upgrade -qy", ("/usr/bin/tool-run", "/usr/lib/tool-parts/*"),
        ("package tool/*", "package tool-parts/*"), _DPKG, ("apt-get upgrade -qy",),
    ),
    Act(
        "package removed", "sudo apt-get remove -qy leftover", ("/usr/bin/leftover-run", "/usr/lib/leftover*"),
        ("package leftover/*",), _DPKG, ("apt-get remove -qy leftover",),
    ),
    Act(
        "account added", "sudo useradd --create-home --shell /bin/bash mallory", ("/etc/passwd", "/home/mallory*"),
        ("user mallory",), (*_ACCOUNTS, "/var/mail/mallory"), ("useradd",),
    ),
    Act(
        "user put into a group", "sudo usermod -aG adm bob", ("/etc/group",), ("group adm",), _ACCOUNTS, ("usermod",),
    ),
    Act(
        "password set", "echo root:correct-horse | sudo chpasswd", ("/etc/shadow",), ("password root",), _ACCOUNTS,
        ("chpasswd",),
    ),
    Act(
        "ssh key added", _written("/home/bob/.ssh/authorized_keys", _KEY, append=True),
        ("/home/bob/.ssh/authorized_keys",), ("authorized_key bob/*",), (), ("tee -a /home/bob/.ssh/authorized_keys",),
    ),
    Act(
        "sudo rule added", _written("/etc/sudoers.d/bob", "bob ALL=(ALL) NOPASSWD: ALL"), ("/etc/sudoers.d/bob",),
        ("sudo_rule /etc/sudoers.d/bob*",), (), ("tee /etc/sudoers.d/bob",),
    ),
    Act(
        "unit added, enabled and started",
        _written(f"{_UNITS}/beacon.service", "[Service]", "ExecStart=/usr/bin/sleep infinity", "[Install]",
                 "WantedBy=multi-user.target")
        + " && sudo systemctl daemon-reload && sudo systemctl enable -q --now beacon.service",
        (f"{_UNITS}/beacon.service",), ("service beacon.service",), (f"{_UNITS}/*/beacon.service",),
        (f"tee {_UNITS}/beacon.service", "systemctl enable -q --now beacon.service"),
    ),
    Act(
        "unit masked", "sudo systemctl mask -q --now unattended-upgrades.service",
        (f"{_UNITS}/unattended-upgrades.service",), ("service unattended-upgrades.service",), (),
        ("systemctl mask",),
    ),
    Act(
        "unit overridden by a drop-in",
        f"sudo mkdir -p {_UNITS}/rsyslog.service.d && "
        + _written(f"{_UNITS}/rsyslog.service.d/override.conf", "[Service]", "Environment=DEBUG=1")
        + " && sudo systemctl daemon-reload",
        (f"{_UNITS}/rsyslog.service.d/override.conf",), ("service rsyslog.service",), (f"{_UNITS}/rsyslog.service.d",),
        (f"tee {_UNITS}/rsyslog.service.d/override.conf", f"mkdir -p {_UNITS}/rsyslog.service.d"),
    ),
    Act(
        "timer with its service added",
        _written(f"{_UNITS}/sweep.service", "[Service]", "Type=oneshot", "ExecStart=/usr/bin/true")
        + " && "
        + _written(f"{_UNITS}/sweep.timer", "[Timer]", "OnCalendar=yearly", "[Install]", "WantedBy=timers.target")
        + " && sudo systemctl daemon-reload && sudo systemctl enable -q --now sweep.timer",
        (f"{_UNITS}/sweep.timer", f"{_UNITS}/sweep.service"), ("service sweep.timer", "service sweep.service"),
        (f"{_UNITS}/*/sweep.timer", "/var/lib/systemd/timers/*sweep*"),
        (f"tee {_UNITS}/sweep.", "systemctl enable -q --now sweep.timer"),
    ),
    Act(
        "setting of sshd changed",
        "sudo sed -i 's/^#*MaxAuthTries.*/MaxAuthTries 20/' /etc/ssh/sshd_config && sudo systemctl reload ssh",
        ("/etc/ssh/sshd_config",), ("sshd_setting maxauthtries", "file /etc/ssh/sshd_config"), (), ("MaxAuthTries 20",),
    ),
    Act(
        "file of /etc edited", _written("/etc/motd", "Back at five.", append=True), ("/etc/motd",),
        says=("tee -a /etc/motd",),
    ),
    Act(
        "configuration file of a package edited", "sudo sed -i 's/^rotate 4/rotate 52/' /etc/logrotate.conf",
        ("/etc/logrotate.conf",), says=("/etc/logrotate.conf",),
    ),
    Act(
        "name added to /etc/hosts", _written("/etc/hosts", "192.0.2.66 updates.example", append=True), ("/etc/hosts",),
        ("host_entry 192.0.2.66",), (), ("tee -a /etc/hosts",),
    ),
    Act(
        "resolver added", _written("/etc/resolv.conf", "nameserver 192.0.2.53", append=True), ("/etc/resolv.conf",),
        ("dns nameserver:192.0.2.53",), (), ("tee -a /etc/resolv.conf",),
    ),
    Act(
        "setting of the kernel", _written("/etc/sysctl.d/60-forward.conf", "net.ipv4.ip_forward=1"),
        ("/etc/sysctl.d/60-forward.conf",), says=("tee /etc/sysctl.d/60-forward.conf",),
    ),
    Act(
        "module to be loaded", _written("/etc/modules-load.d/dccp.conf", "dccp"), ("/etc/modules-load.d/dccp.conf",),
        says=("tee /etc/modules-load.d/dccp.conf",),
    ),
    Act(
        "job of /etc/cron.d", _written("/etc/cron.d/helper", "5 4 * * * root /usr/local/bin/helper"),
        ("/etc/cron.d/helper",), ("cron /etc/cron.d/helper/*",), (), ("tee /etc/cron.d/helper",),
    ),
    Act(
        "user's crontab", "echo '@yearly /usr/bin/true --own' | sudo crontab -u bob -",
        ("/var/spool/cron/crontabs/bob",),
        ("cron /var/spool/cron/crontabs/bob/*",), (), ("crontab -u bob",),
    ),
    Act(
        "program put into /usr/local/bin",
        _written("/usr/local/bin/helper", "#!/bin/sh", "exec true") + " && sudo chmod 755 /usr/local/bin/helper",
        ("/usr/local/bin/helper",), says=("/usr/local/bin/helper",),
    ),
    Act(
        "program in /usr/bin replaced", "sudo cp /usr/bin/env /usr/bin/who", ("/usr/bin/who",),
        says=("cp /usr/bin/env /usr/bin/who",),
    ),
    Act("set-uid bit", "sudo chmod u+s /usr/bin/find", ("/usr/bin/find",), says=("chmod u+s /usr/bin/find",)),
    Act(
        "capability", "sudo setcap cap_net_raw+ep /usr/bin/nice", ("/usr/bin/nice",),
        says=("setcap cap_net_raw+ep /usr/bin/nice",),
    ),
    Act(
        "authority trusted",
        "sudo cp /opt/corp.crt /usr/local/share/ca-certificates/corp.crt"
        " && sudo update-ca-certificates >/dev/null 2>&1",
        ("/usr/local/share/ca-certificates/corp.crt",), ("ca_certificate *", "file /usr/local/share/ca-certificates/*"),
        ("/etc/ssl/certs/*", "/etc/ca-certificates*"), ("corp.crt", "update-ca-certificates"),
    ),
    Act(
        "listener started",
        "sudo setsid --fork python3 -m http.server 8088 --directory /srv </dev/null >/dev/null 2>&1", (),
        ("listen tcp/*:8088",), (), ("http.server 8088",),
    ),
    Act(
        "3,000 files below one directory changed",
        "sudo find /opt/catalogue -type f -exec sed -i s/one/two/ {} +", ("/opt/catalogue/*",),
        says=("find /opt/catalogue",),
    ),
    Act(
        "file added below /srv", "sudo mkdir -p /srv/notes && sudo cp /etc/hostname /srv/notes/todo.txt",
        ("/srv/notes/todo.txt",), (), ("/srv/notes",), ("/srv/notes",),
    ),
    Act(
        "file removed", "sudo rm /usr/share/common-licenses/GPL-1", ("/usr/share/common-licenses/GPL-1",),
        says=("rm /usr/share/common-licenses/GPL-1",),
    ),
)  # fmt: skip


def prepare(host: Host) -> None:
    """What the image has: a person who may use sudo, a colleague, packages that can be upgraded, files to work on."""
    host.shell(
        textwrap.dedent(f"""
        for name in {ACTOR} bob; do
          useradd -m -s /bin/bash $name; install -d -m 700 -o $name -g $name /home/$name/.ssh
          install -m 600 -o $name -g $name /root/.ssh/authorized_keys /home/$name/.ssh/
        done
        echo '{ACTOR} ALL=(ALL) NOPASSWD: ALL' > /etc/sudoers.d/{ACTOR}; chmod 440 /etc/sudoers.d/{ACTOR}
        mkdir /opt/catalogue
        for n in $(seq 3000); do echo one $n > /opt/catalogue/item-$n; done
        openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3650 -subj /CN=Corp \\
          -keyout /dev/null -out /opt/corp.crt 2>/dev/null
        """)
    )
    for package in (Package("tool", "1.0", ("tool-parts",)), Package("tool-parts", "1.0", files=300),
                    Package("leftover", "1.0")):  # fmt: skip
        package.build(host)
    host.shell(f"echo 'deb [trusted=yes] file:{PLACE} ./' > /etc/apt/sources.list.d/suite.list")
    publish(host)
    host.must("apt-get", "install", "-qy", "tool", "leftover", timeout=300)
    Package("tool", "2.0", ("tool-parts",)).build(host)
    Package("tool-parts", "2.0", files=310).build(host)
    publish(host)
