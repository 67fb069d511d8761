"""Initial PerfectScale data of Google Cloud: billing accounts, purchase settings and committed use discounts."""

from __future__ import annotations

from collections.abc import Iterator

from ...accounts import ACME
from ..costs.calendar_days import DAY_SECONDS, format_rfc3339
from ..costs.google_commitments import CLOUD_SQL, COMPUTE, GLOBAL, measure_google_commitments
from ..responses import JsonObject
from ..tenants import Tenant
from .commitment_policies import CUSTOM_POLICY

SERVICES = (COMPUTE, CLOUD_SQL)
ONBOARDED_DAYS_AGO = 260  # before the sandbox started
YEAR_DAYS = 365
BOUGHT_DAYS_AGO = 290  # the current resource-based commitment, which soon ends; the one before it ended that day
COMMITTED_CORES = "N2 cores for a year"
# product, service, region, days since the purchase (negative: in the future), dollars per hour
SPEND_BASED = (
    ("Compute Flexible", COMPUTE, GLOBAL, 30 + YEAR_DAYS, 1.25),
    ("Compute Flexible", COMPUTE, GLOBAL, -12, 0.5),
    ("Cloud SQL database", CLOUD_SQL, "", 80 + YEAR_DAYS, 0.2),
)


def seed_billing_accounts(tenant: Tenant) -> Iterator[JsonObject]:
    """The Google Cloud billing accounts; other customers than Acme are about to start with Cloud SQL."""
    began = format_rfc3339(tenant.started_at - ONBOARDED_DAYS_AGO * DAY_SECONDS)
    lately = format_rfc3339(tenant.started_at - 3 * DAY_SECONDS)
    for account in tenant.compute_cached(measure_google_commitments).accounts():
        ready = tenant.customer == ACME
        yield {
            "id": account,
            "name": f"{tenant.customer.name} Google Cloud",
            "onboarding": {
                COMPUTE: {"status": "done", "onboardingStartedAt": began},
                CLOUD_SQL: {
                    "status": "done" if ready else "onboarding",
                    "onboardingStartedAt": began if ready else lately,
                },
            },
        }


def seed_preferences(tenant: Tenant) -> Iterator[JsonObject]:
    """The settings of each billing account, service and region."""
    usual = {"minimumCommitment": 0.05, "lastDayOfMonthForPurchase": 25, "maximumCommitment": 0.0, "term": "one_year"}
    spend = tenant.compute_cached(measure_google_commitments)
    for account in spend.accounts():
        for region in spend.regions(account, COMPUTE):
            yield {
                "id": f"{account} {COMPUTE} {region}",
                "approval": "pending_approval",
                "ceiling": 0.0,
                "settings": {**usual, "purchaseMode": "requires_approval", "policy": "balanced"},
            }
        for region in spend.regions(account, CLOUD_SQL):
            yield {
                "id": f"{account} {CLOUD_SQL} {region}",
                "approval": "approved",
                "ceiling": 20.0,
                "settings": {
                    **usual,
                    "purchaseMode": "autonomous",
                    "maximumCommitment": 20.0,
                    "policy": CUSTOM_POLICY,
                },
            }


def seed_resource_commitments(tenant: Tenant) -> Iterator[JsonObject]:
    """Commitments for cores of each account whose bill has their fees: the current one, and the one before it."""
    spend = tenant.compute_cached(measure_google_commitments)
    for account in spend.accounts():
        fees = any(day.fees for day in spend.spend.get((account, COMPUTE, GLOBAL), {}).values())
        for years_ago in (0, 1) if fees else ():
            start = tenant.started_at - (BOUGHT_DAYS_AGO + years_ago * YEAR_DAYS) * DAY_SECONDS
            yield {
                "id": str(int.from_bytes(tenant.stable_id("cud", account, str(years_ago)).encode()) % 10**19),
                "account": account,
                "name": f"n2-cores-{years_ago + 1}",
                "start": start,
                "end": start + YEAR_DAYS * DAY_SECONDS,
            }


def seed_spend_commitments(tenant: Tenant) -> Iterator[JsonObject]:
    """Spend-based commitments: none is active, so billing lines have no fees of them."""
    spend = tenant.compute_cached(measure_google_commitments)
    for account in spend.accounts():
        for product, service, region, days_ago, hourly in SPEND_BASED:
            regions = [region] if region else spend.regions(account, service)
            for name in regions:
                start = tenant.started_at - days_ago * DAY_SECONDS
                yield {
                    "id": tenant.stable_id("spend cud", account, product, name, str(days_ago)),
                    "account": account,
                    "product": product,
                    "service": service,
                    "region": name,
                    "start": start,
                    "end": start + YEAR_DAYS * DAY_SECONDS,
                    "hourly": hourly,
                }
