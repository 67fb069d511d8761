"""PerfectScale for Commitments: /ps4commitments/v1/gcp, billing accounts and settings.

Savings are computed from the billing lines (costs.google_commitments); commitments, purchases and recommendations are in
google_commitment_purchases.
"""

from __future__ import annotations

import re
from functools import partial

from aiohttp import web

from ..commitment_plans import decimal_money, format_day
from ..costs.calendar_days import format_rfc3339, parse_instant, start_of
from ..costs.google_commitments import COMPUTE, GoogleCommitments, measure_google_commitments
from ..costs.money import MICRO
from ..responses import JsonObject, bad_request, json_response
from ..routes import Route
from ..seeds.google_commitments import seed_billing_accounts, seed_preferences
from ..tenants import ApiRequest, Records, get_existing
from .perfect_scale import STATS_DAYS, SYNC_SECONDS, effective_savings_rate, monthly_stats, page_response

ACCOUNTS_PATH = "/ps4commitments/v1/gcp/billing-accounts"
ACCOUNT_PATH = ACCOUNTS_PATH + "/{billingAccountId}"
ACCOUNT_PATTERN = re.compile(r"[A-Z0-9]{6}(-[A-Z0-9]{6}){2}", re.ASCII)
SPEND_KINDS = (
    "computeFlexible cloudRun bigQuery bigtable cloudFirestore cloudSpanner memorystoreForRedis alloyDb backupForOracle"
    " kafka"
).split()
"""Kinds of spend-based commitments. They cost nothing, because no billing line has their fees."""


def billing_account_records(request: ApiRequest) -> Records:
    """The tenant's billing accounts by id."""
    return request.tenant.collection("gcp billing accounts", seed_billing_accounts)


def get_account_record(request: ApiRequest) -> JsonObject:
    """The billing account in the path; 400 for an invalid id, 404 if it does not exist."""
    number = request.path_parameter("billingAccountId")
    if not ACCOUNT_PATTERN.fullmatch(number):
        raise bad_request("billingAccountId must be three groups of 6 characters", field="billingAccountId")
    return get_existing(billing_account_records(request), number, "billing account")


def onboarded_services(account: JsonObject) -> list[str]:
    """The onboarded services."""
    return [service for service, item in account["onboarding"].items() if item["status"] == "done"]


def measure_spend(request: ApiRequest) -> GoogleCommitments:
    """The eligible spend of all billing accounts, measured once."""
    return request.tenant.compute_cached(measure_google_commitments)


def preference_records(request: ApiRequest) -> Records:
    """The settings by "account service region"."""
    return request.tenant.collection("gcp commitment preferences", seed_preferences)


async def list_accounts(request: ApiRequest) -> web.Response:
    """GET /ps4commitments/v1/gcp/billing-accounts."""
    rows = [_serialize_account(request, item) for item in billing_account_records(request).values()]
    return page_response(request, rows, "billingAccountId")


async def get_account(request: ApiRequest) -> web.Response:
    """GET …/billing-accounts/{billingAccountId}, with monthly and daily statistics."""
    account = get_account_record(request)
    services = onboarded_services(account)
    series = {
        "monthlyStats": [
            {
                "service": item,
                "months": monthly_stats(request, partial(measure_spend(request).total, account["id"], item)),
            }
            for item in services
        ],
        "dailyCoverage": [{"service": item, "days": _list_days(request, account["id"], item)} for item in services],
    }
    return json_response(_serialize_account(request, account) | series)


async def list_settings(request: ApiRequest) -> web.Response:
    """GET /ps4commitments/v1/gcp/settings: an item for each billing account."""
    rows = []
    for account in billing_account_records(request).values():
        keys = [(key, *key.split()) for key in preference_records(request) if key.startswith(f"{account['id']} ")]
        services = [
            {"service": service, "region": api_region(region), "settings": preference_records(request)[key]["settings"]}
            for key, _, service, region in keys
            if service in onboarded_services(account)
        ]
        rows.append({"billingAccountId": account["id"], "services": services})
    return page_response(request, rows, "billingAccountId")


def api_region(region: str) -> str:
    """A region as queries and settings name it: us_east1 for us-east1."""
    return region.replace("-", "_")


def _serialize_account(request: ApiRequest, account: JsonObject) -> JsonObject:
    services = onboarded_services(account)
    return {
        "billingAccountId": account["id"],
        "displayName": account["name"],
        "currency": request.tenant.customer.currency,
        "onboardingStatus": [{"service": name, **item} for name, item in account["onboarding"].items()],
        "cudExportHealthy": True,
        "commitmentsSyncTime": format_rfc3339(request.now - request.now % SYNC_SECONDS),
        "stats30d": [{"service": item, **_scope_stats(request, account["id"], item)} for item in services],
        "savingsTotals": [{"service": item, **_sum_savings(request, account, item)} for item in services],
    }


def _scope_stats(request: ApiRequest, account: str, service: str) -> JsonObject:
    spend = measure_spend(request).total(account, service, request.today - STATS_DAYS, request.today - 1)
    return {"esr": effective_savings_rate(spend), "savings": decimal_money(spend.savings / MICRO)}


def _sum_savings(request: ApiRequest, account: JsonObject, service: str) -> JsonObject:
    """Savings of this year and in total, since the account was onboarded."""
    onboarded = parse_instant(account["onboarding"][service]["onboardingStartedAt"])
    starts = {"ytd": max(onboarded, start_of("year", request.today)), "lifetime": onboarded}
    return {
        name: decimal_money(measure_spend(request).total(account["id"], service, first, request.today).savings / MICRO)
        for name, first in starts.items()
    }


def _list_days(request: ApiRequest, account: str, service: str) -> list[JsonObject]:
    """The last complete days: costs by kind of commitment."""
    days = []
    spends = measure_spend(request).daily(account, service, request.today - STATS_DAYS, request.today - 1)
    for day, spend in spends.items():
        kinds = (
            {**dict.fromkeys(SPEND_KINDS, 0.0), "resourceBased": spend.fees / MICRO}
            if service == COMPUTE
            else {"cloudSql": 0.0}
        )
        kinds["onDemand"] = spend.on_demand / MICRO
        days.append({"date": format_day(day), **{name: decimal_money(cost) for name, cost in kinds.items()}})
    return days


ROUTES = (
    Route("GET", ACCOUNTS_PATH, list_accounts, "costs.read"),
    Route("GET", ACCOUNT_PATH, get_account, "costs.read"),
    Route("GET", "/ps4commitments/v1/gcp/settings", list_settings, "settings.read"),
)
