"""Budget suggestions: /analytics/v1/budget-suggestions, drafts to accept or dismiss."""

from __future__ import annotations

from aiohttp import web

from ..analytics_objects import list_records
from ..responses import JsonObject, bad_request, json_response
from ..routes import Route
from ..schemas import BOOLEAN, TEXT, compile_object, enum_schema
from ..seeds import analytics
from ..tenants import ApiRequest, Records, get_existing

ACCEPT_BODY = compile_object("budgetId", budgetId=TEXT, editedBeforeAccept=BOOLEAN)
DISMISS_BODY = compile_object("", reason=enum_schema("not_relevant", "wrong_amount", "covered_elsewhere", "other"))


async def list_suggestions(request: ApiRequest) -> web.Response:
    """GET /analytics/v1/budget-suggestions: the pending ones."""
    pending = [item for item in _suggestion_records(request).values() if item["status"] == "pending"]
    return json_response({"items": pending, "rowCount": len(pending)})


async def accept_suggestion(request: ApiRequest) -> web.Response:
    """POST /analytics/v1/budget-suggestions/{id}/actions/accept: requires an existing budget."""
    suggestion = _get_pending_suggestion(request)
    budget = (await request.read_body(ACCEPT_BODY))["budgetId"]
    if budget not in list_records(request.tenant, "budget"):
        raise bad_request(f"budgetId: no budget {budget[:80]!r}", field="budgetId")
    suggestion["status"] = "accepted"
    return json_response({"budgetId": budget})


async def dismiss_suggestion(request: ApiRequest) -> web.Response:
    """POST /analytics/v1/budget-suggestions/{id}/actions/dismiss; the body is optional."""
    suggestion = _get_pending_suggestion(request)
    if await request.http_request.read():
        await request.read_body(DISMISS_BODY)
    suggestion["status"] = "dismissed"
    return json_response({"id": suggestion["id"], "status": "dismissed"})


def _suggestion_records(request: ApiRequest) -> Records:
    return request.tenant.collection("suggestions", analytics.seed_suggestions)


def _get_pending_suggestion(request: ApiRequest) -> JsonObject:
    suggestion = get_existing(_suggestion_records(request), request.path_parameter("id"), "budget suggestion")
    if suggestion["status"] != "pending":
        raise bad_request(f"the suggestion is already {suggestion['status']}", field="id")
    return suggestion


ROUTES = (
    Route("GET", "/analytics/v1/budget-suggestions", list_suggestions, "budgets.read"),
    Route("POST", "/analytics/v1/budget-suggestions/{id}/actions/accept", accept_suggestion, "budgets.write"),
    Route("POST", "/analytics/v1/budget-suggestions/{id}/actions/dismiss", dismiss_suggestion, "budgets.write"),
)
