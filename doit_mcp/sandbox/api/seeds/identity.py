"""Initial identities and access: a service account with a token, and a custom region."""

from __future__ import annotations

from collections.abc import Iterator

from ..costs.calendar_days import DAY_SECONDS, format_rfc3339
from ..responses import JsonObject
from ..tenants import Tenant
from .analytics_core import admin_email


def seed_service_accounts(tenant: Tenant) -> Iterator[JsonObject]:
    """One that reads costs, created by an administrator."""
    created, email = format_rfc3339(tenant.started_at - 45 * DAY_SECONDS), admin_email(tenant.customer)
    yield {
        "id": _account_id(tenant),
        "customerId": tenant.customer.id,
        "name": "Nightly export",
        "description": "Reads costs for the data warehouse",
        "permissions": ["cloudAnalyticsReadOnly"],
        "createdBy": email,
        "createdByEmail": email,
        "createdByUserId": tenant.stable_id("user", email),
        "createTime": created,
        "updateTime": created,
    }


def seed_service_account_tokens(tenant: Tenant) -> Iterator[JsonObject]:
    """The token of that service account. Its secret is unknown."""
    yield {
        "serviceAccountId": _account_id(tenant),
        "customerId": tenant.customer.id,
        "name": "warehouse",
        "state": "active",
        "createTime": format_rfc3339(tenant.started_at - 44 * DAY_SECONDS),
        "expiresTime": format_rfc3339(tenant.started_at + 46 * DAY_SECONDS),
        "lastUsedTime": format_rfc3339(tenant.started_at - DAY_SECONDS / 2),
    }


def seed_custom_regions(tenant: Tenant) -> Iterator[JsonObject]:
    """A region of three countries, which is assigned to nothing."""
    created = format_rfc3339(tenant.started_at - 80 * DAY_SECONDS)
    yield {
        "id": f"cr_{tenant.stable_id('custom region')}",
        "customerId": tenant.customer.id,
        "name": "Nordics",
        "countryCodes": ["DK", "NO", "SE"],
        "createdBy": admin_email(tenant.customer),
        "timeCreated": created,
        "timeModified": created,
    }


def _account_id(tenant: Tenant) -> str:
    return tenant.stable_id("service account")
