"""The HTML reports in a real browser: clicked, searched, typed at, printed, looked at in several sizes, and attacked.

Needs Debian's chromium. Without it these tests are skipped; where `DRIFTSCAN_BROWSER` is set (as `.ci/run` does) they
fail. Screenshots go to the folder that `DRIFTSCAN_SCREENSHOTS` names, else to pytest's own.
"""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import pytest

from driftscan.reports import _trend_page, audit, html
from driftscan.reports._back import scan_result
from driftscan.reports._base import Report, Style
from tests.reports import fleets, samples, sieges

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Dialog, Page

CHROMIUM = shutil.which("chromium")
HOSTS = 120
PATIENCE = 600_000
"""Milliseconds until a browser hangs; on a busy machine it takes its time."""
OPEN_ALL = "for (const each of document.querySelectorAll('details')) each.open = true"
WIDER = "document.documentElement.scrollWidth - window.innerWidth"
SETTLE = "new Promise((done) => setTimeout(done, 160))"


@pytest.fixture(scope="module")
def browser() -> "Iterator[Browser]":
    if CHROMIUM is None:
        if "DRIFTSCAN_BROWSER" in os.environ:
            pytest.fail("chromium is not installed")
        pytest.skip("chromium is not installed (apt-get install chromium)")
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - takes a second, for who has chromium

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"], timeout=PATIENCE)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pages: `hostile` has all that a host can say, `fleet` many hosts, `audit` the same for an auditor; in `siege`
    every field says one thing."""
    made = tmp_path_factory.mktemp("pages")
    _write(made / "hostile.html", html.report, samples.fleet())
    _write(made / "fleet.html", html.report, fleets.fleet(HOSTS))
    _write(made / "audit.html", audit.report, samples.fleet())
    trends = samples.fleet().trends
    assert trends
    (made / "trend.html").write_text("".join(_trend_page.page(trends)), "utf-8")
    every = scan_result(sieges.everywhere(sieges.PAYLOAD))
    _write(made / "siege.html", html.report, every)
    _write(made / "siege-audit.html", audit.report, every)
    assert every.trends
    (made / "siege-trend.html").write_text("".join(_trend_page.page(every.trends)), "utf-8")
    _write(made / "unreached.html", html.report, samples.result(samples.unreachable()))
    text = (made / "hostile.html").read_text("utf-8")
    attack = "<script>document.title = 'executed'</script><p id=attack style='position: fixed'>x</p>"
    (made / "attacked.html").write_text(text.replace("</main>", f"{attack}</main>"), "utf-8")
    return made


@pytest.fixture
def shots(tmp_path: Path) -> Path:
    return Path(os.environ.get("DRIFTSCAN_SCREENSHOTS", tmp_path))


def _write(path: Path, report: Report, result: Any) -> None:
    path.write_text("".join(report.render(result, Style())), "utf-8")


class Opened:
    """A page, with what it said and asked for."""

    def __init__(self, browser: "Browser", path: Path, **context: Any) -> None:
        self.said: list[str] = []
        self.asked: list[str] = []
        size = {"width": context.pop("width", 1280), "height": 900}
        self.context = browser.new_context(viewport=size, reduced_motion="reduce", **context)  # type: ignore[arg-type]
        self.context.set_default_timeout(PATIENCE)
        self.page: Page = self.context.new_page()
        self.page.on("console", lambda message: self.said.append(message.text))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.on("dialog", self._dialog)
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.goto(path.as_uri())

    def _dialog(self, dialog: "Dialog") -> None:
        self.said.append(dialog.message)
        dialog.dismiss()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.context.close()

    def shown(self, selector: str) -> list[str]:
        return [each.strip() for each in self.page.locator(selector).all_text_contents()]

    def search(self, text: str) -> None:
        self.page.fill("#q", text)
        self.page.evaluate(SETTLE)


@pytest.fixture
def fleet(browser: "Browser", folder: Path) -> Iterator[Opened]:
    with Opened(browser, folder / "fleet.html") as opened:
        yield opened
        assert not opened.said
        assert len(opened.asked) == 1


@pytest.mark.parametrize("name", ["hostile", "fleet", "audit", "trend"])
def test_it_opens_quietly_and_asks_for_nothing(browser: "Browser", folder: Path, name: str) -> None:
    with Opened(browser, folder / f"{name}.html") as opened:
        opened.page.evaluate(OPEN_ALL)
        opened.page.evaluate(SETTLE)
        assert not opened.said
        assert len(opened.asked) == 1
        assert opened.page.locator("main script, main img, main style, main iframe").count() == 0


@pytest.mark.parametrize(("name", "sections"), [("siege", 9), ("siege-audit", 8), ("siege-trend", 1)])
def test_whatever_any_field_says_is_text(browser: "Browser", folder: Path, name: str, sections: int) -> None:
    """No element and no style comes of it, the policy of the page has nothing to refuse, and the script works."""
    with Opened(browser, folder / f"{name}.html") as opened:
        page = opened.page
        page.evaluate(OPEN_ALL)
        if name == "siege":
            opened.search("onerror")
            assert page.locator("#rows > details:not([hidden])").count() == 3  # the fourth host is clean
        assert page.locator("img, iframe, [onerror], [onload], [srcdoc], main style, main script").count() == 0
        assert page.evaluate("typeof pwned") == "undefined"
        assert page.locator("main section").count() >= sections
        assert page.locator("main").is_visible()
        assert "<script>pwned=1</script>" in page.inner_text("main")
        assert not opened.said
        assert len(opened.asked) == 1


def test_what_is_smuggled_in_does_not_run(browser: "Browser", folder: Path) -> None:
    with Opened(browser, folder / "attacked.html") as opened:
        assert opened.page.title() != "executed"
        assert opened.page.locator("#attack").evaluate("each => getComputedStyle(each).position") == "static"
        assert any("Content Security Policy" in each for each in opened.said)


def test_search_and_filters(fleet: Opened) -> None:
    page = fleet.page
    every = page.locator("#rows > details").count()
    fleet.search("nginx")
    assert 0 < page.locator("#rows > details:not([hidden])").count() < every
    assert page.locator("#happenings > details:not([hidden])").count() == 1
    assert "mutations" in page.inner_text("#shown")
    assert page.locator("#quiet .part:not([hidden])").count() == 0  # nor their heads
    assert page.locator("#cells a.away").count() > 0
    fleet.search("nginx nobody-has-this")
    assert page.locator("#rows > details:not([hidden])").count() == 0
    assert page.is_visible("#none")
    page.click("#clear")
    assert page.locator("#rows > details:not([hidden])").count() == every
    page.select_option("#f-action", label="replace")
    assert set(fleet.shown("#rows > details:not([hidden]) > summary .tag:first-of-type")) == {"Xreplace"}
    assert page.locator("#rows > details:not([hidden])").count() == page.locator("#cells a.a-replace").count()
    page.click("#clear")
    page.select_option("#f-cause", "package-installed")
    assert page.locator("#happenings > details:not([hidden])").count() == 1
    page.click("#clear")
    page.select_option("#f-group", label="role db")
    assert all(each.startswith("db-") for each in fleet.shown("#rows > details:not([hidden]) h3"))


def test_on_a_phone_filters_are_there_when_they_are_asked_for(browser: "Browser", folder: Path) -> None:
    with Opened(browser, folder / "fleet.html", width=360) as opened:
        page = opened.page
        assert page.is_visible("#q")
        assert not page.is_visible("#f-action")
        page.check("#filters")
        assert page.is_visible("#f-action")
        page.keyboard.press("/")
        assert page.evaluate("document.activeElement.id") == "q"


def test_order_and_groups(fleet: Opened) -> None:
    page = fleet.page
    page.select_option("#sort", "name")
    names = fleet.shown("#rows > details > summary h3")
    assert names == sorted(names)
    assert len(names) > 10
    page.select_option("#by", label="az")
    assert page.locator("#cells .group").count() == 3
    assert page.locator("#cells a.c").count() == HOSTS


def test_keys(fleet: Opened) -> None:
    page = fleet.page
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.id") == "q"
    page.keyboard.type("helper")
    page.evaluate(SETTLE)
    page.keyboard.press("Enter")
    page.keyboard.press("j")
    page.keyboard.press("k")
    assert page.evaluate("document.activeElement.localName") == "summary"
    assert not page.evaluate("document.activeElement.closest('[hidden]')")
    before = page.evaluate("document.activeElement.parentElement.open")
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.parentElement.open") is not before
    page.keyboard.press("/")
    page.keyboard.press("Escape")
    assert page.input_value("#q") == ""


def test_a_cell_says_its_sentence_and_leads_to_its_host(fleet: Opened) -> None:
    page = fleet.page
    cell = page.locator("#cells a.a-replace").first
    cell.focus()
    assert "differs from image" in page.inner_text("#peek")
    cell.click()
    page.evaluate(SETTLE)
    assert page.locator("details.host[open] > summary .a-replace").count() >= 1
    assert page.evaluate("document.activeElement.closest('details').open")


def test_differences_in_place(fleet: Opened) -> None:
    page = fleet.page
    host = page.locator("#rows > details").first
    if not host.evaluate("each => each.open"):
        host.locator("> summary").click()
    sighting = host.locator("details.sighting").first
    assert sighting.locator(".diff").count() == 0
    sighting.locator("> summary").click()
    page.evaluate(SETTLE)
    assert sighting.locator(".diff").count() > 0


def test_colours_can_be_chosen(fleet: Opened) -> None:
    colour = "getComputedStyle(document.body).backgroundColor"
    light = fleet.page.evaluate(colour)
    fleet.page.click("label[for=theme-dark]")
    assert fleet.page.evaluate(colour) != light


def test_without_a_script_it_is_whole(browser: "Browser", folder: Path) -> None:
    with Opened(browser, folder / "fleet.html", java_script_enabled=False) as opened:
        page = opened.page
        assert not page.is_visible("#tools")
        assert not page.locator("#m0").is_visible()
        page.locator("#happened svg a[href='#m0']").first.click()
        page.locator("#m0").wait_for(state="visible", timeout=PATIENCE)
        page.click("label[for=theme-dark]")
        page.locator("#rows > details > summary").first.click()
        assert page.locator("#rows > details[open] .sentence").first.is_visible()


@pytest.mark.parametrize(
    ("name", "scheme"), [("fleet", "light"), ("fleet", "dark"), ("hostile", "light"), ("audit", "light")]
)
def test_it_fits_and_is_looked_at(browser: "Browser", folder: Path, shots: Path, name: str, scheme: str) -> None:
    with Opened(browser, folder / f"{name}.html", color_scheme=scheme) as opened:
        for width in (360, 768, 1280, 1920):
            opened.page.set_viewport_size({"width": width, "height": 900})
            opened.page.screenshot(path=shots / f"{name}-{width}-{scheme}.png")
            assert opened.page.evaluate(WIDER) <= 0, width
        opened.page.set_viewport_size({"width": 360, "height": 900})
        opened.page.evaluate(OPEN_ALL)
        assert opened.page.evaluate(WIDER) <= 0


@pytest.mark.parametrize(
    ("name", "scheme"),
    [
        ("hostile", "light"),
        ("hostile", "dark"),
        ("audit", "light"),
        ("trend", "light"),
        ("trend", "dark"),
        ("unreached", "light"),
    ],
)
def test_accessible(browser: "Browser", folder: Path, name: str, scheme: str) -> None:
    from axe_playwright_python.sync_playwright import Axe  # noqa: PLC0415 - as above

    rules = {"runOnly": ["color-contrast"]} if scheme == "dark" else {}
    with Opened(browser, folder / f"{name}.html", color_scheme=scheme) as opened:
        opened.page.evaluate(OPEN_ALL)
        opened.page.evaluate("document.styleSheets[0].insertRule('* { content-visibility: visible !important }', 0)")
        response = Axe().run(opened.page, options=rules).response
    assert response["passes"]
    told = [f"{each['id']}: {node['html'][:200]}" for each in response["violations"] for node in each["nodes"]]
    assert not told, "\n".join(told[:12])


@pytest.mark.parametrize("name", ["hostile", "audit"])
def test_printed_all_is_open(browser: "Browser", folder: Path, shots: Path, name: str) -> None:
    with Opened(browser, folder / f"{name}.html") as opened:
        opened.page.emulate_media(media="print")
        hidden = "[...document.querySelectorAll('main details > *')].filter((each) => !each.checkVisibility()).length"
        assert opened.page.evaluate(hidden) == 0
        opened.page.pdf(path=shots / f"{name}.pdf", prefer_css_page_size=True)
        assert (shots / f"{name}.pdf").read_bytes().startswith(b"%PDF")
