"""known_hosts files: which keys, certificate authorities and revoked keys are on record for a host.

Format: sshd(8), "SSH_KNOWN_HOSTS FILE FORMAT": `[@marker] hosts keytype base64 [comment]`. Hosts are a comma-separated
list of patterns (`*`, `?`, negation by a leading `!`), or one name hashed as `|1|salt|HMAC-SHA1`; a port other than 22
is written `[host]:port`. Markers are `@cert-authority` and `@revoked`.
"""

import base64
import binascii
import contextlib
import fcntl
import hashlib
import hmac
import os
import struct
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

CERT_AUTHORITY = "@cert-authority"
REVOKED = "@revoked"
KEY_TYPES = frozenset(
    {
        "ssh-ed25519",
        "ssh-rsa",
        "ecdsa-sha2-nistp256",
        "ecdsa-sha2-nistp384",
        "ecdsa-sha2-nistp521",
        "sk-ssh-ed25519@openssh.com",
        "sk-ecdsa-sha2-nistp256@openssh.com",
    }
)
"""Types that count as "on record". ssh-dss does not: OpenSSH too takes such lines for unreadable."""

SHA1_BYTES = 20
MAX_FILE = 64 << 20
"""Bytes that are read of one file."""


@dataclass(frozen=True, slots=True)
class HostKey:
    """A public key as it stands in known_hosts: its type and its wire format (RFC 4253 section 6.6)."""

    type: str
    blob: bytes

    @property
    def fingerprint(self) -> str:
        """`SHA256:…` as ssh-keygen -l writes it."""
        return "SHA256:" + base64.b64encode(hashlib.sha256(self.blob).digest()).decode().rstrip("=")


@dataclass(frozen=True, slots=True)
class Entry:
    """One line."""

    marker: str
    hosts: str
    key: HostKey
    origin: str
    """file:line."""


@dataclass(frozen=True, slots=True)
class Record:
    """What is on record of one host."""

    keys: tuple[Entry, ...] = ()
    authorities: tuple[Entry, ...] = ()
    revoked: tuple[Entry, ...] = ()


@dataclass(slots=True)
class KnownHostsFile:
    """The entries of one file, in their order. `notes` names every line that could not be used, and why."""

    entries: list[Entry] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    _exact: dict[str, list[int]] = field(default_factory=dict)
    """Entries that one plain name selects, by that name: most lines of most files."""
    _matched: list[tuple[int, Callable[[str], bool]]] = field(default_factory=list)
    """Entries that must be matched one by one: hashes, patterns."""

    def add(self, entry: Entry) -> None:
        """Append an entry. ValueError if its hosts are malformed."""
        position = len(self.entries)
        if any(sign in entry.hosts for sign in "*?!|"):
            self._matched.append((position, host_matcher(entry.hosts)))
        else:
            for name in set(entry.hosts.lower().split(",")):
                self._exact.setdefault(name, []).append(position)
        self.entries.append(entry)

    def find_name(self, name: str) -> Record:
        """What is on record for a name as known_hosts writes it: `host` or `[host]:port`."""
        name = name.lower()
        chosen = set(self._exact.get(name, ()))
        chosen.update(position for position, matches in self._matched if matches(name))
        found = [self.entries[position] for position in sorted(chosen)]
        return Record(
            keys=tuple(entry for entry in found if not entry.marker),
            authorities=tuple(entry for entry in found if entry.marker == CERT_AUTHORITY),
            revoked=tuple(entry for entry in found if entry.marker == REVOKED),
        )


@dataclass(frozen=True, slots=True)
class KnownHosts:
    """Several files, of which the first comes first."""

    files: tuple[KnownHostsFile, ...]

    @property
    def notes(self) -> list[str]:
        """What could not be used, of all files."""
        return [note for file in self.files for note in file.notes]

    def find_name(self, name: str) -> Record:
        """As KnownHostsFile.find_name, of all files."""
        found = [file.find_name(name) for file in self.files]
        return Record(
            keys=tuple(entry for record in found for entry in record.keys),
            authorities=tuple(entry for record in found for entry in record.authorities),
            revoked=tuple(entry for record in found for entry in record.revoked),
        )

    def find(self, address: str, port: int) -> Record:
        """What is on record for a host; on another port than 22 it is looked up as `[host]:port`."""
        return self.find_name(lookup_name(address, port))


def lookup_name(address: str, port: int) -> str:
    """The name under which known_hosts has a host."""
    return address.lower() if port == 22 else f"[{address.lower()}]:{port}"


def load(paths: Iterable[str]) -> KnownHosts:
    """Read files. One that does not exist is empty; one that cannot be read, and each bad line, is noted."""
    return KnownHosts(tuple(_load_one(path) for path in paths))


def _load_one(path: str) -> KnownHostsFile:
    try:
        with open(path, "rb") as file:
            return parse(file.read(MAX_FILE), path)
    except FileNotFoundError:
        return KnownHostsFile()
    except OSError as error:
        return KnownHostsFile(notes=[f"{path}: {error.strerror}"])


def parse(data: bytes, origin: str) -> KnownHostsFile:
    """The lines of a file; `origin` is its name. Never raises: a bad line is skipped and noted."""
    known = KnownHostsFile()
    for number, raw in enumerate(data.split(b"\n"), start=1):
        line = raw.decode("utf-8", "replace").strip()
        if not line or line.startswith("#"):
            continue
        try:
            known.add(_entry(line, f"{origin}:{number}"))
        except ValueError as error:
            known.notes.append(f"{origin}:{number}: {error}")
    return known


def _entry(line: str, origin: str) -> Entry:
    """The entry of a line. ValueError says why there is none."""
    fields = line.split(None, 4)
    marker = fields.pop(0) if line.startswith("@") else ""
    if marker not in {"", CERT_AUTHORITY, REVOKED}:
        raise ValueError(f"unknown marker {marker[:40]}")
    if len(fields) < 3:
        raise ValueError("fewer than three fields (hosts, key type, key)")
    hosts, kind, text = fields[:3]
    if kind not in KEY_TYPES:
        raise ValueError(f"key type {kind[:40]} is not supported")
    try:
        blob = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("the key is not base64") from None
    if not blob.startswith(struct.pack(">I", len(kind)) + kind.encode()):
        raise ValueError("the key is not of the type that the line names")
    return Entry(marker, hosts, HostKey(kind, blob), origin)


def host_matcher(hosts: str) -> Callable[[str], bool]:
    """Whether the hosts field of a line selects a name (lower case), as a function of the name. A matching negated
    pattern refuses the line whatever else matches; case does not count. ValueError for a malformed hash."""
    if "|" in hosts:
        salt, digest = _salt_and_hash(hosts)
        return lambda name: hmac.digest(salt, name.encode(), "sha1") == digest
    patterns = [(pattern.startswith("!"), pattern.removeprefix("!")) for pattern in hosts.lower().split(",")]

    def matches(name: str) -> bool:
        found = {negated for negated, pattern in patterns if wildcard_match(pattern, name)}
        return found == {False}

    return matches


def _salt_and_hash(hosts: str) -> tuple[bytes, bytes]:
    parts = hosts.split("|")
    try:
        salt, digest = (base64.b64decode(part, validate=True) for part in parts[2:])
    except (binascii.Error, ValueError):
        salt = digest = b""
    if parts[:2] != ["", "1"] or len(digest) != SHA1_BYTES:
        raise ValueError("the hashed name is not |1|salt|hash")
    return salt, digest


def wildcard_match(pattern: str, name: str) -> bool:
    """ssh's patterns: `*` any run of characters, `?` one; nothing else is special, brackets least of all.
    Takes time in proportion to both lengths at worst: each star is retried from where it last stood."""
    place = at = 0
    star = -1
    resume = 0
    while at < len(name):
        if place < len(pattern) and pattern[place] == "*":
            star, resume = place, at
            place += 1
        elif place < len(pattern) and pattern[place] in ("?", name[at]):
            place += 1
            at += 1
        elif star >= 0:
            resume += 1
            place, at = star + 1, resume
        else:
            return False
    return all(sign == "*" for sign in pattern[place:])


def record(path: str, name: str, key: HostKey) -> Record:
    """Add a key for a name to a file, unless something is on record there for it by now, and return what is then on
    record. The file is replaced as a whole under a lock, so that many threads and processes may call this at once.
    Raises OSError."""
    os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
    with _locked(f"{path}.lock"):
        found = load([path]).find_name(name)
        if found.keys:
            return found
        try:
            with open(path, "rb") as file:
                old = file.read()
        except FileNotFoundError:
            old = b""
        if old and not old.endswith(b"\n"):
            old += b"\n"
        _replace(path, old + f"{name} {key.type} {base64.b64encode(key.blob).decode()}\n".encode())
        return load([path]).find_name(name)


def _replace(path: str, data: bytes) -> None:
    handle, temporary = tempfile.mkstemp(prefix=".known_hosts-", dir=os.path.dirname(path))
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise


@contextlib.contextmanager
def _locked(path: str) -> Iterator[None]:
    # flock belongs to the open file, not to the process: two threads that open it separately exclude each other.
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


class Cache:
    """Parsed files, so that a run over many hosts reads each known_hosts file once per state of it."""

    def __init__(self) -> None:
        """Empty."""
        self._parsed: dict[str, tuple[tuple[int, ...], KnownHostsFile]] = {}

    def load(self, paths: Iterable[str]) -> KnownHosts:
        """As `load`, but a file that has not changed is not read again. Safe to call from many threads."""
        return KnownHosts(tuple(self._load_one(path) for path in paths))

    def _load_one(self, path: str) -> KnownHostsFile:
        state = _state(path)
        kept = self._parsed.get(path)
        if kept is None or kept[0] != state:
            kept = self._parsed[path] = (state, _load_one(path))
        return kept[1]


def _state(path: str) -> tuple[int, ...]:
    try:
        status = os.stat(path)
    except OSError:
        return ()
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns
