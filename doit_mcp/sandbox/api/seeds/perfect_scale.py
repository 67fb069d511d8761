"""Initial PerfectScale for Commitments data: organizations, purchase settings, and purchased commitments."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

from ...accounts import ACME
from ..costs.calendar_days import DAY_SECONDS, day_of_seconds, format_rfc3339
from ..costs.coverage import INSTANCE_PRICE, Coverage, MemberAccount, measure_coverage
from ..costs.money import MICRO
from ..responses import JsonObject
from ..tenants import Tenant
from .commitment_policies import CUSTOM_POLICY

SERVICES = ("compute", "database")
ONBOARDED_DAYS_AGO = 300  # before the sandbox started
YEAR_DAYS = 365
TERM_DAYS = {"one_year": YEAR_DAYS, "three_year": 3 * YEAR_DAYS}
BASIS_DAYS = 30  # days of spend before the sandbox started from which commitments were sized
INSTANCE_TYPE = "m6i.xlarge"
# type, days since the purchase (negative: in the future), term, payment, share of the fees of the type; those of the
# active plans are all of them
PLANS = (
    ("compute", 200 + YEAR_DAYS, "one_year", "no_upfront", 0.5),
    ("compute", 200, "three_year", "partial_upfront", 0.6),
    ("compute", 90, "one_year", "no_upfront", 0.4),
    ("compute", -10, "one_year", "no_upfront", 0.05),
    ("database", 90, "one_year", "no_upfront", 1.0),
)


def seed_organizations(tenant: Tenant) -> Iterator[JsonObject]:
    """An organization for each management account; Globex is about to start with databases."""
    began = format_rfc3339(tenant.started_at - ONBOARDED_DAYS_AGO * DAY_SECONDS)
    done = {"status": "done", "onboardingStartedAt": began}
    lately = {"status": "onboarding", "onboardingStartedAt": format_rfc3339(tenant.started_at - 2 * DAY_SECONDS)}
    for management in sorted({item.organization for item in tenant.compute_cached(measure_coverage).accounts}):
        yield {
            "id": management,
            "name": f"{tenant.customer.name} AWS",
            "purchaseAccountId": management,
            "onboarding": {"compute": done, "database": done if tenant.customer == ACME else lately},
        }


def seed_preferences(tenant: Tenant) -> Iterator[JsonObject]:
    """Settings of each organization and type of commitment: AwsOrganizationSettings, with the customer's approvals."""
    usual = {"lastDayOfMonthForPurchase": 25, "term": "one_year", "paymentOption": "no_upfront"}
    for organization in seed_organizations(tenant):
        yield {
            "id": f"{organization['id']} compute",
            "approval": "pending_approval",
            "ceiling": 0.0,
            "settings": {
                **usual,
                "purchaseMode": "requires_approval",
                "minimumCommitment": 0.1,
                "maximumCommitment": 0.0,
                "policy": "balanced",
            },
        }
        yield {
            "id": f"{organization['id']} database",
            "approval": "approved",
            "ceiling": 50.0,
            "settings": {
                **usual,
                "purchaseMode": "autonomous",
                "minimumCommitment": 0.05,
                "maximumCommitment": 50.0,
                "policy": CUSTOM_POLICY,
            },
        }


def seed_plans(tenant: Tenant) -> Iterator[JsonObject]:
    """Savings Plans: expired, active, queued; *commitment* is in dollars per hour."""
    spent = tenant.compute_cached(measure_coverage)
    for organization in seed_organizations(tenant):
        members = [item.id for item in spent.members(organization["id"])]
        ready = [name for name, item in organization["onboarding"].items() if item["status"] == "done"]
        for at, (service, age, term, payment, share) in enumerate(PLANS):
            start = tenant.started_at - age * DAY_SECONDS
            if service in ready:
                yield {
                    "id": stable_guid(tenant, "savings plan", organization["id"], str(at)),
                    "organization": organization["id"],
                    "service": service,
                    "start": start,
                    "end": start + TERM_DAYS[term] * DAY_SECONDS,
                    "term": term,
                    "payment": payment,
                    "commitment": round(share * _hourly_fees(tenant, spent, service, members), 2),
                }


def seed_reservations(tenant: Tenant) -> Iterator[JsonObject]:
    """Reserved instances of the accounts that have them: active and ended ones."""
    spent = tenant.compute_cached(measure_coverage)
    for at, account in enumerate(item for item in spent.accounts if item.has_reservations):
        offering = "convertible" if at % 2 else "standard"
        yield _make_reservation(
            tenant, account, INSTANCE_TYPE, "three_year", offering, 280, _reserved_instances(tenant, account)
        )
        yield _make_reservation(tenant, account, "m5.large", "one_year", "standard", 100 + YEAR_DAYS, 2)


def stable_guid(tenant: Tenant, *parts: str) -> str:
    """An id in the form of AWS ids, determined by *parts* and the sandbox's seed."""
    return str(uuid.uuid5(uuid.NAMESPACE_OID, tenant.stable_id(*parts)))


def _make_reservation(
    tenant: Tenant, account: MemberAccount, type_: str, term: str, offering: str, age: int, number: int
) -> JsonObject:
    start = tenant.started_at - age * DAY_SECONDS
    return {
        "id": stable_guid(tenant, "reservation", account.id, type_),
        "organization": account.organization,
        "account": account.id,
        "region": account.region,
        "type": type_,
        "count": number,
        "offering": offering,
        "term": term,
        "start": start,
        "end": start + TERM_DAYS[term] * DAY_SECONDS,
    }


def _hourly_fees(tenant: Tenant, spent: Coverage, service: str, members: list[str]) -> float:
    """The fees of the plans of a type, in dollars per hour: those of the most complete day."""
    born = day_of_seconds(tenant.started_at)
    days = spent.daily(service, members, born - BASIS_DAYS, born - 1)
    return max(item.plan_fees for item in days.values()) / MICRO / 24


def _reserved_instances(tenant: Tenant, account: MemberAccount) -> int:
    """The number of reserved instances in an account: the covered ones on its busiest day."""
    born = day_of_seconds(tenant.started_at)
    days = tenant.compute_cached(measure_coverage).daily("compute", [account.id], born - BASIS_DAYS, born - 1)
    most = max(item.reserved_list_cost for item in days.values())
    return -(-most // (24 * INSTANCE_PRICE))
