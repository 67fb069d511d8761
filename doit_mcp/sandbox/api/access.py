"""Who asks and for which customer: bearer, tenant header, permissions, GET /auth/v1/validate."""

from __future__ import annotations

from collections.abc import Callable

from aiohttp import web

from ..accounts import DEFAULT_DIRECTORY, AccountDirectory, Customer, Grant, User
from .responses import ApiError, JsonObject, bad_request

GrantLookup = Callable[[str], Grant | None]
"""From a bearer to what it stands for, None for an unknown or expired one."""

DOIT_CONTEXT = "doit.com"  # what employees send to validate without choosing a customer


def bearer_token(request: web.Request) -> str:
    """The bearer of the Authorization header, "" if there is none."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def requested_tenant(request: web.Request) -> str:
    """The tenant the request names: the header, or the legacy query parameter; "" for none."""
    return request.headers.get("X-Tenant-Id", "") or request.query.get("customerContext", "")


def identify(request: web.Request, lookup: GrantLookup) -> Grant:
    """The grant behind the bearer; 401 without one."""
    token = bearer_token(request)
    grant = lookup(token) if token else None
    if grant is None:
        raise ApiError(401, "missing or invalid bearer token")
    return grant


def find_customer(request: web.Request, grant: Grant, directory: AccountDirectory = DEFAULT_DIRECTORY) -> Customer:
    """The customer the request is about; 400 ``tenant_id_required`` or ``tenant_id_mismatch``."""
    asked = requested_tenant(request)
    if not asked and not grant.customer:
        raise bad_request("tenant_id_required: this credential needs the X-Tenant-Id header", code="tenant_id_required")
    customer = directory.customer_by_id(asked or grant.customer)
    if customer is None or (asked and asked != grant.customer and not grant.user.employee):
        raise bad_request(
            "tenant_id_mismatch: X-Tenant-Id is not a tenant of this credential", code="tenant_id_mismatch"
        )
    return customer


def require_permission(user: User, permission: str) -> None:
    """403 unless the user has the permission."""
    if permission not in user.permissions:
        raise ApiError(403, f"{user.email} lacks the permission {permission}")


def validate(request: web.Request, grant: Grant, directory: AccountDirectory = DEFAULT_DIRECTORY) -> JsonObject:
    """``{domain, email}`` (operation validate); an employee who names no customer gets 403."""
    asked = requested_tenant(request)
    if grant.user.employee and not asked:
        raise ApiError(403, "employees have to name a customer context")
    if grant.user.employee and asked == DOIT_CONTEXT:
        return {"domain": DOIT_CONTEXT, "email": grant.user.email}
    return {"domain": find_customer(request, grant, directory).domain, "email": grant.user.email}
