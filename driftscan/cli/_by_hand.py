"""How to see a difference by hand on the host: ordinary read-only commands, safely quoted."""

import shlex
import string
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from driftscan.model.names import decode_name, show
from driftscan.model.times import SECOND, nanoseconds, utc

MOST = 12
_RUNTIMES = frozenset({"docker", "podman", "nerdctl", "crictl"})
_PLAIN = (string.ascii_letters + string.digits + "/._-+@%=:,").encode()


def commands(differences: Iterable[tuple[str, str]]) -> list[str]:
    """Commands for (kind, key) pairs, each once, in order, at most `MOST`."""
    found: dict[str, None] = {}
    for kind, key in differences:
        for command in _OF.get(kind, _nothing)(key):
            found[command] = None
        if len(found) >= MOST:
            break
    return list(found)[:MOST]


def of_logs(attribution: Mapping[str, Any]) -> list[str]:
    """Commands that show what the logs have at the time of an attribution, as the report has it."""
    at = nanoseconds(attribution["at"] or "")
    first, last = (utc(at + seconds * SECOND).replace("T", " ").replace("Z", " UTC") for seconds in (-60, 180))
    if not (at and first and last):
        return []
    journal = f"journalctl --utc --since={quote(first)} --until={quote(last)} SYSLOG_FACILITY=4 SYSLOG_FACILITY=10"
    apt = any(line.startswith("apt history.log") for line in attribution["evidence"])
    return [*(["less /var/log/apt/history.log"] if apt else []), journal]


def quote(key: str) -> str:
    """A name for a shell: as POSIX quotes it, or as bash's `$'...'` where it holds what a terminal could not show."""
    raw = decode_name(key)
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        text = ""
    if text and show(text) == text:
        return shlex.quote(text)
    return "$'" + "".join(chr(byte) if byte in _PLAIN else f"\\x{byte:02x}" for byte in raw) + "'"


def _nothing(_key: str) -> list[str]:
    return []


def _file(key: str) -> list[str]:
    path = quote(key)
    return [f"stat -- {path}", f"sha256sum -- {path}", f"dpkg -S -- {path}   # or: rpm -qf -- {path}"]


def _package(key: str) -> list[str]:
    name = quote(key.partition("/")[0])
    return [f"dpkg -s -- {name}; dpkg -V -- {name}   # or: rpm -qi -- {name}; rpm -V -- {name}"]


def _language_package(key: str) -> list[str]:
    name, _, folder = key.partition("@")
    return [f"ls -ld -- {quote(folder)}/{quote(name)}*"]


def _service(key: str) -> list[str]:
    return [f"systemctl cat -- {quote(key)}", f"systemctl status --no-pager -- {quote(key)}"]


def _listen(key: str) -> list[str]:
    family, _, place = key.partition("/")
    if family == "unix":
        return ["ss -lxp"]
    port = place.rpartition(":")[2]
    return [f"ss -ln{'u' if family.startswith('udp') else 't'}p sport = :{quote(port)}"]


def _authorized_key(key: str) -> list[str]:
    user = quote(key.partition("/")[0])
    return [f'ssh-keygen -lf "$(getent passwd -- {user} | cut -d: -f6)/.ssh/authorized_keys"']


def _firewall(key: str) -> list[str]:
    return ["nft -- list chain " + " ".join(quote(part) for part in key.split("/", 2))]


def _log(key: str) -> list[str]:
    if key.startswith("/"):
        return [f"ls -l --time-style=full-iso -- {quote(key)}*"]
    return ["journalctl --list-boots", "journalctl --disk-usage", "last -F -n 20"]


def _container(key: str) -> list[str]:
    runtime, _, name = key.partition("/")
    return [f"{runtime} inspect -- {quote(name)}"] if runtime in _RUNTIMES else []


def _owner(key: str) -> list[str]:
    sort, _, number = key.partition("/")
    return [f"find / -xdev -{'gid' if sort == 'group' else 'uid'} {quote(number)} -ls | head"]


def _fixed(*given: str) -> Callable[[str], list[str]]:
    return lambda _key: list(given)


def _with(*templates: str) -> Callable[[str], list[str]]:
    """Templates in which `{}` stands for the quoted key."""
    return lambda key: [template.replace("{}", quote(key)) for template in templates]


_OF: dict[str, Callable[[str], list[str]]] = {
    "os_version": _fixed("cat /etc/os-release"),
    "kernel_info": _fixed("uname -a", "cat /proc/cmdline"),
    "file": _file,
    "package": _package,
    "python_package": _language_package,
    "npm_package": _language_package,
    "service": _service,
    "listen": _listen,
    "process": _with("ls -l /proc/[0-9]*/exe | grep -F -- {}"),
    "library": lambda key: [f"grep -lF -- {quote(key.removeprefix('container:').partition('*')[0])} /proc/[0-9]*/maps"],
    "user": _with("getent passwd -- {}", "last -n 5 -- {}"),
    "group": _with("getent group -- {}"),
    "password": _with("passwd -S -- {}"),
    "sudo_rule": lambda key: [f"cat -A -- {quote(key.partition(':')[0])}"],
    "authorized_key": _authorized_key,
    "sshd_setting": lambda key: [f"sshd -T | grep -i -- {quote('^' + key.partition('@')[0])}"],
    "interface": _with("ip -d link show dev {}"),
    "address": _fixed("ip address show"),
    "route": _fixed("ip route show table all"),
    "dns": _fixed("cat /etc/resolv.conf", "resolvectl status"),
    "host_entry": _with("grep -F -- {} /etc/hosts"),
    "firewall_chain": _firewall,
    "nftables_chain": _fixed("cat /etc/nftables.conf", "nft list ruleset"),
    "filter_hook": _fixed("nft list ruleset"),
    "boot_hook": _fixed("cat /etc/nftables.conf"),
    "open_port": _fixed("ss -tulnp", "iptables -S", "ip6tables -S", "ufw status verbose"),
    "sysctl": _with("sysctl -- {}"),
    "kernel_module": _with("modinfo -- {}", "grep -w -- {} /proc/modules"),
    "mount": _with("findmnt --target {}"),
    "cron": lambda key: [f"ls -l -- {quote(key.rsplit('/', 2)[0])}", "ls -l /etc/cron* /var/spool/cron"],
    "at": _fixed("atq"),
    "ca_certificate": _fixed("ls -lt /etc/ssl/certs /usr/local/share/ca-certificates | head"),
    "container": _container,
    "setting": lambda key: [f"grep -rns -- {quote(key.partition(':')[2].partition(' ')[0])} /etc | head"],
    "pam_rule": lambda key: [f"cat -A -- {quote('/etc/pam.d/' + key.partition(':')[0])}"],
    "audit_rule": _fixed("cat /etc/audit/audit.rules /etc/audit/rules.d/*.rules", "auditctl -l"),
    "audit_compiled": _fixed("augenrules --check", "cat /etc/audit/audit.rules"),
    "audit_merge": _fixed("augenrules --check", "cat /etc/audit/audit.rules"),
    "privileged_program": _with("ls -l -- {}", "grep -rnF -- {} /etc/audit/rules.d"),
    "log_file": _with("ls -l -- {}"),
    "password_change": _with("chage -l -- {}", "date"),
    "account_shell": lambda key: [f"getent passwd -- {quote(key)}", "cat /etc/shells"],
    "root_path": _with("ls -ld -- {}", "sudo -i printenv PATH"),
    "module_rule": _with("modprobe --showconfig | grep -w -- {}"),
    "banner": _with("cat -A -- {}"),
    "account_id": _fixed("cut -d: -f1,3,4 /etc/passwd", "cut -d: -f1,3 /etc/group"),
    "file_owner": _owner,
    "home": lambda key: [f"getent passwd -- {quote(key)}", f"ls -lad ~{quote(key)} ~{quote(key)}/.[!.]*"],
    "boot_loader": _with("grep -nwE 'superusers|password|password_pbkdf2|linux' -- {}"),
    "apt_source": _fixed("grep -rn '' /etc/apt/sources.list /etc/apt/sources.list.d"),
    "apparmor_profile": _with("grep -rnF -- {} /etc/apparmor.d"),
    "apparmor_loaded": _with("grep -F -- {} /sys/kernel/security/apparmor/profiles"),
    "shell_setting": lambda key: [f"cat -A -- {quote(key.rpartition(':')[0])}"],
    "login_shell": _with("grep -nxF -- {} /etc/shells"),
    "log": _log,
    "login": lambda key: [f"last -F -n 20 -- {quote(key.rpartition('/SHA256:')[0] or key.rpartition('/')[0])}"],
    "host_key": lambda key: [f"ssh-keyscan -- {quote(key)} | ssh-keygen -lf -   # from here, not on the host"],
}
