"""What differs (differences), and what happened (mutations)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from driftscan.model.proof import Proof
from driftscan.model.resource import ResourceId, Value
from driftscan.model.zone import ZoneClass


class Change(StrEnum):
    """How one resource differs. `unknown`: the reference has it, and a gap hides whether the target does."""

    ADDED = "added"
    REMOVED = "removed"
    MODIFIED = "modified"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Delta:
    """One attribute: what the reference says and what the target has. None: absent there."""

    expected: Value
    actual: Value


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One resource that differs. `allowed`: its zone accepts all of it; it is counted, and listed on demand."""

    kind: str
    key: str
    change: Change
    attributes: Mapping[str, Delta] = field(default_factory=dict)
    zone: ZoneClass = ZoneClass.SEALED
    zone_reason: str = ""
    allowed: bool = False
    why: str = ""
    """For what a zone covers and yet refuses: what it refuses (`new executable in a free zone`)."""
    observed: Mapping[str, Value] = field(default_factory=dict)
    """Times, process ids and the like of the target's resource: evidence."""
    text: str = ""
    """A unified diff of a changed setting, where both texts are kept."""

    @property
    def id(self) -> ResourceId:
        """(kind, key)."""
        return (self.kind, self.key)

    @property
    def telling(self) -> Mapping[str, Delta]:
        """The attributes that differ, for people: of a file of another type without those that only one type has (a
        link has no mode), but for where a link leads."""
        if "type" not in self.attributes or self.change is not Change.MODIFIED:
            return self.attributes
        return {
            name: delta
            for name, delta in self.attributes.items()
            if name == "target" or None not in (delta.expected, delta.actual)
        }


class CauseType(StrEnum):
    """The published list of causes (docs/reference/causes.md). A fold yields exactly one of them."""

    PACKAGE_INSTALLED = "package-installed"
    PACKAGE_REMOVED = "package-removed"
    PACKAGE_UPGRADED = "package-upgraded"
    PACKAGE_DOWNGRADED = "package-downgraded"
    PACKAGE_STATE = "package-state"
    LANGUAGE_PACKAGE = "language-package"
    ACCOUNT_ADDED = "account-added"
    ACCOUNT_REMOVED = "account-removed"
    ACCOUNT_CHANGED = "account-changed"
    ACCESS_GRANTED = "access-granted"
    ACCESS_REVOKED = "access-revoked"
    ACCESS_CHANGED = "access-changed"
    SERVICE_ADDED = "service-added"
    SERVICE_REMOVED = "service-removed"
    SERVICE_CHANGED = "service-changed"
    LISTENER_OPENED = "listener-opened"
    LISTENER_CLOSED = "listener-closed"
    PROCESS_FOREIGN = "process-foreign"
    LIBRARY_FOREIGN = "library-foreign"
    CONFIGURATION_CHANGED = "configuration-changed"
    BINARY_ADDED = "binary-added"
    BINARY_CHANGED = "binary-changed"
    PRIVILEGE_BITS = "privilege-bits"
    FILE_ADDED = "file-added"
    FILE_REMOVED = "file-removed"
    FILE_CHANGED = "file-changed"
    KERNEL_CHANGED = "kernel-changed"
    KERNEL_MODULE = "kernel-module"
    SYSCTL_CHANGED = "sysctl-changed"
    MOUNT_CHANGED = "mount-changed"
    NETWORK_CHANGED = "network-changed"
    FIREWALL_CHANGED = "firewall-changed"
    NAME_RESOLUTION_CHANGED = "name-resolution-changed"
    SCHEDULED_JOB_CHANGED = "scheduled-job-changed"
    CERTIFICATE_AUTHORITY = "certificate-authority"
    CONTAINER_CHANGED = "container-changed"
    OS_CHANGED = "os-changed"
    IDENTITY_SHARED = "identity-shared"
    IMAGE_UNKNOWN = "image-unknown"
    HOST_KEY_CHANGED = "host-key-changed"
    COVERAGE_FELL = "coverage-fell"
    LOG_MISSING = "log-missing"
    INTERACTIVE_LOGIN = "interactive-login"
    UNEXPLAINED = "unexplained"


@dataclass(frozen=True, slots=True)
class Uncompared:
    """What one side never spoke of: a `kind`, `kind.attribute` or `kind:glob`, of how many resources, the key of one of
    them, and whether it is the manifest that knows it (else the target)."""

    what: str
    count: int
    example: str
    baked: bool


@dataclass(frozen=True, slots=True)
class Cause:
    """Why: the type, whom it befell (`openssl/amd64`, `deploy`, `/usr/bin/curl`), and one line of detail."""

    type: CauseType
    subject: str
    detail: str = ""


class Grade(StrEnum):
    """How well the attribution is founded. Nothing that a host alone asserts is called proved."""

    RECORDED = "recorded"
    CONSISTENT = "consistent"
    GUESSED = "guessed"
    CONTRADICTED = "contradicted"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Attribution:
    """Who, by which command, when (UTC, RFC 3339), and the evidence as lines for a person."""

    grade: Grade = Grade.NONE
    actor: str | None = None
    command: str | None = None
    at: str | None = None
    evidence: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutation:
    """Differences with one cause. Every difference that is not allowed belongs to exactly one mutation."""

    id: str
    title: str
    cause: Cause
    differences: tuple[Difference, ...]
    attribution: Attribution = Attribution()
    proof: Proof | None = None
    """Of a package operation: how its files were told to be the packages'."""
    content: str = ""
    """A digest of what the target has at the heart of it: equal where one thing happened to two hosts alike."""

    @property
    def explains(self) -> int:
        """How many resources were folded into it."""
        return len(self.differences)


@dataclass(frozen=True, slots=True)
class Accounting:
    """raw = folded + allowed + unexplained, always."""

    raw: int = 0
    folded: int = 0
    allowed: int = 0
    unexplained: int = 0
