"""The HTML report: whole without its script, inert whatever a host said, the same for the same result."""

import json
import re
from base64 import b64encode
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftscan.model.names import show
from driftscan.model.result import ScanResult
from driftscan.model.trend import overview
from driftscan.reports import html
from driftscan.reports._base import Style
from driftscan.reports._page import markup, timeline, trends, view
from driftscan.reports._page.view import View
from tests.reports import fleets, golden, samples

VOID = {"meta", "input", "br", "link"}
HOSTILE_TEXT = st.text(alphabet=st.sampled_from("ab<>&\"'/-!{}%\n\x1b\u202e\u2028\x85"), max_size=30)


class Page(HTMLParser):
    """What a browser would make of it: elements with their attributes, text by element, what is not closed."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.texts: dict[str, list[str]] = {}
        self.open: list[str] = []
        self.wrong: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.wrong.append(f"</{tag}>")

    def handle_data(self, data: str) -> None:
        self.texts.setdefault(self.open[-1] if self.open else "", []).append(data)

    def of(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.elements if name == tag]

    @property
    def text(self) -> str:
        return "".join(text for tag, texts in self.texts.items() if tag not in {"script", "style"} for text in texts)


def _render(result: ScanResult | None = None) -> str:
    return "".join(html.report.render(result or samples.fleet(), Style()))


@pytest.fixture(scope="module")
def shown() -> str:
    return _render()


@pytest.fixture(scope="module")
def page(shown: str) -> Page:
    return Page(shown)


@pytest.fixture(scope="module")
def data(shown: str) -> dict[str, object]:
    found = re.search(r'<script type="application/json" id="index">(.*?)</script>', shown, re.DOTALL)
    assert found
    loaded: dict[str, object] = json.loads(found[1])
    return loaded


def test_golden(shown: str, update_expected: bool) -> None:
    body = shown[shown.index("<body>") :].replace(markup.inline("page.js").text, "page.js")
    golden.compare("fleet.html", body, update_expected)


def test_rendered_twice_it_is_the_same() -> None:
    assert _render(fleets.fleet(60)) == _render(fleets.fleet(60))


def test_elements_are_closed_in_order(page: Page) -> None:
    assert not page.wrong
    assert not page.open


def test_ids_are_unique_and_of_ours(page: Page) -> None:
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert all(re.fullmatch(r"[a-z-]+|[hmc][0-9]+", each) for each in ids)


def test_links_lead_into_the_page_alone(page: Page) -> None:
    ids = {attributes["id"] for _, attributes in page.elements if "id" in attributes}
    links = [attributes["href"] for _, attributes in page.elements if "href" in attributes]
    assert links
    assert {link[:1] for link in links} == {"#"}
    assert {link[1:] for link in links} <= ids


@pytest.mark.parametrize(
    ("series", "path"),
    [((0, 0), "M0 40V40H2V40Z"), ((1, 1, 4), "M0 40V30H2V0H3V40Z"), ((3,), "M0 40V0H1V40Z")],
)
def test_steps(series: tuple[int, ...], path: str) -> None:
    assert trends.steps(series) == path


def test_trends_have_words_beside_each_drawing(page: Page, shown: str) -> None:
    drawings = [attributes for attributes in page.of("svg") if "steps" in attributes.get("class", "")]
    assert len(drawings) > 10
    assert all(attributes["aria-label"].count("from ") == 1 for attributes in drawings)
    for said in ("2 then, 19 now; 57 came and 40 went", "no log tells", "30 hours (median)", "12 days"):
        assert said in shown


def test_where_nothing_is_known_or_nothing_was_there_are_no_trends() -> None:
    nothing = overview([], datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 11, 2, tzinfo=UTC))
    made = samples.fleet().trends
    assert made
    impossible = [replace(made, since="2026-99-99T10:00:00Z"), replace(made, since=made.until)]
    for given_trends in (None, nothing, *impossible):
        assert "#trends" not in _render(replace(samples.fleet(), trends=given_trends))


def test_nothing_is_fetched(shown: str, page: Page) -> None:
    assert not {"link", "img", "iframe", "object", "embed", "base"} & {name for name, _ in page.elements}
    assert not [name for _, attributes in page.elements for name in attributes if name in {"src", "srcset", "action"}]
    style = markup.inline("page.css").text
    assert "url(" not in style
    assert "@import" not in style
    assert "http" not in shown[: shown.index("<body>")].replace("http-equiv", "")


def test_the_policy_allows_what_is_in_the_page_and_nothing_else(page: Page) -> None:
    policy = next(each["content"] for each in page.of("meta") if each.get("http-equiv") == "Content-Security-Policy")
    hashes = {
        tag: f"'sha256-{b64encode(sha256(''.join(page.texts[tag][-1:]).encode()).digest()).decode()}'"
        for tag in ("style", "script")
    }
    assert policy == (
        f"default-src 'none'; style-src {hashes['style']}; script-src {hashes['script']}; base-uri 'none';"
        " form-action 'none'"
    )


def test_no_handlers_and_no_styles_in_attributes(page: Page) -> None:
    names = {name for _, attributes in page.elements for name in attributes}
    assert not {name for name in names if name.startswith("on") or name == "style"}


def test_nothing_of_a_host_is_markup_or_a_control(shown: str, page: Page) -> None:
    assert not {char for char in shown if char != "\n" and (ord(char) < 32 or 127 <= ord(char) < 160)}
    assert "\u202e" not in shown
    assert "\u200b" not in shown
    assert len(page.of("script")) == 2
    assert not page.of("img")
    assert "<script>alert(1)</script>" in page.text
    assert "\\x1b[31m" in page.text


def test_data_for_the_script_cannot_end_it(shown: str, data: dict[str, object]) -> None:
    raw = re.search(r'id="index">(.*?)</script>', shown, re.DOTALL)
    assert raw
    assert not set("<>&") & set(raw[1])
    assert len(data["hosts"]) == 4  # type: ignore[arg-type]


@given(HOSTILE_TEXT)
def test_json_is_inert_and_the_same(text: str) -> None:
    written = markup.data({"x": text})
    assert not set("<>&\n\x1b\u2028\u202e") & set(written)
    assert json.loads(written) == {"x": text}


@given(HOSTILE_TEXT)
def test_whatever_a_host_says_is_one_text(text: str) -> None:
    template = markup.environment().from_string('<p title="{{ given }}">{{ given }}</p>')
    page = Page(template.render(given=text))
    assert page.elements == [("p", {"title": show(text)})]
    assert page.text == show(text)


def test_a_flood_is_cut_with_a_mark() -> None:
    assert markup.brief("a" * markup.LONGEST) == "a" * markup.LONGEST
    assert markup.brief("a" * markup.LONGEST + "\x1b" * 1000) == "a" * markup.LONGEST + "… (1,000 more characters)"


def test_without_a_script_all_is_there(page: Page) -> None:
    for said in (
        "web-1",
        "deploy installed nginx 1.22.1-9 by hand",
        "would be rotate without F-00000002",
        "apt-get install nginx",
        "PermitRootLogin yes",
        "root may not log in with a password",
        "sshd_setting permitrootlogin: value is 'yes', should be 'no'",
        "web-4 (10.0.0.14) port 22: connection refused",
        "Permission denied",
        "dpkg ran during the scan",
        "cis-debian-12",
        "1 host could not be reached",
    ):
        assert said in page.text, said


def test_every_host_is_a_cell_and_has_an_entry(page: Page) -> None:
    cells = [each for each in page.of("a") if each.get("class", "").startswith("c a-")]
    assert sorted(each["href"] for each in cells) == ["#h0", "#h1", "#h2", "#h3"]
    assert [each["aria-label"].split(": ")[1] for each in cells if "unscanned" in each["class"]] == [
        "investigate, unreachable"
    ]


def test_a_mutation_of_many_hosts_is_rendered_once() -> None:
    result = fleets.fleet(400)
    upgraded = [each for each in View(result).happenings if each.mutation.cause.type.value == "package-upgraded"]
    assert len(upgraded) == 1
    assert len(upgraded[0].sightings) > 20
    text = _render(result)
    assert text.count("/usr/lib/openssl/part-0000.so") == 1
    assert all(f'href="#h{row.number}"' in text for row in upgraded[0].rows)


def test_a_finding_that_hosts_have_in_two_forms_is_one_cohort() -> None:
    one = samples.drifted()
    judged = one.mutations[0]
    text = replace(judged.mutation.differences[0], text="+another")
    other = replace(judged, mutation=replace(judged.mutation, differences=(text, *judged.mutation.differences[1:])))
    hosts = (
        replace(one, host="a", mutations=(judged,)),
        replace(one, host="b", mutations=(other,)),
        replace(one, host="c", mutations=(other,)),
    )
    given = samples.result(*hosts)
    (alike,) = View(given).cohorts
    assert [row.host.host for row in alike.rows] == ["a", "b", "c"]
    assert [each.number for each in alike.happenings] == [0, 1]
    page = Page(_render(given))
    assert "3 of 3 hosts" in page.text
    assert page.text.count(", one of 2 forms") == 2
    assert page.text.count("Other hosts have it otherwise:") == 2
    assert [each["data-m"] for each in page.of("li") if each.get("class") == "cohort"] == ["0 1"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("short\x1b", "short\\x1b"),
        ("a" * 200 + "; " + "b" * 200, "a" * 200 + " …"),
        ("a " * 200, "a " * 149 + "a …"),
        ("a" * 400, "a" * 300 + " …"),
    ],
)
def test_a_long_sentence_ends_where_one_of_its_parts_does(text: str, said: str) -> None:
    assert markup.gist(text) == said


def test_differences_beyond_the_shown_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(view, "SHOWN", 5)
    monkeypatch.setattr(view, "NAMED", 10)
    text = Page(_render()).text
    assert "31 more, by name alone" in text
    assert "And 26 more" in text


def test_which_image_to_bake_with_what(page: Page) -> None:
    for said in (
        "image ami-0web 2026.11.20",
        "4 hosts, 3 advisories with a fix in 2 packages, highest critical",
        "3.0.15-1~deb12u1",
        "3.0.13-1~deb12u1",
        "CVE-2024-9143",
        "PYSEC-2023-74",
        "also 1,200 without a fix yet, 30 ignored by the distribution",
        "hosts without a known image",
        "advisories/<all>.zip",
    ):
        assert said in page.text, said


def test_no_advisories_no_patching() -> None:
    given = samples.result(samples.clean())
    assert "No package is affected by any of them." in Page(_render(given)).text
    assert 'id="patching"' not in _render(replace(given, advisories=()))


def _many(hosts: int) -> ScanResult:
    """Hosts that have each a mutation of their own, and one that all have."""
    host = samples.drifted()
    first = host.mutations[0]
    return samples.result(
        *(
            replace(
                host,
                host=f"h{number:03}",
                mutations=(
                    *host.mutations[1:],
                    replace(first, mutation=replace(first.mutation, id=f"F-{number:012x}", title=f"only {number}")),
                ),
                controls=tuple(replace(each, evidence=(f"seen {number}",)) for each in host.controls),
                notes=(f"note {number}",),
            )
            for number in range(hosts)
        )
    )


def test_of_too_many_the_most_urgent_are_shown_in_full_and_all_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(view, "FULL", 4)
    for name in ("MANY", "LINKED", "SEEN"):
        monkeypatch.setattr(html, name, 3)
    shown = _render(_many(30))
    page = Page(shown)
    ids = {each["id"] for _, each in page.elements if "id" in each}
    assert {f"h{number}" for number in range(30)} <= ids
    assert {each["href"][1:] for each in page.of("a")} <= ids
    assert len([each for each in page.of("details") if each.get("class") == "item host"]) == 4
    assert len([each for each in page.of("details") if each.get("class") == "item mutation"]) == 4
    assert all(re.search(rf"only {number}(?!\d)", page.text) for number in range(30))
    for said in (
        "26 more hosts, less urgent",
        "--scan S-20261120T100000Z-1f",
        "28 more mutations",
        "and 27 more",
        "And 27 more answers",
        "And 27 notes more",
    ):
        assert said in page.text, said


def test_a_mutation_with_many_differences_is_no_reason_to_leave_out_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(view, "NAMES", 10)
    monkeypatch.setattr(view, "NAMED", 2)
    many = View(_many(30))
    explained = sum(min(each.mutation.explains, 2) for each in many.full_happenings)
    assert 10 <= explained <= 11
    assert len(many.full_happenings) + len(many.listed_happenings) == len(many.happenings) == 32


def test_of_too_many_differences_the_most_urgent_are_in_full_and_the_others_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(view, "DIFFERENCES", 40)
    given = _many(30)
    many, page = View(given), Page(_render(given))
    assert 0 < len(many.in_full) < len(many.full_happenings) == 32
    assert len([each for each in page.of("ul") if each.get("class") == "diffs"]) == len(many.in_full)
    named = "".join(page.texts["pre"])
    for each in many.full_happenings:
        if each.number not in many.in_full:
            assert all(f"{item.kind} {item.key}" in named for item in each.mutation.differences if item.key.isascii())


def test_what_befell_at_one_time_is_one_dot_that_leads_to_the_worst() -> None:
    drawn = timeline.draw(View(_many(30)).happenings, samples.result().finished_at)
    assert drawn is not None
    assert len(drawn.events) < 8
    for dot, lane in drawn.events:
        assert {each.mutation.cause.type.value for each in dot.happenings} == {lane.cause}
        assert dot.severity is max(each.severity for each in dot.happenings)
        assert {row.number for row in dot.rows} <= {row.number for each in dot.happenings for row in each.rows}
    assert {each.number for dot, _ in drawn.events for each in dot.happenings} == {
        each.number for each in View(_many(30)).open_happenings
    }
