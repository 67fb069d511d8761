"""Usage that a commitment can cover: by day from the bill (AWS), or by week as DoiT reports it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from types import MappingProxyType
from typing import Any

from ...api.common_types import Filter
from ...api.errors import ApiError
from ...api.report_config import Metric, QueryConfig
from ...protocol.jsonrpc import JsonObject
from ..call import Call
from ..costs.amounts import ZERO, to_decimal
from ..costs.query_config import COST_METRIC, cost_config
from ..costs.scope import Scope
from ..periods.period import ONE_DAY, Period, last_final_day, last_final_days
from ..report_runs.queries import fetch_query
from ..tables import column_names, complete_rows, row_days
from .aws import AWS, parse_day, parse_decimal
from .purchase_model import UsageSample

USAGE_DAYS = 60
USAGE_WEEKS = 9
"""Number of whole weeks that cover about as many days. DoiT reports daily eligible usage for three weeks only."""
MIN_DAYS, MIN_WEEKS = 14, 4
DAYS_PER_WEEK = 7
HOURS_PER_DAY = 24
MAX_SKUS = 2000
"""Maximum number of SKUs of one query."""
COVERED, ON_DEMAND = "SavingsPlanCoveredUsage", "Usage"
AMORTIZED: Metric = {"type": "extended", "value": "amortized_cost"}
COVERED_SERVICES = MappingProxyType(
    {
        "compute": frozenset({"AmazonEC2", "AWSLambda", "AmazonECS", "AmazonEKS"}),
        "database": frozenset(
            "AmazonRDS AmazonDynamoDB AmazonElastiCache AmazonDocDB AmazonNeptune AmazonMCS AmazonTimestream "
            "AWSDatabaseMigrationSvc".split()
        ),
    }
)
"""The AWS services that each type of Savings Plans covers, by id."""
COMPUTE_USAGE = re.compile(
    r"(?:[A-Z0-9]+-)?(?:(?:BoxUsage|DedicatedUsage|UnusedBox|UnusedDed)(?::.+)?"
    r"|Fargate-(?:(?:ARM|Windows)-)?(?:vCPU-Hours|GB-Hours|OS-Hours)(?::.+)?"
    r"|Lambda-(?:Provisioned-)?(?:GB-Second|Concurrency)(?:-ARM)?)"
)
"""Usage types that Compute Savings Plans cover, after the prefix of a region: EC2 instances except Spot, Fargate except
storage, and the duration of Lambda. See https://aws.amazon.com/savingsplans/compute-pricing/."""
TYPED_SOURCE = (
    "the bill: {skus} SKUs of usage types that Compute Savings Plans cover (EC2 instances except Spot, Fargate, Lambda "
    "duration), or that one covered; daily cost at on-demand rates divided by 24"
)
COVERED_SOURCE = (
    "the bill: SKUs of which Savings Plans covered any usage ({skus}); daily cost at on-demand rates divided by 24"
)


@dataclass(frozen=True, slots=True)
class UsageReading:
    """Eligible usage in dollars per hour at on-demand rates, by *unit* (day or week) of a *period*.

    *on_demand* is the part that no commitment covers; None if only the whole is known. *discount* is that of the
    covered part, from 0 to 1; None if unknown. *source* says where the usage comes from. *lowest_hours* is the usage in
    the lowest hour by unit; empty unless all are known.
    """

    period: Period
    unit: str
    eligible: Sequence[Decimal]
    source: str
    on_demand: Sequence[Decimal] | None = None
    discount: Decimal | None = None
    lowest_hours: Sequence[Decimal] = ()

    @property
    def is_enough(self) -> bool:
        """Whether there is enough usage to estimate from."""
        least = MIN_DAYS if self.unit == "day" else MIN_WEEKS
        return sum(amount > 0 for amount in self.eligible) >= least

    def samples(self, active: Decimal, later: Decimal) -> list[UsageSample]:
        """Return the usage by unit. *active* commitments cover usage first, unless the bill shows what they cover, and
        then the *later* ones, which were not active. Both are in dollars per hour at on-demand rates."""
        left = self.eligible if self.on_demand is None else self.on_demand
        covers = later if self.on_demand is not None else active + later
        rest = [max(amount - covers, ZERO) for amount in left]
        hours: list[Decimal | None] = [max(amount - covers, ZERO) for amount in self.lowest_hours]
        hours = hours or [None] * len(rest)
        return [UsageSample(*levels) for levels in zip(self.eligible, rest, hours, strict=True)]


async def read_billed_usage(call: Call, organization: str, service: str, today: date) -> UsageReading | None:
    """Return the usage of an AWS organization that Savings Plans of a type can cover, by day, from its bill.

    The bill does not state which SKUs are eligible. SKUs count if a Savings Plan covered any of their usage in the
    period or, for compute, if Compute Savings Plans cover their usage type. None if no SKU counts. Raise ApiError.
    """
    period = last_final_days(today, USAGE_DAYS)
    account: Filter = {"type": "fixed", "id": "billing_account_id", "mode": "is", "values": [organization]}
    wanted = [
        account,
        _match_values("cost_type", [ON_DEMAND, COVERED]),
        _match_values("service_id", sorted(COVERED_SERVICES[service])),
    ]
    listed, paid, skus = ZERO, ZERO, set()
    for row in await _query_costs(call, period, "year", wanted, ["sku_id", "cost_type"]):
        sku = str(row.get("sku_id"))
        if row.get("cost_type") == COVERED:
            listed += to_decimal(row.get("cost"))
            paid += to_decimal(row.get("amortized_cost"))
            skus.add(sku)
        elif service == "compute" and COMPUTE_USAGE.fullmatch(sku):
            skus.add(sku)
    if not skus or len(skus) > MAX_SKUS:
        return None
    lines = await _query_costs(call, period, "day", [*wanted, _match_values("sku_id", sorted(skus))], ["cost_type"])
    source = TYPED_SOURCE if service == "compute" else COVERED_SOURCE
    return _sum_by_day(lines, period, 1 - paid / listed if listed > 0 else None, source.format(skus=len(skus)))


def _sum_by_day(
    lines: Iterable[Mapping[str, Any]], period: Period, discount: Decimal | None, source: str
) -> UsageReading:
    eligible: dict[date, Decimal] = {}
    on_demand: dict[date, Decimal] = {}
    for line in lines:
        day, rate = line["date"], to_decimal(line.get("cost")) / HOURS_PER_DAY
        if day is not None and period.first <= day <= period.last:
            eligible[day] = eligible.get(day, ZERO) + rate
            if line.get("cost_type") == ON_DEMAND:
                on_demand[day] = on_demand.get(day, ZERO) + rate
    first = min(eligible, default=period.first)
    days = [first + count * ONE_DAY for count in range((period.last - first).days + 1)]
    return UsageReading(
        Period(first, period.last),
        "day",
        [eligible.get(day, ZERO) for day in days],
        source,
        [on_demand.get(day, ZERO) for day in days],
        discount,
    )


def read_reported_weeks(points: Any, today: date) -> UsageReading | None:
    """Return the last whole weeks of eligibleUsage, as the API returns it by week; None without any."""
    final = last_final_day(today)
    weeks = sorted(
        (day, usage, parse_decimal(point.get("minUsage")))
        for point in (points if isinstance(points, list) else ())
        if isinstance(point, dict)
        and (day := parse_day(point.get("usageTime"))) is not None
        and (usage := parse_decimal(point.get("medianUsage"))) is not None
        and day + (DAYS_PER_WEEK - 1) * ONE_DAY <= final
    )[-USAGE_WEEKS:]
    if not weeks:
        return None
    lowest = [least for *_, least in weeks if least is not None]
    return UsageReading(
        Period(weeks[0][0], weeks[-1][0] + (DAYS_PER_WEEK - 1) * ONE_DAY),
        "week",
        [usage for _, usage, _ in weeks],
        "DoiT's eligible usage, the median hour of each week at on-demand rates",
        lowest_hours=lowest if len(lowest) == len(weeks) else (),
    )


def _match_values(dimension: str, values: list[str]) -> Filter:
    return {"type": "fixed", "id": dimension, "mode": "is", "values": values}


async def _query_costs(
    call: Call, period: Period, interval: Any, filters: Sequence[Filter], columns: Sequence[str]
) -> list[JsonObject]:
    """Return the cost of AWS by *columns* as rows by column name, with the day of each as ``date``. Raise ApiError."""
    config: QueryConfig = cost_config(
        Scope(AWS, tuple(filters)), period, "USD", interval=interval, metrics=(COST_METRIC, AMORTIZED)
    )
    config["group"] = [{"id": name, "type": "fixed"} for name in columns]
    answer = await fetch_query(call, config)
    names = column_names(answer)
    if not {"cost", "amortized_cost", *columns} <= set(names):
        raise ApiError("the result has no columns for the usage", kind="answer")
    days: Sequence[date | None] = row_days(answer) if interval == "day" else []
    rows = [dict(zip(names, row, strict=True)) for row in complete_rows(answer)]
    return [row | {"date": day} for row, day in zip(rows, days, strict=True)] if days else rows
