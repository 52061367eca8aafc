"""A session with an image that nobody has unpacked: `oci:DIR[:TAG]`, `docker-archive:FILE[:NAME]`. The probe answers
as for any root, in a process of the scanner's that holds the layers (`capture/image/serve.py`)."""

import json
import os
import shlex
import sys

import driftscan
from driftscan.capture.image.layout import Layer, layers_of
from driftscan.capture.image.saved import saved_layers
from driftscan.capture.live import UNLIMITED, Limits, ProbeSession, Record
from driftscan.transports.local import LocalTransport


def open_oci(
    path: str,
    tag: str,
    deadline: float,
    record: Record | None = None,
    *,
    program: str = "",
    limits: Limits = UNLIMITED,
) -> ProbeSession:
    """A session with an image of a layout. UsageError where there is no such image, or several; ProbeError where its
    layers are not what their digests say, or cannot be read. `program`: what targets are sent, parts of which look
    here."""
    return _open(layers_of(os.path.abspath(path), tag), deadline, record, program, limits)


def open_saved(
    path: str,
    name: str,
    deadline: float,
    record: Record | None = None,
    *,
    program: str = "",
    limits: Limits = UNLIMITED,
) -> ProbeSession:
    """The same of an archive that `docker save` wrote."""
    return _open(saved_layers(os.path.abspath(path), name), deadline, record, program, limits)


def _open(
    layers: tuple[Layer, ...], deadline: float, record: Record | None, program: str, limits: Limits
) -> ProbeSession:
    # What this process found its modules by, and nothing of the directory that it happens to be in.
    home = os.path.dirname(os.path.dirname(os.path.abspath(driftscan.__file__)))
    places = [*(os.path.abspath(place) for place in sys.path if place), home]
    start = f"import sys; sys.path[:] = {places!r}; from driftscan.capture.image.serve import main; main()"
    words = (sys.executable, "-I", "-B", "-c", start, json.dumps([layer.words() for layer in layers]))
    transport = LocalTransport(elevated=True)
    return ProbeSession(
        transport,
        "/",
        deadline,
        record,
        program=program,
        instead=f"exec {shlex.join(words)}",
        limits=limits,
    )
