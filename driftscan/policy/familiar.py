"""What people write who know goss, InSpec, Kubernetes or Ansible, and how policies say it."""

import re
from collections.abc import Callable, Mapping
from posixpath import normpath

from driftscan.model.patterns import is_literal
from driftscan.model.resource import Kind
from driftscan.schema_check import quoted

_NO_CONTENT = "what is in a file is no column: ask for its sha256, or for a kind that is made of it, such as setting"
_NO_CHECKS = "nothing is run or asked over the network: driftscan judges facts that it has collected"
_PRESENCE = "write `require: present` or `forbid: present` in place of columns"

KINDS: Mapping[str, str] = {
    "port": "write listen, whose keys are such as tcp/0.0.0.0:22",
    **dict.fromkeys(("kernel-param", "kernel_param", "kernel_parameter"), "write sysctl"),
    **dict.fromkeys(("crontab", "cronjob", "cron_job"), "write cron"),
    **dict.fromkeys(("systemd_service", "systemd_unit", "unit", "timer"), "write service"),
    **dict.fromkeys(("directory", "symlink", "link", "path"), "write file"),
    **dict.fromkeys(("sshd_config", "sshd"), "write sshd_setting"),
    **dict.fromkeys(("login_defs", "limits_conf", "auditd_conf", "journald"), "write setting"),
    **dict.fromkeys(("sudoers", "sudo"), "write sudo_rule"),
    **dict.fromkeys(("auditd", "auditd_rules"), "write audit_rule"),
    **dict.fromkeys(("modprobe", "blacklist"), "write module_rule; what is loaded is kernel_module"),
    **dict.fromkeys(("iptables", "ip6tables", "nftables", "firewall", "firewalld"), "write firewall_chain"),
    **dict.fromkeys(("shadow", "etc_shadow"), "write password"),
    **dict.fromkeys(("passwd", "etc_passwd"), "write user"),
    **dict.fromkeys(("etc_group", "groups"), "write group"),
    **dict.fromkeys(("fstab", "etc_fstab"), "write mount, which has config_options"),
    **dict.fromkeys(("etc_hosts", "hosts"), "write host_entry"),
    **dict.fromkeys(("apt", "apt_repository", "repo"), "write apt_source"),
    **dict.fromkeys(("pip", "python"), "write python_package"),
    "npm": "write npm_package",
    **dict.fromkeys(("os", "platform"), "write os_version; which hosts a rule is for says applies_to"),
    **dict.fromkeys(("command", "bash", "http", "addr", "script", "exec"), _NO_CHECKS),
}
"""By the name of a kind that there is not."""

COLUMNS: Mapping[tuple[str, str], str] = {
    **dict.fromkeys((("file", "owner"), ("file", "user")), "write uid, a number"),
    ("file", "group"): "write gid, a number",
    **dict.fromkeys((("file", "filetype"), ("file", "kind")), "write type"),
    **dict.fromkeys((("file", "linked-to"), ("file", "link")), "write target"),
    **{("file", word): _NO_CONTENT for word in ("content", "contents", "contains", "line", "text")},
    ("package", "installed"): "write status: installed",
    ("package", "versions"): "write version",
    **dict.fromkeys((("service", "enabled"), ("service", "enable")), "write unit_file_state: enabled"),
    **{("service", word): "write active_state: active" for word in ("running", "active", "state", "status")},
    **{("user", word): "write directory" for word in ("home", "homedir", "home_dir")},
    **{("sysctl", word): "write current_value, or config_value for what files set" for word in ("value", "values")},
    ("mount", "opts"): "write options",
    ("mount", "source"): "write device",
    **dict.fromkeys((("mount", "filesystem"), ("mount", "fstype")), "write type"),
    ("listen", "ip"): "write address",
    ("listen", "pid"): "write process or unit",
    ("module_rule", "disabled"): "write install: /bin/false, or blacklisted: true",
    ("cron", "schedule"): "write schedules, a list",
    ("password", "status"): "write password_status",
}
"""By kind and column that there is not."""
_PRESENT = frozenset({"exists", "exist", "present", "absent", "listening", "loaded", "running"})


def column(kind: str, word: str) -> str | None:
    """What to write in place of a column that there is not."""
    return COLUMNS.get((kind, word)) or (_PRESENCE if word in _PRESENT else None)


OPERATORS: Mapping[str, str] = {
    **dict.fromkeys(("eq", "equal", "equals", "is", "==", "="), "a value by itself asks for equality"),
    **dict.fromkeys(("ne", "neq", "!=", "not_equal"), "write {not: ...}"),
    **dict.fromkeys(("gte", ">=", "min", "at_least"), "write ge"),
    **dict.fromkeys(("lte", "<=", "max", "at_most"), "write le"),
    **dict.fromkeys((">", "greater_than"), "write gt"),
    **dict.fromkeys(("<", "less_than"), "write lt"),
    **dict.fromkeys(("or", "one_of", "any_in", "oneOf"), "write {in: [...]} or, of conditions, any_of beside columns"),
    **dict.fromkeys(("and", "all"), "several operators in one mapping must all hold"),
    **dict.fromkeys(("nin", "not-in", "notin", "notIn"), "write not_in"),
    **dict.fromkeys(("match", "matches", "match-regexp", "=~", "regexp", "pattern"), "write regex"),
    **dict.fromkeys(("like", "startswith", "endswith", "have-prefix", "have-suffix"), "write glob"),
    **dict.fromkeys(("contain", "include", "includes", "contain-element", "contain-elements"), "write contains"),
    **dict.fromkeys(("consist-of", "contain-elements-exactly"), "a list by itself asks for the same items"),
    **dict.fromkeys(("have-len", "len", "length", "size"), "write count"),
    **dict.fromkeys(("semver-constraint", "version"), "write lt, le, gt or ge"),
    **dict.fromkeys(("empty", "is_empty"), 'write absent: true, or "" or [] for what is there and empty'),
    **dict.fromkeys(("exists", "exist"), "write present: true"),
    **dict.fromkeys(("before", "after", "age"), "write older_than, newer_than or due_within"),
}
"""By an operator that there is not."""

_COLUMNS_GO = "if it is a column, it stands under 'require', such as require: {mode: \"0644\"}"
CONTROL_KEYS: Mapping[str, str] = {
    **dict.fromkeys(
        ("when", "if", "filter", "filters"), "write where for columns, only_if for other facts of the host"
    ),
    **dict.fromkeys(("resource", "resources", "describe", "kind", "type"), "write over"),
    **dict.fromkeys(("path", "name", "names", "keys"), "write key"),
    **dict.fromkeys(("check", "checks", "assert", "expect", "should", "condition", "conditions"), "write require"),
    **dict.fromkeys(("impact", "level", "priority"), "write severity"),
    **dict.fromkeys(("action", "actions"), "write recommendation"),
    **dict.fromkeys(("desc", "description", "rationale", "reason"), "write why"),
    **dict.fromkeys(("remediation", "remedy"), "write fix"),
    **dict.fromkeys(("tag", "tags", "references", "compliance"), "write refs"),
    **dict.fromkeys(("skip", "enabled", "disabled"), "leave the rule out, or take it out with an override of extends"),
    **dict.fromkeys(
        ("mode", "uid", "gid", "owner", "group", "version", "value", "state", "running", "installed", "exists"),
        _COLUMNS_GO,
    ),
}
"""By a key of a control that there is not."""

DRIFT_KEYS: Mapping[str, str] = {
    "over": "a rule is a control (over: KIND) or a drift rule (on: mutation), not both",
    "where": "write match",
}
"""By a key of a drift rule that there is not."""

MATCH_KEYS: Mapping[str, str] = {
    **dict.fromkeys(("file", "path", "name", "resource"), "write key, with kind where it is no path"),
    **dict.fromkeys(("any_of", "or", "any"), "write a list under one key, or two rules"),
    **dict.fromkeys(("all_of", "and"), "everything that is given must fit"),
    **dict.fromkeys(("not", "except", "exclude"), "write unless"),
    **dict.fromkeys(("where", "require"), "write actual for what the host has, expected for what the image has"),
    **dict.fromkeys(("severity", "recommendation", "allow", "applies_to"), "it stands beside match, not in it"),
    "type": "write cause, or kind",
}
"""By a key of a match that there is not."""

POLICY_KEYS: Mapping[str, str] = {
    **dict.fromkeys(
        ("apiVersion", "kind", "metadata", "spec"),
        "a policy begins with policy, version, title and rules",
    ),
    **dict.fromkeys(("checks", "controls", "policies"), "write rules"),
    **dict.fromkeys(("name", "id"), "write policy"),
    **dict.fromkeys(("hosts", "targets", "only_if", "when"), "write applies_to"),
    **dict.fromkeys(("include", "includes", "depends", "gossfile"), "write extends"),
    **dict.fromkeys(("vars", "variables", "inputs"), "write parameters"),
    **dict.fromkeys(
        ("file", "package", "port", "service", "user", "group", "process", "command", "mount", "interface", "dns"),
        "what is asked of it is a rule: see `A policy file`",
    ),
}
"""By a key of a policy file that there is not."""

_NO_GLOB = (
    (
        re.compile(r"(?<!\\)(?:\\\\)*\\[^\\x]|\|/|\(\?"),
        "keys are globs, not expressions: `*`, `?`, or a list of them",
    ),
    (re.compile(r"\{[^{}]*,[^{}]*\}"), "globs have no {a,b}: write a list of keys"),
    (
        re.compile(r"\A~[^/]*/|(?:\A|/)\$[A-Z_]+(?:/|\Z)"),
        "nothing is filled in: write /root, /home/*, or the path itself",
    ),
)
_MEANT: tuple[Callable[[str], str], ...] = (
    str.lower,
    lambda key: key.replace("-", "_"),
    lambda key: key.rstrip("/"),
    normpath,
    lambda key: f"/{key}",
    lambda key: f"{key}/*",
    lambda key: key.replace("/", "."),
    lambda key: key.replace(":", "/", 1),
)


def impossible(kind: Kind, key: str) -> str:
    """Why no resource of the kind can have a key that the rule's key, which may be a glob, fits; empty: one can."""
    for pattern, what in _NO_GLOB:
        if pattern.search(key):
            return what
    shape = re.compile(kind.shape, re.DOTALL)
    if not kind.shape or (not is_literal(key) and (not kind.shape.startswith("/") or key[0] in "/*?")):
        return ""
    if is_literal(key) and shape.fullmatch(key):
        return ""
    meant = next((found for mend in _MEANT if shape.fullmatch(found := mend(key))), "")
    said = kind.key.partition(";")[0].partition(", such as")[0]
    hint = f"; did you mean '{meant}'?" if meant else ""
    return f"no {kind.name} can have the key {quoted(key)} (keys: {said}){hint}"
