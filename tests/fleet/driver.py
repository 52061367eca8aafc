"""Runs the real command line the way a person or a pipeline does, and reads its JSON report."""

from __future__ import annotations

import fnmatch
import json
import os
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.fleet.bed.host import Host
from tests.fleet.bed.testbed import Testbed

Json = dict[str, Any]
# In the order of the contract: a later one is stronger.
RECOMMENDATIONS = ("none", "observe", "investigate", "rotate", "replace", "rebake", "quarantine")
REPOSITORY = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Outcome:
    """What one run of driftscan said, and its exit status."""

    code: int
    stdout: str
    stderr: str

    @property
    def report(self) -> Json:
        assert self.stdout.strip(), f"no report on stdout; status {self.code}\n{self.stderr}"
        report: Json = json.loads(self.stdout)
        return report

    def host(self, name: str) -> Json:
        hosts: list[Json] = [h for h in self.report["hosts"] if h["host"] == name]
        assert len(hosts) == 1, f"{name}: {len(hosts)} results\n{self.stderr}"
        return hosts[0]

    def verdicts(self) -> dict[str, str]:
        return {host["host"]: host["verdict"] for host in self.report["hosts"]}

    def explain(self) -> str:
        """The short form of a report, for the message of a failed assertion."""
        rows = [f"exit status {self.code}", self.stderr.strip()[-3000:]]
        for host in self.report["hosts"] if self.stdout.strip() else []:
            rows.append(f"{host['host']}: {host['verdict']}, {host['recommendation']['action']}")
            rows += [f"  error: {error}" for error in host.get("errors", [])]
            for mutation in open_mutations(host):
                rows.append(f"  [{mutation['severity']}] {mutation['title']}")
                rows += [f"      {describe(d)}" for d in mutation["differences"][:12]]
        return "\n".join(rows)


def describe(difference: Json) -> str:
    changed = ", ".join(
        f"{name}: {values.get('expected')!r} -> {values.get('actual')!r}"
        for name, values in difference.get("attributes", {}).items()
    )
    return f"{difference['change']} {difference['kind']} {difference['key']} ({changed[:300]})"


def open_mutations(host: Json) -> list[Json]:
    return [mutation for mutation in host["mutations"] if mutation["state"] == "open"]


def differences(host: Json) -> list[Json]:
    return [d for mutation in host["mutations"] for d in mutation["differences"]]


def matching(host: Json, kind: str, key: str, change: str = "*") -> list[Json]:
    """Differences of a kind whose key matches a glob."""
    return [
        d
        for d in differences(host)
        if d["kind"] == kind and fnmatch.fnmatchcase(d["key"], key) and fnmatch.fnmatchcase(d["change"], change)
    ]


class Driftscan:
    """The command line with a user's home of its own, so that no run sees another's state."""

    def __init__(self, bed: Testbed, home: Path) -> None:
        self.bed = bed
        self.home = home
        home.mkdir(parents=True, exist_ok=True)

    def environment(self, extra: Mapping[str, str] | None = None) -> dict[str, str]:
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("DRIFTSCAN_", "XDG_", "SSH_"))}
        own = {"HOME": str(self.home), "PYTHONPATH": str(REPOSITORY), "NO_COLOR": "1"}
        return {**kept, **own, **(extra or {})}

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "driftscan", *arguments]

    def run(self, *arguments: str, environment: Mapping[str, str] | None = None, timeout: float = 900) -> Outcome:
        done = subprocess.run(
            self.command(*arguments),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=timeout,
            cwd=self.home,
            env=self.environment(environment),
            check=False,
        )
        # Output that is not UTF-8 is itself a defect: decode strictly.
        outcome = Outcome(done.returncode, done.stdout.decode(), done.stderr.decode())
        assert "Traceback (most recent call last)" not in outcome.stderr, outcome.stderr
        return outcome

    def scan(self, *arguments: str, environment: Mapping[str, str] | None = None) -> Outcome:
        return self.run("scan", "-o", "json", *arguments, environment=environment)

    def inventory(self, name: str, hosts: Iterable[Host], **settings: object) -> Path:
        """An inventory of these hosts; keyword arguments become its defaults."""
        defaults = {
            "user": "root",
            "identity": str(self.bed.settings.key),
            "known_hosts": str(self.bed.settings.known_hosts),
            **settings,
        }
        content = {
            "defaults": defaults,
            "hosts": {host.name: {"address": host.address} for host in hosts},
        }
        path = self.home / name
        # JSON is YAML, and needs no library to write.
        path.write_text(json.dumps(content, indent=1))
        return path


def assert_clean(outcome: Outcome, names: Iterable[str]) -> None:
    wanted = dict.fromkeys(names, "clean")
    assert outcome.verdicts() == wanted, outcome.explain()
    assert [m for h in outcome.report["hosts"] for m in open_mutations(h)] == []
    assert outcome.code == 0, outcome.explain()


def assert_accounted(host: Json) -> None:
    """Nothing is lost between what was found and what is shown."""
    counts = host["accounting"]
    assert counts["raw"] == counts["folded"] + counts["allowed"] + counts["unexplained"], counts
