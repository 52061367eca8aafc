"""What the page shows of a scan: one pass over the hosts, in which each mutation that several hosts have alike becomes
one (`Happening`), each control one (`Asked`), and each gap one (`Blind`). Numbers, not names, tell them apart: an id in
the page is never made of what a host said."""

from collections import Counter
from functools import cached_property

from driftscan.model.finding import Action, JudgedControl, JudgedMutation, Result, Severity, State, Verdict
from driftscan.model.names import show
from driftscan.model.result import ScanResult
from driftscan.model.waiver import Waiver
from driftscan.reports import _words as words
from driftscan.reports._page.answers import answers
from driftscan.reports._page.forms import Forms
from driftscan.reports._page.items import Accepted, Alike, Asked, Baking, Blind, Happening, Row

BEGIN = 3
"""Hosts that the headline names."""
MOST_GROUPS, MOST_AXES = 60, 12
FULL = 2000
"""Hosts and mutations that have an entry, the most urgent; the others are rows."""
SHOWN, NAMED = 300, 5000
"""Differences of a mutation that are shown in full, and that are at least named."""
DIFFERENCES, NAMES = 8_000, 200_000
"""Those of all mutations together: beyond the first, mutations have names alone; beyond the second they are rows."""
PART = 100
"""Rows of a table that a browser lays out together, when they come into sight."""
_TELLING = ("role", "asg", "env", "image", "az")
"""What people group servers by, as far as it separates them."""


class View:
    """Everything that the templates ask for."""

    def __init__(self, result: ScanResult) -> None:
        self.result = result
        self.rows = [Row(number, host) for number, host in enumerate(words.by_urgency(result.hosts))]
        self.happenings: list[Happening] = []
        self.controls: list[Asked] = []
        self.blind: list[Blind] = []
        self.accepted: list[Accepted] = [Accepted(waiver, state) for waiver, state in result.waivers]
        self._gather()

    def _gather(self) -> None:
        alike: dict[tuple[object, ...], Forms] = {}
        asked: dict[tuple[str, str], Asked] = {}
        blind: dict[tuple[str, str, str, tuple[str, ...]], Blind] = {}
        accepted = {id(given.waiver): given for given in self.accepted}
        for row in self.rows:
            for judged in row.host.mutations:
                key = (judged.mutation.id, judged.mutation.title, judged.rule)
                found = alike.setdefault(key, Forms()).of(judged)
                found.add(row, judged)
                row.happenings.append((found, judged))
                self._accept(accepted, judged.waiver, row, judged.mutation.title)
            row.happenings.sort(key=lambda pair: _rank(pair[1]))
            for answer in row.host.controls:
                _ask(asked, row, answer)
                self._accept(accepted, answer.waiver, row, answer.title)
            for coverage in row.host.coverage:
                for gap in coverage.gaps:
                    parts = (coverage.name, gap.status.value, gap.reason, gap.hides)
                    blind.setdefault(parts, Blind(*parts)).rows.append(row)
        every = (each for forms in alike.values() for each in forms.happenings)
        self.happenings = sorted(every, key=lambda each: (not each.is_open, *_rank(each.first)))
        self.controls = sorted(asked.values(), key=lambda each: (-bool(each.bad), -each.first.severity, each.first.id))
        for number, happening in enumerate(self.happenings):
            happening.number = number
        for number, control in enumerate(self.controls):
            control.number = number
        self.blind = sorted(blind.values(), key=lambda each: (-len(each.rows), each.collector, show(each.reason)))

    def _accept(self, accepted: dict[int, Accepted], waiver: Waiver | None, row: Row, title: str) -> None:
        if waiver is None:
            return
        if id(waiver) not in accepted:
            same = next((each for each in self.accepted if each.waiver == waiver), None)
            if same is None:
                same = Accepted(waiver, None)
                self.accepted.append(same)
            accepted[id(waiver)] = same
        accepted[id(waiver)].findings.append((row, title))

    @cached_property
    def headline(self) -> str:
        """What to do, in one sentence."""
        return words.to_do([row.host for row in self.rows])

    @property
    def alarm(self) -> str:
        """Hosts of which not all, or nothing, is known; empty if there is none."""
        counts = Counter(row.host.verdict for row in self.unscanned)
        lost, partly = counts[Verdict.UNREACHABLE], counts[Verdict.INCOMPLETE]
        said = []
        if lost:
            them = "it" if lost == 1 else "them"
            said.append(f"{words.plural(lost, 'host')} could not be reached: nothing is known of {them}")
        if partly:
            said.append(f"{words.plural(partly, 'host')} could not be wholly scanned")
        return "; ".join(said) + ". Not scanned is never clean." if said else ""

    @property
    def answers(self) -> list[tuple[str, str]]:
        """(question, answer) of what people ask first."""
        return answers(self.rows, self.causes, self.happenings)

    @property
    def result_words(self) -> str:
        """`2 clean, 3 with findings`."""
        return words.by_verdict(row.host for row in self.rows) or "nothing"

    @property
    def first(self) -> list[Row]:
        """The most urgent hosts."""
        return [row for row in self.rows[:BEGIN] if row.host.recommendation.action is not Action.NONE]

    @property
    def recommendation_parts(self) -> list[tuple[str, str, int]]:
        """(class, word, hosts) of the bar."""
        return [(f"a-{action.word}", action.word, number) for action, number in self.recommendations]

    @property
    def verdict_parts(self) -> list[tuple[str, str, int]]:
        """As above."""
        return [(f"v-{verdict.value}", verdict.value, number) for verdict, number in self.verdicts]

    @property
    def severity_parts(self) -> list[tuple[str, str, int]]:
        """As above, of findings."""
        return [(f"s-{severity.word}", severity.word, number) for severity, number in self.severities]

    @property
    def density(self) -> str:
        """How small cells are: `large`, `medium` or `small`."""
        return "large" if len(self.rows) <= 400 else "medium" if len(self.rows) <= 2500 else "small"

    @cached_property
    def axes(self) -> list[tuple[str, list[str]]]:
        """(what hosts can be grouped by, its value for each host): the image, then labels by name."""
        labels = sorted({name for row in self.rows for name in row.host.labels})
        found = [("image", [row.image for row in self.rows])]
        found += [(name, [row.host.labels.get(name, f"no {name}") for row in self.rows]) for name in labels]
        return [axis for axis in found if len(set(axis[1])) <= MOST_GROUPS][:MOST_AXES]

    @cached_property
    def _grouping(self) -> tuple[str, list[str]]:
        separating = [axis for axis in self.axes if len(set(axis[1])) > 1]
        known = [axis for axis in separating if axis[0] in _TELLING]
        known.sort(key=lambda axis: _TELLING.index(axis[0]))
        return (known or separating or [("", ["all hosts"] * len(self.rows))])[0]

    @property
    def groups(self) -> list[tuple[str, list[Row]]]:
        """Hosts by the first axis that separates them."""
        name, values = self._grouping
        found: dict[str, list[Row]] = {}
        for row, value in zip(self.rows, values, strict=True):
            bare = name in {"", "image"} or value == f"no {name}"
            found.setdefault(value if bare else f"{name} {value}", []).append(row)
        return list(found.items())

    @property
    def grouped_by(self) -> str:
        """The axis of `groups`; empty where nothing separates hosts."""
        return self._grouping[0]

    @cached_property
    def _of_image(self) -> Counter[str]:
        return Counter(row.image for row in self.rows if row.host.verdict not in {Verdict.UNREACHABLE, Verdict.GONE})

    def of(self, rows: list[Row]) -> int:
        """How many hosts have the images that these have."""
        return sum(self._of_image[image] for image in {row.image for row in rows})

    @cached_property
    def _numbers(self) -> dict[tuple[str, str], int]:
        return {(each.first.rule.file, each.first.id): each.number for each in self.controls}

    def control_number(self, control: JudgedControl) -> int:
        """Its number in the page."""
        return self._numbers[control.rule.file, control.id]

    @property
    def files(self) -> list[tuple[str, int]]:
        """(what, how many) of all hosts."""
        names = ("seen", "hashed", "stat_only", "unreadable", "excluded", "raced", "over_limit", "hidden")
        return [(name.replace("_", " "), sum(getattr(row.host.files, name) for row in self.rows)) for name in names]

    @property
    def recommendations(self) -> list[tuple[Action, int]]:
        """Hosts by what to do, the strongest first, each that there is."""
        counts = Counter(row.host.recommendation.action for row in self.rows)
        return [(action, counts[action]) for action in reversed(Action) if counts[action]]

    @property
    def verdicts(self) -> list[tuple[Verdict, int]]:
        """Hosts by verdict, each that there is."""
        counts = Counter(row.host.verdict for row in self.rows)
        return [(verdict, counts[verdict]) for verdict in Verdict if counts[verdict]]

    @property
    def severities(self) -> list[tuple[Severity, int]]:
        """Open findings of all hosts, the worst first."""
        counts = Counter(severity for row in self.rows for severity in row.host.open_severities())
        return [(severity, counts[severity]) for severity in reversed(Severity)]

    @property
    def reached(self) -> bool:
        """Whether any host was."""
        return any(row.host.verdict.reached for row in self.rows)

    @property
    def no_findings(self) -> str:
        """What it is worth that none is open."""
        return "not known" if not self.reached else "none seen" if self.unscanned else "none"

    @property
    def causes(self) -> list[tuple[str, int, int]]:
        """(cause, mutations that are open, hosts that have one of them), the most common first."""
        found: dict[str, tuple[int, set[int]]] = {}
        for each in self.happenings:
            rows = {row.number for row, judged in each.sightings if judged.state is State.OPEN}
            if rows:
                count, hosts = found.get(each.mutation.cause.type.value, (0, set()))
                found[each.mutation.cause.type.value] = (count + 1, hosts | rows)
        return sorted(
            ((cause, count, len(hosts)) for cause, (count, hosts) in found.items()),
            key=lambda each: (-each[2], -each[1], each[0]),
        )

    @cached_property
    def cohorts(self) -> list[Alike]:
        """What more than one host has; what befell most of them first."""
        found: dict[str, Alike] = {}
        for each in self.open_happenings:
            found.setdefault(each.mutation.id, Alike()).happenings.append(each)
        several = [(len(each.rows), each) for each in found.values()]
        several.sort(key=lambda pair: (-pair[1].severity, -pair[0], pair[1].first.number))
        return [each for hosts, each in several if hosts > 1]

    @cached_property
    def forms(self) -> dict[str, list[Happening]]:
        """Of each finding, the ways in which hosts have it."""
        found: dict[str, list[Happening]] = {}
        for each in self.happenings:
            found.setdefault(each.mutation.id, []).append(each)
        return found

    @cached_property
    def bakings(self) -> list[Baking]:
        """Images to bake anew, the worst first."""
        named: dict[str, list[Row]] = {}
        for row in self.rows:
            named.setdefault(row.host.host, []).append(row)
        return [
            Baking(each, [row for name in each.hosts for row in named.get(name, ())]) for each in self.result.patching
        ]

    @property
    def open_happenings(self) -> list[Happening]:
        """What somebody has to do something about."""
        return [each for each in self.happenings if each.is_open]

    @property
    def allowed_happenings(self) -> list[Happening]:
        """What rules accept, without a waiver."""
        return [each for each in self.happenings if each.first.state is State.ALLOWED]

    @property
    def failed_controls(self) -> list[Asked]:
        """Controls that failed on a host without anybody accepting it."""
        return [each for each in self.controls if each.bad]

    @property
    def untold_controls(self) -> list[Asked]:
        """Controls that could not be decided on some host."""
        return [each for each in self.controls if each.results["unknown"]]

    @property
    def unscanned(self) -> list[Row]:
        """Hosts that were not, or not wholly, looked at."""
        return [row for row in self.rows if row.host.verdict in words.UNSCANNED]

    @cached_property
    def told(self) -> list[Row]:
        """Hosts of which there is something to say."""
        return [row for row in self.rows if row.told]

    @property
    def full(self) -> list[Row]:
        """Those of them that are shown in full."""
        return self.told[:FULL]

    @property
    def listed(self) -> list[Row]:
        """Those that are rows."""
        return self.told[FULL:]

    @cached_property
    def full_happenings(self) -> list[Happening]:
        """Mutations that have an entry: of the hosts that have one, as many as a browser bears."""
        known = {row.number for row in self.full}
        found: list[Happening] = []
        left = NAMES
        for each in self.happenings:
            if left > 0 and len(found) < FULL and each.sightings[0][0].number in known:
                found.append(each)
                left -= min(each.mutation.explains, NAMED)
        return found

    @cached_property
    def in_full(self) -> frozenset[int]:
        """The numbers of the mutations whose differences are shown with what differs, not by name alone."""
        found = set()
        left = DIFFERENCES
        for each in self.full_happenings:
            if left <= 0:
                break
            found.add(each.number)
            left -= min(each.mutation.explains, SHOWN)
        return frozenset(found)

    @property
    def listed_happenings(self) -> list[Happening]:
        """Those that are rows."""
        known = {each.number for each in self.full_happenings}
        return [each for each in self.happenings if each.number not in known]

    @property
    def quiet(self) -> list[Row]:
        """The others: as they should be, one line each."""
        return [row for row in self.rows if not row.told]

    @cached_property
    def packs(self) -> list[tuple[str, list[Asked]]]:
        """Controls by the policy that asks, the one with most failures first."""
        found: dict[str, list[Asked]] = {}
        for each in self.controls:
            found.setdefault(pack_of(each.first), []).append(each)
        return sorted(found.items(), key=lambda pack: (-sum(bool(each.bad) for each in pack[1]), pack[0]))

    @property
    def catalogues(self) -> list[tuple[str, list[tuple[str, list[Asked]]]]]:
        """Framework -> its numbers -> the controls that refer to them."""
        found: dict[str, dict[str, list[Asked]]] = {}
        for each in self.controls:
            for catalogue, numbers in each.first.refs.items():
                for number in numbers:
                    found.setdefault(catalogue, {}).setdefault(number, []).append(each)
        return [
            (name, sorted(numbers.items(), key=lambda item: natural(item[0])))
            for name, numbers in sorted(found.items())
        ]

    @property
    def collectors(self) -> list[tuple[str, Counter[str], int]]:
        """(collector, status -> hosts, resources)."""
        found: dict[str, tuple[Counter[str], int]] = {}
        for row in self.rows:
            for coverage in row.host.coverage:
                statuses, resources = found.get(coverage.name, (Counter(), 0))
                statuses[coverage.status.value] += 1
                found[coverage.name] = (statuses, resources + coverage.resources)
        return [(name, *found[name]) for name in sorted(found)]

    def said(self, what: str) -> list[tuple[str, list[Row]]]:
        """`notes`, `not_baselined` or `torn` of all hosts, equal ones once, the most common first."""
        found: dict[str, list[Row]] = {}
        for row in self.rows:
            for text in dict.fromkeys(getattr(row.host, what)):
                found.setdefault(text, []).append(row)
        return sorted(found.items(), key=lambda item: (-len(item[1]), show(item[0])))

    @property
    def timings(self) -> list[tuple[str, int, int, int, Row]]:
        """(phase, median, 95th percentile, longest, its host) in milliseconds, the longest phase first."""
        found: dict[str, list[tuple[int, int]]] = {}
        for row in self.rows:
            for phase, took in row.host.timings.items():
                found.setdefault(phase, []).append((took, row.number))
        told = []
        for phase, taken in found.items():
            taken.sort()
            last, number = taken[-1]
            told.append((phase, taken[len(taken) // 2][0], taken[int(len(taken) * 0.95)][0], last, self.rows[number]))
        return sorted(told, key=lambda each: (-each[1], each[0]))


def pack_of(control: JudgedControl) -> str:
    """The folder of the policy's file, which is the pack's name; else the file's."""
    parts = [part for part in control.rule.file.split("/") if part]
    return (parts[-2] if len(parts) > 1 else "".join(parts)) or "no policy file"


def natural(text: str) -> tuple[tuple[int, int, str], ...]:
    """A key that puts AC-2 before AC-10."""
    parts: list[tuple[int, int, str]] = []
    digits, letters = "", ""
    for char in text + "\0":
        if char.isascii() and char.isdigit():
            digits += char
            continue
        if digits:
            parts += [(1, 0, letters), (0, int(digits[:9]), digits)]
            digits, letters = "", ""
        letters += char
    return (*parts, (1, 0, letters))


def _rank(judged: JudgedMutation) -> tuple[bool, int, int, int, str]:
    return (judged.state is not State.OPEN, -judged.severity, -judged.action, judged.urgency, judged.mutation.id)


def _ask(asked: dict[tuple[str, str], Asked], row: Row, control: JudgedControl) -> None:
    key = (control.rule.file, control.id)
    found = asked.get(key)
    if found is None:
        found = asked[key] = Asked(len(asked), control)
    failed = control.result is Result.FAIL
    result = control.state.value if failed and control.state is not State.OPEN else control.result.value
    found.results[result] += 1
    if control.result in {Result.FAIL, Result.UNKNOWN}:
        found.evidence.setdefault((result, control.evidence), []).append((row, control))
