"""What a probe that was made with a list answers, and what it does not; what is looked for where no program tells more.
The same where there is Python and where there is a shell alone."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from driftscan.capture.live import ProbeSession, open_rootfs
from driftscan.capture.probe import render
from driftscan.capture.recording import Recorder, Replay
from driftscan.model.source import Capture, Command, File, Glob, Locks, Processes, Redact, Source, Status, Tree
from driftscan.transports.base import Transport
from driftscan.transports.local import LocalTransport
from tests.capture.test_shell_worker import machine

Open = Callable[..., ProbeSession]
NOT_LISTED = "not among what this probe may be asked"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "tree"
    (root / "sub").mkdir(parents=True)
    for name in ("asked", "other", "a b", "sub/one", "sub/.two"):
        (root / name).write_bytes(name.encode())
    (root / "sub/private").write_bytes(b"a secret")
    (root / "sub/private").chmod(0o600)
    return root


@pytest.fixture(params=["python", "dash", "bash", "busybox"])
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Open]:
    """A session with this machine by a probe that may be asked these sources; none: whatever there is."""
    transport: Transport = LocalTransport() if request.param == "python" else machine(request.param, tmp_path)
    with ExitStack() as stack:

        def opens(*permitted: Source) -> ProbeSession:
            program = render.script(render.permit(permitted))
            session = ProbeSession(transport, "/", time.monotonic() + 600, program=program)
            stack.callback(session.close)
            assert session.converses == (request.param == "python")
            return session

        yield opens


def ask(session: ProbeSession, source: Source) -> Capture:
    return session.ask([source])[source]


def test_what_is_listed_is_answered(opened: Open, tree: Path) -> None:
    listed = (
        File(str(tree / "asked"), max_bytes=100),
        File(str(tree / "a b"), redact=Redact.SECRETS),
        Command(("echo", "two  words", "a'b")),
        Glob((f"{tree}/sub/*",), max_files=9),
    )
    free, bound = opened(), opened(*listed)
    for source in listed:
        found = ask(bound, source)
        assert found.status is Status.OK
        assert found == ask(free, source)


def test_what_is_not_listed_is_refused(opened: Open, tree: Path) -> None:
    """A request is listed as a whole: with its limits, its redaction, each of its words."""
    asked, command, glob = str(tree / "asked"), ("echo", "a b"), (f"{tree}/sub/*",)
    bound = opened(File(asked, redact=Redact.SECRETS), Command(command), Glob(glob, unread=("/x",)))
    for source in (
        File(str(tree / "other"), redact=Redact.SECRETS),
        File(asked),
        File(asked, max_bytes=1 << 30, redact=Redact.SECRETS),
        File(asked + "*", redact=Redact.SECRETS),
        File("*", redact=Redact.SECRETS),
        Command(("echo",)),
        Command(("echo", "a", "b")),
        Command((*command, "c")),
        Command(("cat", asked)),
        Command(command, timeout=9),
        Glob((*glob, "/x/*")),
        Glob(glob),
        Glob(glob, unless="sh"),
        Glob(("/**",), unread=("/x",)),
    ):
        found = ask(bound, source)
        assert (found.status, found.detail) == (Status.FORBIDDEN, NOT_LISTED), source
        assert (found.data, found.members) == (b"", ())
    assert ask(bound, File(asked, redact=Redact.SECRETS)).status is Status.OK, "and goes on"


def test_a_name_cannot_bring_a_request_with_it(opened: Open, tree: Path) -> None:
    """Blanks and newlines in a name are no more than that."""
    bound = opened(Command(("true",)))
    request = f"file 0 100 - {tree}/other"
    for name in (f"/x\n{request}", f"/x {request}", f"/x\ngo\n{request}"):
        found = ask(bound, File(name))
        assert (found.status, found.data) == (Status.FORBIDDEN, b"")


def test_names_and_what_everybody_may_read_are_told_unasked(opened: Open, tree: Path) -> None:
    bound = opened(Command(("true",)))
    names = ask(bound, Glob((f"{tree}/sub/*",), content=False))
    assert [os.path.basename(member.path) for member in names.members] == [b".two", b"one", b"private"]
    assert not any(member.data for member in names.members)
    public = ask(bound, Glob((f"{tree}/sub/*",), public=True))
    assert not any(b"secret" in member.data for member in public.members)
    assert ask(bound, Processes()).processes
    assert ask(bound, Locks((str(tree / "other"),))).status is Status.OK
    walk = ask(bound, Tree((str(tree),)))
    assert b"/sub/private\0" in walk.content.read(0, walk.content.size)


def test_without_the_program_files_are_looked_for(opened: Open, tree: Path) -> None:
    session, patterns = opened(), (f"{tree}/sub/*", f"{tree}/none/*")
    plain = ask(session, Glob(patterns))
    found = ask(session, Glob(patterns, unless="no-such-program-anywhere"))
    assert len(found.members) == 3
    assert (found.status, found.members) == (plain.status, plain.members)
    unread = (f"{tree}/sub/one",)
    both = ask(session, Glob(patterns, unread=unread, unless="no-such-program-anywhere"))
    assert [member.data for member in both.members] == [b"sub/.two", b"", b"a secret"]


def test_with_the_program_nothing_is_looked_for(opened: Open, tree: Path) -> None:
    session, patterns = opened(), (f"{tree}/sub/*", f"{tree}/asked")
    for source in (Glob(patterns, unless="ls"), Glob(patterns, unread=(f"{tree}/asked",), unless="ls")):
        found = ask(session, source)
        assert (found.status, found.members) == (Status.ABSENT, ())
    assert len(ask(session, Glob(patterns)).members) == 4, "and the next is looked for again"


def test_what_may_be_asked_with_a_program_is_that(opened: Open, tree: Path) -> None:
    source = Glob((f"{tree}/sub/*",), unless="no-such-program-anywhere")
    assert len(ask(opened(source), source).members) == 3


def test_a_root_file_system_runs_no_program(tree: Path) -> None:
    """What this machine has says nothing of it."""
    session = open_rootfs(str(tree), time.monotonic() + 600)
    found = ask(session, Glob(("/sub/*",), unless="ls"))
    session.close()
    assert len(found.members) == 3


@pytest.mark.parametrize(("program", "members"), [("ls", 0), ("no-such-program-anywhere", 3)])
def test_a_recording_tells_them_apart(tree: Path, tmp_path: Path, program: str, members: int) -> None:
    recorder, source = Recorder(), Glob((f"{tree}/sub/*",), unread=("/x",), unless=program)
    session = ProbeSession(LocalTransport(), "/", time.monotonic() + 600, recorder)
    live = ask(session, source)
    session.close()
    recorder.write(str(tmp_path / "x.capture"), session.facts, "web-1")
    replay = Replay(str(tmp_path / "x.capture"))
    found = replay.ask([source])[source]
    assert (found.status, found.members) == (live.status, live.members)
    assert len(found.members) == members
    for other in (Glob(source.patterns, unread=("/x",)), Glob(source.patterns, unread=("/x",), unless="sh")):
        assert replay.ask([other])[other].status is Status.UNSUPPORTED
