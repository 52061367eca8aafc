"""The command that would replace one host, for the systems that can: printed, never run."""

import re
import shlex
from collections.abc import Mapping

_INSTANCE = re.compile(r"i-[0-9a-f]{8,17}")
_NODE = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")


def command(labels: Mapping[str, str]) -> str:
    """From the labels `asg` and `instance_id`, `terraform_address`, or `kubernetes_node`; empty if there are none,
    or if they are not such names at all. Everything is quoted for a POSIX shell.

    An Auto Scaling group launches the replacement itself when its desired capacity stays as it is
    (TerminateInstanceInAutoScalingGroup, Amazon EC2 Auto Scaling API reference).
    """
    instance, address, node = (labels.get(name, "") for name in ("instance_id", "terraform_address", "kubernetes_node"))
    if labels.get("asg") and _INSTANCE.fullmatch(instance):
        region = labels.get("region", "")
        return (
            f"aws autoscaling terminate-instance-in-auto-scaling-group --instance-id {shlex.quote(instance)}"
            " --no-should-decrement-desired-capacity" + (f" --region {shlex.quote(region)}" if region else "")
        )
    if address and address.isprintable():
        return f"terraform apply -replace={shlex.quote(address)}"
    if _NODE.fullmatch(node):
        name = shlex.quote(node)
        return (
            f"kubectl cordon {name} && kubectl drain {name} --ignore-daemonsets --delete-emptydir-data"
            f" && kubectl delete node {name}"
        )
    return ""
