"""The audit report: complete, without a script, with digests that can be checked."""

import re
from dataclasses import replace
from hashlib import sha256
from typing import Any

import pytest

from driftscan.model.finding import Result, Severity, State
from driftscan.model.result import HostResult, ScanResult
from driftscan.reports import _build as built
from driftscan.reports import audit, json
from driftscan.reports._base import Style
from tests.reports import fleets, golden, samples
from tests.reports.test_report_html import Page


def _render(result: ScanResult) -> str:
    return "".join(audit.report.render(result, Style()))


def _digest() -> str:
    return sha256("".join(json.report.render(samples.fleet(), Style())).encode()).hexdigest()


@pytest.fixture(scope="module")
def shown() -> str:
    return _render(samples.fleet())


@pytest.fixture(scope="module")
def page(shown: str) -> Page:
    return Page(shown)


def test_golden(shown: str, update_expected: bool) -> None:
    body = shown[shown.index("<body>") :].replace(_digest(), "the JSON report's digest")
    golden.compare("audit.html", body, update_expected)


def test_it_has_no_script_and_fetches_nothing(shown: str, page: Page) -> None:
    assert not {"script", "link", "img", "a", "details"} & {name for name, _ in page.elements}
    assert "script-src" not in shown
    assert "default-src 'none'" in shown
    names = {name for _, attributes in page.elements for name in attributes}
    assert not {name for name in names if name.startswith("on") or name in {"style", "src", "href"}}


def test_elements_are_closed_in_order(page: Page) -> None:
    assert not page.wrong
    assert not page.open


def test_nothing_of_a_host_is_markup_or_a_control(shown: str, page: Page) -> None:
    assert not {char for char in shown if char != "\n" and (ord(char) < 32 or 127 <= ord(char) < 160)}
    assert "\u202e" not in shown
    assert "<img src=x onerror=alert(1)>" in page.text


def test_the_digest_is_that_of_the_json_report(page: Page) -> None:
    assert f"sha256:{_digest()}" in page.text


def test_json_that_was_written_is_not_rendered_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """But of another result, although it may lie where one lay that is gone."""
    asked: list[HostResult] = []

    def host(one: HostResult) -> dict[str, Any]:
        asked.append(one)
        return built.host(one)

    monkeypatch.setattr(json, "host", host)
    for number in range(3):
        result = samples.result(replace(samples.clean(), host=f"web-{number}"))
        written = "".join(json.report.render(result, Style()))
        assert f"sha256:{sha256(written.encode()).hexdigest()}" in _render(result)
        assert len(asked) == number + 1


def test_who_what_when_with_what(page: Page) -> None:
    result = samples.fleet()
    for said in (result.by, result.id, result.started_at, result.finished_at, result.probe_digest, samples.DIGEST):
        assert said, "the sample has it"
        assert said in page.text
    for policy in result.policies:
        assert policy.digest in page.text
        assert policy.file in page.text


def test_advisories_and_what_they_say(page: Page) -> None:
    for each in samples.fleet().advisories:
        assert each.given in page.text
        assert each.digest in page.text
    for said in ("Images that lack updates (2)", "openssl >= 3.0.15-1~deb12u1", "CVE-2024-9143", "web-3", "db|1"):
        assert said in page.text, said


def test_what_failed_and_what_was_accepted(page: Page) -> None:
    for said in (
        "package nginx 1.22.1-9 was installed",
        "sshd_setting permitrootlogin: value is 'yes', should be 'no'",
        samples.WAIVER.owner,
        samples.WAIVER.reason,
        samples.WAIVER.expires.isoformat(),
        "file /etc/motd was changed",
        "web-4 (10.0.0.14) port 22: connection refused",
    ):
        assert said in page.text, said


def test_every_host_stands_there_and_none_is_folded_away() -> None:
    result = fleets.fleet(300)
    text = Page(_render(result)).text
    assert all(re.search(rf"\b{host.host}\b", text) for host in result.hosts)
    assert text.count("openssl 3.0.15-1~deb12u1 upgraded") == 2, "in the body, and with its evidence"


def test_what_is_long_is_in_annexes_and_nothing_is_lost() -> None:
    """Pages to sign do not grow with evidence and names of hosts."""
    result = fleets.fleet(300)
    body, evidence = _render(result).split("<h2>Annex B.")
    (finding,) = (
        each for each in {m.mutation.id: m for h in result.hosts for m in h.mutations}.values()
        if each.mutation.id == "F-0a1b2c3d4e5f"
    )  # fmt: skip
    hosts = [host.host for host in result.hosts if any(m.mutation.id == finding.mutation.id for m in host.mutations)]
    row = body[body.index(f'<code dir="ltr">{finding.mutation.id}') :].split("</tr>")[0]
    article = evidence[evidence.index(f'<code dir="ltr">{finding.mutation.id}') :].split("</article>")[0]
    assert f"and {len(hosts) - 4} more" in row
    assert all(f"<bdi>{host}</bdi>" in article for host in hosts)
    assert finding.rule.why not in body
    assert finding.rule.why in article


def test_why_a_control_could_not_be_told_is_said() -> None:
    control = replace(samples.control(1, Result.UNKNOWN, Severity.LOW), evidence=("sysctl: not allowed to look",))
    shown = _render(samples.result(replace(samples.clean(), controls=(control,))))
    assert "sysctl: not allowed to look" in shown.split("Controls that could not be told")[1].split("Annex C")[0]


def test_what_a_rule_allows_is_said() -> None:
    host = samples.drifted()
    allowed = replace(host.mutations[1], state=State.ALLOWED)
    text = Page(_render(samples.result(replace(host, mutations=(allowed,))))).text
    assert "Allowed by rules" in text


def test_an_older_report_lacks_what_it_lacks() -> None:
    text = Page(_render(replace(samples.fleet(), by="", policies=(), advisories=(), probe_digest="", waivers=()))).text
    assert "not recorded" in text
    assert "The report does not say which policies judged." in text
    assert "None is recorded." in text


def test_an_empty_scan() -> None:
    text = Page(_render(replace(samples.result(), waivers=()))).text
    assert "Scan of 0 hosts" in text
    assert "no waiver was given" in text
