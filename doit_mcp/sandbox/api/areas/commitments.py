"""Commitment manager: /analytics/v1/commitment-manager, spend commitments to cloud providers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from aiohttp import web

from .. import listing
from ..costs.calendar_days import add_months, day_of_seconds, format_rfc3339, milliseconds_of, seconds_of, start_of
from ..costs.ledger import Ledger
from ..costs.money import to_amount
from ..responses import JsonObject, json_response
from ..routes import Route
from ..seeds.customer_account import CLOUD_NAMES
from ..tenants import ApiRequest, Tenant, get_existing

SORTS = ("name", "startDate", "endDate", "provider", "createTime", "updateTime")
TERM_YEARS = 2  # one period per year
MONTHS_SINCE_START = 11  # within the history of the billing lines
MARKETPLACE_PERCENT = 25  # of a period's commitment that marketplace purchases can count for
ROUNDING_DOLLARS = 10_000  # commitments are rounded to this amount


def daily_cloud_spend(ledger: Ledger) -> dict[str, dict[int, int]]:
    """Micro-dollars of each cloud by day."""
    spend: dict[str, dict[int, int]] = {}
    for provider, day, cost, *_ in ledger.sums(("cloud_provider", "day_start"), ledger.first, ledger.last):
        spend.setdefault(str(provider), {})[int(day or 0)] = int(cost or 0)
    return spend


def daily_marketplace_spend(ledger: Ledger) -> dict[str, dict[int, int]]:
    """Micro-dollars of marketplace purchases in each cloud by day."""
    spend: dict[str, dict[int, int]] = {}
    columns = ("cloud_provider", "sku_description", "day_start")
    for provider, sku, day, cost, *_ in ledger.sums(columns, ledger.first, ledger.last):
        if "Marketplace" in str(sku):
            own = spend.setdefault(str(provider), {})
            own[int(day or 0)] = own.get(int(day or 0), 0) + int(cost or 0)
    return spend


async def list_commitments(request: ApiRequest) -> web.Response:
    """GET /analytics/v1/commitment-manager."""
    criteria = listing.parse_filter(
        request.query.get("filter", ""), ("name", "provider", "cloudProvider"), repeatable=False
    )
    commitments = listing.filter_rows(
        list(_current_commitments(request).values()), criteria, lambda item, key: str(_field_value(item, key))
    )
    commitments = listing.sort_rows(request.query, commitments, SORTS, _field_value)
    page = request.paginate(commitments)
    return json_response(request.list_body("commitments", page))


async def get_commitment(request: ApiRequest) -> web.Response:
    """GET /analytics/v1/commitment-manager/{id}."""
    return json_response(get_existing(_current_commitments(request), request.path_parameter("id"), "commitment"))


def _field_value(commitment: JsonObject, key: str) -> str | int:
    value: str | int = commitment["cloudProvider" if key == "provider" else key]
    return value


def _current_commitments(request: ApiRequest) -> dict[str, JsonObject]:
    return {item["id"]: item for item in _make_commitments(request.tenant, request.today)}


def _make_commitments(tenant: Tenant, today: int) -> Iterator[JsonObject]:
    """One commitment per cloud, fixed when the sandbox starts; attainment and forecast follow the lines up to today."""
    first = add_months(start_of("month", day_of_seconds(tenant.started_at)), -MONTHS_SINCE_START)
    marketplace = tenant.compute_cached(daily_marketplace_spend)
    for provider, daily in sorted(tenant.compute_cached(daily_cloud_spend).items()):
        purchases = marketplace.get(provider, {})
        daily_costs = [cost for day, cost in daily.items() if first <= day < day_of_seconds(tenant.started_at)]
        yearly = sum(daily_costs) * 365 // max(len(daily_costs), 1)
        spent = sum(cost for day, cost in daily.items() if day >= first)
        rate = spent // max(today - first + 1, 1)
        commitment = max(ROUNDING_DOLLARS, round(to_amount(yearly) * 1.05 / ROUNDING_DOLLARS) * ROUNDING_DOLLARS)
        periods = [_make_period(first, year, commitment, rate, purchases) for year in range(TERM_YEARS)]
        created = milliseconds_of(first - 30)
        yield {
            "id": tenant.stable_id("commitment", provider),
            "name": f"{CLOUD_NAMES[provider]} commitment",
            "startDate": periods[0]["startDate"],
            "endDate": periods[-1]["endDate"],
            "currency": "USD",
            "cloudProvider": provider,
            "totalCommitmentValue": commitment * TERM_YEARS,
            "totalCurrentAttainment": to_amount(spent),
            "totalMarketplaceSpend": round(sum(item["marketplaceSpend"] for item in periods), 2),
            "totalForecastValue": round(sum(item["forecastValue"] for item in periods), 2),
            "periods": periods,
            "createTime": created,
            "updateTime": created,
        }


def _make_period(first: int, year: int, promised: int, rate: int, purchases: Mapping[int, int]) -> JsonObject:
    start, end = add_months(first, 12 * year), add_months(first, 12 * (year + 1))
    return {
        "startDate": format_rfc3339(seconds_of(start)),
        "endDate": format_rfc3339(seconds_of(end)),
        "commitmentValue": promised,
        "marketplaceLimitPercentage": MARKETPLACE_PERCENT,
        "marketplaceSpend": to_amount(sum(cost for day, cost in purchases.items() if start <= day < end)),
        "marketplaceLimitAmount": promised * MARKETPLACE_PERCENT / 100,
        "forecastValue": to_amount(rate * (end - start)),
    }


ROUTES = (
    Route("GET", "/analytics/v1/commitment-manager", list_commitments, "costs.read"),
    Route("GET", "/analytics/v1/commitment-manager/{id}", get_commitment, "costs.read"),
)
