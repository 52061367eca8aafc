"""Channels: their file, what they want, the message, and the ways that it goes."""

import contextlib
import html
import json
import logging
import os
import re
import signal
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from driftscan.alerts import Channel, DeliveryError, compose, load, sample, send
from driftscan.alerts.chat import is_chat, tame
from driftscan.alerts.message import as_json, changes
from driftscan.alerts.send import fitting
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


def test_a_file_that_everybody_may_write_to_runs_nothing(tmp_path: Path) -> None:
    path = written(tmp_path, "alerts: [{name: a, command: [sh]}]")
    Path(path).chmod(0o666)
    with pytest.raises(UsageError, match="may be written to by everybody") as caught:
        load(path, {})
    assert caught.value.hint == f"chmod o-w {path}"
    Path(path).chmod(0o660)
    assert load(path, {}).channels


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
    lost_alone = compose(events[1:4])
    assert (lost_alone.title, lost_alone.next) == (
        "driftscan: 3 coverage-lost (worst: medium)",
        "driftscan history db-1",
    )
    begun = Event(kind=EventKind.ADOPTED, at=AT, title="first scan: 3 hosts, 0 findings", severity=Severity.INFO)
    assert compose([begun]).title == "driftscan: first scan: 3 hosts, 0 findings"
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
    told = json.loads(as_json(compose([*events, other]), "ops", ""))
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


def test_what_a_program_leaves_behind_is_not_waited_for(tmp_path: Path) -> None:
    """A daemon that has left its session keeps the standard input open, and never reads it."""
    daemon = tmp_path / "daemon"
    script = f"exec 3<&0; setsid sh -c 'echo $$ >{daemon}; exec sleep 99' <&3 & sleep 99"
    for seconds in (0.5, 4, 32):  # on a busy machine it takes a while until there is a daemon
        assert feed(("sh", "-c", script), b"x" * (1 << 20), seconds)[0] == 124
        if daemon.exists() and daemon.read_text().endswith("\n"):
            break
    os.kill(int(daemon.read_text()), signal.SIGKILL)  # it is there: nobody waited for its end


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


HOSTILE = (
    "@everyone @here <!channel> <@U123> <users/all> [now](https://e.example/x) www.e.example ||so|| ~~no~~ ``` <i>"
    "\u202e\n@all"
)
SERVICES = (
    "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/",
    "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/?format=markdown&blocks=yes",
    "discord://4174216298/JHMHI8qBe7bk2ZwO5U711o3dV_js",
    "discord://4174216298/JHMHI8qBe7bk2ZwO5U711o3dV_js?format=markdown",
    "tgram://123456789:abcdefg_hijklmnop/12315544/",
    "tgram://123456789:abcdefg_hijklmnop/12315544/?format=markdown",
    "workflows://host/WorkflowID/Signature/",
    "mmost://localhost/3ccdd113474722377935511fc85d3dd4",
    "rockets://3ccdd113474722377935511fc85d3dd4/abc@localhost/#channel",
    "gchat://workspace/key/token",
    "wxteams://" + "a" * 80,
    "zulip://bot@organization/" + "a" * 32 + "/channel",
)
CALLS = (
    "@everyone",
    "@here",
    "@all",
    "<!",
    "<@",
    "<users",
    "](http",
    "https://e.",
    "www.e",
    "||",
    "~~",
    "```",
    "<i>",
    "\u202e",
)


@pytest.fixture
def posted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What services would have got, by whatever way."""
    sent: list[str] = []

    def post(_session: object, *_where: object, **given: object) -> requests.Response:
        data = given.get("data")
        text = data.decode() if isinstance(data, bytes) else str(data)
        said = [text, *map(str, (given.get("json"), given.get("params")))]
        with contextlib.suppress(ValueError):
            said[0] = repr(json.loads(text))
        sent.append(html.unescape("".join(said)))
        answer = requests.Response()
        answer.status_code = 200
        answer._content = b"ok" if "slack" in str(given.get("url")) else b'{"ok": true, "result": "success"}'
        return answer

    monkeypatch.setattr(requests.Session, "request", post)
    return sent


@pytest.mark.parametrize("url", SERVICES)
def test_what_a_host_wrote_calls_nobody_in_a_chat(posted: list[str], url: str) -> None:
    bad = replace(NEW, title=HOSTILE, detail=HOSTILE, host=HOSTILE[:60])
    for template in ("", "{{ title }}: {{ lines[0].title }}{{ lines[0].where }} {{ events[0].title }} {{ text }}"):
        posted.clear()
        send(Channel(name="chat", url=url, template=template), compose([bad]))
        assert posted
        said = "".join(posted)
        assert "explain F" in said
        assert [call for call in CALLS if call in said] == []


def test_what_a_template_says_itself_stays(posted: list[str]) -> None:
    url = "mmost://localhost/3ccdd113474722377935511fc85d3dd4"
    send(Channel(name="chat", url=url, template="@here: {{ lines[0].title }}"), compose([replace(NEW, title="@here")]))
    assert "@here: @\\u200bhere" in posted[0]


def test_data_and_mail_have_what_hosts_wrote(service: HTTPServer) -> None:
    send(Channel(name="hook", url=f"json://127.0.0.1:{service.server_port}"), compose([replace(NEW, title="a@b <c>")]))
    ((_, told),) = service.told  # type: ignore[attr-defined]
    assert "a@b <c> on web-1" in told["message"]
    assert not is_chat("mailtos://user:pass@example.net")


@given(st.text())
def test_taming_changes_what_is_seen_by_graves_alone(text: str) -> None:
    tamed = tame(text)
    assert tamed.replace("\u200b", "") == text.replace("\u200b", "").replace("`", "\u02cb")
    assert tame(text.replace("@", "")) == tame(text.replace("@", ""))
    assert not re.search(r"@\w|<\w|\]\(|://|\|\||~~", tamed)


def test_a_service_that_takes_little_is_told_little(posted: list[str]) -> None:
    """What it would refuse is refused again with each scan, until it is dropped."""
    events = [replace(NEW, subject=f"F-{number:03}", host=f"web-{number}", title="t" * 180) for number in range(100)]
    send(Channel(name="chat", url=SERVICES[2]), compose(events))
    send(Channel(name="chat", url=SERVICES[6]), compose(events))
    send(Channel(name="chat", url=SERVICES[2], template="{{ text }}{{ text }}"), compose(events))
    discord, teams, templated = posted
    assert len(discord) < 2300
    assert "and 95 more on 95 hosts" in discord
    assert "driftscan explain F-000" in discord
    assert "and 98 more on 98 hosts" in teams
    assert "..." in templated
    assert len(templated) < 2300


@pytest.mark.parametrize(("room", "wanted"), [(6, "a\nbc\nd"), (5, "a\n..."), (3, "\n..")])
def test_what_does_not_fit_is_cut_at_a_line(room: int, wanted: str) -> None:
    assert fitting(["a" * 20, "a\nbc\nd"], room) == wanted


def test_a_program_gets_the_text_of_its_template(tmp_path: Path) -> None:
    command = (sys.executable, "-c", HOOK, str(tmp_path / "told"))
    send(Channel(name="hook", command=command, template="{{ lines[0].id }}"), compose([NEW]))
    assert json.loads((tmp_path / "told").read_text())["text"] == "F-1"
    (tmp_path / "told").unlink()
    send(Channel(name="hook", command=command, template="{% if false %}x{% endif %}"), compose([NEW]))
    assert not (tmp_path / "told").exists()
