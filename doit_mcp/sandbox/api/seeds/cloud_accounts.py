"""Initial accounts of AWS billing transfer and roles of Cloud Connect."""

from __future__ import annotations

from collections.abc import Iterator

from ...accounts import ACME
from ..costs.calendar_days import DAY_SECONDS, format_rfc3339
from ..costs.estate_types import AWS, AZURE, Project
from ..costs.estates import ESTATES, estate_of
from ..responses import JsonObject
from ..tenants import Tenant
from .customer_account import child_customers

HOUR_SECONDS = 3600
PARTNERS = ("Launchpad Resale", "Orbit Cloud Services")
STACK = "doit-billing-transfer"
CORE, QUOTAS, SPOT, REAL_TIME = "core", "quotas", "spot-scaling", "real-time-data"
AWS_FEATURES = (CORE, QUOTAS, SPOT, REAL_TIME)
AZURE_FEATURES = (CORE, "rightsizing")


def is_distributor(tenant: Tenant) -> bool:
    """Whether the customer is a distributor, above resellers; the others are resellers."""
    return tenant.customer.id == ACME.id


def list_partners(tenant: Tenant) -> dict[str, str]:
    """The customers below this one in billing transfer: names by id."""
    more = {tenant.stable_id("partner", name)[:10]: name for name in PARTNERS}
    return {**child_customers(tenant), **more}


def stable_account_id(tenant: Tenant, *parts: str) -> str:
    """An AWS account number that is not in the billing lines."""
    return f"{int.from_bytes(tenant.stable_id('account', *parts).encode()) % 10**12:012}"


def handshake_id(identifier: str) -> str:
    """An opaque id in the form of AWS handshake ids."""
    return f"h-{identifier[:12].lower()}"


def seed_program_accounts(tenant: Tenant) -> Iterator[JsonObject]:
    """The distributor's accounts, one of them with a misconfigured role; or the account above a reseller."""
    if not is_distributor(tenant):
        yield _make_program_account(tenant, stable_account_id(tenant, "distributor"), "us-east-1", 300)
        return
    payer = _list_projects(tenant, AWS)[0].billing_account
    yield _make_program_account(tenant, payer, "us-east-1", 210)
    diff = {"missing": ["organizations:ListOutboundResponsibilityTransfers"], "extra": ["s3:PutObject"]}
    drifted = _make_program_account(tenant, stable_account_id(tenant, "program account"), "eu-west-1", 34)
    yield {
        **drifted,
        "iamStatus": "drift",
        "iamDiff": diff,
        "updatedAt": format_rfc3339(tenant.started_at - 2 * DAY_SECONDS),
    }


def _make_program_account(tenant: Tenant, account: str, region: str, days_ago: int) -> JsonObject:
    return {
        "id": tenant.stable_id("program account", account),
        "accountId": account,
        "region": region,
        "roleArn": f"arn:aws:iam::{account}:role/{STACK}",
        "stackName": STACK,
        "iamStatus": "valid",
        "iamDiff": None,
        "createdAt": format_rfc3339(tenant.started_at - days_ago * DAY_SECONDS),
        "updatedAt": None,
    }


def seed_reseller_accounts(tenant: Tenant) -> Iterator[JsonObject]:
    """Accounts of resellers: *issued* is the time of the handshake in epoch seconds, *outcome* its result."""
    roots = [str(item["id"]) for item in seed_program_accounts(tenant)]
    if not is_distributor(tenant):
        own = tenant.customer
        payer = _list_projects(tenant, AWS)[0].billing_account
        yield _make_reseller_account(tenant, roots[0], payer, own.id, own.name, 120 * 24, "accepted")
        second = stable_account_id(tenant, "second reseller account")
        yield _make_reseller_account(tenant, roots[0], second, own.id, own.name, 1, "accepted")
        return
    ages = ((0, 180 * 24, "accepted"), (0, 1, "accepted"), (1, 30 * 24, "declined"))
    for (identifier, name), (at, hours, outcome) in zip(list_partners(tenant).items(), ages, strict=True):
        yield _make_reseller_account(
            tenant, roots[at], stable_account_id(tenant, name), identifier, name, hours, outcome
        )


def _make_reseller_account(
    tenant: Tenant, root: str, account: str, customer: str, name: str, hours_ago: int, outcome: str
) -> JsonObject:
    issued = tenant.started_at - hours_ago * HOUR_SECONDS
    return {
        "id": account,
        "dpmaId": root,
        "customerId": customer,
        "displayName": name,
        "created": issued,
        "issued": issued,
        "outcome": outcome,
        "handshakeId": handshake_id(tenant.stable_id("handshake", account)),
    }


def seed_end_customers(tenant: Tenant) -> Iterator[JsonObject]:
    """End customers under the first reseller's account: one active, one pending, one that left."""
    account = str(next(seed_reseller_accounts(tenant))["id"])
    far = {tenant.stable_id("customer of a reseller", name)[:10]: name for name in ("first", "second", "third")}
    names = far if is_distributor(tenant) else list_partners(tenant)
    ages = ((90 * 24, None), (12, None), (150 * 24, tenant.started_at - 20 * DAY_SECONDS))
    for (customer, name), (hours, revoked) in zip(names.items(), ages, strict=True):
        issued = tenant.started_at - hours * HOUR_SECONDS
        yield {
            "id": stable_account_id(tenant, "end customer", name),
            "resellerPmaAccountId": account,
            "ecCustomerId": customer,
            "created": issued,
            "issued": issued,
            "outcome": "accepted",
            "revoked": revoked,
            "curBasePath": "",
        }


def seed_connected_accounts(tenant: Tenant) -> Iterator[JsonObject]:
    """Accounts with a role for DoiT: all AWS accounts but the smallest, and the Azure tenant; *granted* lists their
    access.
    """
    projects = sorted(_list_projects(tenant, AWS), key=lambda project: project.scale, reverse=True)
    for at, project in enumerate(projects[: max(1, len(projects) - 1)]):
        real_time = {"s3Bucket": f"{project.name}-cloudtrail", "s3BucketRegion": project.region} if at == 0 else {}
        yield {
            "id": project.id,
            "cloud": AWS,
            "roleArn": f"arn:aws:iam::{project.id}:role/DoiTRole",
            **real_time,
            "enabledFeatures": [CORE, QUOTAS, REAL_TIME] if real_time else [CORE],
            "granted": [CORE, QUOTAS, SPOT] if real_time else [CORE, QUOTAS],
            "timeLinked": format_rfc3339(tenant.started_at - (380 - 40 * at) * DAY_SECONDS),
        }
    for tenant_id in sorted({project.billing_account for project in _list_projects(tenant, AZURE)}):
        yield {"id": tenant_id, "cloud": AZURE, "granted": [CORE]}


def _list_projects(tenant: Tenant, provider: str) -> list[Project]:
    return [item for item in estate_of(tenant.customer).projects if item.provider == provider]


def is_owned_elsewhere(tenant: Tenant, account: str) -> bool:
    """Whether the account belongs to another customer."""
    own = estate_of(tenant.customer)
    others = (estate for estate in ESTATES.values() if estate is not own)
    return any(account in (item.id, item.billing_account) for estate in others for item in estate.projects)
