"""What no learned zone ever relaxes: what is executed or loaded, and what decides who gets in."""

import re
from collections.abc import Iterable, Mapping

from driftscan.model.resource import Resource, Value

_KINDS = frozenset(
    {"user", "group", "password", "sudo_rule", "authorized_key", "sshd_setting", "package", "python_package"}
    | {"npm_package", "cron", "at", "ca_certificate", "kernel_module", "listen", "process", "library"}
    | {"container", "firewall_chain", "mount", "os_version"}
    | {"boot_loader", "apt_source", "apparmor_profile", "apparmor_loaded"}
)
_STATES_OF_UNITS = frozenset({"active_state", "sub_state", "load_state"})
_PATHS = re.compile(
    r"(?:/usr(?:/(?!share/doc/|share/man/).*)?|/bin|/sbin|/lib(?:32|64|x32)?|/boot|/opt/[^/]+/bin/.*)(?:/.*)?"
    r"|/etc/(?:passwd|group|shadow|gshadow|subuid|subgid)-?"
    r"|/etc/(?:sudoers|sudoers\.d|pam\.d|security|pam\.conf|ld\.so\.preload|ld\.so\.conf|ld\.so\.conf\.d)(?:/.*)?"
    r"|/etc/(?:systemd|init\.d|rc[0-6S]\.d|rc\.local|inittab|cron[^/]*|anacrontab|profile|profile\.d|bash\.bashrc)(?:/.*)?"
    r"|/etc/(?:ssh|ssl|pki|apt|yum\.repos\.d|apk|modprobe\.d|modules-load\.d|modules|sysctl\.d|sysctl\.conf)(?:/.*)?"
    r"|/etc/(?:polkit-1|dbus-1|udev|environment|nsswitch\.conf|crypttab)(?:/.*)?"
    r"|/var/spool/(?:cron|at)(?:/.*)?"
    r"|.*/\.(?:ssh|bashrc|bash_profile|profile|zshrc)(?:/.*)?"
    r"|.*\.(?:so(?:\.[0-9.]{1,20})?|ko(?:\.[a-z0-9]{1,4})?|py|pyc|pl|pm|sh)"
)
LOADED = ("*.so", "*.so.*", "*.ko", "*.ko.*", "*.py", "*.pyc", "*.pl", "*.pm", "*.sh")
OF_PEOPLE = (".ssh/**", ".ssh", ".bashrc", ".bash_profile", ".profile", ".zshrc")
"""Names that are protected wherever they lie, as globs."""


def protected(kind: str, key: str, variants: Iterable[Resource], attributes: Iterable[str]) -> str:
    """Why a resource stays sealed whatever boots show; empty: it may be relaxed. `variants`: what the boots have;
    `attributes`: which attributes differ among them (empty: it came and went)."""
    if kind in _KINDS:
        return f"a {kind} decides what runs or who gets in"
    if kind == "service":
        names = set(attributes)
        return "" if names and names <= _STATES_OF_UNITS else "units decide what runs"
    if kind != "file":
        return ""
    if _PATHS.fullmatch(key):
        return "what lies there is executed, loaded, or decides who gets in"
    return next((why for variant in variants if (why := _dangerous(variant.attributes))), "")


def _dangerous(attributes: Mapping[str, Value]) -> str:
    mode = attributes.get("mode")
    bits = int(mode, 8) if isinstance(mode, str) and re.fullmatch("[0-7]{4}", mode) else 0
    if attributes.get("type") in {"block", "character"}:
        return "it is a device node"
    if attributes.get("type") == "regular" and bits & 0o6111:
        return "it is executable"
    return "it has file capabilities" if attributes.get("capabilities") else ""
