"""Quick answers about the file table, so that a rule about the whole tree decodes only the few records it is about.

What is asked of the key is asked of it alone. Records are canonical JSON (`model.codec`): a column has one spelling,
and a quote within a text is escaped, so the column's name in quotes with its colon is found nowhere else before it. A
column with few different values is read once for all rules; a condition is then asked once per value instead of once
per file. A record that lacks the column, or whose value is not plain, is let through: what is let through is still
judged.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property

from driftscan.model.records import Records
from driftscan.policy.conditions import NOWHERE, Condition, Predicate

_ORDER = ("capabilities", "flags", "gid", "mode", "type", "uid")
_PLAIN = re.compile(
    rb'{"attributes":{"acl":"","capabilities":(""),"flags":("[a-zA-Z]*"),"gid":([0-9]+),"mode":("[0-7]{4}"),"nlink":[0-9]+,'
    rb'"selinux":"","(?:md5|sha256)":"[0-9a-f]*","size":[0-9]+,"type":("regular"),"uid":([0-9]+),"xattrs":{}},"key":'
)
"""The record of nearly every file of a host, with its values of these columns."""
COLUMNS = frozenset(_ORDER)
"""Columns that have few different values on any host, and of which nothing is asked but the value."""

_WORTH_READING = 8
"""A column is read as a whole for a rule that asks of at least every eighth file."""


class Survey:
    """The values of such columns, read when first asked for."""

    def __init__(self, records: Records) -> None:
        """Nothing is read yet."""
        self._records = records
        self._columns: Mapping[str, list[bytes]] = {}

    @cached_property
    def _lines(self) -> Sequence[bytes]:
        return self._records.lines

    def narrowed(self, indices: Iterable[int], predicates: Iterable[Predicate | None]) -> list[int]:
        """Those of the records of which all of the predicates may hold."""
        found = list(indices)
        asked = [each for predicate in predicates if predicate for each in predicate.columns]
        for name, condition in asked:
            if name in COLUMNS:
                found = self._passing(found, name, condition)
        for name, condition in asked:  # when few are left, as each has a key of its own
            if name == "key" and not condition.needs:
                found = [index for index, key in self._keys(found) if condition.test(key, NOWHERE) is not False]
        return found

    def _keys(self, indices: list[int]) -> Iterator[tuple[int, str]]:
        if len(indices) * _WORTH_READING > len(self._lines):
            keys = self._records.keys[indices[0] : indices[-1] + 1]
            return ((index, keys[index - indices[0]]) for index in indices)
        return ((index, self._records.row(index)[0]) for index in indices)

    def values(self, name: str) -> list[bytes]:
        """Of one of COLUMNS the JSON of each record's value, empty where it lacks the column."""
        return self._read()[name] if len(self._lines) else []

    def _passing(self, indices: list[int], name: str, condition: Condition) -> list[int]:
        begin = b'"' + name.encode() + b'":'
        if self._columns or len(indices) * _WORTH_READING > len(self._lines):
            column = self._read()[name]
            tokens = [column[index] for index in indices]
        else:
            tokens = [_token(self._lines[index], begin) for index in indices]
        passing = {token for token in set(tokens) if _may_hold(condition, token)}
        return [index for index, token in zip(indices, tokens, strict=True) if token in passing]

    def _read(self) -> Mapping[str, list[bytes]]:
        """All columns in one pass: to read a record costs more than to look for what it has."""
        if not self._columns:
            found: dict[tuple[bytes, ...], tuple[bytes, ...]] = {}
            begins = [b'"' + name.encode() + b'":' for name in _ORDER]
            rows = []
            for line in self._lines:
                plain = _PLAIN.match(line)
                row = plain.groups() if plain else tuple(_token(line, begin) for begin in begins)
                rows.append(found.setdefault(row, row))
            self._columns = dict(zip(_ORDER, map(list, zip(*rows, strict=True)), strict=True))
        return self._columns


def _token(line: bytes, begin: bytes) -> bytes:
    """The JSON of a record's value, up to the next comma; empty: it lacks the column."""
    start = line.find(begin)
    if start < 0:
        return b""
    start += len(begin)
    return line[start : line.find(b",", start)].rstrip(b"}")


def _may_hold(condition: Condition, token: bytes) -> bool:
    try:
        value = json.loads(token)
    except ValueError:
        return True
    return condition.test(value, NOWHERE) is not False
