"""Plain lists, addresses, selection, and the sample inventories."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftscan import inventory
from driftscan.errors import UsageError
from driftscan.inventory import Address, ec2, parse_address, select
from driftscan.model.host import Host

SAMPLES = Path(__file__).parents[2] / "sample_inventories"


def test_a_list(tmp_path: Path) -> None:
    path = tmp_path / "hosts"
    path.write_bytes(
        b"\xef\xbb\xbf# fleet\r\nweb-1\r\n\n  admin@web-2:2222 # canary\n[2001:db8::1]\nfe@[fe80::1%eth0]:22"
    )
    hosts = inventory.load(str(path))
    assert [(h.name, h.address, h.options.user, h.options.port, h.origin) for h in hosts] == [
        ("web-1", "web-1", "", 22, f"{path}:2"),
        ("web-2:2222", "web-2", "admin", 2222, f"{path}:4"),
        ("2001:db8::1", "2001:db8::1", "", 22, f"{path}:5"),
        ("[fe80::1%eth0]:22", "fe80::1%eth0", "fe", 22, f"{path}:6"),
    ]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"web 1\n", "hosts:1: 'web 1': not a host name or address"),
        (b"a\n\n-oProxyCommand=x\n", "hosts:3: '-oProxyCommand=x': not a host name or address"),
        (b"-x@a\n", "hosts:1: '-x@a': the user before '@' is not a user name"),
        (b"2001:db8::1\n", "hosts:1: '2001:db8::1': write an IPv6 address in brackets"),
        (b"[a]\n", "hosts:1: '[a]': the text in brackets is not an IPv6 address"),
        (b"[::1\n", "hosts:1: '[::1': the text in brackets is not an IPv6 address"),
        (b"[::1]x\n", "hosts:1: '[::1]x': the port after ':' is not a number from 1 to 65535"),
        (b"a:0\n", "hosts:1: 'a:0': the port"),
        (b"a:65536\n", "hosts:1: 'a:65536': the port"),
        (b"a:" + b"9" * 5000 + b"\n", "hosts:1: 'a:999"),
        (b"a\nb\na # again\n", "hosts:3: 'a' stands twice; first at "),
        (b"x@a\ny@a\n", "hosts:2: 'a' stands twice; first at "),
        (b"# none\n", "hosts: the list names no host"),
        (b"caf\xe9\n", "hosts:1: not UTF-8"),
        (b"ok\n\x1b[31m\n", "hosts:2: '\\x1b[31m': not a host name"),
        (b"[web]\nhost ansible_user=x\n", "hosts:1: '[web]': the text in brackets"),
    ],
)
def test_mistakes_in_a_list(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "hosts").write_bytes(content)
    with pytest.raises(UsageError) as caught:
        inventory.load(str(tmp_path / "hosts"))
    assert message in caught.value.message


def test_no_such_list_and_a_directory(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read: No such file"):
        inventory.load(str(tmp_path / "hosts"))
    with pytest.raises(UsageError, match="cannot be read: Is a directory"):
        inventory.load(str(tmp_path))


@given(st.text(max_size=60))
def test_any_text_is_an_address_or_refused(text: str) -> None:
    try:
        address = parse_address(text)
    except ValueError:
        return
    assert not address.host.startswith("-")
    assert not address.user.startswith("-")
    assert 0 <= address.port < 65536
    assert address.host in text


@given(st.sampled_from(["web-1", "10.0.0.1", "2001:db8::1", "fe80::1%eth0"]), st.sampled_from(["", "me", "a@b.c"]))
def test_addresses_round_trip(host: str, user: str) -> None:
    shown = f"[{host}]" if ":" in host else host
    for port in (0, 1, 65535):
        text = (f"{user}@" if user else "") + shown + (f":{port}" if port else "")
        assert parse_address(text) == Address(host, user, port)


def fleet() -> tuple[Host, ...]:
    def host(name: str, groups: tuple[str, ...], gone: bool = False, **labels: str) -> Host:
        return Host(name=name, address=name, groups=groups, gone=gone, labels=labels)

    return (
        host("web-1", ("web",), env="prod", az="a"),
        host("web-2", ("web", "edge"), env="canary", az="b"),
        host("db-1", ("db",), env="prod"),
        host("old", ("db",), gone=True, env="prod", instance_id="i-0old"),
    )


@pytest.mark.parametrize(
    ("targets", "limit", "names"),
    [
        ((), (), "web-1 web-2 db-1"),
        (("web-1",), "", "web-1"),
        (("db-1", "web-1"), (), "web-1 db-1"),
        (("web",), (), "web-1 web-2"),
        (("web-*",), (), "web-1 web-2"),
        (("e*e",), (), "web-2"),
        (("web,db-1",), (), "web-1 web-2 db-1"),
        (("web,!edge",), (), "web-1"),
        (("!edge",), (), "web-1 db-1"),
        ((), "env=prod", "web-1 db-1"),
        ((), "env=c*,db", "web-2 db-1"),
        ((), ("env=prod", "!az=a"), "db-1"),
        (("web",), "env=prod", "web-1"),
        (("old",), (), "old"),
        (("i-0old",), (), "old"),
        (("db",), "old", "old"),
        (("env=prod",), (), "web-1 db-1"),
        ((" web-1 , db-1 ",), (), "web-1 db-1"),
        (("web-[1]",), (), "web-1"),
    ],
)
def test_selection(targets: tuple[str, ...], limit: str | tuple[str, ...], names: str) -> None:
    assert [host.name for host in select(fleet(), targets, limit)] == names.split()


@pytest.mark.parametrize(
    ("targets", "limit", "message"),
    [
        (("wbe-1",), (), "'wbe-1' is no host or group of the inventory; did you mean 'web-1'?"),
        (("web-1,dbb",), (), "'dbb' is no host or group of the inventory; did you mean 'db'?"),
        (("x*",), (), "'x*' matches no host or group; one of: db, db-1, edge, old, web, web-1, web-2"),
        ((), "!wbe", "'wbe' is no host or group of the inventory; did you mean 'web'?"),
        ((), "env=prd", "no host has 'prd' as its label 'env'; did you mean 'prod'?"),
        ((), "evn=prod", "no host has a label 'evn'; did you mean 'env'?"),
        (("web",), "db", "--limit 'db' leaves no host"),
        (("db", "!db-1"), "!db-1,!web", "--limit '!db-1,!web' leaves no host"),
    ],
)
def test_selections_that_mean_no_host(targets: tuple[str, ...], limit: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        select(fleet(), targets, limit)
    assert message in caught.value.message


def test_every_sample_loads() -> None:
    names = sorted(path.name for path in SAMPLES.iterdir())
    assert names == ["aws-ec2.txt", "fleet.yaml", "hosts.txt", "single-host.yaml"]
    for name in names:
        if name != "aws-ec2.txt":
            assert inventory.load(str(SAMPLES / name)), name


def test_the_ec2_samples_are_queries() -> None:
    lines = (SAMPLES / "aws-ec2.txt").read_text().splitlines()
    specs = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
    assert len(specs) >= 3
    for spec in specs:
        assert ec2.accepts(spec)
        ec2.parse_query(spec)


def test_the_sample_fleet() -> None:
    hosts = {host.name: host for host in inventory.load(str(SAMPLES / "fleet.yaml"))}
    assert hosts["db-1"].groups == ("database", "private")
    assert hosts["db-1"].options.jump == "scanner@bastion.example.org:22"
    assert hosts["web-canary"].labels["env"] == "canary"
    assert hosts["cache-1"].address == "cache-1"
    assert hosts["cache-1"].manifest == os.path.join(SAMPLES, "manifests/")
