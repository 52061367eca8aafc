"""The command that would replace one host, for the systems that can: printed, never run."""

import re
import shlex
from collections.abc import Mapping

_INSTANCE = re.compile(r"i-[0-9a-f]{8,17}")
_REGION = re.compile(r"[a-z]{2,4}(-[a-z]+)+-[0-9]{1,2}")
_NODE = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")


def command(labels: Mapping[str, str], *, keep: bool = False) -> str:
    """From the labels `asg` and `instance_id`, `terraform_address`, or `kubernetes_node`; empty if there are none,
    or if they are not such names at all. Everything is quoted for a POSIX shell.

    `keep`: the host itself is evidence, so it is taken out of service and not destroyed. Terraform cannot do that.

    An Auto Scaling group launches the replacement itself when its desired capacity stays as it is
    (TerminateInstanceInAutoScalingGroup and DetachInstances, Amazon EC2 Auto Scaling API reference).
    """
    group, instance = labels.get("asg", ""), labels.get("instance_id", "")
    address, node = labels.get("terraform_address", ""), labels.get("kubernetes_node", "")
    if group and group.isprintable() and _INSTANCE.fullmatch(instance):
        return _auto_scaling(group, instance, labels.get("region", ""), keep)
    if address and address.isprintable():
        return "" if keep else f"terraform apply -replace={shlex.quote(address)}"
    if _NODE.fullmatch(node):
        drain = f"kubectl drain {node} --ignore-daemonsets --delete-emptydir-data && kubectl delete node {node}"
        return f"kubectl cordon {node}" + ("" if keep else f" && {drain}")
    return ""


def _auto_scaling(group: str, instance: str, region: str, keep: bool) -> str:
    what = f"terminate-instance-in-auto-scaling-group --instance-id {instance}"
    if keep:
        what = f"detach-instances --auto-scaling-group-name {shlex.quote(group)} --instance-ids {instance}"
    where = f" --region {region}" if _REGION.fullmatch(region) else ""
    return f"aws autoscaling {what} --no-should-decrement-desired-capacity{where}"
