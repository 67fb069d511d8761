"""Shared payers: /customers/v1/customers/{customerId}/shared-payer-accounts, for distributors and resellers."""

from __future__ import annotations

from aiohttp import web

from ..responses import ApiError, JsonObject, bad_request, json_response
from ..routes import Route
from ..schemas import compile_object, text_schema
from ..seeds.cloud_accounts import list_partners
from ..seeds.shared_payers import PAYER_NAMES, seed_shared_accounts
from ..tenants import ApiRequest, Records, get_existing

BASE = "/customers/v1/customers/{customerId}/shared-payer-accounts"
TARGET_BODY = compile_object("customerId", customerId=text_schema(100, minLength=1))


async def list_mappings(request: ApiRequest) -> web.Response:
    """GET …/shared-payer-accounts: all accounts, or those under one payer."""
    payer = request.query.get("managementAccount", "")
    rows = [
        _serialize(request, item)
        for item in _shared_account_records(request).values()
        if payer in ("", item["payerId"])
    ]
    return json_response({"items": rows})


async def list_management_accounts(request: ApiRequest) -> web.Response:
    """GET …/management-accounts: the payers."""
    return json_response(
        {"items": [{"payerId": key, "payerName": name} for key, name in _list_payers(request).items()]}
    )


async def list_payers(request: ApiRequest) -> web.Response:
    """GET …/payers: the payers, with how many of their accounts belong to a customer of the partner."""
    own, rows = request.tenant.customer.id, []
    for payer, name in _list_payers(request).items():
        accounts = [item for item in _shared_account_records(request).values() if item["payerId"] == payer]
        mapped = sum(item["customerId"] != own for item in accounts)
        rows.append(
            {
                "payerId": payer,
                "payerName": name,
                "linkedAccounts": len(accounts),
                "mappedAssets": mapped,
                "totalAssets": len(accounts),
                "completed": mapped == len(accounts),
            }
        )
    return json_response({"items": rows})


async def reassign(request: ApiRequest) -> web.Response:
    """PATCH …/shared-payer-accounts/{assetId}: to the partner itself, or to one of its customers."""
    account = get_existing(_shared_account_records(request), request.path_parameter("assetId"), "shared payer account")
    target = (await request.read_body(TARGET_BODY))["customerId"]
    if target not in _list_names(request):
        raise bad_request("customerId: neither this customer nor one of its customers", field="customerId")
    account["customerId"] = target
    return json_response({"assetId": account["id"], "customerId": target})


def _shared_account_records(request: ApiRequest) -> Records:
    """The accounts; 403 for another customer than that of the credential."""
    if request.path_parameter("customerId") != request.tenant.customer.id:
        raise ApiError(403, "customerId is not the customer of this credential")
    return request.tenant.collection("shared payer accounts", seed_shared_accounts)


def _list_payers(request: ApiRequest) -> dict[str, str]:
    return {item["payerId"]: PAYER_NAMES[item["payer"]] for item in _shared_account_records(request).values()}


def _list_names(request: ApiRequest) -> dict[str, str]:
    return {request.tenant.customer.id: request.tenant.customer.name, **list_partners(request.tenant)}


def _serialize(request: ApiRequest, account: JsonObject) -> JsonObject:
    return {
        "assetId": account["id"],
        "accountName": account["name"],
        "accountId": account["accountId"],
        "payerId": account["payerId"],
        "payerName": PAYER_NAMES[account["payer"]],
        "customerId": account["customerId"],
        "customerName": _list_names(request)[account["customerId"]],
    }


ROUTES = (
    Route("GET", BASE, list_mappings, "contracts.read"),
    Route("GET", BASE + "/management-accounts", list_management_accounts, "contracts.read"),
    Route("GET", BASE + "/payers", list_payers, "contracts.read"),
    Route("PATCH", BASE + "/{assetId}", reassign, "contracts.write"),
)
