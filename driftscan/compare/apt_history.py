"""apt's /var/log/apt/history.log: entries of `Field: value` lines between blank lines, times in the host's zone.

Fields: Start-Date, Commandline, Requested-By, Install, Reinstall, Upgrade, Downgrade, Remove, Purge, End-Date; a
package is written `name:arch (version[, automatic])` or `name:arch (old, new)`.
"""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, tzinfo

from driftscan.compare.transaction import Item, Transaction

MAX_ENTRIES = 5000
_ITEM = re.compile(r"([a-z0-9][a-z0-9+.-]*)(?::([a-z0-9-]+))? \(([^()]{0,400})\)")
_DATE = re.compile(r"\d{4}-\d\d-\d\d +\d\d:\d\d:\d\d")


def parse(text: str, zone: tzinfo = UTC) -> tuple[Transaction, ...]:
    """The entries in the file's order. `zone`: the host's, in which the log has its times. What is not
    in the format is passed over: the log is evidence, and a damaged part must not take the rest away."""
    entries = []
    for block in re.split(r"\n[ \t]*\n", text):
        entry = _entry(block, zone)
        if entry is not None:
            entries.append(entry)
    return tuple(entries[-MAX_ENTRIES:])


def _entry(block: str, zone: tzinfo) -> Transaction | None:
    fields = {}
    for line in block.split("\n"):
        name, colon, value = line.partition(": ")
        if colon:
            fields[name.strip()] = value.strip()
    if "Start-Date" not in fields:
        return None
    return Transaction(
        start=_time(fields["Start-Date"], zone),
        end=_time(fields.get("End-Date", ""), zone),
        command=fields.get("Commandline", ""),
        requested_by=fields.get("Requested-By", ""),
        install=tuple(_items(fields.get("Install", ""), "install")),
        upgrade=tuple(_items(fields.get("Upgrade", ""), "upgrade")),
        downgrade=tuple(_items(fields.get("Downgrade", ""), "upgrade")),
        reinstall=tuple(_items(fields.get("Reinstall", ""), "install")),
        remove=(*_items(fields.get("Remove", ""), "remove"), *_items(fields.get("Purge", ""), "remove")),
    )


def _items(value: str, how: str) -> Iterator[Item]:
    for name, architecture, inside in _ITEM.findall(value):
        words = [word.strip() for word in inside.split(",")]
        automatic = "automatic" in words[1:]
        if how == "install":
            yield Item(name, architecture, "", words[0], automatic)
        elif how == "remove":
            yield Item(name, architecture, words[0], "", automatic)
        elif len(words) >= 2:
            yield Item(name, architecture, words[0], words[1], automatic)


def _time(value: str, zone: tzinfo) -> str:
    if not _DATE.fullmatch(value):
        return ""
    try:
        local = datetime.strptime(" ".join(value.split()), "%Y-%m-%d %H:%M:%S").replace(tzinfo=zone)
        return local.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (ValueError, OverflowError):
        return ""
