"""Contracts: /customers/{customerID}/contracts, of a customer and of its own customers.

A customer reads its contracts and writes those of its direct children; DoiT's employees write for the customer.
"""

from __future__ import annotations

from aiohttp import web

from .. import listing
from ..costs.calendar_days import rfc3339
from ..responses import JsonObject, Refusal, answer, bad
from ..routes import Route
from ..schemas import EMAIL, compiled, items, one_of, or_null, text
from ..seeds import customer_account
from ..tenants import RECORDS, Ask, Records, added, existing

ANYTHING: JsonObject = {"type": "object", "maxProperties": 100}
BODY = compiled(
    "name startDate renewalPolicy invoicesEmail contractUpdatesEmail billingProfile",
    name=text(200, minLength=1),
    startDate=text(40),
    endDate=or_null(text(40)),
    renewalPolicy=one_of("auto", "manual", "fixed"),
    invoicesEmail=EMAIL,
    contractUpdatesEmail=EMAIL,
    billingProfile=ANYTHING,
    managementAccounts=items(text(100), maxItems=100),
    **{name: items(ANYTHING, maxItems=100) for name in ("billingRules", "priceBooks", "customLineItems")},
)
CANCEL = compiled("", reason=text(2000))
TYPE = "reseller"
LISTS = ("managementAccounts", "billingRules", "priceBooks", "customLineItems")
OPEN = ("draft", "scheduled", "active")
SHOWN = (
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
)


async def list_contracts(ask: Ask) -> web.Response:
    """GET /customers/{customerID}/contracts: all of them."""
    customer = _customer(ask)
    found = [_current(ask, one) for one in _records(ask).values() if one["customerId"] == customer]
    return answer([{name: one[name] for name in SHOWN} for one in found])


async def get_contract(ask: Ask) -> web.Response:
    """GET /customers/{customerID}/contracts/{contractID}, with its versions, newest last."""
    contract = _contract(ask)
    return answer({name: contract[name] for name in (*SHOWN, "versions")})


async def create_contract(ask: Ask) -> web.Response:
    """POST /customers/{customerID}/contracts: a draft."""
    customer = _writable(ask)
    version = _version(ask, await ask.body(BODY), 1)
    contract: JsonObject = {
        "id": ask.tenant.new_id(),
        "customerId": customer,
        "type": TYPE,
        "status": "draft",
        "timeCreated": rfc3339(ask.now),
        "versions": [],
    }
    added(_records(ask), _with(contract, version))
    return answer(_outcome(ask, contract, "Contract created"), 201)


async def update_contract(ask: Ask) -> web.Response:
    """POST /customers/{customerID}/contracts/{contractID}: another version, which takes the place of the last."""
    _writable(ask)
    contract = _open(_contract(ask))
    body = await ask.body(BODY)
    if len(contract["versions"]) >= RECORDS:
        raise bad(f"contractID: a contract has {RECORDS} versions at most", field="contractID")
    version = _version(ask, body, len(contract["versions"]) + 1) | {"status": contract["status"]}
    contract["versions"][-1].update(status="superseded", effectiveEnd=version["effectiveStart"])
    _with(contract, version)
    return answer(_outcome(ask, contract, "Contract version created"))


async def activate_contract(ask: Ask) -> web.Response:
    """POST /customers/{customerID}/contracts/{contractID}/activate: now, or when it starts. 409 has no body."""
    customer = _writable(ask)
    contract = _contract(ask)
    if contract["status"] != "draft":
        raise bad(f"the contract is {contract['status']}: only drafts are activated", field="contractID")
    others = (_current(ask, one) for one in _records(ask).values() if one["customerId"] == customer)
    if any(one["status"] == "active" and one["type"] == contract["type"] for one in others):
        return web.Response(status=409)
    return answer(_moved(contract, "scheduled" if contract["startDate"] > rfc3339(ask.now) else "active"))


async def cancel_contract(ask: Ask) -> web.Response:
    """POST /customers/{customerID}/contracts/{contractID}/cancel; the body may be left out."""
    _writable(ask)
    contract = _open(_contract(ask))
    body = await ask.body(CANCEL) if await ask.request.read() else {}
    outcome = _moved(contract, "cancelled")
    contract["versions"][-1].update(cancellationReason=body.get("reason"), effectiveEnd=rfc3339(ask.now))
    return answer(outcome)


def _records(ask: Ask) -> Records:
    return ask.tenant.collection("contracts", customer_account.contracts)


def _customer(ask: Ask) -> str:
    """The customer of the path: the caller's own, or a child of it; 403 otherwise."""
    customer = ask.part("customerID")
    if customer != ask.tenant.customer.id and customer not in customer_account.children(ask.tenant):
        raise Refusal(403, "customerID is neither this customer nor one of its own customers")
    return customer


def _writable(ask: Ask) -> str:
    customer = _customer(ask)
    if customer == ask.tenant.customer.id and not ask.user.employee:
        raise Refusal(403, "contracts of a customer are written by its direct parent")
    return customer


def _contract(ask: Ask) -> JsonObject:
    customer = _customer(ask)
    found = existing(_records(ask), ask.part("contractID"), "contract")
    if found["customerId"] != customer:
        raise Refusal(404, "contract not found")
    return _current(ask, found)


def _current(ask: Ask, contract: JsonObject) -> JsonObject:
    """The contract, in the state that its dates have brought it to."""
    now = rfc3339(ask.now)
    if contract["status"] == "scheduled" and contract["startDate"] <= now:
        _moved(contract, "active")
    if contract["status"] == "active" and contract["endDate"] and contract["endDate"] <= now:
        _moved(contract, "expired")
    return contract


def _open(contract: JsonObject) -> JsonObject:
    if contract["status"] not in OPEN:
        raise bad(f"the contract is {contract['status']} already", field="contractID")
    return contract


def _moved(contract: JsonObject, status: str) -> JsonObject:
    contract["status"] = contract["versions"][-1]["status"] = status
    return {"contractId": contract["id"], "status": status}


def _version(ask: Ask, body: JsonObject, number: int) -> JsonObject:
    start = listing.instant(body["startDate"], "startDate")
    end = listing.instant(body["endDate"], "endDate") if body.get("endDate") else None
    if end is not None and end <= start:
        raise bad("endDate must be after startDate", field="endDate")
    return {
        **body,
        **{name: body.get(name) or [] for name in LISTS},
        "version": number,
        "status": "draft",
        "startDate": start,
        "endDate": end,
        "effectiveStart": start if number == 1 else max(start, rfc3339(ask.now)),
        "effectiveEnd": end,
        "cancellationReason": None,
    }


def _with(contract: JsonObject, version: JsonObject) -> JsonObject:
    """The contract with the version as its last."""
    contract["versions"].append(version)
    kept = ("name", "startDate", "endDate", "renewalPolicy")
    contract.update({name: version[name] for name in kept}, currentVersionNumber=version["version"])
    return contract


def _outcome(ask: Ask, contract: JsonObject, message: str) -> JsonObject:
    return {
        "contractId": contract["id"],
        "version": contract["currentVersionNumber"],
        "status": contract["status"],
        "message": message,
        "timestamp": rfc3339(ask.now),
    }


_ONE = "/customers/{customerID}/contracts/{contractID}"
ROUTES = (
    Route("GET", "/customers/{customerID}/contracts", list_contracts, "contracts.read"),
    Route("POST", "/customers/{customerID}/contracts", create_contract, "contracts.write"),
    Route("GET", _ONE, get_contract, "contracts.read"),
    Route("POST", _ONE, update_contract, "contracts.write"),
    Route("POST", f"{_ONE}/activate", activate_contract, "contracts.write"),
    Route("POST", f"{_ONE}/cancel", cancel_contract, "contracts.write"),
)
