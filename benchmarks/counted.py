"""driftscan's command line with everything counted that its transports carry to and from hosts.

    python counted.py COUNTS ARGUMENT...

COUNTS is where the counts go as JSON: bytes of the program, then for each round of questions what kinds of sources
were asked, and bytes of requests and answers. With several hosts they are summed, so one is what to scan with it."""

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch

from driftscan.capture.live import ProbeSession
from driftscan.cli.main import main as driftscan
from driftscan.model.source import Captures, Source
from driftscan.transports import ssh
from driftscan.transports.base import Channel, Ended, Login, Transport

GREETING = "greeting"


@dataclass
class Round:
    """What one round carried, in bytes; `kinds` are the classes of its sources."""

    kinds: str
    sent: int = 0
    received: int = 0


@dataclass
class Counts:
    """What a session carried. Before the first round there is the greeting."""

    program: int = 0
    rounds: list[Round] = field(default_factory=lambda: [Round(GREETING)])


class CountingChannel:
    """See transports.base.Channel."""

    def __init__(self, channel: Channel, counts: Counts) -> None:
        """Counts into the last round of `counts`."""
        self._channel = channel
        self._counts = counts
        self.end_input = channel.end_input
        self.close = channel.close

    def write(self, data: bytes) -> None:
        """See transports.base.Channel."""
        self._counts.rounds[-1].sent += len(data)
        self._channel.write(data)

    def read(self, deadline: float) -> bytes:
        """See transports.base.Channel."""
        data = self._channel.read(deadline)
        self._counts.rounds[-1].received += len(data)
        return data

    def ended(self, deadline: float) -> Ended:
        """See transports.base.Channel."""
        return self._channel.ended(deadline)


class CountingTransport:
    """See transports.base.Transport."""

    def __init__(self, transport: Transport, counts: Counts) -> None:
        """Takes charge of `transport`."""
        self._transport = transport
        self._counts = counts
        self.close = transport.close

    @property
    def elevated(self) -> bool:
        """See transports.base.Transport."""
        return self._transport.elevated

    @property
    def login(self) -> Login:
        """See transports.base.Transport."""
        return self._transport.login

    def run(self, script: str, arguments: tuple[str, ...] = ()) -> Channel:
        """See transports.base.Transport."""
        self._counts.program += len(script.encode()) + sum(map(len, arguments))
        return CountingChannel(self._transport.run(script, arguments), self._counts)

    def run_file(self, path: str) -> tuple[Channel, str]:
        """See transports.base.Transport."""
        channel, digest = self._transport.run_file(path)
        return CountingChannel(channel, self._counts), digest


def main() -> int:
    """Run the command line; its status is ours."""
    target, *arguments = sys.argv[1:]
    counts = Counts()
    connect, ask = ssh.connect, ProbeSession.ask

    def counted_connect(*words: object, **options: object) -> CountingTransport:
        return CountingTransport(connect(*words, **options), counts)  # type: ignore[arg-type]

    def counted_ask(session: ProbeSession, sources: Sequence[Source], *more: Any, **named: Any) -> Captures:
        counts.rounds.append(Round(", ".join(sorted({type(source).__name__ for source in sources}))))
        return ask(session, sources, *more, **named)

    with patch.object(ssh, "connect", counted_connect), patch.object(ProbeSession, "ask", counted_ask):
        status = driftscan(arguments)
    Path(target).write_text(json.dumps(asdict(counts)))
    return status


if __name__ == "__main__":
    sys.exit(main())
