"""weekly_digest: the last seven final days against the seven before, and what needs someone, in one short answer."""

from __future__ import annotations

from collections.abc import Awaitable, Container, Mapping, Sequence
from typing import Annotated

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
MINOR_LISTS = (("savings", "unused"), ("tickets", "rows"), ("savings", "shortfalls"), ("invoices", "rows"))
MAJOR_LISTS = (("anomalies", "rows"), ("budgets", "rows"), ("savings", "rows"))
"""The members and their lists of rows, in the order in which they are shortened."""
SHORTENINGS = (
    (MINOR_LISTS, 2),
    (MINOR_LISTS, 1),
    (MAJOR_LISTS, 2),
    (MAJOR_LISTS, 1),
    (MINOR_LISTS, 0),
    (MAJOR_LISTS, 0),
)
"""How many rows are kept until the digest fits."""
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
    """Return *digest* with as many rows of its lists as fit into MAX_TOKENS. Its counts are those of all rows."""
    limits = dict.fromkeys((*MINOR_LISTS, *MAJOR_LISTS), MAX_ROWS)
    fitted = _with_rows(digest, limits)
    for place, rows in ((place, rows) for lists, rows in SHORTENINGS for place in lists):
        if estimate_tokens(orjson.dumps(fitted).decode()) <= MAX_TOKENS:
            break
        limits[place] = rows
        fitted = _with_rows(digest, limits)
    return fitted


def _with_rows(digest: JsonObject, limits: Mapping[tuple[str, str], int]) -> JsonObject:
    """Return *digest* with the first rows of its lists, and the overlaps of what it shows."""
    fitted = dict(digest)
    for (member, name), rows in limits.items():
        if name in fitted.get(member, {}):
            fitted[member] = {**fitted[member], name: fitted[member][name][:rows]}
    savings = fitted.get("savings", {})
    if "overlaps" in savings:
        shown = {row["id"] for row in savings["rows"]}
        fitted["savings"] = {**savings, "overlaps": _overlaps_of(shown, savings["overlaps"])}
    return fitted


def _overlaps_of(shown: Container[str], overlaps: Sequence[JsonObject]) -> list[JsonObject]:
    """Return the overlaps of rows that are *shown*: of a purchase, which is the first id, with recommendations."""
    cut = [{**one, "ids": [identifier for identifier in one["ids"] if identifier in shown]} for one in overlaps]
    return [one for one, whole in zip(cut, overlaps) if len(one["ids"]) > 1 and one["ids"][0] == whole["ids"][0]]
