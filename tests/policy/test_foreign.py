"""What people write who come from other tools, or to whom YAML does what it does: each is refused at its place, with
what to write. `foreign.txt` is written for reading, as `mistakes.txt` is."""

from pathlib import Path

import pytest

from driftscan.errors import UsageError
from driftscan.policy import familiar
from driftscan.policy.compile import compile_policy
from driftscan.policy.operators import NESTED, OPERATORS
from driftscan.policy.schema import schema, shape
from driftscan.policy.scope import HINT
from driftscan.yaml_strict import check, parse
from tests.policy.support import KINDS

SECTIONS = (Path(__file__).parent / "foreign.txt").read_text().split("=== ")[1:]


@pytest.mark.parametrize("section", SECTIONS, ids=[section.partition("\n")[0] for section in SECTIONS])
def test_message(section: str) -> None:
    text, _, says = section.partition("\n")[2].partition("--- says\n")
    with pytest.raises(UsageError) as caught:
        _lint(text)
    assert caught.value.message == says.strip()


def _lint(text: str) -> None:
    document = parse(text, "ours.yaml")
    check(document, shape(), HINT)
    compile_policy(document, KINDS, {})


def test_only_what_there_is_not_is_put_in_other_words() -> None:
    """A kind, column, operator or key that came to be would never be spoken of, and its advice be wrong."""
    assert not set(familiar.KINDS) & set(KINDS)
    named = {said.split()[1].strip(",;") for said in familiar.KINDS.values() if said.startswith("write ")}
    assert named <= set(KINDS)
    assert not set(familiar.OPERATORS) & {*OPERATORS, *NESTED}
    assert not [name for kind, name in familiar.COLUMNS if name in KINDS[kind].attributes]
    whole = schema(KINDS)
    assert not set(familiar.POLICY_KEYS) & set(whole["properties"])
    assert not set(familiar.CONTROL_KEYS) & set(whole["$defs"]["control"]["properties"])
    assert not set(familiar.MATCH_KEYS) & set(whole["$defs"]["drift"]["properties"]["match"]["properties"])
    assert not set(familiar.DRIFT_KEYS) & set(whole["$defs"]["drift"]["properties"])


@pytest.mark.parametrize(
    ("kind", "key"),
    [
        ("file", "/usr/bin/["),
        ("file", "/"),
        ("file", "**/*.service"),
        ("file", "/srv/pages/[id].js"),
        ("file", "/srv/classes/Foo$BAR.class"),
        ("package", "libssl3*"),
        ("service", "sshd"),
        ("service", r"systemd-cryptsetup@dev\\x2dsda.service"),
        ("sshd_setting", "allowtcpforwarding@group Admins"),
        ("sysctl", "net.ipv4.conf.eth0/100.rp_filter"),
        ("module_rule", "net_pf_3[0-9]"),
        ("setting", "limits:* hard core"),
        ("listen", "tcp/[::]:80"),
        ("mount", "none:UUID=1"),
    ],
)
def test_keys_that_can_be_are_taken(kind: str, key: str) -> None:
    assert familiar.impossible(KINDS[kind], key) == ""


@pytest.mark.parametrize(
    ("applies", "says"),
    [
        ("{role: '!db'}", "ours.yaml:4:20: '!db' fits no host: there is no 'all but'; name those that are meant"),
        (
            "{os: [debian, Debian 12]}",
            (
                "ours.yaml:4:18: 'Debian 12' fits no host: write ID of os-release, or ID/VERSION_ID, in lower case, "
                "such as debian or debian/12"
            ),
        ),
        ("web", "ours.yaml:4:13: expected os, role, image or label, such as {role: web}, found the text 'web'"),
        (
            "{label: [prod]}",
            "ours.yaml:4:21: expected labels with their values, such as {env: prod}, found a list",
        ),
    ],
)
def test_a_policy_that_would_be_for_nobody(applies: str, says: str) -> None:
    with pytest.raises(UsageError) as caught:
        _lint(f"policy: ours\nversion: 1\ntitle: Ours\napplies_to: {applies}\nextends: [access]\n")
    assert caught.value.message == says
