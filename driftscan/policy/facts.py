"""The facts of a target as rules look at them: rows by kind and key, and what is hidden from sight."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

from driftscan.model.manifest import Manifest
from driftscan.model.patterns import is_literal, literal_prefix, split_pattern
from driftscan.model.resource import Plane, Resource
from driftscan.model.snapshot import CollectorCoverage, Resources, Snapshot
from driftscan.policy.alike import Alike, Rows
from driftscan.policy.conditions import Predicate, Row
from driftscan.policy.derived import DERIVED
from driftscan.policy.model import Control, Selection
from driftscan.policy.tables import Predicates, Single, Table, everything, matcher
from driftscan.policy.truth import Truth

_T = TypeVar("_T")
_NO_FILE = frozenset({"size", "nlink", "sha256", "md5"})
_WITHOUT = {
    "regular": frozenset({"target", "device"}),
    "symlink": _NO_FILE | {"mode", "device", "acl", "capabilities", "selinux", "flags", "xattrs"},
    "block": _NO_FILE | {"target"},
    "character": _NO_FILE | {"target"},
    **dict.fromkeys(("directory", "fifo", "socket"), _NO_FILE | {"target", "device"}),
}
"""Columns that a type of file never has."""
_NONE: frozenset[str] = frozenset()


@dataclass(slots=True)
class Selected:
    """What a selection finds. `rows`: in it; `doubtful`: whether they are in it is not known; `missing`: named and
    not there; `hidden`: gaps behind which more of it may be, in words."""

    rows: list[Row] = field(default_factory=list)
    doubtful: list[Row] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    hidden: list[str] = field(default_factory=list)

    @property
    def empty(self) -> bool:
        """Nothing was found, and nothing is hidden."""
        return not (self.rows or self.doubtful or self.missing or self.hidden)


class Facts:
    """An index over the resources of a snapshot or a manifest."""

    def __init__(
        self,
        resources: Resources,
        table: Table,
        coverage: Iterable[CollectorCoverage],
        covered: frozenset[str],
        *,
        live: bool,
        now: int = 0,
        alike: Alike | None = None,
    ) -> None:
        """Nothing is looked at yet."""
        self.now = now
        self.live = live
        self._resources = resources
        self._covered = covered
        self._alike = alike
        self._small: dict[str, Rows] = {}
        self._gaps: defaultdict[str, dict[str, str]] = defaultdict(dict)
        for each in coverage:
            for gap in each.gaps:
                for pattern in gap.hides:
                    kind, glob = split_pattern(pattern)
                    self._gaps[kind].setdefault(glob, gap.reason or gap.status.value)
        gaps = {kind: tuple(of_kind.items()) for kind, of_kind in self._gaps.items()}
        self._frame = alike.frame((covered, gaps, live)) if alike else None
        self._table = table
        self._rows: dict[str, Row] = {}
        self._matched: dict[tuple[str, tuple[str, ...]], list[Row]] = {}
        self._derived: dict[str, dict[str, Resource]] = {}

    @classmethod
    def of(
        cls, source: Snapshot | Manifest, now: int = 0, table: Table | None = None, alike: Alike | None = None
    ) -> "Facts":
        """The facts of a snapshot or of a manifest, as they are judged at a time: see `Row.now`. `table` and `alike`:
        its files, and what stands for its small facts, if they are asked together with others."""
        return cls(
            source.resources,
            table or Single(source.resources.files),
            source.coverage,
            source.covered_kinds,
            live=source.live,
            now=now,
            alike=alike,
        )

    def unavailable(self, selection: Selection) -> str:
        """Why nothing is known of the selection's kind; empty: it was looked at. Kinds of a running system are
        not asked of one that is at rest: see `out_of_reach`."""
        if selection.kind in self._covered:
            return ""
        if selection.kind in DERIVED:
            return next(filter(None, map(self._uncollected, DERIVED[selection.kind].of)), "")
        return self._uncollected(selection.kind)

    def _uncollected(self, kind: str) -> str:
        return "" if kind in self._covered else self._gaps[kind].get(everything(kind), "") or "not collected"

    def out_of_reach(self, selection: Selection) -> bool:
        """Whether the selection is about a running system and the target is none."""
        return selection.plane is Plane.RUNTIME and not self.live

    def select(self, selection: Selection, asked: Predicate | None = None, *, narrowed: bool = False) -> Selected:
        """The selection's resources, of which a predicate will be asked; `narrowed`: files of which that cannot hold
        may be left out."""
        found = Selected()
        self._derive(selection.kind)
        rows = [row for key in selection.named for row in self._named(selection, key, found)]
        if selection.globs or not selection.named:
            rows += self._matching(selection, asked if narrowed else None, found)
        where = selection.where
        if (asked and asked.timed) or (where and where.timed):
            rows = [replace(row, now=self.now, place=-1) for row in rows]
        if where is None:
            found.rows = rows
        else:
            fits = self.truths(selection.kind, where, rows)
            found.rows = [row for row, fit in zip(rows, fits, strict=True) if fit is True]
            found.doubtful = [row for row, fit in zip(rows, fits, strict=True) if fit is None]
        return found

    def truths(self, kind: str, predicate: Predicate, rows: Sequence[Row]) -> list[Truth]:
        """What a predicate says of each row that was selected."""
        return self.of_each(kind, predicate, rows, predicate.truths)

    def of_each(
        self, kind: str, asked: object, rows: Sequence[Row], answer: Callable[[Sequence[Row]], list[_T]]
    ) -> list[_T]:
        """What is answered of each row that was selected: see `Standing.of_each`."""
        standing = self._of_kind(kind).standing if self._alike and kind != "file" else None
        return standing.of_each(asked, rows, answer) if standing else answer(rows)

    def remembered(self, control: Control, image: object, make: Callable[[], _T]) -> _T:
        """What was made before of a control, if every fact that it looks at was the same, and the image; else what is
        made now."""
        if self._alike is None or control.timed:
            return make()
        stands = [*map(self._stands, control.selections)]
        if None in stands:
            return make()
        return self._alike.remembered(control, (image, self._frame, *stands), make)

    def _stands(self, selection: Selection) -> object | None:
        """What stands for the facts of the selection's kind; None: some of those that it selects are others."""
        kind, globs, named = selection.kind, selection.globs, selection.named
        self._derive(kind)
        if kind == "file":
            stands, other = self._table.stands
        else:
            stands, other = self._of_kind(kind).standing, self._of_kind(kind).other
        if not other or (other.isdisjoint(named) and named and not globs):
            return stands
        if not other.isdisjoint(named) or any(map(matcher(kind, globs or (everything(kind),)), other)):
            return None
        return stands

    def _of_kind(self, kind: str) -> Rows:
        """The rows of a small kind, by key, and those that stand for them."""
        if kind not in self._small:
            self._small[kind] = self._rows_of(kind, [*self._resources.of(kind)])
        return self._small[kind]

    def _rows_of(self, kind: str, resources: Sequence[Resource]) -> Rows:
        return self._alike.rows(kind, resources) if self._alike else Rows([*map(self._row, resources)])

    def _derive(self, kind: str) -> None:
        """Make the facts of a kind that follows from others, unless they were given."""
        if kind not in DERIVED or kind in self._covered or kind in self._derived:
            return
        self._derived[kind] = {each.key: each for each in DERIVED[kind].make(self._resources, self._table)}
        self._small[kind] = self._rows_of(kind, [each for _, each in sorted(self._derived[kind].items())])
        for base in DERIVED[kind].of:
            for glob, reason in self._gaps[base].items():
                self._gaps[kind].setdefault(everything(kind), f"{base} {glob}: {reason}")

    def _resource(self, kind: str, key: str) -> Resource | None:
        if kind in self._derived:
            return self._derived[kind].get(key)
        return self._table.get(key) if kind == "file" else self._resources.get(kind, key)

    def _named(self, selection: Selection, key: str, found: Selected) -> Iterator[Row]:
        resource = self._resource(selection.kind, key)
        if resource is not None:
            yield self._row(resource)
        elif reason := self._hidden(selection.kind, key):
            found.hidden.append(f"{selection.kind} {key}: {reason}")
        elif selection.default is not None:
            yield Row(key, selection.default, assumed=True, kind=selection.kind)
        else:
            found.missing.append(key)

    def _row(self, resource: Resource) -> Row:
        kind = resource.kind
        without = _WITHOUT.get(str(resource.attributes.get("type")), _NONE) if kind == "file" else _NONE
        return Row(resource.key, resource.attributes, without, kind=kind)

    def _matching(self, selection: Selection, wanted: Predicate | None, found: Selected) -> Iterable[Row]:
        kind, named = selection.kind, set(selection.named)
        globs = selection.globs or (everything(kind),)
        for glob, reason in self._gaps[kind].items():
            if self._hides_more(kind, globs, glob):
                found.hidden.append(f"{kind} {glob}: {reason}")
        rows = self._files(globs, (selection.where, wanted)) if kind == "file" else self._others(kind, globs)
        return [row for row in rows if row.key not in named] if named else rows

    def _hides_more(self, kind: str, globs: tuple[str, ...], gap: str) -> bool:
        """Whether resources of the selection may lie behind a gap; not if it names one that was seen all the same."""
        if is_literal(gap):
            return self._resource(kind, gap) is None and bool(matcher(kind, globs)(gap))
        return any(_may_overlap(gap, wanted) for wanted in globs)

    def _others(self, kind: str, globs: tuple[str, ...]) -> Sequence[Row]:
        if globs == (everything(kind),):
            return self._of_kind(kind).rows
        if (kind, globs) not in self._matched:
            fits = matcher(kind, globs)
            self._matched[kind, globs] = [each for each in self._of_kind(kind).rows if fits(each.key)]
        return self._matched[kind, globs]

    def _files(self, globs: tuple[str, ...], predicates: Predicates) -> Iterator[Row]:
        for each in self._table.matching(globs, predicates):
            if each.key not in self._rows:
                self._rows[each.key] = self._row(each)
            yield self._rows[each.key]

    def _hidden(self, kind: str, key: str) -> str:
        gaps: Mapping[str, str] = self._gaps[kind]
        if not gaps:
            return ""
        return next((reason for glob, reason in gaps.items() if matcher(kind, (glob,))(key)), "")


def _may_overlap(one: str, other: str) -> bool:
    """Whether two globs can fit one key: not if they begin with different text. Errs towards yes."""
    left, right = literal_prefix(one), literal_prefix(other)
    return left.startswith(right) or right.startswith(left)
