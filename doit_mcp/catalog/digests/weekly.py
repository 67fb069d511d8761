"""weekly_digest: the last seven final days against the seven before, and what needs someone, in one short answer."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping, Sequence
from typing import Annotated, Any

import orjson

from ...protocol.jsonrpc import JsonObject
from ..call import Call
from ..currencies import CurrencyArgument, parse_currency
from ..partial_results import FailedPart, PartialResults, failed_members, gather_partial
from ..periods.period import utc_date
from ..tools.composed import composed_tool
from .attention import (
    MAX_ROWS,
    Section,
    read_anomalies,
    read_budgets,
    read_invoices,
    read_savings,
    read_tickets,
)
from .result_types import Digest
from .short_text import estimate_tokens, shorten
from .spend import compared_weeks, read_spend

SPEND = "spend"
MAX_TOKENS = 1_500
ROW_LISTS = ("rows", "unused", "shortfalls")
MAX_FAILURES = 6
MAX_REASON_CHARACTERS = 120


@composed_tool(
    area="reports",
    search_hint="Weekly digest, weekly report, Monday summary: spend of last week, drivers, what needs attention",
    slow=True,
    default_list=False,
)
async def weekly_digest(call: Call, *, currency: CurrencyArgument = None) -> Annotated[JsonObject, Digest]:
    """Summarize the week: spend of the last seven final days against the seven before, what drove the change, new
    anomalies, budgets at risk, savings, invoices to pay and open tickets. For another period, use explain_cost_change."""
    today, code = utc_date(call.now), parse_currency(currency)
    weeks = compared_weeks(today)
    work: dict[str, Awaitable[Section]] = {
        SPEND: read_spend(call, weeks, code, MAX_ROWS),
        "anomalies": read_anomalies(call, weeks.asked.after.whole.first),
        "budgets": read_budgets(call),
        "savings": read_savings(call),
        "invoices": read_invoices(call, today),
        "tickets": read_tickets(call),
    }
    parts = (await gather_partial(work)).raise_if_all_failed()
    week = {"period": weeks.asked.after.as_json, "comparedWith": weeks.asked.before.as_json}
    return fit_digest(week | compose_digest(parts))


def compose_digest(parts: PartialResults) -> JsonObject:
    """Return the members of the digest that were read, and what was not."""
    sections: Mapping[str, Section] = parts.results
    members: JsonObject = dict(sections[SPEND][0]) if SPEND in sections else {}
    note = members.pop("note", "")
    members |= {name: section for name, (section, _) in sections.items() if name != SPEND}
    inner = [_within(name, failure) for name, (_, failures) in sections.items() for failure in failures]
    return members | failed_members(shown_failures([*parts.failures, *inner])) | ({"note": note} if note else {})


def _within(section: str, failure: FailedPart) -> FailedPart:
    """Return a failure within a section, which is named."""
    return {"part": f"{section}: {failure['part']}", "why": failure["why"]}


def shown_failures(failures: Sequence[FailedPart]) -> list[FailedPart]:
    """Return the first MAX_FAILURES failures with short reasons, and how many more there are."""
    shown: list[FailedPart] = [
        {"part": str(shorten(one["part"])), "why": str(shorten(one["why"], MAX_REASON_CHARACTERS))}
        for one in failures[:MAX_FAILURES]
    ]
    if more := len(failures) - len(shown):
        shown.append({"part": f"{more} more", "why": "call get_savings_summary, which names them"})
    return shown


def fit_digest(digest: JsonObject) -> JsonObject:
    """Return *digest* with as many rows of each list as fit into MAX_TOKENS. Its counts are those of all rows."""
    fitted = digest
    for rows in range(MAX_ROWS, -1, -1):
        fitted = {name: _with_rows(member, rows) for name, member in digest.items()}
        if estimate_tokens(orjson.dumps(fitted).decode()) <= MAX_TOKENS:
            break
    return fitted


def _with_rows(member: Any, rows: int) -> Any:
    if not isinstance(member, dict):
        return member
    return {name: value[:rows] if name in ROW_LISTS else value for name, value in member.items()}
