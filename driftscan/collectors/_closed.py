"""Directories that a glob may not enter: they stand among its members, forbidden and without a mode."""

from collections.abc import Iterator

from driftscan.collectors._text import path_text
from driftscan.model.source import Captures, Glob, Status


def closed(captures: Captures, *sources: Glob) -> Iterator[str]:
    """The paths of such members; nothing for a glob that could not be read at all, which is a gap of its own."""
    for source in sources:
        if captures[source].status in (Status.OK, Status.ABSENT):
            yield from (path_text(member.path) for member in captures.members(source) if member.closed)
