"""Contract templates: /billing/v1/contract-templates. They are archived, never gone."""

from __future__ import annotations

from aiohttp import web

from .. import listing
from ..costs.calendar_days import rfc3339
from ..responses import JsonObject, Refusal, answer, bad
from ..routes import Route
from ..schemas import FLAG, NUMBER, TEXT, compiled, items, record, text
from ..seeds import customer_account
from ..tenants import Ask, Records, added, existing

ANYTHING: JsonObject = {"type": "object", "maxProperties": 100}
FILTERS = items(ANYTHING, maxItems=100)
ACCOUNTS = items(text(100), maxItems=100)
BILLING_RULE = record("", name=TEXT, managementAccounts=ACCOUNTS, filters=FILTERS, formula=TEXT)
PRICE_RULE = record(
    "",
    name=TEXT,
    percentageChange=NUMBER,
    unitPrice=NUMBER,
    filters=FILTERS,
    formula=TEXT,
    cloud=TEXT,
    lineItemDescription=TEXT,
    applyInLine=FLAG,
    includeCredits=FLAG,
    applyAWSEligibleDiscount=FLAG,
)
PRICE_BOOK = record("", name=TEXT, managementAccounts=ACCOUNTS, rules=items(PRICE_RULE, maxItems=100))
BODY = compiled(
    "name platform eligibleFrom",
    name=text(200, minLength=1),
    platform=text(100, minLength=1),
    structure=text(100),
    eligibleFrom=text(40),
    eligibleTo=text(40),
    billingRules=items(BILLING_RULE, maxItems=100),
    priceBooks=items(PRICE_BOOK, maxItems=100),
    customLineItems=items(ANYTHING, maxItems=100),
)
LISTS = ("billingRules", "priceBooks", "customLineItems")


async def list_templates(ask: Ask) -> web.Response:
    """GET /billing/v1/contract-templates: all of them, archived ones too."""
    return answer([_shown(one) for one in _records(ask).values()])


async def get_template(ask: Ask) -> web.Response:
    """GET /billing/v1/contract-templates/{templateID}."""
    return answer(_shown(_template(ask)))


async def create_template(ask: Ask) -> web.Response:
    """POST /billing/v1/contract-templates."""
    now = rfc3339(ask.now)
    new = {"id": ask.tenant.new_id(), "status": "active", "createdAt": now}
    return answer(_shown(added(_records(ask), _written(ask, new, await ask.body(BODY)))), 201)


async def update_template(ask: Ask) -> web.Response:
    """PUT /billing/v1/contract-templates/{templateID}: replaces all of it."""
    template = _active(_template(ask))
    kept = {name: template[name] for name in ("id", "status", "createdAt")}
    changed = _written(ask, kept, await ask.body(BODY))
    _records(ask)[template["id"]] = changed
    return answer(_shown(changed))


async def archive_template(ask: Ask) -> web.Response:
    """DELETE /billing/v1/contract-templates/{templateID}: archives it."""
    template = _active(_template(ask))
    now = rfc3339(ask.now)
    template.update(status="archived", archivedAt=now, updatedAt=now)
    return answer(_shown(template))


def _records(ask: Ask) -> Records:
    return ask.tenant.collection("contract templates", customer_account.templates)


def _template(ask: Ask) -> JsonObject:
    return existing(_records(ask), ask.part("templateID"), "contract template")


def _active(template: JsonObject) -> JsonObject:
    if template["status"] != "active":
        raise Refusal(409, "the contract template is archived")
    return template


def _written(ask: Ask, template: JsonObject, body: JsonObject) -> JsonObject:
    others = (one for one in _records(ask).values() if one["id"] != template["id"])
    if any(one["name"] == body["name"] and one["status"] == "active" for one in others):
        raise Refusal(409, "name: there is an active contract template of this name")
    written = {
        **template,
        **body,
        **{name: body.get(name) or [] for name in LISTS},
        "structure": body.get("structure", "").strip() or "blank",
        "updatedAt": rfc3339(ask.now),
    }
    for name in ("eligibleFrom", "eligibleTo"):
        if name in body:
            written[name] = listing.instant(body[name], name)
    if written.get("eligibleTo", "9") <= written["eligibleFrom"]:
        raise bad("eligibleTo must be after eligibleFrom", field="eligibleTo")
    return written


def _shown(template: JsonObject) -> JsonObject:
    return {"templateId" if name == "id" else name: value for name, value in template.items()}


_ONE = "/billing/v1/contract-templates/{templateID}"
ROUTES: tuple[Route, ...] = (
    Route("GET", "/billing/v1/contract-templates", list_templates, "templates.read"),
    Route("POST", "/billing/v1/contract-templates", create_template, "templates.write"),
    Route("GET", _ONE, get_template, "templates.read"),
    Route("PUT", _ONE, update_template, "templates.write"),
    Route("DELETE", _ONE, archive_template, "templates.write"),
)
