"""Accounts of AWS billing transfer: distributor, resellers, end customers, and their handshakes over time.

Also the problem details of this area, which have their own shape in the API document.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from aiohttp import web

from ..costs.calendar_days import DAY_SECONDS, format_rfc3339
from ..responses import ApiError, JsonObject, json_response
from ..seeds import cloud_accounts
from ..seeds.cloud_accounts import HOUR_SECONDS
from ..tenants import ApiRequest, Records

READ_PERMISSION, WRITE_PERMISSION = "contracts.read", "contracts.write"
AREA = "billing-transfer"
REFRESH_SECONDS = HOUR_SECONDS  # how often handshakes are refreshed from AWS
REPLY_SECONDS = 2 * HOUR_SECONDS  # until the recipient of a handshake decides
EXPORT_SECONDS = DAY_SECONDS  # from the decision until cost and usage reports arrive
STATES = ("requested", "open", "accepted", "declined", "canceled", "expired")
LIVE_STATES = ("open", "accepted")
TITLES = {
    403: ("Forbidden", "forbidden"),
    404: ("Not found", "not_found"),
    422: ("Batch validation failed", "batch_validation_failed"),
}


class BatchError(ApiError):
    """A rejected batch; *items* is InvalidHandshakeItem of each invalid item."""

    def __init__(self, message: str, items: Sequence[JsonObject] = ()) -> None:
        super().__init__(422, message)
        self.items = list(items)


def format_error(error: ApiError) -> web.Response | None:
    """The error response in this area's shape; None for errors that have the usual shape in the API document."""
    if error.status not in TITLES:
        return None
    title, word = TITLES[error.status]
    code = f"{AREA}.{error.code or word}"
    body: JsonObject = {
        "type": f"https://developer.doit.com/errors/{code}",
        "title": title,
        "status": error.status,
        "detail": error.message,
        "code": code,
        "retryable": False,
    }
    if isinstance(error, BatchError) and error.items:
        body["invalidItems"] = error.items
    return json_response(body, error.status)


def require_distributor(request: ApiRequest) -> None:
    """Raise 403 unless the customer is a distributor."""
    if not cloud_accounts.is_distributor(request.tenant):
        raise ApiError(403, "only distributors may do this, and the customer is a reseller", code="not_a_distributor")


def require_reseller(request: ApiRequest) -> None:
    """Raise 403 unless the customer is a reseller."""
    if cloud_accounts.is_distributor(request.tenant):
        raise ApiError(403, "only resellers may do this, and the customer is a distributor", code="not_a_reseller")


def root_records(request: ApiRequest) -> Records:
    """Program management accounts: the distributor's own, or the one above the reseller."""
    return request.tenant.collection("program management accounts", cloud_accounts.seed_program_accounts)


def reseller_records(request: ApiRequest) -> Records:
    """Accounts of resellers by number: all of the distributor's, or the reseller's own."""
    return request.tenant.collection("reseller accounts", cloud_accounts.seed_reseller_accounts)


def end_customer_records(request: ApiRequest) -> Records:
    """Accounts of end customers by number."""
    return request.tenant.collection("end customer accounts", cloud_accounts.seed_end_customers)


def last_refresh_time(request: ApiRequest) -> float:
    """The time of the last refresh of handshakes, in epoch seconds."""
    return request.now - request.now % REFRESH_SECONDS


def handshake_progress(request: ApiRequest, node: JsonObject) -> tuple[str, str, str | None]:
    """Handshake state, status and effective time of an account, as of the last refresh."""
    if node["issued"] is None:
        return "requested", "pending", None
    decision_time, refreshed = node["issued"] + REPLY_SECONDS, last_refresh_time(request)
    if refreshed < decision_time:
        return "open", "pending", None
    outcome = str(node["outcome"])
    if outcome != "accepted":
        return outcome, outcome, format_rfc3339(decision_time)
    return (
        outcome,
        "active" if refreshed >= decision_time + EXPORT_SECONDS else "cur_export_waiting",
        format_rfc3339(decision_time),
    )


def has_live_handshake(request: ApiRequest, node: JsonObject) -> bool:
    """Whether the account has a handshake that was not declined."""
    return handshake_progress(request, node)[0] in LIVE_STATES


def has_lapsed_handshake(request: ApiRequest, node: JsonObject) -> bool:
    """Whether the account's handshake has failed."""
    return handshake_progress(request, node)[0] not in ("requested", *LIVE_STATES)


def serialize_reseller(request: ApiRequest, node: JsonObject) -> JsonObject:
    """The ResellerAccount of an account, as the API document defines it."""
    state, status, effective = handshake_progress(request, node)
    return {
        "resellerPmaAccountId": node["id"],
        "dpmaId": node["dpmaId"],
        "handshakeId": node["handshakeId"],
        "handshakeState": state,
        "status": "handshake_pending" if status == "pending" else status,
        "effectiveTime": effective,
        "createdAt": format_rfc3339(node["created"]),
    }


def serialize_tenant(request: ApiRequest, node: JsonObject) -> JsonObject:
    """MappedTenant: the reseller of an account, as its distributor sees it."""
    reseller = serialize_reseller(request, node)
    fields = ("resellerPmaAccountId", "handshakeState", "status", "effectiveTime")
    return {
        "customerId": node["customerId"],
        "tenantType": "reseller",
        "parentTenant": request.tenant.customer.id,
        "displayName": node["displayName"],
        **{name: reseller[name] for name in fields},
    }


def serialize_end_customers(request: ApiRequest, account: str, include_revoked: bool) -> list[JsonObject]:
    """EndCustomerNode of each end customer under a reseller's account, with *include_revoked* also of former ones."""
    nodes = [item for item in end_customer_records(request).values() if item["resellerPmaAccountId"] == account]
    return [_serialize_end_customer(request, item) for item in nodes if include_revoked or item["revoked"] is None]


def _serialize_end_customer(request: ApiRequest, node: JsonObject) -> JsonObject:
    state, status, effective = handshake_progress(request, node)
    refreshed = last_refresh_time(request)
    return {
        "ecAccountId": node["id"],
        "ecCustomerId": node["ecCustomerId"],
        "handshakeState": state,
        "status": status if node["revoked"] is None else "revoked",
        "billSourceType": "billing_transfer",
        "effectiveTime": effective,
        "createdAt": format_rfc3339(node["created"]),
        "lastRefreshTime": format_rfc3339(refreshed) if refreshed >= node["created"] else None,
        **({"curBasePath": node["curBasePath"]} if node["curBasePath"] else {}),
    }


def count_handshake_states(nodes: Sequence[JsonObject]) -> JsonObject:
    """HandshakeStatus: the number of handshakes in each state."""
    counts = Counter(str(item["handshakeState"]) for item in nodes)
    return {"total": len(nodes), **{state: counts[state] for state in STATES}}
