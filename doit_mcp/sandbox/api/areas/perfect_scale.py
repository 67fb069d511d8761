"""PerfectScale for Commitments: /ps4commitments, AWS organizations, their accounts and settings.

What commitments save is read off the billing lines (costs.coverage); its other half, what is bought and what should
be, is in perfect_scale_purchases.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from aiohttp import web

from .. import listing
from ..commitment_plans import iso_day, money, potential
from ..costs.calendar_days import months_on, parse_instant, rfc3339, start_of
from ..costs.coverage import Account, Coverage, Spend, coverage
from ..costs.money import MICRO
from ..responses import JsonObject, answer, bad
from ..routes import Route
from ..seeds.perfect_scale import organizations, preferences
from ..tenants import Ask, Records, existing

ROOT = "/ps4commitments/v1/aws/organizations"
ONE = ROOT + "/{managementAccountId}"
ACCOUNT = re.compile(r"\d{12}", re.ASCII)
DAYS, SHARE_DAYS, MONTHS = 30, 60, 6
SYNC = 3600  # seconds between two looks at what AWS has


def records(ask: Ask) -> Records:
    """The tenant's organizations by management account."""
    return ask.tenant.collection("aws organizations", organizations)


def organization_of(ask: Ask) -> JsonObject:
    """The organization that the path names; 400 for what is no account number, 404 for one that is not there."""
    return existing(records(ask), number(ask, "managementAccountId"), "AWS organization")


def number(ask: Ask, name: str) -> str:
    """An account number of the path; 400 if it is none."""
    found = ask.part(name)
    if not ACCOUNT.fullmatch(found):
        raise bad(f"{name} must be 12 digits", field=name)
    return found


def ready(organization: JsonObject) -> list[str]:
    """The types of commitment that are onboarded."""
    return [service for service, one in organization["onboarding"].items() if one["status"] == "done"]


def paged(ask: Ask, rows: Sequence[JsonObject], key: str) -> web.Response:
    """A page of rows; its token holds for the same question only."""
    asked = sorted((name, value) for name, value in ask.query.items() if name not in ("pageToken", "maxResults"))
    token, size = ask.query.get("pageToken", ""), ask.page_size(50, 500)
    page = listing.page(rows, token, size, scope=f"{ask.scope} {asked}", key=key)
    return answer({"items": page.rows, "pageToken": page.token, "rowCount": len(page.rows)})


async def list_organizations(ask: Ask) -> web.Response:
    """GET /ps4commitments/v1/aws/organizations."""
    return paged(ask, [_organization(ask, one) for one in records(ask).values()], "managementAccountId")


async def get_organization(ask: Ask) -> web.Response:
    """GET …/organizations/{managementAccountId}: with its months and days."""
    organization = organization_of(ask)
    members = [one.id for one in _spent(ask).members(organization["id"])]
    return answer(_organization(ask, organization) | _over_time(ask, organization, members))


async def list_members(ask: Ask) -> web.Response:
    """GET …/member-accounts, by number."""
    organization = organization_of(ask)
    rows = [_member(ask, organization, one) for one in _spent(ask).members(organization["id"])]
    return paged(ask, rows, "memberAccountId")


async def get_member(ask: Ask) -> web.Response:
    """GET …/member-accounts/{memberAccountId}: with its months and days."""
    organization = organization_of(ask)
    accounts: dict[str, JsonObject] = {
        one.id: _member(ask, organization, one) for one in _spent(ask).members(organization["id"])
    }
    member = existing(accounts, number(ask, "memberAccountId"), "member account")
    only = [member["memberAccountId"]]
    totals = {"savingsTotals": _totals(ask, organization, only)}
    return answer(member | _over_time(ask, organization, only) | totals)


async def list_settings(ask: Ask) -> web.Response:
    """GET /ps4commitments/v1/aws/settings: an item for each organization that is onboarded."""
    wanted = ask.tenant.collection("commitment preferences", preferences)
    rows = [
        {
            "managementAccountId": one["id"],
            "purchaseAccountId": one["purchaseAccountId"],
            "services": [{"service": service, "settings": wanted[service]["settings"]} for service in ready(one)],
        }
        for one in records(ask).values()
        if ready(one)
    ]
    return paged(ask, rows, "managementAccountId")


def _spent(ask: Ask) -> Coverage:
    return ask.tenant.reckoned(coverage)


def _organization(ask: Ask, organization: JsonObject) -> JsonObject:
    members = [one.id for one in _spent(ask).members(organization["id"])]
    return {
        "managementAccountId": organization["id"],
        "displayName": organization["name"],
        "onboardingStatus": organization["onboarding"],
        "savingsPlansSyncTime": rfc3339(ask.now - ask.now % SYNC),
        "stats30d": _stats(ask, organization, members),
        "savingsTotals": _totals(ask, organization, members),
        "monthlyPotentialSavings": {
            service: money(potential(ask, organization["id"], service)) for service in ready(organization)
        },
    }


def _member(ask: Ask, organization: JsonObject, account: Account) -> JsonObject:
    return {
        "memberAccountId": account.id,
        "managementAccountId": organization["id"],
        "displayName": account.name,
        "stats30d": _stats(ask, organization, [account.id]),
        "monthlyPotentialSavings": {
            service: money(potential(ask, organization["id"], service) * _share(ask, organization, account, service))
            for service in ready(organization)
        },
    }


def _share(ask: Ask, organization: JsonObject, account: Account, service: str) -> float:
    """An account's part of what the organization still pays on demand."""
    spent, first = _spent(ask), ask.today - SHARE_DAYS
    members = [one.id for one in spent.members(organization["id"])]
    whole = spent.total(service, members, first, ask.today - 1).on_demand
    return spent.total(service, [account.id], first, ask.today - 1).on_demand / whole if whole else 0.0


def _stats(ask: Ask, organization: JsonObject, accounts: Collection[str]) -> JsonObject:
    found = {}
    for service in ready(organization):
        spend = _spent(ask).total(service, accounts, ask.today - DAYS, ask.today - 1)
        found[service] = {"esr": _esr(spend), "savings": money(spend.saved / MICRO)}
    return found


def _totals(ask: Ask, organization: JsonObject, accounts: Collection[str]) -> JsonObject:
    """What was saved this year and altogether, since the organization was onboarded."""
    found = {}
    for service in ready(organization):
        began = parse_instant(organization["onboarding"][service]["onboardingStartedAt"])
        ytd, lifetime = (
            _spent(ask).total(service, accounts, first, ask.today).saved
            for first in (max(began, start_of("year", ask.today)), began)
        )
        found[service] = {"ytd": money(ytd / MICRO), "lifetime": money(lifetime / MICRO)}
    return found


def _over_time(ask: Ask, organization: JsonObject, accounts: Collection[str]) -> JsonObject:
    services = ready(organization)
    return {
        "monthlyStats": {service: _months(ask, service, accounts) for service in services},
        "dailyCoverage": {service: _days(ask, service, accounts) for service in services},
    }


def _months(ask: Ask, service: str, accounts: Collection[str]) -> list[JsonObject]:
    """The last months, the current one as far as it is."""
    this = start_of("month", ask.today)
    found = []
    for back in range(MONTHS - 1, -1, -1):
        first = months_on(this, -back)
        spend = _spent(ask).total(service, accounts, first, months_on(first, 1) - 1)
        found.append(
            {
                "month": iso_day(first)[:7],
                "esr": _esr(spend) or 0.0,
                "onDemandCost": money(spend.listed / MICRO),
                "costWithSavings": money(spend.cost / MICRO),
            }
        )
    return found


def _days(ask: Ask, service: str, accounts: Collection[str]) -> list[JsonObject]:
    """The last whole days: who paid what; kinds that paid nothing are left out."""
    found = []
    for day, spend in _spent(ask).daily(service, accounts, ask.today - DAYS, ask.today - 1).items():
        kinds = {
            "onDemandCost": spend.on_demand,
            "savingsPlanCost": spend.plan_cost,
            "reservedInstCost": spend.reserved_cost,
        }
        found.append({"date": iso_day(day), **{name: money(cost / MICRO) for name, cost in kinds.items() if cost}})
    return found


def _esr(spend: Spend) -> float | None:
    return round(spend.saved / spend.listed, 4) if spend.listed else None


ROUTES = (
    Route("GET", ROOT, list_organizations, "costs.read"),
    Route("GET", ONE, get_organization, "costs.read"),
    Route("GET", ONE + "/member-accounts", list_members, "costs.read"),
    Route("GET", ONE + "/member-accounts/{memberAccountId}", get_member, "costs.read"),
    Route("GET", "/ps4commitments/v1/aws/settings", list_settings, "settings.read"),
)
