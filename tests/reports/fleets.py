"""Results of scans of fleets of any size, the same for the same numbers: hosts of two images, most of them clean, some
with what all, several or one of them have, some dead or half seen."""

from datetime import UTC, datetime, timedelta
from random import Random

from driftscan.model.cohort import Cohort, CohortClass
from driftscan.model.drift import Accounting, Attribution, Cause, CauseType, Change, Delta, Difference, Grade, Mutation
from driftscan.model.finding import (
    Action,
    Cure,
    CureCause,
    JudgedControl,
    JudgedMutation,
    Recommendation,
    Result,
    RuleRef,
    Severity,
    State,
    Verdict,
)
from driftscan.model.resource import Value
from driftscan.model.result import HostErrorRecord, HostImage, HostResult, ImageMatch, ScanResult
from driftscan.model.snapshot import CollectorCoverage, CollectorStatus, FileCoverage
from driftscan.model.source import Gap, Status
from driftscan.model.waiver import Waiver, WaiverState

END = datetime(2026, 11, 26, 10, tzinfo=UTC)
IMAGES = [
    HostImage(id=name, version=version, manifest_digest="sha256:" + digit * 64, match=ImageMatch.OS_RELEASE)
    for name, version, digit in (("web", "2026.11.20", "a"), ("db", "2026.10.01", "b"), ("batch", "2026.11.12", "c"))
]
ROLES = ("web", "db", "batch")
WAIVER = Waiver(
    finding="F-motd",
    reason="The notice of the maintenance stays until the new image.",
    owner="ops@example.org",
    expires=(END + timedelta(days=9)).date(),
    ticket="OPS-1412",
    origin="waivers.yaml:3",
)
SETTING = """@@ -32,4 +32,4 @@
 # Authentication:
-PermitRootLogin prohibit-password
+PermitRootLogin yes
 StrictModes yes
-#MaxAuthTries 6
+MaxAuthTries 20
"""


def _rule(name: str, line: int, why: str) -> RuleRef:
    return RuleRef(name, "policies/immutable-core/software.yaml", line, why)


NEW: dict[str, Value] = {"mode": "0644", "sha256": "9a" * 32, "size": 3298, "type": "regular", "uid": 0}


def _file(path: str, change: Change = Change.ADDED) -> Difference:
    attributes = {name: Delta(None, value) for name, value in NEW.items()}
    if change is Change.MODIFIED:
        attributes = {"sha256": Delta("3f" * 32, "9a" * 32), "size": Delta(3214, 3298)}
    return Difference(kind="file", key=path, change=change, attributes=attributes)


def _package(name: str, old: str, new: str, files: int) -> tuple[Difference, ...]:
    row = Difference(
        kind="package", key=f"{name}/amd64", change=Change.MODIFIED, attributes={"version": Delta(old, new)}
    )
    return (row, *(_file(f"/usr/lib/{name}/part-{index:04}.so", Change.MODIFIED) for index in range(files)))


UPGRADE = _package("openssl", "3.0.15-1~deb12u1", "3.0.17-1~deb12u2", 240)
NGINX = (
    Difference(kind="package", key="nginx/amd64", change=Change.ADDED, attributes={"version": Delta(None, "1.22.1-9")}),
    Difference(
        kind="service", key="nginx.service", change=Change.ADDED, attributes={"enabled": Delta(None, "enabled")}
    ),
    Difference(kind="listen", key="tcp/0.0.0.0:80", change=Change.ADDED, attributes={"program": Delta(None, "nginx")}),
    *(_file(f"/usr/share/nginx/html/{index}.html") for index in range(30)),
)
SSHD = (
    Difference(
        kind="file",
        key="/etc/ssh/sshd_config",
        change=Change.MODIFIED,
        attributes={"sha256": Delta("3f" * 32, "9a" * 32), "size": Delta(3214, 3298)},
        text=SETTING,
    ),
    Difference(
        kind="sshd_setting",
        key="permitrootlogin",
        change=Change.MODIFIED,
        attributes={"value": Delta("prohibit-password", "yes")},
    ),
)


def _seen(ago: timedelta, actor: str, command: str) -> Attribution:
    at = (END - ago).strftime("%Y-%m-%dT%H:%M:%SZ")
    return Attribution(Grade.RECORDED, actor, command, at, (f"/var/log/auth.log: {actor} : COMMAND={command}",))


def _upgrade(random: Random, hosts: int) -> JudgedMutation:
    ago = timedelta(days=2, minutes=random.randrange(90))
    given = Mutation(
        id="F-0a1b2c3d4e5f",
        title="openssl 3.0.15-1~deb12u1 upgraded to 3.0.17-1~deb12u2",
        cause=Cause(CauseType.PACKAGE_UPGRADED, "openssl/amd64"),
        differences=UPGRADE,
        attribution=_seen(ago, "unattended-upgrades", "/usr/bin/unattended-upgrade"),
    )
    cohort = Cohort(kind=CohortClass.ALL_LATER, hosts=hosts, of=hosts, later=hosts)
    rule = _rule("package-upgraded", 20, "Patches come with a new image, or the fleet drifts apart.")
    return JudgedMutation(mutation=given, severity=Severity.MEDIUM, action=Action.ROTATE, rule=rule, cohort=cohort)


def _nginx(random: Random) -> JudgedMutation:
    ago = timedelta(days=4, hours=random.randrange(30))
    given = Mutation(
        id="F-1a1b2c3d4e5f",
        title="nginx 1.22.1-9 installed",
        cause=Cause(CauseType.PACKAGE_INSTALLED, "nginx/amd64", "34 files match the package database's MD5"),
        differences=NGINX,
        attribution=_seen(ago, "deploy", "apt-get install nginx"),
    )
    rule = _rule("package-installed", 7, "Software that the image does not have was added by hand.")
    return JudgedMutation(mutation=given, severity=Severity.HIGH, action=Action.REPLACE, rule=rule)


def _sshd() -> JudgedMutation:
    given = Mutation(
        id="F-2a1b2c3d4e5f",
        title="sshd changed: permitrootlogin prohibit-password -> yes, maxauthtries 6 -> 20",
        cause=Cause(CauseType.CONFIGURATION_CHANGED, "sshd"),
        differences=SSHD,
    )
    rule = _rule("security-configuration-changed", 37, "These files decide who gets in.")
    return JudgedMutation(mutation=given, severity=Severity.HIGH, action=Action.REPLACE, rule=rule)


def _helper(number: int, random: Random) -> JudgedMutation:
    given = Mutation(
        id=f"F-{number:012x}",
        title=f"program /usr/local/bin/helper-{number} added (mode 0755, uid 0)",
        cause=Cause(CauseType.BINARY_ADDED, f"/usr/local/bin/helper-{number}"),
        differences=(_file(f"/usr/local/bin/helper-{number}"),),
        attribution=_seen(timedelta(hours=random.randrange(1, 140)), "mallory", "cp /tmp/x /usr/local/bin/helper"),
    )
    rule = _rule("binary-added", 8, "An executable of unknown origin is how most intrusions look from outside.")
    return JudgedMutation(mutation=given, severity=Severity.CRITICAL, action=Action.QUARANTINE, rule=rule)


def _motd() -> JudgedMutation:
    given = Mutation(
        id="F-motd",
        title="file /etc/motd changed",
        cause=Cause(CauseType.FILE_CHANGED, "/etc/motd"),
        differences=(_file("/etc/motd", Change.MODIFIED),),
    )
    rule = _rule("file-changed", 50, "A file differs.")
    return JudgedMutation(
        mutation=given, severity=Severity.LOW, action=Action.OBSERVE, rule=rule, state=State.WAIVED, waiver=WAIVER
    )


def _control(number: int, failed: bool) -> JudgedControl:
    said = f"sshd_setting permitrootlogin: value is 'yes', should be 'no' ({number})"
    file = f"policies/server-hardening/{'ssh' if number % 2 else 'accounts'}.yaml"
    return JudgedControl(
        id=f"ssh-{number:02}",
        finding=f"C-{number:012x}",
        title=f"Root cannot log in over ssh in the way number {number}",
        severity=Severity(1 + number % 3),
        action=Action.REBAKE,
        result=Result.FAIL if failed else Result.PASS,
        rule=RuleRef(f"ssh-{number:02}", file, number),
        evidence=(said,) if failed else (),
        refs={"cis_debian_12": (f"5.1.{number}",), "nist_800_53": (f"AC-{1 + number % 9}",)},
        fix="Set it in the image.",
    )


def _controls(*failed: int) -> tuple[JudgedControl, ...]:
    return tuple(_control(number, number in failed) for number in range(24))


GOOD = _controls()
BAD = _controls(3, 4)
COMPLETE = (
    CollectorCoverage("files", 1, ("file",), CollectorStatus.COMPLETE, 33012),
    CollectorCoverage("packages_deb", 1, ("package",), CollectorStatus.COMPLETE, 412),
)
FORBIDDEN = Gap("sudoers", Status.FORBIDDEN, "Permission denied", ("sudo_rule",))
PARTIAL = (*COMPLETE, CollectorCoverage("sudoers", 1, ("sudo_rule",), CollectorStatus.PARTIAL, 0, (FORBIDDEN,)))


def fleet(hosts: int, share: float = 0.2) -> ScanResult:
    """A scan of so many hosts, of which about that share has findings."""
    random = Random(hosts)
    return ScanResult(
        id="e3c1cbeb2d9e0953",
        started_at="2026-11-26T09:58:00Z",
        finished_at=END.strftime("%Y-%m-%dT%H:%M:%SZ"),
        mode="quick",
        hosts=tuple(_host(number, hosts, share, random) for number in range(hosts)),
        waivers=((WAIVER, WaiverState.EXPIRING),),
    )


def _host(number: int, hosts: int, share: float, random: Random) -> HostResult:
    role = min(random.randrange(4), 2)
    name = f"{ROLES[role]}-{number:05}"
    labels = {"role": ROLES[role], "env": "prod" if number % 5 else "test", "az": "abc"[number % 3]}
    chance = random.random()
    if chance < 0.004:
        return _dead(name, labels)
    mutations: list[JudgedMutation] = []
    if chance < share:
        mutations = _mutations(number, role, hosts, random)
    if chance > 0.99:
        mutations = [_motd()]
    incomplete = not mutations and chance > 0.985
    return _looked_at(name, labels, IMAGES[role], tuple(mutations), random, incomplete=incomplete)


def _mutations(number: int, role: int, hosts: int, random: Random) -> list[JudgedMutation]:
    found = [_upgrade(random, hosts // 5)] if role != 1 or random.random() < 0.3 else []
    if random.random() < 0.25:
        found.append(_nginx(random))
    if random.random() < 0.15:
        found.append(_sshd())
    if random.random() < 0.03:
        found.append(_helper(number, random))
    return found


def _dead(name: str, labels: dict[str, str]) -> HostResult:
    message = f"{name} (10.0.0.14) port 22: connection refused"
    return HostResult(
        host=name,
        target=f"ssh://{name}:22",
        labels=labels,
        verdict=Verdict.UNREACHABLE,
        recommendation=Recommendation(
            action=Action.INVESTIGATE, sentence=f"{name} was not scanned: connection refused. Nothing is known of it."
        ),
        errors=(HostErrorRecord(kind="unreachable", message=message, hint="Is sshd running there?"),),
    )


def _looked_at(
    name: str,
    labels: dict[str, str],
    image: HostImage,
    mutations: tuple[JudgedMutation, ...],
    random: Random,
    *,
    incomplete: bool,
) -> HostResult:
    standing = [judged for judged in mutations if judged.state is State.OPEN]
    bad = bool(standing) and random.random() < 0.1
    action = max((judged.action for judged in standing), default=Action.INVESTIGATE if incomplete else Action.NONE)
    verdict = Verdict.FINDINGS if standing or bad else Verdict.INCOMPLETE if incomplete else Verdict.CLEAN
    what = "; ".join(judged.mutation.title for judged in standing)
    sentence = f"{name} differs from image {image.id} {image.version}: {what}." if what else f"{name} equals its image."
    count = sum(judged.mutation.explains for judged in mutations)
    return HostResult(
        host=name,
        target=f"ssh://root@{name}:22",
        labels=labels,
        image=image,
        verdict=verdict,
        recommendation=Recommendation(
            action=action,
            sentence="Sudo rules could not be read: nobody knows whether they differ." if incomplete else sentence,
            because=tuple(judged.mutation.id for judged in standing if judged.action is action),
            counterfactual=f"would be none without {standing[0].mutation.id}" if len(standing) == 1 else "",
            cure=Cure(True, CureCause.HOST) if action >= Action.ROTATE else Cure(),
        ),
        accounting=Accounting(raw=count + 7, folded=count, allowed=7),
        mutations=mutations,
        controls=BAD if bad else GOOD,
        coverage=PARTIAL if incomplete else COMPLETE,
        files=FileCoverage(seen=33012, hashed=random.randrange(300, 900), stat_only=32000),
        timings={
            "connect": random.randrange(20, 90),
            "collect": random.randrange(400, 900),
            "walk": random.randrange(900, 4000),
        },
    )
