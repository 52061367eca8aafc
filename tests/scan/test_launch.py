"""Launch inputs: what leaves the target of user data, and what the scanner makes of it."""

import base64
import gzip
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from driftscan.capture.probe import launch_inputs
from driftscan.scan import launch

HERE = Path(__file__).parent / "launch"
RECORDED = (HERE / "debian12.json").read_bytes()
SECRET = "hunter2-correct-horse"


def reduced(text: str) -> dict[str, Any]:
    return launch_inputs.reduced(yaml.safe_load(text))


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def test_the_reduction_of_a_real_cloud_config_is_what_that_host_printed() -> None:
    ran = reduced((HERE / "debian12.cloud-config.txt").read_text())
    assert json.loads(json.dumps(ran)) == json.loads(RECORDED)["configs"][-1]


def test_no_secret_of_user_data_leaves() -> None:
    config = reduced(f"""
password: {SECRET}
chpasswd: {{expire: false, list: "root:{SECRET}", users: [{{name: bob, password: {SECRET}}}]}}
users:
  - name: alice
    passwd: {SECRET}
    plain_text_passwd: {SECRET}
    hashed_passwd: {SECRET}
ssh_keys: {{rsa_private: {SECRET}}}
write_files: [{{path: /etc/token, content: {SECRET}}}, {{path: /etc/more, content: {SECRET}, append: true}}]
runcmd: [[login, --password, {SECRET}], "curl -H {SECRET} x"]
bootcmd: [echo {SECRET}]
power_state: {{message: {SECRET}}}
apt: {{conf: {SECRET}}}
""")
    assert SECRET not in json.dumps(config)
    assert config["passwords"] == ["root", "bob"]
    assert config["password"] is True
    assert config["users"][0]["password"] is True
    assert config["commands"] == 3


leaves = st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.binary(max_size=8)
values = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5) | st.integers(), inner, max_size=3),
    max_leaves=12,
)
NAMES = (
    *("users", "groups", "ssh_authorized_keys", "disable_root", "write_files", "packages", "package_upgrade"),
    *("timezone", "chpasswd", "password", "runcmd", "bootcmd"),
)


@given(st.dictionaries(st.sampled_from(NAMES), values))
def test_no_user_data_break_the_reduction_or_the_reading_of_it(config: dict[str, Any]) -> None:
    told = {"cloud_init": True, "configs": [launch_inputs.reduced(config)], "user_data": "a" * 64, "ended": 5}
    assert launch.parse(json.dumps(told).encode()).digest == "a" * 64


@given(st.binary(max_size=60) | values.map(lambda value: json.dumps(value, default=str, skipkeys=True).encode()))
def test_no_answer_of_a_hostile_host_breaks_the_reading(answer: bytes) -> None:
    found = launch.parse(answer)
    assert not found.users
    assert not found.files


@pytest.mark.parametrize("told", [{"users": [{"name": "../x"}]}, {"files": [{"path": "etc/x", "sha256": "a" * 64}]}])
def test_what_is_not_of_the_form_accounts_for_nothing(told: dict[str, Any]) -> None:
    found = launch.parse(json.dumps({"cloud_init": True, "configs": [told]}).encode())
    assert found == launch.Launch(groups={})


@pytest.mark.parametrize(
    ("entry", "content"),
    [
        ({"content": "x\n"}, b"x\n"),
        ({"content": base64.b64encode(b"\0\1").decode(), "encoding": "b64"}, b"\0\1"),
        ({"content": base64.b64encode(gzip.compress(b"zip")).decode(), "encoding": "gz+base64"}, b"zip"),
        ({"content": gzip.compress(b"zip"), "encoding": "gzip"}, b"zip"),
        ({}, b""),
    ],
)
def test_a_written_file_is_told_by_the_digest_of_what_is_written(entry: dict[str, Any], content: bytes) -> None:
    found = launch_inputs.written({"path": "/etc/x", **entry})
    assert found is not None
    assert (found["sha256"], found["size"]) == (digest(content), len(content))


@pytest.mark.parametrize(
    "entry",
    [
        {"content": "x", "append": True},
        {"content": "x", "encoding": "rot13"},
        {"content": "!", "encoding": "gz"},
        {"content": base64.b64encode(gzip.compress(bytes(launch_inputs.MOST + 1))).decode(), "encoding": "gz+b64"},
        {"source": {"uri": "https://example.net/x"}},
    ],
)
def test_what_cannot_be_foretold_is_not(entry: dict[str, Any]) -> None:
    assert launch_inputs.written({"path": "/etc/x", **entry}) is None
    assert reduced(json.dumps({"write_files": [{"path": "/etc/x", **entry}]}))["setup"] == ["write_files"]


@pytest.mark.parametrize(
    ("value", "mode"), [("0600", "0600"), (0o600, "0600"), (None, "0644"), ("0o640", "0640"), ("rwx", ""), (-1, "")]
)
def test_permissions(value: object, mode: str) -> None:
    assert launch_inputs.permissions(value) == mode


def test_the_default_user_stands_where_user_data_name_it_and_gets_the_common_keys() -> None:
    told = json.loads(RECORDED)
    told["configs"][-1]["users"] = [{"name": "default"}, {"name": "ops", "groups": ["adm"]}]
    told["metadata_keys"] = ["ssh-ed25519 AAAA cloud"]
    found = launch.parse(json.dumps(told).encode())
    names = {user.name: user for user in found.users}
    assert set(names) == {"debian", "ops"}
    assert len(names["debian"].keys) == 2
    assert names["ops"].keys == ()
    assert len(found.root_keys) == 2
    assert found.members("adm") == {"debian", "ops"}


def test_without_a_word_on_users_the_image_decides() -> None:
    told = json.loads(RECORDED)
    told["configs"][-1]["users"] = None
    told["image"]["users"] = [{"name": "default"}]
    assert [user.name for user in launch.parse(json.dumps(told).encode()).users] == ["debian"]


def test_a_host_without_cloud_init_declares_nothing() -> None:
    assert launch.parse(b'{"cloud_init": false}') == launch.Launch()


def test_what_could_not_be_read_is_told() -> None:
    found = launch.parse(b'{"error": "PermissionError while reading what cloud-init keeps"}')
    assert "PermissionError" in found.unread
