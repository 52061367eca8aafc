"""Results of scans made by hand: a fleet with everything in it, with the most hostile names that hosts can have."""

from dataclasses import replace
from datetime import date, datetime, timedelta

from driftscan.model.advisory import AdvisoryUse, ImagePatching, OldCode, Upgrade
from driftscan.model.cohort import Cohort, CohortClass, Relation, Separator
from driftscan.model.drift import (
    Accounting,
    Attribution,
    Cause,
    CauseType,
    Change,
    Delta,
    Difference,
    Grade,
    Mutation,
)
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
from driftscan.model.names import encode_name
from driftscan.model.result import (
    HostErrorRecord,
    HostImage,
    HostResult,
    ImageMatch,
    PolicyUse,
    Resolved,
    ScanResult,
    Since,
)
from driftscan.model.snapshot import CollectorCoverage, CollectorStatus, FileCoverage
from driftscan.model.source import Gap, Status
from driftscan.model.times import text_of
from driftscan.model.trend import Overview, Spell, overview
from driftscan.model.waiver import Waiver, WaiverState
from driftscan.model.zone import ZoneClass

HOSTILE = (
    b"/tmp/new\nline",
    b"/tmp/\x1b]0;title\x07\x1b[31mred\x1b[0m",
    b"/tmp/<script>alert(1)</script>",
    b"/tmp/invalid\xff\xfeutf8",
    "/tmp/gnp.\u202eexe".encode(),
    b"/tmp/=cmd|'/c calc'!A1",
    b"/tmp/`id` | $(id) @root #1 [x](javascript:alert(1)) **b** ```",
    b"/tmp/back\\slash\\x0a",
    "/tmp/\u200bzero\u2028width\x85".encode(),
    b"/tmp/::set-output name=x::y%0A",
    b"/tmp/]]>&amp;\x00\x0c",
)
"""Names as bytes that a file can have, and some that only a lying host could send (NUL)."""

OLD, NEW = "3f" * 32, "9a" * 32
DIGEST = "sha256:" + "5c" * 32
NOBODY = Attribution()
RULE = RuleRef(
    "immutable-core/executables", "policies/immutable-core.yaml", 42, "Nobody but the bake brings programs to a server."
)
SETTING = """--- image:/etc/ssh/sshd_config
+++ web-1:/etc/ssh/sshd_config
@@ -32,3 +32,3 @@
 # Authentication:
-PermitRootLogin no
+PermitRootLogin yes
 StrictModes yes
"""


def added(kind: str, key: str, zone: ZoneClass = ZoneClass.SEALED) -> Difference:
    """Something new."""
    return Difference(kind=kind, key=key, change=Change.ADDED, zone=zone, attributes={"type": Delta(None, "regular")})


def mutation(
    number: int,
    title: str,
    cause: Cause,
    differences: tuple[Difference, ...],
    attribution: Attribution = NOBODY,
) -> Mutation:
    """A mutation with a readable id."""
    return Mutation(id=f"F-{number:08x}", title=title, cause=cause, differences=differences, attribution=attribution)


def judged(
    given: Mutation,
    severity: Severity,
    action: Action,
    state: State = State.OPEN,
    *,
    cohort: Cohort | None = None,
    returned: bool = False,
) -> JudgedMutation:
    """A mutation with the policy's word, and where it stands among the hosts of the image."""
    return JudgedMutation(
        mutation=given, severity=severity, action=action, rule=RULE, state=state, cohort=cohort, returned=returned
    )


def package_installed(count: int = 34) -> Mutation:
    """One that folds many files, done by a known person."""
    files = tuple(added("file", f"/usr/share/nginx/html/{index:02}.html") for index in range(count))
    return mutation(
        1,
        "package nginx 1.22.1-9 was installed",
        Cause(CauseType.PACKAGE_INSTALLED, "nginx/amd64", "1.22.1-9"),
        (added("package", "nginx/amd64"), added("service", "nginx.service"), *files),
        Attribution(
            Grade.RECORDED,
            "deploy",
            "apt-get install nginx",
            "2026-11-20T09:12:44Z",
            ("/var/log/apt/history.log: Commandline: apt-get install nginx", "Requested-By: deploy (1000)"),
        ),
    )


def setting_changed() -> Mutation:
    """A configuration file with its text."""
    return mutation(
        2,
        "/etc/ssh/sshd_config was changed",
        Cause(CauseType.CONFIGURATION_CHANGED, "/etc/ssh/sshd_config"),
        (
            Difference(
                kind="file",
                key="/etc/ssh/sshd_config",
                change=Change.MODIFIED,
                attributes={"sha256": Delta(OLD, NEW), "size": Delta(3214, 3215)},
                observed={"ctime": 1795166401467972931, "mtime": 1795079000461972930, "inode": 16121896},
                text=SETTING,
            ),
            Difference(
                kind="sshd_setting",
                key="permitrootlogin",
                change=Change.MODIFIED,
                attributes={"value": Delta("no", "yes")},
            ),
        ),
    )


def hostile() -> Mutation:
    """Every hostile name at once, also as a value, in the title, and in what the logs are said to hold."""
    files = tuple(added("file", encode_name(name)) for name in HOSTILE)
    changed = Difference(
        kind="user",
        key="mallory",
        change=Change.MODIFIED,
        attributes={
            "gecos": Delta("Mallory", "\x1b[2J<b>x</b>\udcff|`=1+1`"),
            "groups": Delta(("a",), ("a", "\x1b]8;;http://evil\x07click")),
        },
        why="shell \x1b[31m is no shell",
    )
    return mutation(
        3,
        "binary \x1b[2J/tmp/<img src=x onerror=alert(1)> was added\nand lied",
        Cause(CauseType.BINARY_ADDED, encode_name(HOSTILE[1]), "<b>detail</b>"),
        (*files, changed),
        Attribution(
            Grade.GUESSED, "mallory\x1b[0m|x", "sh -c `id`\n</code>", "2026-11-20T09:30:00Z", ("auth.log: \x1b[5mhi",)
        ),
    )


def control(number: int, result: Result, severity: Severity, state: State = State.OPEN) -> JudgedControl:
    """One control."""
    return JudgedControl(
        id=f"ssh-{number:02}",
        finding=f"C-{number:08x}",
        title="root may not log in with a password",
        severity=severity,
        action=Action.OBSERVE,
        result=result,
        rule=RuleRef(f"ssh-{number:02}", "policies/server-hardening.yaml", 10 * number),
        state=state,
        evidence=("sshd_setting permitrootlogin: value is 'yes', should be 'no'",),
        about=(("sshd_setting", "permitrootlogin"),) if result in {Result.FAIL, Result.UNKNOWN} else (),
        refs={"cis-debian-12": ("5.1.20",), "nist-800-53": ("AC-6", "IA-2")},
        fix="Set PermitRootLogin no in the image.",
    )


def recommendation(
    action: Action, sentence: str, *because: str, command: str = "", counterfactual: str = ""
) -> Recommendation:
    """What to do."""
    cure = Cure(True, CureCause.HOST) if action >= Action.ROTATE else Cure()
    return Recommendation(
        action=action, sentence=sentence, because=because, counterfactual=counterfactual, cure=cure, command=command
    )


IMAGE = HostImage(id="web", version="2026.11.20", manifest_digest=DIGEST, match=ImageMatch.OS_RELEASE)
COMPLETE = (
    CollectorCoverage("files", 1, ("file",), CollectorStatus.COMPLETE, 33012),
    CollectorCoverage("packages_deb", 1, ("package",), CollectorStatus.COMPLETE, 412),
)


WAIVER = Waiver(
    finding="F-00000009",
    hosts=("web-1",),
    labels={"role": ("web",)},
    reason="the greeting is the tenant's own",
    owner="bob",
    expires=date(2027, 1, 31),
    added=date(2026, 11, 1),
    ticket="OPS-12",
    origin="waivers.yaml:4",
)


def drifted() -> HostResult:
    """A host with mutations, controls in each state, and something waived."""
    waived = mutation(
        9, "file /etc/motd was changed", Cause(CauseType.FILE_CHANGED, "/etc/motd"), (added("file", "/etc/motd"),)
    )
    return HostResult(
        host="web-1",
        target="ssh://root@10.0.0.11:22",
        verdict=Verdict.FINDINGS,
        recommendation=recommendation(
            Action.REPLACE,
            "deploy installed nginx 1.22.1-9 by hand and root may now log in over ssh: this is no longer image web "
            "2026.11.20; replace it.",
            "F-00000002",
            counterfactual="would be rotate without F-00000002",
            command="aws autoscaling terminate-instance-in-auto-scaling-group --instance-id i-0abc"
            " --no-should-decrement-desired-capacity",
        ),
        image=IMAGE,
        labels={"role": "web", "asg": "web-blue"},
        origin="inventory.yaml:7",
        accounting=Accounting(raw=46, folded=39, allowed=7, unexplained=0),
        mutations=(
            judged(
                setting_changed(),
                Severity.HIGH,
                Action.REPLACE,
                cohort=Cohort(kind=CohortClass.ALL_LATER, hosts=40, of=40, later=38, unsure=2),
                returned=True,
            ),
            judged(
                package_installed(),
                Severity.MEDIUM,
                Action.ROTATE,
                cohort=Cohort(kind=CohortClass.ONE, hosts=1, of=40, otherwise=3),
            ),
            replace(judged(waived, Severity.LOW, Action.OBSERVE, State.WAIVED), waiver=WAIVER),
        ),
        controls=(
            control(1, Result.PASS, Severity.HIGH),
            control(2, Result.FAIL, Severity.MEDIUM),
            control(3, Result.UNKNOWN, Severity.LOW),
            control(4, Result.NOT_APPLICABLE, Severity.LOW),
        ),
        coverage=COMPLETE,
        files=FileCoverage(seen=33012, hashed=33012),
        timings={"connect": 31, "capture": 1200, "compare": 88},
        since=Since(
            new=("F-00000001",),
            updated=("F-00000002",),
            resolved=(
                Resolved(id="F-000000ff", title="/etc/\x1b[31m<b>|gone added", severity=Severity.MEDIUM, why="gone"),
            ),
        ),
    )


def attacked() -> HostResult:
    """A host that lies and attacks its reader."""
    return HostResult(
        host="web-2\x1b[31m",
        target="ssh://web-2:22",
        verdict=Verdict.FINDINGS,
        recommendation=recommendation(
            Action.QUARANTINE,
            "A binary that no package owns runs: \x1b[2J<script>`x`|",
            "F-00000003",
            counterfactual="would be investigate without F-00000003",
        ),
        image=IMAGE,
        accounting=Accounting(raw=12, folded=12),
        mutations=(
            judged(
                hostile(),
                Severity.CRITICAL,
                Action.QUARANTINE,
                cohort=Cohort(
                    kind=CohortClass.SOME,
                    hosts=2,
                    of=40,
                    by=(
                        Separator("az", Relation.IS, "eu\x1b[31m-west<b>1</b>|"),
                        Separator("launch_time", Relation.SINCE, "2026-11-20T08:00:00Z"),
                    ),
                ),
            ),
        ),
        coverage=(
            CollectorCoverage(
                "sudoers",
                1,
                ("sudo_rule",),
                CollectorStatus.PARTIAL,
                3,
                (Gap("sudoers", Status.FORBIDDEN, "Permission denied \x1b[31m|<i>", ("sudo_rule",)),),
            ),
            *COMPLETE,
        ),
        files=FileCoverage(seen=900, hashed=890, unreadable=9, raced=1),
        torn=("dpkg ran during the scan",),
        not_baselined=("process", "container"),
        notes=("Scanned without root: \x1b[1mshadow was not read.",),
    )


def clean(name: str = "web-3") -> HostResult:
    """A host as it should be."""
    return HostResult(
        host=name,
        target=f"ssh://{name}:22",
        verdict=Verdict.CLEAN,
        recommendation=recommendation(Action.NONE, "Equals image web 2026.11.20."),
        image=IMAGE,
        accounting=Accounting(raw=7, allowed=7),
        coverage=COMPLETE,
        files=FileCoverage(seen=33012, hashed=33012),
    )


def unreachable() -> HostResult:
    """A dead host."""
    return HostResult(
        host="web-4",
        target="ssh://web-4:22",
        verdict=Verdict.UNREACHABLE,
        recommendation=recommendation(Action.INVESTIGATE, "Could not be reached: nothing is known of it."),
        errors=(
            HostErrorRecord(
                kind="unreachable",
                message="web-4 (10.0.0.14) port 22: connection refused",
                hint="Is sshd running there, and is the port right?",
            ),
        ),
    )


PATCHING = (
    ImagePatching(
        id="ami-0web",
        version="2026.11.20",
        manifest_digest=DIGEST,
        hosts=("web-1", "web-2", "web-3", "web-4"),
        upgrades=(
            Upgrade(
                source="openssl",
                system="debian:12",
                version="3.0.15-1~deb12u1",
                installed=("3.0.11-1~deb12u2", "3.0.13-1~deb12u1"),
                packages=("libssl3", "openssl"),
                advisories=("CVE-2024-5535", "CVE-2024-9143"),
                severity="critical",
            ),
            Upgrade(
                source="requests",
                system="pypi",
                version="2.31.0",
                installed=("2.28.1",),
                packages=("<b>@requests",),
                advisories=("PYSEC-2023-74",),
                severity="unknown",
            ),
        ),
        advisories=3,
        severity="critical",
        unfixed=1200,
        ignored=30,
        old_code=(
            OldCode(
                service="nginx.service",
                files=tuple(f"/usr/lib/x86_64-linux-gnu/lib{name}.so.3" for name in ("a", "b", "c", "crypto", "ssl")),
                hosts=("web-1", "web-2", "web-3", "web-4"),
            ),
            OldCode(service="<i>x.service", files=("/usr/bin/x",), hosts=("web-1",)),
        ),
    ),
    ImagePatching(
        id="",
        version="",
        manifest_digest="",
        hosts=("db|1",),
        upgrades=(),
        advisories=0,
        severity="unknown",
        unfixed=1,
        ignored=0,
    ),
)


def fleet() -> ScanResult:
    """All of them, in the inventory's order."""
    given = result(drifted(), attacked(), clean(), unreachable())
    return replace(given, patching=PATCHING, trends=trends(given))


def trends(given: ScanResult) -> Overview:
    """What came and went in the two weeks before, with names as hosts and logs can have them."""
    until = datetime.fromisoformat(given.started_at)
    actors = ("alice", "", "<script>alert(1)</script>", "=cmd|'/c calc'!A1", "x\r\n\x1b[31m\u202e")
    spells = [
        Spell(
            host=f"web-{number % 11}",
            fingerprint=f"F-{number}",
            opened_at=text_of(until - timedelta(hours=5 * number)),
            resolved_at=text_of(until - timedelta(hours=4 * number)) if number % 3 else None,
            cause=tuple(CauseType)[number % 4].value,
            actor=actors[number % len(actors)],
            image="" if number % 4 else "web 2026.11.20",
            groups=("role=web", "note=<b>&amp;") if number % 2 else ("role=web",),
        )
        for number in range(1, 60)
    ]
    return overview(spells, until - timedelta(days=12), until)


def result(*hosts: HostResult, interrupted: bool = False) -> ScanResult:
    """A scan of these hosts."""
    return ScanResult(
        id="S-20261120T100000Z-1f",
        started_at="2026-11-20T10:00:00Z",
        finished_at="2026-11-20T10:00:12Z",
        mode="full",
        hosts=hosts,
        interrupted=interrupted,
        by="alice as root@scanner",
        advisories=(AdvisoryUse(given="advisories/<all>.zip", files=1, digest="sha256:" + "ad" * 32),),
        policies=(PolicyUse("immutable-core", 3, DIGEST, "policies/immutable-core.yaml"),),
        probe_digest="sha256:" + "e1" * 32,
        waivers=((WAIVER, WaiverState.ACTIVE),),
    )
