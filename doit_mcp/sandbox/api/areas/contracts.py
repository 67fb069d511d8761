"""Contracts: /customers/{customerID}/contracts, of a customer and of its own customers.

A customer reads its own contracts and edits those of its direct children; DoiT employees edit the customer's.
"""

from __future__ import annotations

from aiohttp import web

from .. import listing
from ..costs.calendar_days import format_rfc3339
from ..responses import ApiError, JsonObject, bad_request, json_response
from ..routes import Route
from ..schemas import BOOLEAN, EMAIL, TEXT, array_schema, compile_object, enum_schema, nullable_schema, text_schema
from ..seeds import customer_account
from ..tenants import MAX_RECORDS, ApiRequest, Records, add_record, get_existing

ANYTHING: JsonObject = {"type": "object", "maxProperties": 100}
TEMPLATE_FIELDS = ("billingRules", "priceBooks", "customLineItems")
INVOICING_FIELDS = ("invoicesEmail", "contractUpdatesEmail", "billingProfile")
MEMBERS: dict[str, JsonObject] = {
    "name": text_schema(200, minLength=1),
    "startDate": text_schema(40),
    "endDate": nullable_schema(text_schema(40)),
    "renewalPolicy": enum_schema("auto", "manual", "fixed"),
    "doitInvoicingEnabled": BOOLEAN,
    "invoicesEmail": EMAIL,
    "contractUpdatesEmail": EMAIL,
    "billingProfile": ANYTHING,
    "managementAccounts": array_schema(text_schema(100), maxItems=100),
    **{name: array_schema(ANYTHING, maxItems=100) for name in TEMPLATE_FIELDS},
}
REQUIRED = "name startDate renewalPolicy"
CONTRACT_BODY = compile_object(REQUIRED, **MEMBERS)
NEW_CONTRACT_BODY = compile_object(REQUIRED, templateId=TEXT, **MEMBERS)
CANCEL_BODY = compile_object("", reason=text_schema(2000))
CONTRACT_TYPE = "reseller"
LIST_FIELDS = ("managementAccounts", *TEMPLATE_FIELDS)
OPEN_STATUSES = ("draft", "scheduled", "active")
CONTRACT_FIELDS = (
    "id",
    "customerId",
    "type",
    "status",
    "name",
    "startDate",
    "endDate",
    "renewalPolicy",
    "currentVersionNumber",
    "timeCreated",
    "doitInvoicingEnabled",
)


async def list_contracts(request: ApiRequest) -> web.Response:
    """GET /customers/{customerID}/contracts: all of them."""
    customer = _path_customer(request)
    contracts = [
        _update_status(request, item) for item in _contract_records(request).values() if item["customerId"] == customer
    ]
    return json_response([{name: item[name] for name in CONTRACT_FIELDS} for item in contracts])


async def get_contract(request: ApiRequest) -> web.Response:
    """GET /customers/{customerID}/contracts/{contractID}, with its versions, latest last."""
    contract = _get_contract(request)
    return json_response({name: contract[name] for name in (*CONTRACT_FIELDS, "versions")})


async def create_contract(request: ApiRequest) -> web.Response:
    """POST /customers/{customerID}/contracts: a draft."""
    customer = _writable_customer(request)
    body = _apply_template(request, await request.read_body(NEW_CONTRACT_BODY))
    version = _make_version(request, body, 1)
    contract = _new_contract(request, customer)
    add_record(_contract_records(request), _append_version(contract, version))
    return json_response(_contract_response(request, contract, "Contract created"), 201)


async def update_contract(request: ApiRequest) -> web.Response:
    """POST /customers/{customerID}/contracts/{contractID}: adds a version, which replaces the last one."""
    _writable_customer(request)
    contract = _require_open(_get_contract(request))
    body = await request.read_body(CONTRACT_BODY)
    if len(contract["versions"]) >= MAX_RECORDS:
        raise bad_request(f"contractID: a contract has {MAX_RECORDS} versions at most", field="contractID")
    version = _make_version(request, body, len(contract["versions"]) + 1) | {"status": contract["status"]}
    contract["versions"][-1].update(status="superseded", effectiveEnd=version["effectiveStart"])
    _append_version(contract, version)
    return json_response(_contract_response(request, contract, "Contract version created"))


async def activate_contract(request: ApiRequest) -> web.Response:
    """POST /customers/{customerID}/contracts/{contractID}/activate: now, or on its start date. 409 has no body."""
    customer = _writable_customer(request)
    contract = _get_contract(request)
    if contract["status"] != "draft":
        raise bad_request(f"the contract is {contract['status']}: only drafts can be activated", field="contractID")
    contracts = (
        _update_status(request, item) for item in _contract_records(request).values() if item["customerId"] == customer
    )
    if any(item["status"] == "active" and item["type"] == contract["type"] for item in contracts):
        return web.Response(status=409)
    return json_response(
        _set_status(contract, "scheduled" if contract["startDate"] > format_rfc3339(request.now) else "active")
    )


async def cancel_contract(request: ApiRequest) -> web.Response:
    """POST /customers/{customerID}/contracts/{contractID}/cancel; the body is optional."""
    _writable_customer(request)
    contract = _require_open(_get_contract(request))
    body = await request.read_body(CANCEL_BODY) if await request.http_request.read() else {}
    response = _set_status(contract, "cancelled")
    contract["versions"][-1].update(cancellationReason=body.get("reason"), effectiveEnd=format_rfc3339(request.now))
    return json_response(response)


def add_draft(request: ApiRequest, customer: str, template: JsonObject) -> JsonObject:
    """Add a draft contract of a customer from a template, to be completed; returns its customerId and contractId."""
    terms = {name: template[name] for name in TEMPLATE_FIELDS}
    body = {**terms, "name": template["name"], "startDate": format_rfc3339(request.now), "renewalPolicy": "manual"}
    # Contact addresses and the billing profile are added before activation.
    version = _make_version(request, body | {"doitInvoicingEnabled": False}, 1)
    contract = add_record(_contract_records(request), _append_version(_new_contract(request, customer), version))
    return {"customerId": customer, "contractId": contract["id"]}


def _new_contract(request: ApiRequest, customer: str) -> JsonObject:
    """A draft contract without versions."""
    return {
        "id": request.tenant.new_id(),
        "customerId": customer,
        "type": CONTRACT_TYPE,
        "status": "draft",
        "timeCreated": format_rfc3339(request.now),
        "versions": [],
    }


def _contract_records(request: ApiRequest) -> Records:
    return request.tenant.collection("contracts", customer_account.seed_contracts)


def _path_customer(request: ApiRequest) -> str:
    """The customer in the path: the caller's own, or a child of it; 403 otherwise."""
    customer = request.path_parameter("customerID")
    if customer != request.tenant.customer.id and customer not in customer_account.child_customers(request.tenant):
        raise ApiError(403, "customerID is neither this customer nor one of its own customers")
    return customer


def _writable_customer(request: ApiRequest) -> str:
    customer = _path_customer(request)
    if customer == request.tenant.customer.id and not request.user.employee:
        raise ApiError(403, "contracts of a customer are written by its direct parent")
    return customer


def _get_contract(request: ApiRequest) -> JsonObject:
    customer = _path_customer(request)
    contract = get_existing(_contract_records(request), request.path_parameter("contractID"), "contract")
    if contract["customerId"] != customer:
        raise ApiError(404, "contract not found")
    return _update_status(request, contract)


def _update_status(request: ApiRequest, contract: JsonObject) -> JsonObject:
    """The contract, with its status updated from its dates."""
    now = format_rfc3339(request.now)
    if contract["status"] == "scheduled" and contract["startDate"] <= now:
        _set_status(contract, "active")
    if contract["status"] == "active" and contract["endDate"] and contract["endDate"] <= now:
        _set_status(contract, "expired")
    return contract


def _require_open(contract: JsonObject) -> JsonObject:
    if contract["status"] not in OPEN_STATUSES:
        raise bad_request(f"the contract is already {contract['status']}", field="contractID")
    return contract


def _set_status(contract: JsonObject, status: str) -> JsonObject:
    contract["status"] = contract["versions"][-1]["status"] = status
    return {"contractId": contract["id"], "status": status}


def _apply_template(request: ApiRequest, body: JsonObject) -> JsonObject:
    """The terms of a new contract, with those of the template that it names."""
    if "templateId" not in body:
        return body
    if given := [name for name in TEMPLATE_FIELDS if name in body]:
        raise bad_request(f"templateId cannot be combined with {', '.join(given)}", field="templateId")
    templates = request.tenant.collection("contract templates", customer_account.seed_templates)
    template = templates.get(body["templateId"])
    if template is None:
        raise bad_request("templateId: no contract template has this id", field="templateId")
    return {**body, **{name: template[name] for name in TEMPLATE_FIELDS}}


def _make_version(request: ApiRequest, body: JsonObject, number: int) -> JsonObject:
    invoicing = body.get("doitInvoicingEnabled", True)
    if invoicing and (missing := [name for name in INVOICING_FIELDS if name not in body]):
        raise bad_request(f"{', '.join(missing)}: required if doitInvoicingEnabled is true", field=missing[0])
    start = listing.parse_time(body["startDate"], "startDate")
    end = listing.parse_time(body["endDate"], "endDate") if body.get("endDate") else None
    if end is not None and end <= start:
        raise bad_request("endDate must be after startDate", field="endDate")
    return {
        **{name: value for name, value in body.items() if name != "templateId"},
        **{name: body.get(name) or [] for name in LIST_FIELDS},
        "doitInvoicingEnabled": invoicing,
        "version": number,
        "status": "draft",
        "startDate": start,
        "endDate": end,
        "effectiveStart": start if number == 1 else max(start, format_rfc3339(request.now)),
        "effectiveEnd": end,
        "cancellationReason": None,
    }


def _append_version(contract: JsonObject, version: JsonObject) -> JsonObject:
    """The contract with a new last version."""
    contract["versions"].append(version)
    fields = ("name", "startDate", "endDate", "renewalPolicy", "doitInvoicingEnabled")
    contract.update({name: version[name] for name in fields}, currentVersionNumber=version["version"])
    return contract


def _contract_response(request: ApiRequest, contract: JsonObject, message: str) -> JsonObject:
    return {
        "contractId": contract["id"],
        "version": contract["currentVersionNumber"],
        "status": contract["status"],
        "message": message,
        "timestamp": format_rfc3339(request.now),
    }


_CONTRACT_PATH = "/customers/{customerID}/contracts/{contractID}"
ROUTES = (
    Route("GET", "/customers/{customerID}/contracts", list_contracts, "contracts.read"),
    Route("POST", "/customers/{customerID}/contracts", create_contract, "contracts.write"),
    Route("GET", _CONTRACT_PATH, get_contract, "contracts.read"),
    Route("POST", _CONTRACT_PATH, update_contract, "contracts.write"),
    Route("POST", f"{_CONTRACT_PATH}/activate", activate_contract, "contracts.write"),
    Route("POST", f"{_CONTRACT_PATH}/cancel", cancel_contract, "contracts.write"),
)
