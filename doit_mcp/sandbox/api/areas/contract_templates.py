"""Contract templates: /billing/v1/contract-templates. They are archived, never deleted."""

from __future__ import annotations

from aiohttp import web

from .. import listing
from ..costs.calendar_days import format_rfc3339
from ..responses import ApiError, JsonObject, bad_request, json_response
from ..routes import Route
from ..schemas import BOOLEAN, NUMBER, TEXT, array_schema, compile_object, object_schema, text_schema
from ..seeds import customer_account
from ..tenants import ApiRequest, Records, add_record, get_existing
from . import contracts

ANYTHING: JsonObject = {"type": "object", "maxProperties": 100}
FILTERS = array_schema(ANYTHING, maxItems=100)
ACCOUNTS = array_schema(text_schema(100), maxItems=100)
BILLING_RULE = object_schema("", name=TEXT, managementAccounts=ACCOUNTS, filters=FILTERS, formula=TEXT)
PRICE_RULE = object_schema(
    "",
    name=TEXT,
    percentageChange=NUMBER,
    unitPrice=NUMBER,
    filters=FILTERS,
    formula=TEXT,
    cloud=TEXT,
    lineItemDescription=TEXT,
    applyInLine=BOOLEAN,
    includeCredits=BOOLEAN,
    applyAWSEligibleDiscount=BOOLEAN,
)
PRICE_BOOK = object_schema("", name=TEXT, managementAccounts=ACCOUNTS, rules=array_schema(PRICE_RULE, maxItems=100))
TEMPLATE_BODY = compile_object(
    "name platform eligibleFrom",
    name=text_schema(200, minLength=1),
    platform=text_schema(100, minLength=1),
    structure=text_schema(100),
    eligibleFrom=text_schema(40),
    eligibleTo=text_schema(40),
    billingRules=array_schema(BILLING_RULE, maxItems=100),
    priceBooks=array_schema(PRICE_BOOK, maxItems=100),
    customLineItems=array_schema(ANYTHING, maxItems=100),
)
ASSIGN_BODY = compile_object(
    "customerIds", customerIds={"type": "array", "items": text_schema(100, minLength=1), "minItems": 1, "maxItems": 250}
)
LIST_FIELDS = ("billingRules", "priceBooks", "customLineItems")


async def list_templates(request: ApiRequest) -> web.Response:
    """GET /billing/v1/contract-templates: all of them, including archived ones."""
    return json_response([_serialize(item) for item in _template_records(request).values()])


async def get_template(request: ApiRequest) -> web.Response:
    """GET /billing/v1/contract-templates/{templateID}."""
    return json_response(_serialize(_get_template(request)))


async def create_template(request: ApiRequest) -> web.Response:
    """POST /billing/v1/contract-templates."""
    now = format_rfc3339(request.now)
    template = {"id": request.tenant.new_id(), "status": "active", "createdAt": now}
    return json_response(
        _serialize(
            add_record(
                _template_records(request), _apply_body(request, template, await request.read_body(TEMPLATE_BODY))
            )
        ),
        201,
    )


async def update_template(request: ApiRequest) -> web.Response:
    """PUT /billing/v1/contract-templates/{templateID}: replaces the template."""
    template = _require_active(_get_template(request))
    fixed_members = {name: template[name] for name in ("id", "status", "createdAt")}
    changed = _apply_body(request, fixed_members, await request.read_body(TEMPLATE_BODY))
    _template_records(request)[template["id"]] = changed
    return json_response(_serialize(changed))


async def assign_template(request: ApiRequest) -> web.Response:
    """POST /billing/v1/contract-templates/{templateID}/actions/assign: a draft contract for each customer, or none."""
    template = _require_active(_get_template(request))
    customers = list(dict.fromkeys((await request.read_body(ASSIGN_BODY))["customerIds"]))
    today = format_rfc3339(request.now)
    if not template["eligibleFrom"] <= today < template.get("eligibleTo", "9"):
        raise ApiError(409, "the contract template cannot be used today")
    children = customer_account.child_customers(request.tenant)
    if unknown := [item for item in customers if item not in children]:
        raise ApiError(404, f"customerIds: {unknown[0][:80]} is not one tier below this customer")
    created = [contracts.add_draft(request, customer, template) for customer in customers]
    return json_response({"count": len(created), "createdContracts": created}, 201)


async def archive_template(request: ApiRequest) -> web.Response:
    """DELETE /billing/v1/contract-templates/{templateID}: archives it."""
    template = _require_active(_get_template(request))
    now = format_rfc3339(request.now)
    template.update(status="archived", archivedAt=now, updatedAt=now)
    return json_response(_serialize(template))


def _template_records(request: ApiRequest) -> Records:
    return request.tenant.collection("contract templates", customer_account.seed_templates)


def _get_template(request: ApiRequest) -> JsonObject:
    return get_existing(_template_records(request), request.path_parameter("templateID"), "contract template")


def _require_active(template: JsonObject) -> JsonObject:
    if template["status"] != "active":
        raise ApiError(409, "the contract template is archived")
    return template


def _apply_body(request: ApiRequest, template: JsonObject, body: JsonObject) -> JsonObject:
    others = (item for item in _template_records(request).values() if item["id"] != template["id"])
    if any(item["name"] == body["name"] and item["status"] == "active" for item in others):
        raise ApiError(409, "name: an active contract template with this name exists")
    changed = {
        **template,
        **body,
        **{name: body.get(name) or [] for name in LIST_FIELDS},
        "structure": body.get("structure", "").strip() or "blank",
        "updatedAt": format_rfc3339(request.now),
    }
    for name in ("eligibleFrom", "eligibleTo"):
        if name in body:
            changed[name] = listing.parse_time(body[name], name)
    if changed.get("eligibleTo", "9") <= changed["eligibleFrom"]:
        raise bad_request("eligibleTo must be after eligibleFrom", field="eligibleTo")
    return changed


def _serialize(template: JsonObject) -> JsonObject:
    return {"templateId" if name == "id" else name: value for name, value in template.items()}


_TEMPLATE_PATH = "/billing/v1/contract-templates/{templateID}"
ROUTES: tuple[Route, ...] = (
    Route("GET", "/billing/v1/contract-templates", list_templates, "templates.read"),
    Route("POST", "/billing/v1/contract-templates", create_template, "templates.write"),
    Route("GET", _TEMPLATE_PATH, get_template, "templates.read"),
    Route("PUT", _TEMPLATE_PATH, update_template, "templates.write"),
    Route("POST", _TEMPLATE_PATH + "/actions/assign", assign_template, "templates.write"),
    Route("DELETE", _TEMPLATE_PATH, archive_template, "templates.write"),
)
