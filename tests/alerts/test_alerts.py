"""Channels: their file, what they want, the message, and the ways that it goes."""

import json
import logging
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftscan.alerts import Channel, DeliveryError, compose, load, sample, send
from driftscan.alerts.message import as_json, changes
from driftscan.alerts.template import TemplateFaultError, render
from driftscan.errors import UsageError
from driftscan.model.event import Event, EventKind
from driftscan.model.finding import Action, Severity
from driftscan.transports.hook import feed

AT = "2026-11-21T10:00:00Z"
NEW = Event(
    kind=EventKind.NEW,
    at=AT,
    host="web-1",
    subject="F-1",
    title="/etc/motd was changed",
    severity=Severity.HIGH,
    action=Action.REPLACE,
    labels={"role": "web"},
)
URL = "json://127.0.0.1:9/s3cr3t-t0ken"


def written(folder: Path, text: str) -> str:
    path = folder / "alerts.yaml"
    path.write_text(text)
    return str(path)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("alerts: []", "alerts.yaml:1:9: "),
        ("alerts: [{name: a}]", "a channel has either `to` or `command`"),
        ("alerts: [{name: a, to: 'env:X', command: [sh]}]", "a channel has either `to` or `command`"),
        ("alerts: [{name: a, to: 'slack://token'}]", "env:NAME or file:PATH"),
        ("alerts: [{name: a, to: 'env:NOBODY'}]", "alerts.yaml:1:24: NOBODY is not set"),
        ("alerts: [{name: a, to: 'file:open.url'}]", "'open.url' may be read by everybody"),
        ("alerts: [{name: a, to: 'file:none.url'}]", "'none.url' cannot be read"),
        ("alerts: [{name: a, to: 'file:two.url'}]", "'two.url' does not hold one line"),
        ("alerts: [{name: a, to: 'env:BAD'}]", "not a URL that Apprise knows"),
        ("alerts: [{name: a, command: [/no/such]}]", "'/no/such' is no program that can be run"),
        ("alerts: [{name: a, command: [sh], on: nwe}]", "new"),
        ("alerts: [{name: a, command: [sh], minimun: high}]", "minimum"),
        ("alerts: [{name: a, command: [sh]}, {name: a, command: [sh]}]", "two channels are called 'a'"),
        ("alerts: [{name: a, command: [sh], template: '{{ nobody }}'}]", "the template does not work"),
        ("alerts: [{name: a, command: [sh], template: '{% if %}'}]", "the template does not work"),
        ("alerts: [{name: a, command: [sh], template: '{{ lines.__class__.__mro__ }}'}]", "does not work"),
        ("alerts: [{name: a, command: [sh]}]\nsilent_after: 0", "alerts.yaml:2:15: "),
    ],
)
def test_what_is_wrong_is_said_before_any_scan(tmp_path: Path, text: str, says: str) -> None:
    for name, content, mode in (("open.url", URL, 0o644), ("two.url", f"{URL}\n{URL}", 0o600)):
        (tmp_path / name).write_text(content)
        (tmp_path / name).chmod(mode)
    with pytest.raises(UsageError) as caught:
        load(written(tmp_path, text), {"BAD": "s3cr3t"})
    assert says in caught.value.message
    assert "s3cr3t" not in caught.value.message + caught.value.hint


def test_a_channel_is_read(tmp_path: Path) -> None:
    (tmp_path / "ops.url").write_text(f"{URL}\n")
    (tmp_path / "ops.url").chmod(0o600)
    text = """\
alerts:
  - name: ops
    to: file:ops.url
    on: [new, silent]
    minimum: high
    hosts: web-*
    labels: {role: [web, app]}
  - {name: hook, command: [sh, -c, exit 0]}
silent_after: 5
"""
    found = load(written(tmp_path, text), {})
    first, second = found.channels
    assert found.silent_after == 5
    assert (first.url, first.on, first.minimum) == (URL, frozenset({EventKind.NEW, EventKind.SILENT}), Severity.HIGH)
    assert "s3cr3t" not in repr(found)
    assert first.wants(NEW)
    others = [
        replace(NEW, kind=EventKind.RETURNED),
        replace(NEW, severity=Severity.MEDIUM),
        replace(NEW, host="db-1"),
        replace(NEW, labels={"role": "db"}),
        replace(NEW, host=""),
    ]
    assert not any(map(first.wants, others))
    assert all(map(second.wants, others))


def test_the_same_on_many_hosts_is_one_line_and_the_worst_is_first() -> None:
    many = [replace(NEW, host=f"web-{number}") for number in range(14)]
    lost = Event(kind=EventKind.COVERAGE_LOST, at=AT, title="could not be scanned")
    events = [
        replace(NEW, kind=EventKind.RESOLVED, severity=Severity.CRITICAL, subject="F-2"),
        replace(lost, host="db-1", detail="root@10.0.0.1: port 22 refused the connection"),
        replace(lost, host="db-2", detail="root@[fe80::2]:2222: port 22 refused the connection"),
        replace(lost, host="db-3", detail="the connection to root@10.0.0.3 was lost"),
        *many,
        replace(NEW, severity=Severity.CRITICAL, subject="F-3", title="x\n[low] nothing\x1b[2J", detail="it was low"),
    ]
    message = compose(events, expired=2)
    assert message.title == "driftscan: 2 new, 1 resolved, 3 coverage-lost on 17 hosts (worst: critical)"
    assert message.text.split("\n") == [
        "web-1:",
        "  [critical] new F-3: x\\x0a[low] nothing\\x1b[2J (it was low)",
        "  [critical] resolved F-2: /etc/motd was changed",
        "[high] new F-1: /etc/motd was changed on 14 hosts: web-0, web-1, web-2, web-3, web-4, ...",
        "[medium] coverage-lost: could not be scanned (port 22 refused the connection) on 2 hosts: db-1, db-2",
        "[medium] coverage-lost: could not be scanned (the connection to root@10.0.0.3 was lost) on db-3",
        "2 older events could not be delivered in time",
        "",
        "Next: driftscan explain F-3",
    ]
    assert compose(events[1:4]).title == "driftscan: 3 coverage-lost (worst: medium)"
    assert changes(events).startswith(f"{message.title}\nweb-1:\n  [critical] new F-3")


def test_what_the_same_hosts_got_stands_together() -> None:
    """An upgrade of forty hosts is about forty hosts, not about twenty-five things."""
    upgraded = [f"web-{number}" for number in range(40)]
    events = [
        replace(NEW, subject=f"F-{number:02}", title=f"package {number} was upgraded", host=host)
        for host in upgraded
        for number in range(25)
    ]
    alone = compose(events)
    assert alone.title == "driftscan: 25 new on 40 hosts (worst: high)"
    (cohort,) = alone.cohorts
    assert (len(cohort.hosts), len(cohort.lines), len(alone.events)) == (40, 25, 1000)
    assert alone.text.split("\n")[:2] == [
        "40 hosts: web-0, web-1, web-2, web-3, web-4, ...:",
        "  [high] new F-00: package 0 was upgraded",
    ]
    assert len(alone.text.split("\n")) == 25 + 3
    other = replace(NEW, host="db-1", subject="F-x", severity=Severity.MEDIUM)
    rows = compose([*events, other]).text.split("\n")
    assert rows[11:13] == ["  and 15 more", "[medium] new F-x: /etc/motd was changed on db-1"]
    told = json.loads(as_json(compose([*events, other]), "ops"))
    assert [(len(each["hosts"]), len(each["lines"])) for each in told["cohorts"]] == [(40, 25), (1, 1)]
    assert len(told["events"]) == 1001


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3), st.sampled_from(EventKind)), min_size=1, unique=True))
def test_each_event_is_in_one_line_of_one_cohort(made: list[tuple[int, int, EventKind]]) -> None:
    events = [
        replace(NEW, kind=kind, subject=f"F-{what}", host=f"h-{host}" if host else "") for what, host, kind in made
    ]
    message = compose(events)
    lines = [line for cohort in message.cohorts for line in cohort.lines]
    assert sorted(map(repr, message.events)) == sorted(repr(event) for line in lines for event in line.events)
    assert sorted(map(repr, lines)) == sorted(map(repr, message.lines))
    for cohort in message.cohorts:
        assert all(set(line.hosts) == set(cohort.hosts) for line in cohort.lines)


def test_a_message_has_an_end() -> None:
    one = [replace(NEW, subject=f"F-{number}", title="t" * 5000) for number in range(100)]
    assert "  and 60 more" in compose(one).text
    assert len(compose(one).text) < 40 * 300
    many = [replace(event, host=f"web-{number}") for number, event in enumerate(one)]
    assert "\nand 60 more on 60 hosts\n" in compose(many).text
    assert "\nand 98 more on 98 hosts\n" in compose(many).short(2)


def test_a_template_makes_text_of_hostile_values() -> None:
    bad = replace(NEW, title="<b>{{ 7*7 }}</b>\nBcc: all\u202e")
    template = "{{ title }}\n{% for line in lines %}\n* {{ line.title }}{{ line.where }}\n{% endfor %}\n{{ text }}"
    text = render(template, compose([bad]))
    assert text.split("\n")[1] == "* <b>{{ 7*7 }}</b>\\x0aBcc: all\\u202e on web-1"
    assert text.endswith("Next: driftscan explain F-1")
    with pytest.raises(TemplateFaultError):
        render("{{ ''.__class__.__mro__ }}{{ lines.append(1) }}", compose([bad]))


HOOK = "import json, sys; told = json.load(sys.stdin); open(sys.argv[1], 'w').write(json.dumps(told))"


def test_a_program_gets_the_events(tmp_path: Path) -> None:
    channel = Channel(name="hook", command=(sys.executable, "-c", HOOK, str(tmp_path / "told; $(id)")))
    send(channel, compose([replace(NEW, title="\x1b'\"$(id)")], 1))
    told = json.loads((tmp_path / "told; $(id)").read_text())
    assert (told["schema"], told["channel"], told["expired"]) == ("driftscan.alerts/1", "hook", 1)
    assert told["events"] == [
        {
            "kind": "new",
            "at": AT,
            "host": "web-1",
            "id": "F-1",
            "title": "\x1b'\"$(id)",
            "severity": "high",
            "recommendation": "replace",
            "detail": "",
            "labels": {"role": "web"},
        }
    ]


@pytest.mark.parametrize(
    ("command", "says"),
    [
        (("sh", "-c", "echo first >&2; echo last\x1b >&2; exit 3"), "sh: exit 3: last\\x1b"),
        (("/no/such",), "/no/such: could not be started: No such file"),
    ],
)
def test_a_program_that_fails_says_why(command: tuple[str, ...], says: str) -> None:
    with pytest.raises(DeliveryError, match="^" + says.replace("\\", "\\\\").replace("[", "\\[")):
        send(Channel(name="hook", command=command), compose(sample()))


def test_a_program_may_say_much_read_nothing_and_is_ended_in_time() -> None:
    assert feed(("sh", "-c", "exit 0"), b"x" * (1 << 20), 30)[0] == 0
    assert feed(("sh", "-c", "head -c 1000000 /dev/zero; cat >/dev/null"), b"x" * (1 << 20), 30)[0] == 0
    assert feed(("sh", "-c", "sleep 60 & sleep 60"), b"", 0.2)[0] == 124


@pytest.fixture
def service() -> Iterator[HTTPServer]:
    """A web hook that keeps what it gets in `told`, and answers with `status`."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            self.server.told.append((self.path, json.loads(body)))  # type: ignore[attr-defined]
            self.send_response(self.server.status)  # type: ignore[attr-defined]
            self.end_headers()

        def log_message(self, *_given: object) -> None:
            """Nothing."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    server.told, server.status = [], 200  # type: ignore[attr-defined]
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def test_a_service_gets_the_message_and_no_log_its_secret(
    service: HTTPServer, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    channel = Channel(name="ops", url=f"json://user:pa55word@127.0.0.1:{service.server_port}/s3cr3t-t0ken")
    send(channel, compose([NEW]))
    ((path, told),) = service.told  # type: ignore[attr-defined]
    assert path.startswith("/s3cr3t-t0ken")
    assert told["title"] == "driftscan: 1 new on web-1 (worst: high)"
    assert told["message"].startswith("[high] new F-1: /etc/motd was changed on web-1")
    service.status = 500  # type: ignore[attr-defined]
    with pytest.raises(DeliveryError, match=r"the service did not take it: .*500") as caught:
        send(channel, compose([NEW]))
    said = caplog.text + str(caught.value) + "".join(capfd.readouterr())
    assert "s3cr3t" not in said
    assert "pa55word" not in said
