"""Starting a program as root where that can be had: one exec, one sudo, and no word of the program on a command line.

The exec'd command is constant text (COMMAND) without newline, backslash, exclamation mark or inner quote, so that every
login shell reads it alike: sh, bash, zsh, ksh, fish, csh. It finds out how it may run, says so in one line that
carries a random marker, and then reads the program from its standard input: a size, a newline, that many bytes.
So no limit on arguments applies, and sudo, which logs its whole command line, logs a short one. docs/connecting.md
describes the exchange.
"""

import re
import secrets as random
import time
from dataclasses import dataclass

from driftscan.errors import DeadlineError, HostError, ProbeError, SudoError
from driftscan.model.names import show
from driftscan.transports.program import TAKE_PACKED, framed, missing, trusted
from driftscan.transports.ssh_channel import SshChannel
from driftscan.transports.ssh_secrets import SUDO_PASSWORD, Prompt, Secrets

MAX_NOISE = 1 << 20
"""Bytes that a login shell's start-up files may print before our first line."""
MAX_PROMPTS = 3
PROMPT_SECONDS = 30.0
"""How long sudo may take to ask for the password, and then to judge it."""

# Arguments: MARKER HOW. Announces how it runs and what unpacks a program there, takes that from standard input and runs
# it. The statuses 1, 126 and 127 are what a failing sudo ends with: the program's own are moved, and
# ssh_channel.STATUSES moves them back.
BOOT = (
    'z=cat; if command -v gzip >/dev/null 2>&1; then z="gzip -dc"; fi; '
    f'echo "$1 $2 $z"; {TAKE_PACKED}; shift 2; '
    'if [ -z "$s" ]; then echo "driftscan: no program arrived: dd or $z failed (PATH=$PATH)" >&2; exit 93; fi; '
    '(eval "$s"); '
    "s=$?; case $s in 1) s=241;; 126) s=242;; 127) s=243;; esac; exit $s"
)
# What a shell is asked to do: begin with `first`, run `plain` as who it is, or `root` by sudo. A PATH that somebody's
# start-up files have emptied is filled.
_WRAPPER = (
    "PATH=${PATH:-/usr/sbin:/usr/bin:/sbin:/bin}; export PATH; "
    '%(first)sif [ "$(id -u)" = 0 ]; then %(as_root)s; fi; '
    'if [ "$2" = never ]; then %(as_user)s; fi; '
    "LC_ALL=C; export LC_ALL; "
    "sudo -n -- %(by_sudo)s; s=$?; case $s in 1|126|127) ;; *) exit $s;; esac; "
    'echo "$1 denied" >&2; echo "$1 denied"; IFS= read -r a; '
    'if [ "$a" = password ]; then '
    'sudo -k -S -p "$1 password:" -- %(by_sudo)s; s=$?; '
    "case $s in 1|126|127) ;; *) exit $s;; esac; "
    'echo "$1 refused" >&2; echo "$1 refused"; IFS= read -r a; fi; '
    'if [ "$a" = user ]; then %(as_user)s; fi; exit 1'
)
# Arguments: MARKER MODE BOOT.
WRAPPER = _WRAPPER % {
    "first": "",
    "as_root": 'exec /bin/sh -c "$3" driftscan "$1" root',
    "as_user": 'exec /bin/sh -c "$3" driftscan "$1" user',
    "by_sudo": '/bin/sh -c "$3" driftscan "$1" root',
}
# Arguments: MARKER MODE FILE. Says what the file is, and runs it; by sudo it announces itself.
FILE_WRAPPER = _WRAPPER % {
    "first": 'd=$(sha256sum <"$3" 2>/dev/null); echo "$1 file ${d%% *} $(stat -c %u:%a "$3" 2>/dev/null)"; ',
    "as_root": 'echo "$1 root"; exec "$3"',
    "as_user": 'echo "$1 user"; exec "$3"',
    "by_sudo": '"$3"',
}
# A line with a marker, or what a file that sudo runs says when it begins (`capture.probe.render.as_file`).
_LINE = re.compile(
    rb"(driftscan-[0-9a-f]{32}) "
    rb"((?:root|user)(?: gzip)?|denied|refused|file(?: [0-9a-f]{64} [0-9]{1,10}:[0-7]{1,4})?)[^\n]*\n"
    rb"|^driftscan-probe\n",
    re.MULTILINE,
)
_LONGEST_LINE = 256


def _marker() -> str:
    return "driftscan-" + random.token_hex(16)


def command(marker: str, mode: str) -> str:
    """What the login shell is asked to run."""
    return f"exec /bin/sh -c '{WRAPPER}' driftscan {marker} {mode} '{BOOT}'"


def file_command(marker: str, mode: str, path: str) -> str:
    """The same for a program that is a file of the host; `path` has plain characters alone."""
    return f"exec /bin/sh -c '{FILE_WRAPPER}' driftscan {marker} {mode} {path}"


@dataclass(frozen=True, slots=True)
class Elevation:
    """How root is to be had on a host."""

    mode: str
    """auto, always, never."""
    user: str
    where: str
    secrets: Secrets
    prompt: Prompt | None
    deadline: float

    def start(self, channel: SshChannel, script: str, arguments: tuple[str, ...]) -> bool:
        """Run a script in a fresh channel; whether it runs as root. What follows on its standard input is its own.
        SudoError, ProbeError, DeadlineError, UnreachableError."""
        marker = _marker()
        channel.start(command(marker, self.mode))
        who, _, packed = self._started(channel, marker).partition(" ")
        channel.write(framed(script, arguments, packed=bool(packed)))
        return who == "root"

    def start_file(self, channel: SshChannel, path: str) -> tuple[bool, str]:
        """The same for a program that is a file of the host, if it is root's alone; and its digest."""
        marker = _marker()
        channel.start(file_command(marker, self.mode, path))
        said = self._answer(channel, marker, self.deadline).split(" ")
        if said[0] != "file" or len(said) != 3:
            raise missing(path, self.where)
        _, digest, facts = said
        owner, _, mode = facts.partition(":")
        trusted(path, self.where, int(owner), int(mode, 8))
        return self._started(channel, marker) == "root", f"sha256:{digest}"

    def _started(self, channel: SshChannel, marker: str) -> str:
        """How the program runs, once it runs: root or user, and ` gzip` if it may be packed."""
        how = self._answer(channel, marker, self.deadline)
        if how == "denied":
            how = self._denied(channel, marker)
        channel.forget_stderr()
        return how

    def _denied(self, channel: SshChannel, marker: str) -> str:
        """`sudo -n` did not work: with a password, or without root."""
        said = self._said(channel, marker, "denied")
        password = ""
        if "password" in said or "authentication" in said:
            password = self.secrets.get(SUDO_PASSWORD, self._question, self.prompt)
            if password:
                how = self._with_password(channel, marker, password)
                if how.startswith("root"):
                    return how
                said = self._said(channel, marker, "refused")
                if "incorrect password" in said:
                    raise self._wrong_password()
        if self.mode == "always":
            raise SudoError(
                f"{self.where}: no root rights by sudo: {said or 'sudo failed without a word'}", _hint(said, password)
            )
        channel.write(b"user\n")
        return self._answer(channel, marker, self.deadline)

    def _said(self, channel: SshChannel, marker: str, word: str) -> str:
        """The last line of what sudo wrote before the wrapper went on: the two streams arrive independently, so the
        wrapper's word is on both."""
        end = f"{marker} {word}".encode()
        patience = min(self.deadline, time.monotonic() + 5)
        while end not in channel.stderr_so_far() and time.monotonic() < patience:
            time.sleep(0.005)
        return _last_line(channel.stderr_so_far().partition(end)[0].replace(f"{marker} password:".encode(), b"\n"))

    @property
    def _question(self) -> str:
        return f"sudo password of {self.user}:"

    def _with_password(self, channel: SshChannel, marker: str, password: str) -> str:
        """Feed the password when sudo asks for it, and at no other time: root or refused."""
        channel.write(b"password\n")
        asked = f"{marker} password:".encode()
        prompts = 0
        limit = min(self.deadline, time.monotonic() + PROMPT_SECONDS)
        while True:
            how = self._answer(channel, marker, time.monotonic() + 0.02, quiet=True)
            if how:
                return how
            if channel.stderr_so_far().count(asked) > prompts:
                prompts += 1
                if prompts > 1:
                    password = self._another(password, prompts)
                channel.write(password.encode() + b"\n")
                limit = min(self.deadline, time.monotonic() + PROMPT_SECONDS)
            elif time.monotonic() >= limit:
                raise SudoError(
                    f"{self.where}: sudo neither asked for a password in the usual way nor went on",
                    "driftscan can answer one password question; use NOPASSWD for its account.",
                )

    def _another(self, wrong: str, prompts: int) -> str:
        password = self.secrets.ask_again(self._question, wrong, self.prompt) if prompts <= MAX_PROMPTS else ""
        if not password or password == wrong:
            raise self._wrong_password()
        return password

    def _wrong_password(self) -> SudoError:
        return SudoError(
            f"{self.where}: the host refused the sudo password of {self.user}",
            f"Give the right one at the prompt or in {SUDO_PASSWORD}.",
        )

    def _answer(self, channel: SshChannel, marker: str, deadline: float, *, quiet: bool = False) -> str:
        """The words of the next line with our marker, or root for a file that sudo has started. What stands before it
        is a start-up file's chatter. Empty if `quiet` and there is none by the deadline."""
        mark = marker.encode()
        seen = bytearray()
        looked = 0
        while (match := _spoken(seen, looked, mark)) is None:
            looked = max(0, len(seen) - _LONGEST_LINE)
            if len(seen) > MAX_NOISE:
                raise ProbeError(f"{self.where} prints without end before it runs a program", _SHELL_HINT)
            try:
                data = channel.read(deadline)
            except DeadlineError:
                if not quiet:
                    raise
                channel.unread(bytes(seen))
                return ""
            if not data:
                raise self._silent(channel, bytes(seen))
            seen += data
        channel.unread(bytes(seen[match.end() :]))
        return (match[2] or b"root").decode()

    def _silent(self, channel: SshChannel, seen: bytes) -> HostError:
        """The program ended before our first line: no usable login shell, mostly."""
        try:
            status = str(channel.ended(min(self.deadline, time.monotonic() + 5)).status)
        except DeadlineError:
            status = "unknown"
        said = _last_line(seen) or _last_line(channel.stderr_so_far())
        words = f"; it said: {said}" if said else ""
        return ProbeError(f"{self.where} ran no program (status {status}){words}", _SHELL_HINT)


def _spoken(seen: bytearray, start: int, mark: bytes) -> "re.Match[bytes] | None":
    """The first line that is meant for us."""
    return next((match for match in _LINE.finditer(seen, start) if match[1] in (None, mark)), None)


_SHELL_HINT = "Does `ssh HOST true` work? The account needs a login shell that runs commands, and no forced command."


def _last_line(data: bytes) -> str:
    return show(data.decode("utf-8", "replace").strip().rpartition("\n")[2][:300])


def _hint(said: str, password: str) -> str:
    if "tty" in said:
        return "Remove requiretty for this account from sudoers (Defaults:USER !requiretty)."
    if not password and "password" in said:
        return f"Set {SUDO_PASSWORD}, run driftscan at a terminal, or give the account NOPASSWD in sudoers."
    return "Give the account the right in sudoers, log in as root, or use --sudo never and accept gaps."
