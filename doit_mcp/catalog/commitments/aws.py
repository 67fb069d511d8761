"""AWS commitments: active Savings Plans and Reserved Instances with their use, and how much more to commit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any, Literal, NamedTuple

from ...api import Doit
from ...api.errors import ApiError
from ...api.pagination import iterate_rows
from ...protocol.json_schema import short_json
from ...protocol.jsonrpc import JsonObject
from ..call import Call
from ..costs.amounts import MAX_AMOUNT, MIN_AMOUNT
from .account_names import ROWS_PER_REQUEST, read_account_names

AWS = "amazon-web-services"
HOURS_PER_MONTH = Decimal(730)
"""365 days of 24 hours, divided by 12: the factor from amounts per hour to amounts per month."""
PER_MONTH = f"per month of {HOURS_PER_MONTH} hours (365/12 days)"
"""The name of that month in results. It is the same for all amounts per month."""
ORGANIZATIONS_FACT = "aws organizations"
MAX_ORGANIZATIONS = 50
"""Maximum number of AWS organizations of one answer, because each needs several requests."""
MAX_CONCURRENT_REQUESTS = 8
"""Maximum number of concurrent requests about organizations."""
READ_SECONDS = 20.0
"""Time limit of the requests about all organizations together."""
SECONDS_PER_HOUR = 3600
PLACE_WORDS = {"region": " in", "accountId": ", account"}
TERM_NAMES = {"one_year": "1 year", "three_year": "3 years"}
PLAN_NAMES = {
    "compute": "Compute Savings Plan",
    "ec2_instance": "EC2 Instance Savings Plan",
    "sagemaker": "SageMaker Savings Plan",
    "database": "Database Savings Plan",
}


class OwnedCommitment(NamedTuple):
    """An active Savings Plan, Reserved Instance, or committed use discount of Google Cloud.

    *hourly_cost* is what it costs per hour whether it is used or not, including upfront payments; None if the API does
    not state its price. *utilization* is the used share, from 0 to 1; None if the cloud has not reported it yet.
    Amounts are in US dollars.
    """

    kind: Literal["savings-plan", "reserved-instance", "spend-cud", "resource-cud"]
    cloud_id: str
    title: str
    hourly_cost: Decimal | None
    utilization: Decimal | None
    ends: date | None

    @property
    def id(self) -> str:
        """An id within the customer."""
        return f"{self.kind}:{self.cloud_id}"

    @property
    def unused_per_month(self) -> Decimal | None:
        """What the unused share costs in an average month; None if the utilization or the price is unknown."""
        if self.utilization is None or self.hourly_cost is None:
            return None
        return self.hourly_cost * HOURS_PER_MONTH * (1 - self.utilization)


class RecommendedPurchase(NamedTuple):
    """How much more to commit to one type of Savings Plans, or of committed use discounts in a region, and what that
    saves per month. *account* is the AWS organization or Google Cloud billing account."""

    account: str
    service: str
    hourly_increase: Decimal
    monthly_savings: Decimal
    cloud: str = AWS
    region: str = ""

    @property
    def id(self) -> str:
        """An id within the customer."""
        return "/".join(filter(None, (f"purchase:{self.account}", self.service, self.region)))


async def list_organizations(call: Call) -> dict[str, str]:
    """Return the names of the customer's AWS organizations in PerfectScale for Commitments by id, and cache them."""
    method = call.doit.aws_commitments.list_aws_organizations
    return await read_account_names(call, ORGANIZATIONS_FACT, method, "managementAccountId")


async def read_savings_plans(doit: Doit, organization: str) -> list[OwnedCommitment]:
    """Return the active Savings Plans of an AWS organization."""
    method = doit.aws_commitments.list_aws_savings_plans
    rows = iterate_rows(method, managementAccountId=organization, status="active", maxResults=ROWS_PER_REQUEST)
    return [parse_savings_plan(row) async for row in rows]


async def read_reserved_instances(doit: Doit, organization: str) -> list[OwnedCommitment]:
    """Return the active Reserved Instances of an AWS organization."""
    method = doit.aws_commitments.list_aws_reserved_instances
    rows = iterate_rows(method, managementAccountId=organization, status="active", maxResults=ROWS_PER_REQUEST)
    return [parse_reserved_instance(row) async for row in rows]


async def read_recommended_purchases(doit: Doit, organization: str) -> list[RecommendedPurchase]:
    """Return how much more to commit in an AWS organization, by type, without types that need no more."""
    answer = await doit.aws_commitments.list_aws_recommendations(managementAccountId=organization)
    return list(parse_recommendations(organization, answer))


def parse_savings_plan(row: JsonObject) -> OwnedCommitment:
    """Return a row of list_aws_savings_plans."""
    hourly = parse_amount(row.get("commitment"))
    kind = str(row.get("savingsPlanType") or "")
    term = TERM_NAMES.get(str(row.get("termDuration")), "")
    parts = [PLAN_NAMES.get(kind, "Savings Plan"), *([term] if term else []), f"${hourly:,.2f} per hour"]
    return OwnedCommitment(
        "savings-plan",
        str(row.get("commitmentId") or ""),
        ", ".join(parts),
        hourly,
        parse_share(row.get("lastMonthUtilization")),
        parse_last_day(row.get("endTime")),
    )


def parse_reserved_instance(row: JsonObject) -> OwnedCommitment:
    """Return a row of list_aws_reserved_instances."""
    count = parse_count(row.get("instanceCount")) or 1
    noun = "Reserved Instance" if count == 1 else "Reserved Instances"
    place = "".join(f"{text} {row[name]}" for name, text in PLACE_WORDS.items() if row.get(name))
    return OwnedCommitment(
        "reserved-instance",
        str(row.get("commitmentId") or ""),
        f"{count} {row.get('instanceType') or ''} {noun}{place}",
        count * _hourly_cost_per_instance(row),
        parse_share(row.get("utilizationPercentage")),
        parse_last_day(row.get("endTime")),
    )


def _hourly_cost_per_instance(row: JsonObject) -> Decimal:
    unused_hours, unused_cost = parse_decimal(row.get("unusedHours")), parse_amount(row.get("riCostForUnusedHours"))
    if unused_hours and unused_cost:
        # More exact than the hourly fee, which is rounded to cents.
        return unused_cost / unused_hours
    seconds = parse_count(row.get("durationSeconds"))
    upfront = parse_amount(row.get("upfrontFee"))
    spread = upfront * SECONDS_PER_HOUR / seconds if upfront and seconds else Decimal(0)
    return parse_amount(row.get("hourlyRecurringFee")) + spread


def parse_recommendations(organization: str, answer: JsonObject) -> Iterator[RecommendedPurchase]:
    """Yield the purchases that a response of list_aws_recommendations recommends."""
    for service, advice in answer.items():
        found = parse_recommendation(organization, service, advice) if isinstance(advice, Mapping) else None
        if found is not None:
            yield found


def parse_recommendation(
    account: str, service: str, advice: Mapping[str, Any], cloud: str = AWS, region: str = ""
) -> RecommendedPurchase | None:
    """Return the purchase of a recommendation; None if it saves nothing."""
    current, recommended, savings = (
        parse_decimal(advice.get(name)) or Decimal(0)
        for name in ("currentCommitment", "recommendedCommitment", "potentialAdditionalSavings")
    )
    if savings <= 0:
        return None
    return RecommendedPurchase(account, service, recommended - current, savings, cloud, region)


def parse_amount(money: Any) -> Decimal:
    """Return the amount of an object {amount, currency}; 0 without one."""
    value = parse_decimal(money.get("amount")) if isinstance(money, Mapping) else None
    return Decimal(0) if value is None else value


def parse_share(value: Any) -> Decimal | None:
    """Return a share between 0 and 1; None if it is missing."""
    share = parse_decimal(value)
    return None if share is None else min(max(share, Decimal(0)), Decimal(1))


def parse_decimal(value: Any) -> Decimal | None:
    """Return a number, or a text with a number, as a finite decimal; None for anything else.

    Raise ApiError for an implausible number.
    """
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        return None
    if not number.is_finite():
        return None
    if abs(number) > MAX_AMOUNT:
        raise ApiError(f"{short_json(value)} in the response is not a plausible number", kind="answer")
    return number if abs(number) >= MIN_AMOUNT else Decimal(0)


def parse_count(value: Any) -> int | None:
    """Return a positive whole number, or a text with one; None without one. Raise ApiError for anything else."""
    if value in (None, 0, ""):
        return None
    number = parse_decimal(value)
    if number is None or number <= 0 or number != number.to_integral_value():
        raise ApiError(f"{short_json(value)} in the response is not a count", kind="answer")
    return int(number)


def parse_last_day(value: Any) -> date | None:
    """Return the last day of a term that ends at an RFC 3339 time; None without one.

    An end at midnight is the start of the first day after the term.
    """
    text = str(value or "")
    day = parse_day(text)
    if day is None or day == date.min or text[11:19] != "00:00:00":
        return day
    return day - timedelta(days=1)


def parse_day(value: Any) -> date | None:
    """Return the day of an RFC 3339 time; None without one."""
    try:
        return date.fromisoformat(str(value)[:10]) if value else None
    except ValueError:
        return None
