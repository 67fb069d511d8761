"""Planned purchases of commitments: the next step of a plan."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from ...api import Doit
from ...api.pagination import iterate_rows
from ...protocol.jsonrpc import JsonObject
from ..costs.amounts import ZERO
from .account_names import ROWS_PER_REQUEST
from .aws import parse_amount, parse_day


@dataclass(frozen=True, slots=True)
class PlannedStep:
    """One purchase of commitments that DoiT has planned; *approval* is pending_approval, approved or paused.

    It is step *number* of *count*, which together commit *target_hourly* and save *target_monthly_savings*.
    """

    account: str
    service: str
    scheduled_on: date
    hourly: Decimal
    monthly_savings: Decimal
    approval: str
    number: int
    count: int
    target_hourly: Decimal
    target_monthly_savings: Decimal
    region: str = ""


async def read_planned_steps(doit: Doit, organization: str, today: date) -> list[PlannedStep]:
    """Return the steps of an AWS organization's plans that are due today or later."""
    method = doit.aws_commitments.list_aws_planned_purchases
    rows = iterate_rows(method, managementAccountId=organization, maxResults=ROWS_PER_REQUEST)
    return [step async for row in rows for step in parse_steps(organization, row) if step.scheduled_on >= today]


def parse_steps(account: str, plan: JsonObject) -> Iterator[PlannedStep]:
    """Yield the steps of a plan that is valid, the earliest first."""
    listed: Any = plan.get("steps")
    days = [
        (day, step)
        for step in (listed if isinstance(listed, list) and plan.get("status") == "valid" else ())
        if isinstance(step, dict) and (day := parse_day(step.get("scheduledDate"))) is not None
    ]
    dated = sorted(days, key=lambda pair: pair[0])
    hourly = [parse_amount(step.get("purchaseAmount")) for _, step in dated]
    savings = [parse_amount(step.get("estimatedSavings")) for _, step in dated]
    for at, (scheduled_on, _) in enumerate(dated):
        yield PlannedStep(
            account,
            str(plan.get("service") or ""),
            scheduled_on,
            hourly[at],
            savings[at],
            str(plan.get("purchaseApprovalStatus") or ""),
            at + 1,
            len(dated),
            sum(hourly, ZERO),
            sum(savings, ZERO),
            str(plan.get("region") or ""),
        )


def find_next_purchase(steps: Iterable[PlannedStep]) -> PlannedStep | None:
    """Return the earliest step; if several are on one day, the one that saves the most; None without any."""
    return min(steps, key=lambda step: (step.scheduled_on, -step.monthly_savings, step.service), default=None)
