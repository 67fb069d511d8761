"""Google Cloud commitments: committed use discounts (CUDs) of billing accounts."""

from __future__ import annotations

from types import MappingProxyType

from ...api.pagination import iterate_rows
from ...protocol.jsonrpc import JsonObject
from ..call import Call
from ..costs.amounts import ZERO
from .aws import ROWS_PER_REQUEST, OwnedCommitment, parse_decimal, parse_last_day, parse_share

GOOGLE = "google-cloud"
ACCOUNTS_FACT = "gcp billing accounts"
TERM_TEXTS = MappingProxyType({"P1Y": "1 year", "P3Y": "3 years"})


async def list_billing_accounts(call: Call) -> dict[str, str]:
    """Return the names of the customer's Google Cloud billing accounts in PerfectScale for Commitments, by id, and
    remember them. Raise ApiError."""
    remembered: dict[str, str] | None = call.facts.get(ACCOUNTS_FACT)
    if remembered is not None:
        return remembered
    rows = iterate_rows(call.doit.gcp_commitments.list_gcp_billing_accounts, maxResults=ROWS_PER_REQUEST)
    found = {str(row.get("billingAccountId") or ""): str(row.get("displayName") or "") async for row in rows}
    # The customer may be onboarded any moment, so an empty list is not remembered.
    if found:
        call.facts.put(ACCOUNTS_FACT, found)
    return found


def parse_spend_cud(row: JsonObject) -> OwnedCommitment:
    """Return a row of list_gcp_spend_cuds. Raise ApiError for an implausible number."""
    hourly = parse_decimal(row.get("commitmentAmount")) or ZERO
    term, region = TERM_TEXTS.get(str(row.get("term")), ""), str(row.get("region") or "")
    name = f"{row.get('cudProductName') or 'Spend-based'} commitment"
    parts = [f"{name} in {region}" if region else name, *([term] if term else []), f"${hourly:,.2f} per hour"]
    return OwnedCommitment(
        "spend-cud",
        str(row.get("cudId") or ""),
        ", ".join(parts),
        hourly,
        parse_share(row.get("lastMonthUtilization")),
        parse_last_day(row.get("endTime")),
    )
