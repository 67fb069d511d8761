"""Access control of the sandbox API: bearer token, tenant, permissions, GET /auth/v1/validate."""

from __future__ import annotations

from collections.abc import Callable

from aiohttp import web

from ..accounts import (
    DEFAULT_DIRECTORY,
    SERVICE_ACCOUNT_ROLE,
    AccountDirectory,
    Customer,
    Grant,
    User,
    permission_names,
)
from ..http_requests import bearer_token, requested_tenant
from .hierarchy import is_descendant
from .responses import ApiError, JsonObject, bad_request

GrantLookup = Callable[[str], Grant | None]
"""Resolves a bearer token to its grant; None if it is unknown or expired."""

DOIT_CONTEXT = "doit.com"  # the tenant that employees send to validate without choosing a customer


def identify(request: web.Request, lookup: GrantLookup) -> Grant:
    """The grant of the bearer token; 401 if it is missing or invalid."""
    token = bearer_token(request)
    grant = lookup(token) if token else None
    if grant is None:
        raise ApiError(401, "missing or invalid bearer token")
    return grant


def find_customer(request: web.Request, grant: Grant, directory: AccountDirectory = DEFAULT_DIRECTORY) -> Customer:
    """The customer of the request; 400 with code ``tenant_id_required`` or ``tenant_id_mismatch``, 403 if the customer's
    plan does not include the API.

    A service account may name any customer below its own, and gets 403 for others.
    """
    tenant = requested_tenant(request)
    if not tenant and not grant.customer:
        raise bad_request("tenant_id_required: this credential needs the X-Tenant-Id header", code="tenant_id_required")
    customer = directory.customer_by_id(tenant or grant.customer)
    if grant.user.role == SERVICE_ACCOUNT_ROLE and tenant not in ("", grant.customer):
        if customer is None or not is_descendant(tenant, grant.customer):
            raise ApiError(403, "the customer is not below that of the service account")
        return customer
    if customer is None or (tenant and tenant != grant.customer and not grant.user.employee):
        raise bad_request(
            "tenant_id_mismatch: X-Tenant-Id is not a tenant of this credential", code="tenant_id_mismatch"
        )
    if not customer.has_api_access and not grant.user.employee:
        raise ApiError(403, "the plan of this customer does not include API access")
    return customer


def require_permission(user: User, permission: str) -> None:
    """Raise 403 unless the user has the permission."""
    if permission not in user.permissions:
        raise ApiError(403, f"{user.email} lacks the permission {permission}")


def validate(request: web.Request, grant: Grant, directory: AccountDirectory = DEFAULT_DIRECTORY) -> JsonObject:
    """The response of GET /auth/v1/validate: ``{domain, email, permissions}``; 403 for an employee without a tenant."""
    user = {"email": grant.user.email, "permissions": permission_names(grant.user)}
    tenant = requested_tenant(request)
    if grant.user.employee and not tenant:
        raise ApiError(403, "employees must name a customer context")
    if grant.user.employee and tenant == DOIT_CONTEXT:
        return {"domain": DOIT_CONTEXT, **user}
    return {"domain": find_customer(request, grant, directory).domain, **user}
