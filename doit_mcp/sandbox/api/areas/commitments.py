"""Commitment manager: /analytics/v1/commitment-manager, what the customer promised its clouds to spend."""

from __future__ import annotations

from collections.abc import Iterator

from aiohttp import web

from .. import listing
from ..costs.calendar_days import millis_of, months_on, rfc3339, seconds_of, start_of, today_of
from ..costs.ledger import Ledger
from ..costs.money import amount
from ..responses import JsonObject, answer
from ..routes import Route
from ..seeds.customer_account import NAMES
from ..tenants import Ask, Tenant, existing

SORTS = ("name", "startDate", "endDate", "provider", "createTime", "updateTime")
YEARS = 2  # of a commitment, a period each
PAST = 11  # months since it began: the lines reach farther back
MARKETPLACE = 25  # percent of a period's commitment that purchases in the marketplace may make up
STEP = 10_000  # dollars that promises are rounded to


def spend(ledger: Ledger) -> dict[str, dict[int, int]]:
    """Micro-dollars of each cloud by the day."""
    found: dict[str, dict[int, int]] = {}
    for provider, day, cost, *_ in ledger.sums(("cloud_provider", "day_start"), ledger.first, ledger.last):
        found.setdefault(str(provider), {})[int(day or 0)] = int(cost or 0)
    return found


async def list_commitments(ask: Ask) -> web.Response:
    """GET /analytics/v1/commitment-manager."""
    criteria = listing.filters(ask.query.get("filter", ""), ("name", "provider"))
    found = listing.matching(list(_current(ask).values()), criteria, lambda one, key: str(_read(one, key)))
    found = listing.ordered(ask.query, found, SORTS, _read)
    page = listing.page(found, ask.query.get("pageToken", ""), ask.page_size(), scope=ask.scope)
    return answer(ask.listed("commitments", page))


async def get_commitment(ask: Ask) -> web.Response:
    """GET /analytics/v1/commitment-manager/{id}."""
    return answer(existing(_current(ask), ask.part("id"), "commitment"))


def _read(commitment: JsonObject, key: str) -> str | int:
    found: str | int = commitment["cloudProvider" if key == "provider" else key]
    return found


def _current(ask: Ask) -> dict[str, JsonObject]:
    return {one["id"]: one for one in _commitments(ask.tenant, ask.today)}


def _commitments(tenant: Tenant, today: int) -> Iterator[JsonObject]:
    """One for each cloud: promised when the world began, attained and forecast by the lines up to today."""
    first = months_on(start_of("month", today_of(tenant.born)), -PAST)
    for provider, daily in sorted(tenant.reckoned(spend).items()):
        before = [cost for day, cost in daily.items() if first <= day < today_of(tenant.born)]
        yearly = sum(before) * 365 // max(len(before), 1)
        spent = sum(cost for day, cost in daily.items() if day >= first)
        rate = spent // max(today - first + 1, 1)
        promised = max(STEP, round(amount(yearly) * 1.05 / STEP) * STEP)
        periods = [_period(first, year, promised, rate) for year in range(YEARS)]
        created = millis_of(first - 30)
        yield {
            "id": tenant.stable_id("commitment", provider),
            "name": f"{NAMES[provider]} commitment",
            "startDate": periods[0]["startDate"],
            "endDate": periods[-1]["endDate"],
            "currency": "USD",
            "cloudProvider": provider,
            "totalCommitmentValue": promised * YEARS,
            "totalCurrentAttainment": amount(spent),
            "totalMarketplaceSpend": 0,
            "totalForecastValue": round(sum(one["forecastValue"] for one in periods), 2),
            "periods": periods,
            "createTime": created,
            "updateTime": created,
        }


def _period(first: int, year: int, promised: int, rate: int) -> JsonObject:
    start, end = months_on(first, 12 * year), months_on(first, 12 * (year + 1))
    return {
        "startDate": rfc3339(seconds_of(start)),
        "endDate": rfc3339(seconds_of(end)),
        "commitmentValue": promised,
        "marketplaceLimitPercentage": MARKETPLACE,
        "marketplaceSpend": 0,
        "marketplaceLimitAmount": promised * MARKETPLACE / 100,
        "forecastValue": amount(rate * (end - start)),
    }


ROUTES = (
    Route("GET", "/analytics/v1/commitment-manager", list_commitments, "costs.read"),
    Route("GET", "/analytics/v1/commitment-manager/{id}", get_commitment, "costs.read"),
)
