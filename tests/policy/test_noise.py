"""Noise lowers nothing: whatever else differs on a host, what was found is judged as severely as before."""

from collections.abc import Sequence
from functools import cache
from operator import attrgetter
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftscan import policy
from driftscan.compare import fold
from driftscan.compare.cohort import Member, cohorts
from driftscan.compare.evidence import Evidence
from driftscan.compare.transaction import Item, Transaction
from driftscan.model.cohort import Cohort, CohortClass
from driftscan.model.drift import Difference, Mutation
from driftscan.model.finding import Action, JudgedControl, JudgedMutation, Result, RuleRef, Severity, State
from driftscan.model.state import View
from driftscan.model.times import SECOND, nanoseconds, utc
from driftscan.policy.model import Policy
from driftscan.policy.verdict import is_failure, is_finding
from driftscan.policy.window import Window
from tests.compare.building import A, B, added, directory, file, link, modified, removed, thing
from tests.compare.test_conservation import DIFFERENCES, EVIDENCE
from tests.policy.support import KINDS, difference, mutation

NIGHT = nanoseconds("2026-11-24T03:00:00Z")
LATER = {"ctime": NIGHT + 3600 * SECOND}

TROJANS: dict[str, Difference] = {
    "a program": added(file("/usr/local/bin/helper", mode="0755")),
    "a program in /tmp": added(file("/tmp/x/y", mode="0755")),
    "a program in a home": added(file("/home/eve/.local/bin/x", mode="0755")),
    "a program beside a package's": added(file("/usr/bin/nginx-helper", mode="0755")),
    "a program in a package's directory of state": added(file("/var/lib/nginx/x", mode="0755")),
    "a program of a package that is another": modified(
        "file", "/usr/bin/nginx", {"md5": "2" * 32}, sha256=("a" * 64, "b" * 64)
    ),
    "a library": added(file("/usr/lib/x.so")),
    "a set-id program": added(file("/opt/a/b", mode="4755")),
    "a set-id bit": modified("file", "/usr/bin/find", mode=("0755", "4755")),
    "a device": added(file("/opt/a/dev", type="block")),
    "a preload": added(file("/etc/ld.so.preload")),
    "a unit": added(thing("service", "evil.service", unit_file_state="enabled")),
    "a unit's file": added(file("/etc/systemd/system/evil.service")),
    "a link that enables a unit": added(
        link("/etc/systemd/system/multi-user.target.wants/evil.service", "/opt/a/evil.service")
    ),
    "a key": added(thing("authorized_key", "eve/SHA256:1", file="/home/eve/.ssh/authorized_keys")),
    "a key of root": added(thing("authorized_key", "root/SHA256:1", file="/root/.ssh/authorized_keys")),
    "a file of keys": added(file("/home/eve/.ssh/authorized_keys")),
    "a right": added(thing("sudo_rule", "/etc/sudoers.d/x:eve ALL", users=("eve",), commands=("ALL",))),
    "a file of rights": added(file("/etc/sudoers.d/x", mode="0440")),
    "a second root": added(thing("user", "eve", uid=0, gid=0, shell="/bin/sh", directory="/home/eve")),
    "an account": added(thing("user", "eve", uid=1000, gid=1000, shell="/bin/sh", directory="/home/eve")),
    "an empty password": modified("password", "eve", state=("locked", "empty")),
    "a job": added(thing("cron", "/etc/cron.d/x/root/1", command="/tmp/x")),
    "a file of jobs": added(file("/etc/cron.d/x")),
    "a listener": added(thing("listen", "tcp/0.0.0.0:4444", process="/tmp/x")),
    "a hidden process": added(thing("process", "/memfd:x", reasons=("memory",))),
    "a hidden library": added(thing("library", "/dev/shm/x.so", state="deleted")),
    "a module": added(thing("kernel_module", "diamorphine", taints="OE")),
    "an authority": added(thing("ca_certificate", "SHA256:1", subject="CN=evil")),
    "a name": added(thing("host_entry", "192.0.2.66", names=("updates.example",))),
    "a package": added(thing("package", "netcat/amd64", version="1.0", status="installed")),
    "a mount": added(thing("mount", "/usr/bin", type="bind")),
    # what packages have, too
    "a program of a package that became a link": modified(
        "file", "/usr/bin/nginx", type=("regular", "symlink"), target=(None, "/tmp/x")
    ),
    "a job in a table of a package": added(thing("cron", "/etc/cron.d/tool/root/1", command="/tmp/x")),
    "a library that an install script names": added(file("/usr/lib/named.so")),
    "a program that became an alternative": modified(
        "file", "/usr/bin/sudo", type=("regular", "symlink"), target=(None, "/etc/alternatives/sudo")
    ),
    "an alternative that leads elsewhere": modified(
        "file", "/etc/alternatives/editor", target=("/usr/bin/vim", "/usr/bin/../../tmp/x")
    ),
    "an initramfs, later": modified("file", "/boot/initrd.img-6.1.0-28-amd64", LATER, sha256=(A, B)),
    "bytecode, later": added(file("/usr/lib/python3/dist-packages/__pycache__/x.cpython-311.pyc", LATER)),
    "a loader's cache, later": modified("file", "/etc/ld.so.cache", LATER, sha256=(A, B)),
}
"""What an intruder leaves. No package of the evidence below brought any of it."""
LATER_ONES = [name for name in TROJANS if name.endswith(", later")]
"""What an operation may have made, were it not for the time. Where no log tells when it ran, it is taken to have."""
_PATHS = ("/opt", "/usr/local", "/usr/local/bin", "/etc/cron.d", "/etc/systemd/system", "/var/lib/nginx", "/etc/nginx")
OPERATION = Evidence(
    package_files={
        "nginx/amd64": dict.fromkeys(_PATHS, "") | {"/usr/bin/nginx": "1" * 32},
        "tool/all": dict.fromkeys(("/usr/share/tool", "/etc/cron.d/tool"), "1" * 32),
    },
    baseline_files={"old/amd64": ("/usr/bin/old",)},
    every_package=True,
    package_scripts={
        "nginx/amd64": "adduser --system eve; mkdir /opt/a /usr/local/bin /tmp/x /home/eve /root/.ssh; touch"
        " /usr/local/bin/helper /etc/cron.d/x /etc/sudoers.d/x /etc/ld.so.preload /usr/lib/x.so /usr/lib/named.so"
    },
    history=(
        Transaction(
            start=utc(NIGHT),
            end=utc(NIGHT + 10 * SECOND),
            command="/usr/bin/unattended-upgrade",
            install=(Item("nginx", "amd64", "", "1.0"),),
            upgrade=(Item("tool", "all", "1.0", "2.0"),),
        ),
    ),
)
"""An operation of unattended-upgrades in which much could hide."""
COVERS = (
    *TROJANS.values(),
    added(thing("package", "nginx/amd64", version="1.0", status="installed")),
    modified("package", "tool/all", version=("1.0", "2.0")),
    removed(thing("package", "old/amd64", version="1.0", status="installed")),
    added(thing("user", "svc", uid=998, gid=998, shell="/usr/sbin/nologin", directory="/var/lib/nginx")),
    *(added(thing("user", f"at-{path}", uid=1001, shell="/bin/sh", directory=path)) for path in ("/", "/usr", "/etc")),
    added(thing("group", "eve", gid=999, members=())),
    *map(added, map(directory, ("/home/eve", "/home/eve/.ssh", "/root/.ssh", "/opt/a", "/tmp/x", "/usr/local/bin"))),
    *map(added, map(directory, ("/etc/systemd/system/multi-user.target.wants", "/etc/cron.d", "/etc/sudoers.d"))),
    added(thing("service", "nginx.service", unit_file_state="enabled")),
    added(thing("service", "evil.timer", unit_file_state="enabled")),
    added(thing("listen", "tcp/0.0.0.0:80", process="/usr/bin/nginx")),
    added(thing("listen", "tcp/0.0.0.0:81", process="/tmp/x")),
    *(added(thing("process", path, reasons=("outside",))) for path in ("/tmp/x", "/usr/local/bin/helper")),
    added(thing("python_package", "x@/usr/lib/python3", version="1")),
    added(thing("npm_package", "x@/opt/a", version="1")),
    *(modified("file", path, sha256=(A, B)) for path in ("/etc/passwd", "/etc/sudoers", "/etc/hosts", "/etc/crontab")),
    *(modified("file", path, sha256=(A, B)) for path in ("/var/lib/dpkg/status", "/etc/ssl/certs/ca-certificates.crt")),
    modified("file", "/etc/cron.d/tool", {"md5": "2" * 32}, sha256=(A, B)),
    *(added(file(f"/usr/local/bin/n{number}", mode="0755")) for number in range(13)),
    *(added(file(f"/etc/cron.d/n{number}")) for number in range(13)),
    *(modified("file", f"/usr/bin/n{number}", mode=("0755", "0555")) for number in range(13)),
    modified("sshd_setting", "permitrootlogin", value=("no", "yes")),
    modified("kernel_info", "-", version=("1", "2")),
    added(thing("kernel_module", "nfs", taints="")),
    added(thing("container", "docker/x", image="x")),
)  # fmt: skip
"""What may stand beside it: of all sorts, and much that takes other things along."""


@cache
def _core() -> tuple[Policy, ...]:
    """With a patch window, within which unattended-upgrades is treated mildly."""
    always = Window(frozenset(range(7)), 0, 1440, ZoneInfo("UTC"))
    own = Policy(id="ours", version=1, title="", file="", windows=(always,))
    return (*policy.load(["immutable-core"], KINDS), own)


def _judged(differences: Sequence[Difference], evidence: Evidence) -> tuple[JudgedMutation, ...]:
    return policy.judge_mutations(_core(), fold(differences, evidence), policy.Context())


def _of(judged: Sequence[JudgedMutation], item: Difference) -> JudgedMutation:
    (found,) = (each for each in judged if item in each.mutation.differences)
    return found


def _is_hidden(trojan: Difference, beside: Sequence[Difference], evidence: Evidence) -> str:
    noise = [item for item in beside if item.id != trojan.id]
    alone = _of(_judged([trojan], evidence), trojan)
    among = _of(_judged([*noise, trojan], evidence), trojan)
    milder = (among.severity, among.action) < (alone.severity, alone.action)
    return f"{alone.rule.id} became {among.rule.id}: {among.mutation.title}" if milder else ""


@pytest.mark.parametrize("name", TROJANS)
def test_what_an_intruder_leaves_is_hidden_by_no_other_difference(name: str) -> None:
    for evidence in (OPERATION,) if name in LATER_ONES else (OPERATION, Evidence()):
        hidden = {cover.id: _is_hidden(TROJANS[name], [cover], evidence) for cover in COVERS}
        assert {cover: how for cover, how in hidden.items() if how} == {}


@given(st.sampled_from(list(TROJANS)), st.lists(st.sampled_from(COVERS), max_size=40, unique_by=attrgetter("id")))
def test_nor_by_many(name: str, beside: list[Difference]) -> None:
    assert not _is_hidden(TROJANS[name], beside, OPERATION)


@given(st.sampled_from(sorted(set(TROJANS) - set(LATER_ONES))), DIFFERENCES, EVIDENCE)
def test_nor_by_whatever_there_may_be(name: str, beside: list[Difference], evidence: Evidence) -> None:
    assert not _is_hidden(TROJANS[name], beside, evidence)


MUTATIONS = st.lists(st.sampled_from(COVERS), max_size=12, unique_by=attrgetter("id")).map(
    lambda differences: fold(differences, OPERATION)
)


@given(MUTATIONS, MUTATIONS)
def test_what_else_happened_changes_no_judgement(found: Sequence[Mutation], noise: Sequence[Mutation]) -> None:
    context = policy.Context()
    alone = policy.judge_mutations(_core(), found, context)
    for order in ([*found, *noise], [*noise, *found]):
        judged = policy.judge_mutations(_core(), order, context)
        assert [each for each in judged if each.mutation in found] == [
            each for mutation in order for each in alone if each.mutation == mutation
        ]


@given(MUTATIONS, MUTATIONS, st.booleans())
def test_nor_how_common_it_is(found: Sequence[Mutation], noise: Sequence[Mutation], everywhere: bool) -> None:
    """Noise on one host of three; the others have what was found, or nothing."""
    more = {mutation.id: mutation for mutation in (*noise, *found)}
    view = View(frozenset({*KINDS, "file"}))
    others = [Member(name=name, mutations=found if everywhere else (), view=view) for name in ("b", "c")]
    quiet, loud = (
        cohorts([Member(name="a", mutations=mutations, view=view), *others])["a"]
        for mutations in (found, [*more.values()])
    )
    assert {mutation.id: loud[mutation.id] for mutation in found} == quiet


def _a_control(result: Result, action: Action, number: int) -> JudgedControl:
    return JudgedControl(
        id=f"r{number}",
        finding=f"C-{number}",
        title="T",
        severity=Severity.MEDIUM,
        action=action,
        result=result,
        rule=RuleRef("r"),
    )


def _a_mutation(
    asked: tuple[Action, Severity, State], where: tuple[CohortClass | None, bool], hidden: bool, number: int
) -> JudgedMutation:
    item = difference("file", f"/{number}", "unknown" if hidden else "added")
    action, severity, state = asked
    kind, returned = where
    judged = JudgedMutation(
        mutation=mutation("file-added", item, name=f"F-{number}"),
        severity=severity,
        action=action,
        rule=RuleRef("r"),
        state=state,
    )
    return policy.placed(judged, Cohort(kind=kind, hosts=3, of=3) if kind else None, returned=returned)


NUMBERS = st.integers(0, 10**6)
CONTROLS = st.lists(st.builds(_a_control, st.sampled_from(Result), st.sampled_from(Action), NUMBERS), max_size=4)
JUDGED = st.lists(
    st.builds(
        _a_mutation,
        st.tuples(st.sampled_from(Action), st.sampled_from(Severity), st.sampled_from(State)),
        st.tuples(st.sampled_from([None, *CohortClass]), st.booleans()),
        st.booleans(),
        NUMBERS,
    ),
    max_size=5,
)


def _advised(mutations: Sequence[JudgedMutation], controls: Sequence[JudgedControl], torn: bool) -> Action:
    """As `scan.judgement` has it."""
    reasons = ["apt runs"] if torn else []
    word = policy.verdict(mutations=mutations, controls=controls, torn=reasons)
    otherwise = policy.verdict(
        mutations=[each for each in mutations if not is_finding(each)],
        controls=[each for each in controls if not is_failure(each)],
        torn=reasons,
    )
    return policy.recommend(mutations, controls, word, host="h", otherwise=otherwise).action


@given(JUDGED, CONTROLS, JUDGED, CONTROLS, st.booleans())
def test_more_findings_never_lower_what_is_advised(
    found: list[JudgedMutation],
    controls: list[JudgedControl],
    noise: list[JudgedMutation],
    more: list[JudgedControl],
    torn: bool,
) -> None:
    assert _advised([*found, *noise], [*controls, *more], torn) >= _advised(found, controls, torn)
    assert _advised(found, controls, True) >= _advised(found, controls, False)
