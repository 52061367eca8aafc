"""Opening a session with a target, whatever its scheme."""

import time

from driftscan.capture.base import Session
from driftscan.capture.live import Limits, Record, open_live, open_rootfs
from driftscan.capture.oci import open_oci, open_saved
from driftscan.capture.recording import Recorder, Replay
from driftscan.errors import UsageError
from driftscan.model.host import ConnectOptions
from driftscan.scan import program
from driftscan.scan.options import ScanOptions
from driftscan.scan.targets import Target
from driftscan.transports import local

_IMAGE_SECONDS = 3600


def seconds_for(target: Target) -> int:
    """The time that a target has in all."""
    return target.host.options.timeout if target.host else target.timeout or _IMAGE_SECONDS


def open_session(target: Target, options: ScanOptions, recorder: Recorder | None = None) -> Session:
    """A session with the target. HostError when the host can't be reached; UsageError for a target that has none."""
    deadline = time.monotonic() + seconds_for(target)
    record: Record | None = recorder
    asked = target.host.options if target.host else ConnectOptions()
    limits = Limits(asked.max_cpu, asked.max_read)
    text = program.text()
    match target.scheme:
        case "local":
            transport = local.connect(asked.sudo, asked.probe)
            return open_live(transport, deadline, record, program=text, baked=asked.probe, limits=limits)
        case "rootfs":
            return open_rootfs(target.path, deadline, record, program=text, limits=limits)
        case "oci":
            return open_oci(target.path, target.tag, deadline, record, program=text, limits=limits)
        case "docker-archive":
            return open_saved(target.path, target.tag, deadline, record, program=text, limits=limits)
        case "capture":
            return Replay(target.path)
        case "ssh":
            from driftscan.transports import ssh  # noqa: PLC0415 - paramiko is for those who need it

            assert target.host is not None
            known = options.state_dir / "known_hosts" if options.state_dir else None
            connection = ssh.connect(target.host, prompt=options.prompt, deadline=deadline, scanner_known_hosts=known)
            return open_live(connection, deadline, record, program=text, baked=asked.probe, limits=limits)
        case other:
            raise UsageError(f"{target.spec}: {other} holds facts already and cannot be looked at")
