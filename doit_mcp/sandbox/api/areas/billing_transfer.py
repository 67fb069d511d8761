"""AWS billing transfer: /billingtransfer/v1. Acme is a distributor with resellers; Globex is a reseller."""

from __future__ import annotations

from aiohttp import web

from .. import listing
from ..costs.calendar_days import format_rfc3339
from ..responses import ApiError, JsonObject, bad_request, json_response
from ..routes import Route
from ..tenants import ApiRequest
from . import billing_transfer_nodes as nodes
from .billing_transfer_batches import create_handshakes, create_mappings

PATH = "/billingtransfer/v1"
ROOT_FIELDS = ("accountId", "roleArn", "stackName", "region", "iamStatus", "iamDiff", "createdAt")


async def list_program_accounts(request: ApiRequest) -> web.Response:
    """GET /billingtransfer/v1/programmanagementaccounts, with the resellers of each."""
    nodes.require_distributor(request)
    rows = list(nodes.root_records(request).values())
    page = request.paginate(rows)
    page.rows[:] = [_serialize_root(request, item) for item in page.rows]
    return json_response(request.list_body("items", page))


async def list_program_account_states(request: ApiRequest) -> web.Response:
    """GET /billingtransfer/v1/programmanagementaccounts/status: all accounts, without resellers."""
    nodes.require_distributor(request)
    fields = ("accountId", "iamStatus", "iamDiff", "createdAt", "updatedAt")
    accounts = nodes.root_records(request).values()
    return json_response(
        {"items": [{"dpmaId": item["id"], **{name: item[name] for name in fields}} for item in accounts]}
    )


async def list_end_customers(request: ApiRequest) -> web.Response:
    """GET /billingtransfer/v1/end-customers of a reseller's account under a distributor's."""
    for name in ("dpmaId", "resellerPmaAccountId"):
        if not request.query.get(name):
            raise bad_request(f"{name} is required", field=name)
    return _end_customers_response(request, request.query["resellerPmaAccountId"], request.query["dpmaId"])


async def list_end_customers_of_reseller(request: ApiRequest) -> web.Response:
    """GET /billingtransfer/v1/resellers/{resellerPmaAccountId}/end-customers."""
    return _end_customers_response(request, request.path_parameter("resellerPmaAccountId"))


async def list_reseller_accounts(request: ApiRequest) -> web.Response:
    """GET /billingtransfer/v1/reseller-accounts: the caller's own; empty for a distributor."""
    return json_response({"items": [nodes.serialize_reseller(request, item) for item in _own_resellers(request)]})


async def list_reseller_accounts_with_tenants(request: ApiRequest) -> web.Response:
    """GET /billingtransfer/v1/reseller-accounts/end-customers: the caller's own, each with its end customers."""
    include_revoked = listing.query_flag(request.query, "includeRevoked")
    return json_response(
        {"items": [_serialize_with_tenants(request, item, include_revoked) for item in _own_resellers(request)]}
    )


def _own_resellers(request: ApiRequest) -> list[JsonObject]:
    return [
        item for item in nodes.reseller_records(request).values() if item["customerId"] == request.tenant.customer.id
    ]


def _serialize_root(request: ApiRequest, root: JsonObject) -> JsonObject:
    tenants = [
        nodes.serialize_tenant(request, item)
        for item in nodes.reseller_records(request).values()
        if item["dpmaId"] == root["id"]
    ]
    return {
        "dpmaId": root["id"],
        **{name: root[name] for name in ROOT_FIELDS},
        "tenants": tenants,
        "lastRefreshTime": format_rfc3339(nodes.last_refresh_time(request)),
        "handshakeStatus": nodes.count_handshake_states(tenants),
    }


def _serialize_with_tenants(request: ApiRequest, node: JsonObject, include_revoked: bool) -> JsonObject:
    root, tenants = (
        nodes.root_records(request)[node["dpmaId"]],
        nodes.serialize_end_customers(request, node["id"], include_revoked),
    )
    return {
        **nodes.serialize_reseller(request, node),
        "region": root["region"],
        "iamStatus": root["iamStatus"],
        "lastRefreshTime": format_rfc3339(nodes.last_refresh_time(request)),
        "handshakeStatus": nodes.count_handshake_states(tenants),
        "tenants": tenants,
    }


def _end_customers_response(request: ApiRequest, account: str, root: str | None = None) -> web.Response:
    """The end customers of an account; 404 both for an unknown account and for another customer's."""
    include_revoked = listing.query_flag(request.query, "includeRevoked")
    node = nodes.reseller_records(request).get(account)
    if node is None or root not in (None, node["dpmaId"]):
        raise ApiError(404, "there is no such account of a reseller")
    return json_response({"items": nodes.serialize_end_customers(request, account, include_revoked)})


_RESELLER_CUSTOMERS_PATH = PATH + "/resellers/{resellerPmaAccountId}/end-customers"
_RESELLER_ACCOUNTS_PATH = PATH + "/reseller-accounts"
ROUTES = (
    Route("GET", PATH + "/programmanagementaccounts", list_program_accounts, nodes.READ_PERMISSION),
    Route("GET", PATH + "/programmanagementaccounts/status", list_program_account_states, nodes.READ_PERMISSION),
    Route("POST", PATH + "/resellerhandshakes", create_handshakes, nodes.WRITE_PERMISSION, nodes.format_error),
    Route("POST", PATH + "/end-customer-mappings", create_mappings, nodes.WRITE_PERMISSION, nodes.format_error),
    Route("GET", PATH + "/end-customers", list_end_customers, nodes.READ_PERMISSION, nodes.format_error),
    Route("GET", _RESELLER_CUSTOMERS_PATH, list_end_customers_of_reseller, nodes.READ_PERMISSION, nodes.format_error),
    Route("GET", _RESELLER_ACCOUNTS_PATH, list_reseller_accounts, nodes.READ_PERMISSION, nodes.format_error),
    Route(
        "GET",
        _RESELLER_ACCOUNTS_PATH + "/end-customers",
        list_reseller_accounts_with_tenants,
        nodes.READ_PERMISSION,
        nodes.format_error,
    ),
)
