"""Who asks and for which customer: bearer, tenant header, permissions, GET /auth/v1/validate."""

from __future__ import annotations

from collections.abc import Callable

from aiohttp import web

from ..accounts import NAMED, Customer, Grant, People, User
from .responses import JsonObject, Refusal, bad

Lookup = Callable[[str], Grant | None]
"""From a bearer to what it stands for, None for an unknown or expired one."""

DOIT_CONTEXT = "doit.com"  # what employees send to validate without choosing a customer


def bearer_of(request: web.Request) -> str:
    """The bearer of the Authorization header, "" if there is none."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def tenant_asked(request: web.Request) -> str:
    """The tenant the request names: the header, or the legacy query parameter; "" for none."""
    return request.headers.get("X-Tenant-Id", "") or request.query.get("customerContext", "")


def identify(request: web.Request, lookup: Lookup) -> Grant:
    """The grant behind the bearer; 401 without one."""
    token = bearer_of(request)
    grant = lookup(token) if token else None
    if grant is None:
        raise Refusal(401, "missing or invalid bearer token")
    return grant


def tenant_of(request: web.Request, grant: Grant, people: People = NAMED) -> Customer:
    """The customer the request is about; 400 ``tenant_id_required`` or ``tenant_id_mismatch``."""
    asked = tenant_asked(request)
    if not asked and not grant.customer:
        raise bad("tenant_id_required: this credential needs the X-Tenant-Id header", code="tenant_id_required")
    customer = people.customer(asked or grant.customer)
    if customer is None or (asked and asked != grant.customer and not grant.user.employee):
        raise bad("tenant_id_mismatch: X-Tenant-Id is not a tenant of this credential", code="tenant_id_mismatch")
    return customer


def permit(user: User, permission: str) -> None:
    """403 unless the user has the permission."""
    if permission not in user.permissions:
        raise Refusal(403, f"{user.email} lacks the permission {permission}")


def validate(request: web.Request, grant: Grant, people: People = NAMED) -> JsonObject:
    """``{domain, email}`` (operation validate); an employee who names no customer gets 403."""
    asked = tenant_asked(request)
    if grant.user.employee and not asked:
        raise Refusal(403, "employees have to name a customer context")
    if grant.user.employee and asked == DOIT_CONTEXT:
        return {"domain": DOIT_CONTEXT, "email": grant.user.email}
    return {"domain": tenant_of(request, grant, people).domain, "email": grant.user.email}
