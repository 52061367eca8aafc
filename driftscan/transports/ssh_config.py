"""How to reach a host, with the user's ssh_config taken into account: explicit options first, then its settings.

The settings are asked of `ssh -G` (ssh(1)), which knows Include, Match and canonical names; without an ssh program the
file is read by paramiko's parser, and what that parser gets wrong is refused. Settings that count: HostName, User,
Port, IdentityFile, IdentitiesOnly, IdentityAgent, ProxyJump, UserKnownHostsFile, GlobalKnownHostsFile, HostKeyAlias.
"""

import getpass
import os
import re
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from driftscan.errors import UnreachableError
from driftscan.model.host import ConnectOptions
from driftscan.transports._process import run_tool

USER_FILES = ("~/.ssh/known_hosts", "~/.ssh/known_hosts2")
SYSTEM_FILES = ("/etc/ssh/ssh_known_hosts", "/etc/ssh/ssh_known_hosts2")
TOOL_SECONDS = 15.0
MAX_CONFIG = 1 << 20

Settings = Mapping[str, tuple[str, ...]]
"""Values by keyword in lower case, as `ssh -G` prints them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One machine to connect to, every question of configuration settled."""

    address: str
    port: int
    user: str
    identity: tuple[str, ...] = ()
    """Named key files; empty: the agent, then the default keys."""
    identities_only: bool = False
    agent: str = ""
    """IdentityAgent: a path, `none`, or empty for the environment's."""
    known_hosts: tuple[str, ...] = field(default=(*USER_FILES, *SYSTEM_FILES))
    key_alias: str = ""
    """The name under which the host key is on record, where that is not the address."""
    jump: str = ""
    """[user@]host[:port]; empty: none."""

    def __str__(self) -> str:
        """user@address:port, for messages."""
        address = f"[{self.address}]" if ":" in self.address else self.address
        return f"{self.user}@{address}" + (f":{self.port}" if self.port != 22 else "")


def resolve(address: str, options: ConnectOptions) -> Endpoint:
    """The endpoint of a host. UnreachableError where its ssh_config asks for what is not supported."""
    settings = _settings(address, options)
    host = _one(settings, "hostname") or address
    user = options.user or _one(settings, "user") or getpass.getuser()
    tokens = {"%": "%", "d": os.path.expanduser("~"), "h": host, "n": address, "r": user, "u": getpass.getuser()}
    listed = settings.get("identityfile", ())
    configured = () if _are_defaults(listed) else _paths(listed, tokens)
    own = _paths(_words(settings, "userknownhostsfile", USER_FILES), tokens)
    system = _paths(_words(settings, "globalknownhostsfile", SYSTEM_FILES), tokens)
    return Endpoint(
        address=host,
        port=options.port if options.port != 22 else _port(_one(settings, "port"), address),
        user=user,
        identity=options.identity or tuple(path for path in configured if os.path.exists(path)),
        identities_only=bool(options.identity) or _one(settings, "identitiesonly") == "yes",
        agent=_one(settings, "identityagent"),
        known_hosts=options.known_hosts or own + system,
        key_alias=_one(settings, "hostkeyalias"),
        jump=options.jump or _jump(settings, address),
    )


def resolve_jump(spec: str, options: ConnectOptions) -> Endpoint:
    """The endpoint of a jump host `[user@]host[:port]`, which is reached directly; keys and known_hosts are those of
    the hosts behind it unless ssh_config knows better."""
    user, address, port = split_jump(spec)
    own = replace(options, user=user, port=port or 22, jump="")
    endpoint = resolve(address, own)
    if endpoint.jump and split_jump(endpoint.jump)[1] != address:
        raise UnreachableError(
            f"jump host {address}: ssh_config says that it is itself behind {endpoint.jump}",
            "One jump host is supported: set ProxyJump none for it, or run driftscan from a host nearer by.",
        )
    return replace(endpoint, jump="", user=endpoint.user)


def split_jump(spec: str) -> tuple[str, str, int]:
    """User (empty: none given), host and port (0: none given) of `[user@]host[:port]`, an IPv6 address in brackets.
    UnreachableError for anything else."""
    match = re.fullmatch(
        r"(?:ssh://)?(?:(?P<user>[^@\s]{1,64})@)?(?:\[(?P<v6>[0-9A-Fa-f:.%a-z]{2,64})\]|(?P<host>[^\s:@,/\[\]]{1,255}))"
        r"(?::(?P<port>[0-9]{1,5}))?/?",
        spec,
    )
    if match is None or not 0 <= int(match["port"] or 0) <= 65535:
        raise UnreachableError(
            f"jump host {spec!r} is not [user@]host[:port]", "One jump host can be given, not a list."
        )
    return match["user"] or "", match["v6"] or match["host"], int(match["port"] or 0)


def _settings(address: str, options: ConnectOptions) -> Settings:
    path = options.ssh_config or os.path.expanduser("~/.ssh/config")
    if not os.path.exists(path):
        if options.ssh_config:
            raise UnreachableError(f"ssh_config file {path} does not exist", "Correct --ssh-config.")
        return {}
    if address.startswith("-"):
        raise UnreachableError(f"{address!r} is not a host name", "A name cannot begin with a hyphen.")
    program = shutil.which("ssh")
    settings = _ask_ssh(program, path, address, options) if program else _read_file(path, address)
    if _one(settings, "proxycommand") not in {"", "none"}:
        raise UnreachableError(
            f"{address}: ssh_config reaches it through a ProxyCommand, which is not supported",
            "Use ProxyJump, or give an address that can be reached directly.",
        )
    return settings


def _ask_ssh(program: str, path: str, address: str, options: ConnectOptions) -> Settings:
    argv = [program, "-G"]
    if options.ssh_config:
        argv += ["-F", path]
    if options.user:
        argv += ["-l", options.user]
    if options.port != 22:
        argv += ["-p", str(options.port)]
    status, output = run_tool([*argv, "--", address], TOOL_SECONDS)
    if status != 0:
        raise UnreachableError(
            f"{address}: ssh_config {path} could not be evaluated (ssh -G ended with status {status})",
            f"See what is wrong with it: {' '.join(argv)} {address}",
        )
    found: dict[str, list[str]] = {}
    for line in output.decode("utf-8", "replace").splitlines():
        keyword, _, value = line.partition(" ")
        found.setdefault(keyword.lower(), []).append(value.strip())
    return {keyword: tuple(values) for keyword, values in found.items()}


def _read_file(path: str, address: str) -> Settings:
    from paramiko import SSHConfig  # noqa: PLC0415 - heavy
    from paramiko.ssh_exception import ConfigParseError, CouldNotCanonicalize  # noqa: PLC0415 - heavy

    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            text = file.read(MAX_CONFIG)
        _refuse_unknown(text, path)
        found = SSHConfig.from_text(text).lookup(address)
    except (OSError, ConfigParseError, CouldNotCanonicalize) as error:
        raise UnreachableError(f"ssh_config {path} cannot be read: {error}", "Correct it.") from error
    return {keyword: _values(value) for keyword, value in found.items()}


def _values(value: object) -> tuple[str, ...]:
    return tuple(value) if isinstance(value, list) else (str(value),)


def _refuse_unknown(text: str, path: str) -> None:
    """What paramiko's parser would silently get wrong, since following half a configuration could reach another
    machine than ssh does."""
    for number, line in enumerate(text.splitlines(), start=1):
        words = line.replace("=", " ", 1).split()
        keyword = words[0].lower() if words else ""
        unknown = keyword == "include"
        if keyword == "match":
            unknown = any(
                word.lower() in {"exec", "localnetwork", "tagged", "canonical", "final"} for word in words[1:]
            )
        if unknown:
            raise UnreachableError(
                f"{path}:{number}: {' '.join(words[:2])} cannot be followed without an ssh program",
                "Install the OpenSSH client, or name a simpler file with --ssh-config.",
            )


def _one(settings: Settings, keyword: str) -> str:
    values = settings.get(keyword, ())
    return values[0].strip('"') if values else ""


def _port(text: str, address: str) -> int:
    if not text:
        return 22
    if not re.fullmatch("[0-9]{1,5}", text) or not 0 < int(text) <= 65535:
        raise UnreachableError(f"{address}: ssh_config gives {text[:20]!r} as its port", "Correct it.")
    return int(text)


def _words(settings: Settings, keyword: str, default: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(word for value in settings.get(keyword, ()) for word in value.split()) or default


def _paths(names: Iterable[str], tokens: Mapping[str, str]) -> tuple[str, ...]:
    """File names with `~` and the tokens of ssh_config(5) filled in; an unknown token stays."""
    filled = (re.sub("%(.)", lambda match: tokens.get(match[1], match[0]), name.strip('"')) for name in names)
    return tuple(os.path.expanduser(name) for name in filled if name != "none")


def _jump(settings: Settings, address: str) -> str:
    jump = _one(settings, "proxyjump")
    if "," in jump:
        raise UnreachableError(f"{address}: ssh_config gives several jump hosts, {jump}", "One jump host is supported.")
    return "" if jump == "none" else jump


def _are_defaults(listed: tuple[str, ...]) -> bool:
    """Whether these are the key files that `ssh -G` prints where the configuration names none."""
    names = {f"~/.ssh/id_{name}" for name in ("rsa", "ecdsa", "ecdsa_sk", "ed25519", "ed25519_sk", "xmss", "dsa")}
    return len(listed) > 3 and names.issuperset(listed)
