"""Initial accounts under the payers that a partner shares between its customers."""

from __future__ import annotations

from collections.abc import Iterator

from ..responses import JsonObject
from ..tenants import Tenant
from .cloud_accounts import list_partners, stable_account_id

PAYER_NAMES = ("Shared payer", "Shared payer for pilots")
ACCOUNTS_PER_PAYER = (3, 2)


def seed_shared_accounts(tenant: Tenant) -> Iterator[JsonObject]:
    """The accounts under each payer; all of the second, and the first one of the other, belong to a customer."""
    customer = next(iter(list_partners(tenant)))
    for payer, count in enumerate(ACCOUNTS_PER_PAYER):
        for at in range(count):
            mapped = payer == 1 or at == 0
            yield {
                "name": f"linked-{payer + 1}-{at + 1}",
                "accountId": stable_account_id(tenant, "shared", str(payer), str(at)),
                "payer": payer,
                "payerId": stable_account_id(tenant, "shared payer", str(payer)),
                "customerId": customer if mapped else tenant.customer.id,
            }
