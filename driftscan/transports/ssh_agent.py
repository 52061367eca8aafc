"""The keys of a running ssh-agent, and which of them belong to a key file."""

import contextlib
import os
import socket
import struct
from typing import TYPE_CHECKING

from driftscan.model.names import show
from driftscan.transports import ssh_certificate
from driftscan.transports.ssh_keyfile import Candidate, KeyFile, certificate_beside

if TYPE_CHECKING:
    from paramiko.agent import AgentKey

AGENT_TIMEOUT = 60.0
"""Seconds for an answer of the agent, which may ask a person for a confirmation or a touch."""


class Agent:
    """The keys of a running ssh-agent; none where there is no agent. To be closed after authentication."""

    def __init__(self, path: str) -> None:
        """Connect to the agent's socket. An agent that does not answer counts as none."""
        from paramiko import SSHException  # noqa: PLC0415 - heavy
        from paramiko.agent import AgentSSH  # noqa: PLC0415 - heavy

        self._agent = AgentSSH()
        if not path:
            return
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            connection.settimeout(AGENT_TIMEOUT)
            connection.connect(path)
            # The public class knows SSH_AUTH_SOCK alone.
            self._agent._connect(connection)  # type: ignore[attr-defined]  # noqa: SLF001
        except (OSError, SSHException, ValueError, struct.error):
            connection.close()
            self._agent = AgentSSH()
        for key in self._agent.get_keys():
            _show_certificate(key)

    def candidates(self) -> tuple[Candidate, ...]:
        """The agent's keys in its order."""
        return tuple(Candidate(_agent_label(key), key) for key in self._agent.get_keys())

    def holding(self, file: KeyFile) -> tuple[Candidate, ...]:
        """The agent's keys for a key file: certificates of it, the agent's own and the one beside the file, then the
        key itself. Empty where the agent does not hold it."""
        from paramiko.agent import AgentKey  # noqa: PLC0415 - heavy

        plain = [key for key in self._agent.get_keys() if file.public and key.blob == file.public]
        if not plain:
            return ()
        found = [
            Candidate(_agent_label(key), key) for key in self._agent.get_keys() if _certifies(key.blob, file.public)
        ]
        found += certificate_beside(file, AgentKey(plain[0].agent, plain[0].blob, plain[0].comment))
        return (*found, Candidate(_agent_label(plain[0]), plain[0]))

    def close(self) -> None:
        """Close the connection."""
        with contextlib.suppress(OSError):
            self._agent._close()  # type: ignore[attr-defined]  # noqa: SLF001


def agent_socket(configured: str) -> str:
    """The path of the agent's socket: ssh_config's IdentityAgent, else the environment's; empty for none."""
    if configured == "none":
        return ""
    if configured and configured != "SSH_AUTH_SOCK":
        name = configured.removeprefix("$")
        return os.environ.get(name, "") if configured.startswith("$") else os.path.expanduser(configured)
    return os.environ.get("SSH_AUTH_SOCK", "")


def _certifies(blob: bytes, public: bytes) -> bool:
    try:
        return ssh_certificate.is_certificate(blob) and ssh_certificate.parse(blob).public == public
    except ValueError:
        return False


def _show_certificate(key: "AgentKey") -> None:
    """Have a certificate offered as one: paramiko names its type, but sends the plain key of an RSA one."""
    from paramiko.pkey import PublicBlob  # noqa: PLC0415 - heavy

    if ssh_certificate.is_certificate(key.blob):
        key.public_blob = PublicBlob(key.name, key.blob)  # type: ignore[assignment]


def _agent_label(key: "AgentKey") -> str:
    return f"agent key {show(key.comment or key.get_name())}"
