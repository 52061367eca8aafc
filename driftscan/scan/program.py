"""The program that runs on targets, made to answer what driftscan asks and nothing else."""

from functools import cache

from driftscan.capture.probe import render
from driftscan.scan import evidence, packages, readiness, standin, torn
from driftscan.scan.parsing import collectors


@cache
def text() -> str:
    """The program, for streaming and for images alike. What it may be asked: the sources of all collectors, and what a
    scan asks besides; files that every user of the host may read, names and digests need no permission."""
    every = {source for collector in collectors().values() for source in collector.sources}
    every |= {*readiness.SOURCES, *torn.SOURCES, *standin.SOURCES, *evidence.SOURCES, packages.LISTS, readiness.CLOCK}
    return render.script(render.permit(every))
