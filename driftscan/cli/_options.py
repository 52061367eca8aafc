"""Every option of every command. An option that several commands have means the same in all of them."""

import re
from datetime import UTC, datetime, timedelta

from driftscan.cli._command import Option
from driftscan.model.amount import bytes_of
from driftscan.model.finding import Action, Severity
from driftscan.schema_check import quoted

MAX_PORT = 65535
DAY = 86400


def _number(least: int, most: int, text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 9 or not least <= int(text) <= most:
        raise ValueError(f"{quoted(text)} is not a number from {least} to {most}")
    return int(text)


def _port(text: str) -> int:
    return _number(1, MAX_PORT, text)


def _seconds(text: str) -> int:
    return _number(1, DAY, text)


def _workers(text: str) -> int:
    return _number(1, 1000, text)


def _percent(text: str) -> int:
    return _number(1, 6400, text)


def _days(text: str) -> int:
    return _number(1, 366, text)


def _cycle(text: str) -> int:
    return _number(2, 10_000, text)


def _probe(text: str) -> str:
    if not re.fullmatch(r"(/[A-Za-z0-9._+-]+)+", text):
        raise ValueError(f"{quoted(text)} is not an absolute path of plain characters")
    return text


def fail_on(text: str) -> Severity | Action:
    """A severity or an action, by its word. ValueError for anything else."""
    for kind in (Severity, Action):
        if text.upper() in kind.__members__ and text == text.lower() and text != "none":
            return kind[text.upper()]
    words = [item.word for kind in (Severity, Action) for item in kind if item.word != "none"]
    raise ValueError(f"{quoted(text)} is not one of {', '.join(words)}")


_AGE = re.compile(r"([1-9][0-9]{0,4})([hdw])", re.ASCII)
_HOURS = {"h": 1, "d": 24, "w": 168}


def _since(text: str) -> str:
    moment(text, datetime(2000, 1, 1, tzinfo=UTC))
    return text


def moment(text: str, now: datetime) -> datetime:
    """When that was: an age (`12h`, `30d`, `4w`) or a day or time (RFC 3339; without a zone, in UTC). ValueError for
    anything else."""
    if age := _AGE.fullmatch(text):
        return now - timedelta(hours=int(age[1]) * _HOURS[age[2]])
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        expected = "an age such as 12h, 30d, 4w nor a day such as 2026-11-01"
        raise ValueError(f"{quoted(text)} is neither {expected}") from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _kept(text: str) -> int:
    return _number(1, 36_500, text)


QUIET = Option(name="quiet", short="-q", help="say nothing but errors and the data itself")
VERBOSE = Option(
    name="verbose", short="-v", counts=True, help="tell more: every difference, what was waived, phases; -vv: more yet"
)
DEBUG = Option(name="debug", help="show tracebacks and the log of every step")
COLOR = Option(
    name="color",
    metavar="WHEN",
    choices=("auto", "always", "never"),
    default="auto",
    default_text="auto",
    help="colours: on a terminal, always, never; NO_COLOR is honoured",
)
CONFIG = Option(
    name="config",
    metavar="FILE",
    path=True,
    help="config file to read; else driftscan.yaml upward from here, then the user's",
)
COMMON = (QUIET, VERBOSE, DEBUG, COLOR, CONFIG)

INVENTORY = Option(
    name="inventory",
    short="-i",
    metavar="SOURCE",
    many=True,
    path=True,
    help="where hosts come from: a YAML inventory, a list of hosts, or ec2:?region=...; repeatable",
)
LIMIT = Option(
    name="limit",
    short="-l",
    metavar="PATTERN",
    default="",
    help="only these hosts of the inventory: names, groups, globs",
)
USER = Option(name="user", metavar="NAME", help="log in as")
PORT = Option(name="port", metavar="N", parse=_port, help="ssh port")
IDENTITY = Option(name="identity", metavar="FILE", many=True, path=True, help="private key; repeatable")
KNOWN_HOSTS = Option(
    name="known-hosts", metavar="FILE", many=True, path=True, help="known_hosts file instead of the user's; repeatable"
)
SSH_CONFIG = Option(name="ssh-config", metavar="FILE", path=True, help="ssh_config(5) file to heed")
JUMP = Option(name="jump", metavar="HOST", help="reach hosts through [user@]host[:port]")
SUDO = Option(
    name="sudo",
    metavar="WHEN",
    choices=("auto", "always", "never"),
    help="become root with sudo: where it works, or fail, or never",
)
TIMEOUT = Option(name="timeout", metavar="SECONDS", parse=_seconds, help="for each host in all")
ACCEPT = Option(
    name="accept-new-host-keys",
    help="trust a host's key at first sight and record it; a changed key is refused all the same",
)
MAX_CPU = Option(
    name="max-cpu",
    metavar="PERCENT",
    parse=_percent,
    help="of one processor, at most, for the probe on a host; it always has a low priority",
)
MAX_READ = Option(
    name="max-read",
    metavar="RATE",
    parse=bytes_of,
    help="bytes of files that the probe reads in a second at most: 50M",
)
PROBE = Option(
    name="probe",
    metavar="PATH",
    parse=_probe,
    help="run the probe that is baked into the host's image at this path (`probe --write`), instead of sending it",
)
CONNECT = (
    *(INVENTORY, LIMIT, USER, PORT, IDENTITY, KNOWN_HOSTS, SSH_CONFIG, JUMP, SUDO, TIMEOUT, ACCEPT),
    *(MAX_CPU, MAX_READ, PROBE),
)
WORKERS = Option(
    name="workers", metavar="N", parse=_workers, default=0, help="hosts at once; else as many as this machine can serve"
)
STORE = Option(
    name="store",
    metavar="DIR|URL",
    path=True,
    help="where results are kept: a directory, or postgresql://; else driftscan/ in the user's state directory",
)
STORE_REPORTS = Option(
    name="store-reports",
    metavar="DIR|URL",
    path=True,
    help="where the reports of a postgresql:// store are kept, for several scanners: s3://bucket/prefix or a directory",
)

MANIFEST = Option(
    name="manifest",
    short="-m",
    metavar="MANIFEST",
    default="",
    path=True,
    help="what hosts should equal: a manifest, or a registry (directory or s3://) that holds several",
)
POLICY = Option(
    name="policy", short="-p", metavar="POLICY", many=True, path=True, help="a shipped policy or a file; repeatable"
)
ZONES = Option(
    name="zones", metavar="FILE", default="", path=True, help="a file of zones by hand: what may differ, and why"
)
PACKAGES = Option(
    name="packages",
    metavar="DIR",
    many=True,
    path=True,
    help="package archives (.deb, at any depth): what they hold proves, or refutes, what was upgraded; repeatable",
)
ADVISORIES = Option(
    name="advisories",
    metavar="PATH",
    many=True,
    path=True,
    help="known flaws of packages: OSV dumps (zip, JSON, a folder), the Debian security tracker's JSON; repeatable",
)
FAIL_ON = Option(
    name="fail-on",
    metavar="LEVEL",
    parse=fail_on,
    default=Severity.MEDIUM,
    default_text="medium",
    help="exit 1 from this severity (info low medium high critical) or action (observe ... quarantine) on",
)
FULL = Option(name="full", help="read the content of every file; else only a host's first scan does")
QUICK = Option(
    name="quick",
    help="read what has moved since the last scan and a secret share of the rest; a first scan is full all the same",
)
CYCLE = Option(
    name="cycle",
    metavar="SCANS",
    parse=_cycle,
    default=0,
    default_text="168",
    help="quick scans in which every file is read again: 168 are a week of hourly ones",
)
FORMAT = Option(name="format", short="-o", metavar="FORMAT", default="text", default_text="text", help="on the screen")
REPORT = Option(name="report", metavar="FORMAT:PATH", many=True, help="also write a report to a file; repeatable")
SCAN = Option(
    name="scan", metavar="ID", default="last", default_text="last", help="a scan's id, or its first characters"
)
FROM = Option(
    name="from",
    metavar="FILE",
    default="",
    path=True,
    help="a JSON report; for cyclonedx, manifest:FILE or snapshot:FILE",
)
OUTPUT = Option(name="output", short="-o", metavar="FILE", path=True, help="the file to write")
CAPTURES = Option(
    name="captures", metavar="FILE", path=True, help="also keep the raw captures, for replay as capture:FILE"
)
IMAGE_ID = Option(name="image-id", metavar="ID", default="", help="the image's id, as the cloud or os-release names it")
IMAGE_VERSION = Option(name="image-version", metavar="VERSION", default="", help="the image's version")
PACKER_MANIFEST = Option(
    name="packer-manifest",
    metavar="FILE",
    default="",
    path=True,
    help="the JSON that Packer's manifest post-processor wrote: seal the manifest to the image it names",
)
ACCEPT_FINDING = Option(
    name="accept", metavar="ID", many=True, help="accept this finding as a part of the birth; repeatable"
)
REASON = Option(name="reason", metavar="TEXT", default="", help="why what is accepted is right")
AGAIN = Option(name="again", help="record the birth anew, though there is one on record")
WAIVERS = Option(
    name="waivers", metavar="FILE", many=True, path=True, help="accepted findings, each for a time; repeatable"
)
OWNER = Option(name="owner", metavar="NAME", default="", help="who answers for it")
EXPIRES = Option(name="expires", metavar="DAY", default="", help="its last day, in UTC: 2027-01-31")
DAYS = Option(name="days", metavar="N", parse=_days, default=0, help="so many days from now")
TICKET = Option(name="ticket", metavar="ID", default="", help="where it was decided")
UNUSED = Option(name="unused", help="also those that accept nothing")
JSON = Option(name="json", help="as JSON")
MUTATE = Option(name="mutate", help="also flip each fact that a rule reads: some case's result must change")
HOST = Option(name="host", metavar="NAME", help="on this host, where several have it")
PRINT = Option(name="print", help="print the program that is run on hosts")
WRITE = Option(name="write", metavar="FILE", path=True, help="write it as a file, to be put into an image")
SUDOERS = Option(name="sudoers", help="print a sudo rule that allows that file and nothing else")
STREAMED = Option(name="streamed", help="with --sudoers: a rule for scans that send the program; it allows anything")

ALERTS = Option(
    name="alerts",
    metavar="FILE",
    default="",
    path=True,
    help="who is told what changed: a file of channels (docs/alerts.md)",
)
SEND_TEST = Option(name="send-test", help="with --alerts: also send each channel a message that says that it is a test")

EXCLUSIVE = Option(
    name="exclusive", help="do not run beside another scan of the same store and targets that asks for this, too"
)
WAIT = Option(
    name="wait",
    metavar="SECONDS",
    parse=_seconds,
    default=0,
    help="with --exclusive: wait so long for the other; else exit 3 at once",
)
EVERY = Option(
    name="every",
    metavar="TIME",
    choices=("hourly", "daily", "weekly"),
    default="hourly",
    default_text="hourly",
    help="how often",
)

AGAINST = Option(name="against", metavar="MANIFEST", default="", path=True, help="the manifest of the approved image")
DECLARED = Option(
    name="declared",
    metavar="FILE",
    default="",
    path=True,
    help="what the candidate is meant to differ in: packages, files, resources",
)

SINCE = Option(
    name="since",
    metavar="TIME",
    parse=_since,
    default="",
    help="from then on: 12h, 30d or 4w ago, or a day (2026-11-01)",
)
KEEP_DAYS = Option(name="keep-days", metavar="N", parse=_kept, default=0, help="scans that are not older stay")
KEEP_SCANS = Option(name="keep-scans", metavar="N", parse=_kept, default=0, help="so many of the newest scans stay")
BY = Option(
    name="by",
    metavar="WHAT",
    choices=("host", "group", "image", "cause", "actor"),
    default="cause",
    default_text="cause",
    help="a line for each host, label of hosts, image, cause, or who did it",
)

ALL = (
    *COMMON,
    *CONNECT,
    WORKERS,
    STORE,
    STORE_REPORTS,
    MANIFEST,
    POLICY,
    ZONES,
    PACKAGES,
    ADVISORIES,
    FAIL_ON,
    FULL,
    QUICK,
    CYCLE,
    FORMAT,
    REPORT,
    SCAN,
    FROM,
    OUTPUT,
    CAPTURES,
    IMAGE_ID,
    IMAGE_VERSION,
    PACKER_MANIFEST,
    ACCEPT_FINDING,
    REASON,
    AGAIN,
    WAIVERS,
    OWNER,
    EXPIRES,
    DAYS,
    TICKET,
    UNUSED,
    JSON,
    MUTATE,
    HOST,
    PRINT,
    WRITE,
    SUDOERS,
    STREAMED,
    ALERTS,
    SEND_TEST,
    EXCLUSIVE,
    WAIT,
    EVERY,
    AGAINST,
    DECLARED,
    SINCE,
    KEEP_DAYS,
    KEEP_SCANS,
    BY,
)
