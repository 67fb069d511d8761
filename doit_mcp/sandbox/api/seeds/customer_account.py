"""Initial customer data: users, contracts, assets, datasets, incidents, account team."""

from __future__ import annotations

from collections.abc import Iterator

import orjson

from ...accounts import ACME, READ_PERMISSIONS, USERS, WRITE_PERMISSIONS, Customer
from ..costs.calendar_days import (
    DAY_MILLISECONDS,
    DAY_SECONDS,
    add_months,
    day_of_seconds,
    format_rfc3339,
    seconds_of,
    start_of,
)
from ..costs.estate_types import AWS, AZURE, GOOGLE
from ..costs.money import MICRO
from ..responses import JsonObject
from ..tenants import Tenant
from .analytics_core import admin_email

CLOUD_NAMES = {AWS: "Amazon Web Services", GOOGLE: "Google Cloud", AZURE: "Microsoft Azure"}
SEAT_COUNT = 25


def billing_profile(tenant: Tenant) -> str:
    """The id of the billing profile of all the customer's invoices."""
    return f"CUST-{int.from_bytes(tenant.stable_id('billing profile').encode()) % 10**5:05}"


def invoice_number(tenant: Tenant, platform: str, month: int) -> str:
    """The invoice number of a cloud and the month that starts on day *month*: digits without meaning."""
    digest = tenant.stable_id("invoice", platform, str(month))
    return f"IN{int.from_bytes(digest.encode()) % 10**9:09}"


def child_customers(tenant: Tenant) -> dict[str, str]:
    """The customers that this customer resells to (one): names by id."""
    return {tenant.stable_id("child")[:10]: f"{tenant.customer.name} Partner"}


def initial_slug(customer: Customer) -> str:
    """The initial URL slug of a customer."""
    return customer.domain.partition(".")[0][:12]


def seed_users(tenant: Tenant) -> Iterator[JsonObject]:
    """The users who can sign in, and an invited one."""
    roles = {role["name"]: tenant.stable_id("roles", str(at)) for at, role in enumerate(role_definitions(tenant))}
    usual = {"organizationId": tenant.stable_id("organizations", "0"), "language": "en"}
    for user in tenant.directory.users_of(tenant.customer):
        yield {**usual, "email": user.email, "displayName": user.name, "roleId": roles[user.role], "status": "active"}
    email = f"newcomer@{tenant.customer.domain}"
    yield {
        **usual,
        "email": email,
        "displayName": email,
        "roleId": roles["Viewer without billing"],
        "status": "invited",
        "invite": "pending",
        "expires": tenant.started_at + 2 * DAY_SECONDS,
    }


def role_definitions(tenant: Tenant) -> list[JsonObject]:
    """The roles of the sandbox's users, without ids."""
    viewer = next(user for user in USERS if user.role == "Viewer without billing")
    return [
        _make_role("Billing admin", sorted(READ_PERMISSIONS | WRITE_PERMISSIONS)),
        _make_role("Viewer without billing", sorted(viewer.permissions)),
    ]


def _make_role(name: str, permissions: list[str], customer: str = "") -> JsonObject:
    """A role without its id: a preset unless it belongs to a *customer*."""
    return {
        "name": name,
        "type": "custom" if customer else "preset",
        "description": "",
        "customer": customer,
        "permissions": permissions,
        "childTenantEligible": not customer,
    }


def seed_roles(tenant: Tenant) -> Iterator[JsonObject]:
    """The roles that users can have."""
    yield from role_definitions(tenant)
    yield _make_role("Support contact", ["costs.read", "tickets.read", "tickets.write"], tenant.customer.id)


def seed_organizations(tenant: Tenant) -> Iterator[JsonObject]:
    """The whole company, and a part of it."""
    yield {"name": tenant.customer.name}
    yield {"name": f"{tenant.customer.name} Engineering"}


def seed_customer(tenant: Tenant) -> Iterator[JsonObject]:
    """The customer (Customer), with its previous slugs."""
    of = tenant.customer
    yield {
        "id": of.id,
        "name": of.name,
        "primaryDomain": of.domain,
        "domains": [of.domain],
        "urlSlug": initial_slug(of),
        "settings": {"currency": of.currency, "allowedInviteDomains": [of.domain], "mfaRequired": True},
        "contact": {"emails": [admin_email(of)]},
        "oldSlugs": [],
    }


def seed_team(tenant: Tenant) -> Iterator[JsonObject]:
    """The customer's account team at DoiT."""
    for name, role in (("Account manager", "FSR"), ("Customer reliability engineer", "CRE")):
        address = f"{name.lower().replace(' ', '.')}@doit.example"
        yield {"name": name, "email": address, "role": role, "calendlyLink": ""}


def seed_contracts(tenant: Tenant) -> Iterator[JsonObject]:
    """The customer's contract with DoiT, and a draft for its own customer."""
    month = start_of("month", day_of_seconds(tenant.started_at))
    yield _make_contract(tenant, tenant.customer.id, "Cloud resale", "active", add_months(month, -13))
    for identifier, name in child_customers(tenant).items():
        yield _make_contract(tenant, identifier, f"Resale to {name}", "draft", add_months(month, 1))


def _make_contract(tenant: Tenant, holder: str, name: str, status: str, first: int) -> JsonObject:
    start, end = format_rfc3339(seconds_of(first)), format_rfc3339(seconds_of(add_months(first, 36)))
    accounts = sorted({value for _, value in tenant.ledger.members("series", "billing_account_id") if value})
    dates = {"startDate": start, "endDate": end}
    terms = {"name": name, **dates, "renewalPolicy": "auto", "doitInvoicingEnabled": True}
    return {
        **terms,
        "customerId": holder,
        "type": "reseller",
        "status": status,
        "currentVersionNumber": 1,
        "timeCreated": format_rfc3339(tenant.started_at - 400 * DAY_SECONDS),
        "versions": [
            {
                **terms,
                "version": 1,
                "status": status,
                "effectiveStart": start,
                "effectiveEnd": end,
                "cancellationReason": None,
                "invoicesEmail": admin_email(tenant.customer),
                "contractUpdatesEmail": admin_email(tenant.customer),
                "billingProfile": {"id": billing_profile(tenant), "name": tenant.customer.name, "country": "US"},
                "managementAccounts": accounts,
                "billingRules": [],
                "priceBooks": [],
                "customLineItems": [],
            }
        ],
    }


def seed_templates(tenant: Tenant) -> Iterator[JsonObject]:
    """A contract template for resale."""
    made = format_rfc3339(tenant.started_at - 120 * DAY_SECONDS)
    rule = {"name": "Discount", "percentageChange": -3.0, "cloud": AWS, "includeCredits": False}
    yield {
        "name": "AWS resale",
        "platform": AWS,
        "status": "active",
        "structure": "blank",
        "eligibleFrom": made,
        "billingRules": [],
        "priceBooks": [{"name": "Standard", "rules": [rule]}],
        "customLineItems": [],
        "createdAt": made,
        "updatedAt": made,
    }


def make_asset(tenant: Tenant, platform: str, account: str, name: str, made: int) -> JsonObject:
    """An asset for a cloud account, without its id."""
    properties = {
        "customerDomain": tenant.customer.domain,
        "customerID": tenant.customer.id,
        "reseller": "doit.example",
    }
    title = f"{CLOUD_NAMES[platform]} - {name or account}"
    return {"name": title, "type": platform, "quantity": 1, "createTime": made, "properties": properties}


def seed_assets(tenant: Tenant) -> Iterator[JsonObject]:
    """The accounts in the billing lines, and a subscription for the office."""
    born = int(tenant.started_at * 1000)
    columns = ("cloud_provider", "billing_account_id", "project_id", "project_name")
    rows = tenant.ledger.sums(columns, tenant.ledger.first, tenant.ledger.last)
    # In Google Cloud the asset is the billing account, elsewhere each account or subscription.
    accounts = {(str(row[0]), str(row[1] if row[0] == GOOGLE else row[2])): str(row[3]) for row in rows}
    for index, ((platform, account), name) in enumerate(accounts.items()):
        shown = account if platform == GOOGLE else f"{name} ({account})"
        yield make_asset(tenant, platform, account, shown, born - (400 - index) * DAY_MILLISECONDS)
    made = born - 300 * DAY_MILLISECONDS
    office = make_asset(tenant, GOOGLE, "", "", made)
    domain = tenant.customer.domain
    office["properties"]["subscription"] = {
        "billingMethod": "OFFLINE",
        "creationTime": made,
        "id": tenant.stable_id("subscription"),
        "plan": {
            "commitmentInterval": {"startTime": made, "endTime": made + 365 * DAY_MILLISECONDS},
            "isCommitmentPlan": True,
            "planName": "ANNUAL_MONTHLY_PAY",
        },
        "purchaseOrderID": "",
        "renewalSettings": {"renewalType": "AUTO_RENEW_MONTHLY_PAY"},
        "resourceUIURL": "",
        "seats": {
            "licensedNumberOfSeats": SEAT_COUNT - 4,
            "maximumNumberOfSeats": SEAT_COUNT,
            "numberOfSeats": SEAT_COUNT,
        },
        "skuID": "1010020027",
        "skuName": "Google Workspace Business Starter",
        "status": "ACTIVE",
    }
    yield {**office, "name": f"Google Workspace - {domain}", "type": "g-suite", "quantity": SEAT_COUNT}


def seed_datasets(tenant: Tenant) -> Iterator[JsonObject]:
    """Observability costs, and business metrics, with daily events."""
    born, ledger = day_of_seconds(tenant.started_at), tenant.ledger
    sent = {tenant.stable_id("event", str(day)): (day, {"metric.hosts": SEAT_COUNT}) for day in range(born - 30, born)}
    yield _make_dataset(tenant, "Datadog", "Monitored hosts a day", sent)
    for name in dict.fromkeys(metric.dataset for metric in ledger.metrics):
        metrics = [metric.name for metric in ledger.metrics if metric.dataset == name]
        sent = {
            tenant.stable_id("event", metric, str(day)): (int(day or 0), {f"metric.{metric}": int(units or 0) // MICRO})
            for metric in metrics
            for day, units in ledger.units(metric, ("day_start",), ledger.first, born)
        }
        yield _make_dataset(tenant, name, f"Business metrics by day: {', '.join(metrics)}", sent)


def _make_dataset(
    tenant: Tenant, name: str, description: str, sent: dict[str, tuple[int, dict[str, int]]]
) -> JsonObject:
    return {
        "id": name,
        "name": name,
        "description": description,
        "events": {key: float(seconds_of(day)) for key, (day, _) in sent.items()},
        "values": {key: orjson.dumps(values) for key, (_, values) in sent.items()},
        "updatedBy": admin_email(tenant.customer),
        "lastUpdated": format_rfc3339(tenant.started_at - DAY_SECONDS),
    }


def seed_incidents(tenant: Tenant) -> Iterator[JsonObject]:
    """Incidents of the clouds, ongoing and resolved."""
    rows = (
        (210, AWS, "Amazon EC2", "archived", "Elevated error rates of instance launches in us-east-1"),
        (120, GOOGLE, "BigQuery", "archived", "Queries in europe-west1 are slower than usual"),
        (33, AWS, "Amazon S3", "archived", "Increased latency of PUT requests in eu-west-1"),
        (
            1,
            GOOGLE,
            "Compute Engine" if tenant.customer == ACME else "Cloud Storage",
            "active",
            "Some requests in europe-west1 fail",
        ),
    )
    for days_ago, platform, product, status, title in rows:
        yield {
            "createTime": int(tenant.started_at * 1000) - days_ago * DAY_MILLISECONDS,
            "platform": platform,
            "product": product,
            "status": status,
            "title": title,
            "summary": title,
            "description": f"{title}. The provider is {'investigating' if status == 'active' else 'done with it'}.",
            "symptoms": "Requests fail or take long.",
            "workaround": "Repeat what failed after a while.",
        }
