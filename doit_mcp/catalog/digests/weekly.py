"""weekly_digest: the last seven final days against the seven before, and what needs attention, in one short answer."""

from __future__ import annotations

from collections.abc import Awaitable, Container, Mapping, Sequence
from typing import Annotated

import orjson

from ...api.errors import ApiError
from ...protocol.jsonrpc import JsonObject
from ..call import Call
from ..currencies import CurrencyArgument, parse_currency
from ..partial_results import PartialResults, gather_partial, make_failures_member
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
from .short_text import estimate_tokens, shorten_text
from .spend import choose_weeks, read_spend
from .unread_parts import limit_failures

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
"""The numbers of rows that are tried until the digest fits."""


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
    weeks = choose_weeks(today)
    work: dict[str, Awaitable[Section]] = {
        SPEND: read_spend(call, weeks, code, MAX_ROWS),
        "anomalies": read_anomalies(call, weeks.asked.after.whole.first),
        "budgets": read_budgets(call),
        "savings": read_savings(call),
        "invoices": read_invoices(call, today),
        "tickets": read_tickets(call),
    }
    parts = (await gather_partial(work)).raise_if_all_failed()
    customer = await make_customer_member(call)
    week = {"period": weeks.asked.after.as_json, "comparedWith": weeks.asked.before.as_json}
    return fit_digest({**customer, **week, **compose_digest(parts)})


async def make_customer_member(call: Call) -> JsonObject:
    """Return the member that names the customer that an employee acts for; empty for all other users.

    Raise ApiError if the sign-in is refused.
    """
    identifier = call.customer_context
    if identifier is None:
        return {}
    try:
        domain = (await call.doit.auth.validate_user()).get("domain")
    except ApiError as error:
        if error.kind == "credential":
            raise
        # The id alone still identifies the customer.
        domain = None
    return {"customer": {"id": shorten_text(identifier), "domain": shorten_text(domain)}}


def compose_digest(parts: PartialResults) -> JsonObject:
    """Return the members of the digest that were read, and the parts that could not be read."""
    sections: Mapping[str, Section] = parts.results
    members: JsonObject = dict(sections[SPEND][0]) if SPEND in sections else {}
    note = members.pop("note", "")
    members |= {name: section for name, (section, _) in sections.items() if name != SPEND}
    inner = {name: failures for name, (_, failures) in sections.items()}
    return members | make_failures_member(limit_failures(parts.failures, inner)) | ({"note": note} if note else {})


def fit_digest(digest: JsonObject) -> JsonObject:
    """Return *digest* with as many rows of its lists as fit into MAX_TOKENS. Its counts still include all rows."""
    limits = dict.fromkeys((*MINOR_LISTS, *MAJOR_LISTS), MAX_ROWS)
    fitted = _with_rows(digest, limits)
    for place, rows in ((place, rows) for lists, rows in SHORTENINGS for place in lists):
        if estimate_tokens(orjson.dumps(fitted).decode()) <= MAX_TOKENS:
            break
        limits[place] = rows
        fitted = _with_rows(digest, limits)
    return fitted


def _with_rows(digest: JsonObject, limits: Mapping[tuple[str, str], int]) -> JsonObject:
    """Return *digest* with the first rows of its lists, and the overlaps of the shown rows."""
    fitted = dict(digest)
    for (member, name), rows in limits.items():
        if name in fitted.get(member, {}):
            fitted[member] = {**fitted[member], name: fitted[member][name][:rows]}
    savings = fitted.get("savings", {})
    if "overlaps" in savings:
        fitted["savings"] = {**savings, **_select_overlaps([row["id"] for row in savings["rows"]], savings["overlaps"])}
    return fitted


def _select_overlaps(shown: Container[str], overlaps: Sequence[JsonObject]) -> JsonObject:
    """Return the overlaps of *shown* rows, even with rows that are not shown; those of shown purchases come first.

    Each overlap has the id of a purchase, followed by those of recommendations.
    """
    found = [one for one in overlaps if any(identifier in shown for identifier in one["ids"])]
    found.sort(key=lambda one: one["ids"][0] not in shown)
    members: JsonObject = {"overlaps": [_cut_overlap(shown, one) for one in found[:MAX_ROWS]]}
    return members | ({"overlapCount": len(found)} if len(found) > MAX_ROWS else {})


def _cut_overlap(shown: Container[str], overlap: JsonObject) -> JsonObject:
    """Return an overlap with the recommendations that are *shown* first, and how many more there are than fit."""
    purchase, *others = overlap["ids"]
    ordered = sorted(others, key=lambda identifier: identifier not in shown)
    cut = {**overlap, "ids": [purchase, *ordered[:MAX_ROWS]]}
    return cut | ({"more": len(ordered) - MAX_ROWS} if len(ordered) > MAX_ROWS else {})
