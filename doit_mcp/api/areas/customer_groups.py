"""Customer groups: customers of a hierarchy as one group, and the users and user groups that are assigned to it."""

from typing import Annotated, TypedDict, Unpack

from ...protocol.json_schema import JsonObject, Length
from ..facts import Dependents, refused_while
from ..markers import EXTERNAL_TARGET, IDENTIFIER
from ..operation import Area, delete, get, patch, post, put
from ..parameters import Rfc3339
from ..permissions import USERS_MANAGER
from .users import ROLE_NAMES, Users

MAX_MEMBERS = 10_000
GROUPS = "/rbac/v1/customer-groups"
GROUP = f"{GROUPS}/{{customerGroupId}}"

GroupId = Annotated[str, "Customer group id, from list_customer_groups.", Length(1, 200), IDENTIFIER]
GroupName = Annotated[str, "Display name.", Length(1, 200), IDENTIFIER]
MemberIds = Annotated[
    list[str], "Ids of the customers in the group.", Length(1, MAX_MEMBERS), EXTERNAL_TARGET, IDENTIFIER
]
UserId = Annotated[str, "User id, from list_users.", Length(1, 200), IDENTIFIER]
UserGroupId = Annotated[str, "User group id (ug_...), as the DoiT console shows it.", Length(1, 200), IDENTIFIER]
GIVES_ACCESS = "This gives access to the data of all customers of the group, including those that join later."
REMOVES_ACCESS = (
    "This removes access to the data of the customers of the group. You can restore it by assigning the user again."
)
UNKNOWN_PATH = "No published API document has the path of this operation, so it may fail with 404."


GROUP_USERS = (
    Dependents(
        "user of the group",
        "list_customer_group_users",
        arguments={"customerGroupId": "{id}"},
        row_id="userId",
        names_with=Users.list_users,
    ),
)


class CustomerGroupList(TypedDict, total=False):
    """Customer groups."""

    customerGroups: Annotated[
        list[JsonObject], "Each with id, name, memberCustomerIds, customerId, createdBy, timeCreated and timeModified."
    ]


class CustomerGroup(TypedDict, total=False):
    """One customer group."""

    id: str
    customerId: str
    name: str
    memberCustomerIds: list[str]
    createdBy: str
    timeCreated: Rfc3339
    timeModified: Rfc3339


class NewCustomerGroup(TypedDict):
    """A customer group to create."""

    name: GroupName
    memberCustomerIds: MemberIds


class CustomerGroupChanges(TypedDict, total=False):
    """Changes to a customer group."""

    name: GroupName
    memberCustomerIds: Annotated[MemberIds, "Ids of all its customers: replaces the current ones."]


class GroupUsers(TypedDict, total=False):
    """The users of a group."""

    customerGroupId: str
    users: Annotated[list[JsonObject], "Each with userId; list_users has the names."]


class GroupUserGroups(TypedDict, total=False):
    """The user groups of a group."""

    customerGroupId: str
    userGroups: Annotated[list[JsonObject], "Each with userGroupId."]


class CustomerGroups(Area):
    """Customer groups: which users can act for which customers of a hierarchy, access to several customers."""

    @get(GROUPS, items="customerGroups", permission=USERS_MANAGER)
    async def list_customer_groups(self) -> Annotated[JsonObject, CustomerGroupList]:
        """List the customer groups: sets of customers that assigned users can access together."""
        ...

    @get(GROUP, permission=USERS_MANAGER)
    async def get_customer_group(self, *, customerGroupId: GroupId) -> Annotated[JsonObject, CustomerGroup]:
        """Show one customer group and its customers. For its users, use list_customer_group_users."""
        ...

    @post(
        GROUPS,
        permission=USERS_MANAGER,
        confirm=True,
        verify_with=get_customer_group,
        unique_in=list_customer_groups,
    )
    async def create_customer_group(self, **group: Unpack[NewCustomerGroup]) -> Annotated[JsonObject, CustomerGroup]:
        """Create a customer group. To give users access to its customers, call assign_customer_group_user."""
        ...

    @patch(
        GROUP,
        permission=USERS_MANAGER,
        confirm=True,
        preview_with=get_customer_group,
        dependents=GROUP_USERS,
        unique_in=list_customer_groups,
    )
    async def update_customer_group(
        self, *, customerGroupId: GroupId, **changes: Unpack[CustomerGroupChanges]
    ) -> Annotated[JsonObject, CustomerGroup]:
        """Change the name or the customers of a customer group. Its users gain or lose access to these customers: ask
        the user first."""
        ...

    @delete(
        GROUP,
        permission=USERS_MANAGER,
        confirm=True,
        preview_with=get_customer_group,
        restore_with=create_customer_group,
        dependents=refused_while(GROUP_USERS),
        open_world=False,
    )
    async def delete_customer_group(self, *, customerGroupId: GroupId) -> None:
        """Delete a customer group. Refused while users are assigned to it: call unassign_customer_group_user first.
        Confirm its name with the user."""
        ...

    @get(f"{GROUP}/users", items="users", permission=USERS_MANAGER)
    async def list_customer_group_users(self, *, customerGroupId: GroupId) -> Annotated[JsonObject, GroupUsers]:
        """List the ids of the users who are assigned to a customer group."""
        ...

    @put(
        f"{GROUP}/users/{{userId}}",
        permission=USERS_MANAGER,
        confirm=True,
        preview_with=get_customer_group,
        verify_with=list_customer_group_users,
        also_shows={"userId": Users.list_users},
        names_with=ROLE_NAMES,
        effect=GIVES_ACCESS,
        adds="userId",
        undo_with="unassign_customer_group_user",
        open_world=False,
    )
    async def assign_customer_group_user(self, *, customerGroupId: GroupId, userId: UserId) -> None:
        """Give a user access to all customers of a customer group. Ask the user first."""
        ...

    @delete(
        f"{GROUP}/users/{{userId}}",
        permission=USERS_MANAGER,
        confirm=True,
        preview_with=get_customer_group,
        verify_with=list_customer_group_users,
        also_shows={"userId": Users.list_users},
        names_with=ROLE_NAMES,
        effect=REMOVES_ACCESS,
        can_be_restored=True,
        removes="userId",
        undo_with=assign_customer_group_user,
        open_world=False,
    )
    async def unassign_customer_group_user(self, *, customerGroupId: GroupId, userId: UserId) -> None:
        """Remove a user from a customer group; they lose access to its customers. Ask the user first."""
        ...

    @get(f"{GROUP}/user-groups", items="userGroups", permission=USERS_MANAGER, untested=UNKNOWN_PATH)
    async def list_customer_group_user_groups(
        self, *, customerGroupId: GroupId
    ) -> Annotated[JsonObject, GroupUserGroups]:
        """List the ids of the user groups that are assigned to a customer group."""
        ...

    @put(
        f"{GROUP}/user-groups/{{userGroupId}}",
        permission=USERS_MANAGER,
        confirm=True,
        preview_with=get_customer_group,
        verify_with=list_customer_group_user_groups,
        effect=GIVES_ACCESS,
        adds="userGroupId",
        undo_with="unassign_customer_group_user_group",
        open_world=False,
        untested=UNKNOWN_PATH,
    )
    async def assign_customer_group_user_group(self, *, customerGroupId: GroupId, userGroupId: UserGroupId) -> None:
        """Give all users of a user group, including those who join later, access to the customers of a customer group.
        Ask the user first."""
        ...

    @delete(
        f"{GROUP}/user-groups/{{userGroupId}}",
        permission=USERS_MANAGER,
        confirm=True,
        preview_with=get_customer_group,
        verify_with=list_customer_group_user_groups,
        effect=REMOVES_ACCESS,
        can_be_restored=True,
        removes="userGroupId",
        undo_with=assign_customer_group_user_group,
        open_world=False,
        untested=UNKNOWN_PATH,
    )
    async def unassign_customer_group_user_group(self, *, customerGroupId: GroupId, userGroupId: UserGroupId) -> None:
        """Remove a user group from a customer group; its users lose access to the customers. Ask the user first."""
        ...
