"""Whether the key that a host shows is the one on record. Decided before anything else is sent to it.

The rules are those of ssh(1) with StrictHostKeyChecking=yes: a key on record for the host, or a valid host
certificate of an authority on record for it; a revoked key or authority is refused before all else.
"""

import shlex
import time
from dataclasses import dataclass, replace

from driftscan.errors import HostKeyChangedError, HostKeyUnknownError
from driftscan.transports import known_hosts, ssh_certificate
from driftscan.transports.known_hosts import HostKey, KnownHosts, Record

# Signature algorithms to negotiate for a key type, best first (RFC 8332 for RSA: SHA-1 is never offered).
_ALGORITHMS = {
    "ssh-ed25519": ("ssh-ed25519",),
    "ecdsa-sha2-nistp256": ("ecdsa-sha2-nistp256",),
    "ecdsa-sha2-nistp384": ("ecdsa-sha2-nistp384",),
    "ecdsa-sha2-nistp521": ("ecdsa-sha2-nistp521",),
    "ssh-rsa": ("rsa-sha2-512", "rsa-sha2-256"),
}
PLAIN = tuple(name for names in _ALGORITHMS.values() for name in names)


@dataclass(frozen=True, slots=True)
class HostKeyPolicy:
    """What one host's key is checked against. Made by `policy_for`."""

    address: str
    """What the key is on record for: the address that is connected to, or ssh_config's HostKeyAlias."""
    port: int
    record: Record
    stand_ins: tuple[HostKey, ...] = ()
    """Keys on record for the bare name of a host on another port than 22, of which itself nothing is known: good for
    it too, but no reason to call another key changed."""
    own_file: str = ""
    """The scanner's own known_hosts file; empty where there is none."""
    accept_new: bool = False

    @property
    def name(self) -> str:
        """The host as known_hosts writes it."""
        return known_hosts.lookup_name(self.address, self.port)

    def algorithms(self) -> tuple[str, ...]:
        """Host key algorithms to offer, those on record first: a host with several keys is then asked for the one we
        know. Certificates are asked for only where an authority is on record."""
        on_record = tuple(entry.key for entry in self.record.keys) or self.stand_ins
        known_types = {key.type for key in on_record}
        first = tuple(name for kind, names in _ALGORITHMS.items() if kind in known_types for name in names)
        certified = tuple(name + ssh_certificate.SUFFIX for name in PLAIN) if self.record.authorities else ()
        return certified + first + tuple(name for name in PLAIN if name not in first)

    def check(self, shown: HostKey, certificate: bytes = b"") -> None:
        """Return if the host may be trusted. `shown` is its plain key; `certificate` the certificate of it, if it
        showed one. HostKeyChangedError, HostKeyUnknownError otherwise."""
        parsed = self._parsed(certificate)
        self._refuse_revoked(shown, parsed)
        if parsed is not None and self._certified(parsed):
            return
        if any(entry.key == shown for entry in self.record.keys) or shown in self.stand_ins:
            return
        if self.record.keys:
            raise self._changed(shown, self.record)
        if not self.accept_new or not self.own_file:
            raise self._unknown(shown)
        self._accept(shown)

    def _parsed(self, blob: bytes) -> ssh_certificate.Certificate | None:
        if not blob:
            return None
        try:
            return ssh_certificate.parse(blob)
        except ValueError as error:
            raise HostKeyChangedError(
                f"{self.name} shows a malformed host certificate: {error}", "Nothing was sent. Check that host."
            ) from error

    def _refuse_revoked(self, shown: HostKey, certificate: ssh_certificate.Certificate | None) -> None:
        for entry in self.record.revoked:
            if entry.key == shown or (certificate is not None and entry.key.blob == certificate.authority):
                what = "key" if entry.key == shown else "certificate authority"
                raise HostKeyChangedError(
                    f"{self.name} shows a revoked {what}, {entry.key.fingerprint} (revoked in {entry.origin})",
                    "Nothing was sent. Replace the host: someone may be using a key that was withdrawn.",
                )

    def _certified(self, certificate: ssh_certificate.Certificate) -> bool:
        """Whether an authority on record vouches for the host. An unknown authority leaves the plain key to be
        judged; a known one whose certificate is no good ends the matter."""
        if not any(entry.key.blob == certificate.authority for entry in self.record.authorities):
            return False
        if not ssh_certificate.signed_by_authority(certificate):
            raise HostKeyChangedError(
                f"{self.name} shows a host certificate that its authority did not sign",
                "Nothing was sent. Somebody may be forging this host.",
            )
        if objection := ssh_certificate.host_objection(certificate, self.address, time.time()):
            raise HostKeyUnknownError(
                f"{self.name}: its host certificate {certificate.key_id!r} {objection}",
                "Have the host's certificate signed anew, for the name or address that the inventory uses.",
            )
        return True

    def _changed(self, shown: HostKey, record: Record) -> HostKeyChangedError:
        entry = next((entry for entry in record.keys if entry.key.type == shown.type), record.keys[0])
        return HostKeyChangedError(
            f"{self.name} shows another host key than the one on record: {shown.type} {shown.fingerprint}, "
            f"where {entry.origin} has {entry.key.type} {entry.key.fingerprint}",
            "Nothing was sent. If the host was replaced and its new fingerprint is as its console or cloud says, "
            f"forget the old key with: ssh-keygen -R {shlex.quote(self.name)} -f {_file(entry.origin)}",
        )

    def _unknown(self, shown: HostKey) -> HostKeyUnknownError:
        port = f"-p {self.port} " if self.port != 22 else ""
        where = shlex.quote(self.own_file) if self.own_file else "~/.ssh/known_hosts"
        return HostKeyUnknownError(
            f"the host key of {self.name} is not on record: {shown.type} {shown.fingerprint}",
            "Compare the fingerprint with what the host's console or cloud says, then record it with: "
            f"ssh-keyscan {port}{shlex.quote(self.address)} >> {where}, or use --accept-new-host-keys.",
        )

    def _accept(self, shown: HostKey) -> None:
        try:
            record = known_hosts.record(self.own_file, self.name, shown)
        except OSError as error:
            raise HostKeyUnknownError(
                f"the new host key of {self.name} cannot be recorded in {self.own_file}: {error.strerror}",
                "Make that file writable, or record the key elsewhere and name the file with --known-hosts.",
            ) from error
        if all(entry.key != shown for entry in record.keys):
            # Another thread met this address in the same moment and was shown another key.
            raise self._changed(shown, record)


def policy_for(
    known: KnownHosts, address: str, port: int, own_file: str = "", accept_new: bool = False
) -> HostKeyPolicy:
    """What is on record for a host, looked up once. As ssh does, the bare name stands in for a host on another port of
    which nothing is known; revoked keys count under either name."""
    found = known.find(address, port)
    stand_ins: tuple[HostKey, ...] = ()
    if port != 22:
        bare = known.find_name(address)
        if not found.keys and not found.authorities:
            stand_ins = tuple(entry.key for entry in bare.keys)
            found = replace(found, authorities=bare.authorities)
        found = replace(found, revoked=found.revoked + bare.revoked)
    return HostKeyPolicy(address, port, found, stand_ins, own_file, accept_new)


def _file(origin: str) -> str:
    return shlex.quote(origin.rpartition(":")[0])
