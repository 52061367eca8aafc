"""The keys to try on a host, in their order."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from driftscan.errors import AuthenticationError
from driftscan.transports.ssh_agent import Agent
from driftscan.transports.ssh_keyfile import Candidate, KeyFile, KeyRing, UnusableKeyError, read
from driftscan.transports.ssh_secrets import Prompt

DEFAULT_FILES = ("~/.ssh/id_ed25519", "~/.ssh/id_ecdsa", "~/.ssh/id_rsa")


@dataclass(frozen=True, slots=True)
class Search:
    """Which keys to try on a host, and in which order."""

    ring: KeyRing
    prompt: Prompt | None
    files: tuple[str, ...]
    """Named by option or ssh_config; empty: the defaults."""
    only_files: bool
    """The agent's other keys are left out (as IdentitiesOnly does), so that a host's MaxAuthTries is not used up."""

    def candidates(self, agent: Agent, notes: list[str]) -> Iterator[Candidate]:
        """Keys, one at a time: the next is read or decrypted only when it is needed. Why a default key was not tried
        goes into `notes`; a named file that cannot be used raises AuthenticationError."""
        if self.files:
            for path in self.files:
                yield from self._named(path, agent)
            if not self.only_files:
                yield from agent.candidates()
            return
        yield from agent.candidates()
        yield from self._defaults(agent, notes)

    def _named(self, path: str, agent: Agent) -> Sequence[Candidate]:
        try:
            file = read(path)
            if file.encrypted and (held := agent.holding(file)):
                return held
            return self.ring.load(file, self.prompt)
        except UnusableKeyError as error:
            raise AuthenticationError(str(error), error.hint) from error

    def _defaults(self, agent: Agent, notes: list[str]) -> Iterator[Candidate]:
        encrypted: list[KeyFile] = []
        for path in DEFAULT_FILES:
            try:
                file = read(path)
                if agent.holding(file):
                    continue
                if file.encrypted:
                    encrypted.append(file)
                    continue
                yield from self.ring.load(file, self.prompt)
            except UnusableKeyError as error:
                if os.path.lexists(os.path.expanduser(path)):
                    notes.append(str(error))
        for file in encrypted:
            try:
                yield from self.ring.load(file, self.prompt)
            except UnusableKeyError as error:
                notes.append(str(error))
