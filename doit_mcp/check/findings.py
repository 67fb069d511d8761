"""Findings: the outcome of each check, as text for a terminal and as JSON."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import orjson

from ..protocol.jsonrpc import JsonObject

Status = Literal["ok", "warn", "fail"]
STATUS_WIDTH, NAME_WIDTH = 6, 18


@dataclass(frozen=True, slots=True)
class Finding:
    """The outcome of one check: what was *seen*, and what to do about it (*advice*, "" if *status* is "ok")."""

    check: str
    status: Status
    seen: str
    advice: str = ""

    def as_json(self) -> JsonObject:
        """Return the finding with the members check, status, seen and, unless the status is "ok", advice."""
        advice = {"advice": self.advice} if self.advice else {}
        return {"check": self.check, "status": self.status, "seen": self.seen, **advice}


def overall_status(findings: Iterable[Finding]) -> Status:
    """Return the worst status."""
    statuses = {finding.status for finding in findings}
    return "fail" if "fail" in statuses else "warn" if "warn" in statuses else "ok"


def format_findings(findings: Sequence[Finding]) -> str:
    """Return one line for each finding, followed by its advice, and a summary."""
    lines: list[str] = []
    for finding in findings:
        lines.append(f"{finding.status:<{STATUS_WIDTH}}{finding.check:<{NAME_WIDTH}}{finding.seen}")
        if finding.advice:
            lines.append(f"{'':<{STATUS_WIDTH + NAME_WIDTH}}To do: {finding.advice}")
    counts = {status: sum(finding.status == status for finding in findings) for status in ("ok", "warn", "fail")}
    warnings, failures = (count_of(counts[status], noun) for status, noun in (("warn", "warning"), ("fail", "failure")))
    lines.append(f"\n{counts['ok']} ok, {warnings}, {failures}")
    return "\n".join(lines)


def count_of(count: int, noun: str) -> str:
    """Return the count with its *noun*, such as "1 failure"."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def as_json(base: str, findings: Sequence[Finding]) -> str:
    """Return the findings about the server at *base* as one JSON object."""
    checks = [finding.as_json() for finding in findings]
    document = {"url": base, "status": overall_status(findings), "checks": checks}
    return orjson.dumps(document, option=orjson.OPT_INDENT_2).decode()
