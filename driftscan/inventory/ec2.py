"""EC2 instances: `ec2:?region=eu-west-1,eu-central-1&profile=audit&tag:Role=web`.

The query is that of a URL (RFC 3986, 3.4): `+` and `%20` are spaces. Of each key several values, by commas or by
repeating the key, mean any of them; tag values may hold EC2's wildcards `*` and `?`.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl

from driftscan import aws
from driftscan.errors import UsageError
from driftscan.inventory._base import InventorySource
from driftscan.model.host import Host
from driftscan.schema_check import did_you_mean, quoted

PAGE = 500
"""Instances that are asked for at once; EC2 advises against asking for all."""
_KEYS = ("region", "profile", "state", "address", "tag:NAME")
_STATES = ("pending", "running", "stopping", "stopped", "shutting-down", "terminated")
_GONE = ("shutting-down", "terminated")
_ADDRESSES = ("private", "public")
_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9_.-]+")
_HINT = "Write ec2:?region=eu-west-1&tag:Role=web; the keys are region, profile, state, address, tag:NAME."


@dataclass(frozen=True, slots=True)
class Query:
    """What to ask. No region, no profile: as the environment says."""

    regions: tuple[str, ...] = ("",)
    profile: str = ""
    states: tuple[str, ...] = ("running",)
    address: str = "private"
    tags: tuple[tuple[str, tuple[str, ...]], ...] = ()


def accepts(spec: str) -> bool:
    """`ec2:` and `ec2:?...`."""
    return spec.startswith("ec2:")


def load(spec: str) -> tuple[Host, ...]:
    """The instances that match, by name. Those that are shutting down or terminated (EC2 shows them for about an
    hour) are `gone`. UsageError if nothing matches: a scan of no host would pass for a clean one."""
    query = parse_query(spec)
    found = [(region, instance) for region in query.regions for instance in _instances(query, region)]
    if not found:
        raise UsageError(f"{quoted(spec)}: no instance matches", "Check the region, the tags and the state.")
    names = Counter(_name(instance) for _, instance in found)
    hosts = (_host(query, region, instance, names) for region, instance in found)
    return tuple(sorted(hosts, key=lambda host: (host.name, host.labels["instance_id"])))


def parse_query(spec: str) -> Query:
    """Read the text after `-i`. UsageError for a key or value that is not known."""
    given: dict[str, list[str]] = {}
    text = spec.partition(":")[2].removeprefix("?")
    try:
        pairs = parse_qsl(text, keep_blank_values=True, strict_parsing=bool(text), max_num_fields=100)
    except ValueError as error:
        raise UsageError(f"{quoted(spec)}: not a query: {error}", _HINT) from None
    for key, value in pairs:
        if key not in _KEYS[:-1] and not (key.startswith("tag:") and len(key) > len("tag:")):
            raise UsageError(f"{quoted(spec)}: unknown key {quoted(key)}{did_you_mean(key, _KEYS)}", _HINT)
        given.setdefault(key, []).extend(value.split(","))
    if empty := next((key for key, values in given.items() if not key.startswith("tag:") and "" in values), None):
        raise UsageError(f"{quoted(spec)}: {quoted(empty)} has no value", _HINT)
    return Query(
        regions=tuple(dict.fromkeys(given.get("region", [""]))),
        profile=_one(spec, given, "profile", ""),
        states=_known(spec, given.get("state", ["running"]), _STATES),
        address=_known(spec, [_one(spec, given, "address", "private")], _ADDRESSES)[0],
        tags=tuple((key, tuple(values)) for key, values in given.items() if key.startswith("tag:")),
    )


def _one(spec: str, given: Mapping[str, list[str]], key: str, default: str) -> str:
    values = given.get(key, [default])
    if len(values) > 1:
        raise UsageError(f"{quoted(spec)}: {quoted(key)} takes one value", _HINT)
    return values[0]


def _known(spec: str, values: list[str], known: tuple[str, ...]) -> tuple[str, ...]:
    for value in values:
        if value not in known:
            raise UsageError(f"{quoted(spec)}: {quoted(value)} is not known{did_you_mean(value, known)}", _HINT)
    return tuple(values)


def _instances(query: Query, region: str) -> Iterator[Mapping[str, Any]]:
    client = aws.client("ec2", region, query.profile)
    states = tuple(dict.fromkeys((*query.states, *_GONE)))
    filters = [{"Name": "instance-state-name", "Values": list(states)}]
    filters += [{"Name": key, "Values": list(values)} for key, values in query.tags]
    pages = {"PageSize": PAGE}
    for reservation in aws.paginate(
        client, "describe_instances", "Reservations", Filters=filters, PaginationConfig=pages
    ):
        yield from reservation.get("Instances", ())


def _host(query: Query, region: str, instance: Mapping[str, Any], names: Counter[str]) -> Host:
    labels = _labels(instance)
    name = _name(instance)
    # Members of a group share their Name tag sooner or later; a name must not change when the next one starts.
    if name != labels["instance_id"] and (names[name] > 1 or "asg" in labels):
        name = f"{name}-{labels['instance_id']}"
    return Host(
        name=name,
        address=_address(query, instance),
        labels=labels,
        origin=f"ec2:{region or labels.get('az', '')}",
        gone=instance["State"]["Name"] in _GONE,
    )


def _tags(instance: Mapping[str, Any]) -> dict[str, str]:
    return {tag["Key"]: tag.get("Value", "") for tag in instance.get("Tags", ())}


def _name(instance: Mapping[str, Any]) -> str:
    """The Name tag in characters that a host's name may have, else the instance id."""
    name = _NOT_IN_NAMES.sub("-", _tags(instance).get("Name", "")).strip("-.")
    return name or str(instance["InstanceId"])


def _address(query: Query, instance: Mapping[str, Any]) -> str:
    """An instance without the wanted address gets its id: a name that does not resolve, and says whose it is."""
    if query.address == "public":
        found = instance.get("PublicIpAddress") or instance.get("PublicDnsName")
    else:
        found = instance.get("PrivateIpAddress") or instance.get("Ipv6Address")
    return str(found or instance["InstanceId"])


def _labels(instance: Mapping[str, Any]) -> dict[str, str]:
    tags = _tags(instance)
    known = {
        "asg": tags.get("aws:autoscaling:groupName"),
        "az": instance.get("Placement", {}).get("AvailabilityZone"),
        "image_id": instance.get("ImageId"),
        "instance_id": instance["InstanceId"],
        "kubernetes_node": _kubernetes_node(instance, tags),
        "launch_time": _time(instance.get("LaunchTime")),
    }
    labels = {name: str(value) for name, value in known.items() if value}
    return dict(sorted((labels | {f"tag:{key}": value for key, value in tags.items()}).items()))


def _kubernetes_node(instance: Mapping[str, Any], tags: Mapping[str, str]) -> str | None:
    """EKS names a node after the private DNS name of its instance, and tags the instance with its cluster."""
    in_cluster = "eks:cluster-name" in tags or any(key.startswith("kubernetes.io/cluster/") for key in tags)
    return instance.get("PrivateDnsName") if in_cluster else None


def _time(value: datetime | None) -> str | None:
    return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if value else None


source = InventorySource(name="ec2", accepts=accepts, load=load)
