"""AWS billing transfer: /billingtransfer/v1. Acme is a distributor with resellers; Globex is a reseller of another."""

from __future__ import annotations

from aiohttp import web

from .. import listing
from ..costs.calendar_days import rfc3339
from ..responses import JsonObject, Refusal, answer, bad
from ..routes import Route
from ..tenants import Ask
from . import billing_transfer_nodes as nodes
from .billing_transfer_batches import create_handshakes, create_mappings

PATH = "/billingtransfer/v1"
ROOT = ("accountId", "roleArn", "stackName", "region", "iamStatus", "iamDiff", "createdAt")


async def list_program_accounts(ask: Ask) -> web.Response:
    """GET /billingtransfer/v1/programmanagementaccounts, with the resellers of each."""
    nodes.for_distributors(ask)
    rows = list(nodes.roots(ask).values())
    page = listing.page(rows, ask.query.get("pageToken", ""), ask.page_size(), scope=ask.scope)
    page.rows[:] = [_root_shown(ask, one) for one in page.rows]
    return answer(ask.listed("items", page))


async def list_program_account_states(ask: Ask) -> web.Response:
    """GET /billingtransfer/v1/programmanagementaccounts/status: all of them, without resellers."""
    nodes.for_distributors(ask)
    kept = ("accountId", "iamStatus", "iamDiff", "createdAt", "updatedAt")
    found = nodes.roots(ask).values()
    return answer({"items": [{"dpmaId": one["id"], **{name: one[name] for name in kept}} for one in found]})


async def list_end_customers(ask: Ask) -> web.Response:
    """GET /billingtransfer/v1/end-customers of a reseller's account under a distributor's."""
    for name in ("dpmaId", "resellerPmaAccountId"):
        if not ask.query.get(name):
            raise bad(f"{name} is required", field=name)
    return _end_customers(ask, ask.query["resellerPmaAccountId"], ask.query["dpmaId"])


async def list_end_customers_of_reseller(ask: Ask) -> web.Response:
    """GET /billingtransfer/v1/resellers/{resellerPmaAccountId}/end-customers."""
    return _end_customers(ask, ask.part("resellerPmaAccountId"))


async def list_reseller_accounts(ask: Ask) -> web.Response:
    """GET /billingtransfer/v1/reseller-accounts: the caller's own, a distributor has none."""
    return answer({"items": [nodes.reseller_shown(ask, one) for one in _own(ask)]})


async def list_reseller_accounts_with_tenants(ask: Ask) -> web.Response:
    """GET /billingtransfer/v1/reseller-accounts/end-customers: the caller's own, with the end customers of each."""
    revoked = listing.flag(ask.query, "includeRevoked")
    return answer({"items": [_with_tenants(ask, one, revoked) for one in _own(ask)]})


def _own(ask: Ask) -> list[JsonObject]:
    return [one for one in nodes.resellers(ask).values() if one["customerId"] == ask.tenant.customer.id]


def _root_shown(ask: Ask, root: JsonObject) -> JsonObject:
    tenants = [nodes.tenant_shown(ask, one) for one in nodes.resellers(ask).values() if one["dpmaId"] == root["id"]]
    return {
        "dpmaId": root["id"],
        **{name: root[name] for name in ROOT},
        "tenants": tenants,
        "lastRefreshTime": rfc3339(nodes.refreshed(ask)),
        "handshakeStatus": nodes.counted(tenants),
    }


def _with_tenants(ask: Ask, node: JsonObject, revoked: bool) -> JsonObject:
    root, tenants = nodes.roots(ask)[node["dpmaId"]], nodes.clients_shown(ask, node["id"], revoked)
    return {
        **nodes.reseller_shown(ask, node),
        "region": root["region"],
        "iamStatus": root["iamStatus"],
        "lastRefreshTime": rfc3339(nodes.refreshed(ask)),
        "handshakeStatus": nodes.counted(tenants),
        "tenants": tenants,
    }


def _end_customers(ask: Ask, account: str, root: str | None = None) -> web.Response:
    """404 when there is no such account, or it is another's: the two cannot be told apart."""
    revoked = listing.flag(ask.query, "includeRevoked")
    node = nodes.resellers(ask).get(account)
    if node is None or root not in (None, node["dpmaId"]):
        raise Refusal(404, "there is no such account of a reseller")
    return answer({"items": nodes.clients_shown(ask, account, revoked)})


_OF_RESELLER = PATH + "/resellers/{resellerPmaAccountId}/end-customers"
_OWN = PATH + "/reseller-accounts"
ROUTES = (
    Route("GET", PATH + "/programmanagementaccounts", list_program_accounts, nodes.READ),
    Route("GET", PATH + "/programmanagementaccounts/status", list_program_account_states, nodes.READ),
    Route("POST", PATH + "/resellerhandshakes", create_handshakes, nodes.WRITE, nodes.refuse),
    Route("POST", PATH + "/end-customer-mappings", create_mappings, nodes.WRITE, nodes.refuse),
    Route("GET", PATH + "/end-customers", list_end_customers, nodes.READ, nodes.refuse),
    Route("GET", _OF_RESELLER, list_end_customers_of_reseller, nodes.READ, nodes.refuse),
    Route("GET", _OWN, list_reseller_accounts, nodes.READ, nodes.refuse),
    Route("GET", _OWN + "/end-customers", list_reseller_accounts_with_tenants, nodes.READ, nodes.refuse),
)
