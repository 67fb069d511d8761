"""Service accounts: identities of programs, with their own permissions and API tokens."""

from dataclasses import replace
from typing import Annotated, Literal, Required, TypedDict, Unpack

from ...protocol.json_schema import JsonObject, Length
from ..facts import Dependents
from ..markers import EXTERNAL_TARGET, IDENTIFIER, FormerName
from ..operation import Area, delete, get, offers, patch, post
from ..parameters import DryRun, Id, Purpose, Rfc3339
from ..permissions import SERVICE_ACCOUNT_CREATOR, SERVICE_ACCOUNT_MANAGER, SERVICE_ACCOUNT_VIEWER

ACCOUNTS = "/iam/v1/service-accounts"
ACCOUNT = f"{ACCOUNTS}/{{id}}"
TOKENS = f"{ACCOUNTS}/{{serviceAccountId}}/api-tokens"
TOKEN = f"{TOKENS}/{{id}}"
MAX_PERMISSIONS = 1_000

AccountId = Annotated[Id, "Service account id, from list_service_accounts."]
TokenId = Annotated[Id, "API token id, from list_service_account_tokens."]
AccountName = Annotated[str, "Its name, different from those of all others.", Length(1, 100), IDENTIFIER]
NewTokenState = Annotated[
    Literal["active", "disabled"],
    "disabled stops it, active allows it again unless it expired.",
    FormerName("state"),
]
PermissionNames = Annotated[
    list[str],
    "Names, as validate_user shows them, e.g. CloudAnalyticsReadOnly.",
    Length(maximum=MAX_PERMISSIONS),
    EXTERNAL_TARGET,
]


class ServiceAccountList(TypedDict, total=False):
    """Service accounts."""

    items: Annotated[
        list[JsonObject],
        "Each with id, name, description, permissions (names), createdBy, createTime, updateTime and etag.",
    ]


class ServiceAccount(TypedDict, total=False):
    """One service account."""

    id: Annotated[str, "Missing in a trial run."]
    customerId: str
    name: str
    description: str
    permissions: Annotated[list[str], "Names."]
    createdByEmail: Annotated[str, "Missing if another service account created it."]
    createTime: Rfc3339
    updateTime: Rfc3339
    etag: Annotated[str, "Its version."]


class NewServiceAccount(TypedDict, total=False):
    """A service account to create."""

    name: Required[AccountName]
    description: Purpose
    permissions: PermissionNames


class ServiceAccountChanges(TypedDict, total=False):
    """Changes to a service account."""

    name: AccountName
    description: Purpose
    permissions: Annotated[PermissionNames, "All of its permissions: replaces the current ones; [] removes all."]


class TokenList(TypedDict, total=False):
    """API tokens."""

    items: Annotated[
        list[JsonObject],
        "Each with id, name, state (active, disabled), createTime, expiresTime and lastUsedTime. An active token can have "
        "expired: compare expiresTime, which is missing if it never expires.",
    ]


class Token(TypedDict, total=False):
    """One API token, without its secret."""

    id: Annotated[str, "Missing in a trial run."]
    serviceAccountId: str
    customerId: str
    name: str
    state: Annotated[Literal["active", "disabled"], "An active token can have expired."]
    createTime: Rfc3339
    expiresTime: Annotated[Rfc3339, "Missing if it never expires."]
    lastUsedTime: Rfc3339


class CreatedToken(Token, total=False):
    """A new API token."""

    accessToken: Annotated[str, "The secret, shown only once; empty in a trial run. Give it to the user."]


class NewToken(TypedDict, total=False):
    """An API token to create."""

    name: Required[Annotated[str, "Its name, different from those of its other tokens.", Length(1, 100), IDENTIFIER]]
    expiresTime: Annotated[str, "RFC 3339. Default: that of DoiT."]


class TokenState(TypedDict):
    """The state of a token to set, in the API's form."""

    state: Literal["active", "disabled"]


ACCOUNT_TOKENS = Dependents(
    "API token that stops", "list_service_account_tokens", arguments={"serviceAccountId": "{id}"}, shows=("state",)
)


def camel_case_names(names: list[str]) -> list[str]:
    """Return names of permissions as the API accepts them: validate_user returns them with an uppercase first
    letter."""
    return [name[:1].lower() + name[1:] for name in names]


class ServiceAccounts(Area):
    """Service accounts: identities of programs, their permissions, API tokens and keys."""

    @get(ACCOUNTS, items="items", permission=SERVICE_ACCOUNT_VIEWER)
    async def list_service_accounts(self) -> Annotated[JsonObject, ServiceAccountList]:
        """List the customer's service accounts with their permissions, in no particular order. For users, use
        list_users."""
        ...

    @get(ACCOUNT, permission=SERVICE_ACCOUNT_VIEWER)
    async def get_service_account(self, *, id: AccountId) -> Annotated[JsonObject, ServiceAccount]:
        """Show one service account and its permissions."""
        ...

    @post(
        ACCOUNTS,
        needs_idempotency_key=True,
        permission=SERVICE_ACCOUNT_CREATOR,
        confirm=True,
        verify_with=get_service_account,
        canonical_arguments={"permissions": camel_case_names},
    )
    async def create_service_account(
        self, *, dryRun: DryRun = None, **account: Unpack[NewServiceAccount]
    ) -> Annotated[JsonObject, ServiceAccount]:
        """Create a service account, which lets a program use the DoiT API with these permissions. It cannot sign in
        before it has an API token. Ask the user first."""
        ...

    @patch(
        ACCOUNT,
        needs_idempotency_key=True,
        needs_if_match=True,
        content_type="application/merge-patch+json",
        permission=SERVICE_ACCOUNT_MANAGER,
        confirm=True,
        preview_with=get_service_account,
        dependents=(replace(ACCOUNT_TOKENS, kind="API token that keeps the permissions it was created with"),),
        canonical_arguments={"permissions": camel_case_names},
    )
    async def update_service_account(
        self, *, id: AccountId, dryRun: DryRun = None, **changes: Unpack[ServiceAccountChanges]
    ) -> Annotated[JsonObject, ServiceAccount]:
        """Change a service account; omitted fields stay unchanged, and permissions replaces the whole list. Existing
        API tokens keep the permissions they were created with. Ask the user first."""
        ...

    @delete(
        ACCOUNT,
        needs_idempotency_key=True,
        needs_if_match=True,
        permission=SERVICE_ACCOUNT_MANAGER,
        confirm=True,
        preview_with=get_service_account,
        dependents=(ACCOUNT_TOKENS,),
        no_undo="A deleted service account cannot be restored: its tokens are lost, and new ones have new secrets.",
        open_world=False,
    )
    async def delete_service_account(self, *, id: AccountId, dryRun: DryRun = None) -> None:
        """Delete a service account. All of its API tokens stop at once. Confirm its name with the user first."""
        ...

    @get(TOKENS, items="items", permission=SERVICE_ACCOUNT_VIEWER)
    async def list_service_account_tokens(self, *, serviceAccountId: AccountId) -> Annotated[JsonObject, TokenList]:
        """List the API tokens of a service account, without their secrets: state, expiry and last use."""
        ...

    @get(TOKEN, permission=SERVICE_ACCOUNT_VIEWER)
    async def get_service_account_token(
        self, *, serviceAccountId: AccountId, id: TokenId
    ) -> Annotated[JsonObject, Token]:
        """Show one API token of a service account, without its secret: state, expiry and last use."""
        ...

    @post(
        TOKENS,
        needs_idempotency_key=True,
        destructive=False,
        permission=SERVICE_ACCOUNT_CREATOR,
        confirm=True,
        preview_with=None,
        also_shows={"serviceAccountId": get_service_account},
        effect="The token keeps these permissions of the account, even if those of the account change.",
        verify_with=get_service_account_token,
        no_undo="delete_service_account_token deletes the token.",
        open_world=False,
        secrets=("accessToken",),
    )
    async def create_service_account_token(
        self, *, serviceAccountId: AccountId, dryRun: DryRun = None, **token: Unpack[NewToken]
    ) -> Annotated[JsonObject, CreatedToken]:
        """Create an API token for a service account, with the permissions that the account has now. Its secret is shown
        only in this result: give it to the user, and do not write it anywhere else. At most ten tokens for each
        account. Ask the user first."""
        ...

    @patch(
        TOKEN,
        needs_idempotency_key=True,
        permission=SERVICE_ACCOUNT_MANAGER,
        confirm=True,
        preview_with=get_service_account_token,
        also_shows={"serviceAccountId": get_service_account},
        open_world=False,
    )
    async def _update_token(
        self, *, serviceAccountId: AccountId, id: TokenId, dryRun: DryRun = None, **change: Unpack[TokenState]
    ) -> JsonObject: ...

    @offers(_update_token)
    async def update_service_account_token(
        self, *, serviceAccountId: AccountId, id: TokenId, tokenState: NewTokenState, dryRun: DryRun = None
    ) -> Annotated[JsonObject, Token]:
        """Disable an API token of a service account, or enable it again. Refused if it has expired. Programs that use a
        disabled token stop working: ask the user first."""
        return await self._update_token(serviceAccountId=serviceAccountId, id=id, dryRun=dryRun, state=tokenState)

    @delete(
        TOKEN,
        needs_idempotency_key=True,
        permission=SERVICE_ACCOUNT_MANAGER,
        confirm=True,
        preview_with=get_service_account_token,
        also_shows={"serviceAccountId": get_service_account},
        no_undo="A deleted token cannot be restored: a new one has a new secret.",
        open_world=False,
    )
    async def delete_service_account_token(
        self, *, serviceAccountId: AccountId, id: TokenId, dryRun: DryRun = None
    ) -> None:
        """Delete an API token of a service account. Programs that use it stop working: confirm its name with the user
        first."""
        ...
