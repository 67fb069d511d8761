"""Customers: the settings and contact addresses of the signed-in customer."""

from typing import Annotated, TypedDict, Unpack

from ...protocol.json_schema import JsonObject, Length
from ..common_types import Currency
from ..markers import EXTERNAL_TARGET, IDENTIFIER
from ..operation import Area, get, offers, patch
from ..parameters import Id, require_customer_id
from ..permissions import SETTINGS, SETTINGS_OF_INVITES

CustomerId = Annotated[
    str | None,
    "Customer id. Default: the signed-in customer, the only one possible.",
    Length(1, 500),
    IDENTIFIER,
]


class CustomerSettings(TypedDict, total=False):
    """Settings of a customer."""

    currency: Annotated[Currency, "Cannot be cleared."]
    allowedInviteDomains: Annotated[
        list[str],
        "Anyone with an email address in these domains can join. [] clears it. Requires permission to manage users.",
        Length(maximum=500),
        EXTERNAL_TARGET,
    ]
    mfaRequired: Annotated[bool, "Whether users must sign in with a second factor."]


class Contact(TypedDict, total=False):
    """Contact addresses of a customer."""

    emails: Annotated[list[str], "All contact addresses; [] clears them.", Length(maximum=500), EXTERNAL_TARGET]


class CustomerDetails(TypedDict, total=False):
    """The customer."""

    id: str
    name: str
    primaryDomain: str
    domains: list[str]
    urlSlug: Annotated[str, "The customer's name in console URLs."]
    settings: Annotated[JsonObject, "currency, allowedInviteDomains, mfaRequired (null means true)."]
    contact: Annotated[JsonObject, "emails"]


class CustomerChanges(TypedDict, total=False):
    """Changes to a customer. Lists are replaced as a whole."""

    urlSlug: Annotated[
        str,
        "Name in console URLs: 3 to 12 lowercase letters, digits, dashes (not first or last), unique among "
        'customers. "" clears it.',
        Length(maximum=12),
    ]
    settings: Annotated[CustomerSettings, "Omitted fields stay unchanged."]
    contact: Annotated[Contact, "Omitted fields stay unchanged."]


class Customers(Area):
    """Customer settings: name, domains, currency, invite domains, second factor, contact addresses."""

    @get("/customers/v1/customers/{customerId}", permission=SETTINGS)
    async def _customer(self, *, customerId: Id) -> JsonObject: ...

    @offers(_customer)
    async def get_customer(self, *, customerId: CustomerId = None) -> Annotated[JsonObject, CustomerDetails]:
        """Show the customer: name, domains, currency, who can join, and contact addresses."""
        return await self._customer(customerId=require_customer_id("customerId", customerId, self.sender.tenant))

    @patch(
        "/customers/v1/customers/{customerId}",
        content_type="application/merge-patch+json",
        permission=SETTINGS_OF_INVITES,
        confirm=True,
        preview_with=get_customer,
        merges={"settings": {}, "contact": {}},
        cleared_by={"urlSlug": ""},
    )
    async def _update(self, *, customerId: Id, **changes: Unpack[CustomerChanges]) -> JsonObject: ...

    @offers(_update)
    async def update_customer(self, *, customerId: CustomerId = None, **changes: Unpack[CustomerChanges]) -> JsonObject:
        """Change the customer's settings or contact addresses; omitted fields stay unchanged. This affects all users of
        the customer: ask the user first, and read get_customer before replacing a list."""
        return await self._update(
            customerId=require_customer_id("customerId", customerId, self.sender.tenant), **changes
        )
