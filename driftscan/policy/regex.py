"""Regular expressions whose matching time grows linearly with the text, whatever a policy or a host writes.

A subset of Python's syntax: literals, `.`, classes (`[a-z]`, `[^0-9]`), escapes (`\\d \\w \\s \\.`), groups,
alternatives, and `* + ? {m} {m,n}`. No anchors (the whole text must match), no back references, no look-around.
The expression becomes a nondeterministic automaton that is run as a set of states (Thompson, "Regular Expression
Search Algorithm", CACM 11(6), 1968), so nothing is ever tried twice.
"""

import re
from dataclasses import dataclass, field

MAX_LENGTH = 256
"""Characters of an expression."""
MAX_STATES = 1000
MAX_REPEAT = 100
MAX_TEXT = 65_536
"""Characters of a text; a longer one is refused by `Pattern.matches`."""
_MAX_REMEMBERED = 4096
_REPEAT = re.compile(r"\{(\d{1,4})(?:(,)(\d{0,4}))?\}")
_ESCAPES = "dDwWsS"


class RegexError(ValueError):
    """The expression is outside the subset; the text says what in it."""


@dataclass(slots=True)
class _State:
    """`accepts` one character and goes to `after`, or (None) goes to all of `after` without one."""

    accepts: re.Pattern[str] | None = None
    after: list[int] = field(default_factory=list)


class Pattern:
    """A compiled expression."""

    def __init__(self, expression: str) -> None:
        """RegexError if the expression is not in the subset."""
        self.expression = expression
        parser = _Parser(expression)
        self._states, start, self._end = parser.parse()
        self._start = self._closure({start})
        self._steps: dict[tuple[frozenset[int], str], frozenset[int]] = {}

    def matches(self, text: str) -> bool | None:
        """Whether the whole text matches; None for a text that is too long to try."""
        if len(text) > MAX_TEXT:
            return None
        now = self._start
        for char in text:
            now = self._step(now, char)
            if not now:
                return False
        return self._end in now

    def _step(self, now: frozenset[int], char: str) -> frozenset[int]:
        known = self._steps.get((now, char))
        if known is not None:
            return known
        reached = {
            state.after[0]
            for state in (self._states[index] for index in now)
            if state.accepts is not None and state.accepts.fullmatch(char)
        }
        if len(self._steps) >= _MAX_REMEMBERED:
            self._steps.clear()
        result = self._steps[(now, char)] = self._closure(reached)
        return result

    def _closure(self, seeds: set[int]) -> frozenset[int]:
        found, todo = set(seeds), list(seeds)
        while todo:
            state = self._states[todo.pop()]
            if state.accepts is None:
                fresh = [index for index in state.after if index not in found]
                found.update(fresh)
                todo.extend(fresh)
        return frozenset(found)


class _Parser:
    """Recursive descent; each part is (first state, last state), the last one empty and open."""

    def __init__(self, text: str) -> None:
        if len(text) > MAX_LENGTH:
            raise RegexError(f"is longer than {MAX_LENGTH} characters")
        self._text = text
        self._at = 0
        self._states: list[_State] = []

    def parse(self) -> tuple[list[_State], int, int]:
        first, last = self._alternatives()
        if self._at < len(self._text):
            raise RegexError("has a ')' without its '('")
        return self._states, first, last

    def _new(self, accepts: re.Pattern[str] | None = None) -> int:
        if len(self._states) >= MAX_STATES:
            raise RegexError("repeats too much")
        self._states.append(_State(accepts))
        return len(self._states) - 1

    def _peek(self) -> str:
        return self._text[self._at : self._at + 1]

    def _alternatives(self) -> tuple[int, int]:
        parts = [self._sequence()]
        while self._peek() == "|":
            self._at += 1
            parts.append(self._sequence())
        if len(parts) == 1:
            return parts[0]
        first, last = self._new(), self._new()
        for begin, end in parts:
            self._states[first].after.append(begin)
            self._states[end].after.append(last)
        return first, last

    def _sequence(self) -> tuple[int, int]:
        first = last = self._new()
        while self._peek() not in {"", "|", ")"}:
            begin, end = self._repeated()
            self._states[last].after.append(begin)
            last = end
        return first, last

    def _repeated(self) -> tuple[int, int]:
        start = self._at
        part = self._atom()
        least, most = self._quantifier()
        if (least, most) == (1, 1):
            return part
        stop = self._at
        first = last = self._new()
        for count in range(least + 1 if most is None else most):
            begin, end = self._again(start) if count else part
            if count >= least:
                begin, end = self._optional(begin, end, again=most is None)
            self._states[last].after.append(begin)
            last = end
        self._at = stop
        return first, last

    def _optional(self, begin: int, end: int, *, again: bool) -> tuple[int, int]:
        """A part that may be left out; with `again` it may also come any number of times."""
        first, last = self._new(), self._new()
        self._states[first].after += [begin, last]
        self._states[end].after.append(first if again else last)
        return first, last

    def _again(self, start: int) -> tuple[int, int]:
        self._at = start
        return self._atom()

    def _quantifier(self) -> tuple[int, int | None]:
        char = self._peek()
        if char in {"*", "+", "?"} and char:
            self._at += 1
            bounds: tuple[int, int | None] = {"*": (0, None), "+": (1, None), "?": (0, 1)}[char]
        elif found := _REPEAT.match(self._text, self._at):
            self._at = found.end()
            least = int(found[1])
            most = least if not found[2] else int(found[3]) if found[3] else None
            if max(least, most or 0) > MAX_REPEAT or (most is not None and most < max(least, 1)):
                raise RegexError(f"repeats {found[0]}: the bounds must rise and stay below {MAX_REPEAT + 1}")
            bounds = (least, most)
        else:
            return 1, 1
        if (self._peek() and self._peek() in "*+?") or _REPEAT.match(self._text, self._at):
            raise RegexError(f"has '{self._peek()}' after a repeat")
        return bounds

    def _atom(self) -> tuple[int, int]:
        char = self._peek()
        if char == "(":
            return self._group()
        if char in {"*", "+", "?"}:
            raise RegexError(f"has '{char}' with nothing before it")
        if char in {"^", "$"}:
            raise RegexError(f"has the anchor '{char}': leave it out, the whole text must match anyway")
        if char == "[":
            return self._single(self._class())
        if char == "\\":
            return self._single(self._escape())
        self._at += 1
        return self._single("." if char == "." else re.escape(char))

    def _group(self) -> tuple[int, int]:
        self._at += 3 if self._text.startswith("(?:", self._at) else 1
        if self._peek() == "?":
            raise RegexError("has '(?': only plain groups and (?:...) are supported")
        part = self._alternatives()
        if self._peek() != ")":
            raise RegexError("lacks a ')'")
        self._at += 1
        return part

    def _escape(self) -> str:
        char = self._text[self._at + 1 : self._at + 2]
        if not char or (char.isalnum() and char not in _ESCAPES):
            raise RegexError(f"has the escape '\\{char}', which is not supported")
        self._at += 2
        return "\\" + char

    def _class(self) -> str:
        end = self._at + 1
        while end < len(self._text) and (self._text[end] != "]" or end == self._at + 1):
            end += 2 if self._text[end] == "\\" else 1
        if end >= len(self._text):
            raise RegexError("lacks a ']'")
        text = self._text[self._at : end + 1]
        if re.search(r"\\(?![dDwWsS])[A-Za-z0-9]|--|&&|~~|\|\|", text):
            raise RegexError(f"has an escape or a doubled sign in {text} that is not supported")
        self._at = end + 1
        return "[" + re.sub(r"(?<!\\)\[", r"\\[", text[1:])

    def _single(self, expression: str) -> tuple[int, int]:
        try:
            first = self._new(re.compile(expression, re.DOTALL))
        except re.error as error:
            raise RegexError(f"has {expression}: {error.msg}") from None
        last = self._new()
        self._states[first].after.append(last)
        return first, last
