"""Budget suggestions: /analytics/v1/budget-suggestions, drafts that are accepted with a budget or dismissed."""

from __future__ import annotations

from aiohttp import web

from ..analytics_objects import records
from ..responses import JsonObject, answer, bad
from ..routes import Route
from ..schemas import FLAG, TEXT, compiled, one_of
from ..seeds import analytics
from ..tenants import Ask, Records, existing

ACCEPT = compiled("budgetId", budgetId=TEXT, editedBeforeAccept=FLAG)
DISMISS = compiled("", reason=one_of("not_relevant", "wrong_amount", "covered_elsewhere", "other"))


async def list_suggestions(ask: Ask) -> web.Response:
    """GET /analytics/v1/budget-suggestions: those that are pending."""
    found = [one for one in _suggestions(ask).values() if one["status"] == "pending"]
    return answer({"items": found, "rowCount": len(found)})


async def accept(ask: Ask) -> web.Response:
    """POST /analytics/v1/budget-suggestions/{id}/actions/accept: the budget has to be there already."""
    suggestion = _pending(ask)
    budget = (await ask.body(ACCEPT))["budgetId"]
    if budget not in records(ask.tenant, "budget"):
        raise bad(f"budgetId: no budget {budget[:80]!r}", field="budgetId")
    suggestion["status"] = "accepted"
    return answer({"budgetId": budget})


async def dismiss(ask: Ask) -> web.Response:
    """POST /analytics/v1/budget-suggestions/{id}/actions/dismiss; the body may be left out."""
    suggestion = _pending(ask)
    if await ask.request.read():
        await ask.body(DISMISS)
    suggestion["status"] = "dismissed"
    return answer({"id": suggestion["id"], "status": "dismissed"})


def _suggestions(ask: Ask) -> Records:
    return ask.tenant.collection("suggestions", analytics.suggestions)


def _pending(ask: Ask) -> JsonObject:
    found = existing(_suggestions(ask), ask.part("id"), "budget suggestion")
    if found["status"] != "pending":
        raise bad(f"the suggestion is {found['status']} already", field="id")
    return found


ROUTES = (
    Route("GET", "/analytics/v1/budget-suggestions", list_suggestions, "budgets.read"),
    Route("POST", "/analytics/v1/budget-suggestions/{id}/actions/accept", accept, "budgets.write"),
    Route("POST", "/analytics/v1/budget-suggestions/{id}/actions/dismiss", dismiss, "budgets.write"),
)
