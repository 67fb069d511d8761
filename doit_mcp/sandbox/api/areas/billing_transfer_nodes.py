"""The accounts of AWS billing transfer, distributor over resellers over end customers, and how far they are.

What the document has as problem details of this area, a shape of its own, is made here as well.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from aiohttp import web

from ..costs.calendar_days import DAY_SECONDS, rfc3339
from ..responses import JsonObject, Refusal, answer
from ..seeds import cloud_accounts
from ..seeds.cloud_accounts import HOUR
from ..tenants import Ask, Records

READ, WRITE = "contracts.read", "contracts.write"
AREA = "billing-transfer"
REFRESH = HOUR  # how often AWS is asked how far handshakes are
REPLY = 2 * HOUR  # until whoever got a handshake decides
EXPORT = DAY_SECONDS  # from there until reports of cost and usage come
STATES = ("requested", "open", "accepted", "declined", "canceled", "expired")
LIVE = ("open", "accepted")
TITLES = {
    403: ("Forbidden", "forbidden"),
    404: ("Not found", "not_found"),
    422: ("Batch validation failed", "batch_validation_failed"),
}


class Unprocessed(Refusal):
    """A batch of which nothing was done, and why: *items* is InvalidHandshakeItem of each wrong item."""

    def __init__(self, message: str, items: Sequence[JsonObject] = ()) -> None:
        super().__init__(422, message)
        self.items = list(items)


def refuse(refusal: Refusal) -> web.Response | None:
    """The refusal in this area's shape, None of those that the document has in the usual one."""
    if refusal.status not in TITLES:
        return None
    title, word = TITLES[refusal.status]
    code = f"{AREA}.{refusal.code or word}"
    body: JsonObject = {
        "type": f"https://developer.doit.com/errors/{code}",
        "title": title,
        "status": refusal.status,
        "detail": refusal.message,
        "code": code,
        "retryable": False,
    }
    if isinstance(refusal, Unprocessed) and refusal.items:
        body["invalidItems"] = refusal.items
    return answer(body, refusal.status)


def for_distributors(ask: Ask) -> None:
    """403 for others."""
    if not cloud_accounts.distributor(ask.tenant):
        raise Refusal(403, "only distributors may do this, and the customer is a reseller", code="not_a_distributor")


def for_resellers(ask: Ask) -> None:
    """403 for others."""
    if cloud_accounts.distributor(ask.tenant):
        raise Refusal(403, "only resellers may do this, and the customer is a distributor", code="not_a_reseller")


def roots(ask: Ask) -> Records:
    """Program management accounts: the distributor's, or the one that is above the reseller."""
    return ask.tenant.collection("program management accounts", cloud_accounts.program_accounts)


def resellers(ask: Ask) -> Records:
    """Accounts of resellers by their number: all that are under the distributor, or the reseller's own."""
    return ask.tenant.collection("reseller accounts", cloud_accounts.reseller_accounts)


def clients(ask: Ask) -> Records:
    """Accounts of end customers by their number."""
    return ask.tenant.collection("end customer accounts", cloud_accounts.end_customers)


def refreshed(ask: Ask) -> float:
    """When the state of handshakes was looked at last, in epoch seconds."""
    return ask.now - ask.now % REFRESH


def progress(ask: Ask, node: JsonObject) -> tuple[str, str, str | None]:
    """Handshake state, status and effective time of an account, as of the last look at AWS."""
    if node["issued"] is None:
        return "requested", "pending", None
    decided, seen = node["issued"] + REPLY, refreshed(ask)
    if seen < decided:
        return "open", "pending", None
    outcome = str(node["outcome"])
    if outcome != "accepted":
        return outcome, outcome, rfc3339(decided)
    return outcome, "active" if seen >= decided + EXPORT else "cur_export_waiting", rfc3339(decided)


def live(ask: Ask, node: JsonObject) -> bool:
    """Whether there is a handshake that was not turned down."""
    return progress(ask, node)[0] in LIVE


def lapsed(ask: Ask, node: JsonObject) -> bool:
    """Whether its handshake came to nothing."""
    return progress(ask, node)[0] not in ("requested", *LIVE)


def reseller_shown(ask: Ask, node: JsonObject) -> JsonObject:
    """ResellerAccount."""
    state, status, effective = progress(ask, node)
    return {
        "resellerPmaAccountId": node["id"],
        "dpmaId": node["dpmaId"],
        "handshakeId": node["handshakeId"],
        "handshakeState": state,
        "status": "handshake_pending" if status == "pending" else status,
        "effectiveTime": effective,
        "createdAt": rfc3339(node["created"]),
    }


def tenant_shown(ask: Ask, node: JsonObject) -> JsonObject:
    """MappedTenant: the reseller of an account, as its distributor sees it."""
    shown = reseller_shown(ask, node)
    kept = ("resellerPmaAccountId", "handshakeState", "status", "effectiveTime")
    return {
        "customerId": node["customerId"],
        "tenantType": "reseller",
        "parentTenant": ask.tenant.customer.id,
        "displayName": node["displayName"],
        **{name: shown[name] for name in kept},
    }


def clients_shown(ask: Ask, account: str, revoked: bool) -> list[JsonObject]:
    """EndCustomerNode of each end customer under a reseller's account; *revoked*: also of those that are no more."""
    found = [one for one in clients(ask).values() if one["resellerPmaAccountId"] == account]
    return [_client_shown(ask, one) for one in found if revoked or one["revoked"] is None]


def _client_shown(ask: Ask, node: JsonObject) -> JsonObject:
    state, status, effective = progress(ask, node)
    seen = refreshed(ask)
    return {
        "ecAccountId": node["id"],
        "ecCustomerId": node["ecCustomerId"],
        "handshakeState": state,
        "status": status if node["revoked"] is None else "revoked",
        "billSourceType": "billing_transfer",
        "effectiveTime": effective,
        "createdAt": rfc3339(node["created"]),
        "lastRefreshTime": rfc3339(seen) if seen >= node["created"] else None,
    }


def counted(shown: Sequence[JsonObject]) -> JsonObject:
    """HandshakeStatus: how many are in each state."""
    counts = Counter(str(one["handshakeState"]) for one in shown)
    return {"total": len(shown), **{state: counts[state] for state in STATES}}
