"""EC2 as an inventory, asked over HTTP of moto's server."""

from collections.abc import Iterator
from typing import Any

import boto3
import pytest

from driftscan import aws, inventory
from driftscan.errors import UsageError
from driftscan.inventory import ec2
from tests import awsserver

AMI = "ami-12c6146b"  # one of moto's


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with awsserver.running() as url:
        yield url


@pytest.fixture
def endpoint(server: str) -> str:
    awsserver.reset(server)
    return server


def launch(endpoint: str, region: str, tags: dict[str, str] | None = None, count: int = 1) -> list[str]:
    client: Any = boto3.client("ec2", region_name=region, endpoint_url=endpoint)
    specification = [{"ResourceType": "instance", "Tags": [{"Key": k, "Value": v} for k, v in (tags or {}).items()]}]
    made = client.run_instances(
        ImageId=AMI, MinCount=count, MaxCount=count, TagSpecifications=specification if tags else []
    )
    return [instance["InstanceId"] for instance in made["Instances"]]


def terminate(endpoint: str, region: str, *ids: str) -> None:
    client: Any = boto3.client("ec2", region_name=region, endpoint_url=endpoint)
    client.terminate_instances(InstanceIds=list(ids))


def test_labels_names_and_regions(endpoint: str) -> None:
    (web,) = launch(endpoint, "eu-west-1", {"Name": "web", "Role": "web", "Empty": ""})
    (bare,) = launch(endpoint, "eu-central-1", {"Role": "web"})
    launch(endpoint, "us-east-1", {"Role": "web"})
    launch(endpoint, "eu-west-1", {"Name": "db", "Role": "db"})
    hosts = {host.name: host for host in inventory.load("ec2:?region=eu-west-1,eu-central-1&tag:Role=web")}
    assert set(hosts) == {"web", bare}
    labels = hosts["web"].labels
    assert labels["instance_id"] == web
    assert labels["image_id"] == AMI
    assert labels["az"].startswith("eu-west-1")
    assert len(labels["launch_time"]) == len("2026-11-20T10:00:00Z")
    assert (labels["tag:Role"], labels["tag:Empty"]) == ("web", "")
    assert "asg" not in labels
    assert "kubernetes_node" not in labels
    assert hosts["web"].address.startswith("10.")
    assert hosts["web"].origin == "ec2:eu-west-1"
    assert hosts[bare].labels["az"].startswith("eu-central-1")


def test_public_address(endpoint: str) -> None:
    launch(endpoint, "eu-west-1", {"Name": "web"})
    (private,) = inventory.load("ec2:")
    (public,) = inventory.load("ec2:?address=public")
    assert public.address != private.address
    assert not public.address.startswith("10.")


def test_names_that_several_share_carry_the_instance_id(endpoint: str) -> None:
    ids = launch(endpoint, "eu-west-1", {"Name": "web"}, count=2)
    assert [host.name for host in inventory.load("ec2:")] == sorted(f"web-{one}" for one in ids)


def test_members_of_a_group_carry_the_instance_id_from_the_start(endpoint: str) -> None:
    (one,) = launch(endpoint, "eu-west-1", {"Name": "web prod!", "aws:autoscaling:groupName": "web-asg"})
    (host,) = inventory.load("ec2:")
    assert host.name == f"web-prod-{one}"
    assert host.labels["asg"] == "web-asg"


def test_nodes_of_a_cluster(endpoint: str) -> None:
    launch(endpoint, "eu-west-1", {"kubernetes.io/cluster/main": "owned"})
    (host,) = inventory.load("ec2:")
    assert host.labels["kubernetes_node"].startswith("ip-10-")


def test_gone_instances_only_when_named(endpoint: str) -> None:
    (old,) = launch(endpoint, "eu-west-1", {"Name": "old"})
    launch(endpoint, "eu-west-1", {"Name": "new"})
    terminate(endpoint, "eu-west-1", old)
    hosts = inventory.load("ec2:")
    assert {host.name: host.gone for host in hosts} == {"new": False, "old": True}
    assert [host.name for host in inventory.select(hosts)] == ["new"]
    assert [host.name for host in inventory.select(hosts, ["*"])] == ["new"]
    assert [host.name for host in inventory.select(hosts, ["old"])] == ["old"]
    assert [host.name for host in inventory.select(hosts, [old])] == ["old"]


def test_all_gone(endpoint: str) -> None:
    terminate(endpoint, "eu-west-1", *launch(endpoint, "eu-west-1", {"Name": "old"}))
    with pytest.raises(UsageError, match="every host meant is gone"):
        inventory.select(inventory.load("ec2:"))


def test_more_than_one_page(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(7):
        launch(endpoint, "eu-west-1")
    monkeypatch.setattr(ec2, "PAGE", 5)  # the least that EC2 takes
    client: Any = boto3.client("ec2", endpoint_url=endpoint)
    assert "NextToken" in client.describe_instances(MaxResults=5)
    assert len(inventory.load("ec2:")) == 7


def test_no_instance_matches(endpoint: str) -> None:
    with pytest.raises(UsageError, match="no instance matches"):
        inventory.load("ec2:?tag:Role=nothing")


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("ec2:?regoin=eu-west-1", "unknown key 'regoin'; did you mean 'region'?"),
        ("ec2:?region=", "'region' has no value"),
        ("ec2:?region", "not a query"),
        ("ec2:?state=runing", "'runing' is not known; did you mean 'running'?"),
        ("ec2:?address=both", "'address'|'both' is not known; one of: private, public"),
        ("ec2:?profile=a,b", "'profile' takes one value"),
        ("ec2:?tag:=x", "unknown key 'tag:'"),
    ],
)
def test_queries_that_are_wrong(spec: str, message: str) -> None:
    with pytest.raises(UsageError, match=message.replace("?", r"\?") if "|" not in message else message):
        ec2.parse_query(spec)


def test_queries() -> None:
    query = ec2.parse_query("ec2:?region=a,b&region=c&tag:Name=web%20one,web*&tag:Env=&state=running,stopped&profile=p")
    assert query.regions == ("a", "b", "c")
    assert query.tags == (("tag:Name", ("web one", "web*")), ("tag:Env", ("",)))
    assert query.states == ("running", "stopped")
    assert query.profile == "p"


def test_no_region(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    monkeypatch.delenv("AWS_REGION", raising=False)
    with pytest.raises(UsageError, match="no AWS region for ec2") as caught:
        inventory.load("ec2:")
    assert "region=" in caught.value.hint


def test_no_credentials(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(UsageError, match="no AWS credentials for ec2"):
        inventory.load("ec2:")


def test_no_such_profile(endpoint: str) -> None:
    with pytest.raises(UsageError, match=r"AWS configuration: .*audit"):
        inventory.load("ec2:?profile=audit")


def test_nobody_answers(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DRIFTSCAN_AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setattr(aws.client, "__defaults__", ("", "", aws.Patience(attempts=1)))
    with pytest.raises(UsageError, match="AWS ec2 cannot be asked"):
        inventory.load("ec2:")


@pytest.mark.parametrize(
    ("code", "message", "hint"),
    [
        ("UnauthorizedOperation", "AWS denies ec2:DescribeInstances", "Allow ec2:DescribeInstances"),
        ("AuthFailure", "does not accept the credentials (AuthFailure)", "Log in"),
        ("RequestLimitExceeded", "AWS throttles ec2:DescribeInstances", "Try again later"),
        ("InvalidParameterValue", "AWS refuses ec2:DescribeInstances: InvalidParameterValue", "Check the names"),
    ],
)
def test_refusals(code: str, message: str, hint: str) -> None:
    from botocore.exceptions import ClientError  # noqa: PLC0415

    with pytest.raises(UsageError) as caught, aws.explained("ec2"):
        raise ClientError({"Error": {"Code": code, "Message": "no \x1b[31m"}}, "DescribeInstances")
    assert message in caught.value.message
    assert "\x1b" not in caught.value.message
    assert caught.value.hint.startswith(hint)
