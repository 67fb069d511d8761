"""Google Cloud commitments: committed use discounts (CUDs) of billing accounts, and how much more to commit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from decimal import Decimal
from types import MappingProxyType
from typing import Any

from ...api import Doit
from ...api.pagination import iterate_rows
from ...protocol.jsonrpc import JsonObject
from ..call import Call
from ..costs.amounts import ZERO
from .account_names import ROWS_PER_REQUEST, read_account_names
from .aws import (
    OwnedCommitment,
    RecommendedPurchase,
    parse_decimal,
    parse_last_day,
    parse_recommendation,
    parse_share,
)
from .planned_purchases import PlannedStep, parse_steps

GOOGLE = "google-cloud"
ACCOUNTS_FACT = "gcp billing accounts"
TERM_TEXTS = MappingProxyType(
    {"P1Y": "1 year", "P3Y": "3 years", "TWELVE_MONTH": "1 year", "THIRTY_SIX_MONTH": "3 years"}
)
RESOURCE_MEMBERS = MappingProxyType({"VCPU": "lastMonthCPUUtilization", "MEMORY": "lastMonthMemoryUtilization"})
"""The members with the utilization of each kind of reserved resource."""


async def list_billing_accounts(call: Call) -> dict[str, str]:
    """Return the names of the customer's Google Cloud billing accounts in PerfectScale for Commitments, by id, and
    cache them. Raise ApiError."""
    method = call.doit.gcp_commitments.list_gcp_billing_accounts
    return await read_account_names(call, ACCOUNTS_FACT, method, "billingAccountId")


async def read_spend_cuds(doit: Doit, account: str) -> list[OwnedCommitment]:
    """Return the active spend-based commitments of a billing account."""
    method = doit.gcp_commitments.list_gcp_spend_cuds
    rows = iterate_rows(method, billingAccountId=account, status="active", maxResults=ROWS_PER_REQUEST)
    return [parse_spend_cud(row) async for row in rows]


async def read_resource_cuds(doit: Doit, account: str) -> list[OwnedCommitment]:
    """Return the active resource-based commitments of a billing account. The API does not state their price."""
    method = doit.gcp_commitments.list_gcp_resource_cuds
    rows = iterate_rows(method, billingAccountId=account, status="active", maxResults=ROWS_PER_REQUEST)
    return [parse_resource_cud(row) async for row in rows]


async def read_cud_purchases(doit: Doit, account: str) -> list[RecommendedPurchase]:
    """Return how much more to commit in a billing account, by service and region, without those that need no more."""
    answer = await doit.gcp_commitments.list_gcp_recommendations(billingAccountId=account)
    found = [
        parse_recommendation(account, str(row.get("service") or ""), row, GOOGLE, str(row.get("region") or ""))
        for row in _read_rows(answer.get("items"))
    ]
    return [item for item in found if item is not None]


async def read_cud_steps(doit: Doit, account: str, today: date) -> list[PlannedStep]:
    """Return the steps of a billing account's plans that are due today or later."""
    method = doit.gcp_commitments.list_gcp_planned_purchases
    rows = iterate_rows(method, billingAccountId=account, maxResults=ROWS_PER_REQUEST)
    return [step async for row in rows for step in _read_steps(account, row) if step.scheduled_on >= today]


def _read_steps(account: str, row: JsonObject) -> Iterator[PlannedStep]:
    for plan in _read_rows(row.get("regions")):
        yield from parse_steps(account, {**plan, "service": row.get("service")})


def _read_rows(rows: Any) -> list[JsonObject]:
    return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []


def parse_spend_cud(row: JsonObject) -> OwnedCommitment:
    """Return a row of list_gcp_spend_cuds. Raise ApiError for an implausible number."""
    hourly = parse_decimal(row.get("commitmentAmount")) or ZERO
    region = str(row.get("region") or "")
    name = f"{row.get('cudProductName') or 'Spend-based'} commitment"
    place = f"{name} in {region}" if region else name
    return OwnedCommitment(
        "spend-cud",
        str(row.get("cudId") or ""),
        ", ".join([place, *_read_term(row.get("term")), f"${hourly:,.2f} per hour"]),
        hourly,
        parse_share(row.get("lastMonthUtilization")),
        parse_last_day(row.get("endTime")),
    )


def parse_resource_cud(row: JsonObject) -> OwnedCommitment:
    """Return a row of list_gcp_resource_cuds. Raise ApiError for an implausible number."""
    reserved = {str(item.get("resourceKind")): item.get("amount") for item in _read_rows(row.get("reservedResources"))}
    what = ", ".join(f"{amount} {kind}" for kind, amount in reserved.items()) or "Resource-based"
    region = str(row.get("region") or "")
    place = f"{what} commitment in {region}" if region else f"{what} commitment"
    return OwnedCommitment(
        "resource-cud",
        str(row.get("commitmentNumericId") or ""),
        ", ".join([place, *_read_term(row.get("plan"))]),
        None,
        _resource_utilization(row, reserved),
        parse_last_day(row.get("endTime")),
    )


def _resource_utilization(row: JsonObject, reserved: Mapping[str, Any]) -> Decimal | None:
    """Return the utilization of a resource-based commitment, from 0 to 1; None if its resources have different ones,
    because the share of each in its price is unknown."""
    names = [member for kind, member in RESOURCE_MEMBERS.items() if kind in reserved or not reserved]
    found = {parse_share(row.get(name)) for name in names}
    return found.pop() if len(found) == 1 else None


def _read_term(value: Any) -> list[str]:
    text = TERM_TEXTS.get(str(value))
    return [text] if text else []
