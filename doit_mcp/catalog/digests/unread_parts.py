"""The parts that the digest could not read: a few entries, and the tools that name the others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from ..partial_results import FailedPart
from .short_text import shorten_text

MAX_FAILURES = 6
MAX_REASON_CHARACTERS = 120
NAMING_TOOLS = MappingProxyType(
    {
        "invoices": "list_invoices",
        "tickets": "list_tickets",
        "anomalies": "get_anomalies",
        "spend": "explain_cost_change",
        "budgets": "forecast_spend",
        "savings": "get_savings_summary",
    }
)
"""The tool that reads the same parts as a section and names all that failed. Sections with few parts come first, so
that their entries are shown."""


def limit_failures(whole: Sequence[FailedPart], inner: Mapping[str, Sequence[FailedPart]]) -> list[FailedPart]:
    """Return MAX_FAILURES failures with short reasons, the count of others by section, and the tool that names them.

    *whole* are sections that failed, *inner* the failures within sections by their names.
    """
    entries = [("", one) for one in whole] + [
        (section, {"part": f"{section}: {one['part']}", "why": one["why"]})
        for section in NAMING_TOOLS
        for one in inner.get(section, ())
    ]
    shown = [
        FailedPart(part=str(shorten_text(one["part"])), why=str(shorten_text(one["why"], MAX_REASON_CHARACTERS)))
        for _, one in entries[:MAX_FAILURES]
    ]
    rest = [section for section, _ in entries[MAX_FAILURES:]]
    return [*shown, _name_rest(rest)] if rest else shown


def _name_rest(rest: Sequence[str]) -> FailedPart:
    """Return the entry about failures that are not shown, given the section of each."""
    sections = list(dict.fromkeys(rest))
    counts = ", ".join(f"{rest.count(section)} of {section}" for section in sections)
    tools = ", ".join(f"{NAMING_TOOLS[section]} those of {section}" for section in sections)
    return {"part": f"{len(rest)} more: {counts}", "why": f"each tool names its own: {tools}"}
