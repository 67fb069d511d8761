"""PerfectScale for Commitments: /ps4commitments, AWS organizations, accounts and settings.

Savings are computed from the billing lines (costs.coverage), net of unused fees; purchases and recommendations are in
perfect_scale_purchases.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from functools import partial

from aiohttp import web

from ..commitment_plans import aws_preference, decimal_money, format_day, potential_savings
from ..costs.calendar_days import add_months, format_rfc3339, parse_instant, start_of
from ..costs.coverage import Coverage, MemberAccount, Spend, measure_coverage
from ..costs.google_commitments import CommittedSpend
from ..costs.money import MICRO
from ..responses import JsonObject, bad_request, json_response
from ..routes import Route
from ..seeds.perfect_scale import seed_organizations
from ..tenants import ApiRequest, Records, get_existing

ORGANIZATIONS_PATH = "/ps4commitments/v1/aws/organizations"
ORGANIZATION_PATH = ORGANIZATIONS_PATH + "/{managementAccountId}"
ACCOUNT_PATTERN = re.compile(r"\d{12}", re.ASCII)
STATS_DAYS, SHARE_DAYS, STATS_MONTHS = 30, 60, 6
SYNC_SECONDS = 3600  # between syncs with AWS


def organization_records(request: ApiRequest) -> Records:
    """The tenant's organizations by management account."""
    return request.tenant.collection("aws organizations", seed_organizations)


def get_organization_record(request: ApiRequest) -> JsonObject:
    """The organization in the path; 400 for an invalid account number, 404 if it does not exist."""
    return get_existing(
        organization_records(request), path_account_number(request, "managementAccountId"), "AWS organization"
    )


def path_account_number(request: ApiRequest, name: str) -> str:
    """An account number in the path; 400 if it is invalid."""
    number = request.path_parameter(name)
    if not ACCOUNT_PATTERN.fullmatch(number):
        raise bad_request(f"{name} must be 12 digits", field=name)
    return number


def onboarded_services(organization: JsonObject) -> list[str]:
    """The onboarded types of commitment."""
    return [service for service, item in organization["onboarding"].items() if item["status"] == "done"]


def page_response(request: ApiRequest, rows: Sequence[JsonObject], key: str) -> web.Response:
    """A page of rows; its token is valid only for the same query."""
    query = sorted((name, value) for name, value in request.query.items() if name not in ("pageToken", "maxResults"))
    page = request.paginate(rows, 50, 500, scope=f"{request.scope} {query}", key=key)
    return json_response({"items": page.rows, "pageToken": page.token, "rowCount": len(page.rows)})


async def list_organizations(request: ApiRequest) -> web.Response:
    """GET /ps4commitments/v1/aws/organizations."""
    return page_response(
        request,
        [_serialize_organization(request, item) for item in organization_records(request).values()],
        "managementAccountId",
    )


async def get_organization(request: ApiRequest) -> web.Response:
    """GET …/organizations/{managementAccountId}, with monthly and daily statistics."""
    organization = get_organization_record(request)
    members = [item.id for item in _read_coverage(request).members(organization["id"])]
    return json_response(_serialize_organization(request, organization) | _time_series(request, organization, members))


async def list_members(request: ApiRequest) -> web.Response:
    """GET …/member-accounts, by number."""
    organization = get_organization_record(request)
    rows = [
        _serialize_member(request, organization, item) for item in _read_coverage(request).members(organization["id"])
    ]
    return page_response(request, rows, "memberAccountId")


async def get_member(request: ApiRequest) -> web.Response:
    """GET …/member-accounts/{memberAccountId}, with monthly and daily statistics."""
    organization = get_organization_record(request)
    accounts: dict[str, JsonObject] = {
        item.id: _serialize_member(request, organization, item)
        for item in _read_coverage(request).members(organization["id"])
    }
    member = get_existing(accounts, path_account_number(request, "memberAccountId"), "member account")
    member_ids = [member["memberAccountId"]]
    totals = {"savingsTotals": _sum_savings(request, organization, member_ids)}
    return json_response(member | _time_series(request, organization, member_ids) | totals)


async def list_settings(request: ApiRequest) -> web.Response:
    """GET /ps4commitments/v1/aws/settings: an item for each onboarded organization."""
    rows = [
        {
            "managementAccountId": item["id"],
            "purchaseAccountId": item["purchaseAccountId"],
            "services": [
                {"service": service, "settings": aws_preference(request, item["id"], service)["settings"]}
                for service in onboarded_services(item)
            ],
        }
        for item in organization_records(request).values()
        if onboarded_services(item)
    ]
    return page_response(request, rows, "managementAccountId")


def _read_coverage(request: ApiRequest) -> Coverage:
    return request.tenant.compute_cached(measure_coverage)


def _serialize_organization(request: ApiRequest, organization: JsonObject) -> JsonObject:
    members = [item.id for item in _read_coverage(request).members(organization["id"])]
    return {
        "managementAccountId": organization["id"],
        "displayName": organization["name"],
        "onboardingStatus": organization["onboarding"],
        "savingsPlansSyncTime": format_rfc3339(request.now - request.now % SYNC_SECONDS),
        "stats30d": _account_stats(request, organization, members),
        "savingsTotals": _sum_savings(request, organization, members),
        "monthlyPotentialSavings": {
            service: decimal_money(potential_savings(request, organization["id"], service))
            for service in onboarded_services(organization)
        },
    }


def _serialize_member(request: ApiRequest, organization: JsonObject, account: MemberAccount) -> JsonObject:
    return {
        "memberAccountId": account.id,
        "managementAccountId": organization["id"],
        "displayName": account.name,
        "stats30d": _account_stats(request, organization, [account.id]),
        "monthlyPotentialSavings": {
            service: decimal_money(
                potential_savings(request, organization["id"], service)
                * _on_demand_share(request, organization, account, service)
            )
            for service in onboarded_services(organization)
        },
    }


def _on_demand_share(request: ApiRequest, organization: JsonObject, account: MemberAccount, service: str) -> float:
    """An account's share of the organization's remaining on-demand cost."""
    coverage, first = _read_coverage(request), request.today - SHARE_DAYS
    members = [item.id for item in coverage.members(organization["id"])]
    total = coverage.total(service, members, first, request.today - 1).on_demand
    return coverage.total(service, [account.id], first, request.today - 1).on_demand / total if total else 0.0


def _account_stats(request: ApiRequest, organization: JsonObject, accounts: Collection[str]) -> JsonObject:
    stats = {}
    for service in onboarded_services(organization):
        spend = _read_coverage(request).total(service, accounts, request.today - STATS_DAYS, request.today - 1)
        stats[service] = {"esr": effective_savings_rate(spend), "savings": decimal_money(spend.savings / MICRO)}
    return stats


def _sum_savings(request: ApiRequest, organization: JsonObject, accounts: Collection[str]) -> JsonObject:
    """Savings of this year and in total, since the organization was onboarded."""
    totals = {}
    for service in onboarded_services(organization):
        onboarded = parse_instant(organization["onboarding"][service]["onboardingStartedAt"])
        ytd, lifetime = (
            _read_coverage(request).total(service, accounts, first, request.today).savings
            for first in (max(onboarded, start_of("year", request.today)), onboarded)
        )
        totals[service] = {"ytd": decimal_money(ytd / MICRO), "lifetime": decimal_money(lifetime / MICRO)}
    return totals


def _time_series(request: ApiRequest, organization: JsonObject, accounts: Collection[str]) -> JsonObject:
    services = onboarded_services(organization)
    return {
        "monthlyStats": {
            service: monthly_stats(request, partial(_read_coverage(request).total, service, accounts))
            for service in services
        },
        "dailyCoverage": {service: _daily_coverage(request, service, accounts) for service in services},
    }


def monthly_stats(request: ApiRequest, total: Callable[[int, int], Spend | CommittedSpend]) -> list[JsonObject]:
    """The last months, including the current one so far. *total* returns the spend from one day to another."""
    current_month = start_of("month", request.today)
    months = []
    for back in range(STATS_MONTHS - 1, -1, -1):
        first = add_months(current_month, -back)
        spend = total(first, add_months(first, 1) - 1)
        months.append(
            {
                "month": format_day(first)[:7],
                "esr": effective_savings_rate(spend) or 0.0,
                "onDemandCost": decimal_money(spend.list_cost / MICRO),
                "costWithSavings": decimal_money(spend.cost / MICRO),
            }
        )
    return months


def _daily_coverage(request: ApiRequest, service: str, accounts: Collection[str]) -> list[JsonObject]:
    """The last complete days: costs by kind, unused fees included; kinds without cost are left out."""
    days = []
    for day, spend in (
        _read_coverage(request).daily(service, accounts, request.today - STATS_DAYS, request.today - 1).items()
    ):
        kinds = {
            "onDemandCost": spend.on_demand,
            "savingsPlanCost": spend.plan_fees,
            "reservedInstCost": spend.reservation_fees,
        }
        days.append(
            {"date": format_day(day), **{name: decimal_money(cost / MICRO) for name, cost in kinds.items() if cost}}
        )
    return days


def effective_savings_rate(spend: Spend | CommittedSpend) -> float | None:
    """The savings as a share of eligible spend, from 0 to 1; None without any."""
    return round(spend.savings / spend.list_cost, 4) if spend.list_cost else None


ROUTES = (
    Route("GET", ORGANIZATIONS_PATH, list_organizations, "costs.read"),
    Route("GET", ORGANIZATION_PATH, get_organization, "costs.read"),
    Route("GET", ORGANIZATION_PATH + "/member-accounts", list_members, "costs.read"),
    Route("GET", ORGANIZATION_PATH + "/member-accounts/{memberAccountId}", get_member, "costs.read"),
    Route("GET", "/ps4commitments/v1/aws/settings", list_settings, "settings.read"),
)
