"""Whatever an image declares, no path is relaxed that the declaration does not name, and none that runs or decides.

Declarations are made here as facts (kind and path), written as files, and read back; which paths a fact names is
decided by fnmatch(3), component by component, which is no code of driftscan's.
"""

import fnmatch
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st

from driftscan.compare.zoning import Judge, Pair
from driftscan.model.drift import Delta
from driftscan.model.matching import Matcher
from driftscan.model.records import Records
from driftscan.model.zone import Zone, ZoneClass
from driftscan.zones.declared import accept, declarations
from driftscan.zones.protected import protected
from tests.compare.building import A, B, file, resources
from tests.zones.test_declared import captures

_WORDS = ("a", "b.log", "lib", "log", "x", "a*", "*", "*.log", "?", "[ab]", "{a,b}", "*.so", "b*.*", "..", ".ssh")
_TOPS = ("", "/var/lib", "/var/log", "/var/lib/x", "/srv", "/srv/a", "/etc", "/run", "/opt/a", "/usr/lib", "/var/spool")
_NAMES = ("a", "b", "c", "b.log", "a1", "x", "so", "b.log.1", "a.so", "run.sh", ".ssh", "cron", "b.log-1", "a.log")
_PLACES = {"StateDirectory": "/var/lib", "LogsDirectory": "/var/log"}


@dataclass(frozen=True)
class Fact:
    """One declaration. `directive`: a type of tmpfiles.d, a directory of a unit, or `rotate`."""

    directive: str
    path: str

    @property
    def named(self) -> str:
        place = _PLACES.get(self.directive)
        return self.path if place is None else f"{place}/{self.path.lstrip('/')}"

    def names(self, key: str) -> bool:
        """Whether it is about a path at all, by the manual page."""
        globbed = self.directive in {"e", "r", "R", "rotate"}
        return any(self._covers(each, key, globbed) for each in (_braces(self.named) if globbed else [self.named]))

    def _covers(self, named: str, key: str, globbed: bool) -> bool:
        mine, theirs = named.strip("/").split("/"), key.strip("/").split("/")
        beneath = self.directive not in {"f", "r", "rotate"}
        if self.directive == "rotate":
            return any(_alike([*mine[:-1], mine[-1] + end], theirs, True) for end in ("", ".*"))
        if self.directive in _PLACES and mine[: len(theirs)] == theirs:
            return True
        return _alike(mine, theirs[: len(mine)] if beneath else theirs, globbed)


def _alike(globs: list[str], parts: list[str], globbed: bool) -> bool:
    if len(globs) != len(parts):
        return False
    return all(fnmatch.fnmatchcase(p, g) if globbed else p == g for g, p in zip(globs, parts, strict=True))


def _braces(text: str) -> Iterator[str]:
    before, brace, rest = text.partition("{")
    if not brace:
        yield text
        return
    inside, _, after = rest.partition("}")
    for word in inside.split(","):
        yield from _braces(before + word + after)


def read(facts: Iterable[Fact]) -> tuple[Zone, ...]:
    tmpfiles, rotated, unit = [], [], ["[Service]"]
    for fact in facts:
        if fact.directive == "rotate":
            rotated.append(f"{fact.path} {{\n  weekly\n}}")
        elif len(fact.directive) > 1:
            unit.append(f"{fact.directive}={fact.path.lstrip('/')}")
        else:
            tmpfiles.append(f"{fact.directive} {fact.path} - - - {'' if fact.directive == 'f' else '1d'}")
    found, gaps = declarations(
        captures(
            {
                "/usr/lib/tmpfiles.d/x.conf": "\n".join(tmpfiles),
                "/etc/logrotate.conf": "\n".join(rotated),
                "/usr/lib/systemd/system/x.service": "\n".join(unit),
            }
        )
    )
    assert not gaps
    return found


def paths(words: tuple[str, ...]) -> st.SearchStrategy[str]:
    parts = st.lists(st.sampled_from(words), min_size=1, max_size=3).map("/".join)
    return st.tuples(st.sampled_from(_TOPS), parts).map("/".join)


_DIRECTIVES = ("d", "D", "e", "f", "r", "R", "rotate", *_PLACES)
_facts = st.lists(st.builds(Fact, st.sampled_from(_DIRECTIVES), paths(_WORDS)), min_size=1, max_size=4)


@st.composite
def declared_and_asked(draw: st.DrawFn) -> tuple[list[Fact], list[str]]:
    """Declarations, and paths that they name or nearly name."""
    found = draw(_facts)
    return found, [draw(_near(draw(st.sampled_from(found)))) for _ in range(8)]


def _near(fact: Fact) -> st.SearchStrategy[str]:
    parts = [_part(part) for part in fact.named.strip("/").split("/")]
    tail = st.lists(st.sampled_from(_NAMES), max_size=2).map(tuple)
    end = st.sampled_from(("", "", "", ".1", "x", ".so"))
    return st.tuples(st.tuples(*parts), tail, end).map(lambda each: "/" + "/".join((*each[0], *each[1])) + each[2])


def _part(part: str) -> st.SearchStrategy[str]:
    if part.isalnum():
        return st.sampled_from((*[part] * 8, *_NAMES))
    return st.sampled_from((part.replace("*", "a").replace("?", "b").replace("..", "x"), *_NAMES))


def comes(zones: Matcher, key: str) -> bool:
    """Whether a file that the image has not would be accepted."""
    pair = Pair(None, file(key, sha256=B), {})
    return Judge(Records(), Records()).rule(zones.zone_of("file", key), pair).allowed


def changes(zones: Matcher, key: str) -> bool:
    """Whether one that the image has might have another content, or go."""
    judge, old, new = Judge(Records(), Records()), file(key), file(key, sha256=B)
    zone = zones.zone_of("file", key)
    return any(
        judge.rule(zone, pair).allowed for pair in (Pair(old, new, {"sha256": Delta(A, B)}), Pair(old, None, {}))
    )


@settings(max_examples=100, deadline=None)
@given(declared_and_asked())
def test_no_path_is_relaxed_that_nobody_names(case: tuple[list[Fact], list[str]]) -> None:
    facts, keys = case
    zones = Matcher(accept([read(facts)], (), Records()).zones)
    for key in keys:
        if comes(zones, key) or changes(zones, key):
            assert any(fact.names(key) for fact in facts), zones.zone_of("file", key)


@settings(max_examples=100, deadline=None)
@given(declared_and_asked())
def test_nothing_is_relaxed_that_runs_or_decides(case: tuple[list[Fact], list[str]]) -> None:
    facts, keys = case
    every = [*keys, "/etc/passwd", "/etc/pam.d/x", "/usr/lib/x", "/root/.ssh/authorized_keys", "/var/spool/cron/x"]
    every = [key for key in dict.fromkeys(every) if protected("file", key, (), ())]
    without = Matcher(accept([read(facts)], (), Records()).zones)
    image = resources([file(key) for key in every])
    within = Matcher(accept([read(facts)], (), image.files).zones)
    for key in every:
        assert not comes(without, key), without.zone_of("file", key)
        assert not changes(within, key), within.zone_of("file", key)


@settings(max_examples=100, deadline=None)
@given(declared_and_asked())
def test_what_the_image_executes_is_never_relaxed(case: tuple[list[Fact], list[str]]) -> None:
    facts, keys = case
    image = resources([file(key, mode="0755") for key in dict.fromkeys(keys)])
    zones = Matcher(accept([read(facts)], (), image.files).zones)
    for key in keys:
        zone = zones.zone_of("file", key)
        assert zone is None or zone.zone is ZoneClass.SEALED or zone.attributes == ("nlink",), zone


@given(st.text(max_size=200), st.text(max_size=200), st.text(max_size=200), st.text(max_size=200))
def test_no_text_breaks_a_parser(one: str, two: str, three: str, four: str) -> None:
    files = {
        "/etc/tmpfiles.d/x.conf": one,
        "/etc/logrotate.conf": two,
        "/etc/systemd/system/x.service": f"[Service]\nStateDirectory={three}\n{one}",
        "/etc/cloud/cloud.cfg": f"cloud_init_modules: [write_files]\nwrite_files: {four}\n",
    }
    clean = {path: text.encode("utf-8", "replace").decode() for path, text in files.items()}
    found, gaps = declarations(captures(clean))
    assert not gaps
    accept([found], (), Records())


def test_an_end_that_begins_before_the_star_is_sealed() -> None:
    facts = [Fact("d", "/var/lib/b.log"), Fact("rotate", "/var/lib/b*.*")]
    made = Matcher(accept([read(facts)], (), Records()).zones)
    for name in ("b.so", "b.so.1", "b.x.so", "b.py"):
        zone = made.zone_of("file", f"/var/lib/{name}")
        assert zone is not None
        assert zone.zone is ZoneClass.SEALED, name
