"""Users: the users of the customer, and invitations."""

from collections.abc import Mapping
from typing import Annotated, Literal, Required, TypedDict, Unpack

from ...protocol.json_schema import JsonObject, Length, Pattern
from ..facts import Reader
from ..markers import EXTERNAL_TARGET, IDENTIFIER
from ..operation import Area, delete, get, patch, post
from ..parameters import DryRun, Id
from ..permissions import USERS_MANAGER

JobTitle = Literal[
    "Data Engineer / Data Analysts",
    "Executive Team",
    "Finance / Accounting",
    "Founder",
    "Legal / Purchasing",
    "Management",
    "Sales / Marketing",
    "Software / Ops Engineer",
]
UserId = Annotated[Id, "User id, from list_users."]
PersonName = Annotated[str, "The user's name.", Length(1, 300), IDENTIFIER]
RoleId = Annotated[str, "From list_roles.", Length(1, 500), EXTERNAL_TARGET, IDENTIFIER]


ROLE_NAMES: Mapping[str, Reader] = {"roleId": "list_roles"}


class UserList(TypedDict, total=False):
    """Users."""

    users: Annotated[
        list[JsonObject],
        "Each with id, email, displayName, firstName, lastName, jobTitle, roleId, organizationId and status "
        "(active, invited); inviteStatus if known, e.g. Cancelled.",
    ]
    rowCount: int


class UserResult(TypedDict, total=False):
    """The result of a change to a user."""

    message: str
    user: Annotated[JsonObject, "The updated user."]


class InviteResult(TypedDict, total=False):
    """The result of a change to an invitation."""

    message: str
    inviteId: str


class DeleteResult(TypedDict, total=False):
    """The API's message."""

    message: str


class UserChanges(TypedDict, total=False):
    """Changes to a user."""

    firstName: PersonName
    lastName: PersonName
    jobTitle: JobTitle
    jobFunction: Annotated[JobTitle, "Former name of jobTitle."]
    phone: Annotated[str, "Country code, e.g. +44.", Pattern(r"^\+[0-9]+$"), Length(maximum=20)]
    phoneExtension: Annotated[str, "Number without country code: 8 to 15 digits.", Pattern("^[0-9]{8,15}$")]
    language: Literal["en", "ja", "es"]
    roleId: RoleId


class Invitation(TypedDict, total=False):
    """The person to invite."""

    email: Required[Annotated[str, "Email address to invite.", Length(3, 320), EXTERNAL_TARGET, IDENTIFIER]]
    firstName: PersonName
    lastName: PersonName
    jobTitle: JobTitle
    roleId: RoleId
    organizationId: Annotated[str, "From list_organizations. Cannot be changed later.", Length(1, 500), IDENTIFIER]


class Users(Area):
    """Users: who has access to the account, invitations, user roles."""

    @get("/iam/v1/users", items="users", permission=None)
    async def list_users(
        self,
        *,
        email: Annotated[
            str | None, "Only the user with exactly this address, ignoring case.", Length(1, 320), IDENTIFIER
        ] = None,
    ) -> Annotated[JsonObject, UserList]:
        """List the users of the customer, including invited ones. For one user, give the email address."""
        ...

    @patch(
        "/iam/v1/users/{id}",
        confirm=True,
        preview_with=list_users,
        permission=None,
        same_as={"jobFunction": "jobTitle"},
        names_with=ROLE_NAMES,
        must_be_listed=("roleId",),
    )
    async def update_user(self, *, id: UserId, **changes: Unpack[UserChanges]) -> Annotated[JsonObject, UserResult]:
        """Change a user's name, job title, phone, language or role; omitted fields stay unchanged. The role determines
        the user's permissions: ask the user first."""
        ...

    @delete(
        "/iam/v1/users/{id}",
        confirm=True,
        preview_with=list_users,
        open_world=False,
        permission=None,
        names_with=ROLE_NAMES,
        no_undo="A deleted user cannot be restored. invite_user invites the address again, as a new user.",
    )
    async def delete_user(self, *, id: UserId) -> Annotated[JsonObject, DeleteResult]:
        """Delete a user. They lose all access, and this cannot be undone: confirm their name and email address
        first."""
        ...

    @post(
        "/iam/v1/users/invite",
        open_world=True,
        confirm=True,
        verify_with=None,
        permission=None,
        names_with={**ROLE_NAMES, "organizationId": "list_organizations"},
        must_be_listed=("roleId", "organizationId"),
        effect="The email cannot be recalled.",
        undo_with="cancel_invite",
    )
    async def invite_user(self, **invitation: Unpack[Invitation]) -> Annotated[JsonObject, UserResult]:
        """Invite someone to the customer's DoiT account by email. Use it only on request, after the user approves the
        address and the role."""
        ...

    @post(
        "/iam/v1/users/{id}/actions/resend",
        needs_idempotency_key=True,
        open_world=True,
        destructive=True,
        permission=USERS_MANAGER,
        confirm=True,
        preview_with=list_users,
        undone_by="removal",
        verify_with=None,
        no_undo="The email cannot be recalled, and earlier links stay invalid. cancel_invite ends the invitation.",
    )
    async def resend_invite(self, *, id: UserId, dryRun: DryRun = None) -> Annotated[JsonObject, InviteResult]:
        """Resend an invitation: a new email, valid for 48 hours. Earlier links stop working. Also restores a canceled
        invitation."""
        ...

    @post(
        "/iam/v1/users/{id}/actions/cancel",
        needs_idempotency_key=True,
        destructive=True,
        permission=USERS_MANAGER,
        confirm=True,
        preview_with=list_users,
        verify_with=None,
        undo_with=resend_invite,
        after_restoring="resend_invite sends another email, and earlier links stay invalid.",
        open_world=False,
    )
    async def cancel_invite(self, *, id: UserId, dryRun: DryRun = None) -> Annotated[JsonObject, InviteResult]:
        """Cancel an invitation. Its links stop working. The user stays in list_users; resend_invite restores the
        invitation, and delete_user removes the user. Refused if the invitation is already canceled."""
        ...
