"""Assets: /billing/v1/assets, the accounts in the billing lines, and subscriptions with seats.

Only the create operation returns errors as problem details.
"""

from __future__ import annotations

import re

from aiohttp import web

from .. import listing
from ..costs.estate_types import AWS
from ..responses import ApiError, JsonObject, bad_request, json_response
from ..routes import Route
from ..schemas import compile_object
from ..seeds import analytics_core, customer_account
from ..tenants import ApiRequest, Records, add_record, get_existing, newest_first

SEAT_TYPES = ("g-suite", "office-365")
QUANTITY = compile_object("quantity", quantity={"type": "integer", "minimum": 1, "maximum": 1_000_000})
LIST_FIELDS = ("id", "name", "type", "quantity", "createTime")
EMAIL_PATTERN = re.compile(r"[^@\s]+@[^@\s]+")


async def list_assets(request: ApiRequest) -> web.Response:
    """GET /billing/v1/assets, latest first."""
    criteria = listing.parse_filter(request.query.get("filter", ""), ("type",))
    assets = listing.filter_rows(newest_first(_asset_records(request)), criteria, lambda asset, key: str(asset[key]))
    rows = [_list_item(request, item) for item in assets]
    page = request.paginate(rows)
    return json_response(request.list_body("assets", page))


async def get_asset(request: ApiRequest) -> web.Response:
    """GET /billing/v1/assets/{id}."""
    asset = _get_asset(request)
    return json_response(_list_item(request, asset) | {"properties": asset["properties"]})


async def update_asset(request: ApiRequest) -> web.Response:
    """PATCH /billing/v1/assets/{id}: change the number of seats; committed seats cannot be returned."""
    asset = _get_asset(request)
    quantity = (await request.read_body(QUANTITY))["quantity"]
    if asset["type"] not in SEAT_TYPES:
        raise bad_request(f"quantity: an asset of type {asset['type']} has no seats", field="quantity")
    subscription = asset["properties"]["subscription"]
    seats = subscription["seats"]
    is_committed = subscription["plan"]["isCommitmentPlan"]
    minimum = seats["numberOfSeats"] if is_committed else seats["licensedNumberOfSeats"]
    if quantity < minimum:
        raise bad_request(
            f"quantity: {minimum} seats are {'committed' if is_committed else 'in use'}", field="quantity"
        )
    seats["numberOfSeats" if is_committed else "maximumNumberOfSeats"] = quantity
    asset["quantity"] = quantity
    return json_response({name: asset[name] for name in ("id", "type", "properties")})


async def create_asset(request: ApiRequest) -> web.Response:
    """POST /billing/v1/createAsset: create an AWS account from query parameters."""
    query = request.query
    if query.get("type", AWS) != AWS:
        raise bad_request(f"type must be {AWS}", field="type")
    if query.get("mode", "New") != "New":
        raise bad_request("mode must be New", field="mode")
    name, email = query.get("accountName", "Account name"), query.get("rootEmail", "")
    if not 0 < len(name) <= 50:
        raise bad_request("accountName must have 1 to 50 characters", field="accountName")
    if email and not EMAIL_PATTERN.fullmatch(email):
        raise bad_request("rootEmail must be an email address", field="rootEmail")
    if email and any(item.get("rootEmail") == email for item in _asset_records(request).values()):
        raise ApiError(409, "rootEmail: an account with this address already exists")
    identifier = request.tenant.new_id()
    account = f"{int.from_bytes(identifier.encode()) % 10**12:012}"
    asset = customer_account.make_asset(request.tenant, AWS, account, name, request.now_milliseconds)
    add_record(_asset_records(request), {**asset, "id": identifier, "rootEmail": email})
    return json_response({"accountID": account})


def _asset_records(request: ApiRequest) -> Records:
    return request.tenant.collection("assets", customer_account.seed_assets)


def _get_asset(request: ApiRequest) -> JsonObject:
    return get_existing(_asset_records(request), request.path_parameter("id"), "asset")


def _list_item(request: ApiRequest, asset: JsonObject) -> JsonObject:
    url = analytics_core.console_url(request.tenant.customer, "assets", asset["id"])
    return {name: asset[name] for name in LIST_FIELDS} | {"url": url}


ROUTES: tuple[Route, ...] = (
    Route("POST", "/billing/v1/createAsset", create_asset, "assets.write"),
    Route("GET", "/billing/v1/assets", list_assets, "assets.read"),
    Route("GET", "/billing/v1/assets/{id}", get_asset, "assets.read"),
    Route("PATCH", "/billing/v1/assets/{id}", update_asset, "assets.write"),
)
