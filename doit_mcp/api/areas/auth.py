"""Auth: the signed-in user."""

from typing import Annotated, Required, TypedDict

from ...protocol.json_schema import JsonObject
from ..errors import NEEDS_CUSTOMER, ApiError
from ..operation import Area, get, offers
from ..request_errors import CUSTOMER_ADVICE

PLAN_ADVICE = "Do not repeat the call: the DoiT account manager of the customer knows the plan."


class User(TypedDict, total=False):
    """The owner of the credential."""

    id: Required[Annotated[str, "Stable for this user of this customer."]]
    domain: Annotated[str, "The customer's domain."]
    email: str
    permissions: Annotated[list[str], "Names of the user's permissions; empty for DoiT employees."]
    refusedTools: Annotated[list[JsonObject], "Tools that the user cannot use: permission and tools."]
    refusedToolsNote: str


class Auth(Area):
    """Signed-in user and account: who am I, which customer, check the connection."""

    @get("/auth/v1/validate", default_list=True, discovery_list=True, identifies_account=True)
    async def _validate(self) -> JsonObject: ...

    @offers(_validate)
    async def validate_user(self) -> Annotated[JsonObject, User]:
        """Show the signed-in user's email address, permissions and the customer's domain. Use it to check the
        connection and whose data the other tools show."""
        try:
            user = await self._validate()
        except ApiError as error:
            if error.kind == "forbidden":
                _explain_refusal(error, self.sender.tenant)
            raise
        return {**user, "id": account_key(user)}


def _explain_refusal(error: ApiError, tenant: str) -> None:
    """Explain a 403 of this operation, for which the API requires no permission.

    Without a *tenant*, the user works for DoiT: an API token of a customer's user is checked with the same request.
    """
    if tenant:
        error.reason = "the customer's plan does not include DoiT API access, or the user may no longer use it"
        error.advice = PLAN_ADVICE
    else:
        error.reason = NEEDS_CUSTOMER
        error.advice = CUSTOMER_ADVICE


def account_key(user: JsonObject) -> str:
    """Return a key that identifies a user of one customer.

    Clients use it to distinguish several connected accounts. It includes the customer, because one person can have an
    account with each of several customers. Raises ApiError ("answer") if the response does not identify the user.
    """
    values = [value.strip().lower() for name in ("domain", "email") if isinstance(value := user.get(name), str)]
    if not any(values):
        raise ApiError("the response does not name the signed-in user", kind="answer")
    return "/".join(value for value in values if value)
