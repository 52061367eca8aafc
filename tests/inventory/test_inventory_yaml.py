"""The YAML inventory: how layers merge, and every way in which it can be wrong."""

import os
import textwrap
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftscan import inventory
from driftscan.errors import UsageError
from driftscan.model.host import ConnectOptions, Host

CONTRACT = """\
    # every key under defaults may also stand in a group or a host, the nearest wins
    defaults: {user: root, port: 22, identity: ~/.ssh/id_ed25519, known_hosts: ~/.ssh/known_hosts, sudo: auto,
               manifest: manifests/}
    groups:
      web:
        manifest: manifests/web-2026.11.20.manifest
        labels: {role: web, env: prod}
        hosts: [web-1, web-2]
    hosts:
      web-1: {address: 10.0.0.11}
      web-2: {address: 10.0.0.12, labels: {az: b}}
    """


def load(tmp_path: Path, text: str) -> dict[str, Host]:
    path = tmp_path / "fleet.yaml"
    path.write_text(textwrap.dedent(text))
    return {host.name: host for host in inventory.load(str(path))}


def problems(tmp_path: Path, text: str) -> list[str]:
    with pytest.raises(UsageError) as caught:
        load(tmp_path, text)
    return caught.value.message.replace(f"{tmp_path}/", "").split("\n")


def test_the_contracts_example(tmp_path: Path) -> None:
    hosts = load(tmp_path, CONTRACT)
    home = os.path.expanduser("~")
    assert list(hosts) == ["web-1", "web-2"]
    assert hosts["web-2"] == Host(
        name="web-2",
        address="10.0.0.12",
        options=ConnectOptions(
            user="root", identity=(f"{home}/.ssh/id_ed25519",), known_hosts=(f"{home}/.ssh/known_hosts",)
        ),
        manifest=f"{tmp_path}/manifests/web-2026.11.20.manifest",
        labels={"az": "b", "env": "prod", "role": "web"},
        groups=("web",),
        origin=f"{tmp_path}/fleet.yaml:11",
    )


def test_every_option(tmp_path: Path) -> None:
    (host,) = load(
        tmp_path,
        """\
        hosts:
          h:
            address: "2001:db8::1"
            user: 'CORP\\scanner'
            port: 2222
            identity: [a, /b]
            known_hosts: ../kh
            ssh_config: ssh_config
            jump: me@bastion:2200
            sudo: never
            timeout: 60
            connect_timeout: 5
            accept_new_host_keys: true
            manifest: s3://bucket/manifests
            policy: [immutable-core, policies/own.yaml, ./extra]
            labels: {env: prod}
        """,
    ).values()
    assert host.options == ConnectOptions(
        user="CORP\\scanner",
        port=2222,
        identity=(f"{tmp_path}/a", "/b"),
        known_hosts=(f"{tmp_path.parent}/kh",),
        ssh_config=f"{tmp_path}/ssh_config",
        jump="me@bastion:2200",
        sudo="never",
        timeout=60,
        connect_timeout=5,
        accept_new_host_keys=True,
    )
    assert host.manifest == "s3://bucket/manifests"
    assert host.policy == ("immutable-core", f"{tmp_path}/policies/own.yaml", f"{tmp_path}/extra")


def test_nearest_wins_and_false_is_a_value(tmp_path: Path) -> None:
    hosts = load(
        tmp_path,
        """\
        defaults: {port: 1, user: d, accept_new_host_keys: true, identity: [x, y]}
        groups: {g: {port: 2, hosts: [a, b], accept_new_host_keys: false}}
        hosts: {a: {port: 3, identity: z}, c: }
        """,
    )
    assert [hosts[name].options.port for name in "acb"] == [3, 1, 2]
    assert [hosts[name].options.accept_new_host_keys for name in "abc"] == [False, False, True]
    assert hosts["a"].options.identity == (f"{tmp_path}/z",)
    assert hosts["b"].address == "b"
    assert hosts["b"].origin.endswith("fleet.yaml:2")


def test_a_registry_keeps_its_slash(tmp_path: Path) -> None:
    (host,) = load(tmp_path, "hosts: {a: {manifest: ./x/../manifests/}}").values()
    assert host.manifest == f"{tmp_path}/manifests/"


def test_groups_that_agree_and_hosts_that_settle(tmp_path: Path) -> None:
    text = """\
        groups:
          one: {port: 22, user: a, labels: {env: x}, hosts: [h]}
          two: {port: 22, user: b, labels: {env: y}, hosts: [h]}
        hosts: {h: {user: c, labels: {env: z}}}
        """
    host = load(tmp_path, text)["h"]
    assert (host.options.port, host.options.user, host.labels, host.groups) == (22, "c", {"env": "z"}, ("one", "two"))


@pytest.mark.parametrize(
    ("one", "two", "what"),
    [
        ("port: 22", "port: 23", "'port'"),
        ("labels: {env: x}", "labels: {env: y}", "the label 'env'"),
        ("identity: [a]", "identity: [a, b]", "'identity'"),
    ],
)
def test_groups_that_disagree(tmp_path: Path, one: str, two: str, what: str) -> None:
    text = f"groups:\n  one:\n    {one}\n    hosts: [h]\n  two:\n    {two}\n    hosts: [h]\n"
    (line,) = problems(tmp_path, text)
    assert line.startswith("fleet.yaml:6:")
    assert "the groups 'one' (fleet.yaml:3:" in line
    assert line.endswith(f"and 'two' disagree about {what} of the host 'h'")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("host: {}", "1:1: unknown key 'host' in inventory; did you mean 'hosts'?"),
        ("hosts: {a: {adress: x}}", "1:13: unknown key 'adress' in host; did you mean 'address'?"),
        ("hosts: {a: {known-hosts: x}}", "1:13: unknown key 'known-hosts' in host; did you mean 'known_hosts'?"),
        ("defaults: {usr: x}", "1:12: unknown key 'usr' in defaults; did you mean 'user'?"),
        ("groups: {g: {host: [a]}}", "1:14: unknown key 'host' in group; did you mean 'hosts'?"),
        ("hosts: {a: {port: 0}}", "1:19: 0 is out of range: expected at least 1"),
        ("hosts: {a: {port: '22'}}", "1:19: expected a whole number, found the text '22'"),
        (
            "all: {hosts: {a: {}}}",
            "1:1: unknown key 'all' in inventory: an inventory of Ansible is another file: write hosts and groups",
        ),
        ("hosts: {a: {ansible_host: x}}", "1:13: unknown key 'ansible_host' in host: write address"),
        (
            "groups: {g: {children: {b: {}}}}",
            "1:14: unknown key 'children' in group: name the hosts of those groups here, too",
        ),
        ("hosts: {a: {sudo: alwys}}", "1:19: 'alwys' is not known here; did you mean 'always'?"),
        ("hosts: {a: {sudo: true}}", "1:19: expected one of auto, always, never, found true"),
        ("hosts: {a: {user: 1000}}", "1:19: expected a user name, found a number: put it in quotes"),
        ("hosts: {a: {user: -oProxyCommand=x}}", "1:19: '-oProxyCommand=x': expected a user name"),
        ("hosts: {a: {address: -x}}", "1:22: '-x': expected a host name or address: letters, digits and . _ - : %"),
        (
            'hosts: {a: {address: "x\\n"}}',
            "1:22: 'x\\x0a': expected a host name or address: letters, digits and . _ - : %",
        ),
        ("hosts: {a: {timeout: 5m}}", "1:22: expected a whole number of seconds, found the text '5m'"),
        ("hosts: {a: {identity: {}}}", "1:23: expected a path or a list of paths, found a mapping (key: value)"),
        ("hosts: {a: {identity: []}}", "1:23: must not be empty"),
        ("hosts: {a: {labels: {v: 1.10}}}", "1:25: expected text, found a number: put it in quotes"),
        ("hosts: {a: {labels: {a=b: x}}}", "1:22: 'a=b' cannot be a key here: expected a label: no spaces and none of"),
        ("hosts: {a b: }", "1:9: 'a b' cannot be a key here: expected a host name"),
        ("hosts: [a]", "1:8: expected a mapping (host: ...), found a list"),
        ("groups: {g: {hosts: a}}", "1:21: expected a list, found the text 'a': write [a]"),
        ("groups: {g: {hosts: [a, a]}}", "1:25: 'a' stands twice in this list"),
        ("hosts: {a: {jump: 'x y'}}", "1:19: 'x y': not a host name or address"),
        ("defaults: {jump: 'b:99999'}\nhosts: {a: }", "1:18: 'b:99999': the port after ':' is not a number"),
        ("hosts: {local: }", "1:9: a host cannot be called 'local': that is the word for this machine"),
        ("groups: {a: {hosts: [b]}}\nhosts: {a: }", "2:9: a host cannot be called 'a': that is a group's name"),
        ("defaults: {user: x}", "1:1: the inventory names no host"),
        ("# nothing", "1:1: the file is empty"),
        ("- a", "1:1: expected a mapping (key: value), found a list"),
    ],
)
def test_mistakes(tmp_path: Path, text: str, expected: str) -> None:
    (line,) = problems(tmp_path, text)
    assert line.startswith(f"fleet.yaml:{expected}")


def test_two_inventories(tmp_path: Path) -> None:
    (tmp_path / "one.yaml").write_text("hosts: {a: }")
    (tmp_path / "two.yml").write_text("hosts: {b: }")
    (tmp_path / "three.txt").write_text("c\n\na\n")
    one, two, three = (str(tmp_path / name) for name in ("one.yaml", "two.yml", "three.txt"))
    assert [host.name for host in inventory.load_all([two, one])] == ["b", "a"]
    with pytest.raises(UsageError, match=r"three\.txt:3: the host 'a' is also in .*one\.yaml:1"):
        inventory.load_all([one, three])


def test_what_is_no_inventory() -> None:
    with pytest.raises(UsageError, match="'https://x/inventory' is not an inventory"):
        inventory.load("https://x/inventory")


def test_sources_do_not_overlap() -> None:
    for spec in ("f.yaml", "f.yml", "f.json", "ec2:", "ec2:?region=x", "ec2", "hosts", "./a:b", "/x/hosts.txt"):
        assert sum(source.accepts(spec) for source in inventory.sources().values()) == 1, spec


_ports = st.none() | st.integers(1, 65535)


@given(_ports, _ports, _ports, _ports)
def test_layers(default: int | None, one: int | None, two: int | None, own: int | None) -> None:
    """Own, else the groups' if they agree, else the default, else 22."""
    from driftscan.inventory import yaml_file  # noqa: PLC0415
    from driftscan.yaml_strict import parse  # noqa: PLC0415

    def layer(port: int | None, more: str = "") -> str:
        return "{" + ", ".join(filter(None, [more, "" if port is None else f"port: {port}"])) + "}"

    text = (
        f"defaults: {layer(default)}\ngroups:\n  one: {layer(one, 'hosts: [h]')}\n  two: {layer(two, 'hosts: [h]')}\n"
        f"hosts:\n  h: {layer(own)}\n"
    )
    reader = yaml_file._Reader(parse(text, "f.yaml"))
    groups = {port for port in (one, two) if port is not None}
    if own is None and len(groups) > 1:
        with pytest.raises(UsageError, match="disagree"):
            reader.hosts()
    else:
        expected = next(port for port in (own, *groups, default, 22) if port is not None)
        assert [host.options.port for host in reader.hosts()] == [expected]
