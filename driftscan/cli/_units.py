"""What cron and systemd are told: words as each of them reads them, and the files that hold them."""

import hashlib
import re
import shlex
from dataclasses import dataclass

from driftscan.errors import UsageError
from driftscan.schema_check import quoted

STATE = "/var/lib/driftscan"
MOST_CRON = 990
"""Bytes of a command in a crontab (cron's MAX_COMMAND is 1000)."""
_PLAIN = re.compile(r"[A-Za-z0-9_./:=@,+-]+")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_MINUTES = {"hourly": 15, "daily": 180, "weekly": 360}
"""By how much systemd may be late."""
_LONGEST = {"hourly": "6h", "daily": "20h", "weekly": "3d"}
"""When systemd ends a scan: as long as one hangs, none begins, and nobody would know."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What is to be run, and how often. `here`: it looks at the machine that it runs on, so that it needs root and must
    see that machine as it is. `homes`: something that it reads lies in a home. `writes`: directories that it writes
    to, beside its state. `state`: whether that is in the usual place."""

    words: tuple[str, ...]
    every: str
    here: bool
    homes: bool
    writes: tuple[str, ...]
    state: bool

    @property
    def user(self) -> str:
        """Who runs it."""
        return "root" if self.here else "driftscan"


def cron(job: Job, machine: str) -> str:
    """A file for /etc/cron.d. The minute follows from the name of the machine and the command, so that not all machines
    scan at once. UsageError for what no crontab can hold."""
    command = " ".join(map(cron_word, ("nice", "-n", "10", *job.words)))
    if len(command.encode()) > MOST_CRON:
        raise UsageError(
            f"the command is longer than the {MOST_CRON} bytes that cron takes",
            "Put options into driftscan.yaml and name it with --config, or use systemd.",
        )
    state = f"DRIFTSCAN_STATE_DIR={STATE}\n" if job.state else ""
    return (
        f"# /etc/cron.d/driftscan (owner root, mode 0644; cron reads no file with a dot in its name)\n"
        f"{_account(job)}"
        f"# What is printed is mailed: nothing, when nothing changed.\n"
        f"MAILTO=root\n{state}"
        f"{_when(job.every, machine, command)} {job.user} {command}\n"
    )


def systemd(job: Job) -> str:
    """A service and a timer, each with the name of its file above it."""
    command = " ".join(map(systemd_word, job.words))
    late = _MINUTES[job.every]
    service = [
        "# /etc/systemd/system/driftscan.service",
        *_account(job).splitlines(),
        "[Unit]",
        "Description=driftscan: are these servers still their images?",
        "Wants=network-online.target",
        "After=network-online.target",
        "",
        "[Service]",
        "Type=oneshot",
        f"ExecStart={command}",
        f"TimeoutStartSec={_LONGEST[job.every]}",
        "# Findings (exit status 1) are no failure of the service.",
        "SuccessExitStatus=1",
        "Nice=10",
        "CPUSchedulingPolicy=batch",
        "IOSchedulingClass=idle",
        "UMask=0077",
        *(_ROOT if job.here else _HARDENED),
        *(["StateDirectory=driftscan", "StateDirectoryMode=0700"] if job.state else []),
        *([f"Environment=DRIFTSCAN_STATE_DIR={STATE}"] if job.state else []),
        *([] if job.here else [f"ProtectHome={'read-only' if job.homes else 'yes'}"]),
        *([] if job.here else [f"ReadWritePaths={systemd_word(path)}" for path in job.writes]),
    ]
    timer = [
        "# /etc/systemd/system/driftscan.timer",
        "# then: systemctl daemon-reload && systemctl enable --now driftscan.timer",
        "[Unit]",
        f"Description=driftscan, {job.every}",
        "",
        "[Timer]",
        f"OnCalendar={job.every}",
        f"RandomizedDelaySec={late}min",
        "FixedRandomDelay=yes",
        "Persistent=true",
        "",
        "[Install]",
        "WantedBy=timers.target",
    ]
    return "\n".join([*service, "", *timer, ""])


def cron_word(word: str) -> str:
    """A word of a command in a crontab: as the shell takes it, and cron makes a line break of % (crontab(5)).
    UsageError for control characters."""
    return shlex.quote(_printable(word)).replace("%", "\\%")


def systemd_word(word: str) -> str:
    """A word of ExecStart= (systemd.service(5), "Command lines"; systemd.unit(5), "Specifiers"). UsageError for control
    characters."""
    text = _printable(word).replace("\\", "\\\\").replace('"', '\\"').replace("$", "$$").replace("%", "%%")
    return text if _PLAIN.fullmatch(text) else f'"{text}"'


def _printable(word: str) -> str:
    if _CONTROL.search(word):
        raise UsageError(f"{quoted(word)}: control characters cannot be scheduled", "Rename it.")
    return word


def _when(every: str, machine: str, command: str) -> str:
    number = int.from_bytes(hashlib.sha256(f"{machine} {command}".encode()).digest()[:8])
    minute, hour, day = number % 60, number // 60 % 6, number // 360 % 7
    if every == "hourly":
        return f"{minute} * * * *"
    return f"{minute} {hour} * * *" if every == "daily" else f"{minute} {hour} * * {day}"


def _account(job: Job) -> str:
    if job.here:
        return "# As root, since it looks at this machine.\n"
    return (
        f"# useradd --system --home-dir {STATE} --create-home --shell /usr/sbin/nologin driftscan\n"
        f"# That account must be able to read the inventory, manifests and keys, and no other should read the keys.\n"
    )


_ROOT = (
    "# Not confined: what a namespace hides would be missing, or differ, in the scan of this machine.",
    "NoNewPrivileges=yes",
)
_HARDENED = (
    "User=driftscan",
    "NoNewPrivileges=yes",
    "CapabilityBoundingSet=",
    "ProtectSystem=strict",
    "PrivateTmp=yes",
    "PrivateDevices=yes",
    "DevicePolicy=closed",
    "ProtectProc=invisible",
    "ProcSubset=pid",
    "ProtectClock=yes",
    "ProtectHostname=yes",
    "ProtectControlGroups=yes",
    "ProtectKernelLogs=yes",
    "ProtectKernelModules=yes",
    "ProtectKernelTunables=yes",
    "RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX",
    "RestrictNamespaces=yes",
    "RestrictRealtime=yes",
    "RestrictSUIDSGID=yes",
    "LockPersonality=yes",
    "MemoryDenyWriteExecute=yes",
    "RemoveIPC=yes",
    "KeyringMode=private",
    "SystemCallArchitectures=native",
    "SystemCallFilter=@system-service",
    "SystemCallFilter=~@privileged @resources",
    "SystemCallErrorNumber=EPERM",
)
