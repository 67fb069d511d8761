"""Who the caller is."""

from typing import Annotated, TypedDict

from ...protocol.schema import JsonObject
from ..operation import Area, get


class User(TypedDict, total=False):
    """The owner of the credential."""

    domain: Annotated[str, "The customer's domain."]
    email: str


class Auth(Area):
    """Signed-in user and account: who am I, which customer, check the connection."""

    @get("/auth/v1/validate")
    async def validate_user(self) -> Annotated[JsonObject, User]:
        """Show who is signed in: e-mail address and the customer's domain. Use it to check that the connection works
        and whose data the other tools show."""
        ...
