"""Assets: /billing/v1/assets, the accounts that the billing lines name, and subscriptions with seats.

Only the creation answers errors as problem details.
"""

from __future__ import annotations

import re

from aiohttp import web

from .. import listing
from ..costs.catalog import AWS
from ..responses import JsonObject, Refusal, answer, bad
from ..routes import Route
from ..schemas import compiled
from ..seeds import analytics_core, customer_account
from ..tenants import Ask, Records, added, existing, newest_first

SEATED = ("g-suite", "office-365")
QUANTITY = compiled("quantity", quantity={"type": "integer", "minimum": 1, "maximum": 1_000_000})
LISTED = ("id", "name", "type", "quantity", "createTime")
ADDRESS = re.compile(r"[^@\s]+@[^@\s]+")


async def list_assets(ask: Ask) -> web.Response:
    """GET /billing/v1/assets, latest first."""
    criteria = listing.filters(ask.query.get("filter", ""), ("type", "name"))
    found = listing.matching(newest_first(_records(ask)), criteria, lambda asset, key: str(asset[key]))
    rows = [_item(ask, one) for one in found]
    page = listing.page(rows, ask.query.get("pageToken", ""), ask.page_size(), scope=ask.scope)
    return answer(ask.listed("assets", page))


async def get_asset(ask: Ask) -> web.Response:
    """GET /billing/v1/assets/{id}."""
    asset = _asset(ask)
    return answer(_item(ask, asset) | {"properties": asset["properties"]})


async def update_asset(ask: Ask) -> web.Response:
    """PATCH /billing/v1/assets/{id}: another number of seats; committed ones are not given back."""
    asset = _asset(ask)
    quantity = (await ask.body(QUANTITY))["quantity"]
    if asset["type"] not in SEATED:
        raise bad(f"quantity: an asset of type {asset['type']} has no seats", field="quantity")
    subscription = asset["properties"]["subscription"]
    seats = subscription["seats"]
    committed = subscription["plan"]["isCommitmentPlan"]
    least = seats["numberOfSeats"] if committed else seats["licensedNumberOfSeats"]
    if quantity < least:
        raise bad(f"quantity: {least} seats are {'committed' if committed else 'in use'}", field="quantity")
    seats["numberOfSeats" if committed else "maximumNumberOfSeats"] = quantity
    asset["quantity"] = quantity
    return answer({name: asset[name] for name in ("id", "type", "properties")})


async def create_asset(ask: Ask) -> web.Response:
    """POST /billing/v1/createAsset: an AWS account, all of it in the query."""
    query = ask.query
    if query.get("type", AWS) != AWS:
        raise bad(f"type must be {AWS}", field="type")
    if query.get("mode", "New") != "New":
        raise bad("mode must be New", field="mode")
    name, email = query.get("accountName", "Account name"), query.get("rootEmail", "")
    if not 0 < len(name) <= 50:
        raise bad("accountName must have 1 to 50 characters", field="accountName")
    if email and not ADDRESS.fullmatch(email):
        raise bad("rootEmail must be an e-mail address", field="rootEmail")
    if email and any(one.get("rootEmail") == email for one in _records(ask).values()):
        raise Refusal(409, "rootEmail: there is an account with this address already")
    identifier = ask.tenant.new_id()
    account = f"{int.from_bytes(identifier.encode()) % 10**12:012}"
    asset = customer_account.asset(ask.tenant, AWS, account, name, ask.millis)
    added(_records(ask), {**asset, "id": identifier, "rootEmail": email})
    return answer({"accountID": account})


def _records(ask: Ask) -> Records:
    return ask.tenant.collection("assets", customer_account.assets)


def _asset(ask: Ask) -> JsonObject:
    return existing(_records(ask), ask.part("id"), "asset")


def _item(ask: Ask, asset: JsonObject) -> JsonObject:
    url = analytics_core.console_url(ask.tenant.customer, "assets", asset["id"])
    return {name: asset[name] for name in LISTED} | {"url": url}


ROUTES: tuple[Route, ...] = (
    Route("POST", "/billing/v1/createAsset", create_asset, "assets.write"),
    Route("GET", "/billing/v1/assets", list_assets, "assets.read"),
    Route("GET", "/billing/v1/assets/{id}", get_asset, "assets.read"),
    Route("PATCH", "/billing/v1/assets/{id}", update_asset, "assets.write"),
)
