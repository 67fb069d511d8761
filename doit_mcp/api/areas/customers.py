"""Customers: the customer's own settings."""

from typing import Annotated, TypedDict, Unpack

from ...protocol.json_schema import JsonObject, Length
from ..common_types import Currency
from ..errors import ApiError
from ..markers import EXTERNAL_TARGET, IDENTIFIER
from ..operation import Area, get, offers, patch
from ..parameters import Id

CustomerId = Annotated[
    str | None,
    "Id of the customer; the signed-in one, which is the only one possible, if left out.",
    Length(1, 500),
    IDENTIFIER,
]


class CustomerSettings(TypedDict, total=False):
    """Settings of a customer."""

    currency: Annotated[Currency, "Cannot be cleared."]
    allowedInviteDomains: Annotated[
        list[str],
        "Whoever has an address in these domains may join by themselves. [] clears. Takes the right to manage users.",
        Length(maximum=500),
        EXTERNAL_TARGET,
    ]
    mfaRequired: Annotated[bool, "Whether users have to sign in with a second factor."]


class Contact(TypedDict, total=False):
    """Whom to write to."""

    emails: Annotated[list[str], "All addresses to write to; [] clears.", Length(maximum=500), EXTERNAL_TARGET]


class CustomerDetails(TypedDict, total=False):
    """The customer."""

    id: str
    name: str
    primaryDomain: str
    domains: list[str]
    urlSlug: Annotated[str, "The customer's name in addresses of the console."]
    settings: Annotated[JsonObject, "currency, allowedInviteDomains, mfaRequired (null means true)."]
    contact: Annotated[JsonObject, "emails"]


class CustomerChanges(TypedDict, total=False):
    """What to change; lists are replaced as a whole."""

    urlSlug: Annotated[
        str,
        "Name in addresses of the console: 3 to 12 lower-case letters, digits, dashes (not first or last), and nobody "
        'else\'s. "" clears.',
        Length(maximum=12),
    ]
    settings: Annotated[CustomerSettings, "What is left out stays as it is."]
    contact: Annotated[Contact, "What is left out stays as it is."]


class Customers(Area):
    """Customer settings: name, domains, currency, invite domains, second factor, contact addresses."""

    @get("/customers/v1/customers/{customerId}", permission="Settings")
    async def _customer(self, *, customerId: Id) -> JsonObject: ...

    @offers(_customer)
    async def get_customer(self, *, customerId: CustomerId = None) -> Annotated[JsonObject, CustomerDetails]:
        """Show the customer: name, domains, currency, who can join, and contact addresses."""
        return await self._customer(customerId=self._require_customer_id(customerId))

    @patch(
        "/customers/v1/customers/{customerId}",
        content_type="application/merge-patch+json",
        permission="Settings (for allowedInviteDomains also Users Manager)",
        confirm=True,
        preview_with=get_customer,
    )
    async def _update(self, *, customerId: Id, **changes: Unpack[CustomerChanges]) -> JsonObject: ...

    @offers(_update)
    async def update_customer(self, *, customerId: CustomerId = None, **changes: Unpack[CustomerChanges]) -> JsonObject:
        """Change the customer's settings or contact addresses; omitted fields stay unchanged. This affects all users of
        the customer: ask the user first, and read get_customer before replacing a list."""
        return await self._update(customerId=self._require_customer_id(customerId), **changes)

    def _require_customer_id(self, customer: str | None) -> str:
        if found := customer or self.sender.tenant:
            return found
        raise ApiError("customerId: is needed, because the credential does not tell it", kind="argument")
