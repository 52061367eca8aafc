"""How drift moved, as a page by itself: what the page of a scan has of it, without a script."""

from collections.abc import Iterator

from driftscan import __version__
from driftscan.model.trend import Overview
from driftscan.reports._page import markup, trends


def page(given: Overview) -> Iterator[str]:
    """The pieces of the page."""
    style = markup.inline("page.css")
    return markup.render("trend.html", {**trends.values(given), "style": style, "version": __version__, "given": given})
