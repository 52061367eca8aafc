"""Kinds of which each resource names the file that it stands in."""

from driftscan.compare.evidence import Evidence
from driftscan.model.drift import Change, Difference

KINDS = (
    *("setting", "pam_rule", "audit_rule", "module_rule", "banner", "boot_loader", "apt_source", "apparmor_profile"),
    *("shell_setting", "login_shell", "nftables_chain"),
)


def written_in(item: Difference, evidence: Evidence) -> str:
    """The file that such a thing stands in; of what is gone, the one it stood in. Empty: it is not known."""
    delta = item.attributes.get("file")
    if delta is not None:
        found = delta.expected if item.change is Change.REMOVED else delta.actual
    else:
        resource = evidence.resources.get(item.kind, item.key)
        found = resource.attributes.get("file") if resource else None
    return found if isinstance(found, str) else ""
