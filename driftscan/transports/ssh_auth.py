"""Logging in: keys first, a password only where one was given or can be asked for."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from driftscan.errors import AuthenticationError, HostError, UnreachableError
from driftscan.model.names import show
from driftscan.transports.ssh_config import Endpoint
from driftscan.transports.ssh_keyfile import Candidate
from driftscan.transports.ssh_secrets import SSH_PASSWORD, Prompt, Secrets

if TYPE_CHECKING:
    from paramiko import Transport

MAX_QUESTIONS = 8
"""That a host may ask in one login (keyboard-interactive, RFC 4256)."""
_BY_PASSWORD = frozenset({"password", "keyboard-interactive"})


@dataclass(slots=True)
class Login:
    """One attempt to log in to one host."""

    transport: "Transport"
    endpoint: Endpoint
    secrets: Secrets
    prompt: Prompt | None
    notes: list[str] = field(default_factory=list)
    """Why default keys were not tried."""
    tried: list[str] = field(default_factory=list)
    key: str = ""
    """The fingerprint of the key that was taken last."""

    def run(self, candidates: Iterator[Candidate]) -> None:
        """Try keys, then a password. AuthenticationError names what was tried; UnreachableError if the connection
        ends for another reason."""
        allowed = self._keys(candidates)
        if self.transport.is_authenticated():
            return
        if allowed is None:
            allowed = self._ask_methods()
        if _BY_PASSWORD.isdisjoint(allowed) or not self._password(allowed):
            raise self._refused(allowed)

    def _keys(self, candidates: Iterator[Candidate]) -> Sequence[str] | None:
        """Offer keys until one is taken or none is left; the methods that the host then asks for, if it said so."""
        from paramiko import AuthenticationException, BadAuthenticationType, SSHException  # noqa: PLC0415 - heavy

        allowed: Sequence[str] | None = None
        for candidate in candidates:
            self.tried.append(candidate.label)
            try:
                allowed = self.transport.auth_publickey(self.endpoint.user, candidate.key)
            except BadAuthenticationType as error:
                return error.allowed_types
            except AuthenticationException as error:
                if not self.transport.is_active():
                    raise self._closed() from error
                if "timeout" in str(error):
                    raise self._silent() from error
            except (SSHException, EOFError, OSError) as error:
                raise self._failed(error) from error
            else:
                self.key = candidate.key.fingerprint
                if not allowed or "publickey" not in allowed:
                    return allowed
        return allowed

    def _ask_methods(self) -> Sequence[str]:
        from paramiko import BadAuthenticationType, SSHException  # noqa: PLC0415 - heavy

        try:
            return self.transport.auth_none(self.endpoint.user)
        except BadAuthenticationType as error:
            return error.allowed_types
        except (SSHException, EOFError, OSError):
            return ()

    def _password(self, allowed: Sequence[str]) -> bool:
        """Whether a password (and what else the host asks) was taken."""
        from paramiko import AuthenticationException, SSHException  # noqa: PLC0415 - heavy

        password = self.secrets.get(SSH_PASSWORD, f"Password of {self.endpoint}:", self.prompt)
        if not password:
            return False
        self.tried.append("a password")
        try:
            if "password" in allowed:
                rest = self.transport.auth_password(self.endpoint.user, password, fallback=False)
            else:
                rest = self.transport.auth_interactive(self.endpoint.user, self._answers(password))
            if "keyboard-interactive" in rest:
                self.transport.auth_interactive(self.endpoint.user, self._answers(""))
        except AuthenticationException as error:
            if not self.transport.is_active():
                raise self._closed() from error
            return False
        except (SSHException, EOFError, OSError) as error:
            raise self._failed(error) from error
        return self.transport.is_authenticated()

    def _answers(self, password: str) -> "_Answers":
        return _Answers(str(self.endpoint), password, self.prompt)

    def _refused(self, allowed: Sequence[str]) -> AuthenticationError:
        notes = f"; not tried: {'; '.join(self.notes)}" if self.notes else ""
        takes = f"; the host takes {show(', '.join(allowed))}" if allowed else ""
        if not self.tried:
            return AuthenticationError(
                f"{self.endpoint}: there is no key to log in with{notes}{takes}",
                "Name a private key with --identity (inventory: identity), or load one into ssh-agent.",
            )
        return AuthenticationError(
            f"{self.endpoint}: the host refused {', '.join(self.tried)}{notes}{takes}",
            f"Is the right key in authorized_keys of {self.endpoint.user} on that host, and is that the right user?",
        )

    def _closed(self) -> AuthenticationError:
        return AuthenticationError(
            f"{self.endpoint}: the host closed the connection after {', '.join(self.tried) or 'no key'}",
            "sshd allows few attempts (MaxAuthTries): name the one right key with --identity.",
        )

    def _silent(self) -> UnreachableError:
        return UnreachableError(f"{self.endpoint}: no answer to the login", "Is the host overloaded? Try again.")

    def _failed(self, error: Exception) -> HostError:
        """The connection ended in the middle; a key that the agent would not sign with ends it too."""
        if "signing" in str(error) or "agent" in str(error):
            return AuthenticationError(
                f"{self.endpoint}: the agent did not sign with {self.tried[-1]}",
                "Unlock it, confirm its use, or name another key with --identity.",
            )
        if self.tried:
            return self._closed()
        return UnreachableError(f"{self.endpoint}: the connection was lost while logging in", "Try again.")


@dataclass(slots=True)
class _Answers:
    """Answers a host's questions (keyboard-interactive): the first hidden one with the password, others by a person."""

    where: str
    password: str
    prompt: Prompt | None
    questions: int = 0

    def __call__(self, title: str, instructions: str, fields: Sequence[tuple[str, bool]]) -> list[str]:
        return [self._answer(question, shown) for question, shown in fields]

    def _answer(self, question: str, shown: bool) -> str:
        from paramiko import SSHException  # noqa: PLC0415 - heavy

        self.questions += 1
        if self.questions > MAX_QUESTIONS:
            raise SSHException("too many questions")
        if self.password and not shown:
            password, self.password = self.password, ""
            return password
        if self.prompt is None:
            raise SSHException("nobody can be asked")
        return self.prompt(f"{self.where} asks: {show(question[:200])}")
