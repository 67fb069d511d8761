"""PerfectScale for Commitments: /ps4commitments, AWS organizations, their accounts and settings.

What commitments save is read off the billing lines (costs.coverage); its other half, what is bought and what should
be, is in perfect_scale_purchases.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from aiohttp import web

from .. import listing
from ..commitment_plans import iso_day, money, potential_savings
from ..costs.calendar_days import add_months, parse_instant, rfc3339, start_of
from ..costs.coverage import Coverage, MemberAccount, Spend, measure_coverage
from ..costs.money import MICRO
from ..responses import JsonObject, bad_request, json_response
from ..routes import Route
from ..seeds.perfect_scale import organizations, preferences
from ..tenants import ApiRequest, Records, get_existing

ORGANIZATIONS_PATH = "/ps4commitments/v1/aws/organizations"
ORGANIZATION_PATH = ORGANIZATIONS_PATH + "/{managementAccountId}"
ACCOUNT_PATTERN = re.compile(r"\d{12}", re.ASCII)
STATS_DAYS, SHARE_DAYS, STATS_MONTHS = 30, 60, 6
SYNC_SECONDS = 3600  # seconds between two looks at what AWS has


def records(ask: ApiRequest) -> Records:
    """The tenant's organizations by management account."""
    return ask.tenant.collection("aws organizations", organizations)


def get_organization_record(ask: ApiRequest) -> JsonObject:
    """The organization that the path names; 400 for what is no account number, 404 for one that is not there."""
    return get_existing(records(ask), path_account_number(ask, "managementAccountId"), "AWS organization")


def path_account_number(ask: ApiRequest, name: str) -> str:
    """An account number of the path; 400 if it is none."""
    found = ask.path_parameter(name)
    if not ACCOUNT_PATTERN.fullmatch(found):
        raise bad_request(f"{name} must be 12 digits", field=name)
    return found


def onboarded_services(organization: JsonObject) -> list[str]:
    """The types of commitment that are onboarded."""
    return [service for service, one in organization["onboarding"].items() if one["status"] == "done"]


def page_response(ask: ApiRequest, rows: Sequence[JsonObject], key: str) -> web.Response:
    """A page of rows; its token holds for the same question only."""
    asked = sorted((name, value) for name, value in ask.query.items() if name not in ("pageToken", "maxResults"))
    token, size = ask.query.get("pageToken", ""), ask.page_size(50, 500)
    page = listing.paginate(rows, token, size, scope=f"{ask.scope} {asked}", key=key)
    return json_response({"items": page.rows, "pageToken": page.token, "rowCount": len(page.rows)})


async def list_organizations(ask: ApiRequest) -> web.Response:
    """GET /ps4commitments/v1/aws/organizations."""
    return page_response(
        ask, [_serialize_organization(ask, one) for one in records(ask).values()], "managementAccountId"
    )


async def get_organization(ask: ApiRequest) -> web.Response:
    """GET …/organizations/{managementAccountId}: with its months and days."""
    organization = get_organization_record(ask)
    members = [one.id for one in _coverage(ask).members(organization["id"])]
    return json_response(_serialize_organization(ask, organization) | _over_time(ask, organization, members))


async def list_members(ask: ApiRequest) -> web.Response:
    """GET …/member-accounts, by number."""
    organization = get_organization_record(ask)
    rows = [_serialize_member(ask, organization, one) for one in _coverage(ask).members(organization["id"])]
    return page_response(ask, rows, "memberAccountId")


async def get_member(ask: ApiRequest) -> web.Response:
    """GET …/member-accounts/{memberAccountId}: with its months and days."""
    organization = get_organization_record(ask)
    accounts: dict[str, JsonObject] = {
        one.id: _serialize_member(ask, organization, one) for one in _coverage(ask).members(organization["id"])
    }
    member = get_existing(accounts, path_account_number(ask, "memberAccountId"), "member account")
    only = [member["memberAccountId"]]
    totals = {"savingsTotals": _totals(ask, organization, only)}
    return json_response(member | _over_time(ask, organization, only) | totals)


async def list_settings(ask: ApiRequest) -> web.Response:
    """GET /ps4commitments/v1/aws/settings: an item for each organization that is onboarded."""
    wanted = ask.tenant.collection("commitment preferences", preferences)
    rows = [
        {
            "managementAccountId": one["id"],
            "purchaseAccountId": one["purchaseAccountId"],
            "services": [
                {"service": service, "settings": wanted[service]["settings"]} for service in onboarded_services(one)
            ],
        }
        for one in records(ask).values()
        if onboarded_services(one)
    ]
    return page_response(ask, rows, "managementAccountId")


def _coverage(ask: ApiRequest) -> Coverage:
    return ask.tenant.compute_cached(measure_coverage)


def _serialize_organization(ask: ApiRequest, organization: JsonObject) -> JsonObject:
    members = [one.id for one in _coverage(ask).members(organization["id"])]
    return {
        "managementAccountId": organization["id"],
        "displayName": organization["name"],
        "onboardingStatus": organization["onboarding"],
        "savingsPlansSyncTime": rfc3339(ask.now - ask.now % SYNC_SECONDS),
        "stats30d": _stats(ask, organization, members),
        "savingsTotals": _totals(ask, organization, members),
        "monthlyPotentialSavings": {
            service: money(potential_savings(ask, organization["id"], service))
            for service in onboarded_services(organization)
        },
    }


def _serialize_member(ask: ApiRequest, organization: JsonObject, account: MemberAccount) -> JsonObject:
    return {
        "memberAccountId": account.id,
        "managementAccountId": organization["id"],
        "displayName": account.name,
        "stats30d": _stats(ask, organization, [account.id]),
        "monthlyPotentialSavings": {
            service: money(
                potential_savings(ask, organization["id"], service)
                * _on_demand_share(ask, organization, account, service)
            )
            for service in onboarded_services(organization)
        },
    }


def _on_demand_share(ask: ApiRequest, organization: JsonObject, account: MemberAccount, service: str) -> float:
    """An account's part of what the organization still pays on demand."""
    spent, first = _coverage(ask), ask.today - SHARE_DAYS
    members = [one.id for one in spent.members(organization["id"])]
    whole = spent.total(service, members, first, ask.today - 1).on_demand
    return spent.total(service, [account.id], first, ask.today - 1).on_demand / whole if whole else 0.0


def _stats(ask: ApiRequest, organization: JsonObject, accounts: Collection[str]) -> JsonObject:
    found = {}
    for service in onboarded_services(organization):
        spend = _coverage(ask).total(service, accounts, ask.today - STATS_DAYS, ask.today - 1)
        found[service] = {"esr": _effective_savings_rate(spend), "savings": money(spend.savings / MICRO)}
    return found


def _totals(ask: ApiRequest, organization: JsonObject, accounts: Collection[str]) -> JsonObject:
    """What was saved this year and altogether, since the organization was onboarded."""
    found = {}
    for service in onboarded_services(organization):
        began = parse_instant(organization["onboarding"][service]["onboardingStartedAt"])
        ytd, lifetime = (
            _coverage(ask).total(service, accounts, first, ask.today).savings
            for first in (max(began, start_of("year", ask.today)), began)
        )
        found[service] = {"ytd": money(ytd / MICRO), "lifetime": money(lifetime / MICRO)}
    return found


def _over_time(ask: ApiRequest, organization: JsonObject, accounts: Collection[str]) -> JsonObject:
    services = onboarded_services(organization)
    return {
        "monthlyStats": {service: _monthly_stats(ask, service, accounts) for service in services},
        "dailyCoverage": {service: _daily_coverage(ask, service, accounts) for service in services},
    }


def _monthly_stats(ask: ApiRequest, service: str, accounts: Collection[str]) -> list[JsonObject]:
    """The last months, the current one as far as it is."""
    this = start_of("month", ask.today)
    found = []
    for back in range(STATS_MONTHS - 1, -1, -1):
        first = add_months(this, -back)
        spend = _coverage(ask).total(service, accounts, first, add_months(first, 1) - 1)
        found.append(
            {
                "month": iso_day(first)[:7],
                "esr": _effective_savings_rate(spend) or 0.0,
                "onDemandCost": money(spend.list_cost / MICRO),
                "costWithSavings": money(spend.cost / MICRO),
            }
        )
    return found


def _daily_coverage(ask: ApiRequest, service: str, accounts: Collection[str]) -> list[JsonObject]:
    """The last whole days: who paid what; kinds that paid nothing are left out."""
    found = []
    for day, spend in _coverage(ask).daily(service, accounts, ask.today - STATS_DAYS, ask.today - 1).items():
        kinds = {
            "onDemandCost": spend.on_demand,
            "savingsPlanCost": spend.plan_cost,
            "reservedInstCost": spend.reserved_cost,
        }
        found.append({"date": iso_day(day), **{name: money(cost / MICRO) for name, cost in kinds.items() if cost}})
    return found


def _effective_savings_rate(spend: Spend) -> float | None:
    return round(spend.savings / spend.list_cost, 4) if spend.list_cost else None


ROUTES = (
    Route("GET", ORGANIZATIONS_PATH, list_organizations, "costs.read"),
    Route("GET", ORGANIZATION_PATH, get_organization, "costs.read"),
    Route("GET", ORGANIZATION_PATH + "/member-accounts", list_members, "costs.read"),
    Route("GET", ORGANIZATION_PATH + "/member-accounts/{memberAccountId}", get_member, "costs.read"),
    Route("GET", "/ps4commitments/v1/aws/settings", list_settings, "settings.read"),
)
