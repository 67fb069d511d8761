"""The hierarchy of customers: the distributor at the top, and the customers below it."""

from __future__ import annotations

from ..accounts import ACME, GLOBEX, Customer
from .responses import ApiError
from .seeds.cloud_accounts import is_distributor, list_partners
from .tenants import ApiRequest, Tenant

DESCENDANTS: dict[str, tuple[Customer, ...]] = {ACME.id: (GLOBEX,)}
"""Customers with users of their own below other customers, by the id of the upper one."""


def list_members(tenant: Tenant) -> dict[str, str]:
    """The customer and those below it: names by id."""
    below = {customer.id: customer.name for customer in DESCENDANTS.get(tenant.customer.id, ())}
    return {tenant.customer.id: tenant.customer.name, **list_partners(tenant), **below}


def is_descendant(customer_id: str, ancestor_id: str) -> bool:
    """Whether a customer with users of its own is below another one."""
    return any(customer.id == customer_id for customer in DESCENDANTS.get(ancestor_id, ()))


def require_root(request: ApiRequest) -> None:
    """Raise 403 unless the customer is at the top of its hierarchy."""
    if not is_distributor(request.tenant):
        raise ApiError(403, "only the customer at the top of the hierarchy manages this")
